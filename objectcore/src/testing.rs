//! What the tests of this crate share.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use crate::core::ObjectCore;
use crate::name::{BucketName, ObjectKey, ObjectName};
use crate::types::{Body, BodyError, ETag, GetRange, PutOptions, ReadError, WriteError, Written};

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;

/// The sizes at which something changes.
pub(crate) const SIZES: [usize; 13] = [
    0,
    1,
    63,
    64,
    65,
    4095,
    128 * KIB - 1,
    128 * KIB,
    128 * KIB + 1,
    MIB - 1,
    MIB,
    MIB + 1,
    5 * MIB + 12_345,
];

pub(crate) fn bucket(name: &str) -> BucketName {
    BucketName::new(name).unwrap()
}

pub(crate) fn at(key: &str) -> ObjectName {
    ObjectName { bucket: bucket("bucket"), key: ObjectKey::new(key).unwrap() }
}

/// Bytes that repeat only after a long while; other seeds give others.
pub(crate) fn bytes(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out.into()
}

/// A core with the bucket "bucket".
pub(crate) async fn core(drives: usize) -> ObjectCore {
    let core = ObjectCore::in_memory(drives).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    core
}

/// A body in chunks of an odd length.
pub(crate) fn body(bytes: &Bytes) -> Body {
    let chunks: Vec<Result<Bytes, BodyError>> =
        bytes.chunks(70_001).map(|chunk| Ok(bytes.slice_ref(chunk))).collect();
    Body { chunks: stream::iter(chunks).boxed(), seal: Box::new(|| Ok(None)) }
}

pub(crate) async fn put(core: &ObjectCore, key: &str, bytes: &Bytes) -> Written {
    core.put(&at(key), body(bytes), PutOptions::default()).await.unwrap()
}

pub(crate) async fn put_when(
    core: &ObjectCore,
    key: &str,
    bytes: &Bytes,
    when: crate::types::PutIf,
) -> Result<Written, WriteError> {
    core.put(&at(key), body(bytes), PutOptions { when, ..PutOptions::default() }).await
}

pub(crate) async fn get(core: &ObjectCore, key: &str) -> Result<Bytes, ReadError> {
    read(core, key, None).await
}

pub(crate) async fn read(core: &ObjectCore, key: &str, range: Option<GetRange>) -> Result<Bytes, ReadError> {
    let body = core.get(&at(key), range).await?;
    let length = body.range.end - body.range.start;
    let chunks: Vec<Bytes> = body.chunks.try_collect().await?;
    let bytes = Bytes::from(chunks.concat());
    assert_eq!(bytes.len() as u64, length, "the bytes of the range announced");
    Ok(bytes)
}

pub(crate) fn md5(bytes: &[u8]) -> ETag {
    use md5::Digest;
    ETag(hex::encode(md5::Md5::digest(bytes)))
}
