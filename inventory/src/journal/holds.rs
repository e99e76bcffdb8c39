//! What is still to be read by others than the writer: nothing of it is forgotten (J3).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::settings::Journal;
use super::watermark::Watermark;

/// What is held for inventories, and for those who compare them.
#[derive(Default)]
pub(super) struct Holds {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// By bucket: the backfill it is for, and what that needs.
    inventories: BTreeMap<String, (String, Hold)>,
    readers: BTreeMap<u64, Watermark>,
    next: u64,
}

/// What an inventory needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing: a scan that has not begun tells all.
    Free,
    /// The changes behind this.
    From(Watermark),
}

/// Holds changes until it is dropped.
pub(super) struct Reader {
    holds: Arc<Holds>,
    number: u64,
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the inventory of a journal needs; `None`: nobody knows yet.
    pub(super) fn of(&self, journal: &Journal) -> Option<Hold> {
        let held = self.lock();
        let (backfill, hold) = held.inventories.get(&journal.bucket)?;
        (*backfill == journal.backfill()).then(|| hold.clone())
    }

    /// Sets what the inventory of a journal needs.
    pub(super) fn set(&self, journal: &Journal, hold: Hold) {
        self.lock().inventories.insert(journal.bucket.clone(), (journal.backfill(), hold));
    }

    /// Forgets about inventories that are not among these buckets.
    pub(super) fn retain(&self, stays: impl Fn(&str) -> bool) {
        self.lock().inventories.retain(|bucket, _| stays(bucket));
    }

    /// Holds what the inventory of a bucket needs now; `None`: it has no rows yet.
    pub(super) fn read(self: &Arc<Self>, bucket: &str) -> Option<Reader> {
        let mut held = self.lock();
        let (_, Hold::From(from)) = held.inventories.get(bucket)?.clone() else { return None };
        held.next += 1;
        let number = held.next;
        held.readers.insert(number, from);
        Some(Reader { holds: Arc::clone(self), number })
    }

    /// The lower of `line` and of what readers hold.
    pub(super) fn below(&self, line: Watermark) -> Watermark {
        self.lock().readers.values().fold(line, |line, reader| line.lowest(reader))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.holds.lock().readers.remove(&self.number);
    }
}
