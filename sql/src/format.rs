//! The forms of an answer, written as its rows come.

use std::collections::HashSet;
use std::io::Write;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

/// Rows of a row group.
const GROUP_ROWS: usize = 256 << 10;
/// Bytes of a row group that wait in memory, at most.
const GROUP_BYTES: usize = 64 << 20;

/// A form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Arrow's IPC stream.
    Arrow,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated, with a header.
    Csv,
    /// Parquet.
    Parquet,
}

/// It is none of the forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no form of an answer: it is one of application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream and application/vnd.apache.parquet"
)]
pub struct UnknownFormat(String);

/// An answer could not be written in this form.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A column has no such form.
    #[error("the answer cannot be written so: {0}")]
    Arrow(#[from] ArrowError),
    /// The same, in Parquet.
    #[error("the answer cannot be written so: {0}")]
    Parquet(#[from] ParquetError),
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Json, Self::JsonLines, Self::Csv, Self::Arrow, Self::Parquet];

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Json => "application/json",
            Self::JsonLines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// The first form of an `Accept` header; JSON where anything will do.
    pub fn accepted(accept: &str) -> Result<Self, UnknownFormat> {
        let mut named = accept.split(',').filter_map(|part| part.split(';').next()).map(str::trim);
        let known = |name: &str| match name {
            "" | "*/*" | "application/*" => Some(Self::Json),
            "text/*" => Some(Self::Csv),
            name => Self::ALL.into_iter().find(|form| form.media_type().split(';').next() == Some(name)),
        };
        named.find_map(known).ok_or_else(|| UnknownFormat(accept.chars().take(200).collect()))
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        match name {
            "arrow" => Ok(Self::Arrow),
            "json" => Ok(Self::Json),
            "jsonl" | "ndjson" => Ok(Self::JsonLines),
            "csv" => Ok(Self::Csv),
            "parquet" => Ok(Self::Parquet),
            other => Err(UnknownFormat(other.into())),
        }
    }
}

/// Writes an answer. What is written is taken by who writes.
pub struct Writer {
    schema: SchemaRef,
    form: Form,
    written: Written,
}

enum Form {
    Arrow(Box<arrow_ipc::writer::StreamWriter<Written>>),
    Json(arrow_json::ArrayWriter<Written>),
    JsonLines(arrow_json::LineDelimitedWriter<Written>),
    Csv(Box<arrow_csv::Writer<Written>>),
    Parquet(Box<ArrowWriter<Written>>),
}

/// Bytes that were written and not yet taken.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Writer {
    /// Of an answer with these columns.
    pub fn new(format: Format, schema: &SchemaRef) -> Result<Self, WriteError> {
        let (schema, written) = (plain(schema), Written::default());
        let nulls = arrow_json::WriterBuilder::new().with_explicit_nulls(true);
        let form = match format {
            Format::Arrow => {
                Form::Arrow(Box::new(arrow_ipc::writer::StreamWriter::try_new(written.clone(), &schema)?))
            }
            Format::Json => Form::Json(nulls.build(written.clone())),
            Format::JsonLines => Form::JsonLines(nulls.build(written.clone())),
            Format::Csv => {
                let mut writer = arrow_csv::WriterBuilder::new().with_header(true).build(written.clone());
                // An answer without rows has its header, too.
                writer.write(&RecordBatch::new_empty(schema.clone()))?;
                Form::Csv(Box::new(writer))
            }
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(GROUP_ROWS))
                    .build();
                let writer = ArrowWriter::try_new(written.clone(), schema.clone(), Some(properties))?;
                Form::Parquet(Box::new(writer))
            }
        };
        Ok(Self { schema, form, written })
    }

    /// Writes rows; answers what is to be sent.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<Bytes, WriteError> {
        let batch = &self.plain(batch)?;
        match &mut self.form {
            Form::Arrow(writer) => writer.write(batch)?,
            Form::Json(writer) => writer.write(batch)?,
            Form::JsonLines(writer) => writer.write(batch)?,
            Form::Csv(writer) => writer.write(batch)?,
            Form::Parquet(writer) => {
                writer.write(batch)?;
                if writer.in_progress_size() > GROUP_BYTES {
                    writer.flush()?;
                }
            }
        }
        Ok(self.written.take())
    }

    /// Ends the answer; answers the last that is to be sent.
    pub fn finish(self) -> Result<Bytes, WriteError> {
        match self.form {
            Form::Arrow(mut writer) => writer.finish()?,
            Form::Json(mut writer) => writer.finish()?,
            Form::JsonLines(mut writer) => writer.finish()?,
            Form::Csv(writer) => drop(writer),
            Form::Parquet(writer) => {
                writer.close()?;
            }
        }
        Ok(self.written.take())
    }

    fn plain(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| match column.data_type() == field.data_type() {
            true => Ok(column.clone()),
            false => cast(column, field.data_type()),
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns.collect::<Result<_, _>>()?, &options)
    }
}

/// The columns as every reader knows them: no views, which are young, and no name twice.
fn plain(schema: &SchemaRef) -> SchemaRef {
    let mut names = HashSet::new();
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let of = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            other => other.clone(),
        };
        let mut name = field.name().clone();
        let mut next = 1;
        while !names.insert(name.clone()) {
            name = format!("{}_{next}", field.name());
            next += 1;
        }
        fields.push(Field::new(name, of, true));
    }
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Float64Array, Int64Array, StringViewArray};

    use super::*;

    fn batch() -> RecordBatch {
        let fields = vec![
            Field::new("n", DataType::Int64, false),
            Field::new("n", DataType::Float64, true),
            Field::new("text", DataType::Utf8View, true),
        ];
        RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            vec![
                Arc::new(Int64Array::from(vec![1, 2])),
                Arc::new(Float64Array::from(vec![Some(0.5), None])),
                Arc::new(StringViewArray::from(vec![Some("a,\"b\""), None])),
            ],
        )
        .unwrap()
    }

    fn written(format: Format, batches: &[RecordBatch]) -> Vec<u8> {
        let mut writer = Writer::new(format, &batch().schema()).unwrap();
        let mut bytes = Vec::new();
        for batch in batches {
            bytes.extend_from_slice(&writer.write(batch).unwrap());
        }
        bytes.extend_from_slice(&writer.finish().unwrap());
        bytes
    }

    fn text(format: Format, batches: &[RecordBatch]) -> String {
        String::from_utf8(written(format, batches)).unwrap()
    }

    #[test]
    fn texts_are_written_with_a_name_for_each_column() {
        let lines = "{\"n\":1,\"n_1\":0.5,\"text\":\"a,\\\"b\\\"\"}\n{\"n\":2,\"n_1\":null,\"text\":null}\n";
        assert_eq!(text(Format::JsonLines, &[batch()]), lines);
        let json: serde_json::Value = serde_json::from_str(&text(Format::Json, &[batch(), batch()])).unwrap();
        assert_eq!(json.as_array().unwrap().len(), 4);
        assert_eq!(text(Format::Csv, &[batch()]), "n,n_1,text\n1,0.5,\"a,\"\"b\"\"\"\n2,,\n");
    }

    #[test]
    fn an_answer_without_rows_is_whole() {
        assert_eq!(text(Format::Json, &[]), "[]");
        assert_eq!(text(Format::JsonLines, &[]), "");
        assert_eq!(text(Format::Csv, &[]), "n,n_1,text\n");
    }

    #[test]
    fn columns_are_read_again() {
        let bytes = written(Format::Arrow, &[batch(), batch()]);
        let read = arrow_ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap();
        assert_eq!(read.schema().field(2).data_type(), &DataType::Utf8);
        assert_eq!(read.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);
        let bytes = Bytes::from(written(Format::Parquet, &[batch(), batch()]));
        let read = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        assert_eq!(read.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);
    }

    #[test]
    fn the_first_form_that_is_known_is_taken() {
        assert_eq!(Format::accepted("*/*"), Ok(Format::Json));
        assert_eq!(Format::accepted("image/png, text/csv;q=0.5"), Ok(Format::Csv));
        assert_eq!(Format::accepted("application/vnd.apache.arrow.stream"), Ok(Format::Arrow));
        assert!(Format::accepted("image/png").is_err());
    }
}
