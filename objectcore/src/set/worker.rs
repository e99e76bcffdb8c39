//! The thread of one drive: appends batches to its log, syncs, applies them to its index.
//!
//! - W1: one sync per batch; `Written` is answered only after it.
//! - W2: a batch reaches the index only by `Job::Apply`, which is sent after every member answered.
//! - W3: after a failure the drive writes nothing more: what the failed call left behind is not known.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;

use bytes::Bytes;

use crate::drive::{Drive, is_shortage};
use crate::index::IndexError;
use crate::log::epoch::{EpochBody, Standing};
use crate::log::record::{COPY_GROUP, Inline};
use crate::log::writer::{Location, LogWriter, NewRecord};
use crate::log::{Op, Seq};

use super::apply::{Applier, Effect};
use super::slot::Slot;

/// A draft with its seq.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) seq: Seq,
    pub(crate) ops: Vec<Op>,
    pub(crate) inline: Option<Vec<Bytes>>,
}

/// An older entry that is written again on one drive.
#[derive(Debug)]
pub(crate) struct LocalCopy {
    pub(crate) seq: Seq,
    pub(crate) op: Op,
    pub(crate) inline: Inline<Bytes>,
}

/// What all drives write together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) epoch: u64,
    /// 0 when there are only copies.
    pub(crate) number: u64,
    pub(crate) settled: u64,
    pub(crate) entries: Vec<Numbered>,
    /// By slot.
    pub(crate) copies: Vec<Vec<LocalCopy>>,
}

/// What a drive is asked to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// Make room for this many bytes. With `StorageFull` or a shortage nothing changed.
    Reserve {
        bytes: u64,
    },
    /// Say how the drive stands.
    Report,
    Write(Arc<Batch>),
    Apply,
    Epoch(Arc<EpochBody>),
    RemoveSegment(u64),
    /// Not answered.
    Settle {
        batch: u64,
    },
}

/// Why a drive could not do its job.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// How a drive stands after a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) room_bytes: u64,
    pub(crate) free_bytes: u64,
}

/// An answer; `ticket` is the job's.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) slot: usize,
    pub(crate) ticket: u64,
    pub(crate) result: Result<Report, Failure>,
}

/// A drive's log, index and epoch.
pub(crate) struct Worker {
    pub(crate) slot: Slot,
    pub(crate) drive: Arc<dyn Drive>,
    pub(crate) log: LogWriter,
    pub(crate) applier: Applier,
    pub(crate) epoch: Arc<EpochBody>,
    /// Written and not applied.
    pub(crate) written: Option<Written>,
    pub(crate) failed: bool,
    /// Told when a segment is full.
    pub(crate) compact: Sender<()>,
}

/// Whether an error says that nothing was done for want of room or means.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::StorageFull || is_shortage(error)
}

fn after_failure() -> io::Error {
    io::Error::other("the drive failed before")
}

/// A batch in the log, and where: each record's place and where in it the shard begins.
pub(crate) struct Written {
    batch: Arc<Batch>,
    places: Vec<(Location, u32)>,
}

impl Worker {
    /// Works until the committer hangs up.
    pub(crate) fn run(mut self, jobs: &Receiver<(u64, Job)>, replies: &Sender<Reply>) {
        while let Ok((ticket, job)) = jobs.recv() {
            let silent = matches!(job, Job::Settle { .. });
            let before_any_effect = matches!(job, Job::Reserve { .. });
            let result = if self.failed { Err(Failure::Io(after_failure())) } else { self.work(job) };
            self.failed |= match &result {
                Ok(_) => false,
                Err(Failure::Io(error)) => !(before_any_effect && is_refusal(error)),
                Err(Failure::Index(_)) => true,
            };
            if silent && result.is_ok() {
                continue;
            }
            let reply = Reply { slot: self.slot.number(), ticket, result };
            if replies.send(reply).is_err() {
                return;
            }
        }
    }

    fn work(&mut self, job: Job) -> Result<Report, Failure> {
        match job {
            Job::Reserve { bytes } => {
                let last = (self.applier.checkpoint.batch, self.applier.checkpoint.seq);
                self.log.roll(&self.epoch, last, bytes)?;
                self.publish_segments();
                // A segment that is full is the moment to look for one that is mostly dead.
                let _ = self.compact.send(());
            }
            Job::Report => {}
            Job::Write(batch) => self.write(batch)?,
            Job::Apply => self.apply()?,
            Job::Epoch(epoch) => {
                if self.log.segments().is_empty() {
                    // A blank drive that takes a place: its first segment begins with the epoch.
                    self.log.roll(&epoch, (epoch.batch, epoch.resume_after), 0)?;
                    self.publish_segments();
                } else {
                    self.log.frame(epoch.number, &NewRecord::Epoch(&epoch));
                    self.log.append()?;
                    self.log.sync()?;
                }
                if epoch.members[self.slot.number()].standing == Standing::Complete {
                    self.applier.checkpoint.holes = false;
                    // Filled: segments with damage may go now.
                    let _ = self.compact.send(());
                }
                self.epoch = epoch;
            }
            Job::RemoveSegment(segment) => self.remove_segment(segment)?,
            Job::Settle { batch } => {
                self.log.frame(self.epoch.number, &NewRecord::Settled { batch });
                self.log.append()?;
            }
        }
        self.report()
    }

    pub(crate) fn publish_segments(&self) {
        let mut segments = self.slot.figures().segments();
        segments.clear();
        segments.extend_from_slice(self.log.segments());
    }

    fn report(&self) -> Result<Report, Failure> {
        let (segment, offset) = self.log.position();
        let figures = self.slot.figures();
        figures.segment.store(segment, Ordering::Relaxed);
        figures.offset.store(offset, Ordering::Relaxed);
        match self.drive.space() {
            Ok(space) => figures.note_space(space),
            Err(error) if is_shortage(&error) => {}
            Err(error) => return Err(error.into()),
        }
        let free_bytes = figures.space().map_or(0, |space| space.free_bytes);
        Ok(Report { room_bytes: self.log.room(), free_bytes })
    }

    fn write(&mut self, batch: Arc<Batch>) -> Result<(), Failure> {
        let slot = self.slot.number();
        let mut places = Vec::with_capacity(batch.entries.len() + batch.copies[slot].len());
        if let Some(first) = batch.entries.first() {
            let start = NewRecord::BatchStart {
                batch: batch.number,
                first_seq: first.seq,
                settled: batch.settled,
                entries: batch.entries.len() as u32,
            };
            self.log.frame(batch.epoch, &start);
        }
        for entry in &batch.entries {
            let inline =
                entry.inline.as_ref().map_or(Inline::None, |shards| Inline::Present(&shards[slot][..]));
            let new = NewRecord::Entry { batch: batch.number, seq: entry.seq, ops: &entry.ops, inline };
            places.push(self.log.frame(batch.epoch, &new));
        }
        let group = if batch.entries.is_empty() { COPY_GROUP | self.log.position().1 } else { batch.number };
        for copy in &batch.copies[slot] {
            let inline = match &copy.inline {
                Inline::None => Inline::None,
                Inline::Present(bytes) => Inline::Present(&bytes[..]),
                Inline::Lost => Inline::Lost,
            };
            let new = NewRecord::Copy { batch: group, seq: copy.seq, op: &copy.op, inline };
            places.push(self.log.frame(batch.epoch, &new));
        }
        let before = self.log.position().1;
        self.log.append()?;
        metrics::counter!("tarn_drive_log_written_bytes").increment(self.log.position().1 - before);
        let began = Instant::now();
        self.log.sync()?;
        metrics::histogram!("tarn_drive_sync_seconds").record(began.elapsed().as_secs_f64());
        self.written = Some(Written { batch, places });
        Ok(())
    }

    fn apply(&mut self) -> Result<(), Failure> {
        let Some(Written { batch, places }) = self.written.take() else { return Ok(()) };
        let slot = self.slot.number();
        let mut effects = Vec::with_capacity(places.len());
        let mut place = places.into_iter();
        for (entry, (location, at)) in batch.entries.iter().zip(place.by_ref()) {
            let inline = match &entry.inline {
                Some(shards) => Inline::Present((at, shards[slot].len() as u32)),
                None => Inline::None,
            };
            effects.push(Effect { seq: entry.seq, location, ops: &entry.ops, inline });
        }
        for (copy, (location, at)) in batch.copies[slot].iter().zip(place) {
            let inline = match &copy.inline {
                Inline::Present(bytes) => Inline::Present((at, bytes.len() as u32)),
                Inline::None => Inline::None,
                Inline::Lost => Inline::Lost,
            };
            effects.push(Effect { seq: copy.seq, location, ops: std::slice::from_ref(&copy.op), inline });
        }
        let checkpoint = &mut self.applier.checkpoint;
        (checkpoint.segment, checkpoint.offset) = self.log.position();
        if let Some(last) = batch.entries.last() {
            checkpoint.seq = last.seq;
            checkpoint.batch = batch.number;
            checkpoint.batch_epoch = batch.epoch;
        }
        checkpoint.epoch = Some((*self.epoch).clone());
        checkpoint.segments.clear();
        checkpoint.segments.extend_from_slice(self.log.segments());
        self.applier.apply(&effects)?;
        Ok(())
    }

    fn remove_segment(&mut self, segment: u64) -> Result<(), Failure> {
        let live = self.applier.usage().live().get(&segment).copied().unwrap_or_default();
        let known = self.log.segments().contains(&segment) && self.log.segments().last() != Some(&segment);
        if live.entries > 0 || !known {
            // Never remove what a row points to, whatever compaction says.
            tracing::error!(
                drive.path = self.slot.label(),
                segment,
                live = live.entries,
                "the segment stays"
            );
            return Ok(());
        }
        self.applier.index.sync()?;
        self.log.frame(self.epoch.number, &NewRecord::Removed { segment });
        self.log.append()?;
        self.log.sync()?;
        self.log.forget(segment);
        self.applier.forget(segment)?;
        self.publish_segments();
        match self.drive.remove_segment(segment) {
            // The record says that it is gone; the next open removes the file.
            Err(error) if is_shortage(&error) => Ok(()),
            removed => Ok(removed?),
        }
    }
}
