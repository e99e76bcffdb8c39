//! What records do to a drive's index.
//!
//! - A1: an older seq never replaces a newer one; of the same seq the record further along in the log counts.
//!   So replaying any suffix of the log that begins at or before the checkpoint ends in the same index.
//! - A2: the live bytes of a segment are the sum over the rows that point into it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use crate::index::{Change, Changes, Checkpoint, Index, IndexError, Row};
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
    live: BTreeMap<u64, u64>,
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

impl Applier {
    pub(crate) fn new(index: Arc<dyn Index>, checkpoint: Checkpoint) -> Result<Self, IndexError> {
        let live = index.live()?;
        Ok(Self { index, checkpoint, live })
    }

    /// The bytes of current entries in each segment.
    pub(crate) fn live(&self) -> &BTreeMap<u64, u64> {
        &self.live
    }

    /// Applies `effects` in order and moves the checkpoint to `self.checkpoint`, atomically.
    pub(crate) fn apply(&mut self, effects: &[Effect<'_>]) -> Result<(), IndexError> {
        let mut overlay: Overlay<'_> = HashMap::new();
        let mut touched: Vec<u64> = Vec::new();
        for effect in effects {
            for (number, op) in effect.ops.iter().enumerate() {
                let at = (op.space(), &op.key()[..]);
                let current = match overlay.get(&at) {
                    Some((_, row)) => row.clone(),
                    None => self.index.get(at.0, at.1)?,
                };
                let next = next_row(effect, number, op);
                if !replaces(effect, next.as_ref(), current.as_ref()) {
                    continue;
                }
                if let Some(row) = &current {
                    let live = self.live.entry(row.location.segment).or_default();
                    *live = live.saturating_sub(share_bytes(at.1, row));
                    touched.push(row.location.segment);
                }
                if let Some(row) = &next {
                    *self.live.entry(row.location.segment).or_default() += share_bytes(at.1, row);
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
        let live = touched.into_iter().map(|segment| (segment, self.live.get(&segment).copied())).collect();
        self.index.apply(Changes { rows, live, checkpoint: Some(self.checkpoint.clone()) })
    }

    /// Forgets a segment that no row points into.
    pub(crate) fn forget(&mut self, segment: u64) -> Result<(), IndexError> {
        self.live.remove(&segment);
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
