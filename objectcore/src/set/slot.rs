//! One drive's place in a set.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::drive::{Drive, DriveSpace, ShardReader, ShardWriter};
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
    /// It takes nothing until the set is opened again.
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
    pub(crate) segment: AtomicU64,
    pub(crate) offset: AtomicU64,
    /// Ascending; the last one is written.
    pub(crate) segments: Mutex<Vec<u64>>,
}

impl LogFigures {
    pub(crate) fn segments(&self) -> MutexGuard<'_, Vec<u64>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct SlotInner {
    number: usize,
    label: String,
    drive_id: u128,
    drive: Option<Arc<dyn Drive>>,
    stamp: u64,
    index: Option<Arc<dyn Index>>,
    state: AtomicU8,
    reason: Mutex<Option<String>>,
    reserve_bytes: u64,
    figures: LogFigures,
    usage: Arc<Usage>,
    damaged_segments: BTreeSet<u64>,
}

/// A drive's place in a set: its state and its shard files. Clones are the same slot.
#[derive(Debug, Clone)]
pub(crate) struct Slot(Arc<SlotInner>);

/// What a slot is made of.
pub(crate) struct SlotParts {
    pub(crate) number: usize,
    pub(crate) drive_id: u128,
    pub(crate) drive: Option<Arc<dyn Drive>>,
    pub(crate) stamp: u64,
    pub(crate) index: Option<Arc<dyn Index>>,
    pub(crate) state: SlotState,
    pub(crate) reason: Option<String>,
    pub(crate) reserve_bytes: u64,
    pub(crate) usage: Arc<Usage>,
    pub(crate) damaged_segments: BTreeSet<u64>,
}

fn out_error() -> io::Error {
    io::Error::other("the drive is out of its set")
}

impl Slot {
    pub(crate) fn new(parts: SlotParts) -> Self {
        let label =
            parts.drive.as_ref().map_or_else(|| "missing".to_owned(), |drive| drive.label().to_owned());
        Self(Arc::new(SlotInner {
            number: parts.number,
            label,
            drive_id: parts.drive_id,
            drive: parts.drive,
            stamp: parts.stamp,
            index: parts.index,
            state: AtomicU8::new(parts.state.number()),
            reason: Mutex::new(parts.reason),
            reserve_bytes: parts.reserve_bytes,
            figures: LogFigures::default(),
            usage: parts.usage,
            damaged_segments: parts.damaged_segments,
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
        self.0.drive_id
    }

    pub(crate) fn stamp(&self) -> u64 {
        self.0.stamp
    }

    pub(crate) fn index(&self) -> Option<&Arc<dyn Index>> {
        self.0.index.as_ref()
    }

    pub(crate) fn figures(&self) -> &LogFigures {
        &self.0.figures
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.0.usage
    }

    /// Segments whose damage was found when the set was opened. Once the drive is filled, nothing is missing
    /// for it any more.
    pub(crate) fn damaged_segments(&self) -> &BTreeSet<u64> {
        &self.0.damaged_segments
    }

    pub(crate) fn state(&self) -> SlotState {
        match self.0.state.load(Ordering::Acquire) {
            1 => SlotState::Online,
            2 => SlotState::Filling,
            _ => SlotState::Out,
        }
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
    pub(crate) fn fail_index(&self, error: &IndexError) -> StorageError {
        let path = self.0.drive.as_ref().and_then(|drive| drive.index_path());
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
    pub(crate) fn drive(&self) -> io::Result<&Arc<dyn Drive>> {
        match (self.state(), &self.0.drive) {
            (SlotState::Online | SlotState::Filling, Some(drive)) => Ok(drive),
            (SlotState::Out, _) | (_, None) => Err(out_error()),
        }
    }

    pub(crate) fn space(&self) -> io::Result<DriveSpace> {
        self.drive()?.space()
    }

    /// Whether the drive is in the set and can be read at all. Blocking.
    pub(crate) fn answers(&self) -> bool {
        self.drive().and_then(|drive| drive.read_format()).is_ok_and(|format| format.is_some())
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
