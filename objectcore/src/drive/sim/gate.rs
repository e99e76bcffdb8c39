//! Where operations of a simulated drive hang.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Operations that can hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hang {
    /// Everything that changes the drive.
    Changes,
    /// Reads and changes of the index of its log.
    Index,
    /// Reads of its log.
    LogReads,
    /// Opening and reading shard files.
    ShardReads,
    /// Creating, writing and finishing shard files.
    ShardWrites,
    /// Asking for its room, its format and its files.
    Looks,
}

impl Hang {
    /// Each of them: a drive that answers nothing.
    pub const ALL: [Self; 6] =
        [Self::Changes, Self::Index, Self::LogReads, Self::ShardReads, Self::ShardWrites, Self::Looks];
}

/// Holds operations back while it is shut.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct State {
    shut: BTreeSet<Hang>,
    waiting: usize,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shut(&self, what: Hang) {
        self.lock().shut.insert(what);
    }

    pub(super) fn open(&self) {
        self.lock().shut.clear();
        self.opened.notify_all();
    }

    /// How many operations hang.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting
    }

    pub(super) fn is_shut(&self, what: Hang) -> bool {
        self.lock().shut.contains(&what)
    }

    pub(super) fn pass(&self, what: Hang) {
        let mut state = self.lock();
        if !state.shut.contains(&what) {
            return;
        }
        state.waiting += 1;
        let wait = self.opened.wait_while(state, |state| state.shut.contains(&what));
        wait.unwrap_or_else(PoisonError::into_inner).waiting -= 1;
    }
}
