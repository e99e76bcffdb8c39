//! Reads one stripe of a blob from whatever shards are intact.
//!
//! - W1: every block is checked against its hash before it is used, as data or to rebuild another.
//! - W2: with `data` intact blocks in a row, the row is read; with fewer, it is an error, never bytes.
//! - W3: what was missing or damaged is reported in [`Window::bad`], so that it gets repaired.
//!
//! An intact block is handed out as a slice of what was read: no byte is copied.

use std::ops::Range;

use bytes::Bytes;

use super::block::{LANES, Place, hash, hash_all};
use super::codec::Codec;
use super::layout::{Blob, HASH_BYTES, Span, Stripe};

/// Where shards come from.
pub(crate) trait ShardSource {
    /// Bytes of a stored shard, without its header; `None` when they cannot be had.
    fn read(&mut self, shard: usize, bytes: Range<u64>) -> Option<Bytes>;
}

/// Fewer intact blocks in a row than a read needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{intact} of {needed} blocks of a row are intact")]
pub(crate) struct TooFewShards {
    pub(crate) intact: usize,
    pub(crate) needed: usize,
}

/// A set of shards of one blob.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ShardSet(u16);

impl ShardSet {
    pub(crate) fn insert(&mut self, shard: usize) {
        self.0 |= 1 << shard;
    }

    pub(crate) fn contains(self, shard: usize) -> bool {
        self.0 >> shard & 1 == 1
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A stripe being read.
pub(crate) struct Window<'a, S> {
    codec: &'a Codec,
    blob: &'a Blob,
    stripe: Stripe,
    source: &'a mut S,
    loaded: Vec<Option<Loaded>>,
    bad: ShardSet,
}

/// Consecutive blocks of one shard as they were read; `None` where a block is not intact.
struct Loaded {
    rows: Range<usize>,
    blocks: Vec<Option<Bytes>>,
}

/// A block as it was read, before its hash was compared (W1).
struct Unchecked {
    shard: usize,
    row: usize,
    stored: Bytes,
    block: Bytes,
}

impl<'a, S: ShardSource> Window<'a, S> {
    pub(crate) fn new(codec: &'a Codec, blob: &'a Blob, stripe: u64, source: &'a mut S) -> Self {
        assert_eq!(codec.geometry(), blob.coding.geometry, "the codec of the blob's geometry");
        let loaded = (0..codec.geometry().total()).map(|_| None).collect();
        Self { codec, blob, stripe: blob.stripe(stripe), source, loaded, bad: ShardSet::default() }
    }

    /// The shards that were missing or damaged in what was read so far.
    pub(crate) fn bad(&self) -> ShardSet {
        self.bad
    }

    /// Appends the bytes `range` of the stripe to `out`.
    pub(crate) fn read(&mut self, range: Range<usize>, out: &mut Vec<Bytes>) -> Result<(), TooFewShards> {
        let spans = self.stripe.spans(&self.blob.coding, range);
        self.load(spans.iter().map(|span| (span.shard, span.rows.clone())));
        for span in &spans {
            self.hand_out(span, out)?;
        }
        Ok(())
    }

    fn hand_out(&mut self, span: &Span, out: &mut Vec<Bytes>) -> Result<(), TooFewShards> {
        for row in span.rows.clone() {
            let block = match self.block(span.shard, row) {
                Some(block) => block,
                None => self.rebuild(span.shard, row, span.rows.clone())?,
            };
            let base = row * self.blob.coding.block_bytes as usize;
            let cut = span.bytes.start.max(base) - base..span.bytes.end.min(base + block.len()) - base;
            out.push(block.slice(cut));
        }
        Ok(())
    }

    /// Checks every block of every shard that `whole` names and rebuilds those of `wanted`.
    /// Returns the stored bytes (hashes and blocks) of each wanted shard.
    pub(crate) fn restore(&mut self, wanted: ShardSet) -> Result<Vec<(usize, Vec<u8>)>, TooFewShards> {
        let rows = 0..self.stripe.rows(&self.blob.coding);
        let mut restored = Vec::new();
        for shard in (0..self.loaded.len()).filter(|shard| wanted.contains(*shard)) {
            let mut stored = Vec::with_capacity(self.blob.coding.stored_bytes(self.stripe.shard_bytes));
            for row in rows.clone() {
                let block = match self.block(shard, row) {
                    Some(block) => block,
                    None => self.rebuild(shard, row, rows.clone())?,
                };
                stored.extend_from_slice(&hash(self.place(shard, row), &block));
                stored.extend_from_slice(&block);
            }
            restored.push((shard, stored));
        }
        Ok(restored)
    }

    /// Reads and checks all blocks of all shards.
    pub(crate) fn check_all(&mut self) {
        let rows = self.stripe.rows(&self.blob.coding);
        self.load((0..self.loaded.len()).map(|shard| (shard, 0..rows)));
    }

    /// Reads and checks rows of shards, unless they were read before. What is read is checked soon, while it is
    /// still in the processor's cache, and as many blocks at once as are hashed side by side.
    fn load(&mut self, runs: impl Iterator<Item = (usize, Range<usize>)>) {
        let mut unchecked = Vec::with_capacity(2 * LANES);
        for (shard, rows) in runs {
            let rows = match &self.loaded[shard] {
                Some(have) if have.rows.start <= rows.start && rows.end <= have.rows.end => continue,
                Some(have) => have.rows.start.min(rows.start)..have.rows.end.max(rows.end),
                None => rows,
            };
            self.loaded[shard] = Some(Loaded { rows: rows.clone(), blocks: vec![None; rows.len()] });
            for start in rows.clone().step_by(LANES) {
                self.fetch(shard, start..(start + LANES).min(rows.end), &mut unchecked);
                if unchecked.len() >= LANES {
                    self.check(&mut unchecked);
                }
            }
        }
        self.check(&mut unchecked);
    }

    /// Reads `rows` of `shard`: each block with the hash stored before it.
    fn fetch(&mut self, shard: usize, rows: Range<usize>, unchecked: &mut Vec<Unchecked>) {
        let bytes = self.stripe.stored(&self.blob.coding, &rows);
        let length = (bytes.end - bytes.start) as usize;
        let Some(read) = self.source.read(shard, bytes).filter(|read| read.len() == length) else {
            self.bad.insert(shard);
            return;
        };
        let mut at = 0;
        for row in rows {
            let end = at + HASH_BYTES + self.stripe.block_bytes(&self.blob.coding, row);
            let block = read.slice(at + HASH_BYTES..end);
            unchecked.push(Unchecked { stored: read.slice(at..at + HASH_BYTES), shard, row, block });
            at = end;
        }
    }

    fn check(&mut self, unchecked: &mut Vec<Unchecked>) {
        let blocks: Vec<(Place, &Bytes)> =
            unchecked.iter().map(|read| (self.place(read.shard, read.row), &read.block)).collect();
        let hashes = hash_all(&blocks);
        for (Unchecked { shard, row, stored, block }, hash) in unchecked.drain(..).zip(hashes) {
            match (&mut self.loaded[shard], stored == hash[..]) {
                (Some(loaded), true) => loaded.blocks[row - loaded.rows.start] = Some(block),
                (Some(_) | None, _) => self.bad.insert(shard),
            }
        }
    }

    fn place(&self, shard: usize, row: usize) -> Place {
        Place { blob: self.blob.id, stripe: self.stripe.number, shard, row }
    }

    fn block(&self, shard: usize, row: usize) -> Option<Bytes> {
        let loaded = self.loaded[shard].as_ref()?;
        let position = row.checked_sub(loaded.rows.start)?;
        loaded.blocks.get(position)?.clone()
    }

    /// Rebuilds one block from the others of its row. Other shards are read for all of `ahead`, for
    /// the rows after it are likely needed too.
    fn rebuild(&mut self, wanted: usize, row: usize, ahead: Range<usize>) -> Result<Bytes, TooFewShards> {
        let needed = self.codec.geometry().data();
        let others = (0..self.loaded.len()).filter(|shard| *shard != wanted);
        // Those at hand first, then as many more as it takes.
        let (have, rest): (Vec<usize>, Vec<usize>) =
            others.partition(|shard| self.block(*shard, row).is_some());
        let mut given: Vec<(usize, Bytes)> = Vec::with_capacity(needed);
        for shard in have.into_iter().chain(rest) {
            if given.len() == needed {
                break;
            }
            self.load(std::iter::once((shard, ahead.clone())));
            if let Some(block) = self.block(shard, row) {
                given.push((shard, block));
            }
        }
        if given.len() < needed {
            return Err(TooFewShards { intact: given.len(), needed });
        }
        given.sort_by_key(|(shard, _)| *shard);
        let slices: Vec<(usize, &[u8])> = given.iter().map(|(shard, block)| (*shard, &block[..])).collect();
        Ok(Bytes::from(self.codec.decode(&slices, wanted)))
    }
}
