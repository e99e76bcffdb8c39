//! How the object core stands, for operators.

use serde::Serialize;
use uuid::Uuid;

use crate::core::ObjectCore;
use crate::heal::scrub::ScrubReport;
use crate::set::SetStatus;

/// The drives, sets and healing of an [`ObjectCore`].
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The deployment the drives belong to.
    pub deployment: Uuid,
    /// The erasure sets and their drives.
    pub sets: Vec<SetStatus>,
    /// What is being made whole again.
    pub heal: HealStatus,
}

/// What is being made whole again.
#[derive(Debug, Clone, Serialize)]
pub struct HealStatus {
    /// Entries with missing or damaged shards that wait for repair.
    pub repairs_pending: usize,
    /// The drives being filled.
    pub fills: Vec<FillStatus>,
    /// How the scrub of each set stands.
    pub scrubs: Vec<ScrubStatus>,
}

/// How the scrub of a set stands.
#[derive(Debug, Clone, Serialize)]
pub struct ScrubStatus {
    /// The set.
    pub set: usize,
    /// What the pass under way found so far.
    pub under_way: Option<ScrubReport>,
    /// When it began, in milliseconds since 1970.
    pub began_ms: Option<u64>,
    /// When the last whole pass ended, in milliseconds since 1970.
    pub finished_ms: Option<u64>,
    /// What it found.
    pub found: Option<ScrubReport>,
}

/// A drive being filled.
#[derive(Debug, Clone, Serialize)]
pub struct FillStatus {
    /// Its set.
    pub set: usize,
    /// Its place in the set.
    pub slot: usize,
    /// The entries looked at so far.
    pub entries_done: u64,
    /// The entries that were written again so far.
    pub entries_written: u64,
    /// The bytes of shards made again so far.
    pub bytes_written: u64,
}

impl ObjectCore {
    /// How the core stands.
    pub fn status(&self) -> Status {
        Status {
            deployment: self.inner.deployment,
            sets: self.inner.sets.iter().map(|set| set.log.status()).collect(),
            heal: HealStatus {
                repairs_pending: self.inner.healer.repairs.pending(),
                fills: self.inner.fills.status(),
                scrubs: self.inner.scrubs.status(),
            },
        }
    }
}
