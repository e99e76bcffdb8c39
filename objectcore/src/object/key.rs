//! The keys of entries: their bytes are their order.
//!
//! ```text
//! Space::Object   bucket 00 key
//! Space::Upload   bucket 00 key 00 upload id
//! Space::Part     upload id, number as u16 big-endian
//! Space::Bucket   bucket
//! ```
//! Neither bucket names nor object keys hold a NUL, and no UTF-8 text holds the byte FF, so a prefix
//! followed by FF lies behind all keys with that prefix.

use bytes::{BufMut, Bytes, BytesMut};

use crate::name::{BucketName, ObjectName};
use crate::types::UploadId;

/// Behind every key that begins with what stands before it.
pub(crate) const BEHIND: u8 = 0xff;

/// The key of an object's entry.
pub(crate) fn object(at: &ObjectName) -> Bytes {
    in_bucket(&at.bucket, at.key.as_str().as_bytes())
}

/// A key, prefix or part of one in a bucket.
pub(crate) fn in_bucket(bucket: &BucketName, rest: &[u8]) -> Bytes {
    let bucket = bucket.as_str().as_bytes();
    let mut key = BytesMut::with_capacity(bucket.len() + 1 + rest.len() + 1);
    key.put_slice(bucket);
    key.put_u8(0);
    key.put_slice(rest);
    key.freeze()
}

/// The key of an upload's entry.
pub(crate) fn upload(at: &ObjectName, upload: &UploadId) -> Bytes {
    let mut key = BytesMut::from(&object(at)[..]);
    key.put_u8(0);
    key.put_slice(upload.0.as_bytes());
    key.freeze()
}

/// The key of a part's entry.
pub(crate) fn part(upload: &UploadId, number: u16) -> Bytes {
    let mut key = BytesMut::with_capacity(upload.0.len() + 2);
    key.put_slice(upload.0.as_bytes());
    key.put_u16(number);
    key.freeze()
}

/// The number of the part whose entry's key this is.
pub(crate) fn part_number(key: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*key.last_chunk()?))
}

/// Behind all keys that begin with `prefix`.
pub(crate) fn behind(prefix: &[u8]) -> Bytes {
    let mut key = BytesMut::with_capacity(prefix.len() + 1);
    key.put_slice(prefix);
    key.put_u8(BEHIND);
    key.freeze()
}
