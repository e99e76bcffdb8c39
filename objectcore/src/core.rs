//! [`ObjectCore`]: buckets, objects and uploads over erasure sets of drives.
//!
//! Each verb has its own file: `bucket.rs`, `object/`, `multipart/`. Here is what they share.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bucket::{BucketState, Buckets};
use crate::erasure::codec::Codec;
use crate::erasure::layout::{Blob, BlobId, Coding};
use crate::geometry::Geometry;
use crate::heal::{Healer, Repairs};
use crate::name::{BucketName, ObjectName};
use crate::object::pins::Pins;
use crate::object::removal::{self, Removals};
use crate::set::{ErasureSet, Slot, SlotState, Space};
use crate::settings::Settings;
use crate::types::{Millis, NoSuchBucket, StorageError};

/// The object core. A clone is another handle to the same store.
#[derive(Clone)]
pub struct ObjectCore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) sets: Arc<[Arc<Set>]>,
    pub(crate) buckets: Buckets,
    pub(crate) pins: Arc<Pins>,
    pub(crate) removals: Arc<Removals>,
    pub(crate) repairs: Arc<Repairs>,
    /// Commits and background work; `close` waits for them.
    tasks: TaskTracker,
    closing: CancellationToken,
}

/// One erasure set: its log and its codec.
pub(crate) struct Set {
    pub(crate) number: usize,
    pub(crate) log: ErasureSet,
    pub(crate) codec: Codec,
}

impl Set {
    pub(crate) fn new(number: usize, log: ErasureSet) -> Self {
        let codec = Codec::new(log.geometry());
        Self { number, log, codec }
    }

    /// The blob of no bytes, which has no files.
    pub(crate) fn empty_blob(&self) -> Blob {
        Blob { id: BlobId::random(), size: 0, coding: Coding::new(self.log.geometry()) }
    }

    /// The slots whose drives can be written and read.
    pub(crate) fn reachable(&self) -> impl Iterator<Item = &Slot> {
        self.log.slots().iter().filter(|slot| slot.state() != SlotState::Out)
    }

    pub(crate) fn is_reachable(&self, slot: usize) -> bool {
        self.log.slots()[slot].state() != SlotState::Out
    }

    /// Whether the slot's drive has all it should have.
    pub(crate) fn is_online(&self, slot: usize) -> bool {
        self.log.slots()[slot].state() == SlotState::Online
    }

    /// The fewest drives that must hold a blob before it counts as durable.
    pub(crate) fn write_quorum(&self) -> usize {
        let geometry = self.log.geometry();
        geometry.data() + usize::from(geometry.parity() > 1)
    }
}

impl ObjectCore {
    /// A core over `drives` simulated drives: everything is kept in memory. For tests.
    pub async fn in_memory(drives: usize) -> Self {
        let drives = u8::try_from(drives).expect("one set has 1 to 16 drives");
        let geometry = Geometry::new(drives - drives / 2, drives / 2).expect("one set has 1 to 16 drives");
        let set = Set::new(0, ErasureSet::stand_in(geometry));
        Self::start(Settings::default(), vec![set]).expect("an empty set can be read")
    }

    fn start(settings: Settings, sets: Vec<Set>) -> Result<Self, StorageError> {
        let sets: Arc<[Arc<Set>]> = sets.into_iter().map(Arc::new).collect();
        let buckets = Buckets::load(&sets[0])?;
        let inner = Inner {
            settings,
            sets,
            buckets,
            pins: Arc::default(),
            removals: Arc::default(),
            repairs: Arc::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        };
        let core = Self { inner: Arc::new(inner) };
        let healer = Healer {
            sets: Arc::clone(&core.inner.sets),
            pins: Arc::clone(&core.inner.pins),
            removals: Arc::clone(&core.inner.removals),
            repairs: Arc::clone(&core.inner.repairs),
        };
        let (removals, pins) = (Arc::clone(&healer.removals), Arc::clone(&healer.pins));
        core.in_background(removal::run(removals, pins, Arc::clone(&healer.sets)));
        core.in_background(healer.run());
        Ok(core)
    }

    /// Stops taking work and waits for what is under way.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Runs `work` until it ends or the core closes.
    pub(crate) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let closing = self.inner.closing.clone();
        self.inner.tasks.spawn(async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Runs `work` to its end, even when the caller goes away: what follows a commit is never cut off.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StorageError> {
        if self.inner.closing.is_cancelled() {
            return Err(StorageError::Closing);
        }
        self.inner.tasks.spawn(work).await.map_err(|_| StorageError::Unknown)
    }

    /// The set that keeps an object.
    pub(crate) fn set_of(&self, at: &ObjectName) -> &Arc<Set> {
        let _ = at;
        &self.inner.sets[0]
    }

    /// Entries of all sets in the order of their keys: key and value. Blocking.
    pub(crate) fn scan_all(
        &self,
        space: Space,
        from: &Bound<Bytes>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        let mut entries = Vec::new();
        for set in self.inner.sets.iter() {
            let page = set.log.scan(space, from.clone(), limit)?;
            entries.extend(page.into_iter().map(|(key, entry)| (key, entry.value)));
        }
        if self.inner.sets.len() > 1 {
            entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            entries.truncate(limit);
        }
        Ok(entries)
    }

    /// The state of a bucket that exists.
    pub(crate) fn live_bucket(&self, name: &BucketName) -> Result<Arc<BucketState>, NoSuchBucket> {
        self.inner.buckets.get(name).ok_or(NoSuchBucket)
    }
}

/// The time of day.
pub(crate) fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
