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
pub(crate) enum ManifestContent {
    Data,
    Deletes,
}

/// An entry of a manifest list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ManifestFile {
    pub(crate) path: Box<str>,
    pub(crate) length: i64,
    pub(crate) spec_id: i32,
    pub(crate) content: ManifestContent,
    pub(crate) sequence_number: i64,
    pub(crate) added_snapshot_id: i64,
    pub(crate) added_files: Option<i64>,
    pub(crate) existing_files: Option<i64>,
    pub(crate) deleted_files: Option<i64>,
    pub(crate) summaries: Box<[RawSummary]>,
    pub(crate) first_row_id: Option<i64>,
    pub(crate) encrypted: bool,
}

/// A field summary as the file says it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawSummary {
    pub(crate) contains_null: bool,
    pub(crate) contains_nan: Option<bool>,
    pub(crate) lower: Option<Box<[u8]>>,
    pub(crate) upper: Option<Box<[u8]>>,
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
pub(crate) struct Manifest {
    /// The ids of the partition fields, in the order of the entries' partition values.
    pub(crate) partition_ids: Vec<Option<i32>>,
    pub(crate) entries: Vec<Entry>,
    /// What it takes in memory, in bytes.
    pub(crate) size_bytes: usize,
}

/// Whether a file is in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Existing,
    Added,
    Deleted,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) status: Status,
    /// `None` is inherited.
    pub(crate) snapshot_id: Option<i64>,
    /// `None` is inherited.
    pub(crate) sequence_number: Option<i64>,
    /// The rows of the files before it that have no first row id of their own.
    pub(crate) rows_before: i64,
    pub(crate) file: ContentFile,
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
pub(crate) type ByField<T> = Box<[(i32, T)]>;

#[derive(Debug)]
pub(crate) struct ContentFile {
    pub(crate) content: Content,
    pub(crate) path: Box<str>,
    pub(crate) format: Box<str>,
    pub(crate) partition: Box<[Option<Value>]>,
    pub(crate) record_count: i64,
    pub(crate) size_bytes: i64,
    pub(crate) column_sizes: ByField<i64>,
    pub(crate) value_counts: ByField<i64>,
    pub(crate) null_counts: ByField<i64>,
    pub(crate) nan_counts: ByField<i64>,
    pub(crate) lower_bounds: ByField<Box<[u8]>>,
    pub(crate) upper_bounds: ByField<Box<[u8]>>,
    pub(crate) key_metadata: Option<Box<[u8]>>,
    pub(crate) split_offsets: Box<[i64]>,
    pub(crate) equality_ids: Box<[i32]>,
    pub(crate) sort_order_id: Option<i32>,
    pub(crate) first_row_id: Option<i64>,
    pub(crate) referenced_data_file: Option<Box<str>>,
    pub(crate) content_offset: Option<i64>,
    pub(crate) content_size_bytes: Option<i64>,
}

fn find<T>(fields: &[(i32, T)], id: i32) -> Option<&T> {
    fields.binary_search_by_key(&id, |(id, _)| *id).ok().map(|at| &fields[at].1)
}

impl ContentFile {
    /// Values of the column, null and NaN included.
    pub(crate) fn value_count(&self, id: i32) -> Option<i64> {
        find(&self.value_counts, id).copied()
    }

    pub(crate) fn null_count(&self, id: i32) -> Option<i64> {
        find(&self.null_counts, id).copied()
    }

    pub(crate) fn nan_count(&self, id: i32) -> Option<i64> {
        find(&self.nan_counts, id).copied()
    }

    pub(crate) fn lower_bound(&self, id: i32) -> Option<&[u8]> {
        find(&self.lower_bounds, id).map(|bytes| &**bytes)
    }

    pub(crate) fn upper_bound(&self, id: i32) -> Option<&[u8]> {
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
