//! An erasure set: a replicated log of keys and values over its drives, with one shard of each object per drive.
//!
//! ```text
//! commit -> committer (one thread) -> worker per drive: append, sync -> index -> answer
//! ```
//!
//! - S1: what was acknowledged survives a crash and the loss of up to `parity` of its drives.
//! - S2: a draft takes effect whole or not at all, also across crashes.
//! - S3: a read sees every draft acknowledged before it began.
//!
//! What values mean is decided in `object/`; this module knows keys, values and shard bytes only.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::erasure::layout::Coding;
use crate::geometry::Geometry;
use crate::log::record::{Inline, KEY_BYTES_MAX};
use crate::types::StorageError;

mod apply;
mod assemble;
mod committer;
mod compact;
mod decide;
mod entries;
mod fill;
pub(crate) mod format;
mod keep;
pub(crate) mod layout;
mod look;
mod open;
mod outbox;
mod reads;
mod recover;
mod rejoin;
mod replay;
mod scan;
mod segments;
mod slot;
mod stalls;
mod start;
mod types;
mod worker;
mod write;

pub(crate) use crate::log::{Op, Seq, Space};
pub(crate) use entries::Located;
pub(crate) use fill::FillError;
pub(crate) use keep::{Pinned, keep_all};
pub(crate) use layout::{set_of, writes_needed};
pub(crate) use open::open_sets;
pub(crate) use outbox::{Reach, told};
pub(crate) use reads::{Weight, ended};
pub(crate) use slot::Slot;
pub(crate) use types::{CommitError, Committed, Draft, Entry, Expect, Repair};

pub use layout::InvalidLayout;
pub use open::OpenError;
pub(crate) use recover::chain;
pub(crate) use rejoin::RejoinError;
pub use slot::SlotState;
pub use types::SetSettings;

use assemble::draft_bytes;
use committer::{CopyIf, CopyRequest, Figures, Message};
use format::Format;
use reads::Reads;
use start::{join_or_leave, wait_a_while};
use worker::LocalCopy;

/// The most repair requests that wait; more are dropped and counted.
const REPAIRS_WAITING_MAX: usize = 16_384;

struct Shared {
    number: usize,
    /// What `format.json` says of all drives.
    plan: Format,
    geometry: Geometry,
    settings: SetSettings,
    slots: Vec<Slot>,
    figures: Arc<Figures>,
    /// The last seq when it was opened.
    opened_at: u64,
    /// `None` once the set is closed.
    inbox: Mutex<Option<Sender<Message>>>,
    /// Dropped to end the thread that looks for drives that hang.
    stop: Mutex<Option<Sender<()>>>,
    reads: Arc<Reads>,
    /// Writes of shard files that may take a thread of their own.
    writing: Semaphore,
    /// The committer and who looks for drives that hang.
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Drives that are being opened again.
    rejoining: AtomicUsize,
    /// They read from drives that may hang.
    compactors: Mutex<Vec<JoinHandle<()>>>,
    closing: AtomicBool,
    repairs: mpsc::Sender<Repair>,
    repairs_taken: Mutex<Option<mpsc::Receiver<Repair>>>,
}

/// A set of drives. Clones are the same set.
#[derive(Clone)]
pub(crate) struct ErasureSet(Arc<Shared>);

/// How a drive of the set stands.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SlotStatus {
    /// The place in the set.
    pub slot: usize,
    /// The drive's path, or "missing".
    pub path: String,
    /// The drive's id.
    pub drive: uuid::Uuid,
    /// What it is doing.
    pub state: SlotState,
    /// Whether it is slow to answer: reads avoid it.
    pub suspect: bool,
    /// Why it is out.
    pub reason: Option<String>,
    /// Why it did not come back when it was tried last.
    pub stays_out: Option<String>,
    /// Bytes free on it.
    pub free_bytes: Option<u64>,
    /// Bytes it has.
    pub total_bytes: Option<u64>,
    /// The segment its log writes.
    pub log_segment: u64,
    /// The offset there.
    pub log_offset: u64,
    /// How many segments its log has.
    pub log_segments: u64,
}

/// How a set stands.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SetStatus {
    /// The set's number.
    pub set: usize,
    /// Its data and parity shards.
    pub geometry: Geometry,
    /// The epoch of its membership.
    pub epoch: u64,
    /// The last committed seq.
    pub seq: u64,
    /// The last committed batch.
    pub batch: u64,
    /// Its drives.
    pub slots: Vec<SlotStatus>,
}

impl std::fmt::Debug for ErasureSet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ErasureSet({})", self.0.number)
    }
}

fn check_limits(ops: &[Op]) {
    assert!(ops.len() <= usize::from(u16::MAX), "a draft of {} operations is over the limit", ops.len());
    assert!(ops.iter().all(|op| op.key().len() <= KEY_BYTES_MAX), "a key is over the limit");
}

fn busy() -> CommitError {
    metrics::counter!("tarn_commit_refused_busy_total").increment(1);
    StorageError::Busy.into()
}

impl ErasureSet {
    /// The set's number.
    pub(crate) fn number(&self) -> usize {
        self.0.number
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.0.geometry
    }

    /// How new blobs are coded.
    pub(crate) fn coding(&self) -> Coding {
        let SetSettings { stripe_bytes, block_bytes, .. } = self.0.settings;
        Coding { stripe_bytes, block_bytes, ..Coding::new(self.0.geometry) }
    }

    /// What the format of a drive of this set says, but for drive and slot.
    fn format(&self) -> Format {
        Format { set: self.0.number as u16, ..self.0.plan.clone() }
    }

    /// When a drive that is out is tried again: after this long at first, and at most.
    pub(crate) fn rejoin_after(&self) -> (Duration, Duration) {
        (self.0.settings.rejoin_after, self.0.settings.rejoin_after_max)
    }

    /// Whether the set takes writes: then the outcome of every write that was answered is known.
    pub(crate) async fn takes_writes(&self) -> Result<(), StorageError> {
        let (answer, outcome) = oneshot::channel();
        let told = self.tell(Message::Epoch { answer });
        let answered = match told {
            Ok(()) => outcome.await.unwrap_or(Err(StorageError::Closing.into())),
            Err(error) => Err(error),
        };
        match answered {
            Ok(_) => Ok(()),
            Err(CommitError::Storage(error)) => Err(error),
            Err(CommitError::Changed { .. }) => Err(StorageError::Unknown),
        }
    }

    /// The set's drives, by slot.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.0.slots
    }

    /// Commits a draft: durable on every member and applied when this answers (S1, S2, S3). The outcome does
    /// not depend on the caller waiting for it.
    pub(crate) async fn commit(&self, draft: Draft) -> Result<Committed, CommitError> {
        assert!(!draft.ops.is_empty(), "a draft has an operation");
        let shards = draft.inline.as_ref().map_or(self.0.slots.len(), Vec::len);
        assert!(shards == self.0.slots.len(), "a draft has a shard for each slot");
        check_limits(&draft.ops);
        let bytes = draft_bytes(&draft);
        assert!(bytes <= crate::log::record::RECORD_BYTES_MAX, "a draft of {bytes} bytes is over the limit");
        let figures = &self.0.figures;
        if figures.waiting_drafts.fetch_add(1, Ordering::Relaxed) >= self.0.settings.waiting_drafts {
            figures.waiting_drafts.fetch_sub(1, Ordering::Relaxed);
            return Err(busy());
        }
        if figures.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) > self.0.settings.waiting_bytes {
            figures.waiting_drafts.fetch_sub(1, Ordering::Relaxed);
            figures.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(busy());
        }
        let (answer, outcome) = oneshot::channel();
        self.tell(Message::Draft { draft, bytes, answer })?;
        outcome.await.unwrap_or(Err(StorageError::Unknown.into()))
    }

    fn tell(&self, message: Message) -> Result<(), CommitError> {
        let inbox = self.0.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.as_ref().and_then(|inbox| inbox.send(message).ok()).ok_or(StorageError::Closing.into())
    }

    /// Whether every member's index has the entries up to `seq`. An entry is seen as soon as one has it.
    pub(crate) fn is_applied(&self, seq: Seq) -> bool {
        seq.0 <= self.0.figures.seq.load(Ordering::Acquire)
    }

    /// Asks for a shard to be written again. Dropped, and counted, when too many wait.
    pub(crate) fn request_repair(&self, repair: Repair) {
        if self.0.repairs.try_send(repair).is_err() {
            metrics::counter!("tarn_repairs_dropped_total").increment(1);
        }
    }

    /// The stream of repair requests; once.
    pub(crate) fn take_repairs(&self) -> Option<mpsc::Receiver<Repair>> {
        self.0.repairs_taken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Writes an entry again on one drive. Nothing happens if the entry is no longer current. Without `inline`
    /// an entry that has shard bytes is written as lacking them on this drive.
    pub(crate) async fn refill(
        &self,
        slot: usize,
        space: Space,
        key: &[u8],
        entry: &Entry,
        inline: Option<Bytes>,
    ) -> Result<(), CommitError> {
        let key = Bytes::copy_from_slice(key);
        let inline = match inline {
            Some(bytes) => Inline::Present(bytes),
            None if entry.inline => Inline::Lost,
            None => Inline::None,
        };
        let op = Op::Put { space, key, value: entry.value.clone() };
        let copy = LocalCopy { seq: entry.seq, op, inline };
        self.copy(vec![CopyRequest { slot, when: CopyIf::Current(entry.seq), copy }]).await
    }

    /// Writes copies on single drives, those that still count.
    async fn copy(&self, copies: Vec<CopyRequest>) -> Result<(), CommitError> {
        let each = |request: &CopyRequest| {
            let inline = match &request.copy.inline {
                Inline::Present(bytes) => bytes.len(),
                Inline::None | Inline::Lost => 0,
            };
            crate::log::record::entry_bytes([&request.copy.op], inline)
        };
        let bytes = copies.iter().map(each).sum();
        self.0.figures.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let (answer, outcome) = oneshot::channel();
        self.tell(Message::Copies { copies, bytes, answer })?;
        outcome.await.unwrap_or(Err(StorageError::Unknown.into()))
    }

    /// How the set stands.
    pub(crate) fn status(&self) -> SetStatus {
        let figures = &self.0.figures;
        let slots = self.0.slots.iter().map(|slot| {
            // As the drive last said: asking it now could hang.
            let space = slot.figures().space();
            SlotStatus {
                slot: slot.number(),
                path: slot.label().to_owned(),
                drive: uuid::Uuid::from_u128(slot.drive_id()),
                state: slot.state(),
                suspect: slot.is_suspect(),
                reason: slot.reason(),
                stays_out: slot.why_it_stays_out(),
                free_bytes: space.map(|space| space.free_bytes),
                total_bytes: space.map(|space| space.total_bytes),
                log_segment: slot.figures().segment.load(Ordering::Relaxed),
                log_offset: slot.figures().offset.load(Ordering::Relaxed),
                log_segments: slot.figures().segments().len() as u64,
            }
        });
        SetStatus {
            set: self.0.number,
            geometry: self.0.geometry,
            epoch: figures.epoch.load(Ordering::Relaxed),
            seq: figures.seq.load(Ordering::Relaxed),
            batch: figures.batch.load(Ordering::Relaxed),
            slots: slots.collect(),
        }
    }

    /// Whether the set is being closed: long work on its drives stops.
    pub(crate) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Acquire)
    }

    /// Ends the set's threads after what waits is answered. Blocks.
    pub(crate) fn close(&self) {
        self.0.closing.store(true, Ordering::Release);
        drop(self.0.inbox.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!(set = self.0.number, "a thread of the set panicked");
            }
            // The committer was the first and needs the other until it has ended.
            drop(self.0.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        let compactors =
            std::mem::take(&mut *self.0.compactors.lock().unwrap_or_else(PoisonError::into_inner));
        compactors.into_iter().for_each(join_or_leave);
        if !wait_a_while(|| self.0.rejoining.load(Ordering::Acquire) == 0) {
            tracing::error!("a drive that was out does not answer; the thread that tried it is left behind");
        }
    }
}

#[cfg(test)]
mod tests;
