//! An index in a fjall database on the drive itself.
//!
//! Rows, live bytes and checkpoint share one keyspace, so that whatever part of it a power loss keeps is the
//! state after some batch (X1). Nothing is synced here: what is lost is replayed from the log.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::panic::AssertUnwindSafe;
use std::path::Path;

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use super::{Change, Changes, Checkpoint, Index, IndexError, KeyRange, Live, Pin, Row, TakeRow, strange_pin};
use crate::drive::is_shortage;
use crate::log::Space;

/// Keys of the index's own notes begin with this; spaces begin at 1.
const NOTES: u8 = 0;
const CHECKPOINT_KEY: [u8; 2] = [NOTES, b'c'];
const LIVE_PREFIX: [u8; 2] = [NOTES, b'l'];
const MEMTABLE_BYTES_MIN: u64 = 1 << 20;
const JOURNAL_BYTES: u64 = 64 << 20;
/// Table files kept open: the descriptors the server sets aside for a drive include them.
const FILES_OPEN_MAX: usize = 48;

/// The memory of one index, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexBudget {
    pub(crate) cache_bytes: u64,
    pub(crate) memtable_bytes: u64,
}

/// An [`Index`] that outlives the process.
pub(crate) struct FjallIndex {
    database: Database,
    rows: Keyspace,
}

impl std::fmt::Debug for FjallIndex {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("FjallIndex")
    }
}

fn failed(error: &fjall::Error) -> IndexError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(is_shortage) {
            return IndexError::Shortage(error.to_string());
        }
        cause = error.source();
    }
    IndexError::Failed(error.to_string())
}

fn row_key(space: Space, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + key.len());
    out.push(space as u8);
    out.extend_from_slice(key);
    out
}

fn row_range(space: Space, (from, until): KeyRange<'_>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let bound = |bound: Bound<&[u8]>| bound.map(|key| row_key(space, key));
    let from = match bound(from) {
        Bound::Unbounded => Bound::Included(row_key(space, b"")),
        from @ (Bound::Included(_) | Bound::Excluded(_)) => from,
    };
    let until = match bound(until) {
        Bound::Unbounded => Bound::Excluded(vec![space as u8 + 1]),
        until @ (Bound::Included(_) | Bound::Excluded(_)) => until,
    };
    (from, until)
}

fn live_key(segment: u64) -> [u8; 10] {
    let mut out = [0; 10];
    out[..2].copy_from_slice(&LIVE_PREFIX);
    out[2..].copy_from_slice(&segment.to_be_bytes());
    out
}

fn live_value(live: Live) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&live.entries.to_le_bytes());
    out[8..].copy_from_slice(&live.deletions.to_le_bytes());
    out
}

impl FjallIndex {
    /// Opens the index in `path` ; one that cannot be opened is removed and
    /// begun anew.
    pub(crate) fn open(path: &Path, budget: IndexBudget) -> Result<Self, IndexError> {
        match Self::try_open(path, budget) {
            Ok(index) => Ok(index),
            Err(error) => {
                tracing::warn!(index.path = %path.display(), %error, "the index is damaged and will be rebuilt");
                Self::create(path, budget)
            }
        }
    }

    /// Begins an empty index in `path`.
    pub(crate) fn create(path: &Path, budget: IndexBudget) -> Result<Self, IndexError> {
        if path.exists() {
            std::fs::remove_dir_all(path).map_err(|error| IndexError::Failed(error.to_string()))?;
        }
        Self::try_open(path, budget)
    }

    fn try_open(path: &Path, budget: IndexBudget) -> Result<Self, IndexError> {
        let open = || -> Result<Self, fjall::Error> {
            let database = Database::builder(path)
                .cache_size(budget.cache_bytes)
                .worker_threads(1)
                .max_cached_files(Some(FILES_OPEN_MAX))
                .max_journaling_size(JOURNAL_BYTES)
                .open()?;
            let memtable_bytes = budget.memtable_bytes.max(MEMTABLE_BYTES_MIN);
            let options = || KeyspaceCreateOptions::default().max_memtable_size(memtable_bytes);
            let rows = database.keyspace("rows", options)?;
            Ok(Self { database, rows })
        };
        // A damaged database may meet an assertion of its own before it answers an error.
        let opened = std::panic::catch_unwind(AssertUnwindSafe(open))
            .map_err(|_| IndexError::Failed("opening it panicked".into()))?;
        let index = opened.map_err(|error| failed(&error))?;
        index.checkpoint()?;
        Ok(index)
    }
}

impl Index for FjallIndex {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Row>, IndexError> {
        let found = self.rows.get(row_key(space, key)).map_err(|error| failed(&error))?;
        found.map(|bytes| Row::decode(&bytes)).transpose()
    }

    fn scan(&self, space: Space, after: Bound<&[u8]>, limit: usize) -> Result<Vec<(Bytes, Row)>, IndexError> {
        let mut rows = Vec::with_capacity(limit.min(1024));
        for guard in self.rows.range::<Vec<u8>, _>(row_range(space, (after, Bound::Unbounded))).take(limit) {
            let (key, value) = guard.into_inner().map_err(|error| failed(&error))?;
            rows.push((Bytes::copy_from_slice(&key[1..]), Row::decode(&value)?));
        }
        Ok(rows)
    }

    fn pin(&self) -> Pin {
        Pin::Snapshot(self.database.snapshot())
    }

    fn walk(
        &self,
        pin: Option<&Pin>,
        space: Space,
        range: KeyRange<'_>,
        take: &mut TakeRow<'_>,
    ) -> Result<(), IndexError> {
        let range = row_range(space, range);
        let rows = match pin {
            None => self.rows.range::<Vec<u8>, _>(range),
            Some(Pin::Snapshot(snapshot)) => snapshot.range::<Vec<u8>, _>(&self.rows, range),
            Some(Pin::Rows(_)) => return Err(strange_pin()),
        };
        for guard in rows {
            let (key, row) = guard.into_inner().map_err(|error| failed(&error))?;
            if take(&key[1..], Row::value_of(&row)?) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, changes: Changes) -> Result<(), IndexError> {
        let mut batch = self.database.batch();
        for change in changes.rows {
            match change {
                Change::Put(space, key, row) => batch.insert(&self.rows, row_key(space, &key), row.encode()),
                Change::Delete(space, key) => batch.remove(&self.rows, row_key(space, &key)),
            }
        }
        for (segment, live) in changes.live {
            match live {
                Some(live) => batch.insert(&self.rows, live_key(segment), live_value(live)),
                None => batch.remove(&self.rows, live_key(segment)),
            }
        }
        if let Some(checkpoint) = changes.checkpoint {
            batch.insert(&self.rows, CHECKPOINT_KEY, checkpoint.encode());
        }
        batch.commit().map_err(|error| failed(&error))
    }

    fn sync(&self) -> Result<(), IndexError> {
        self.database.persist(PersistMode::SyncAll).map_err(|error| failed(&error))
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, IndexError> {
        let found = self.rows.get(CHECKPOINT_KEY).map_err(|error| failed(&error))?;
        found.map(|bytes| Checkpoint::decode(&bytes)).transpose()
    }

    fn live(&self) -> Result<BTreeMap<u64, Live>, IndexError> {
        let mut live = BTreeMap::new();
        for guard in self.rows.prefix(LIVE_PREFIX) {
            let (key, value) = guard.into_inner().map_err(|error| failed(&error))?;
            let number = |bytes: Option<&[u8]>| {
                bytes
                    .and_then(|bytes| bytes.try_into().ok())
                    .ok_or_else(|| IndexError::Failed("a note cannot be read".into()))
            };
            let segment = u64::from_be_bytes(number(key.get(2..))?);
            let entries = u64::from_le_bytes(number(value.get(..8))?);
            let deletions = u64::from_le_bytes(number(value.get(8..))?);
            live.insert(segment, Live { entries, deletions });
        }
        Ok(live)
    }
}
