//! Reads one drive's log behind its index's checkpoint and applies what is surely committed.
//!
//! A batch begins only after the one before is durable on every member. So each batch but the last is
//! committed; the last one (`tail`) is left to `recover.rs`, which sees all drives. The same holds for epochs
//! that nothing was written under yet (`pending`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::drive::{Drive, Watch};
use crate::index::{Checkpoint, FjallIndex, Index, IndexBudget, IndexError, MemoryIndex, WatchedIndex};
use crate::log::epoch::EpochBody;
use crate::log::reader::WalkError;
use crate::log::record::{EntryBody, Inline};
use crate::log::writer::{Identity, Location};
use crate::log::{Op, Seq};

use super::apply::{Applier, Effect};
use super::replay::Scan;
use super::segments::{live_segments, usable};

/// An entry without its shard's bytes: of those only offset in the record and length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) ops: Vec<Op>,
    pub(crate) inline: Inline<(u32, u32)>,
}

impl From<EntryBody> for Outline {
    fn from(body: EntryBody) -> Self {
        let inline = match body.inline {
            Inline::None => Inline::None,
            Inline::Present((at, bytes)) => Inline::Present((at, bytes.len() as u32)),
            Inline::Lost => Inline::Lost,
        };
        Self { ops: body.ops, inline }
    }
}

/// A record of the last batch.
#[derive(Debug, Clone)]
pub(crate) struct TailRecord {
    pub(crate) seq: Seq,
    pub(crate) location: Location,
    pub(crate) body: Outline,
}

/// The last batch of a log.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) epoch: u64,
    pub(crate) number: u64,
    pub(crate) start: (u64, u64),
    pub(crate) first_seq: Seq,
    /// How many entries the batch has; not known if its first record is damaged.
    pub(crate) entries: Option<u32>,
    pub(crate) records: Vec<TailRecord>,
    pub(crate) copies: Vec<TailRecord>,
    /// Records are missing between those that are there.
    pub(crate) holes: bool,
}

impl Tail {
    pub(crate) fn is_whole(&self) -> bool {
        !self.holes && self.entries == Some(self.records.len() as u32)
    }
}

/// What a drive's log says.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) applier: Applier,
    /// The last epoch under which something was written.
    pub(crate) epoch: Option<EpochBody>,
    /// Epochs behind it, in the order of the log.
    pub(crate) pending: Vec<EpochBody>,
    pub(crate) tail: Option<Tail>,
    /// The last batch that began.
    pub(crate) last_batch: u64,
    /// The last batch known to be on every member.
    pub(crate) settled: u64,
    /// Records of the log are damaged: entries may be missing.
    pub(crate) damaged: bool,
    /// The segments with damage.
    pub(crate) damaged_segments: BTreeSet<u64>,
    /// Batches are missing, and no epoch since vouches for the drive.
    pub(crate) gaps: bool,
    /// The log's segments, ascending.
    pub(crate) segments: Vec<u64>,
    /// Segments that a record says are removed, and whose file is still there.
    pub(crate) leftovers: Vec<u64>,
    /// The highest number of any segment file.
    pub(crate) highest_file: u64,
    /// Where the intact records of the last segment end.
    pub(crate) end: (u64, u64),
}

/// Why a drive's log cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    #[error(transparent)]
    Walk(#[from] WalkError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("its log holds no record of this drive")]
    NoRecords,
}

impl From<std::io::Error> for ScanError {
    fn from(error: std::io::Error) -> Self {
        Self::Walk(WalkError::Io(error))
    }
}

/// Opens a drive's index and brings it up to the committed part of the log.
pub(crate) fn scan(
    drive: &Arc<dyn Drive>,
    watch: &Arc<Watch>,
    identity: &Identity,
    budget: IndexBudget,
) -> Result<Scanned, ScanError> {
    let open_index =
        |fresh| Ok::<_, IndexError>(WatchedIndex::over(open_index(drive, budget, fresh)?, Arc::clone(watch)));
    let stamp = identity.stamp();
    let listed = live_segments(&**drive, stamp)?;
    // What a killed process left in the caches must not be counted before it is durable.
    if let Some(last) = listed.segments.last() {
        drive.sync(*last)?;
    }
    let index = open_index(Fresh::No)?;
    let checkpoint = index.checkpoint()?.filter(|checkpoint| usable(&**drive, checkpoint, stamp, &listed));
    let mut scan = match checkpoint {
        Some(checkpoint) => Scan::new(Applier::new(index, checkpoint)?, listed, identity.drive),
        None => {
            drop(index);
            let index = open_index(Fresh::Yes)?;
            let blank = Checkpoint {
                stamp,
                segment: 0,
                offset: 0,
                seq: Seq(0),
                batch: 0,
                batch_epoch: 0,
                holes: false,
                epoch: None,
                segments: Vec::new(),
            };
            Scan::new(Applier::new(index, blank)?, listed, identity.drive)
        }
    };
    scan.walk(&**drive)?;
    scan.finish()
}

enum Fresh {
    Yes,
    No,
}

fn open_index(
    drive: &Arc<dyn Drive>,
    budget: IndexBudget,
    fresh: Fresh,
) -> Result<Arc<dyn Index>, IndexError> {
    let Some(path) = drive.index_path() else { return Ok(Arc::new(MemoryIndex::of(Arc::clone(drive)))) };
    let marker = rebuild_marker(&path);
    let io = |error: std::io::Error| IndexError::Failed(error.to_string());
    match (fresh, marker.exists()) {
        (Fresh::No, false) => Ok(Arc::new(FjallIndex::open(&path, budget)?)),
        (Fresh::Yes, _) | (_, true) => {
            let index = FjallIndex::create(&path, budget)?;
            if marker.exists() {
                std::fs::remove_file(&marker).map_err(io)?;
            }
            Ok(Arc::new(index))
        }
    }
}

/// A file beside the index that says it failed and is to be rebuilt.
pub(crate) fn rebuild_marker(index: &Path) -> PathBuf {
    index.with_extension("rebuild")
}

/// Applies records as they lie in the log.
pub(crate) fn apply_records(applier: &mut Applier, records: &[TailRecord]) -> Result<(), IndexError> {
    let effects: Vec<Effect<'_>> = records.iter().map(effect).collect();
    applier.apply(&effects)
}

fn effect(record: &TailRecord) -> Effect<'_> {
    Effect {
        seq: record.seq,
        location: record.location,
        ops: &record.body.ops,
        inline: record.body.inline.clone(),
    }
}
