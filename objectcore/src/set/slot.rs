//! One drive's place in a set.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use crate::drive::{Drive, DriveSpace, ShardReader, ShardWriter, Watch};
use crate::index::{Index, IndexError};
use crate::log::epoch::Standing;

use super::apply::Usage;
use super::scan::rebuild_marker;
use crate::types::StorageError;

/// What a drive is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotState {
    /// It holds everything and takes everything.
    Online,
    /// It takes everything; what it lacks is being written to it.
    Filling,
    /// It takes nothing until it was opened again (`rejoin.rs`).
    Out,
}

impl SlotState {
    pub(crate) fn standing(self) -> Standing {
        match self {
            Self::Online => Standing::Complete,
            Self::Filling => Standing::Filling,
            Self::Out => Standing::Out,
        }
    }

    fn number(self) -> u8 {
        self.standing() as u8
    }
}

/// Live figures of a drive's log.
#[derive(Debug, Default)]
pub(crate) struct LogFigures {
    /// The drive's room when it last worked, 0 and 0 before.
    pub(crate) free_bytes: AtomicU64,
    pub(crate) total_bytes: AtomicU64,
    pub(crate) segment: AtomicU64,
    pub(crate) offset: AtomicU64,
    /// Ascending; the last one is written.
    pub(crate) segments: Mutex<Vec<u64>>,
}

impl LogFigures {
    pub(crate) fn note_space(&self, space: DriveSpace) {
        self.free_bytes.store(space.free_bytes, Ordering::Relaxed);
        self.total_bytes.store(space.total_bytes, Ordering::Relaxed);
    }

    /// The room when the drive last worked.
    pub(crate) fn space(&self) -> Option<DriveSpace> {
        let total_bytes = self.total_bytes.load(Ordering::Relaxed);
        let free_bytes = self.free_bytes.load(Ordering::Relaxed);
        (total_bytes > 0).then_some(DriveSpace { free_bytes, total_bytes })
    }

    pub(crate) fn segments(&self) -> MutexGuard<'_, Vec<u64>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A drive that was opened: itself, its index, and what recovery found.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) drive: Arc<dyn Drive>,
    pub(crate) index: Arc<dyn Index>,
    pub(crate) stamp: u64,
    pub(crate) usage: Arc<Usage>,
    /// Segments whose damage was found when the drive was opened. Once the drive is filled, nothing is missing
    /// for it any more.
    pub(crate) damaged_segments: BTreeSet<u64>,
    pub(crate) watch: Arc<Watch>,
}

#[derive(Debug)]
struct SlotInner {
    number: usize,
    label: String,
    /// The drive as it was given, to open it again. `None`: it was not there.
    home: Option<Arc<dyn Drive>>,
    /// Changes when a blank drive takes the place.
    drive_id: Mutex<u128>,
    place: RwLock<Option<Arc<Place>>>,
    /// What the drive left behind when it went out.
    left: Mutex<Left>,
    state: AtomicU8,
    /// An operation takes long: reads go to other drives while they can.
    suspect: AtomicBool,
    reason: Mutex<Option<String>>,
    /// Why it did not come back when it was tried last.
    stays_out: Mutex<Option<String>>,
    reserve_bytes: u64,
    figures: LogFigures,
}

/// What may be left of a drive that is out: threads that are in a call hold one of these.
#[derive(Debug, Default)]
struct Left {
    drives: Vec<Weak<dyn Drive>>,
    indexes: Vec<Weak<dyn Index>>,
}

/// A drive's place in a set: its state and its shard files. Clones are the same slot.
#[derive(Debug, Clone)]
pub(crate) struct Slot(Arc<SlotInner>);

/// What a slot is made of.
pub(crate) struct SlotParts {
    pub(crate) number: usize,
    pub(crate) drive_id: u128,
    pub(crate) home: Option<Arc<dyn Drive>>,
    pub(crate) place: Option<Place>,
    pub(crate) state: SlotState,
    pub(crate) reason: Option<String>,
    pub(crate) reserve_bytes: u64,
}

fn out_error() -> io::Error {
    io::Error::other("the drive is out of its set")
}

impl Slot {
    pub(crate) fn new(parts: SlotParts) -> Self {
        let label = parts.home.as_ref().map_or_else(|| "missing".to_owned(), |home| home.label().to_owned());
        Self(Arc::new(SlotInner {
            number: parts.number,
            label,
            home: parts.home,
            drive_id: Mutex::new(parts.drive_id),
            left: Mutex::default(),
            stays_out: Mutex::new(None),
            place: RwLock::new(parts.place.map(Arc::new)),
            state: AtomicU8::new(parts.state.number()),
            suspect: AtomicBool::new(false),
            reason: Mutex::new(parts.reason),
            reserve_bytes: parts.reserve_bytes,
            figures: LogFigures::default(),
        }))
    }

    pub(crate) fn number(&self) -> usize {
        self.0.number
    }

    /// The drive's path, "missing" without a drive.
    pub(crate) fn label(&self) -> &str {
        &self.0.label
    }

    pub(crate) fn drive_id(&self) -> u128 {
        *self.0.drive_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The drive as it was given at the start.
    pub(crate) fn home(&self) -> Option<Arc<dyn Drive>> {
        self.0.home.clone()
    }

    /// Gives up what a drive that is out still has open; answers whether nothing of it is in use any more.
    pub(crate) fn leave(&self) -> bool {
        let place = self.0.place.write().unwrap_or_else(PoisonError::into_inner).take();
        let mut left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = &place {
            left.drives.push(Arc::downgrade(&place.drive));
            left.indexes.push(Arc::downgrade(&place.index));
        }
        drop(place);
        left.drives.retain(|drive| drive.strong_count() > 0);
        left.indexes.retain(|index| index.strong_count() > 0);
        left.drives.is_empty() && left.indexes.is_empty()
    }

    /// The drive is back and will be filled.
    pub(crate) fn come_back(&self, place: Place, drive_id: u128) {
        *self.0.place.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(place));
        *self.0.drive_id.lock().unwrap_or_else(PoisonError::into_inner) = drive_id;
        *self.0.reason.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.stays_out(None);
        self.suspect(false);
        self.0.state.store(SlotState::Filling.number(), Ordering::Release);
        tracing::warn!(drive.path = self.label(), "the drive is back and will be filled");
        metrics::counter!("tarn_drive_returns_total").increment(1);
    }

    /// Keeps why the drive does not come back.
    pub(crate) fn stays_out(&self, why: Option<String>) {
        *self.0.stays_out.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Why the drive did not come back when it was tried last.
    pub(crate) fn why_it_stays_out(&self) -> Option<String> {
        self.0.stays_out.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn place(&self) -> Option<Arc<Place>> {
        self.0.place.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn index(&self) -> Option<Arc<dyn Index>> {
        self.place().map(|place| Arc::clone(&place.index))
    }

    pub(crate) fn figures(&self) -> &LogFigures {
        &self.0.figures
    }

    pub(crate) fn state(&self) -> SlotState {
        match self.0.state.load(Ordering::Acquire) {
            1 => SlotState::Online,
            2 => SlotState::Filling,
            _ => SlotState::Out,
        }
    }

    /// Whether an operation on the drive takes longer than a healthy drive's would.
    pub(crate) fn is_suspect(&self) -> bool {
        self.0.suspect.load(Ordering::Acquire)
    }

    /// Answers whether that is new.
    pub(crate) fn suspect(&self, suspect: bool) -> bool {
        self.0.suspect.swap(suspect, Ordering::AcqRel) != suspect
    }

    /// How long the oldest operation under way on the drive has taken so far.
    pub(crate) fn oldest_operation(&self) -> Option<Duration> {
        self.place()?.watch.oldest()
    }

    pub(crate) fn reason(&self) -> Option<String> {
        self.0.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the drive out of the set. The committer records that before it acknowledges anything more.
    pub(crate) fn fail(&self, reason: &str) {
        if self.0.state.swap(SlotState::Out.number(), Ordering::AcqRel) == SlotState::Out.number() {
            return;
        }
        tracing::error!(drive.path = self.label(), reason, "the drive is out");
        metrics::counter!("tarn_drive_failures_total").increment(1);
        *self.0.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    /// Takes the drive out because its index failed; the next open rebuilds the index from the log.
    /// A shortage is not its fault.
    pub(crate) fn fail_index(&self, error: &IndexError) -> StorageError {
        match error {
            IndexError::Shortage(_) => return StorageError::Busy,
            IndexError::Failed(_) => {}
        }
        let path = self.place().and_then(|place| place.drive.index_path());
        if let Some(Err(error)) = path.map(|path| std::fs::write(rebuild_marker(&path), "")) {
            tracing::warn!(drive.path = self.label(), %error, "the index could not be marked for rebuilding");
        }
        self.fail(&error.to_string());
        StorageError::Io {
            context: "an index cannot be read".into(),
            source: io::Error::other(error.clone()),
        }
    }

    /// A filled drive is online, unless it failed meanwhile.
    pub(crate) fn filled(&self) -> bool {
        let (from, to) = (SlotState::Filling.number(), SlotState::Online.number());
        self.0.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The drive while it is in the set.
    pub(crate) fn drive(&self) -> io::Result<Arc<dyn Drive>> {
        match (self.state(), self.place()) {
            (SlotState::Online | SlotState::Filling, Some(place)) => Ok(Arc::clone(&place.drive)),
            (SlotState::Out, _) | (_, None) => Err(out_error()),
        }
    }

    /// Whether the drive is in the set and answered all that it was asked for. Blocks.
    pub(crate) fn answers(&self) -> bool {
        let read_failed = self.place().is_none_or(|place| place.watch.read_failed());
        !read_failed
            && !self.is_suspect()
            && self.drive().and_then(|drive| drive.read_format()).is_ok_and(|format| format.is_some())
    }

    /// Begins a shard file. `StorageFull` leaves the drive in the set; after any other error the caller takes
    /// it out.
    pub(crate) fn create_shard(&self, id: u128) -> io::Result<Box<dyn ShardWriter>> {
        let drive = self.drive()?;
        if drive.space()?.free_bytes < self.0.reserve_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        drive.create_shard(id)
    }

    /// Opens a shard file; `NotFound` if the drive lacks it.
    pub(crate) fn open_shard(&self, id: u128) -> io::Result<Box<dyn ShardReader>> {
        self.drive()?.open_shard(id)
    }

    pub(crate) fn remove_shard(&self, id: u128) -> io::Result<()> {
        self.drive()?.remove_shard(id)
    }

    pub(crate) fn list_shards(&self) -> io::Result<Vec<u128>> {
        self.drive()?.list_shards()
    }
}
