//! What the records of one drive's log mean, one after the other: which are committed, and what is left in doubt.
//!
//! `scan.rs` opens the log and its index; here the records are weighed as they come.

use std::collections::BTreeSet;

use super::apply::Applier;
use super::scan::{ScanError, Scanned, Tail, TailRecord, apply_records};
use super::segments::Listed;
use crate::drive::Drive;
use crate::log::Seq;
use crate::log::epoch::{EpochBody, Standing};
use crate::log::reader::{SegmentReader, Step};
use crate::log::record::{Body, COPY_GROUP, HEADER_BYTES, Header, Record, SegmentBody};
use crate::log::writer::Location;

/// Effects are applied in portions of this many records.
const PORTION_RECORDS: usize = 4096;
/// Or when this much of the log was read.
const PORTION_BYTES: u64 = 32 << 20;

/// A log being read.
pub(super) struct Scan {
    applier: Applier,
    listed: Listed,
    epoch: Option<EpochBody>,
    pending: Vec<EpochBody>,
    /// Where the first of `pending` lies.
    pending_start: (u64, u64),
    tail: Option<Tail>,
    last_batch: u64,
    settled: u64,
    /// Records of the log are damaged.
    damaged: bool,
    damaged_segments: BTreeSet<u64>,
    /// Batches are missing; what they held may have been refilled (see `evidence`).
    gaps: bool,
    drive: u128,
    ready: Vec<TailRecord>,
    read_bytes: u64,
    /// The last seq in `ready` or applied.
    seq: Seq,
    batch_epoch: u64,
    end: (u64, u64),
    /// Where the segment before the current one ended.
    previous: (u64, u64),
}

impl Scan {
    pub(super) fn new(applier: Applier, listed: Listed, drive: u128) -> Self {
        let at = &applier.checkpoint;
        Self {
            epoch: at.epoch.clone(),
            last_batch: at.batch.max(at.epoch.as_ref().map_or(0, |epoch| epoch.batch)),
            settled: at.batch,
            damaged: at.holes || listed.holes,
            damaged_segments: BTreeSet::new(),
            gaps: false,
            drive,
            seq: at.seq,
            batch_epoch: at.batch_epoch,
            end: (at.segment, at.offset),
            pending: Vec::new(),
            pending_start: (0, 0),
            previous: (0, 0),
            tail: None,
            ready: Vec::new(),
            read_bytes: 0,
            applier,
            listed,
        }
    }

    pub(super) fn walk(&mut self, drive: &dyn Drive) -> Result<(), ScanError> {
        let from = self.end;
        let stamp = self.applier.checkpoint.stamp;
        let segments: Vec<u64> = self.listed.segments.iter().copied().filter(|one| *one >= from.0).collect();
        for segment in segments {
            let offset = if segment == from.0 { from.1 } else { 0 };
            let mut reader = SegmentReader::new(drive, stamp, segment, offset)?;
            self.previous = self.end;
            self.end = (segment, offset);
            loop {
                let at = reader.position();
                match reader.step()? {
                    Step::Record(record) => {
                        self.record(record)?;
                        self.end = (segment, reader.position());
                    }
                    // A record without a body: it can only have been `Settled`, which is not synced.
                    Step::Damage { until } if until - at == HEADER_BYTES as u64 => {}
                    Step::Damage { until } if self.is_crash(drive, (segment, at), until)? => break,
                    Step::Damage { until } => {
                        tracing::warn!(
                            drive.path = drive.label(),
                            segment,
                            from = at,
                            until,
                            "the log is damaged"
                        );
                        self.damaged_segments.insert(segment);
                        self.damage();
                    }
                    Step::Tear if self.listed.segments.last() == Some(&segment) => break,
                    Step::Tear => {
                        tracing::warn!(drive.path = drive.label(), segment, from = at, "the log is damaged");
                        self.damaged_segments.insert(segment);
                        self.damage();
                        break;
                    }
                    Step::End => break,
                }
            }
        }
        Ok(())
    }

    /// Whether what is no record is what a crash left of the last write. One sync covers a whole write, and the
    /// parts of an unsynced write reach the drive in any order: so it is a tear if nothing but the rest of one
    /// write follows.
    fn is_crash(&self, drive: &dyn Drive, from: (u64, u64), until: u64) -> Result<bool, ScanError> {
        if self.listed.segments.last() != Some(&from.0) {
            return Ok(false);
        }
        let mut reader = SegmentReader::new(drive, self.applier.checkpoint.stamp, from.0, until)?;
        let mut write = None;
        loop {
            match reader.step()? {
                Step::Record(Record { header, body: Body::Entry(_) | Body::Copy(_), .. }) => {
                    if *write.get_or_insert(header.batch) != header.batch {
                        return Ok(false);
                    }
                }
                Step::Record(_) => return Ok(false),
                Step::Damage { .. } => {}
                Step::Tear | Step::End => break,
            }
        }
        let Some(write) = write else { return Ok(false) };
        if write & COPY_GROUP != 0 {
            return Ok(write & !COPY_GROUP <= from.1 + HEADER_BYTES as u64);
        }
        if self.pending.iter().any(|epoch| epoch.batch + 1 == write) {
            return Ok(true);
        }
        Ok(match &self.tail {
            Some(tail) => tail.number == write || (tail.is_whole() && tail.number + 1 == write),
            None => self.last_batch + 1 == write,
        })
    }

    fn damage(&mut self) {
        self.damaged = true;
        if let Some(tail) = &mut self.tail {
            tail.holes = true;
        }
    }

    fn record(&mut self, record: Record) -> Result<(), ScanError> {
        let Record { header, body, len } = record;
        let location = Location { segment: header.segment, offset: header.offset, len: len as u32 };
        match body {
            Body::SegmentStart(start) => self.segment_start(&header, start, location)?,
            Body::Epoch(epoch) => self.begin_epoch(epoch, location),
            Body::BatchStart { settled, entries } => {
                self.evidence(header.epoch)?;
                self.commit_tail()?;
                self.gaps |= header.batch != self.last_batch + 1;
                self.settled = self.settled.max(settled);
                self.last_batch = header.batch;
                self.tail = Some(Tail {
                    epoch: header.epoch,
                    number: header.batch,
                    start: (header.segment, header.offset),
                    first_seq: header.seq,
                    entries: Some(entries),
                    records: Vec::new(),
                    copies: Vec::new(),
                    holes: false,
                });
            }
            Body::Entry(body) => {
                self.entry(&header, TailRecord { seq: header.seq, location, body: body.into() })?;
            }
            Body::Copy(body) => {
                let copy = TailRecord { seq: header.seq, location, body: body.into() };
                match &mut self.tail {
                    Some(tail) if tail.number == header.batch => tail.copies.push(copy),
                    // A copy outside a batch is written only after the batch before is settled.
                    Some(_) | None => {
                        self.evidence(header.epoch)?;
                        self.commit_tail()?;
                        self.ready.push(copy);
                    }
                }
            }
            Body::Settled => {
                self.evidence(header.epoch)?;
                self.settled = self.settled.max(header.batch);
                if self.tail.as_ref().is_some_and(|tail| tail.number <= header.batch) {
                    self.commit_tail()?;
                }
            }
            Body::Removed { .. } => {
                self.evidence(header.epoch)?;
                self.commit_tail()?;
            }
        }
        self.read_bytes += len as u64;
        if self.ready.len() >= PORTION_RECORDS || self.read_bytes >= PORTION_BYTES {
            self.read_bytes = 0;
            self.flush()?;
        }
        Ok(())
    }

    /// A segment that is not a drive's first is begun by a set at work: all before it is committed.
    fn segment_start(&mut self, header: &Header, start: SegmentBody, at: Location) -> Result<(), ScanError> {
        let Some(before) = start.segments.last() else {
            self.begin_epoch(start.epoch, at);
            return Ok(());
        };
        if *before == self.previous.0 {
            // The end of a segment is synced before the next begins: a shorter one lost records.
            if self.previous.1 != start.previous_bytes {
                self.damaged_segments.insert(self.previous.0);
                self.damage();
            }
            self.evidence(start.epoch.number)?;
            self.commit_tail()?;
            self.gaps |= header.batch != self.last_batch;
        } else {
            // Segments between were compacted away, or replay begins here.
            self.commit_tail()?;
            self.pending.clear();
            self.epoch = Some(start.epoch);
            self.seq = header.seq;
        }
        self.last_batch = header.batch;
        self.settled = self.settled.max(header.batch);
        Ok(())
    }

    fn begin_epoch(&mut self, epoch: EpochBody, location: Location) {
        if self.pending.is_empty() {
            self.pending_start = (location.segment, location.offset);
        }
        self.pending.push(epoch);
    }

    fn entry(&mut self, header: &Header, record: TailRecord) -> Result<(), ScanError> {
        if self.tail.as_ref().is_none_or(|tail| tail.number != header.batch) {
            // The record that began this batch is damaged.
            self.evidence(header.epoch)?;
            self.commit_tail()?;
            self.damaged = true;
            self.last_batch = header.batch;
            self.tail = Some(Tail {
                epoch: header.epoch,
                number: header.batch,
                start: (header.segment, header.offset),
                first_seq: header.seq,
                entries: None,
                records: Vec::new(),
                copies: Vec::new(),
                holes: true,
            });
        }
        if let Some(tail) = &mut self.tail {
            let expected = tail.first_seq.0 + tail.records.len() as u64;
            tail.holes |= header.seq.0 != expected;
            tail.records.push(record);
        }
        Ok(())
    }

    /// Something was written under the epoch `number`, so it took effect, and its cut with it.
    fn evidence(&mut self, number: u64) -> Result<(), ScanError> {
        if self.epoch.as_ref().is_some_and(|epoch| epoch.number == number) {
            return Ok(());
        }
        let Some(at) = self.pending.iter().position(|epoch| epoch.number == number) else {
            self.damaged = true;
            return Ok(());
        };
        let epoch = self.pending.swap_remove(at);
        self.pending.clear();
        if let Some(mut tail) = self.tail.take() {
            let whole = tail.records.len();
            tail.records.retain(|record| record.seq <= epoch.resume_after);
            if tail.records.len() < whole {
                tail.copies.clear();
            }
            self.gaps |= tail.holes;
            self.accept(tail);
        }
        // An epoch that calls the drive complete vouches for all before it: what it had missed was refilled.
        let complete = epoch
            .members
            .iter()
            .any(|member| member.drive == self.drive && member.standing == Standing::Complete);
        self.gaps = !complete && (self.gaps || self.seq != epoch.resume_after);
        self.seq = epoch.resume_after.max(self.seq);
        self.last_batch = epoch.batch;
        self.settled = self.settled.max(epoch.batch);
        self.epoch = Some(epoch);
        Ok(())
    }

    fn commit_tail(&mut self) -> Result<(), ScanError> {
        if let Some(tail) = self.tail.take() {
            self.gaps |= !tail.is_whole();
            self.settled = self.settled.max(tail.number);
            self.accept(tail);
        }
        Ok(())
    }

    fn accept(&mut self, tail: Tail) {
        if let Some(last) = tail.records.last() {
            self.seq = last.seq;
            self.batch_epoch = tail.epoch;
        }
        self.ready.extend(tail.records);
        self.ready.extend(tail.copies);
    }

    /// Applies what is ready. The checkpoint moves up to the tail's start.
    fn flush(&mut self) -> Result<(), ScanError> {
        let ready = std::mem::take(&mut self.ready);
        let checkpoint = &mut self.applier.checkpoint;
        // What is undecided, the next scan must see again.
        let decided = if self.pending.is_empty() { self.end } else { self.pending_start };
        (checkpoint.segment, checkpoint.offset) = self.tail.as_ref().map_or(decided, |tail| tail.start);
        checkpoint.seq = self.seq;
        checkpoint.batch = self.tail.as_ref().map_or(self.last_batch, |_| self.last_batch.saturating_sub(1));
        checkpoint.batch_epoch = self.batch_epoch;
        checkpoint.epoch = self.epoch.clone();
        checkpoint.holes = self.damaged || self.gaps;
        checkpoint.segments = self.listed.segments.clone();
        apply_records(&mut self.applier, &ready)?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Scanned, ScanError> {
        self.flush()?;
        Ok(Scanned {
            applier: self.applier,
            epoch: self.epoch,
            pending: self.pending,
            tail: self.tail,
            last_batch: self.last_batch,
            settled: self.settled,
            damaged: self.damaged,
            damaged_segments: self.damaged_segments,
            gaps: self.gaps,
            segments: self.listed.segments,
            leftovers: self.listed.leftovers,
            highest_file: self.listed.highest_file,
            end: self.end,
        })
    }
}
