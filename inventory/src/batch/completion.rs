//! The completion report: what became of each object, in AWS's columns, as CSV and as Parquet.
//!
//! `<prefix>/job-<run>/results/<number>-<status>.csv|parquet`, and beside `results` a `manifest.json` that lists them, with
//! `manifest.json.md5`.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use md5::{Digest as _, Md5};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The columns, as AWS names them.
pub(super) const COLUMNS: [&str; 7] =
    ["Bucket", "Key", "VersionId", "TaskStatus", "ErrorCode", "HTTPStatusCode", "ResultMessage"];

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) status: Status,
    pub(super) code: &'static str,
    pub(super) http: u16,
    pub(super) message: String,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Status {
    Succeeded,
    Failed,
    /// Nothing was done: the batch only tells what it would do.
    DryRun,
}

impl Status {
    pub(super) const ALL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::DryRun];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::DryRun => "dry-run",
        }
    }
}

/// A file of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ResultFile {
    /// What its rows are about.
    pub(super) status: Status,
    /// Its name behind the place of the report, without its ending.
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) csv_md5: String,
    pub(super) parquet_md5: String,
}

/// A file as it is written, in both forms.
pub(super) struct Encoded {
    pub(super) file: ResultFile,
    pub(super) csv: Bytes,
    pub(super) parquet: Bytes,
}

/// The files of one part of the objects, at most one of each status.
pub(super) fn encode(rows: &[Row], number: u64) -> Result<Vec<Encoded>, String> {
    let mut files = Vec::new();
    for status in Status::ALL {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.status == status).collect();
        if rows.is_empty() {
            continue;
        }
        let csv = Bytes::from(csv(&rows).map_err(|error| error.to_string())?);
        let parquet = Bytes::from(parquet(&rows).map_err(|error| error.to_string())?);
        let file = ResultFile {
            status,
            name: format!("results/{number:06}-{}", status.name()),
            rows: rows.len() as u64,
            csv_md5: md5_of(&csv),
            parquet_md5: md5_of(&parquet),
        };
        files.push(Encoded { file, csv, parquet });
    }
    Ok(files)
}

/// Keys are URL-encoded, as in AWS's lists; there is no header.
fn csv(rows: &[&Row]) -> csv::Result<Vec<u8>> {
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'*');
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    for row in rows {
        let key = utf8_percent_encode(&row.key, KEPT).to_string();
        let http = http(row);
        writer.write_record([&*row.bucket, &key, "", row.status.name(), row.code, &http, &row.message])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn http(row: &Row) -> String {
    if row.http == 0 { String::new() } else { row.http.to_string() }
}

fn parquet(rows: &[&Row]) -> Result<Vec<u8>, parquet::errors::ParquetError> {
    let fields = COLUMNS.map(|name| Field::new(name, DataType::Utf8, name == "VersionId"));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let column = |value: fn(&Row) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| value(row))))
    };
    let columns: Vec<ArrayRef> = vec![
        column(|row| row.bucket.clone()),
        column(|row| row.key.clone()),
        Arc::new(StringArray::new_null(rows.len())),
        column(|row| row.status.name().to_owned()),
        column(|row| row.code.to_owned()),
        column(http),
        column(|row| row.message.clone()),
    ];
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(Default::default()));
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties.build()))?;
    writer.write(&batch)?;
    writer.into_inner()
}

/// The manifest: AWS's, and what it has no place for under `tarn`.
pub(super) fn manifest(
    (bucket, place): (&str, &str),
    files: &[ResultFile],
    created: &str,
    end: &Value,
) -> String {
    let results = |ending: &str, md5: fn(&ResultFile) -> &str| -> Vec<Value> {
        let result = |file: &ResultFile| {
            json!({
                "TaskExecutionStatus": file.status.name(), "Bucket": bucket,
                "MD5Checksum": md5(file), "Key": format!("{place}/{}.{ending}", file.name),
            })
        };
        files.iter().map(result).collect()
    };
    let manifest = json!({
        "Format": "Report_CSV_20180820",
        "ReportCreationDate": created,
        "Results": results("csv", |file| &file.csv_md5),
        "ReportSchema": COLUMNS.join(", "),
        "tarn": { "parquet": results("parquet", |file| &file.parquet_md5), "end": end },
    });
    format!("{manifest:#}")
}

pub(super) fn md5_of(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

#[cfg(test)]
mod tests {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    #[test]
    fn rows_are_told_in_both_forms_by_their_status() {
        let row = |key: &str, status| Row {
            bucket: "b".into(),
            key: key.into(),
            status,
            code: if status == Status::Failed { "AccessDenied" } else { "" },
            http: if status == Status::Failed { 403 } else { 200 },
            message: "a, b".into(),
        };
        let rows = [
            row("dir/a b", Status::Succeeded),
            row("caf\u{e9}", Status::Failed),
            row("c", Status::Succeeded),
        ];
        let files = encode(&rows, 7).unwrap();
        let names: Vec<&str> = files.iter().map(|encoded| &*encoded.file.name).collect();
        assert_eq!(names, ["results/000007-succeeded", "results/000007-failed"]);
        assert_eq!(&files[1].csv[..], b"b,caf%C3%A9,,failed,AccessDenied,403,\"a, b\"\n");
        assert!(files[0].csv.starts_with(b"b,dir/a%20b,,succeeded,,200,"));
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(files[0].parquet.clone()).unwrap().build().unwrap();
        let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
        assert_eq!((batches[0].num_rows(), batches[0].num_columns()), (2, 7));
        let listed: Vec<ResultFile> = files.into_iter().map(|encoded| encoded.file).collect();
        let manifest = manifest(("reports", "p/job-1"), &listed, "2026-11-21T00:00:00Z", &json!({}));
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["Results"][1]["Key"], "p/job-1/results/000007-failed.csv");
        assert_eq!(manifest["tarn"]["parquet"][0]["MD5Checksum"], listed[0].parquet_md5);
    }
}
