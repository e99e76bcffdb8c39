//! What a run has done for good: a document that it goes on from.
//!
//! - P1: files told here are in their places, whole, and hold exactly the rows of the keys up to `after`.
//! - P2: nothing else of the run is there but, for each target, the file with the next number, and the metadata files that
//!   are named by the draft.

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::names::{file_id, key};
use super::spec::Spec;

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// What of: a run of another specification does not go on from here.
    pub(super) spec: String,
    /// Where files go.
    pub(super) targets: Vec<Target>,
    /// Files that are finished.
    #[serde(default)]
    pub(super) sets: Vec<FileSet>,
    /// The key that they end with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<String>,
    /// Whether all objects are told.
    #[serde(default)]
    pub(super) is_scanned: bool,
    /// When the first scan began, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) began_ms: Option<i64>,
    /// When the last scan ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended_ms: Option<i64>,
    /// The minute whose folder the manifest is in, in milliseconds since 1970.
    pub(super) folder_ms: i64,
    /// Objects looked at, up to `after`.
    #[serde(default)]
    pub(super) scanned: u64,
    /// Names the metadata files of the table's snapshot, once any may be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) draft: Option<Uuid>,
}

/// Where files of one kind go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) role: Role,
    pub(super) bucket: String,
    /// What their keys begin with, the slash included.
    pub(super) below: String,
    /// What their keys end with behind a dot.
    pub(super) extension: String,
}

/// What files are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// Told by a manifest.
    Report,
    /// Data files of an Iceberg table.
    Table,
}

/// The files of the same rows, one of each target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileSet {
    #[serde(rename = "r")]
    pub(super) rows: u64,
    #[serde(rename = "f")]
    pub(super) files: Vec<Finished>,
}

/// A finished file: its bytes and their MD5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finished(pub(super) u64, pub(super) String);

impl Checkpoint {
    /// That of a run which did nothing yet.
    pub(super) fn new(spec: &Spec, targets: Vec<Target>, folder_ms: i64) -> Self {
        Self {
            spec: fingerprint(spec),
            targets,
            sets: Vec::new(),
            after: None,
            is_scanned: false,
            began_ms: None,
            ended_ms: None,
            folder_ms,
            scanned: 0,
            draft: None,
        }
    }

    /// Objects told.
    pub(super) fn rows(&self) -> u64 {
        self.sets.iter().map(|set| set.rows).sum()
    }

    /// Bytes of all finished files.
    pub(super) fn bytes(&self) -> u64 {
        self.sets.iter().flat_map(|set| &set.files).map(|file| file.0).sum()
    }
}

impl Target {
    /// The data files of the table at this location.
    pub(super) fn of_table(location: &str) -> Option<Self> {
        let (bucket, path) = location.strip_prefix("s3://")?.split_once('/')?;
        let below = format!("{}/data/", path.trim_end_matches('/'));
        Some(Self { role: Role::Table, bucket: bucket.to_owned(), below, extension: "parquet".to_owned() })
    }

    /// The file of a run with this number.
    pub(super) fn key(&self, run: Uuid, number: usize) -> Path {
        key(&format!("{}{}.{}", self.below, file_id(run, number), self.extension))
    }
}

/// Tells one specification from another, whatever text it was made from.
pub(super) fn fingerprint(spec: &Spec) -> String {
    let plain = Spec { written: None, ..spec.clone() };
    // A specification is a tree of plain values: it always has a JSON form.
    hex::encode(&Sha256::digest(serde_json::to_vec(&plain).unwrap_or_default())[..16])
}
