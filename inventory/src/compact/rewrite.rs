//! Reading the rows of a group and writing them into one file.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::io::FileIO;
use iceberg::spec::{DataContentType, DataFile, DataFileFormat};
use iceberg::writer::file_writer::{FileWriter as _, FileWriterBuilder as _, ParquetWriterBuilder};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{PARQUET_FIELD_ID_META_KEY, ParquetRecordBatchStreamBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;

use super::select::{Group, Selected};
use super::{Compact, CompactError, Head};
use crate::files::Files;

/// Rows of a batch.
const BATCH_ROWS: usize = 8 * 1024;

/// The file that replaces a group.
pub(super) struct Rewritten {
    /// `None` when no row was left.
    pub(super) file: Option<DataFile>,
    pub(super) bytes: u64,
    pub(super) rows_dropped: u64,
}

/// A Parquet file in a store.
pub(super) struct StoredFile {
    files: Arc<Files>,
    location: String,
    size: u64,
}

impl StoredFile {
    pub(super) fn open(files: &Arc<Files>, location: &str, size: u64) -> Self {
        Self { files: files.clone(), location: location.to_owned(), size }
    }
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let external = |error| ParquetError::External(Box::new(error));
        Box::pin(async move { self.files.range(&self.location, range).await.map_err(external) })
    }

    fn get_metadata<'b>(
        &'b mut self,
        _options: Option<&'b ArrowReaderOptions>,
    ) -> BoxFuture<'b, parquet::errors::Result<Arc<ParquetMetaData>>> {
        Box::pin(async move {
            let size = self.size;
            let metadata = ParquetMetaDataReader::new().load_and_finish(self, size).await?;
            Ok(Arc::new(metadata))
        })
    }
}

impl Compact<'_> {
    /// Writes the rows of a group that are not deleted into one file; or the reason why not (K4).
    pub(super) async fn rewrite(
        &self,
        head: &Head,
        group: &Group,
    ) -> Result<Result<Rewritten, String>, CompactError> {
        let schema = head.parsed.current_schema().clone();
        let arrow = Arc::new(schema_to_arrow_schema(&schema)?);
        let io = FileIO::new_with_memory();
        let location = Self::location(head, &format!("data/{}-compacted.parquet", uuid::Uuid::now_v7()))?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
        let builder = ParquetWriterBuilder::new(properties.build(), schema);
        let mut writer = builder.build(io.new_output(&location)?).await?;
        let (mut rows, mut dropped) = (0, 0);
        for file in &group.files {
            let Some(written) = self.copy(file, &arrow, &mut writer).await? else {
                return Ok(Err("with other columns than the schema's".into()));
            };
            let deleted = file.deleted.len() as u64;
            if written + deleted != file.entry.record_count() {
                return Ok(Err("with other rows than its manifest tells".into()));
            }
            rows += written;
            dropped += deleted;
        }
        let Some(mut file) = writer.close().await?.pop() else {
            return Ok(Ok(Rewritten { file: None, bytes: 0, rows_dropped: dropped }));
        };
        let file = file
            .content(DataContentType::Data)
            .file_format(DataFileFormat::Parquet)
            .partition(group.partition.clone())
            .partition_spec_id(head.parsed.default_partition_spec_id())
            .build()
            .map_err(|error| iceberg::Error::new(iceberg::ErrorKind::Unexpected, error.to_string()))?;
        if file.record_count() != rows {
            return Ok(Err("that could not be written whole".into()));
        }
        let bytes = io.new_input(&location)?.read().await?;
        let size = bytes.len() as u64;
        self.files.create(&location, bytes).await?;
        Ok(Ok(Rewritten { file: Some(file), bytes: size, rows_dropped: dropped }))
    }

    /// Copies the rows that stay; how many. `None` when the file's columns are not those of the schema.
    async fn copy(
        &self,
        file: &Selected,
        schema: &Arc<Schema>,
        writer: &mut iceberg::writer::file_writer::ParquetWriter,
    ) -> Result<Option<u64>, CompactError> {
        let mut reader =
            StoredFile::open(self.files, file.entry.file_path(), file.entry.file_size_in_bytes());
        let metadata = ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::new()).await?;
        if !same_columns(metadata.schema().fields(), schema.fields()) {
            return Ok(None);
        }
        // The names are the file's, the types the table's: a time zone may be spelled otherwise.
        let fields = metadata.schema().fields().iter().zip(schema.fields());
        let named = |(own, wanted): (&Arc<Field>, &Arc<Field>)| {
            own.as_ref().clone().with_data_type(wanted.data_type().clone())
        };
        let fields = fields.map(named);
        let named = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = ArrowReaderOptions::new().with_schema(named);
        let Ok(metadata) = ArrowReaderMetadata::try_new(metadata.metadata().clone(), options) else {
            return Ok(None);
        };
        let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata);
        let builder = builder.with_batch_size(BATCH_ROWS).with_row_selection(file.selection());
        let mut batches = builder.build()?;
        let mut rows = 0;
        while let Some(batch) = batches.try_next().await? {
            let Ok(batch) = RecordBatch::try_new(schema.clone(), batch.columns().to_vec()) else {
                return Ok(None);
            };
            rows += batch.num_rows() as u64;
            writer.write(&batch).await?;
        }
        Ok(Some(rows))
    }
}

/// Whether a file has the columns of a schema: the same ids in the same order, and, inside, the same names.
fn same_columns(own: &arrow_schema::Fields, wanted: &arrow_schema::Fields) -> bool {
    let id = |field: &Field| field.metadata().get(PARQUET_FIELD_ID_META_KEY).cloned();
    own.len() == wanted.len()
        && own.iter().zip(wanted).all(|(own, wanted)| {
            id(own).is_some()
                && id(own) == id(wanted)
                && (wanted.is_nullable() || !own.is_nullable())
                && same_inside(own.data_type(), wanted.data_type())
        })
}

fn same_inside(own: &DataType, wanted: &DataType) -> bool {
    match (own, wanted) {
        (DataType::Struct(own), DataType::Struct(wanted)) => {
            own.iter().zip(wanted).all(|(own, wanted)| own.name() == wanted.name())
                && same_columns(own, wanted)
        }
        (DataType::List(own), DataType::List(wanted)) => {
            let (own, wanted) = ([own.clone()].into(), [wanted.clone()].into());
            same_columns(&own, &wanted)
        }
        (DataType::Map(own, _), DataType::Map(wanted, _)) => match (own.data_type(), wanted.data_type()) {
            (DataType::Struct(own), DataType::Struct(wanted)) => same_columns(own, wanted),
            (_, _) => false,
        },
        (DataType::Timestamp(own, own_zone), DataType::Timestamp(wanted, zone)) => {
            own == wanted && own_zone.is_some() == zone.is_some()
        }
        (DataType::Binary, DataType::LargeBinary) => true,
        (own, wanted) => own == wanted,
    }
}
