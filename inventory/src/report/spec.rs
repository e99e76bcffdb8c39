//! What an inventory tells of a bucket, and where. AWS's XML and AIStor's YAML both become this.

use serde::{Deserialize, Serialize};

use crate::scan::{Depth, Point};

/// An inventory of a bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The bucket whose objects are told.
    pub bucket: String,
    /// Its id in the bucket: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub id: String,
    /// Files to write; `None`: only the Iceberg table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// Whether each run is a snapshot of an Iceberg table of warehouse `system`.
    #[serde(default)]
    pub iceberg: bool,
    /// Which versions are told.
    #[serde(default)]
    pub versions: Versions,
    /// As of when.
    #[serde(default)]
    pub point: Point,
    /// What is told beside bucket, key and what `versions` brings; in this order.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// Which objects.
    #[serde(default)]
    pub filter: Filter,
    /// The text it was made from, to be given back as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
}

/// Whether a text may be the id of an inventory: a dot at its begin would hide its files.
pub fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('.')
}

/// A definition as a client wrote it. It counts only while it says what the rest of the specification does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Written {
    /// AWS's XML.
    Aws(String),
    /// AIStor's YAML.
    Aistor(String),
}

/// Files, and how they are written. A bucket may tell of itself: files of earlier reports are told as any object, those of
/// the report at work as far as its scan comes to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The bucket.
    pub bucket: String,
    /// What their keys begin with, without a slash at the end.
    #[serde(default)]
    pub prefix: String,
    /// What they are.
    pub format: Format,
    /// How they are packed. Of Parquet: its pages.
    pub compression: Compression,
    /// Whose conventions hold inside them.
    pub layout: Layout,
    /// About how long each may be, in bytes.
    pub file_bytes_hint: u64,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// JSON Lines.
    Json,
    /// Parquet.
    Parquet,
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not.
    None,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

/// Whose conventions files follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// AWS S3 Inventory: no header in CSV, keys URL-encoded, only versions' columns when all versions are told.
    Aws,
    /// AIStor: a header in CSV, keys as they are.
    Aistor,
}

/// Which versions are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Versions {
    /// All. Buckets of this server have one of each object.
    All,
    /// The current ones.
    #[default]
    Current,
}

/// A column, by its name in AWS's and AIStor's definitions, in the order of AWS's files. Those that have no value in this
/// server are told empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Field {
    /// Bytes.
    Size,
    /// When it was last changed.
    LastModifiedDate,
    /// The entity tag.
    ETag,
    /// `STANDARD`.
    StorageClass,
    /// Whether it came by a multipart upload.
    IsMultipartUploaded,
    /// Empty: nothing is replicated.
    ReplicationStatus,
    /// `NOT-SSE`.
    EncryptionStatus,
    /// Empty.
    ObjectLockRetainUntilDate,
    /// Empty.
    ObjectLockMode,
    /// Empty.
    ObjectLockLegalHoldStatus,
    /// Empty.
    IntelligentTieringAccessTier,
    /// Empty.
    BucketKeyStatus,
    /// The algorithm of its checksum.
    ChecksumAlgorithm,
    /// Empty: there are no ACLs.
    ObjectAccessControlList,
    /// Empty.
    ObjectOwner,
    /// Empty.
    LifecycleExpirationDate,
    /// AIStor: the KMS key. Empty.
    KmsKeyArn,
    /// AIStor: tags.
    Tags,
    /// AIStor: user metadata.
    UserMetadata,
    /// AIStor: the tier. Empty.
    Tier,
    /// AIStor: how tiering stands. Empty.
    TieringStatus,
}

/// Which objects are told: those that every part lets through.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// The key begins with one of these; none: any.
    pub prefixes: Vec<String>,
    /// The key begins with none of these.
    pub exclude_prefixes: Vec<String>,
    /// Changed before this, in milliseconds since 1970.
    pub modified_before_ms: Option<i64>,
    /// Changed after this.
    pub modified_after_ms: Option<i64>,
    /// Changed longer ago than this at the run's begin, in milliseconds.
    pub older_than_ms: Option<i64>,
    /// Changed less long ago than this.
    pub newer_than_ms: Option<i64>,
    /// The size in bytes.
    pub size: Range,
    /// How many versions there are of the key: of this server always one.
    pub versions_count: Range,
    /// The key matches one of these; none: any.
    pub names: Vec<NamePredicate>,
    /// User metadata.
    pub user_metadata: MapPredicate,
    /// Tags.
    pub tags: MapPredicate,
}

impl Filter {
    /// How much of each object it looks at.
    pub fn depth(&self) -> Depth {
        match self.user_metadata.is_empty() && self.tags.is_empty() {
            true => Depth::Listing,
            false => Depth::Attributes,
        }
    }
}

/// Bounds of a number; those that are there all hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Range {
    /// Less than this.
    pub less_than: Option<u64>,
    /// Greater than this.
    pub greater_than: Option<u64>,
    /// This.
    pub equal_to: Option<u64>,
}

/// How a key looks. A glob's `*` matches slashes too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamePredicate {
    /// It matches this glob.
    Match(String),
    /// It contains this.
    Contains(String),
    /// This regular expression is found in it.
    Regex(String),
}

/// What is asked of names and values, as of metadata. Lists without members ask nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MapPredicate {
    /// Nothing.
    #[default]
    Any,
    /// All of these hold.
    And(Vec<(String, TextPredicate)>),
    /// One of these holds.
    Or(Vec<(String, TextPredicate)>),
}

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextPredicate {
    /// It matches this glob.
    Match(String),
    /// It contains this.
    Contains(String),
    /// This regular expression is found in it.
    Regex(String),
    /// It is a number within these bounds: less than, greater than, equal to.
    Number {
        /// Less than this.
        less_than: Option<f64>,
        /// Greater than this.
        greater_than: Option<f64>,
        /// This.
        equal_to: Option<f64>,
    },
}

impl MapPredicate {
    /// Whether it asks nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Any => true,
            Self::And(asked) | Self::Or(asked) => asked.is_empty(),
        }
    }
}

impl Range {
    /// Whether a number is within the bounds.
    pub fn holds(&self, number: u64) -> bool {
        self.less_than.is_none_or(|bound| number < bound)
            && self.greater_than.is_none_or(|bound| number > bound)
            && self.equal_to.is_none_or(|bound| number == bound)
    }
}
