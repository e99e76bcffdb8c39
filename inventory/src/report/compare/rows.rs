//! The rows of a report, one after the other.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_cast::cast;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use percent_encoding::percent_decode_str;

use super::{CompareError, Report};

/// What a report tells of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: String,
    /// All but the key, in the order of the columns.
    pub(super) cells: Vec<Option<String>>,
}

type Reader = Box<dyn Iterator<Item = io::Result<Row>>>;

/// The rows of all files of a report.
pub(super) struct Rows<'a> {
    report: &'a Report,
    format: Format,
    /// The file that is read next.
    next: usize,
    reader: Option<Reader>,
    last: Option<String>,
}

#[derive(Clone, Copy)]
enum Format {
    /// The number of the column `Key`, and whether keys are URL-encoded and there is no header.
    Csv {
        key: usize,
        is_aws: bool,
    },
    Json,
    Parquet,
}

impl<'a> Rows<'a> {
    pub(super) fn new(report: &'a Report) -> Result<Self, CompareError> {
        let unknown = || CompareError::Format(report.file_format.clone());
        let format = match report.file_format.as_str() {
            "CSV" => {
                let key =
                    report.file_schema.split(", ").position(|name| name == "Key").ok_or_else(unknown)?;
                Format::Csv { key, is_aws: report.minio_extension.is_none() }
            }
            "JSON" => Format::Json,
            "Parquet" => Format::Parquet,
            _ => return Err(unknown()),
        };
        Ok(Self { report, format, next: 0, reader: None, last: None })
    }

    /// The next row, which must be behind the one before.
    pub(super) fn next(
        &mut self,
        open: &mut impl FnMut(&str) -> io::Result<File>,
    ) -> Result<Option<Row>, CompareError> {
        loop {
            if let Some(reader) = &mut self.reader {
                let key = &self.report.files[self.next - 1].key;
                match reader.next() {
                    Some(Ok(row)) if self.last.as_ref().is_some_and(|last| *last >= row.key) => {
                        return Err(CompareError::Order { key: key.clone(), row: row.key });
                    }
                    Some(Ok(row)) => {
                        self.last = Some(row.key.clone());
                        return Ok(Some(row));
                    }
                    Some(Err(source)) => return Err(CompareError::File { key: key.clone(), source }),
                    None => self.reader = None,
                }
            }
            let Some(file) = self.report.files.get(self.next) else { return Ok(None) };
            self.next += 1;
            let reader = open(&file.key).and_then(|opened| reader(self.format, &file.key, opened));
            self.reader =
                Some(reader.map_err(|source| CompareError::File { key: file.key.clone(), source })?);
        }
    }
}

fn reader(format: Format, key: &str, file: File) -> io::Result<Reader> {
    match format {
        Format::Csv { key: column, is_aws } => csv_rows(unpacked(key, file)?, column, is_aws),
        Format::Json => {
            let lines = BufReader::new(unpacked(key, file)?).lines();
            Ok(Box::new(lines.map(|line| json_row(&line?))))
        }
        Format::Parquet => {
            let batches = ParquetRecordBatchReaderBuilder::try_new(file)?.build()?;
            Ok(Box::new(batches.flat_map(|batch| {
                match batch.map_err(io::Error::other).and_then(|b| parquet_rows(&b)) {
                    Ok(rows) => rows.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                }
            })))
        }
    }
}

fn unpacked(key: &str, file: File) -> io::Result<Box<dyn Read>> {
    if key.ends_with(".gz") {
        return Ok(Box::new(flate2::read::MultiGzDecoder::new(file)));
    }
    if key.ends_with(".zst") {
        return Ok(Box::new(zstd::stream::read::Decoder::new(file)?));
    }
    Ok(Box::new(file))
}

fn csv_rows(text: Box<dyn Read>, column: usize, is_aws: bool) -> io::Result<Reader> {
    let reader = csv::ReaderBuilder::new().has_headers(!is_aws).from_reader(text);
    Ok(Box::new(reader.into_records().map(move |record| {
        let mut cells: Vec<String> = record?.iter().map(str::to_owned).collect();
        if column >= cells.len() {
            return Err(malformed("a row has no key"));
        }
        let written = cells.remove(column);
        let key = if is_aws {
            let decoded =
                percent_decode_str(&written.replace('+', " ")).decode_utf8().map(|key| key.into_owned());
            decoded.map_err(|_| malformed("a key is not UTF-8"))?
        } else {
            written
        };
        Ok(Row { key, cells: cells.into_iter().map(Some).collect() })
    })))
}

fn json_row(line: &str) -> io::Result<Row> {
    let mut row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line)?;
    let Some(serde_json::Value::String(key)) = row.remove("Key") else {
        return Err(malformed("a row has no key"));
    };
    let cells = row.iter().map(|(name, cell)| Some(format!("{name}={cell}"))).collect();
    Ok(Row { key, cells })
}

fn parquet_rows(batch: &RecordBatch) -> io::Result<Vec<Row>> {
    let key = batch.schema_ref().index_of("key").map_err(|_| malformed("there is no column key"))?;
    let texts = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
    let texts = texts.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
    let cell = |column: usize, row: usize| {
        let texts = texts[column].as_string::<i32>();
        (!arrow_array::Array::is_null(texts, row)).then(|| texts.value(row).to_owned())
    };
    let rows = (0..batch.num_rows()).map(|row| Row {
        key: cell(key, row).unwrap_or_default(),
        cells: (0..texts.len()).filter(|&column| column != key).map(|column| cell(column, row)).collect(),
    });
    Ok(rows.collect())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
