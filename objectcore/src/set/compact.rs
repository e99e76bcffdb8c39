//! Compaction: a segment that is mostly dead gives its live records to the log's tail and goes.
//!
//! - K1: a record is moved only if it still counts at the moment the copy is put into a batch (the committer
//!   checks), so a copy never hides a newer entry.
//! - K2: a deletion is moved too, unless the segment is the oldest: what it hides lies before it in the log.
//!   A deletion in [`Space::Journal`] is not: what would come back when an index is made again is hidden by the note of
//!   what was forgotten (`outbox.rs`).
//! - K3: the segment goes after every copy is durable and applied, by a record first and the file second. A
//!   crash in between leaves copies of equal seq, which are harmless, or a file that is in no list.
//! - K4: a segment with damage stays: what is damaged may have been a deletion. But damage that was found when
//!   the set was opened kept the drive from counting until it was compared with the others and filled; then
//!   nothing in the segment is missing any more, and it is the first to go.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::committer::{CopyIf, CopyRequest, Message};
use super::scan::ScanError;
use super::worker::LocalCopy;
use super::{CommitError, ErasureSet, Inline, Op, SlotState, Space};
use crate::log::reader::{SegmentReader, Step};
use crate::log::record::{Body, Record};
use crate::log::writer::Location;
use crate::types::StorageError;

/// How much is moved in one batch.
const PORTION_BYTES: usize = 1 << 20;
/// The longest pause between portions.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// Why a segment stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompactError {
    #[error("the segment is damaged")]
    Damaged,
    #[error(transparent)]
    Log(#[from] ScanError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<std::io::Error> for CompactError {
    fn from(error: std::io::Error) -> Self {
        Self::Log(error.into())
    }
}

/// A segment to compact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Victim {
    segment: u64,
    oldest: bool,
    damage: Damage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    /// It was made good.
    Filled,
    Unexpected,
}

impl ErasureSet {
    /// Compacts whenever the drive begins a new segment, until the set is closed.
    pub(super) fn compact_in_background(&self, slot: usize, asked: Receiver<()>) {
        let shared = Arc::downgrade(&self.0);
        let run = move || {
            let mut damaged = HashSet::new();
            while let Ok(()) = asked.recv() {
                let Some(set) = shared.upgrade().map(ErasureSet) else { return };
                if let Err(error) = set.compact_slot(slot, &mut damaged, Pace::Gentle) {
                    tracing::warn!(set = set.number(), slot, %error, "compaction stopped");
                }
            }
        };
        let name = format!("compactor-{}-{slot}", self.number());
        let thread = std::thread::Builder::new().name(name).spawn(run).expect("a thread starts");
        self.0.compactors.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// Compacts a drive's log until no segment is worth it; answers how many went. Blocks.
    #[cfg(test)]
    pub(crate) fn compact(&self, slot: usize) -> Result<usize, CompactError> {
        self.compact_slot(slot, &mut HashSet::new(), Pace::Full)
    }

    fn compact_slot(
        &self,
        slot: usize,
        damaged: &mut HashSet<(usize, u64)>,
        pace: Pace,
    ) -> Result<usize, CompactError> {
        let mut removed = 0;
        while self.slots()[slot].state() == SlotState::Online && !self.0.closing.load(Ordering::Acquire) {
            let Some(victim) = self.victim(slot, damaged)? else { break };
            match self.empty(slot, victim, pace) {
                Ok(()) => {}
                Err(CompactError::Damaged) => {
                    tracing::warn!(
                        set = self.number(),
                        slot,
                        segment = victim.segment,
                        "the segment is damaged"
                    );
                    damaged.insert((slot, victim.segment));
                    continue;
                }
                Err(error) => return Err(error),
            }
            let (answer, outcome) = oneshot::channel();
            self.tell(Message::RemoveSegment { slot, segment: victim.segment, answer })?;
            outcome.blocking_recv().unwrap_or(Err(StorageError::Closing.into()))?;
            if self.slots()[slot].figures().segments().contains(&victim.segment) {
                // The drive refused: something in it counts that was not seen.
                damaged.insert((slot, victim.segment));
                continue;
            }
            removed += 1;
            metrics::counter!("tarn_compaction_segments_total").increment(1);
        }
        Ok(removed)
    }

    /// The segment with the least that counts, if that is little enough.
    fn victim(&self, slot: usize, damaged: &HashSet<(usize, u64)>) -> Result<Option<Victim>, CompactError> {
        let drive = self.slots()[slot].drive()?;
        let Some(place) = self.slots()[slot].place() else { return Ok(None) };
        let segments = self.slots()[slot].figures().segments().clone();
        let mut best: Option<(u64, Victim)> = None;
        for (number, &segment) in segments.iter().take(segments.len().saturating_sub(1)).enumerate() {
            if damaged.contains(&(slot, segment)) {
                continue;
            }
            let oldest = number == 0;
            let live = place.usage.live().get(&segment).copied().unwrap_or_default();
            let kept = live.entries + if oldest { 0 } else { live.deletions };
            let len = drive.segment_len(segment)?.max(1);
            if place.damaged_segments.contains(&segment) {
                return Ok(Some(Victim { segment, oldest, damage: Damage::Filled }));
            }
            let percent = kept.saturating_mul(100) / len;
            let worth = percent <= u64::from(self.0.settings.compact_live_percent);
            if worth && best.is_none_or(|(least, _)| percent < least) {
                best = Some((percent, Victim { segment, oldest, damage: Damage::Unexpected }));
            }
        }
        Ok(best.map(|(_, victim)| victim))
    }

    /// Moves what counts in the segment to the tail (K1, K2, K4).
    fn empty(&self, slot: usize, victim: Victim, pace: Pace) -> Result<(), CompactError> {
        let drive = self.slots()[slot].drive()?;
        let Some(place) = self.slots()[slot].place() else { return Ok(()) };
        let mut reader = SegmentReader::new(&*drive, place.stamp, victim.segment, 0)?;
        let mut portion = Vec::new();
        let mut bytes = 0;
        let mut began = Instant::now();
        loop {
            let record = match reader.step().map_err(ScanError::from)? {
                Step::Record(record) => record,
                Step::Damage { .. } | Step::Tear if victim.damage == Damage::Unexpected => {
                    return Err(CompactError::Damaged);
                }
                Step::Damage { .. } => continue,
                Step::Tear | Step::End => break,
            };
            let before = portion.len();
            self.counting(slot, victim, record, &mut portion)?;
            bytes += portion[before..].iter().map(copy_bytes).sum::<usize>();
            if bytes >= PORTION_BYTES {
                self.move_portion(std::mem::take(&mut portion), bytes)?;
                bytes = 0;
                if pace == Pace::Gentle {
                    std::thread::sleep(began.elapsed().min(PAUSE_MAX));
                }
                began = Instant::now();
            }
            if self.0.closing.load(Ordering::Acquire) {
                return Err(CommitError::from(StorageError::Closing).into());
            }
        }
        self.move_portion(portion, bytes)
    }

    fn move_portion(&self, copies: Vec<CopyRequest>, bytes: usize) -> Result<(), CompactError> {
        if copies.is_empty() {
            return Ok(());
        }
        let (answer, outcome) = oneshot::channel();
        self.0.figures.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tell(Message::Copies { copies, bytes, answer })?;
        outcome.blocking_recv().unwrap_or(Err(StorageError::Closing.into()))?;
        metrics::counter!("tarn_compaction_moved_bytes").increment(bytes as u64);
        Ok(())
    }

    /// Adds the operations of a record that still count.
    fn counting(
        &self,
        slot: usize,
        victim: Victim,
        record: Record,
        out: &mut Vec<CopyRequest>,
    ) -> Result<(), CompactError> {
        let Record { header, body: Body::Entry(body) | Body::Copy(body), len } = record else {
            return Ok(());
        };
        let location = Location { segment: header.segment, offset: header.offset, len: len as u32 };
        let Some(index) = self.slots()[slot].index() else { return Ok(()) };
        for (number, op) in body.ops.iter().enumerate() {
            let row = index.get(op.space(), op.key()).map_err(ScanError::from)?;
            let when = match op {
                Op::Put { .. } => {
                    if row.is_none_or(|row| row.location != location) {
                        continue;
                    }
                    CopyIf::At(location)
                }
                Op::Delete { space: Space::Journal, .. } => continue,
                Op::Delete { .. } => {
                    if victim.oldest || row.is_some_and(|row| row.seq >= header.seq) {
                        continue;
                    }
                    CopyIf::NotSince(header.seq)
                }
            };
            let inline = match &body.inline {
                Inline::Present((_, bytes)) if number == 0 => Inline::Present(Bytes::clone(bytes)),
                Inline::Lost if number == 0 => Inline::Lost,
                Inline::Present(_) | Inline::Lost | Inline::None => Inline::None,
            };
            let copy = LocalCopy { seq: header.seq, op: op.clone(), inline };
            out.push(CopyRequest { slot, when, copy });
        }
        Ok(())
    }
}

/// Whether compaction leaves time to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Gentle,
    #[cfg(test)]
    Full,
}

fn copy_bytes(request: &CopyRequest) -> usize {
    let inline = match &request.copy.inline {
        Inline::Present(bytes) => bytes.len(),
        Inline::None | Inline::Lost => 0,
    };
    crate::log::record::entry_bytes([&request.copy.op], inline)
}
