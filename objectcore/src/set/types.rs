//! What goes into and comes out of an [`ErasureSet`](super::ErasureSet).

use std::time::Duration;

use bytes::Bytes;

use crate::geometry::Geometry;
use crate::index::IndexBudget;
use crate::log::{Op, Seq, Space};
use crate::types::StorageError;

/// What a key must hold for a draft to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    Any,
    Absent,
    Present,
    Seq(Seq),
}

/// A change of several keys that takes effect whole or not at all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    /// Puts in [`Space::Journal`] get their keys when the draft gets its seq ([`told`](super::outbox::told)).
    pub(crate) ops: Vec<Op>,
    pub(crate) expect: Vec<(Space, Bytes, Expect)>,
    /// Shard bytes of the first operation, one per slot.
    pub(crate) inline: Option<Vec<Bytes>>,
}

/// A current entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) seq: Seq,
    pub(crate) value: Bytes,
    /// Whether the drives hold shard bytes of it in their logs.
    pub(crate) inline: bool,
}

/// A draft that took effect.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    /// For each operation the entry it replaced; `None` for those in [`Space::Journal`].
    pub(crate) replaced: Vec<Option<Entry>>,
}

/// Why a draft did not take effect, or may not have.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// An expectation does not hold; nothing took effect.
    #[error("the key does not hold what was expected")]
    Changed { space: Space, key: Bytes, found: Option<Entry> },
    /// As its variant says; all but `Unknown` mean that nothing took effect.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A drive lacks a shard that it should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repair {
    pub(crate) slot: usize,
    pub(crate) space: Space,
    pub(crate) key: Bytes,
    pub(crate) seq: Seq,
}

/// How a set works; the defaults are for production.
#[derive(Debug, Clone)]
pub struct SetSettings {
    /// The size of a log segment in bytes.
    pub segment_bytes: u64,
    /// The size of a stripe of new blobs in bytes, a multiple of 64.
    pub stripe_bytes: u32,
    /// The size of a block of new blobs in bytes, a multiple of 64.
    pub block_bytes: u32,
    /// Writes are refused when a drive has less than this free.
    pub reserve_bytes: u64,
    /// The most bytes in one batch.
    pub batch_bytes: usize,
    /// The most drafts in one batch.
    pub batch_drafts: usize,
    /// The most drafts that wait.
    pub waiting_drafts: usize,
    /// The most bytes that wait.
    pub waiting_bytes: usize,
    /// A drive that answers nothing for this long is taken out.
    pub drive_timeout: Duration,
    /// A drive that is out is tried again after this long, then after twice as long each time.
    pub rejoin_after: Duration,
    /// The longest time between two such tries.
    pub rejoin_after_max: Duration,
    /// Reads avoid a drive that answers nothing for this long, while there are enough others.
    pub suspect_after: Duration,
    /// The most reads that run on threads of the asynchronous runtime at once, all sets together: fewer than it
    /// has threads, for a drive that hangs holds as many; the object core uses at most half of them. 0: each takes a
    /// thread of its own.
    pub short_reads_max: usize,
    /// A segment is compacted when at most this many percent of it are live.
    pub compact_live_percent: u8,
    /// Whether segments are compacted without being asked.
    pub compact_in_background: bool,
    /// Block cache of a set's indexes in bytes, shared by its drives.
    pub index_cache_bytes: u64,
    /// What a set's indexes gather before they write it down in bytes, shared by its drives.
    pub index_memtable_bytes: u64,
}

impl SetSettings {
    /// The memory of the index of each drive.
    pub(super) fn index_budget(&self, geometry: Geometry) -> IndexBudget {
        let drives = geometry.total() as u64;
        IndexBudget {
            cache_bytes: self.index_cache_bytes / drives,
            memtable_bytes: self.index_memtable_bytes / drives,
        }
    }
}

impl Default for SetSettings {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            stripe_bytes: 1 << 20,
            block_bytes: 64 << 10,
            reserve_bytes: 1 << 30,
            batch_bytes: 8 << 20,
            batch_drafts: 1024,
            waiting_drafts: 8192,
            waiting_bytes: 256 << 20,
            drive_timeout: Duration::from_secs(30),
            rejoin_after: Duration::from_secs(5),
            rejoin_after_max: Duration::from_secs(600),
            suspect_after: Duration::from_millis(500),
            short_reads_max: usize::MAX,
            compact_live_percent: 40,
            compact_in_background: true,
            index_cache_bytes: 16 << 20,
            index_memtable_bytes: 32 << 20,
        }
    }
}
