//! The objects of a bucket, one range scan in the order of their keys.
//!
//! The object core is not seen from here: the binary implements [`ObjectScan`] over it.
//!
//! - O1: the batches of a scan hold every object that was there from its begin to its end, once, in the order of the
//!   bytes of their keys. One that was made, changed or deleted meanwhile is there in one state or not at all.
//! - O2: at a [`Point::Consistent`] they are the objects of one moment.
//! - O3: a scan holds a bounded number of rows in memory, whatever the bucket holds.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Scans buckets.
#[async_trait]
pub trait ObjectScan: Send + Sync + 'static {
    /// Begins a scan.
    async fn scan(&self, bucket: &str, options: &ScanOptions) -> Result<Box<dyn Scan>, ScanError>;
}

/// A scan at work.
#[async_trait]
pub trait Scan: Send {
    /// The next objects; `None` after the last.
    async fn next(&mut self) -> Result<Option<Objects>, ScanError>;

    /// When the rows are of, in milliseconds since 1970: of one moment, or when the scan began.
    fn began_ms(&self) -> i64;

    /// At a [`Point::Consistent`]: of each set the highest sequence of its changes that the moment holds
    /// ([`crate::journal::ChangeLog`]). Else empty.
    fn sequences(&self) -> Vec<u64> {
        Vec::new()
    }
}

/// What is scanned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// What the keys begin with.
    pub prefix: String,
    /// Only keys behind this one.
    pub after: Option<String>,
    /// Only keys up to this one.
    pub through: Option<String>,
    /// As of when.
    pub point: Point,
    /// What is read of each object.
    pub depth: Depth,
}

/// As of when rows are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Point {
    /// Each as it is when it is read.
    #[default]
    Running,
    /// All as of one moment.
    Consistent,
}

/// How much is read of each object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Depth {
    /// What a listing tells.
    #[default]
    Listing,
    /// Attributes and user metadata too.
    Attributes,
}

/// Consecutive objects of a bucket, column by column. All columns are of one length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects {
    /// The keys, one after the other.
    pub keys: String,
    /// Where each key ends in `keys`.
    pub key_ends: Vec<u32>,
    /// Sizes in bytes.
    pub sizes: Vec<u64>,
    /// When each was last changed, in milliseconds since 1970.
    pub modified_ms: Vec<i64>,
    /// The entity tags.
    pub etags: Vec<ETag>,
    /// The checksum algorithm of each that has a checksum.
    pub checksums: Vec<Option<ChecksumAlgorithm>>,
    /// At [`Depth::Attributes`]: what clients said of each. Else empty.
    pub attributes: Vec<ObjectAttributes>,
}

/// An entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ETag {
    /// Its 32 hex digits, as bytes.
    pub digest: [u8; 16],
    /// What stands behind a hyphen: of a multipart upload the number of parts.
    pub parts: Option<u16>,
    /// Whether the object came by a multipart upload.
    pub is_multipart: bool,
}

/// A checksum algorithm, by the names S3 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumAlgorithm {
    /// `CRC32`
    Crc32,
    /// `CRC32C`
    Crc32c,
    /// `CRC64NVME`
    Crc64Nvme,
    /// `SHA1`
    Sha1,
    /// `SHA256`
    Sha256,
}

/// What clients said of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectAttributes {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `x-amz-meta-*`, names without the prefix, in order.
    pub user_metadata: Vec<(String, String)>,
    /// Its tags, in order of their names.
    pub tags: Vec<(String, String)>,
}

/// Why a bucket cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// There is no such bucket.
    #[error("there is no bucket {0}")]
    NoSuchBucket(String),
    /// The store cannot serve it now.
    #[error("the scan failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Objects {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.key_ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.key_ends.is_empty()
    }

    /// The key of the object at `index`.
    pub fn key(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.key_ends[index - 1] as usize };
        &self.keys[start..self.key_ends[index] as usize]
    }
}

impl std::fmt::Display for ETag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in self.digest {
            write!(formatter, "{byte:02x}")?;
        }
        self.parts.map_or(Ok(()), |parts| write!(formatter, "-{parts}"))
    }
}

impl ChecksumAlgorithm {
    /// Its name in S3.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_and_tags_are_told_as_s3_does() {
        let objects = Objects { keys: "abc".into(), key_ends: vec![1, 3], ..Objects::default() };
        assert_eq!((objects.len(), objects.key(0), objects.key(1)), (2, "a", "bc"));
        let tag = ETag { digest: [0xab; 16], parts: Some(3), is_multipart: true };
        assert_eq!(tag.to_string(), format!("{}-3", "ab".repeat(16)));
    }
}
