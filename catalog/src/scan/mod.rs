//! Scan planning: which files of a table may hold the rows a filter asks for.
//!
//! - Q1: a file that may hold a matching row is never left out (`evaluate.rs`, `project.rs`).
//! - Q2: a file's partition and its residual together say what the filter says (`project.rs`).
//! - Q3: a plan task is answered the same whenever it is asked (`planner.rs`).
//! - Q4: memory never holds all files of a table (`planner.rs`).
//!
//! A filter goes from JSON (`filter.rs`) to columns and values (`bind.rs`), from there to each
//! partition spec (`project.rs`). Manifest lists and manifests are read from Avro (`avro.rs`,
//! `manifest.rs`). The row count a client asks for at least is no limit here: see docs/API-QUIRKS.md.

mod area;
mod avro;
mod bind;
mod civil;
mod deletes;
mod error;
mod evaluate;
mod filter;
pub mod hash;
mod limits;
mod literal;
mod manifest;
mod partition;
mod planner;
mod plans;
mod project;
mod reader;
mod request;
mod task;
#[cfg(test)]
pub(crate) mod tests;
mod transform;
mod value;
mod write;

pub use self::area::Area;
pub use self::avro::InvalidAvro;
pub(crate) use self::bind::Case;
pub use self::deletes::{DeleteFile, DeleteIndex};
pub(crate) use self::error::PlanError;
pub(crate) use self::filter::{Expr, parse as parse_filter};
pub(crate) use self::limits::Limits;
pub(crate) use self::literal::{Literal, read as read_literal, write as write_literal};
pub use self::manifest::{
    ByField, Content, ContentFile, Entry, Manifest, ManifestContent, ManifestFile, RawSummary, Status,
};
pub(crate) use self::manifest::{named_files, named_manifests};
pub(crate) use self::partition::SpecScan;
pub use self::partition::{Partition, PartitionKey};
pub(crate) use self::planner::{FileTask, Group, Page, Planned, Planner};
pub(crate) use self::project::SpecFilter;
pub(crate) use self::reader::ManifestReader;
pub(crate) use self::request::source_type;
pub(crate) use self::request::{Scan, ScanRequest, SchemaChoice, SnapshotRange, TableName};
pub(crate) use self::task::TaskId;
pub use self::value::Value;
pub(crate) use self::write::to_json as filter_to_json;
