//! A data file of a version, as it is told to readers.

use serde::{Deserialize, Serialize};

/// The bucket of what sharing itself writes: deletion vectors made for readers. No share can name it.
pub const OWN_BUCKET: &str = ".tarn";
/// The name by which S3 clients read what lies in [`OWN_BUCKET`] below [`OWN_PREFIX`], as far as their session names it. S3
/// gives names with this end to access points only: no bucket has one.
pub const OWN_WINDOW: &str = "tarn-shares-s3alias";
/// What the keys of all that sharing writes begin with.
pub const OWN_PREFIX: &str = "sharing/";

/// Where a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place<'a> {
    /// The bucket; [`OWN_BUCKET`] for what sharing wrote.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
}

/// A data file. Borrows from the chunk it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFile<'a> {
    /// Where it lies.
    #[serde(borrow)]
    pub at: Place<'a>,
    /// Its size in bytes.
    pub size: u64,
    /// When it came, in milliseconds since 1970.
    pub modified_ms: i64,
    /// The values of the table's partition columns by physical name, as Delta serializes them; `None` is null.
    pub partition_values: Vec<(&'a str, Option<&'a str>)>,
    /// Statistics in Delta's JSON, by physical names. Bounds hold for every row, nulls and NaN aside. Writers of Delta cut
    /// those of timestamps to milliseconds: a row may lie less than one above the upper bound.
    pub stats: Option<&'a str>,
    /// Its rows, deleted ones included, where that is known exactly.
    pub records: Option<u64>,
    /// The values of [`super::TableVersion::hidden`], in that order and as Delta serializes partition values (transforms
    /// of time and `bucket`: a decimal number). `None` says nothing: the value is null, has no text, or the file's spec has
    /// no such field. Empty where nothing is known.
    pub hidden: Vec<Option<&'a str>>,
    /// Its deleted rows.
    pub deletes: Option<Deletes<'a>>,
}

/// The deleted rows of a data file: a deletion vector in Delta's on-disk form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletes<'a> {
    /// The file with the vector. Its first byte is Delta's version 1.
    #[serde(borrow)]
    pub at: Place<'a>,
    /// The size of that file in bytes.
    pub file_size: u64,
    /// Where the vector's record begins in it, in bytes.
    pub offset: u32,
    /// The vector's length in bytes, without length and checksum.
    pub size: u32,
    /// How many rows are deleted.
    pub cardinality: u64,
}

/// A partition field that readers are not told of, and that yet says something about a column's values in each file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenField {
    /// The column: its path of physical names.
    pub column: Vec<String>,
    /// What the file's value is of the column's values.
    pub transform: Transform,
}

/// A partition transform (Iceberg table spec, "Partition Transforms").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// The value itself.
    Identity,
    /// Years since 1970.
    Year,
    /// Months since 1970-01.
    Month,
    /// Days since 1970-01-01.
    Day,
    /// Hours since 1970-01-01T00.
    Hour,
    /// The value cut to this width.
    Truncate(u32),
    /// The bucket of the value's hash, of so many.
    Bucket(u32),
}

impl DataFile<'_> {
    /// Its rows without the deleted ones, where that is known exactly.
    pub fn live_records(&self) -> Option<u64> {
        let deleted = self.deletes.as_ref().map_or(0, |deletes| deletes.cardinality);
        self.records.map(|records| records.saturating_sub(deleted))
    }
}
