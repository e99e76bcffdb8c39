//! Making a batch durable on every member and applying it, or a drive that fails out.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

use super::assemble::{Assembly, Waiting};
use super::committer::{Committer, LastBatch};
use super::layout::writes_needed;
use super::slot::SlotState;
use super::types::Committed;
use super::worker::{Batch, Failure, Job, LocalCopy, Numbered, is_refusal};
use crate::drive::is_shortage;
use crate::geometry::Geometry;
use crate::index::IndexError;
use crate::log::Seq;
use crate::types::StorageError;

/// What a batch takes beside its entries.
const FRAME_BYTES: u64 = 256;

impl Committer {
    /// Makes a batch durable on every member, applies it, answers (C1, C2).
    pub(super) fn write(&mut self, mut assembly: Assembly) {
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
                self.figures.waiting_changes.told(self.set, assembly.told);
                for waiting in assembly.drafts {
                    let Waiting { replaced, answer } = waiting;
                    let _ = answer.send(Ok(Committed { replaced }));
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
        let refused = self.ask(&short, || Job::Reserve { bytes });
        self.record_failures();
        self.check_members().map_err(|_| Refusal::TooFew(self.geometry))?;
        refused.map_or(Ok(()), Err)
    }

    /// Gives a job to each of `slots` and waits. A drive that fails or is late is out; one that could not make room
    /// is not, and the answer says why.
    pub(super) fn ask(&mut self, slots: &[usize], job: impl Fn() -> Job) -> Option<Refusal> {
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
        let mut refused = None;
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
                    if current && is_refusal(&error) && matches!(job(), Job::Reserve { .. }) =>
                {
                    refused = Some(if is_shortage(&error) { Refusal::Busy } else { Refusal::Full });
                }
                Err(Failure::Index(error @ IndexError::Failed(_))) => {
                    self.slots[reply.slot].fail_index(&error);
                }
                // The batch is in its log; the index is behind, which the next open makes good.
                Err(failure @ Failure::Index(IndexError::Shortage(_))) => {
                    self.slots[reply.slot].fail(&failure.to_string());
                }
                Err(failure @ Failure::Io(_)) => self.slots[reply.slot].fail(&failure.to_string()),
            }
        }
        refused
    }

    /// Records drives that failed as out, durably on the rest (C2). Repeats until the rest holds.
    pub(super) fn record_failures(&mut self) {
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

    pub(super) fn begin_epoch(&mut self) {
        self.epoch.number += 1;
        self.epoch.id = uuid::Uuid::new_v4().as_u128();
        self.epoch.resume_after = Seq(self.durable_seq);
        self.epoch.batch = self.batch;
        self.figures.epoch.store(self.epoch.number, Ordering::Relaxed);
        let body = Arc::new(self.epoch.clone());
        tracing::warn!(epoch = body.number, "a new epoch begins");
        self.ask(&self.members(), || Job::Epoch(body.clone()));
    }
}

/// Why a batch was not acknowledged.
pub(super) enum Refusal {
    /// Nothing was written.
    Full,
    Busy,
    TooFew(Geometry),
    /// Some drives may hold it.
    Unknown,
}

impl Refusal {
    fn error(&self) -> StorageError {
        match self {
            Self::Full => StorageError::Full,
            Self::Busy => StorageError::Busy,
            Self::TooFew(geometry) => {
                let needed = writes_needed(*geometry);
                StorageError::TooFewDrives { healthy: needed - 1, needed }
            }
            Self::Unknown => StorageError::Unknown,
        }
    }
}
