//! The outbox of a set: changes of objects that were not told yet, rows like others, in the order of their seqs.
//!
//! - T1: a change is part of the draft that makes it, so it is durable exactly if that is (S2). The committer, who alone
//!   knows the seq, gives it its key.
//! - T2: only what the index of every member holds is told: rows up to the seq in [`Figures`](super::committer::Figures),
//!   which moves when a batch was applied everywhere. So a change with a lower seq never appears behind one that was
//!   told, whichever drive is asked.
//! - T3: what is told stays: it was durable on every member before any index held it (W2), so recovery keeps it as it
//!   keeps what was acknowledged (V2), and new seqs are higher.
//! - T4: a note says up to which seq all is forgotten. It is in the drafts that delete the rows, and hides what comes
//!   back when an index is made again, because compaction drops these deletions (K2). What came back is deleted by the
//!   first [`ErasureSet::forget`] behind an open, which looks at all drives.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::reads::Weight;
use super::{CommitError, Draft, ErasureSet, Op, Seq, Slot, SlotState, Space};
use crate::index::{Index, IndexError, TakeRow};
use crate::types::StorageError;

/// Where a set keeps its note, in the space of its own.
const NOTE: &[u8] = b"journal";
const NOTE_VERSION: u8 = 1;
/// A key: seq, and the number of the operation in its draft, both big-endian.
const KEY_BYTES: usize = 10;
/// What a change has for a key until it has a seq.
const UNNUMBERED: [u8; KEY_BYTES] = [0; KEY_BYTES];
/// Rows deleted by one draft.
const PAGE: usize = 1000;
/// The longest pause between these drafts: others come first.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// The operation that tells of a draft's change. It is not the draft's first: that may have a shard.
pub(crate) fn told(value: Vec<u8>) -> Op {
    Op::Put { space: Space::Journal, key: Bytes::from_static(&UNNUMBERED), value: value.into() }
}

/// Gives the changes of a draft their keys, and answers how many there are (T1).
pub(super) fn number(ops: &mut [Op], seq: Seq) -> u64 {
    let mut count = 0;
    for (number, op) in ops.iter_mut().enumerate() {
        if let Op::Put { space: Space::Journal, key, .. } = op {
            *key = Bytes::copy_from_slice(&row_key(seq, number as u16));
            count += 1;
        }
    }
    count
}

fn row_key(seq: Seq, number: u16) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key[..8].copy_from_slice(&seq.0.to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

fn seq_of(key: &[u8]) -> Result<Seq, StorageError> {
    match key.first_chunk() {
        Some(seq) if key.len() == KEY_BYTES => Ok(Seq(u64::from_be_bytes(*seq))),
        Some(_) | None => Err(unreadable("the key of a change cannot be read")),
    }
}

/// Behind all changes of a seq.
fn end_of(seq: Seq) -> [u8; KEY_BYTES] {
    row_key(seq, u16::MAX)
}

fn unreadable(what: &str) -> StorageError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    StorageError::Io { context: "the changes of a set cannot be read".to_owned(), source }
}

fn note(through: Seq) -> Op {
    let mut value = vec![NOTE_VERSION];
    value.extend_from_slice(&through.0.to_le_bytes());
    Op::Put { space: Space::System, key: Bytes::from_static(NOTE), value: value.into() }
}

/// How many changes wait to be forgotten.
#[derive(Debug, Default)]
pub(crate) struct WaitingChanges(AtomicU64);

impl WaitingChanges {
    /// More were told, or found.
    pub(crate) fn told(&self, set: u16, count: u64) {
        if count > 0 {
            show(set, self.0.fetch_add(count, Ordering::Relaxed) + count);
        }
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn forgotten(&self, set: u16, count: u64) {
        let fewer = |waiting: u64| Some(waiting.saturating_sub(count));
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
        show(set, before.unwrap_or_default().saturating_sub(count));
    }
}

fn show(set: u16, waiting: u64) {
    metrics::gauge!("tarn_journal_waiting_changes", "set" => set.to_string()).set(waiting as f64);
}

/// Which rows are looked for to forget them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those behind the note.
    New,
    /// Those before it too, on all drives (T4).
    All,
}

/// A range of rows, ends included or not as they are.
type Range = (Bound<[u8; KEY_BYTES]>, Bound<[u8; KEY_BYTES]>);

impl ErasureSet {
    /// Changes behind `after` in order: at least `limit` if there are as many, and all of the last seq.
    pub(crate) async fn changes(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Bytes)>, StorageError> {
        let set = self.clone();
        self.read(Weight::Long, move || set.read_changes(after, limit)).await
    }

    fn read_changes(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Bytes)>, StorageError> {
        let Some(range) = self.waiting(after)? else { return Ok(Vec::new()) };
        let read = self.read_index(None, |index, _| {
            let mut rows: Vec<(Bytes, Bytes)> = Vec::new();
            walk(index, &range, &mut |key, value| {
                let is_of_last = rows.last().is_some_and(|(last, _)| last.get(..8) == key.get(..8));
                if rows.len() >= limit && !is_of_last {
                    return ControlFlow::Break(());
                }
                rows.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
                ControlFlow::Continue(())
            })?;
            Ok(rows)
        })?;
        read.unwrap_or_default().into_iter().map(|(key, value)| Ok((seq_of(&key)?, value))).collect()
    }

    /// Where the changes behind `after` lie that may be told (T2) and are not forgotten (T4); `None`: there are none.
    fn waiting(&self, after: Seq) -> Result<Option<Range>, StorageError> {
        let applied = self.applied();
        let after = after.max(self.forgotten()?);
        let range = (Bound::Excluded(end_of(after)), Bound::Included(end_of(applied)));
        Ok((after < applied).then_some(range))
    }

    /// The last seq that every member's index holds.
    fn applied(&self) -> Seq {
        Seq(self.0.figures.seq.load(Ordering::Acquire))
    }

    /// Up to where all changes are forgotten. Blocks.
    fn forgotten(&self) -> Result<Seq, StorageError> {
        let Some(entry) = self.get(Space::System, NOTE)? else { return Ok(Seq(0)) };
        match entry.value.split_first() {
            Some((&NOTE_VERSION, through)) => {
                let through = through.try_into().map_err(|_| unreadable("the note of it is torn"))?;
                Ok(Seq(u64::from_le_bytes(through)))
            }
            Some(_) | None => Err(unreadable("the note of it is of a newer version")),
        }
    }

    /// How many changes wait, as far as they are counted.
    #[cfg(test)]
    pub(crate) fn waiting_changes(&self) -> u64 {
        self.0.figures.waiting_changes.count()
    }

    /// Counts the changes that wait as the set was opened. Once, and before any is forgotten.
    pub(crate) async fn count_changes(&self) -> Result<(), StorageError> {
        let opened = Seq(self.0.opened_at);
        let set = self.clone();
        let count = move || {
            let after = set.forgotten()?;
            if after >= opened {
                return Ok(0);
            }
            let range = (Bound::Excluded(end_of(after)), Bound::Included(end_of(opened)));
            let counted = set.read_index(None, |index, _| {
                let mut count = 0;
                walk(index, &range, &mut |_, _| {
                    count += 1;
                    ControlFlow::Continue(())
                })?;
                Ok(count)
            })?;
            Ok(counted.unwrap_or_default())
        };
        let counted = self.read(Weight::Long, count).await?;
        self.0.figures.waiting_changes.told(self.number() as u16, counted);
        Ok(())
    }

    /// Forgets all changes up to `through`, with rests. One at a time.
    pub(crate) async fn forget(&self, through: Seq, reach: Reach) -> Result<(), StorageError> {
        let set = self.clone();
        let before = self.read(Weight::Short, move || set.forgotten()).await?;
        // What is still to come is never forgotten.
        let through = through.min(self.applied()).max(before);
        let mut from = match reach {
            Reach::New => Bound::Excluded(end_of(before)),
            Reach::All => Bound::Unbounded,
        };
        loop {
            let began = Instant::now();
            let (set, range) = (self.clone(), (from, Bound::Included(end_of(through))));
            let keys = self.read(Weight::Long, move || set.keys_in(&range, reach)).await?;
            let Some(last) = keys.last().and_then(|key| key[..].try_into().ok()) else { return Ok(()) };
            let mut waited = 0;
            for key in &keys {
                waited += u64::from(seq_of(key)? > before);
            }
            let deletes = keys.into_iter().map(|key| Op::Delete { space: Space::Journal, key });
            let ops = std::iter::once(note(through)).chain(deletes).collect();
            match self.commit(Draft { ops, expect: Vec::new(), inline: None }).await {
                Ok(_) => self.0.figures.waiting_changes.forgotten(self.number() as u16, waited),
                Err(CommitError::Storage(error)) => return Err(error),
                Err(CommitError::Changed { .. }) => return Err(StorageError::Unknown),
            }
            from = Bound::Excluded(last);
            tokio::time::sleep(began.elapsed().min(PAUSE_MAX)).await;
        }
    }

    /// The first keys in a range.
    fn keys_in(&self, range: &Range, reach: Reach) -> Result<Vec<Bytes>, StorageError> {
        if let (Bound::Excluded(from), Bound::Included(until)) = range
            && from >= until
        {
            return Ok(Vec::new());
        }
        match reach {
            Reach::New => Ok(self.read_index(None, |index, _| first_keys(index, range))?.unwrap_or_default()),
            Reach::All => {
                let mut keys = BTreeSet::new();
                let answers = |slot: &&Slot| slot.state() == SlotState::Online && !slot.is_suspect();
                for slot in self.slots().iter().filter(answers) {
                    let Some(index) = slot.index() else { continue };
                    keys.extend(first_keys(&*index, range).map_err(|error| slot.fail_index(&error))?);
                }
                Ok(keys.into_iter().take(PAGE).collect())
            }
        }
    }
}

fn first_keys(index: &dyn Index, range: &Range) -> Result<Vec<Bytes>, IndexError> {
    let mut keys = Vec::new();
    walk(index, range, &mut |key, _| {
        keys.push(Bytes::copy_from_slice(key));
        if keys.len() < PAGE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(keys)
}

fn walk(index: &dyn Index, range: &Range, take: &mut TakeRow<'_>) -> Result<(), IndexError> {
    let (from, until) = (range.0.as_ref().map(|key| &key[..]), range.1.as_ref().map(|key| &key[..]));
    index.walk(None, Space::Journal, (from, until), take)
}
