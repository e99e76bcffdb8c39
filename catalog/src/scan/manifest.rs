//! Manifests and manifest lists in memory (table spec, "Manifests" and "Manifest Lists").
//!
//! What a file says is kept as it says it: bounds stay bytes until a filter asks for them, partition
//! values keep the file's order and types. What a manifest inherits from its list is added by
//! whoever reads both.

mod named;
mod read;

use super::project::FieldSummary;
use super::value::Value;
use crate::metadata::types::PrimitiveType;

pub(crate) use self::named::{named_files, named_manifests};
pub(crate) use self::read::{read_list, read_manifest};

/// What the files of a manifest hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestContent {
    /// Rows.
    Data,
    /// Deletes of rows.
    Deletes,
}

/// An entry of a manifest list.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestFile {
    /// Where the manifest lies.
    pub path: Box<str>,
    /// Its length in bytes.
    pub length: i64,
    /// The partition spec of its files.
    pub spec_id: i32,
    /// What its files hold.
    pub content: ManifestContent,
    /// Its sequence number, which entries inherit; 0 in V1 tables.
    pub sequence_number: i64,
    /// The snapshot that added it, which entries inherit.
    pub added_snapshot_id: i64,
    /// Entries that were added, where it says so.
    pub added_files: Option<i64>,
    /// Entries that were taken over, where it says so.
    pub existing_files: Option<i64>,
    /// Entries that tell of deleted files, where it says so.
    pub deleted_files: Option<i64>,
    /// What it says of each partition field, in the spec's order; empty where it says nothing.
    pub summaries: Box<[RawSummary]>,
    /// The row id its rows begin with (V3).
    pub first_row_id: Option<i64>,
    /// Whether it is encrypted, and cannot be read.
    pub encrypted: bool,
}

/// A field summary as the file says it.
#[derive(Debug, Clone, PartialEq)]
pub struct RawSummary {
    /// Whether a value is null.
    pub contains_null: bool,
    /// Whether a value is NaN, where it says so.
    pub contains_nan: Option<bool>,
    /// A lower bound of the values; none where all are null or NaN.
    pub lower: Option<Box<[u8]>>,
    /// An upper bound of the values; none where all are null or NaN.
    pub upper: Option<Box<[u8]>>,
}

impl RawSummary {
    /// The summary of a partition field of type `of`; of a type not known, bounds tell nothing.
    pub(crate) fn of_type(&self, of: Option<&PrimitiveType>) -> FieldSummary {
        let bound = |bytes: &[u8]| of.and_then(|of| Value::from_bound(of, bytes));
        let bounds = match (&self.lower, &self.upper) {
            (None, None) => None,
            (lower, upper) => Some((lower.as_deref().and_then(bound), upper.as_deref().and_then(bound))),
        };
        FieldSummary { contains_null: self.contains_null, contains_nan: self.contains_nan, bounds }
    }
}

/// A manifest.
#[derive(Debug, Default)]
pub struct Manifest {
    /// The ids of the partition fields, in the order of the entries' partition values.
    pub partition_ids: Vec<Option<i32>>,
    /// Its entries, deleted ones included.
    pub entries: Vec<Entry>,
    /// What it takes in memory, in bytes.
    pub size_bytes: usize,
}

/// Whether a file is in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is, since a snapshot before.
    Existing,
    /// The entry's snapshot added it.
    Added,
    /// The entry's snapshot deleted it.
    Deleted,
}

/// An entry of a manifest.
#[derive(Debug)]
pub struct Entry {
    /// Whether the file is in the table.
    pub status: Status,
    /// The snapshot that added the file, or deleted it; `None` is inherited.
    pub snapshot_id: Option<i64>,
    /// The sequence number of the file's rows or deletes; `None` is inherited.
    pub sequence_number: Option<i64>,
    /// The rows of the files before it that have no first row id of their own.
    pub rows_before: i64,
    /// The file.
    pub file: ContentFile,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Rows.
    Data,
    /// Deletes of rows by position, or a deletion vector.
    PositionDeletes,
    /// Deletes of rows by values.
    EqualityDeletes,
}

/// Numbers or bounds by field id, sorted by it.
pub type ByField<T> = Box<[(i32, T)]>;

/// A data file or a delete file.
#[derive(Debug)]
pub struct ContentFile {
    /// What it holds.
    pub content: Content,
    /// Where it lies.
    pub path: Box<str>,
    /// Its format in lower case.
    pub format: Box<str>,
    /// Its partition values in the order of [`Manifest::partition_ids`].
    pub partition: Box<[Option<Value>]>,
    /// Its rows.
    pub record_count: i64,
    /// Its length in bytes.
    pub size_bytes: i64,
    /// Bytes of each column.
    pub column_sizes: ByField<i64>,
    /// Values of each column, null and NaN included.
    pub value_counts: ByField<i64>,
    /// Nulls of each column.
    pub null_counts: ByField<i64>,
    /// NaNs of each column.
    pub nan_counts: ByField<i64>,
    /// A lower bound of each column's values.
    pub lower_bounds: ByField<Box<[u8]>>,
    /// An upper bound of each column's values.
    pub upper_bounds: ByField<Box<[u8]>>,
    /// What decrypts it.
    pub key_metadata: Option<Box<[u8]>>,
    /// Where it may be split, in bytes from its beginning.
    pub split_offsets: Box<[i64]>,
    /// The columns that an equality delete compares.
    pub equality_ids: Box<[i32]>,
    /// The sort order of its rows.
    pub sort_order_id: Option<i32>,
    /// The id of its first row (V3).
    pub first_row_id: Option<i64>,
    /// The one data file that its deletes are of.
    pub referenced_data_file: Option<Box<str>>,
    /// Where a deletion vector begins in it, in bytes.
    pub content_offset: Option<i64>,
    /// The length of a deletion vector in bytes.
    pub content_size_bytes: Option<i64>,
}

fn find<T>(fields: &[(i32, T)], id: i32) -> Option<&T> {
    fields.binary_search_by_key(&id, |(id, _)| *id).ok().map(|at| &fields[at].1)
}

impl ContentFile {
    /// Values of the column, null and NaN included.
    pub fn value_count(&self, id: i32) -> Option<i64> {
        find(&self.value_counts, id).copied()
    }

    /// Nulls of the column.
    pub fn null_count(&self, id: i32) -> Option<i64> {
        find(&self.null_counts, id).copied()
    }

    /// NaNs of the column.
    pub fn nan_count(&self, id: i32) -> Option<i64> {
        find(&self.nan_counts, id).copied()
    }

    /// A lower bound of the column's values.
    pub fn lower_bound(&self, id: i32) -> Option<&[u8]> {
        find(&self.lower_bounds, id).map(|bytes| &**bytes)
    }

    /// An upper bound of the column's values.
    pub fn upper_bound(&self, id: i32) -> Option<&[u8]> {
        find(&self.upper_bounds, id).map(|bytes| &**bytes)
    }

    /// What it takes in memory beside itself, in bytes; each allocation costs a few more.
    pub(crate) fn heap_bytes(&self) -> usize {
        const ALLOCATION: usize = 16;
        let counts = [&self.column_sizes, &self.value_counts, &self.null_counts, &self.nan_counts];
        let counts: usize = counts.iter().map(|counts| size_of_val(&***counts) + ALLOCATION).sum();
        let bounds = self.lower_bounds.iter().chain(&self.upper_bounds);
        let bounds: usize =
            bounds.map(|(_, bytes)| size_of::<(i32, Box<[u8]>)>() + bytes.len() + ALLOCATION).sum();
        let partition: usize = self.partition.iter().flatten().map(Value::heap_bytes).sum();
        let texts =
            self.path.len() + self.format.len() + self.referenced_data_file.as_ref().map_or(0, |at| at.len());
        counts
            + bounds
            + partition
            + texts
            + size_of_val(&*self.partition)
            + size_of_val(&*self.split_offsets)
            + size_of_val(&*self.equality_ids)
            + self.key_metadata.as_ref().map_or(0, |key| key.len())
            + 6 * ALLOCATION
    }
}
