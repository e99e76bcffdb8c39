//! Where versions come from: the seam between tables of a format and the protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Column, FileList, HiddenField, Schema, TableError};

/// What a reader of the delta format must support to read a version rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feature {
    /// `columnMapping`.
    ColumnMapping,
    /// `deletionVectors`.
    DeletionVectors,
    /// `timestampNtz`.
    TimestampNtz,
    /// `variantType`.
    VariantType,
    /// `typeWidening`: told to readers that list it, and read right by the others.
    TypeWidening,
}

/// What a table is, its files aside.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// Its id: another one for a table made anew under its name.
    pub id: String,
    /// Its description.
    pub description: Option<String>,
    /// Its columns, column mapping included.
    pub schema: Schema,
    /// Logical names of the columns it is partitioned by.
    pub partition_columns: Vec<String>,
    /// Its properties that readers of the delta format see.
    pub configuration: BTreeMap<String, String>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: Option<i64>,
}

impl Metadata {
    /// The columns it is partitioned by, by their names in files.
    pub fn partitions(&self) -> Vec<String> {
        let columns = self.partition_columns.iter();
        let physical =
            columns.map(|name| self.schema.column(name).map_or(name.as_str(), Column::physical_name));
        physical.map(str::to_owned).collect()
    }
}

/// A version of a table. It never changes.
#[derive(Debug, Clone)]
pub struct TableVersion {
    /// Its number.
    pub version: i64,
    /// When it was committed, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What the table was.
    pub metadata: Arc<Metadata>,
    /// What reading it takes.
    pub features: BTreeSet<Feature>,
    /// `Err`, with the reason, where the parquet format would tell wrong rows.
    pub plain: Result<(), String>,
    /// Partition fields that readers are not told of.
    pub hidden: Arc<[HiddenField]>,
    /// Its live files.
    pub files: FileList,
}

/// Which versions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The earliest that can be read.
    pub earliest: i64,
    /// The latest.
    pub latest: i64,
}

/// What one version changed.
#[derive(Debug, Clone)]
pub struct VersionChanges {
    /// The version.
    pub version: i64,
    /// When it was committed, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What the table became, where that is not what it was before.
    pub metadata: Option<Arc<Metadata>>,
    /// What reading it takes from here on; only with `metadata`.
    pub features: BTreeSet<Feature>,
    /// Files that came, with the deletes they came with. A file whose deletes grew is removed with the old and added with
    /// the new ones. A commit that only rearranges rows changes nothing.
    pub added: FileList,
    /// Files that went.
    pub removed: FileList,
    /// Files of the change feed, where the table writes such: then they alone tell the changed rows.
    pub changed: FileList,
}

/// From when until when versions are held, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldTime {
    /// Now.
    pub now_ms: i64,
    /// When the last URL ends.
    pub until_ms: i64,
}

/// A table whose versions can be told. Implemented for Iceberg and for Delta.
#[async_trait]
pub trait TableSource: Send + Sync {
    /// Names the table and what it is now: the key under which its versions never change. A table made anew under its
    /// name has another.
    fn identity(&self) -> Arc<str>;

    /// The versions there are now.
    async fn versions(&self) -> Result<Versions, TableError>;

    /// The latest version committed at `timestamp_ms` or before; `None` when all came later.
    async fn version_until(&self, timestamp_ms: i64) -> Result<Option<i64>, TableError>;

    /// The earliest version committed at `timestamp_ms` or after; `None` when all came before.
    async fn version_from(&self, timestamp_ms: i64) -> Result<Option<i64>, TableError>;

    /// Reads a version, files included. Costly; what it gives may be kept for good.
    async fn load(&self, version: i64) -> Result<TableVersion, TableError>;

    /// What the table is at a version, without its files: cheap where the format lets it be.
    async fn metadata(&self, version: i64) -> Result<TableVersion, TableError>;

    /// What each version of a range changed, in order. Versions that changed nothing may be absent.
    async fn changes(&self, versions: RangeInclusive<i64>) -> Result<Vec<VersionChanges>, TableError>;

    /// Keeps the files of these versions and of the one before them, as far as this server removes files of the table by
    /// itself. To be called before URLs of them are given out, whether they were read before or not: it fails when one
    /// of the versions cannot be read any more.
    async fn hold(&self, versions: RangeInclusive<i64>, time: HoldTime) -> Result<(), TableError>;
}
