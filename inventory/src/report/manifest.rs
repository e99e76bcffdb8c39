//! `manifest.json`: AWS's fields, and AIStor's where its conventions hold.

use bytes::Bytes;
use md5::{Digest as _, Md5};
use object_store::path::Path;
use serde::Serialize;

use super::columns::{columns, file_schema};
use super::spec::{Destination, Format, Layout, Spec};

/// A run, as its manifest tells it.
pub(super) struct Told<'a> {
    pub(super) spec: &'a Spec,
    pub(super) to: &'a Destination,
    /// When the scan began, in milliseconds since 1970.
    pub(super) began_ms: i64,
    pub(super) files: Vec<File>,
    pub(super) status: Status,
    pub(super) scanned: u64,
    pub(super) matched: u64,
}

/// A data file.
pub(super) struct File {
    pub(super) key: Path,
    pub(super) bytes: u64,
    pub(super) md5: String,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Completed,
    Canceled,
    /// Told as canceled, with a reason: AIStor's manifests have no word for it.
    Failed,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    source_bucket: &'a str,
    destination_bucket: String,
    version: &'static str,
    creation_timestamp: String,
    file_format: &'static str,
    file_schema: String,
    files: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minio_extension: Option<Extension>,
}

#[derive(Serialize)]
struct Entry {
    key: String,
    size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extension {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    scanned_objects: u64,
    matched_objects: u64,
    partial_results_available: bool,
}

/// The manifest and its checksum.
pub(super) fn manifest(told: Told<'_>) -> serde_json::Result<(Bytes, Bytes)> {
    let Told { spec, to, .. } = told;
    let minio_extension = match to.layout {
        Layout::Aws => None,
        Layout::Aistor => Some(extension(&told)),
    };
    let entry = |file: File| Entry { key: file.key.to_string(), size: file.bytes, md5: file.md5 };
    let manifest = Manifest {
        source_bucket: &spec.bucket,
        destination_bucket: match to.layout {
            Layout::Aws | Layout::Aistor => format!("arn:aws:s3:::{}", to.bucket),
        },
        version: "2016-11-30",
        creation_timestamp: told.began_ms.to_string(),
        file_format: match to.format {
            Format::Csv => "CSV",
            Format::Json => "JSON",
            Format::Parquet => "Parquet",
        },
        file_schema: file_schema(&columns(spec, to.layout), to.format, to.layout),
        files: told.files.into_iter().map(entry).collect(),
        minio_extension,
    };
    let text = serde_json::to_vec_pretty(&manifest)?;
    let checksum = hex::encode(Md5::digest(&text));
    Ok((text.into(), checksum.into()))
}

fn extension(told: &Told<'_>) -> Extension {
    let (status, reason) = match told.status {
        Status::Completed => ("completed", None),
        Status::Canceled => ("canceled", Some("the run was canceled")),
        Status::Failed => ("canceled", Some("the run failed")),
    };
    Extension {
        status,
        reason,
        scanned_objects: told.scanned,
        matched_objects: told.matched,
        partial_results_available: told.status != Status::Completed && !told.files.is_empty(),
    }
}

/// Hive's list of data files.
pub(super) fn symlink(to: &Destination, files: &[Path]) -> Bytes {
    let lines = files.iter().map(|key| format!("s3://{}/{key}\n", to.bucket));
    lines.collect::<String>().into()
}
