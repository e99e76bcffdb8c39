//! The thread that orders a set's writes.
//!
//! - C1: a draft is answered `Ok` only after its batch is durable on every member and applied to their indexes.
//! - C2: never with fewer members than the geometry needs; a member that fails is recorded as out, durably on
//!   the rest, before anything is answered.
//! - C3: a batch begins only after the one before is answered, so at most the last batch is in doubt after a
//!   crash.
//! - C4: expectations are checked against the index and the drafts before it in the batch, so conditional
//!   writes are atomic.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::index::{IndexError, Row};
use crate::log::epoch::EpochBody;
use crate::log::record::{self, Inline};
use crate::log::writer::Location;
use crate::log::{Op, Seq, Space};
use crate::types::StorageError;

use super::layout::writes_needed;
use super::slot::{Slot, SlotState};
use super::types::{CommitError, Committed, Draft, Entry, Expect, SetSettings};
use super::worker::{Batch, Failure, Job, LocalCopy, Numbered, Reply, Report};
use crate::geometry::Geometry;

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

type Answer<T> = oneshot::Sender<Result<T, CommitError>>;

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

/// What a batch takes beside its entries.
const FRAME_BYTES: u64 = 256;

/// Batches of fewer drafts than this wait for no one.
const GATHER_DRAFTS_MIN: usize = 4;
/// The longest wait for more drafts.
const GATHER_MAX: Duration = Duration::from_micros(300);
/// The set counts as idle after this.
const GATHER_AFTER_MAX: Duration = Duration::from_millis(1);

/// The batch before.
pub(crate) struct LastBatch {
    drafts: usize,
    took: Duration,
    ended: Instant,
}

struct Waiting {
    seq: Seq,
    replaced: Vec<Option<Entry>>,
    answer: Answer<Committed>,
}

/// A batch as it is put together.
#[derive(Default)]
struct Assembly {
    entries: Vec<Numbered>,
    copies: Vec<Vec<LocalCopy>>,
    bytes: usize,
    overlay: HashMap<(Space, Bytes), Option<Entry>>,
    drafts: Vec<Waiting>,
    copied: Vec<Answer<()>>,
    /// Drafts refused because of what this batch will hold: told once the batch is durable (C4).
    refused: Vec<(Answer<Committed>, CommitError)>,
}

pub(crate) fn entry_of(row: &Row) -> Entry {
    Entry { seq: row.seq, value: row.value.clone(), inline: row.inline != Inline::None }
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

    /// One batch and what else waits in front of it.
    fn turn(&mut self, queue: &mut VecDeque<Message>) {
        self.record_failures();
        let mut assembly =
            Assembly { copies: (0..self.slots.len()).map(|_| Vec::new()).collect(), ..Assembly::default() };
        while let Some(message) = queue.pop_front() {
            let bytes = match &message {
                Message::Draft { bytes, .. } | Message::Copies { bytes, .. } => *bytes,
                Message::Filled { .. } | Message::RemoveSegment { .. } => 0,
            };
            let started = !assembly.entries.is_empty() || !assembly.copied.is_empty();
            if started && assembly.bytes + bytes > self.settings.batch_bytes {
                queue.push_front(message);
                break;
            }
            match message {
                Message::Draft { draft, bytes, answer } => {
                    self.figures.waiting_drafts.fetch_sub(1, Ordering::Relaxed);
                    self.figures.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    self.add_draft(&mut assembly, draft, bytes, answer);
                }
                Message::Copies { copies, bytes, answer } => {
                    self.figures.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    self.add_copies(&mut assembly, copies, bytes, answer);
                }
                Message::Filled { slot, answer } => {
                    self.write(std::mem::take(&mut assembly));
                    assembly.copies = (0..self.slots.len()).map(|_| Vec::new()).collect();
                    let _ = answer.send(self.filled(slot));
                }
                Message::RemoveSegment { slot, segment, answer } => {
                    self.write(std::mem::take(&mut assembly));
                    assembly.copies = (0..self.slots.len()).map(|_| Vec::new()).collect();
                    let _ = answer.send(self.remove_segment(slot, segment));
                }
            }
        }
        self.write(assembly);
    }

    /// The slots that take writes.
    fn members(&self) -> Vec<usize> {
        (0..self.slots.len())
            .filter(|&slot| self.workers[slot].is_some() && self.slots[slot].state() != SlotState::Out)
            .collect()
    }

    fn check_members(&self) -> Result<(), StorageError> {
        let healthy = self.members().len();
        let needed = writes_needed(self.geometry);
        if self.halted || healthy < needed {
            return Err(StorageError::TooFewDrives { healthy: healthy.min(needed - 1), needed });
        }
        Ok(())
    }

    /// The current entry of a key: of a drive that holds everything.
    fn current(&self, space: Space, key: &[u8]) -> Result<Option<Row>, StorageError> {
        lookup(&self.slots, self.geometry, |slot| slot.index().map(|index| index.get(space, key)))
    }

    fn add_draft(&mut self, into: &mut Assembly, draft: Draft, bytes: usize, answer: Answer<Committed>) {
        match self.plan_draft(into, draft, bytes) {
            Ok((seq, replaced)) => into.drafts.push(Waiting { seq, replaced, answer }),
            Err(error @ CommitError::Changed { .. }) if !into.overlay.is_empty() => {
                into.refused.push((answer, error));
            }
            Err(error) => {
                let _ = answer.send(Err(error));
            }
        }
    }

    fn plan_draft(
        &mut self,
        into: &mut Assembly,
        draft: Draft,
        bytes: usize,
    ) -> Result<(Seq, Vec<Option<Entry>>), CommitError> {
        self.check_members()?;
        if draft.ops.iter().any(|op| matches!(op, Op::Put { .. })) {
            self.check_room(into.bytes + bytes)?;
        }
        for (space, key, expect) in &draft.expect {
            let found = self.seen(into, *space, key)?;
            let holds = match expect {
                Expect::Any => true,
                Expect::Absent => found.is_none(),
                Expect::Present => found.is_some(),
                Expect::Seq(seq) => found.as_ref().is_some_and(|entry| entry.seq == *seq),
            };
            if !holds {
                return Err(CommitError::Changed { space: *space, key: key.clone(), found });
            }
        }
        let seq = Seq(self.next_seq);
        let mut replaced = Vec::with_capacity(draft.ops.len());
        let mut next = Vec::with_capacity(draft.ops.len());
        for (number, op) in draft.ops.iter().enumerate() {
            replaced.push(self.seen(into, op.space(), op.key())?);
            let inline = number == 0 && draft.inline.is_some();
            next.push(match op {
                Op::Put { value, .. } => Some(Entry { seq, value: value.clone(), inline }),
                Op::Delete { .. } => None,
            });
        }
        for (op, entry) in draft.ops.iter().zip(next) {
            into.overlay.insert((op.space(), op.key().clone()), entry);
        }
        self.next_seq += 1;
        into.bytes += bytes;
        into.entries.push(Numbered { seq, ops: draft.ops, inline: draft.inline });
        Ok((seq, replaced))
    }

    /// What the key holds for the next draft of the batch (C4).
    fn seen(&self, assembly: &Assembly, space: Space, key: &Bytes) -> Result<Option<Entry>, StorageError> {
        if !assembly.overlay.is_empty()
            && let Some(entry) = assembly.overlay.get(&(space, key.clone()))
        {
            return Ok(entry.clone());
        }
        Ok(self.current(space, key)?.as_ref().map(entry_of))
    }

    /// Refuses what would eat into the reserve. A drive that was full is asked again: room may have come back.
    fn check_room(&mut self, bytes: usize) -> Result<(), StorageError> {
        let needed = self.settings.reserve_bytes.saturating_add(bytes as u64);
        for slot in self.members() {
            let Some(worker) = &mut self.workers[slot] else { continue };
            if worker.report.free_bytes >= needed {
                continue;
            }
            if let Ok(space) = self.slots[slot].space() {
                worker.report.free_bytes = space.free_bytes;
            }
            if worker.report.free_bytes < needed {
                return Err(StorageError::Full);
            }
        }
        Ok(())
    }

    fn add_copies(
        &mut self,
        into: &mut Assembly,
        copies: Vec<CopyRequest>,
        bytes: usize,
        answer: Answer<()>,
    ) {
        let result = self.check_members().and_then(|()| {
            let mut keep = Vec::with_capacity(copies.len());
            for request in copies {
                if self.copy_counts(into, &request)? {
                    keep.push(request);
                }
            }
            Ok(keep)
        });
        match result {
            Ok(keep) => {
                into.bytes += bytes;
                for request in keep {
                    into.copies[request.slot].push(request.copy);
                }
                into.copied.push(answer);
            }
            Err(error) => {
                let _ = answer.send(Err(error.into()));
            }
        }
    }

    fn copy_counts(&self, assembly: &Assembly, request: &CopyRequest) -> Result<bool, StorageError> {
        let (space, key) = (request.copy.op.space(), request.copy.op.key());
        let slot = &self.slots[request.slot];
        let (Some(index), true) = (slot.index(), self.members().contains(&request.slot)) else {
            return Err(StorageError::TooFewDrives { healthy: 0, needed: 1 });
        };
        // The batch itself replaces the entry: its own record follows.
        if assembly.overlay.contains_key(&(space, key.clone())) {
            return Ok(false);
        }
        let own = index.get(space, key).map_err(|error| slot.fail_index(&error))?;
        Ok(match &request.when {
            CopyIf::Current(seq) => self.current(space, key)?.is_some_and(|row| row.seq == *seq),
            CopyIf::At(location) => own.is_some_and(|row| row.location == *location),
            CopyIf::NotSince(seq) => own.is_none_or(|row| row.seq < *seq),
            CopyIf::Gone(seq) => {
                own.is_some_and(|row| row.seq == *seq) && self.current(space, key)?.is_none()
            }
        })
    }

    /// Makes a batch durable on every member, applies it, answers (C1, C2).
    fn write(&mut self, mut assembly: Assembly) {
        // A copy may have come before a draft of the same key. The draft's record stands before it in the log,
        // and after a deletion an older copy would bring the entry back.
        let overlay = &assembly.overlay;
        for copies in &mut assembly.copies {
            copies.retain(|copy| !overlay.contains_key(&(copy.op.space(), copy.op.key().clone())));
        }
        if assembly.entries.is_empty() && assembly.copied.is_empty() {
            return;
        }
        let entries = assembly.entries.len();
        let began = Instant::now();
        let result = self.write_all(assembly.entries, assembly.copies, assembly.bytes as u64);
        metrics::histogram!("tarn_commit_batch_drafts").record(entries as f64);
        let took = began.elapsed();
        metrics::histogram!("tarn_commit_batch_seconds").record(took.as_secs_f64());
        self.last = Some(LastBatch { drafts: entries, took, ended: Instant::now() });
        match result {
            Ok(()) => {
                for waiting in assembly.drafts {
                    let Waiting { seq, replaced, answer } = waiting;
                    let _ = answer.send(Ok(Committed { seq, replaced }));
                }
                for answer in assembly.copied {
                    let _ = answer.send(Ok(()));
                }
                for (answer, error) in assembly.refused {
                    let _ = answer.send(Err(error));
                }
            }
            Err(refusal) => {
                for waiting in assembly.drafts {
                    let _ = waiting.answer.send(Err(refusal.error().into()));
                }
                for answer in assembly.copied {
                    let _ = answer.send(Err(refusal.error().into()));
                }
                for (answer, _) in assembly.refused {
                    let _ = answer.send(Err(refusal.error().into()));
                }
            }
        }
    }

    fn write_all(
        &mut self,
        entries: Vec<Numbered>,
        copies: Vec<Vec<LocalCopy>>,
        bytes: u64,
    ) -> Result<(), Refusal> {
        let last = entries.last().map(|entry| entry.seq.0);
        let writers: Vec<usize> = match last {
            Some(_) => self.members(),
            None => self.members().into_iter().filter(|slot| !copies[*slot].is_empty()).collect(),
        };
        self.reserve(&writers, bytes + FRAME_BYTES)?;
        let batch = Arc::new(Batch {
            epoch: self.epoch.number,
            number: if last.is_some() { self.batch + 1 } else { 0 },
            settled: self.batch,
            entries,
            copies,
        });
        let epoch = self.epoch.number;
        self.ask(&writers, || Job::Write(batch.clone()));
        if let Some(seq) = last {
            self.batch += 1;
            self.durable_seq = seq;
        }
        self.record_failures();
        if self.halted {
            return Err(Refusal::Unknown);
        }
        // A batch of another epoch is the same batch: its records are durable on every member that is left.
        debug_assert!(self.epoch.number >= epoch);
        self.ask(&writers, || Job::Apply);
        self.record_failures();
        if self.halted {
            return Err(Refusal::Unknown);
        }
        self.figures.seq.store(self.durable_seq, Ordering::Release);
        self.figures.batch.store(self.batch, Ordering::Relaxed);
        Ok(())
    }

    /// Makes sure that the batch fits into the segment of every drive before anything is written.
    fn reserve(&mut self, writers: &[usize], bytes: u64) -> Result<(), Refusal> {
        let short = |slot: &usize| {
            self.workers[*slot].as_ref().is_some_and(|worker| worker.report.room_bytes < bytes)
        };
        let short: Vec<usize> = writers.iter().copied().filter(short).collect();
        if short.is_empty() {
            return Ok(());
        }
        let full = self.ask(&short, || Job::Reserve { bytes });
        self.record_failures();
        self.check_members().map_err(|_| Refusal::TooFew(self.geometry))?;
        if full { Err(Refusal::Full) } else { Ok(()) }
    }

    /// Gives a job to each of `slots` and waits. A drive that fails or is late is out; one that is full is not,
    /// and the answer is `true`.
    fn ask(&mut self, slots: &[usize], job: impl Fn() -> Job) -> bool {
        self.ticket += 1;
        let mut open: HashSet<usize> = HashSet::new();
        for &slot in slots {
            if self.slots[slot].state() == SlotState::Out {
                continue;
            }
            let sent = self.workers[slot].as_ref().map(|worker| worker.jobs.send((self.ticket, job())));
            match sent {
                Some(Ok(())) => {
                    open.insert(slot);
                }
                Some(Err(_)) | None => self.slots[slot].fail("its thread ended"),
            }
        }
        let mut full = false;
        while !open.is_empty() {
            let reply = match self.replies.recv_timeout(self.settings.drive_timeout) {
                Ok(reply) => reply,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    for slot in open.drain() {
                        self.slots[slot].fail("it did not answer in time");
                    }
                    break;
                }
            };
            let current = reply.ticket == self.ticket && open.remove(&reply.slot);
            match reply.result {
                Ok(report) => {
                    if let Some(worker) = &mut self.workers[reply.slot] {
                        worker.report = report;
                    }
                }
                Err(Failure::Io(error))
                    if current
                        && error.kind() == std::io::ErrorKind::StorageFull
                        && matches!(job(), Job::Reserve { .. }) =>
                {
                    full = true;
                }
                Err(Failure::Index(error)) => {
                    self.slots[reply.slot].fail_index(&error);
                }
                Err(failure @ Failure::Io(_)) => self.slots[reply.slot].fail(&failure.to_string()),
            }
        }
        full
    }

    /// Records drives that failed as out, durably on the rest (C2). Repeats until the rest holds.
    fn record_failures(&mut self) {
        loop {
            let lost: Vec<usize> = (0..self.slots.len())
                .filter(|&slot| self.workers[slot].is_some() && self.slots[slot].state() == SlotState::Out)
                .collect();
            if lost.is_empty() || self.halted {
                return;
            }
            for slot in lost {
                self.workers[slot] = None;
                let member = &mut self.epoch.members[slot];
                member.standing = crate::log::epoch::Standing::Out;
                member.since = self.epoch.number + 1;
                member.valid_through = Seq(self.durable_seq);
            }
            let out = self.slots.iter().filter(|slot| slot.state() == SlotState::Out).count();
            metrics::gauge!("tarn_drives_out_count", "set" => self.set.to_string()).set(out as f64);
            let complete = self.slots.iter().filter(|slot| slot.state() == SlotState::Online).count();
            if self.members().len() < writes_needed(self.geometry) || complete == 0 {
                // Nothing can be acknowledged, so nothing is recorded: the next open sees all drives and decides.
                self.halted = true;
                tracing::error!("too few drives are left: the set takes no writes until it is opened again");
                return;
            }
            self.begin_epoch();
        }
    }

    fn begin_epoch(&mut self) {
        self.epoch.number += 1;
        self.epoch.id = uuid::Uuid::new_v4().as_u128();
        self.epoch.resume_after = Seq(self.durable_seq);
        self.epoch.batch = self.batch;
        self.figures.epoch.store(self.epoch.number, Ordering::Relaxed);
        let body = Arc::new(self.epoch.clone());
        tracing::warn!(epoch = body.number, "a new epoch begins");
        self.ask(&self.members(), || Job::Epoch(body.clone()));
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

/// Why a batch was not acknowledged.
enum Refusal {
    /// Nothing was written.
    Full,
    TooFew(Geometry),
    /// Some drives may hold it.
    Unknown,
}

impl Refusal {
    fn error(&self) -> StorageError {
        match self {
            Self::Full => StorageError::Full,
            Self::TooFew(geometry) => {
                let needed = writes_needed(*geometry);
                StorageError::TooFewDrives { healthy: needed - 1, needed }
            }
            Self::Unknown => StorageError::Unknown,
        }
    }
}

/// Reads from the index of a drive that holds everything; one whose index fails is out and the next is asked.
pub(crate) fn lookup<T>(
    slots: &[Slot],
    geometry: Geometry,
    read: impl Fn(&Slot) -> Option<Result<T, IndexError>>,
) -> Result<T, StorageError> {
    for slot in slots.iter().filter(|slot| slot.state() == SlotState::Online) {
        match read(slot) {
            Some(Ok(found)) => return Ok(found),
            Some(Err(error)) => {
                slot.fail_index(&error);
            }
            None => {}
        }
    }
    Err(StorageError::TooFewDrives { healthy: 0, needed: geometry.data() })
}

/// The bytes a draft takes in each drive's log.
pub(crate) fn draft_bytes(draft: &Draft) -> usize {
    let inline = draft.inline.as_ref().and_then(|shards| shards.iter().map(Bytes::len).max()).unwrap_or(0);
    record::entry_bytes(&draft.ops, inline)
}
