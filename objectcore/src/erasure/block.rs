//! The hash of a block: HighwayHash-256 with a key that says whose block it is.
//!
//! - B1: the key holds the blob's id, the stripe, the shard and the row. A block that lies in another
//!   block's place, or comes from another version of the object, fails its hash.
//! - B2: no byte of a block leaves the core before its hash was checked.

use highway::{HighwayHash, HighwayHasher, Key};

use super::layout::{BlobId, HASH_BYTES};

/// Whose block it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) blob: BlobId,
    pub(crate) stripe: u64,
    pub(crate) shard: usize,
    pub(crate) row: usize,
}

/// The hash of `block` at `place`.
pub(crate) fn hash(place: Place, block: &[u8]) -> [u8; HASH_BYTES] {
    let id = place.blob.number();
    let position = (place.shard as u64) << 32 | place.row as u64;
    let key = Key([(id >> 64) as u64, id as u64, place.stripe, position]);
    let words = HighwayHasher::new(key).hash256(block);
    let mut bytes = [0; HASH_BYTES];
    for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}
