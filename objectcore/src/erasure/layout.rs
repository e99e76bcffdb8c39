//! Where the bytes of a blob lie: stripes, shards, blocks.
//!
//! ```text
//! blob    = stripe*                 stripe_bytes each, the last one shorter
//! stripe  = data shard * data       shard i is bytes i*S..(i+1)*S of the stripe, zeros behind its end
//! S       = round_up(ceil(stripe / data), 64)
//! shard   = block*                  block_bytes each, the last one shorter (a multiple of 64)
//! stored  = (hash, block)*          hash: 32 bytes; one run for each stripe, runs back to back
//! ```
//!
//! - L1: every number here follows from the blob's size and its [`Coding`]; nothing is stored twice.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::codec::{CHUNK_BYTES, LEOPARD_16};
use crate::geometry::Geometry;

/// The bytes of a block's hash.
pub(crate) const HASH_BYTES: usize = 32;

/// The name of a blob and of its shard files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct BlobId(pub(crate) [u8; 16]);

impl BlobId {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    pub(crate) fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    pub(crate) fn from_number(number: u128) -> Self {
        Self(number.to_be_bytes())
    }
}

/// How a blob was coded. Kept with every blob, so that other sizes and codecs can come beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Coding {
    pub(crate) codec: u8,
    pub(crate) geometry: Geometry,
    pub(crate) stripe_bytes: u32,
    pub(crate) block_bytes: u32,
}

/// The coding is not one this build can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown codec {codec} or sizes ({stripe_bytes}, {block_bytes})")]
pub(crate) struct UnknownCoding {
    codec: u8,
    stripe_bytes: u32,
    block_bytes: u32,
}

impl Coding {
    /// The stripes of new blobs, in bytes.
    pub(crate) const STRIPE_BYTES: u32 = 1 << 20;

    /// What new blobs use: stripes of 1 MiB, blocks of 64 KiB.
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self { codec: LEOPARD_16, geometry, stripe_bytes: Self::STRIPE_BYTES, block_bytes: 64 << 10 }
    }

    /// Refuses what this build cannot read.
    pub(crate) fn check(&self) -> Result<(), UnknownCoding> {
        let whole =
            |bytes: u32| bytes > 0 && (bytes as usize).is_multiple_of(CHUNK_BYTES) && bytes <= 1 << 26;
        if self.codec == LEOPARD_16 && whole(self.stripe_bytes) && whole(self.block_bytes) {
            return Ok(());
        }
        Err(UnknownCoding {
            codec: self.codec,
            stripe_bytes: self.stripe_bytes,
            block_bytes: self.block_bytes,
        })
    }

    /// The length of each shard of a stripe of `bytes`.
    pub(crate) fn shard_bytes(&self, bytes: usize) -> usize {
        bytes.div_ceil(self.geometry.data()).next_multiple_of(CHUNK_BYTES)
    }

    /// Appends zeros to a stripe, so that it is whole shards.
    pub(crate) fn pad(&self, stripe: &mut Vec<u8>) {
        assert!(!stripe.is_empty() && stripe.len() <= self.stripe_bytes as usize, "a stripe of a blob");
        stripe.resize(self.shard_bytes(stripe.len()) * self.geometry.data(), 0);
    }

    /// The stored length of a shard of `bytes`: its blocks and their hashes.
    pub(crate) fn stored_bytes(&self, shard_bytes: usize) -> usize {
        shard_bytes + HASH_BYTES * shard_bytes.div_ceil(self.block_bytes as usize)
    }
}

/// An immutable run of bytes, coded into one shard for each drive of its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blob {
    pub(crate) id: BlobId,
    pub(crate) size: u64,
    pub(crate) coding: Coding,
}

/// One stripe of a blob.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stripe {
    pub(crate) number: u64,
    /// The bytes of the blob in it.
    pub(crate) bytes: usize,
    pub(crate) shard_bytes: usize,
    /// Where its run begins in each shard, behind the header.
    pub(crate) offset: u64,
}

impl Blob {
    pub(crate) fn stripes(&self) -> u64 {
        self.size.div_ceil(u64::from(self.coding.stripe_bytes))
    }

    pub(crate) fn stripe(&self, number: u64) -> Stripe {
        assert!(number < self.stripes(), "a stripe of the blob");
        let full = u64::from(self.coding.stripe_bytes);
        let bytes = (self.size - number * full).min(full) as usize;
        let run = self.coding.stored_bytes(self.coding.shard_bytes(full as usize)) as u64;
        Stripe { number, bytes, shard_bytes: self.coding.shard_bytes(bytes), offset: number * run }
    }

    /// The length of each stored shard, without the header.
    pub(crate) fn stored_bytes(&self) -> u64 {
        match self.stripes().checked_sub(1) {
            None => 0,
            Some(last) => {
                let stripe = self.stripe(last);
                stripe.offset + self.coding.stored_bytes(stripe.shard_bytes) as u64
            }
        }
    }

    /// The slot that holds shard `shard`: shards are rotated by id, so that parity and the reads of
    /// small objects spread over the drives.
    pub(crate) fn slot(&self, shard: usize) -> usize {
        let total = self.coding.geometry.total();
        (shard + self.rotation()) % total
    }

    /// The shard that slot `slot` holds.
    pub(crate) fn shard_on(&self, slot: usize) -> usize {
        let total = self.coding.geometry.total();
        (slot + total - self.rotation()) % total
    }

    fn rotation(&self) -> usize {
        (self.id.number() % self.coding.geometry.total() as u128) as usize
    }
}

/// The bytes of one data shard that a read of a stripe needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) shard: usize,
    /// The bytes of the shard.
    pub(crate) bytes: Range<usize>,
    /// The rows of blocks that hold them.
    pub(crate) rows: Range<usize>,
}

impl Stripe {
    /// What to read for the bytes `range` of this stripe, in order.
    pub(crate) fn spans(&self, coding: &Coding, range: Range<usize>) -> Vec<Span> {
        assert!(range.start <= range.end && range.end <= self.bytes, "a range of the stripe");
        if range.is_empty() {
            return Vec::new();
        }
        let block = coding.block_bytes as usize;
        (range.start / self.shard_bytes..=(range.end - 1) / self.shard_bytes)
            .map(|shard| {
                let base = shard * self.shard_bytes;
                let bytes = range.start.max(base) - base..range.end.min(base + self.shard_bytes) - base;
                let rows = bytes.start / block..(bytes.end - 1) / block + 1;
                Span { shard, bytes, rows }
            })
            .collect()
    }

    pub(crate) fn rows(&self, coding: &Coding) -> usize {
        self.shard_bytes.div_ceil(coding.block_bytes as usize)
    }

    /// The length of the block in row `row`.
    pub(crate) fn block_bytes(&self, coding: &Coding, row: usize) -> usize {
        let block = coding.block_bytes as usize;
        (self.shard_bytes - row * block).min(block)
    }

    /// Where the stored blocks of `rows` lie in each shard, behind the header.
    pub(crate) fn stored(&self, coding: &Coding, rows: &Range<usize>) -> Range<u64> {
        let block = coding.block_bytes as usize;
        let end = |row: usize| (row * block).min(self.shard_bytes) + row * HASH_BYTES;
        self.offset + end(rows.start) as u64..self.offset + end(rows.end) as u64
    }
}
