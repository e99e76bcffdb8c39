//! Why an operation failed: an enum for each.

use super::tags::InvalidTags;

/// Why a body could not be taken. The write has no effect.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection ended before the body did.
    #[error("the body ended before its announced length")]
    Incomplete,
    /// A checksum or digest does not match the bytes.
    #[error("the {0} does not match the body")]
    Mismatch(&'static str),
    /// The bytes break the transfer's own format (chunk framing, signature).
    #[error("the body is malformed: {0}")]
    Malformed(String),
    /// The body is longer than the limit.
    #[error("the body is longer than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
}

/// The set cannot serve: why, and what the caller may conclude.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The drives are full. Nothing took effect; reads and deletes work.
    #[error("the drives are full")]
    Full,
    /// Too few drives for a write. Nothing took effect.
    #[error("too few healthy drives: {healthy} of {needed}")]
    TooFewDrives {
        /// The drives that could take it.
        healthy: usize,
        /// The drives a write needs.
        needed: usize,
    },
    /// Too many shards are lost or damaged.
    #[error("too few intact shards: {intact} of {needed}")]
    Damaged {
        /// The shards that were intact.
        intact: usize,
        /// The shards a read needs.
        needed: usize,
    },
    /// A write was sent and its outcome is not known.
    #[error("the outcome of the write is not known")]
    Unknown,
    /// Admission refused; nothing was started.
    #[error("too many requests are waiting")]
    Busy,
    /// The store is shutting down; nothing was started.
    #[error("the store is closing")]
    Closing,
    /// A drive or the index answered an error.
    #[error("{context}")]
    Io {
        /// What was being done.
        context: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The bucket does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bucket does not exist")]
pub struct NoSuchBucket;

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bucket does not exist.
    #[error("the bucket does not exist")]
    NoSuchBucket,
    /// The key holds no object.
    #[error("the key holds no object")]
    NoSuchKey,
    /// The range asked for begins behind the object's end.
    #[error("the range begins behind the end of {size} bytes")]
    InvalidRange {
        /// The object's size.
        size: u64,
    },
    /// The drives cannot serve it.
    #[error("the object cannot be read")]
    Storage(#[from] StorageError),
}

/// Why a put, copy or delete failed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The bucket does not exist.
    #[error("the bucket does not exist")]
    NoSuchBucket,
    /// A copy's source key holds no object, or its bucket does not exist.
    #[error("the source of the copy does not exist")]
    NoSuchSource,
    /// The condition does not hold; `exists` says whether the key holds an object.
    #[error("the precondition does not hold")]
    Precondition {
        /// Whether the key holds an object.
        exists: bool,
    },
    /// The body could not be taken.
    #[error("the body was refused")]
    Body(#[from] BodyError),
    /// The drives cannot take it.
    #[error("the object cannot be written")]
    Storage(#[from] StorageError),
}

/// Why the tags of an object were not changed.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The bucket does not exist.
    #[error("the bucket does not exist")]
    NoSuchBucket,
    /// The key holds no object.
    #[error("the key holds no object")]
    NoSuchKey,
    /// The object has another entity tag than was asked for.
    #[error("the precondition does not hold")]
    Precondition,
    /// It would not have the tags of an object.
    #[error("the tags are not those of an object")]
    Invalid(#[from] InvalidTags),
    /// The drives cannot take it.
    #[error("the object cannot be written")]
    Storage(#[from] StorageError),
}

/// Why a bucket operation failed.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// It does not exist.
    #[error("the bucket does not exist")]
    NoSuchBucket,
    /// It exists already.
    #[error("the bucket exists already")]
    Exists,
    /// It still holds objects or uploads.
    #[error("the bucket is not empty")]
    NotEmpty,
    /// There are as many buckets as there may be.
    #[error("there are {limit} buckets already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The drives cannot serve it.
    #[error("the bucket cannot be changed")]
    Storage(#[from] StorageError),
}

/// Why a multipart operation failed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The bucket does not exist.
    #[error("the bucket does not exist")]
    NoSuchBucket,
    /// The upload does not exist, or was completed or aborted.
    #[error("the upload does not exist")]
    NoSuchUpload,
    /// The list names a part that is not there, or with another tag or checksum.
    #[error("part {number} is missing or differs")]
    InvalidPart {
        /// The part.
        number: u16,
    },
    /// The parts are not in ascending order.
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    /// A part other than the last is below the minimum.
    #[error("part {number} has {size} bytes, fewer than {minimum}")]
    TooSmall {
        /// The part.
        number: u16,
        /// Its size in bytes.
        size: u64,
        /// The least a part may have.
        minimum: u64,
    },
    /// The object would be larger than the limit.
    #[error("the object would have more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The checksum the client sent for the whole object differs.
    #[error("the checksum of the object differs")]
    BadDigest,
    /// As for a put.
    #[error(transparent)]
    Write(#[from] WriteError),
}
