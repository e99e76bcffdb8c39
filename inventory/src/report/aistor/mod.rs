//! AIStor's inventory definitions: YAML of version `v1`, read into a [`Spec`]. The text is kept and given back.
//!
//! Tarn knows four things more: `format: iceberg` (only a table), `iceberg: true` (a table beside the files),
//! `filters.excludePrefix`, and `schedule: cron(...)`.

pub(crate) mod document;
mod filters;
pub(crate) mod scalar;
#[cfg(test)]
mod tests;

use super::spec::{Spec, Written};
use crate::jobs::Schedule;

/// The longest text, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// An inventory as AIStor's API has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// What it tells.
    pub spec: Spec,
    /// When it runs.
    pub schedule: Schedule,
}

/// Why a text is refused: where, what is wrong and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place(.line, .column))]
pub struct Refused {
    /// The line, from 1.
    pub line: Option<u64>,
    /// The column, from 1.
    pub column: Option<u64>,
    /// What is wrong and what is allowed.
    pub message: String,
}

fn place(line: &Option<u64>, column: &Option<u64>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: "),
        (Some(line), None) => format!("line {line}: "),
        (None, _) => String::new(),
    }
}

impl Inventory {
    /// Reads a definition of an inventory of `bucket`.
    pub fn parse(bucket: &str, text: &str) -> Result<Self, Refused> {
        document::read(bucket, text)
    }

    /// The text a specification was made from, if that was of this kind and still says the same.
    pub fn text_of(spec: &Spec) -> Option<&str> {
        let Some(Written::Aistor(text)) = &spec.written else { return None };
        let read = Self::parse(&spec.bucket, text).ok()?;
        (read.spec == *spec).then_some(text)
    }
}

/// A definition to begin with.
pub fn template(bucket: &str, id: &str) -> String {
    format!(
        "apiVersion: v1
id: {id}

# Where the report goes.
destination:
  bucket: {bucket}
  prefix: inventory              # optional
  format: parquet                # csv, json, parquet; iceberg: only a table of the catalog
  compression: on                # on, off
  maxFileSizeHint: 256MiB        # optional

iceberg: true                    # each run is a snapshot of table inventory_{id}, too: namespace {bucket}, warehouse system

schedule: once                   # once, hourly, daily, weekly, monthly, yearly, cron(0 3 * * *)
mode: fast                       # fast: each object as it is when it is read; strict: all as of one moment
versions: current                # all, current

includeFields:
  - ETag
  - StorageClass
  - IsMultipart
  - ChecksumAlgorithm

# filters:
#   prefix: [raw/, cooked/]
#   excludePrefix: [raw/tmp/]
#   lastModified: {{olderThan: 90d}}
#   size: {{greaterThan: 100MiB}}
#   name:
#     - match: \"*.parquet\"
#     - contains: report
#   userMetadata:
#     and:
#       - key: owner
#         valueString: {{match: \"team-*\"}}
"
    )
}
