//! A stripe to its stored shards.

use super::block::{Place, hash_all};
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
    let place = |shard, row| Place { blob: id, stripe: number, shard, row };
    let mut shards_out = |first: usize, shards: &[u8]| {
        let blocks: Vec<(Place, &[u8])> = (first..)
            .zip(shards.chunks_exact(shard_bytes))
            .flat_map(|(shard, bytes)| {
                let rows = bytes.chunks(coding.block_bytes as usize).enumerate();
                rows.map(move |(row, block)| (place(shard, row), block))
            })
            .collect();
        for ((place, block), hash) in blocks.iter().zip(hash_all(&blocks)) {
            store(place.shard, &hash);
            store(place.shard, block);
        }
    };
    shards_out(0, padded);
    codec.encode(padded, shard_bytes, |parity, bytes| shards_out(data + parity, bytes));
}

/// The stored shards of a blob of one stripe, as they travel inside log records.
pub(crate) fn encode_inline(codec: &Codec, id: BlobId, coding: &Coding, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
    coding.pad(&mut bytes);
    let stored = coding.stored_bytes(bytes.len() / coding.geometry.data());
    let mut shards: Vec<Vec<u8>> = (0..coding.geometry.total()).map(|_| Vec::with_capacity(stored)).collect();
    encode_stripe(codec, (id, coding), 0, &bytes, |shard, piece| shards[shard].extend_from_slice(piece));
    shards
}
