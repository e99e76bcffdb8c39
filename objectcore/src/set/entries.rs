//! Entries and their shards as the drives keep them. All of this blocks: asynchronous code goes through `reads.rs`.

use std::ops::Bound;

use bytes::Bytes;

use super::assemble::entry_of;
use super::look::lookup;
use super::{Entry, ErasureSet, Repair, Seq, Slot, SlotState, Space};
use crate::drive::is_shortage;
use crate::index::Row;
use crate::log::record::Inline;
use crate::log::writer;
use crate::types::StorageError;

/// Where a drive keeps an entry. Compaction may move it.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    slot: usize,
    row: Row,
}

impl ErasureSet {
    /// Whether a drive already has a later state of the key than `entry`: a commit is being applied, drive
    /// after drive.
    pub(crate) fn is_overtaken(&self, space: Space, key: &[u8], entry: &Entry) -> bool {
        let fine = |slot: &&Slot| slot.state() == SlotState::Online && !slot.is_suspect();
        self.0.slots.iter().filter(fine).filter_map(Slot::index).any(|index| match index.get(space, key) {
            Ok(row) => row.is_none_or(|row| row.seq > entry.seq),
            Err(_) => false,
        })
    }

    /// The current entry of a key (S3). Blocks.
    pub(crate) fn get(&self, space: Space, key: &[u8]) -> Result<Option<Entry>, StorageError> {
        Ok(self.get_located(space, key)?.map(|(entry, _)| entry))
    }

    /// As [`ErasureSet::get`], and where a drive keeps it. Blocks.
    pub(crate) fn get_located(
        &self,
        space: Space,
        key: &[u8],
    ) -> Result<Option<(Entry, Located)>, StorageError> {
        let found = lookup(&self.0.slots, self.0.geometry, |slot| {
            Some(slot.index()?.get(space, key).map(|row| row.map(|row| (slot.number(), row))))
        })?;
        Ok(found.map(|(slot, row)| (entry_of(&row), Located { slot, row })))
    }

    /// Up to `limit` entries of a space from `after` on, in the order of the keys' bytes. Blocks.
    pub(crate) fn scan(
        &self,
        space: Space,
        after: Bound<Bytes>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Entry)>, StorageError> {
        let after = after.as_ref().map(|key| &key[..]);
        let rows = lookup(&self.0.slots, self.0.geometry, |slot| {
            slot.index().map(|index| index.scan(space, after, limit))
        })?;
        Ok(rows.into_iter().map(|(key, row)| (key, entry_of(&row))).collect())
    }

    /// The shard bytes of an entry on one drive. `None` if the drive lacks them or they are damaged; a repair
    /// is then requested. `known` is where the entry was found a moment ago. Blocks.
    pub(crate) fn read_inline(
        &self,
        slot: usize,
        space: Space,
        key: &[u8],
        seq: Seq,
        known: Option<&Located>,
    ) -> Result<Option<Bytes>, StorageError> {
        let place = &self.0.slots[slot];
        let (Ok(drive), Some(opened)) = (place.drive(), place.place()) else { return Ok(None) };
        let mut known = known.filter(|known| known.slot == slot).map(|known| known.row.clone());
        // Compaction may move the record between the look into the index and the read: look again once.
        let mut before = None;
        for _ in 0..3 {
            let row = match known.take() {
                Some(row) => Some(row),
                None => opened.index.get(space, key).map_err(|error| place.fail_index(&error))?,
            };
            let Some(row) = row.filter(|row| row.seq == seq) else { break };
            if !matches!(row.inline, Inline::Present(_)) || before == Some(row.location) {
                break;
            }
            let read = writer::read_inline(&*drive, opened.stamp, row.location, (seq, space, key));
            match read {
                Ok(Some(shard)) => return Ok(Some(shard)),
                Err(error) if is_shortage(&error) => return Err(StorageError::Busy),
                Ok(None) | Err(_) => {}
            }
            before = Some(row.location);
        }
        // What a drive being filled lacks is for its fill.
        if place.state() == SlotState::Online {
            self.request_repair(Repair { slot, space, key: Bytes::copy_from_slice(key), seq });
        }
        Ok(None)
    }

    /// Whether a drive holds this entry, with its shard bytes where the entry has some. Nothing is verified. Blocks.
    pub(crate) fn holds(
        &self,
        slot: usize,
        space: Space,
        key: &[u8],
        entry: &Entry,
    ) -> Result<bool, StorageError> {
        let Some(index) = self.0.slots[slot].index() else { return Ok(false) };
        let row = index.get(space, key).map_err(|error| self.0.slots[slot].fail_index(&error))?;
        Ok(row.is_some_and(|row| row.seq == entry.seq && row.inline != Inline::Lost))
    }
}
