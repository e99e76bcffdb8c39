//! AWS's `InventoryConfiguration`: XML of S3's API, read into a [`Spec`] and written back field by field.
//!
//! Nothing is kept silently that this server would not do: encryption of the output and ORC are refused by name.

mod read;
#[cfg(test)]
mod tests;
mod write;
mod xml;

pub use write::{document, page};

use super::spec::{Compression, Destination, Field, Filter, Format, Layout, Spec, Versions, Written};
use crate::jobs::Schedule;
use crate::scan::Point;

/// The longest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// About how long a file is, in bytes.
const FILE_BYTES: u64 = 256 << 20;
/// What a bucket's ARN begins with.
const ARN: &str = "arn:aws:s3:::";

/// What AWS calls the columns, in the order of its files.
const FIELDS: [(&str, Field); 16] = [
    ("Size", Field::Size),
    ("LastModifiedDate", Field::LastModifiedDate),
    ("ETag", Field::ETag),
    ("StorageClass", Field::StorageClass),
    ("IsMultipartUploaded", Field::IsMultipartUploaded),
    ("ReplicationStatus", Field::ReplicationStatus),
    ("EncryptionStatus", Field::EncryptionStatus),
    ("ObjectLockRetainUntilDate", Field::ObjectLockRetainUntilDate),
    ("ObjectLockMode", Field::ObjectLockMode),
    ("ObjectLockLegalHoldStatus", Field::ObjectLockLegalHoldStatus),
    ("IntelligentTieringAccessTier", Field::IntelligentTieringAccessTier),
    ("BucketKeyStatus", Field::BucketKeyStatus),
    ("ChecksumAlgorithm", Field::ChecksumAlgorithm),
    ("ObjectAccessControlList", Field::ObjectAccessControlList),
    ("ObjectOwner", Field::ObjectOwner),
    ("LifecycleExpirationDate", Field::LifecycleExpirationDate),
];

/// An inventory as AWS's API has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// `Id`
    pub id: String,
    /// `IsEnabled`
    pub enabled: bool,
    /// `AccountId`: kept, but means nothing here.
    pub account: Option<String>,
    /// `Destination`: the bucket, without its ARN.
    pub bucket: String,
    /// `Destination`: what keys begin with.
    pub prefix: Option<String>,
    /// `Format`
    pub format: FileFormat,
    /// `IncludedObjectVersions`
    pub versions: Versions,
    /// `Filter`
    pub filter: Option<String>,
    /// `OptionalFields`, in the order they were asked for.
    pub fields: Option<Vec<Field>>,
    /// `Schedule`
    pub frequency: Frequency,
}

/// `Format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// `CSV`
    Csv,
    /// `Parquet`
    Parquet,
}

/// `Frequency`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frequency {
    /// `Daily`
    Daily,
    /// `Weekly`
    Weekly,
}

/// Why a definition is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not the document it should be: what is wrong and what is allowed.
    #[error("{0}")]
    Malformed(String),
    /// A value cannot be.
    #[error("{message}")]
    Invalid {
        /// The element.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// This server does not do that.
    #[error("{0}")]
    NotImplemented(String),
}

impl Configuration {
    /// Reads a document.
    pub fn parse(document: &[u8]) -> Result<Self, Refused> {
        read::configuration(document)
    }

    /// What it tells of `bucket`.
    pub fn spec(&self, bucket: &str) -> Spec {
        let (format, compression) = match self.format {
            FileFormat::Csv => (Format::Csv, Compression::Gzip),
            FileFormat::Parquet => (Format::Parquet, Compression::Zstd),
        };
        // AWS's files have one order of columns, in whatever order they were asked for.
        let asked = self.fields.as_deref().unwrap_or_default();
        let fields = FIELDS.iter().map(|(_, field)| *field).filter(|field| asked.contains(field)).collect();
        let prefixes = self.filter.iter().filter(|prefix| !prefix.is_empty()).cloned().collect();
        Spec {
            bucket: bucket.to_owned(),
            id: self.id.clone(),
            destination: Some(Destination {
                bucket: self.bucket.clone(),
                prefix: self.prefix.as_deref().unwrap_or_default().trim_end_matches('/').to_owned(),
                format,
                compression,
                layout: Layout::Aws,
                file_bytes_hint: FILE_BYTES,
            }),
            iceberg: false,
            versions: self.versions,
            point: Point::Running,
            fields,
            filter: Filter { prefixes, ..Filter::default() },
            written: Some(Written::Aws(document(self))),
        }
    }

    /// What a specification was made from, if that was a document of this kind and still says the same.
    pub fn of(spec: &Spec) -> Option<Self> {
        let Some(Written::Aws(text)) = &spec.written else { return None };
        let configuration = Self::parse(text.as_bytes()).ok()?;
        (configuration.spec(&spec.bucket) == *spec).then_some(configuration)
    }

    /// When it runs.
    pub fn schedule(&self) -> Schedule {
        match self.frequency {
            Frequency::Daily => Schedule::Daily,
            Frequency::Weekly => Schedule::Weekly,
        }
    }
}
