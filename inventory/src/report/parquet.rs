//! Rows as Parquet: those of a report, with AWS's schema, and those of the Iceberg table.
//!
//! Columns are made of whole slices, those that never change once. Row groups are bounded in rows and bytes, so a file
//! holds a bounded part of itself in memory.

use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Int8Array, Int64Array, MapArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray, new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::columns::{Cell, Column, file_schema};
use super::spec::{Compression, Format, Layout};
use super::text::{metadata_text, push_etag};
use crate::scan::{ChecksumAlgorithm, Objects};

/// Rows of a row group.
const GROUP_ROWS_MAX: usize = 256 * 1024;
/// About how many bytes of a row group are in memory before it is written.
const GROUP_BYTES_MAX: usize = 32 << 20;
/// Rather quick than small.
const ZSTD_LEVEL: i32 = 1;

/// The checksum algorithms, in the order of their numbers in a dictionary.
const ALGORITHMS: [ChecksumAlgorithm; 5] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
];

/// What files of one run look like.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    bucket: Arc<str>,
    cells: Arc<[Cell]>,
    arrow: SchemaRef,
    parquet: SchemaDescriptor,
    properties: WriterProperties,
}

/// A file being written.
pub(super) struct ParquetEncoder {
    writer: ArrowWriter<Vec<u8>>,
    shape: Shape,
    /// Columns that are the same for all rows, as long as the longest batch so far.
    constants: Vec<Option<ArrayRef>>,
}

impl Shape {
    /// Files of a report.
    pub(super) fn report(
        columns: &[Column],
        bucket: &str,
        compression: Compression,
    ) -> Result<Self, ParquetError> {
        let message = file_schema(columns, Format::Parquet, Layout::Aws);
        let parquet = SchemaDescriptor::new(Arc::new(parse_message_type(&message)?));
        let fields = columns.iter().map(|column| {
            let needed = matches!(column, Column::Bucket | Column::Key);
            ArrowField::new(column.parquet_name(), arrow_type(column.cell()), !needed)
        });
        let codec = match compression {
            Compression::None => Codec::UNCOMPRESSED,
            Compression::Gzip => Codec::GZIP(GzipLevel::try_new(1)?),
            Compression::Zstd => Codec::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?),
        };
        Ok(Self {
            bucket: bucket.into(),
            cells: columns.iter().map(|column| column.cell()).collect(),
            arrow: Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>())),
            parquet,
            properties: properties(
                columns.iter().map(|column| (column.parquet_name(), column.cell())),
                codec,
            ),
        })
    }

    /// Files of an Iceberg table with these columns, and what each of them holds.
    pub(super) fn table(cells: Vec<Cell>, bucket: &str, arrow: SchemaRef) -> Result<Self, ParquetError> {
        let parquet = ArrowSchemaConverter::new().schema_root("table").convert(&arrow)?;
        let names = arrow.fields().iter().map(|field| field.name().as_str());
        let codec = Codec::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?);
        let properties = properties(names.zip(cells.iter().copied()), codec);
        Ok(Self { bucket: bucket.into(), cells: cells.into(), arrow, parquet, properties })
    }
}

fn properties<'a>(columns: impl Iterator<Item = (&'a str, Cell)>, codec: Codec) -> WriterProperties {
    let builder = WriterProperties::builder()
        .set_compression(codec)
        .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    columns.fold(builder, |builder, (name, cell)| tuned(builder, name, cell)).build()
}

/// Dictionaries help columns of few values only, and bounds of entity tags help nobody.
fn tuned(builder: WriterPropertiesBuilder, name: &str, cell: Cell) -> WriterPropertiesBuilder {
    let path = || ColumnPath::from(name);
    match cell {
        Cell::Key | Cell::Size | Cell::Modified => builder.set_column_dictionary_enabled(path(), false),
        Cell::ETag => builder
            .set_column_dictionary_enabled(path(), false)
            .set_column_statistics_enabled(path(), EnabledStatistics::None),
        Cell::Bucket
        | Cell::IsMultipart
        | Cell::Checksum
        | Cell::UserMetadata
        | Cell::Text(_)
        | Cell::Flag(_)
        | Cell::NoText
        | Cell::NoTime => builder,
    }
}

/// What columns of reports are built as.
fn arrow_type(cell: Cell) -> DataType {
    match cell {
        Cell::Bucket | Cell::Text(_) | Cell::Checksum => dictionary_type(),
        Cell::Key | Cell::ETag | Cell::UserMetadata | Cell::NoText => DataType::Utf8,
        Cell::Size | Cell::Modified | Cell::NoTime => DataType::Int64,
        Cell::IsMultipart | Cell::Flag(_) => DataType::Boolean,
    }
}

fn dictionary_type() -> DataType {
    DataType::Dictionary(DataType::Int8.into(), DataType::Utf8.into())
}

impl ParquetEncoder {
    pub(super) fn new(shape: &Shape) -> Result<Self, ParquetError> {
        let options = ArrowWriterOptions::new()
            .with_properties(shape.properties.clone())
            .with_parquet_schema(shape.parquet.clone())
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), shape.arrow.clone(), options)?;
        Ok(Self { writer, shape: shape.clone(), constants: vec![None; shape.cells.len()] })
    }

    pub(super) fn write(&mut self, objects: &Objects, rows: &[u32]) -> Result<(), ParquetError> {
        let cells = Arc::clone(&self.shape.cells);
        let mut columns = Vec::with_capacity(cells.len());
        for (index, &cell) in cells.iter().enumerate() {
            columns.push(self.column(index, cell, objects, rows)?);
        }
        let batch = RecordBatch::try_new(self.shape.arrow.clone(), columns)?;
        self.writer.write(&batch)?;
        if self.writer.in_progress_size() > GROUP_BYTES_MAX {
            self.writer.flush()?;
        }
        Ok(())
    }

    /// What is written and not taken yet.
    pub(super) fn take(&mut self) -> Vec<u8> {
        // The writer counts what it wrote: taking it away does not move its offsets.
        std::mem::take(self.writer.inner_mut())
    }

    /// About how many bytes stand open.
    pub(super) fn open_bytes(&self) -> u64 {
        self.writer.in_progress_size() as u64
    }

    /// The rest.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ParquetError> {
        self.writer.finish()?;
        Ok(self.take())
    }

    fn column(
        &mut self,
        index: usize,
        cell: Cell,
        objects: &Objects,
        rows: &[u32],
    ) -> Result<ArrayRef, ArrowError> {
        Ok(match cell {
            Cell::Key => Arc::new(keys(objects, rows)?),
            Cell::ETag => Arc::new(etags(objects, rows)?),
            Cell::Size => {
                let sizes =
                    rows.iter().map(|&row| i64::try_from(objects.sizes[row as usize]).unwrap_or(i64::MAX));
                Arc::new(Int64Array::from_iter_values(sizes))
            }
            Cell::Modified => {
                let times = rows.iter().map(|&row| objects.modified_ms[row as usize]);
                times_of(times, self.shape.arrow.field(index).data_type())
            }
            Cell::IsMultipart => Arc::new(
                rows.iter()
                    .map(|&row| Some(objects.etags[row as usize].is_multipart))
                    .collect::<BooleanArray>(),
            ),
            Cell::Checksum => checksums(objects, rows, self.shape.arrow.field(index).data_type())?,
            Cell::UserMetadata => metadata(self.shape.arrow.field(index).data_type(), objects, rows)?,
            Cell::Bucket | Cell::Text(_) | Cell::Flag(_) | Cell::NoText | Cell::NoTime => {
                self.constant(index, cell, rows.len())?
            }
        })
    }

    fn constant(&mut self, index: usize, cell: Cell, rows: usize) -> Result<ArrayRef, ArrowError> {
        if let Some(made) = self.constants[index].as_ref().filter(|made| made.len() >= rows) {
            return Ok(made.slice(0, rows));
        }
        let of = self.shape.arrow.field(index).data_type();
        let made: ArrayRef = match cell {
            Cell::Bucket => repeated(&self.shape.bucket, of, rows)?,
            Cell::Text(text) => repeated(text, of, rows)?,
            Cell::Flag(flag) => Arc::new(BooleanArray::from(vec![flag; rows])),
            Cell::Key
            | Cell::Size
            | Cell::Modified
            | Cell::ETag
            | Cell::IsMultipart
            | Cell::Checksum
            | Cell::UserMetadata
            | Cell::NoText
            | Cell::NoTime => new_null_array(of, rows),
        };
        self.constants[index] = Some(made.clone());
        Ok(made)
    }
}

/// One text, so many times, as the column's type has it.
fn repeated(text: &str, of: &DataType, rows: usize) -> Result<ArrayRef, ArrowError> {
    if *of != dictionary_type() {
        return Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))));
    }
    let values = Arc::new(StringArray::from_iter_values([text]));
    Ok(Arc::new(DictionaryArray::<Int8Type>::try_new(Int8Array::from(vec![0; rows]), values)?))
}

/// Times as the column's type has them: milliseconds in reports, microseconds in tables.
fn times_of(times_ms: impl Iterator<Item = i64>, of: &DataType) -> ArrayRef {
    if let DataType::Timestamp(_, zone) = of {
        let micros = TimestampMicrosecondArray::from_iter_values(times_ms.map(|ms| ms.saturating_mul(1000)));
        return Arc::new(micros.with_timezone_opt(zone.clone()));
    }
    Arc::new(Int64Array::from_iter_values(times_ms))
}

/// Texts that are made of slices of one buffer.
fn texts(ends: Vec<i32>, bytes: Vec<u8>) -> Result<StringArray, ArrowError> {
    StringArray::try_new(OffsetBuffer::new(ends.into()), bytes.into(), None)
}

fn keys(objects: &Objects, rows: &[u32]) -> Result<StringArray, ArrowError> {
    let end = |bytes: usize| i32::try_from(bytes).map_err(|_| ArrowError::OffsetOverflowError(bytes));
    let mut ends = Vec::with_capacity(rows.len() + 1);
    ends.push(0);
    if rows.len() == objects.len() {
        end(objects.keys.len())?;
        ends.extend(objects.key_ends.iter().map(|&end| end as i32));
        return texts(ends, objects.keys.as_bytes().to_vec());
    }
    let mut bytes = Vec::new();
    for &row in rows {
        bytes.extend_from_slice(objects.key(row as usize).as_bytes());
        ends.push(end(bytes.len())?);
    }
    texts(ends, bytes)
}

fn etags(objects: &Objects, rows: &[u32]) -> Result<StringArray, ArrowError> {
    let mut ends = Vec::with_capacity(rows.len() + 1);
    let mut bytes = Vec::with_capacity(rows.len() * 32);
    ends.push(0);
    for &row in rows {
        push_etag(&objects.etags[row as usize], &mut bytes);
        let end = i32::try_from(bytes.len()).map_err(|_| ArrowError::OffsetOverflowError(bytes.len()))?;
        ends.push(end);
    }
    texts(ends, bytes)
}

fn checksums(objects: &Objects, rows: &[u32], of: &DataType) -> Result<ArrayRef, ArrowError> {
    let algorithms = rows.iter().map(|&row| objects.checksums[row as usize]);
    if *of != dictionary_type() {
        let names = algorithms.map(|algorithm| algorithm.map(ChecksumAlgorithm::name));
        return Ok(Arc::new(names.collect::<StringArray>()));
    }
    let number = |algorithm: ChecksumAlgorithm| match algorithm {
        ChecksumAlgorithm::Crc32 => 0,
        ChecksumAlgorithm::Crc32c => 1,
        ChecksumAlgorithm::Crc64Nvme => 2,
        ChecksumAlgorithm::Sha1 => 3,
        ChecksumAlgorithm::Sha256 => 4,
    };
    let numbers: Int8Array = algorithms.map(|algorithm| algorithm.map(number)).collect();
    let names = StringArray::from_iter_values(ALGORITHMS.map(ChecksumAlgorithm::name));
    Ok(Arc::new(DictionaryArray::try_new(numbers, Arc::new(names))?))
}

/// User metadata: the text of a JSON object in reports, a map in tables.
fn metadata(of: &DataType, objects: &Objects, rows: &[u32]) -> Result<ArrayRef, ArrowError> {
    let told = |row: &u32| {
        let pairs = objects.attributes.get(*row as usize).map(|of| &*of.user_metadata);
        pairs.filter(|pairs| !pairs.is_empty())
    };
    let DataType::Map(entry, is_sorted) = of else {
        let texts = rows.iter().map(|row| told(row).map(metadata_text));
        return Ok(Arc::new(texts.collect::<StringArray>()));
    };
    let DataType::Struct(fields) = entry.data_type() else {
        return Err(ArrowError::SchemaError("the entries of a map are no struct".into()));
    };
    let all: Vec<&(String, String)> = rows.iter().filter_map(told).flatten().collect();
    let names = StringArray::from_iter_values(all.iter().map(|(name, _)| name));
    let values = StringArray::from_iter_values(all.iter().map(|(_, value)| value));
    let entries = StructArray::try_new(fields.clone(), vec![Arc::new(names), Arc::new(values)], None)?;
    let lengths = rows.iter().map(|row| told(row).map_or(0, <[_]>::len));
    let present = NullBuffer::from_iter(rows.iter().map(|row| told(row).is_some()));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(entry.clone(), offsets, entries, Some(present), *is_sorted)?))
}
