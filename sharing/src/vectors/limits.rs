//! What is read to find the deleted rows of one snapshot, at most.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::table::TableError;

/// Limits of one snapshot's deletes, and of what is kept of all.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Position deletes of a snapshot.
    pub positions_max: u64,
    /// Bytes of memory that they take.
    pub positions_bytes_max: u64,
    /// Bytes of delete files and of columns of data files that are read.
    pub scanned_bytes_max: u64,
    /// Bytes of memory that the values of equality deletes take.
    pub keys_bytes_max: u64,
    /// Bytes of memory for rows that were found before, of all tables.
    pub kept_bytes_max: u64,
    /// Delete files that are read at a time.
    pub reads_at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            positions_max: 50_000_000,
            positions_bytes_max: 256 << 20,
            scanned_bytes_max: 1 << 30,
            keys_bytes_max: 256 << 20,
            kept_bytes_max: 64 << 20,
            reads_at_once: 8,
        }
    }
}

/// What a snapshot has used of its limits.
#[derive(Debug)]
pub(super) struct Used {
    limits: Limits,
    positions: AtomicU64,
    positions_bytes: AtomicU64,
    scanned_bytes: AtomicU64,
    keys_bytes: AtomicU64,
}

impl Used {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            positions: AtomicU64::new(0),
            positions_bytes: AtomicU64::new(0),
            scanned_bytes: AtomicU64::new(0),
            keys_bytes: AtomicU64::new(0),
        }
    }

    /// Position deletes that are held, and the memory they take.
    pub(super) fn positions(&self, count: u64, bytes: u64) -> Result<(), TableError> {
        let most = self.limits.positions_max;
        take(&self.positions, count, most, || ("the number of position deletes".into(), most.to_string()))?;
        let most = self.limits.positions_bytes_max;
        take(&self.positions_bytes, bytes, most, || {
            ("the memory for the table's position deletes".into(), size(most))
        })
    }

    /// Bytes that are read.
    pub(super) fn scanned(&self, bytes: u64) -> Result<(), TableError> {
        let most = self.limits.scanned_bytes_max;
        take(&self.scanned_bytes, bytes, most, || ("what is read to find deleted rows".into(), size(most)))
    }

    /// Memory for values of equality deletes.
    pub(super) fn keys(&self, bytes: u64) -> Result<(), TableError> {
        let most = self.limits.keys_bytes_max;
        take(&self.keys_bytes, bytes, most, || {
            ("the memory for the table's equality deletes".into(), size(most))
        })
    }
}

fn take(
    used: &AtomicU64,
    more: u64,
    most: u64,
    told: impl FnOnce() -> (String, String),
) -> Result<(), TableError> {
    let before = used.fetch_add(more, Ordering::Relaxed);
    if before.saturating_add(more) <= most {
        return Ok(());
    }
    let (what, most) = told();
    Err(TableError::TooLarge { what, most: format!("{most}; compact the table") })
}

fn size(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
