//! What a batch does, to what, and where it reports.

use serde::{Deserialize, Serialize};

use super::bulk::TagChange;
use super::outside::{Endpoint, Notify};
use crate::report::Filter;

/// A batch: one thing done to many objects of a bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What is done.
    pub does: Does,
    /// The bucket of the objects.
    pub bucket: String,
    /// What their keys begin with.
    #[serde(default)]
    pub prefix: String,
    /// An object that one of these lets through is done; none: every object. Not with a manifest.
    #[serde(default)]
    pub rules: Vec<Filter>,
    /// What names the objects, instead of what the bucket holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
    /// Where the completion report goes. What lies there is never done.
    pub report: Place,
    /// When it fails as a whole.
    #[serde(default)]
    pub failure: Threshold,
    /// How often an object is tried that may work later.
    pub attempts: u32,
    /// How long after, in milliseconds.
    pub delay_ms: u64,
    /// Only tell what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// Who is told at the end of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// The text it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}

/// What is done to each object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Does {
    /// It is deleted, by rules of its age.
    Expire,
    /// It is deleted.
    Delete,
    /// It is copied.
    Copy {
        /// Where to. Its key there has this prefix instead of the one of the batch.
        target: Place,
        /// Whether an object that is there is replaced.
        replace: bool,
    },
    /// It is copied to another server, or from one.
    Replicate(Box<Replication>),
    /// Its tags are changed.
    Tag(TagChange),
}

/// A copy between this server and another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replication {
    /// Which way it goes.
    pub way: Way,
    /// The other server.
    pub endpoint: Endpoint,
    /// Where to, on the other side than the objects are. Keys there are this prefix and the whole key.
    pub target: Place,
    /// Whether an object is copied that is there already, as its entity tag and size tell.
    #[serde(default)]
    pub replace: bool,
}

/// Which way objects go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// From this server.
    Push,
    /// To this server.
    Pull,
}

impl Replication {
    /// The key of an object's copy.
    pub(super) fn key(&self, key: &str) -> String {
        match &*self.target.prefix {
            prefix if prefix.is_empty() || prefix.ends_with('/') => format!("{prefix}{key}"),
            prefix => format!("{prefix}/{key}"),
        }
    }
}

/// A place in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with.
    #[serde(default)]
    pub prefix: String,
}

/// What names the objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Manifest {
    /// A list.
    List(List),
    /// The rows of a query, as they are when the run begins.
    Query(Query),
}

/// A query that names objects: columns `key`, and `bucket`, `etag` and `version` where it has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// One statement that reads.
    pub sql: String,
    /// The warehouse of names that give none; `None`: the server's default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<String>,
}

/// A list of objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// What it is.
    pub format: ManifestFormat,
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// The entity tag it must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// The kinds of lists, by AWS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManifestFormat {
    /// The `manifest.json` of an inventory in CSV.
    #[serde(rename = "S3InventoryReport_CSV_20161130")]
    Inventory,
    /// The `manifest.json` of an inventory in Parquet.
    #[serde(rename = "S3InventoryReport_Parquet_20161130")]
    ParquetInventory,
    /// Lines of bucket and key, keys URL-encoded, without a header.
    #[serde(rename = "S3BatchOperations_CSV_20180820")]
    Csv,
}

/// When a batch fails as a whole: so many of its objects failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// More than so many of a hundred.
    pub percent: u8,
    /// After so many were tried.
    pub after: u64,
}

impl Default for Threshold {
    fn default() -> Self {
        Self { percent: 50, after: 1000 }
    }
}

impl Threshold {
    /// Whether `failed` of `tried` are too many.
    pub(super) fn is_passed(self, tried: u64, failed: u64) -> bool {
        tried >= self.after && failed.saturating_mul(100) > tried.saturating_mul(u64::from(self.percent))
    }
}

impl Spec {
    /// The key of an object's copy.
    pub(super) fn key_in(&self, target: &Place, key: &str) -> String {
        format!("{}{}", target.prefix, key.strip_prefix(&self.prefix).unwrap_or(key))
    }

    /// Whether its objects are those of this server.
    pub(super) fn is_of_here(&self) -> bool {
        match &self.does {
            Does::Expire | Does::Delete | Does::Copy { .. } | Does::Tag(_) => true,
            Does::Replicate(replication) => replication.way == Way::Push,
        }
    }

    /// Whether an object is part of a completion report.
    pub(super) fn is_report(&self, bucket: &str, key: &str) -> bool {
        self.is_of_here()
            && bucket == self.report.bucket
            && key.strip_prefix(&self.report.prefix).is_some_and(|rest| rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_passed_when_more_than_its_share_failed_of_enough() {
        let threshold = Threshold { percent: 10, after: 100 };
        for (tried, failed, passed) in [(99, 99, false), (100, 10, false), (100, 11, true), (0, 0, false)] {
            assert_eq!(threshold.is_passed(tried, failed), passed, "{tried} {failed}");
        }
        assert!(Threshold { percent: 0, after: 1 }.is_passed(1, 1));
        assert!(!Threshold { percent: 100, after: 1 }.is_passed(9, 9));
    }
}
