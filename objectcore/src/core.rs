//! [`ObjectCore`]: buckets, objects and uploads over erasure sets of drives.
//!
//! Each verb has its own file: `bucket.rs`, `object/`, `multipart/`. Here is what they share.

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::bucket::{BucketState, Buckets};
use crate::drive::{Drive, SimDrive};
use crate::erasure::codec::Codec;
use crate::erasure::layout::{Blob, BlobId};
use crate::heal::fill::Fills;
use crate::heal::rejoin::{self, Rejoins};
use crate::heal::schedule::{self, Scrubs};
use crate::heal::{self, Healer};
use crate::journal::{self, Origin, Outbox};
use crate::memory::{self, Memory, Share};
use crate::name::{BucketName, ObjectName};
use crate::object::buffers::Buffers;
use crate::object::in_flight::InFlight;
use crate::object::removal::{self, Removals};
use crate::object::sweep::{self, Swept};
use crate::set::{
    Entry, ErasureSet, OpenError, Slot, SlotState, Space, Weight, open_sets, set_of, writes_needed,
};
use crate::settings::Settings;
use crate::types::{Millis, NoSuchBucket, StorageError};

/// The object core. A clone is another handle to the same store.
#[derive(Clone)]
pub struct ObjectCore {
    pub(crate) inner: Arc<Inner>,
    admission: Admission,
    origin: Option<Origin>,
}

/// Whether the requests of a handle take their share of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admission {
    Shares,
    /// Something before them did.
    Done,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) deployment: Uuid,
    pub(crate) sets: Arc<[Arc<Set>]>,
    pub(crate) buckets: Buckets,
    pub(crate) removals: Arc<Removals>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) healer: Healer,
    pub(crate) fills: Arc<Fills>,
    pub(crate) rejoins: Rejoins,
    pub(crate) scrubs: Scrubs,
    pub(crate) swept: Swept,
    /// Commits and background work; `close` waits for them.
    tasks: TaskTracker,
    closing: CancellationToken,
}

/// How often a read looks whether an entry is on all drives, and how many of these looks do not sleep.
const APPLY_ROUNDS_MAX: usize = 200;
const APPLY_ROUNDS_BUSY: usize = 20;

/// One erasure set: its log and its codec.
pub(crate) struct Set {
    pub(crate) number: usize,
    pub(crate) log: ErasureSet,
    pub(crate) codec: Codec,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) outbox: Outbox,
}

impl Set {
    fn new(log: ErasureSet) -> Self {
        let codec = Codec::new(log.geometry());
        Self {
            number: log.number(),
            log,
            codec,
            buffers: Arc::default(),
            in_flight: Arc::default(),
            outbox: Outbox::default(),
        }
    }

    /// The blob of no bytes, which has no files.
    pub(crate) fn empty_blob(&self) -> Blob {
        Blob { id: BlobId::random(), size: 0, coding: self.log.coding() }
    }

    /// The slots whose drives can be read and changed now.
    pub(crate) fn reachable(&self) -> impl Iterator<Item = &Slot> {
        self.log.slots().iter().filter(|slot| self.is_reachable(slot.number()))
    }

    /// Whether to read from the slot's drive: one that is slow to answer only when the others are too few.
    pub(crate) fn is_reachable(&self, slot: usize) -> bool {
        let place = &self.log.slots()[slot];
        let fine = |slot: &usize| self.is_online(*slot);
        match place.state() {
            SlotState::Out => false,
            SlotState::Online | SlotState::Filling if place.is_suspect() => {
                (0..self.log.slots().len()).filter(fine).count() < self.log.geometry().data()
            }
            SlotState::Online | SlotState::Filling => true,
        }
    }

    /// Whether the slot's drive takes writes.
    pub(crate) fn takes_writes(&self, slot: usize) -> bool {
        self.log.slots()[slot].state() != SlotState::Out
    }

    /// Whether the slot's drive has all it should have, and answers.
    pub(crate) fn is_online(&self, slot: usize) -> bool {
        let place = &self.log.slots()[slot];
        place.state() == SlotState::Online && !place.is_suspect()
    }

    /// Waits until all drives have an entry that was seen on one: its commit is about to be answered.
    /// When that takes too long, a drive is failing; its shard is then as good as missing.
    pub(crate) async fn applied(&self, entry: &Entry) {
        for round in 0..APPLY_ROUNDS_MAX {
            if self.log.is_applied(entry.seq) {
                return;
            }
            match round < APPLY_ROUNDS_BUSY {
                true => tokio::task::yield_now().await,
                false => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// The fewest drives that must hold a blob before it counts as durable.
    pub(crate) fn write_quorum(&self) -> usize {
        writes_needed(self.log.geometry())
    }
}

impl ObjectCore {
    /// Opens the store on `drives`. Blank drives are formatted when all are blank, or take the places of
    /// missing ones. What a drive lacks is made again in the background.
    pub async fn open(mut settings: Settings, drives: Vec<Arc<dyn Drive>>) -> Result<Self, OpenError> {
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        settings.set.short_reads_max = settings.set.short_reads_max.min(threads / 2);
        let opening = tokio::task::spawn_blocking(move || {
            let opened = open_sets(&settings.set, settings.parity, drives)?;
            let sets: Arc<[Arc<Set>]> = opened.sets.into_iter().map(|log| Arc::new(Set::new(log))).collect();
            let buckets = Buckets::load(&sets[0])
                .map_err(|error| OpenError::Damaged { set: 0, what: error.to_string() })?;
            let found: Vec<HashSet<BlobId>> = sets.iter().map(|set| sweep::candidates(set)).collect();
            Ok::<_, OpenError>((Self::new(settings, opened.deployment, sets, buckets), found))
        });
        let (core, found) =
            opening.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        core.start(found);
        Ok(core)
    }

    /// A core over `drives` simulated drives: everything is kept in memory. For tests.
    pub async fn in_memory(drives: usize) -> Self {
        let drives =
            (0..drives).map(|number| Arc::new(SimDrive::new(&format!("memory-{number}"))) as Arc<dyn Drive>);
        Self::open(Settings::default(), drives.collect()).await.expect("blank drives can be opened")
    }

    fn new(settings: Settings, deployment: Uuid, sets: Arc<[Arc<Set>]>, buckets: Buckets) -> Self {
        let removals = Arc::<Removals>::default();
        let healer = Healer {
            sets: Arc::clone(&sets),
            pins: Arc::default(),
            removals: Arc::clone(&removals),
            repairs: Arc::default(),
        };
        let memory = Arc::new(Memory::new(settings.memory_bytes, settings.memory_wait));
        let inner = Inner {
            settings,
            memory,
            deployment,
            sets,
            buckets,
            removals,
            healer,
            fills: Arc::default(),
            rejoins: Rejoins::default(),
            scrubs: Scrubs::default(),
            swept: Swept::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner), admission: Admission::Shares, origin: None }
    }

    /// Starts the background work.
    fn start(&self, found: Vec<HashSet<BlobId>>) {
        let healer = &self.inner.healer;
        let (removals, pins) = (Arc::clone(&healer.removals), Arc::clone(&healer.pins));
        self.in_background(removal::run(removals, pins, Arc::clone(&healer.sets)));
        for set in self.inner.sets.iter() {
            self.in_background(heal::forward(Arc::clone(set), Arc::clone(&healer.repairs)));
            self.in_background(schedule::run(self.clone(), Arc::clone(set)));
            self.in_background(journal::count(Arc::clone(set)));
            for slot in 0..set.log.slots().len() {
                self.in_background(rejoin::run(self.clone(), Arc::clone(set), slot));
            }
        }
        self.in_background(healer.clone().run());
        self.in_background(heal::fill::run(healer.clone(), Arc::clone(&self.inner.fills)));
        self.in_background(sweep::run(self.clone(), found));
    }

    /// The budget of memory: who holds bodies before they get here takes shares of it too.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.inner.memory
    }

    /// A handle whose requests take no share: their memory is counted elsewhere.
    pub(crate) fn admitted(&self) -> Self {
        Self { admission: Admission::Done, ..self.clone() }
    }

    /// A handle whose changes are told as those of `origin`. Without one they are the server's own.
    pub fn on_behalf(&self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self.clone() }
    }

    /// Whose the changes of this handle are.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Takes the share of a request that will hold `bytes`, before it has any effect.
    pub(crate) async fn admit(&self, bytes: u64) -> Result<Option<Share>, StorageError> {
        match self.admission {
            Admission::Shares => self.inner.memory.share(bytes).await.map(Some),
            Admission::Done => Ok(None),
        }
    }

    /// As [`ObjectCore::admit`]; busy if the share cannot be had at once.
    pub(crate) fn admit_now(&self, bytes: u64) -> Result<Option<Share>, StorageError> {
        match self.admission {
            Admission::Shares => self.inner.memory.share_now(bytes).map(Some).ok_or(StorageError::Busy),
            Admission::Done => Ok(None),
        }
    }

    /// The share of a copy of `size` bytes to `to`, and the handle to read and write with.
    pub(crate) async fn admit_copy(
        &self,
        to: &ObjectName,
        size: u64,
    ) -> Result<(Self, Option<Share>), StorageError> {
        let coding = self.set_of(to).log.coding();
        let share = self.admit(memory::read_bytes(size) + memory::write_bytes(&coding, Some(size), None));
        Ok((self.admitted(), share.await?))
    }

    /// Stops taking work and waits for what is under way.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        let sets = Arc::clone(&self.inner.sets);
        // A set that panicked while it closed has said so in the log.
        let _ = tokio::task::spawn_blocking(move || sets.iter().for_each(|set| set.log.close())).await;
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
        let sets = &self.inner.sets;
        match sets.len() {
            1 => &sets[0],
            count => {
                let deployment = self.inner.deployment.as_u128();
                &sets[set_of(deployment, count, at.bucket.as_str(), at.key.as_str())]
            }
        }
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

    /// As [`ObjectCore::scan_all`], from asynchronous code.
    pub(crate) async fn entries_of_all(
        &self,
        space: Space,
        from: &Bound<Bytes>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        let (core, from) = (self.clone(), from.clone());
        self.inner.sets[0].log.read(Weight::Long, move || core.scan_all(space, &from, limit)).await
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
