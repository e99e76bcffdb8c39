//! What records do to a drive's index.
//!
//! - A1: an older seq never replaces a newer one; of the same seq the record further along in the log counts.
//!   So replaying any suffix of the log that begins at or before the checkpoint ends in the same index.
//! - A2: the live entries of a segment are the sum over the rows that point into it; its deletions are counted
//!   once, with the checkpoint that passes them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::index::{Change, Changes, Checkpoint, Index, IndexError, Live, Row};
use crate::log::record::{HEADER_BYTES, Inline};
use crate::log::writer::Location;
use crate::log::{Op, Seq, Space};

/// One record's effect.
#[derive(Debug)]
pub(crate) struct Effect<'a> {
    pub(crate) seq: Seq,
    pub(crate) location: Location,
    pub(crate) ops: &'a [Op],
    /// Of the first operation.
    pub(crate) inline: Inline<(u32, u32)>,
}

/// Keeps one drive's index behind its log.
#[derive(Debug)]
pub(crate) struct Applier {
    pub(crate) index: Arc<dyn Index>,
    pub(crate) checkpoint: Checkpoint,
    usage: Arc<Usage>,
}

/// How much of each segment still counts; shared with compaction.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    live: Mutex<BTreeMap<u64, Live>>,
}

impl Usage {
    pub(crate) fn live(&self) -> MutexGuard<'_, BTreeMap<u64, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows as they will be, by where they are.
type Overlay<'a> = HashMap<(Space, &'a [u8]), (Bytes, Option<Row>)>;

/// What a row costs its segment.
fn share_bytes(key: &[u8], row: &Row) -> u64 {
    let inline = match row.inline {
        Inline::Present((_, len)) => len as usize,
        Inline::None | Inline::Lost => 0,
    };
    (HEADER_BYTES + key.len() + row.value.len() + inline) as u64
}

/// What a deletion costs its segment.
fn deletion_bytes(key: &[u8]) -> u64 {
    (HEADER_BYTES + key.len()) as u64
}

impl Applier {
    pub(crate) fn new(index: Arc<dyn Index>, checkpoint: Checkpoint) -> Result<Self, IndexError> {
        let usage = Usage { live: Mutex::new(index.live()?) };
        Ok(Self { index, checkpoint, usage: Arc::new(usage) })
    }

    /// How much of each segment still counts.
    pub(crate) fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// Applies `effects` in order and moves the checkpoint to `self.checkpoint`, atomically.
    pub(crate) fn apply(&mut self, effects: &[Effect<'_>]) -> Result<(), IndexError> {
        let mut overlay: Overlay<'_> = HashMap::new();
        let mut touched: Vec<u64> = Vec::new();
        let usage = self.usage.clone();
        let mut live = usage.live();
        for effect in effects {
            for (number, op) in effect.ops.iter().enumerate() {
                let at = (op.space(), &op.key()[..]);
                let current = match overlay.get(&at) {
                    Some((_, row)) => row.clone(),
                    None => self.index.get(at.0, at.1)?,
                };
                let next = next_row(effect, number, op);
                // Compaction moves no deletion of the outbox (K2 there).
                if next.is_none() && at.0 != Space::Journal {
                    let segment = effect.location.segment;
                    live.entry(segment).or_default().deletions += deletion_bytes(at.1);
                    touched.push(segment);
                }
                if !replaces(effect, next.as_ref(), current.as_ref()) {
                    continue;
                }
                if let Some(row) = &current {
                    let old = live.entry(row.location.segment).or_default();
                    old.entries = old.entries.saturating_sub(share_bytes(at.1, row));
                    touched.push(row.location.segment);
                }
                if let Some(row) = &next {
                    live.entry(row.location.segment).or_default().entries += share_bytes(at.1, row);
                    touched.push(row.location.segment);
                }
                overlay.insert(at, (op.key().clone(), next));
            }
        }
        touched.sort_unstable();
        touched.dedup();
        let rows = overlay
            .into_iter()
            .map(|((space, _), (key, row))| match row {
                Some(row) => Change::Put(space, key, row),
                None => Change::Delete(space, key),
            })
            .collect();
        let counted = touched.into_iter().map(|segment| (segment, live.get(&segment).copied())).collect();
        drop(live);
        self.index.apply(Changes { rows, live: counted, checkpoint: Some(self.checkpoint.clone()) })
    }

    /// Forgets a segment that no row points into.
    pub(crate) fn forget(&mut self, segment: u64) -> Result<(), IndexError> {
        self.usage.live().remove(&segment);
        self.checkpoint.segments.retain(|other| *other != segment);
        let live = vec![(segment, None)];
        self.index.apply(Changes { rows: Vec::new(), live, checkpoint: Some(self.checkpoint.clone()) })
    }
}

fn next_row(effect: &Effect<'_>, number: usize, op: &Op) -> Option<Row> {
    match op {
        Op::Put { value, .. } => Some(Row {
            seq: effect.seq,
            location: effect.location,
            inline: if number == 0 { effect.inline.clone() } else { Inline::None },
            value: value.clone(),
        }),
        Op::Delete { .. } => None,
    }
}

/// Whether the effect counts against what the index holds (A1).
fn replaces(effect: &Effect<'_>, next: Option<&Row>, current: Option<&Row>) -> bool {
    match (next, current) {
        (_, None) => next.is_some(),
        (None, Some(current)) => effect.seq >= current.seq,
        (Some(next), Some(current)) => (next.seq, next.location) > (current.seq, current.location),
    }
}
