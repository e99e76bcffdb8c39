//! Rows as Parquet: those of a report, with AWS's schema, and those of the Iceberg table.
//!
//! Columns are made of whole slices, those that never change once. Row groups are bounded in rows and bytes, so a file
//! holds a bounded part of itself in memory.

mod arrays;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use self::arrays::{checksums, dictionary_type, etags, keys, pairs, repeated, times_of};
use super::columns::{Cell, Column, file_schema};
use super::spec::{Compression, Format, Layout};
use crate::scan::Objects;

/// Rows of a row group.
const GROUP_ROWS_MAX: usize = 256 * 1024;
/// About how many bytes of a row group are in memory before it is written.
const GROUP_BYTES_MAX: usize = 32 << 20;
/// Rather quick than small.
const ZSTD_LEVEL: i32 = 1;

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
        | Cell::Said(_)
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
        Cell::Key | Cell::ETag | Cell::Said(_) | Cell::NoText => DataType::Utf8,
        Cell::Size | Cell::Modified | Cell::NoTime => DataType::Int64,
        Cell::IsMultipart | Cell::Flag(_) => DataType::Boolean,
    }
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
            Cell::Said(said) => pairs(self.shape.arrow.field(index).data_type(), said, (objects, rows))?,
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
            | Cell::Said(_)
            | Cell::NoText
            | Cell::NoTime => new_null_array(of, rows),
        };
        self.constants[index] = Some(made.clone());
        Ok(made)
    }
}
