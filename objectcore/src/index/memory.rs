//! An index in memory, for drives without a directory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::{Change, Changes, Checkpoint, Index, IndexError, Live, Row};
use crate::drive::Drive;
use crate::log::Space;

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<(Space, Bytes), Row>,
    live: BTreeMap<u64, Live>,
    checkpoint: Option<Checkpoint>,
}

/// An [`Index`] that is gone with the process.
#[derive(Debug)]
pub(crate) struct MemoryIndex {
    drive: Arc<dyn Drive>,
    state: RwLock<State>,
}

impl MemoryIndex {
    /// An empty index of the log on `drive`.
    pub(crate) fn of(drive: Arc<dyn Drive>) -> Self {
        Self { drive, state: RwLock::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.drive.before_index();
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index for MemoryIndex {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Row>, IndexError> {
        let state = self.read();
        Ok(state.rows.get(&(space, Bytes::copy_from_slice(key))).cloned())
    }

    fn scan(&self, space: Space, after: Bound<&[u8]>, limit: usize) -> Result<Vec<(Bytes, Row)>, IndexError> {
        let state = self.read();
        let from = match after {
            Bound::Included(key) => Bound::Included((space, Bytes::copy_from_slice(key))),
            Bound::Excluded(key) => Bound::Excluded((space, Bytes::copy_from_slice(key))),
            Bound::Unbounded => Bound::Included((space, Bytes::new())),
        };
        let rows = state.rows.range((from, Bound::Unbounded)).take_while(|((other, _), _)| *other == space);
        Ok(rows.take(limit).map(|((_, key), row)| (key.clone(), row.clone())).collect())
    }

    fn apply(&self, changes: Changes) -> Result<(), IndexError> {
        self.drive.before_index();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes.rows {
            match change {
                Change::Put(space, key, row) => state.rows.insert((space, key), row),
                Change::Delete(space, key) => state.rows.remove(&(space, key)),
            };
        }
        for (segment, live) in changes.live {
            match live {
                Some(bytes) => state.live.insert(segment, bytes),
                None => state.live.remove(&segment),
            };
        }
        if changes.checkpoint.is_some() {
            state.checkpoint = changes.checkpoint;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), IndexError> {
        Ok(())
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, IndexError> {
        Ok(self.read().checkpoint.clone())
    }

    fn live(&self) -> Result<BTreeMap<u64, Live>, IndexError> {
        Ok(self.read().live.clone())
    }
}
