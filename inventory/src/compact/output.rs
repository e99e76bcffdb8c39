//! Writing a data file, and what its manifest entry tells of it.

pub(crate) mod metrics;
mod uuids;

use std::collections::HashMap;

use arrow_array::RecordBatch;
use bytes::Bytes;
use iceberg::spec::{DataContentType, DataFile, DataFileBuilder, DataFileFormat, Struct};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::Stop;
use super::schema::Columns;

/// Bytes of a bound of a column of texts or bytes, as Java has it by default.
pub(crate) const BOUND_BYTES_MAX: usize = 16;

/// A Parquet file being written, in memory.
pub(crate) struct Output {
    writer: ArrowWriter<Vec<u8>>,
    columns: Columns,
    rows: u64,
    nan_counts: HashMap<i32, u64>,
}

/// A file made, not stored yet.
pub(crate) struct Made {
    pub(crate) bytes: Bytes,
    columns: Columns,
    metadata: parquet::file::metadata::ParquetMetaData,
    nan_counts: HashMap<i32, u64>,
}

impl Output {
    pub(super) fn new(columns: &Columns) -> Result<Self, Stop> {
        Self::with_bounds(columns, Some(BOUND_BYTES_MAX))
    }

    /// One with bounds of texts of so many bytes; `None`: whole.
    pub(crate) fn with_bounds(columns: &Columns, bytes_max: Option<usize>) -> Result<Self, Stop> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_truncate_length(bytes_max)
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_parquet_schema(uuids::parquet_schema(columns)?)
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), columns.arrow.clone(), options)?;
        Ok(Self { writer, columns: columns.clone(), rows: 0, nan_counts: HashMap::new() })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Stop> {
        metrics::count_nans(batch.columns(), batch.schema_ref().fields(), &mut self.nan_counts);
        self.writer.write(batch)?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// About how long the file is so far.
    pub(crate) fn size_bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    pub(crate) fn finish(mut self) -> Result<Made, Stop> {
        let metadata = self.writer.finish()?;
        if u64::try_from(metadata.file_metadata().num_rows()) != Ok(self.rows) {
            return Err(Stop::Unfit("that could not be written whole"));
        }
        let bytes = std::mem::take(self.writer.inner_mut()).into();
        Ok(Made { bytes, columns: self.columns, metadata, nan_counts: self.nan_counts })
    }
}

impl Made {
    /// What a manifest tells of the file at `location`.
    pub(crate) fn describe(
        self,
        location: String,
        (spec_id, partition): (i32, Struct),
        sort_order_id: Option<i32>,
    ) -> Result<DataFile, Stop> {
        let metrics = metrics::of(&self.metadata, &self.columns.schema)?;
        let offsets = self.metadata.row_groups().iter().filter_map(|group| group.file_offset());
        let mut described = DataFileBuilder::default();
        described
            .content(DataContentType::Data)
            .file_path(location)
            .file_format(DataFileFormat::Parquet)
            .partition(partition)
            .partition_spec_id(spec_id)
            .record_count(self.metadata.file_metadata().num_rows().unsigned_abs())
            .file_size_in_bytes(self.bytes.len() as u64)
            .column_sizes(metrics.sizes)
            .value_counts(metrics.values)
            .null_value_counts(metrics.nulls)
            .nan_value_counts(self.nan_counts)
            .lower_bounds(metrics.lower)
            .upper_bounds(metrics.upper)
            .split_offsets(Some(offsets.collect()));
        if let Some(id) = sort_order_id {
            described.sort_order_id(id);
        }
        let incomplete =
            |error: iceberg::spec::DataFileBuilderError| super::CompactError::Unfit(error.to_string());
        Ok(described.build().map_err(incomplete)?)
    }
}
