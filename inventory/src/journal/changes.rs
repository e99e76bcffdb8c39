//! What changed in buckets, in order.
//!
//! - C1: a change is durable in the same moment as the write it tells of, whole or not at all. It stays until it is
//!   forgotten, whatever happens to the object and to the drives.
//! - C2: the changes of a set have ascending sequences; of two changes of one key the later has the higher. A key is
//!   always in the same set.
//! - C3: once [`ChangeLog::changes`] has told a sequence, no change with a lower one appears later.

use async_trait::async_trait;

use crate::scan::{ChecksumAlgorithm, ETag, ObjectAttributes};

/// Tells what changed in the buckets that are watched.
#[async_trait]
pub trait ChangeLog: Send + Sync + 'static {
    /// Begins or ends to tell of a bucket's changes. Every write that begins after the answer is told, or is not.
    /// Durable. Answers whether it was told of before: a bucket that was deleted and made again was not. Cheap when
    /// nothing changes.
    async fn watch(&self, bucket: &str, watch: bool) -> Result<bool, ChangeLogError>;

    /// How many sets there are. It never changes.
    fn sets(&self) -> usize;

    /// Changes of all watched buckets in `set` behind the sequence `after`, in order: at least `limit` of them if
    /// there are so many, and all of the last sequence.
    async fn changes(&self, set: usize, after: u64, limit: usize) -> Result<Vec<Change>, ChangeLogError>;

    /// Forgets the changes of `set` up to the sequence `through`.
    async fn forget(&self, set: usize, through: u64) -> Result<(), ChangeLogError>;
}

/// One change of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// Its place among the changes of its set. Several keys changed by one request may share it.
    pub sequence: u64,
    /// When it was, in milliseconds since 1970.
    pub at_ms: i64,
    /// What it is.
    pub changed: Changed,
    /// Who made it; `None`: the server itself.
    pub origin: Option<Origin>,
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It was written, whole.
    Created(State),
    /// What is said of it changed, not its bytes.
    Updated(State),
    /// It is gone.
    Deleted,
}

/// An object after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its size in bytes.
    pub size: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Its entity tag.
    pub etag: ETag,
    /// The algorithm of its checksum.
    pub checksum: Option<ChecksumAlgorithm>,
    /// What clients said of it.
    pub attributes: ObjectAttributes,
}

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The access key, user or role.
    pub requester: String,
    /// The address the request came from.
    pub source_ip: String,
    /// The request's id.
    pub request_id: String,
}

/// Why changes cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ChangeLogError {
    /// There is no such bucket.
    #[error("there is no bucket {0}")]
    NoSuchBucket(String),
    /// The store cannot serve it now.
    #[error("the changes of buckets cannot be read")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}
