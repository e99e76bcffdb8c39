//! The rows of all sets at one moment.
//!
//! - M1: the requests stand in the queues of all sets from one instant on, and a committer takes its queue in order. So
//!   a write is in the rows exactly if it was queued before that instant: one that was answered before is, and of two
//!   writes, of which one began when the other was answered, the rows never hold the later one only.
//! - M2: no write waits for another set.
//! - M3: what keeps the rows keeps no index open: a drive that is out can be opened again.

use std::sync::mpsc::Sender;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use tokio::sync::oneshot;

use super::ErasureSet;
use super::committer::Message;
use super::look::lookup;
use super::slot::{Slot, SlotState};
use crate::geometry::Geometry;
use crate::index::{Index, IndexError, Pin};
use crate::log::Seq;
use crate::types::StorageError;

/// The rows of one set at one moment, kept on as many drives as make sure that one is left.
pub(crate) struct Pinned {
    seq: Seq,
    indexes: Vec<PinnedIndex>,
}

struct PinnedIndex {
    slot: usize,
    index: Weak<dyn Index>,
    pin: Pin,
}

impl std::fmt::Debug for Pinned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Pinned({} drives)", self.indexes.len())
    }
}

impl Pinned {
    /// Between batches the indexes of all drives that hold everything are alike: they follow the log up to `seq`.
    pub(super) fn of(slots: &[Slot], geometry: Geometry, seq: Seq) -> Self {
        let online = |suspect: bool| {
            slots.iter().filter(move |slot| slot.state() == SlotState::Online && slot.is_suspect() == suspect)
        };
        let pins = online(false).chain(online(true)).filter_map(|slot| {
            let index = slot.index()?;
            let pin = index.pin();
            Some(PinnedIndex { slot: slot.number(), index: Arc::downgrade(&index), pin })
        });
        Self { seq, indexes: pins.take(geometry.parity() + 1).collect() }
    }

    /// The last seq that the rows hold.
    pub(crate) fn seq(&self) -> Seq {
        self.seq
    }

    /// The rows kept on that drive, if it was not opened anew since.
    fn on(&self, slot: usize, index: &Arc<dyn Index>) -> Option<&Pin> {
        let pinned = self.indexes.iter().find(|pinned| pinned.slot == slot)?;
        std::ptr::addr_eq(pinned.index.as_ptr(), Arc::as_ptr(index)).then_some(&pinned.pin)
    }
}

/// The rows of all sets at one moment (M1).
pub(crate) async fn keep_all(sets: &[ErasureSet]) -> Result<Vec<Pinned>, StorageError> {
    let answers = ask_all(sets)?;
    let mut pinned = Vec::with_capacity(sets.len());
    for answer in answers {
        pinned.push(answer.await.unwrap_or(Err(StorageError::Closing))?);
    }
    Ok(pinned)
}

type Queue<'s> = MutexGuard<'s, Option<Sender<Message>>>;
type Kept = oneshot::Receiver<Result<Pinned, StorageError>>;

/// Who queues a write holds one queue, and no one but this more than one.
fn ask_all<'s>(sets: &'s [ErasureSet]) -> Result<Vec<Kept>, StorageError> {
    let lock = |set: &'s ErasureSet| set.0.inbox.lock().unwrap_or_else(PoisonError::into_inner);
    let queues: Vec<Queue<'s>> = sets.iter().map(lock).collect();
    let ask = |queue: &Queue<'_>| {
        let (answer, kept) = oneshot::channel();
        let sent = queue.as_ref().and_then(|queue| queue.send(Message::Keep { answer }).ok());
        sent.map(|()| kept).ok_or(StorageError::Closing)
    };
    queues.iter().map(ask).collect()
}

impl ErasureSet {
    /// Reads from the index of a drive that holds everything, as it is or as it was kept; another takes over from one
    /// that fails. `None` when no drive that kept it is left. Blocks.
    pub(crate) fn read_index<T>(
        &self,
        pinned: Option<&Pinned>,
        read: impl Fn(&dyn Index, Option<&Pin>) -> Result<T, IndexError>,
    ) -> Result<Option<T>, StorageError> {
        let Some(pinned) = pinned else {
            let read = |slot: &Slot| slot.index().map(|index| read(&*index, None));
            return lookup(&self.0.slots, self.0.geometry, read).map(Some);
        };
        let read = |slot: &Slot| {
            let index = slot.index()?;
            Some(read(&*index, Some(pinned.on(slot.number(), &index)?)))
        };
        match lookup(&self.0.slots, self.0.geometry, read) {
            Ok(read) => Ok(Some(read)),
            Err(StorageError::TooFewDrives { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
