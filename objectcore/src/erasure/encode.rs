//! A stripe to its stored shards.

use super::block::{Place, hash};
use super::codec::Codec;
use super::layout::{BlobId, Coding};

/// Encodes stripe `number` and hands out every shard's hashes and blocks in the order in which they
/// are stored: shard after shard, within a shard hash, block, hash, block. `padded` is the stripe
/// followed by zeros up to whole shards ([`Coding::pad`]).
pub(crate) fn encode_stripe(
    codec: &Codec,
    (id, coding): (BlobId, &Coding),
    number: u64,
    padded: &[u8],
    mut store: impl FnMut(usize, &[u8]),
) {
    let data = coding.geometry.data();
    assert!(!padded.is_empty() && padded.len().is_multiple_of(data), "whole shards");
    assert_eq!(codec.geometry(), coding.geometry, "the codec of the blob's geometry");
    let shard_bytes = padded.len() / data;
    let mut shard_out = |shard: usize, bytes: &[u8]| {
        for (row, block) in bytes.chunks(coding.block_bytes as usize).enumerate() {
            store(shard, &hash(Place { blob: id, stripe: number, shard, row }, block));
            store(shard, block);
        }
    };
    for (shard, bytes) in padded.chunks_exact(shard_bytes).enumerate() {
        shard_out(shard, bytes);
    }
    codec.encode(padded, shard_bytes, |parity, bytes| shard_out(data + parity, bytes));
}

/// The stored shards of a blob of one stripe, as they travel inside log records.
pub(crate) fn encode_inline(codec: &Codec, id: BlobId, coding: &Coding, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
    coding.pad(&mut bytes);
    let stored = coding.stored_bytes(bytes.len() / coding.geometry.data());
    let mut shards: Vec<Vec<u8>> = (0..coding.geometry.total()).map(|_| Vec::with_capacity(stored)).collect();
    encode_stripe(codec, (id, coding), 0, &bytes, |shard, piece| shards[shard].extend_from_slice(piece));
    shards
}
