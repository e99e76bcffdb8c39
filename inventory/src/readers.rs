//! What others still read of a table though its metadata would let it go: files that were promised to them for a while.
//!
//! - R2: a snapshot whose files are promised does not expire. What was promised in the moment of its expiry keeps the
//!   files, which a later removal of unreferenced files finds.
//! - R3: unreferenced files stay while files are promised that the table's metadata no longer names.

use std::collections::BTreeSet;

use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::state::{TableEntry, TableIdent};

/// Knows what files are promised to readers. A promise must be known here before whoever makes it looks a last time
/// whether the table still has what is promised.
pub trait Readers: Send + Sync + 'static {
    /// What is promised of a table at `now_ms`, in milliseconds since 1970.
    fn promised(&self, ident: &TableIdent, entry: &TableEntry, now_ms: i64) -> Promised;
}

/// Files that are promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promised {
    /// Those of the snapshots that were current in these revisions of the table.
    Revisions(BTreeSet<u64>),
    /// Those of any snapshot there was.
    All,
}

/// Nothing is promised to anybody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoReaders;

impl Readers for NoReaders {
    fn promised(&self, _ident: &TableIdent, _entry: &TableEntry, _now_ms: i64) -> Promised {
        Promised::Revisions(BTreeSet::new())
    }
}

/// Snapshots that stay for readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    These(BTreeSet<i64>),
    All,
}

impl Held {
    pub(crate) fn new(promised: Promised, entry: &TableEntry) -> Self {
        let numbers = match promised {
            Promised::Revisions(numbers) => numbers,
            Promised::All => return Self::All,
        };
        // Of a revision that is forgotten it is not known what it was.
        let first = entry.revisions.iter().next().map_or(u64::MAX, |revision| revision.number);
        if numbers.first().is_some_and(|number| *number < first) {
            return Self::All;
        }
        let held = entry.revisions.iter().filter(|revision| numbers.contains(&revision.number));
        Self::These(held.filter_map(|revision| revision.snapshot_id).collect())
    }

    pub(crate) fn holds(&self, snapshot: i64) -> bool {
        match self {
            Self::These(snapshots) => snapshots.contains(&snapshot),
            Self::All => true,
        }
    }

    /// Whether all that is held is among the snapshots of this metadata.
    pub(crate) fn is_within(&self, metadata: &TableMetadata) -> bool {
        match self {
            Self::These(snapshots) => snapshots.iter().all(|id| metadata.snapshot(*id).is_some()),
            Self::All => false,
        }
    }
}
