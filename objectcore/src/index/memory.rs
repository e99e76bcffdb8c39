//! An index in memory, for drives without a directory.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::{Change, Changes, Checkpoint, Index, IndexError, KeyRange, Live, Pin, Row, TakeRow, strange_pin};
use crate::drive::Drive;
use crate::log::Space;

/// Rows by space and key; who changes them while another holds them changes a copy.
pub(crate) type Rows = Arc<BTreeMap<(Space, Bytes), Row>>;

#[derive(Debug, Default)]
struct State {
    rows: Rows,
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

    fn pin(&self) -> Pin {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Pin::Rows(Arc::clone(&state.rows))
    }

    fn walk(
        &self,
        pin: Option<&Pin>,
        space: Space,
        (from, until): KeyRange<'_>,
        take: &mut TakeRow<'_>,
    ) -> Result<(), IndexError> {
        let state = self.read();
        let rows = match pin {
            None => &state.rows,
            Some(Pin::Rows(rows)) => rows,
            Some(Pin::Snapshot(_)) => return Err(strange_pin()),
        };
        let bound = |bound: Bound<&[u8]>| bound.map(|key| (space, Bytes::copy_from_slice(key)));
        let from = match bound(from) {
            Bound::Unbounded => Bound::Included((space, Bytes::new())),
            from @ (Bound::Included(_) | Bound::Excluded(_)) => from,
        };
        for ((other, key), row) in rows.range((from, bound(until))) {
            if *other != space || take(key, &row.value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, changes: Changes) -> Result<(), IndexError> {
        self.drive.before_index();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let rows = Arc::make_mut(&mut state.rows);
        for change in changes.rows {
            match change {
                Change::Put(space, key, row) => rows.insert((space, key), row),
                Change::Delete(space, key) => rows.remove(&(space, key)),
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
