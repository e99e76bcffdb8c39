//! The index of one drive's log: key -> where the current entry lies, and its value. It is a cache.
//!
//! - X1: a batch's rows and the checkpoint behind it change together, so replay from the checkpoint is right.
//! - X2: an index holds only what every member has durably; it is rebuilt from the log when in doubt.
//! - X3: a power loss may take the index back to an older batch, and replay goes on from there. So a segment is
//!   removed only after the index is synced.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::log::epoch::EpochBody;
use crate::log::record::{Cursor, Inline, Invalid};
use crate::log::writer::Location;
use crate::log::{Seq, Space};

mod fjall;
mod memory;
mod watched;

pub(crate) use fjall::{FjallIndex, IndexBudget};
pub(crate) use memory::{MemoryIndex, Rows};
pub(crate) use watched::WatchedIndex;

/// What the index knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) seq: Seq,
    pub(crate) location: Location,
    /// Where in the record the shard begins, and its length.
    pub(crate) inline: Inline<(u32, u32)>,
    pub(crate) value: Bytes,
}

/// Up to where the index follows the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The log it belongs to.
    pub(crate) stamp: u64,
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    /// The last seq, batch and the batch's epoch that were applied.
    pub(crate) seq: Seq,
    pub(crate) batch: u64,
    pub(crate) batch_epoch: u64,
    /// Entries of the log were damaged: the drive does not hold everything.
    pub(crate) holes: bool,
    pub(crate) epoch: Option<EpochBody>,
    /// The segments there are, ascending.
    pub(crate) segments: Vec<u64>,
}

/// A change of one row.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Put(Space, Bytes, Row),
    Delete(Space, Bytes),
}

/// The bytes of a segment that still count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Live {
    /// Of entries that are current.
    pub(crate) entries: u64,
    /// Of deletions.
    pub(crate) deletions: u64,
}

/// What changes together (X1).
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) rows: Vec<Change>,
    /// By segment; `None` forgets the segment.
    pub(crate) live: Vec<(u64, Option<Live>)>,
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// Why an index cannot be read or changed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum IndexError {
    /// It is to be rebuilt.
    #[error("the index failed: {0}")]
    Failed(String),
    /// The process or the machine lacked something; the index is well.
    #[error("the index could not be read for want of means: {0}")]
    Shortage(String),
}

/// Keeps the rows of an index as they were at one moment. It keeps no index open.
pub(crate) enum Pin {
    /// In a database: it removes nothing that was there.
    Snapshot(::fjall::Snapshot),
    /// In memory.
    Rows(Rows),
}

/// Keys from one to another.
pub(crate) type KeyRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);
/// Takes a key and the value of its row, and says whether to go on.
pub(crate) type TakeRow<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// An ordered map from space and key to [`Row`].
pub(crate) trait Index: std::fmt::Debug + Send + Sync {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Row>, IndexError>;
    /// Up to `limit` rows of a space from `after` on, in the order of the keys' bytes.
    fn scan(&self, space: Space, after: Bound<&[u8]>, limit: usize) -> Result<Vec<(Bytes, Row)>, IndexError>;
    /// Keeps the rows as they are now. It waits for no drive.
    fn pin(&self) -> Pin;
    /// Gives the values of a space's rows in a range to `take`, in the order of the keys' bytes, until it has enough:
    /// as they are, or as they were when this index gave the pin.
    fn walk(
        &self,
        pin: Option<&Pin>,
        space: Space,
        range: KeyRange<'_>,
        take: &mut TakeRow<'_>,
    ) -> Result<(), IndexError>;
    fn apply(&self, changes: Changes) -> Result<(), IndexError>;
    /// Makes all that was applied durable.
    fn sync(&self) -> Result<(), IndexError>;
    fn checkpoint(&self) -> Result<Option<Checkpoint>, IndexError>;
    fn live(&self) -> Result<BTreeMap<u64, Live>, IndexError>;
}

/// A pin that another kind of index gave.
fn strange_pin() -> IndexError {
    IndexError::Failed("the pin is not one of this index".into())
}

const ROW_VERSION: u8 = 1;
/// What stands before a row's value.
const ROW_HEAD_BYTES: usize = 38;
const CHECKPOINT_VERSION: u8 = 1;

impl Row {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40 + self.value.len());
        let (tag, at, len) = match self.inline {
            Inline::None => (0, 0, 0),
            Inline::Present((at, len)) => (1, at, len),
            Inline::Lost => (2, 0, 0),
        };
        out.extend_from_slice(&[ROW_VERSION, tag]);
        out.extend_from_slice(&self.seq.0.to_le_bytes());
        out.extend_from_slice(&self.location.segment.to_le_bytes());
        out.extend_from_slice(&self.location.offset.to_le_bytes());
        out.extend_from_slice(&self.location.len.to_le_bytes());
        out.extend_from_slice(&at.to_le_bytes());
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&self.value);
        out
    }

    /// The value of an encoded row.
    fn value_of(bytes: &[u8]) -> Result<&[u8], IndexError> {
        match bytes.split_at_checked(ROW_HEAD_BYTES) {
            Some(([ROW_VERSION, ..], value)) => Ok(value),
            Some(_) | None => Err(IndexError::Failed("a row cannot be read".into())),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, IndexError> {
        let read = || -> Result<Self, Invalid> {
            let mut from = Cursor::new(bytes);
            if from.u8()? != ROW_VERSION {
                return Err(Invalid::Damaged);
            }
            let tag = from.u8()?;
            let seq = Seq(from.u64()?);
            let location = Location { segment: from.u64()?, offset: from.u64()?, len: from.u32()? };
            let (at, len) = (from.u32()?, from.u32()?);
            let inline = match tag {
                0 => Inline::None,
                1 => Inline::Present((at, len)),
                2 => Inline::Lost,
                _ => return Err(Invalid::Damaged),
            };
            Ok(Self { seq, location, inline, value: Bytes::copy_from_slice(from.rest()) })
        };
        read().map_err(|_| IndexError::Failed("a row cannot be read".into()))
    }
}

impl Checkpoint {
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![CHECKPOINT_VERSION, u8::from(self.holes)];
        for number in [self.stamp, self.segment, self.offset, self.seq.0, self.batch, self.batch_epoch] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        for segment in &self.segments {
            out.extend_from_slice(&segment.to_le_bytes());
        }
        if let Some(epoch) = &self.epoch {
            epoch.encode(&mut out);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, IndexError> {
        let read = || -> Result<Self, Invalid> {
            let mut from = Cursor::new(bytes);
            if from.u8()? != CHECKPOINT_VERSION {
                return Err(Invalid::Damaged);
            }
            let holes = from.u8()? != 0;
            let (stamp, segment, offset) = (from.u64()?, from.u64()?, from.u64()?);
            let (seq, batch, batch_epoch) = (Seq(from.u64()?), from.u64()?, from.u64()?);
            let count = from.u32()?;
            let mut segments = Vec::new();
            for _ in 0..count {
                segments.push(from.u64()?);
            }
            let epoch = if from.rest().is_empty() { None } else { Some(EpochBody::decode(&mut from)?) };
            Ok(Self { stamp, segment, offset, seq, batch, batch_epoch, holes, epoch, segments })
        };
        read().map_err(|_| IndexError::Failed("the checkpoint cannot be read".into()))
    }
}
