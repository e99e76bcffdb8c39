//! What goes into and comes out of [`ObjectCore`](crate::ObjectCore): options, attributes,
//! bodies and pages. Errors are in `error.rs`.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::name::{BucketName, ObjectKey};

mod error;
mod tags;

pub use error::{
    BodyError, BucketError, NoSuchBucket, ReadError, StorageError, TagError, UploadError, WriteError,
};
pub use tags::{InvalidTags, TagChange, Tags};

/// An entity tag without its quotes: 32 hex digits, for multipart objects `<hex>-<parts>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ETag(pub String);

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Millis(pub u64);

/// A checksum algorithm of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChecksumAlgorithm {
    /// CRC-32 (ISO-HDLC).
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// Whether a checksum covers the object's bytes or the checksums of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChecksumKind {
    /// Over all bytes of the object.
    FullObject,
    /// Over the checksums of the parts.
    Composite,
}

/// A checksum of an object or part. `value` is big-endian, as long as the algorithm says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checksum {
    /// How it is computed.
    pub algorithm: ChecksumAlgorithm,
    /// What it covers.
    pub kind: ChecksumKind,
    /// The checksum's bytes.
    pub value: Vec<u8>,
}

/// What a client says about an object beside its bytes; kept and answered as sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`.
    pub expires: Option<String>,
    /// `x-amz-meta-*`, names in lower case without the prefix.
    pub user: BTreeMap<String, String>,
    /// `x-amz-tagging`, and what was changed since. (Kept behind the other fields: `object/value.rs`.)
    #[serde(skip)]
    pub tags: Tags,
}

impl Attributes {
    /// The most bytes all of it may have. (S3 allows 8 KiB of headers; this is only a bound.)
    pub const BYTES_MAX: usize = 64 << 10;

    /// Refuses more than [`Attributes::BYTES_MAX`].
    pub(crate) fn check(&self) -> Result<(), BodyError> {
        match self.text_bytes() <= Self::BYTES_MAX {
            true => Ok(()),
            false => Err(BodyError::Malformed("the attributes are too long".to_owned())),
        }
    }

    /// The bytes of all its texts.
    pub(crate) fn text_bytes(&self) -> usize {
        let Self {
            content_type,
            content_encoding,
            content_disposition,
            content_language,
            cache_control,
            expires,
            user,
            tags,
        } = self;
        let named =
            [content_type, content_encoding, content_disposition, content_language, cache_control, expires];
        let named: usize = named.into_iter().flatten().map(String::len).sum();
        let user: usize = user.iter().map(|(name, value)| name.len() + value.len()).sum();
        let tags: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
        named + user + tags
    }
}

/// One part of a multipart object, as `GetObjectAttributes` and `?partNumber=` need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPart {
    /// The part's number, 1 to 10,000.
    pub number: u16,
    /// The part's size in bytes.
    pub size: u64,
    /// The part's checksum, where the upload has one.
    pub checksum: Option<Checksum>,
}

/// An object as HEAD and LIST tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The key.
    pub key: ObjectKey,
    /// The size in bytes.
    pub size: u64,
    /// The entity tag.
    pub etag: ETag,
    /// When the version was written.
    pub modified: Millis,
    /// What the client said about it.
    pub attributes: Attributes,
    /// The checksum kept with it.
    pub checksum: Option<Checksum>,
    /// The parts, for an object made by a multipart upload; else empty.
    pub parts: Vec<ObjectPart>,
}

/// When a write takes effect. Decided atomically with the write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutIf {
    /// In any case.
    Always,
    /// Only when the key holds no object (`If-None-Match: *`).
    Absent,
    /// Only when the key's object has this tag (`If-Match`).
    Match(ETag),
    /// Only when the key holds an object, whatever its tag (`If-Match: *`).
    Exists,
}

/// A body that is being received.
pub struct Body {
    /// The bytes. An error ends the write without effect.
    pub chunks: BoxStream<'static, Result<Bytes, BodyError>>,
    /// Called once after the last chunk and before the commit: the last chance to refuse, and
    /// the checksum to keep.
    pub seal: Box<dyn FnOnce() -> Result<Option<Checksum>, BodyError> + Send>,
}

impl Body {
    /// A body of bytes at hand, with no checksum.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self {
            chunks: Box::pin(futures::stream::once(async move { Ok(bytes) })),
            seal: Box::new(|| Ok(None)),
        }
    }
}

/// How to put an object or part.
#[derive(Debug, Clone)]
pub struct PutOptions {
    /// When it takes effect.
    pub when: PutIf,
    /// What is kept beside the bytes.
    pub attributes: Attributes,
    /// The announced size, where there is one. A body of another size is refused.
    pub size: Option<u64>,
    /// The MD5 the client sent (`Content-MD5`). Another one is refused.
    pub content_md5: Option<[u8; 16]>,
    /// What its entity tag is made of.
    pub tagging: Tagging,
}

impl Default for PutOptions {
    fn default() -> Self {
        Self {
            when: PutIf::Always,
            attributes: Attributes::default(),
            size: None,
            content_md5: None,
            tagging: Tagging::Md5,
        }
    }
}

/// What the entity tag of an object that is put whole is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagging {
    /// The MD5 of its bytes: what clients of S3 expect who compare it with their own.
    Md5,
    /// Its version. The tag ends in `-1` like that of an upload of one part, which tells clients that it is no
    /// MD5. MD5 costs more than all else of a small put.
    Version,
}

/// What a put made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The new entity tag.
    pub etag: ETag,
    /// The bytes stored.
    pub size: u64,
    /// When it was written.
    pub modified: Millis,
    /// The checksum kept with it.
    pub checksum: Option<Checksum>,
}

/// An object being read. Dropping `chunks` ends the read. An error in `chunks` means that the rest
/// cannot be had: the sender must abort the connection.
pub struct ObjectBody {
    /// The whole object, not the range.
    pub info: ObjectInfo,
    /// The bytes of the object that `chunks` yields.
    pub range: Range<u64>,
    /// The bytes, verified.
    pub chunks: BoxStream<'static, Result<Bytes, ReadError>>,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketInfo {
    /// Its name.
    pub name: BucketName,
    /// When it was created.
    pub created: Millis,
}

/// What to list. Keys come in the order of their UTF-8 bytes.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// Only keys that begin so.
    pub prefix: String,
    /// Only keys (and common prefixes) after this one.
    pub start_after: Option<String>,
    /// Roll keys up to the first delimiter after the prefix.
    pub delimiter: Option<String>,
    /// The most entries (objects and common prefixes) in the page.
    pub limit: usize,
}

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// The objects.
    pub objects: Vec<ObjectInfo>,
    /// The rolled-up prefixes.
    pub common_prefixes: Vec<String>,
    /// Where the next page starts after; `None` at the end.
    pub next_start_after: Option<String>,
}

/// Names a multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UploadId(pub String);

/// A multipart upload in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadInfo {
    /// The key it will create.
    pub key: ObjectKey,
    /// Its id.
    pub upload: UploadId,
    /// When it began.
    pub initiated: Millis,
    /// What the object will carry.
    pub attributes: Attributes,
    /// The checksum algorithm and kind asked for at creation.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

/// A part that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartInfo {
    /// 1 to 10,000.
    pub number: u16,
    /// The size in bytes.
    pub size: u64,
    /// The part's own tag.
    pub etag: ETag,
    /// When it was written.
    pub modified: Millis,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

/// A part named in a complete request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletePart {
    /// The part's number.
    pub number: u16,
    /// The tag the client got for it.
    pub etag: ETag,
    /// The checksum the client got for it, if it says so.
    pub checksum: Option<Vec<u8>>,
}

/// The bytes of an object a read asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GetRange {
    /// From the first offset to the second, both included; cut at the object's end.
    Bounded(u64, u64),
    /// From the offset to the end.
    From(u64),
    /// The last so many bytes; the whole object when it has fewer.
    Suffix(u64),
    /// The part of that number; of an object not made by a multipart upload, part 1 is the whole.
    Part(u16),
}

/// How to copy an object.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// When the copy takes effect at its destination.
    pub when: PutIf,
    /// What the copy carries beside tags; `None` keeps the source's attributes.
    pub attributes: Option<Attributes>,
    /// The tags of the copy; `None` keeps the source's.
    pub tags: Option<Tags>,
    /// The checksum to compute for the copy; `None` keeps the source's when it covers all bytes.
    pub checksum: Option<ChecksumAlgorithm>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self { when: PutIf::Always, attributes: None, tags: None, checksum: None }
    }
}

/// How to complete a multipart upload.
#[derive(Debug, Clone)]
pub struct CompleteOptions {
    /// When the object takes effect.
    pub when: PutIf,
    /// The checksum the client expects of the whole object.
    pub checksum: Option<Checksum>,
    /// The size the client expects of the whole object.
    pub size: Option<u64>,
}

impl Default for CompleteOptions {
    fn default() -> Self {
        Self { when: PutIf::Always, checksum: None, size: None }
    }
}

/// What a delete found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Whether the key held an object.
    pub existed: bool,
}
