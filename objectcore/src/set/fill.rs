//! Bringing a drive that lacks entries back: which drives, and when they are whole again.
//!
//! The caller writes what is missing with [`ErasureSet::refill`]; here it is decided that nothing is missing.
//! A filling drive takes every new batch, so a key found equal on both sides stays equal.

use std::ops::Bound;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::committer::{CopyIf, CopyRequest, Message};
use super::look::lookup;
use super::reads::Weight;
use super::worker::LocalCopy;
use super::{CommitError, ErasureSet, Inline, Op, Seq, SlotState, Space};
use crate::types::StorageError;

/// Keys compared at a time.
const PAGE_ROWS: usize = 1000;

/// Why a drive does not count as filled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FillError {
    /// The drive lacks this key's entry; write it and try again.
    #[error("the drive still lacks entries")]
    Lacking { space: Space, key: Bytes },
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<StorageError> for FillError {
    fn from(error: StorageError) -> Self {
        Self::Commit(error.into())
    }
}

/// What two pages of rows say.
struct Compared {
    lacking: Vec<(Space, Bytes)>,
    extra: Vec<(Bytes, Seq)>,
    next: Option<Bytes>,
}

impl ErasureSet {
    /// The slots whose drives lack entries.
    pub(crate) fn fill_needed(&self) -> Vec<usize> {
        self.slots()
            .iter()
            .filter(|slot| slot.state() == SlotState::Filling)
            .map(super::Slot::number)
            .collect()
    }

    /// Checks that the drive holds every entry, drops what it holds beyond, and records it as complete. Call it
    /// when all entries were refilled; `Lacking` names the first that is not there.
    pub(crate) async fn finish_fill(&self, slot: usize) -> Result<(), FillError> {
        for space in Space::ALL {
            let mut after = Bound::Unbounded;
            loop {
                let (set, from) = (self.clone(), after.clone());
                let compare = move || set.compare(slot, space, &from);
                let compared = self.read(Weight::Long, compare).await?;
                self.recheck(slot, compared.lacking).await?;
                self.drop_extra(slot, space, compared.extra).await?;
                match compared.next {
                    Some(key) => after = Bound::Excluded(key),
                    None => break,
                }
            }
        }
        let (answer, outcome) = oneshot::channel();
        self.tell(Message::Filled { slot, answer })?;
        outcome.await.unwrap_or(Err(StorageError::Unknown.into()))?;
        tracing::info!(set = self.number(), slot, "the drive is filled");
        Ok(())
    }

    /// Compares the next rows of the set and of the drive.
    fn compare(&self, slot: usize, space: Space, after: &Bound<Bytes>) -> Result<Compared, StorageError> {
        let from = after.as_ref().map(|key| &key[..]);
        let wanted = lookup(self.slots(), self.geometry(), |slot| {
            slot.index().map(|index| index.scan(space, from, PAGE_ROWS))
        })?;
        let place = &self.slots()[slot];
        let index = place.index().ok_or(StorageError::TooFewDrives { healthy: 0, needed: 1 })?;
        let own = index.scan(space, from, PAGE_ROWS).map_err(|error| place.fail_index(&error))?;
        // Both pages reach up to here.
        let full = |rows: &[(Bytes, _)]| (rows.len() == PAGE_ROWS).then(|| rows[PAGE_ROWS - 1].0.clone());
        let until = [full(&wanted), full(&own)].into_iter().flatten().min();
        let inside = |key: &Bytes| until.as_ref().is_none_or(|until| key <= until);
        let mut compared = Compared { lacking: Vec::new(), extra: Vec::new(), next: until.clone() };
        let mut own = own.into_iter().filter(|(key, _)| inside(key)).peekable();
        for (key, row) in wanted.iter().filter(|(key, _)| inside(key)) {
            while let Some((extra, row)) = own.next_if(|(other, _)| other < key) {
                compared.extra.push((extra, row.seq));
            }
            let same = own.next_if(|(other, _)| other == key).is_some_and(|(_, other)| other.seq == row.seq);
            if !same {
                compared.lacking.push((space, key.clone()));
            }
        }
        compared.extra.extend(own.map(|(key, row)| (key, row.seq)));
        Ok(compared)
    }

    /// The pages were read one after the other, while batches reached one index before the other: what differs
    /// may only have changed in between. Behind a batch that begins now, both have what was there before.
    async fn recheck(&self, slot: usize, lacking: Vec<(Space, Bytes)>) -> Result<(), FillError> {
        if lacking.is_empty() {
            return Ok(());
        }
        let mut wanted = Vec::with_capacity(lacking.len());
        for (space, key) in lacking {
            if let Some(entry) = self.entry(space, &key).await? {
                wanted.push((space, key, entry.seq));
            }
        }
        self.copy(Vec::new()).await?;
        let set = self.clone();
        match self.read(Weight::Long, move || set.first_lacking(slot, &wanted)).await? {
            Some((space, key)) => Err(FillError::Lacking { space, key }),
            None => Ok(()),
        }
    }

    /// The first of `wanted` that the drive does not hold although the set does.
    fn first_lacking(
        &self,
        slot: usize,
        wanted: &[(Space, Bytes, Seq)],
    ) -> Result<Option<(Space, Bytes)>, StorageError> {
        let index = self.slots()[slot].index().ok_or(StorageError::TooFewDrives { healthy: 0, needed: 1 })?;
        for (space, key, seq) in wanted {
            let own = index.get(*space, key).map_err(|error| self.slots()[slot].fail_index(&error))?;
            if own.is_none_or(|row| row.seq < *seq) && self.get(*space, key)?.is_some() {
                return Ok(Some((*space, key.clone())));
            }
        }
        Ok(None)
    }

    async fn drop_extra(
        &self,
        slot: usize,
        space: Space,
        extra: Vec<(Bytes, Seq)>,
    ) -> Result<(), CommitError> {
        if extra.is_empty() {
            return Ok(());
        }
        let copies = extra.into_iter().map(|(key, seq)| {
            let copy = LocalCopy { seq, op: Op::Delete { space, key }, inline: Inline::None };
            CopyRequest { slot, when: CopyIf::Gone(seq), copy }
        });
        self.copy(copies.collect()).await
    }
}
