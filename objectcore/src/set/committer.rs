//! The thread that orders a set's writes.
//!
//! - C1: a draft is answered `Ok` only after its batch is durable on every member and applied to their indexes.
//! - C2: never with fewer members than the geometry needs; a member that fails is recorded as out, durably on
//!   the rest, before anything is answered.
//! - C3: a batch begins only after the one before is answered, so at most the last batch is in doubt after a
//!   crash.
//! - C4: expectations are checked against the index and the drafts before it in the batch, so conditional
//!   writes are atomic.
//! - C5: this thread makes no call into a drive: its workers and its reader (`look.rs`) do, and a late one is left
//!   behind.
//!
//! `assemble.rs` puts a batch together, `write.rs` makes it durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::keep::Pinned;
use super::layout::writes_needed;
use super::look::Reader;
use super::outbox::WaitingChanges;
use super::rejoin::Returning;
use super::slot::{Slot, SlotState};
use super::start::join_or_leave;
use super::types::{CommitError, Committed, Draft, SetSettings};
use super::worker::{Job, LocalCopy, Reply, Report};
use crate::geometry::Geometry;
use crate::log::Seq;
use crate::log::epoch::EpochBody;
use crate::log::writer::Location;
use crate::types::StorageError;

/// When a copy still counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CopyIf {
    /// The set's entry has this seq (refill).
    Current(Seq),
    /// The drive's row still lies here (compaction).
    At(Location),
    /// The drive has no row of this seq or a later one (a deletion moved by compaction).
    NotSince(Seq),
    /// The set has no entry and the drive has one of this seq (a leftover of a stale drive).
    Gone(Seq),
}

/// An entry to write again on one drive.
#[derive(Debug)]
pub(crate) struct CopyRequest {
    pub(crate) slot: usize,
    pub(crate) when: CopyIf,
    pub(crate) copy: LocalCopy,
}

pub(super) type Answer<T> = oneshot::Sender<Result<T, CommitError>>;

/// What callers send to the committer.
pub(crate) enum Message {
    Draft {
        draft: Draft,
        bytes: usize,
        answer: Answer<Committed>,
    },
    Copies {
        copies: Vec<CopyRequest>,
        bytes: usize,
        answer: Answer<()>,
    },
    /// The drive holds everything: record it.
    Filled {
        slot: usize,
        answer: Answer<()>,
    },
    /// A drive that was out and can be a member again.
    Rejoin {
        returning: Box<Returning>,
        answer: Answer<()>,
    },
    /// Keep the rows as they are now.
    Keep {
        answer: oneshot::Sender<Result<Pinned, StorageError>>,
    },
    /// Tell the epoch, once it says which drives are out.
    Epoch {
        answer: Answer<EpochBody>,
    },
    /// The segment holds nothing current.
    RemoveSegment {
        slot: usize,
        segment: u64,
        answer: Answer<()>,
    },
}

/// What callers and the committer share.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) waiting_drafts: AtomicUsize,
    pub(crate) waiting_bytes: AtomicUsize,
    pub(crate) epoch: AtomicU64,
    pub(crate) seq: AtomicU64,
    pub(crate) batch: AtomicU64,
    pub(crate) waiting_changes: WaitingChanges,
}

/// A drive's thread as the committer sees it.
pub(crate) struct WorkerHandle {
    pub(crate) jobs: Sender<(u64, Job)>,
    pub(crate) report: Report,
}

pub(crate) struct Committer {
    pub(crate) set: u16,
    pub(crate) settings: SetSettings,
    pub(crate) geometry: Geometry,
    pub(crate) slots: Vec<Slot>,
    pub(crate) workers: Vec<Option<WorkerHandle>>,
    pub(crate) replies: Receiver<Reply>,
    /// For the workers of drives that come back: where they answer, and whom they tell of full segments.
    pub(crate) reply_to: Sender<Reply>,
    pub(crate) compact: Vec<Sender<()>>,
    /// The threads of the workers, those of drives that are out included.
    pub(crate) threads: Vec<JoinHandle<()>>,
    pub(crate) reader: Reader,
    pub(crate) ticket: u64,
    pub(crate) epoch: EpochBody,
    pub(crate) next_seq: u64,
    /// The last seq that is durable on every member.
    pub(crate) durable_seq: u64,
    pub(crate) batch: u64,
    pub(crate) figures: Arc<Figures>,
    pub(crate) last: Option<LastBatch>,
    /// The last batch that was noted as settled.
    pub(crate) settled: u64,
    /// Too few drives are left, or a batch is in doubt: nothing is written any more.
    pub(crate) halted: bool,
}

/// Batches of fewer drafts than this wait for no one.
const GATHER_DRAFTS_MIN: usize = 4;
/// The longest wait for more drafts.
const GATHER_MAX: Duration = Duration::from_micros(300);
/// The set counts as idle after this.
const GATHER_AFTER_MAX: Duration = Duration::from_millis(1);

/// The batch before.
pub(crate) struct LastBatch {
    pub(super) drafts: usize,
    pub(super) took: Duration,
    pub(super) ended: Instant,
}

impl Committer {
    /// Works until every sender is gone, then answers what waits.
    pub(crate) fn run(mut self, inbox: &Receiver<Message>) {
        let mut queue = VecDeque::new();
        loop {
            if queue.is_empty() {
                match inbox.recv() {
                    Ok(message) => queue.push_back(message),
                    Err(_) => break,
                }
            }
            self.collect(inbox, &mut queue);
            self.gather(inbox, &mut queue);
            self.turn(&mut queue);
            if queue.is_empty() {
                match inbox.try_recv() {
                    Ok(message) => queue.push_back(message),
                    Err(TryRecvError::Empty) => self.settle(),
                    Err(TryRecvError::Disconnected) => break,
                }
            }
        }
        self.settle();
        drop(self.workers);
        self.threads.into_iter().for_each(join_or_leave);
        self.reader.close();
    }

    /// Takes what waits, up to one batch.
    fn collect(&self, inbox: &Receiver<Message>, queue: &mut VecDeque<Message>) {
        while queue.len() < self.settings.batch_drafts {
            match inbox.try_recv() {
                Ok(message) => queue.push_back(message),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    /// Under load waits for those who were just answered: they come back one by one, and without this the first
    /// of them would take a sync of its own. An idle set never waits.
    fn gather(&self, inbox: &Receiver<Message>, queue: &mut VecDeque<Message>) {
        let Some(last) = &self.last else { return };
        let wanted = last.drafts * 3 / 4;
        if last.drafts < GATHER_DRAFTS_MIN || last.ended.elapsed() > GATHER_AFTER_MAX {
            return;
        }
        let until = Instant::now() + (last.took / 2).min(GATHER_MAX);
        while queue.len() < wanted {
            match inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(message) => queue.push_back(message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// One batch, or what else stands first.
    fn turn(&mut self, queue: &mut VecDeque<Message>) {
        self.record_failures();
        match queue.pop_front() {
            Some(Message::Filled { slot, answer }) => {
                let _ = answer.send(self.filled(slot));
            }
            Some(Message::RemoveSegment { slot, segment, answer }) => {
                let _ = answer.send(self.remove_segment(slot, segment));
            }
            Some(Message::Rejoin { returning, answer }) => {
                let _ = answer.send(self.rejoin(*returning));
            }
            Some(Message::Keep { answer }) => {
                let kept = self
                    .check_members()
                    .map(|()| Pinned::of(&self.slots, self.geometry, Seq(self.durable_seq)));
                let _ = answer.send(kept);
            }
            Some(Message::Epoch { answer }) => {
                let epoch = self.check_members().map(|()| self.epoch.clone());
                let _ = answer.send(epoch.map_err(Into::into));
            }
            Some(first @ (Message::Draft { .. } | Message::Copies { .. })) => {
                queue.push_front(first);
                let messages = self.take_batch(queue);
                let assembly = self.assemble(messages);
                self.write(assembly);
            }
            None => {}
        }
    }

    /// The drafts and copies at the front of the queue, as many as make a batch.
    fn take_batch(&self, queue: &mut VecDeque<Message>) -> Vec<Message> {
        let mut batch = Vec::new();
        let mut sum = 0;
        while let Some(message) = queue.pop_front() {
            let bytes = match &message {
                Message::Draft { bytes, .. } | Message::Copies { bytes, .. } => *bytes,
                // Theirs is a turn of their own: they change what the drafts behind them find.
                Message::Filled { .. }
                | Message::RemoveSegment { .. }
                | Message::Rejoin { .. }
                | Message::Keep { .. }
                | Message::Epoch { .. } => {
                    queue.push_front(message);
                    break;
                }
            };
            if !batch.is_empty() && sum + bytes > self.settings.batch_bytes {
                queue.push_front(message);
                break;
            }
            sum += bytes;
            batch.push(message);
        }
        batch
    }

    /// The slots that take writes.
    pub(super) fn members(&self) -> Vec<usize> {
        (0..self.slots.len())
            .filter(|&slot| self.workers[slot].is_some() && self.slots[slot].state() != SlotState::Out)
            .collect()
    }

    pub(super) fn check_members(&self) -> Result<(), StorageError> {
        let healthy = self.members().len();
        let needed = writes_needed(self.geometry);
        if self.halted || healthy < needed {
            return Err(StorageError::TooFewDrives { healthy: healthy.min(needed - 1), needed });
        }
        Ok(())
    }

    fn filled(&mut self, slot: usize) -> Result<(), CommitError> {
        self.check_members()?;
        if !self.slots[slot].filled() {
            return Err(StorageError::TooFewDrives { healthy: 0, needed: 1 }.into());
        }
        self.epoch.members[slot].standing = crate::log::epoch::Standing::Complete;
        self.begin_epoch();
        self.record_failures();
        if self.halted { Err(StorageError::Unknown.into()) } else { Ok(()) }
    }

    fn remove_segment(&mut self, slot: usize, segment: u64) -> Result<(), CommitError> {
        self.check_members()?;
        self.ask(&[slot], || Job::RemoveSegment(segment));
        self.record_failures();
        if self.slots[slot].state() == SlotState::Out {
            return Err(StorageError::TooFewDrives { healthy: 0, needed: 1 }.into());
        }
        Ok(())
    }

    /// Notes in the logs that the last batch is on every member. No one waits for it.
    fn settle(&mut self) {
        if self.halted || self.settled == self.batch {
            return;
        }
        self.settled = self.batch;
        self.ticket += 1;
        for slot in self.members() {
            if let Some(worker) = &self.workers[slot] {
                let _ = worker.jobs.send((self.ticket, Job::Settle { batch: self.batch }));
            }
        }
    }
}
