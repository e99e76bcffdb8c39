//! The tail of one drive's log: where the next record goes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::epoch::EpochBody;
use super::record::{self, Header, Inline, Kind, SegmentBody};
use super::{Op, Seq, Space};
use crate::drive::{Drive, is_shortage};

/// Whose log it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) deployment: u128,
    pub(crate) drive: u128,
    pub(crate) set: u16,
    pub(crate) slot: u16,
}

impl Identity {
    /// Eight bytes that stand for the identity in each record.
    pub(crate) fn stamp(&self) -> u64 {
        use sha2::Digest;
        let mut hash = sha2::Sha256::new();
        hash.update(self.deployment.to_le_bytes());
        hash.update(self.drive.to_le_bytes());
        hash.update(self.set.to_le_bytes());
        hash.update(self.slot.to_le_bytes());
        let hash = hash.finalize();
        u64::from_le_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
    }
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Location {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

/// One record to append.
#[derive(Debug)]
pub(crate) enum NewRecord<'a> {
    BatchStart { batch: u64, first_seq: Seq, settled: u64, entries: u32 },
    Entry { batch: u64, seq: Seq, ops: &'a [Op], inline: Inline<&'a [u8]> },
    Copy { batch: u64, seq: Seq, op: &'a Op, inline: Inline<&'a [u8]> },
    Settled { batch: u64 },
    Epoch(&'a EpochBody),
    Removed { segment: u64 },
}

/// Where a log ends.
#[derive(Debug)]
pub(crate) struct LogTail {
    pub(crate) segments: Vec<u64>,
    /// The highest number of any segment file.
    pub(crate) highest: u64,
    /// In the last of `segments`.
    pub(crate) offset: u64,
}

/// Appends to one drive's log.
#[derive(Debug)]
pub(crate) struct LogWriter {
    drive: Arc<dyn Drive>,
    identity: Identity,
    stamp: u64,
    /// The segments there are, ascending; the last one is written.
    segments: Vec<u64>,
    /// The highest number any segment file ever had here: numbers are not used twice.
    highest: u64,
    offset: u64,
    segment_bytes: u64,
    /// Set aside in the current segment, in bytes from its start.
    reserved: u64,
    buffer: Vec<u8>,
}

/// Being full is harmless only where nothing was written yet; a failed sync never is.
fn never_full(error: io::Error) -> io::Error {
    io::Error::other(error)
}

/// How often an append is tried again while the process or the machine lacks something, and the pause before.
const SHORTAGE_TRIES_MAX: usize = 100;
const SHORTAGE_PAUSE: Duration = Duration::from_millis(20);

/// A buffer this large is given back after use.
const BUFFER_KEPT_BYTES: usize = 4 << 20;

impl LogWriter {
    /// A writer behind `offset` of the last of `segments`; with no segments it must [`LogWriter::roll`] first.
    pub(crate) fn new(drive: Arc<dyn Drive>, identity: Identity, tail: LogTail, segment_bytes: u64) -> Self {
        let LogTail { segments, highest, offset } = tail;
        let stamp = identity.stamp();
        let buffer = Vec::new();
        Self { drive, identity, stamp, segments, highest, offset, segment_bytes, reserved: 0, buffer }
    }

    pub(crate) fn segments(&self) -> &[u64] {
        &self.segments
    }

    /// The segment and offset of the next record.
    pub(crate) fn position(&self) -> (u64, u64) {
        (self.segments.last().copied().unwrap_or(0), self.offset)
    }

    /// How many bytes fit without a new segment.
    pub(crate) fn room(&self) -> u64 {
        if self.segments.is_empty() {
            0
        } else {
            self.segment_bytes.max(self.reserved).saturating_sub(self.offset)
        }
    }

    /// Opens a new segment with room for at least `bytes`; `last` are the batch and seq written last. With
    /// `StorageFull` nothing changed.
    pub(crate) fn roll(&mut self, epoch: &EpochBody, last: (u64, Seq), bytes: u64) -> io::Result<()> {
        let segment = self.highest.max(self.segments.last().copied().unwrap_or(0)) + 1;
        let body = SegmentBody {
            deployment: self.identity.deployment,
            drive: self.identity.drive,
            set: self.identity.set,
            slot: self.identity.slot,
            segments: self.segments.clone(),
            previous_bytes: if self.segments.is_empty() { 0 } else { self.offset },
            epoch: epoch.clone(),
        };
        let header = Header {
            kind: Kind::SegmentStart,
            stamp: self.stamp,
            segment,
            offset: 0,
            epoch: epoch.number,
            batch: last.0,
            seq: last.1,
        };
        let mut start = Vec::new();
        record::encode(&mut start, &header, &[], |out| record::encode_segment(out, &body));
        let reserve = self.segment_bytes.max(start.len() as u64 + bytes);
        if let Some(last) = self.segments.last() {
            // Only the end of the last segment may ever be torn.
            self.drive.sync(*last).map_err(never_full)?;
        }
        self.drive.create_segment(segment, reserve)?;
        self.highest = segment;
        self.drive.append(segment, 0, &start).map_err(never_full)?;
        self.drive.sync(segment).map_err(never_full)?;
        self.segments.push(segment);
        self.offset = start.len() as u64;
        self.reserved = reserve;
        Ok(())
    }

    /// Frames a record behind those already framed; answers where it will lie and where in it the shard is.
    pub(crate) fn frame(&mut self, epoch: u64, new: &NewRecord<'_>) -> (Location, u32) {
        let start = self.buffer.len();
        let (kind, batch, seq) = match new {
            NewRecord::BatchStart { batch, first_seq, .. } => (Kind::BatchStart, *batch, *first_seq),
            NewRecord::Entry { batch, seq, .. } => (Kind::Entry, *batch, *seq),
            NewRecord::Copy { batch, seq, .. } => (Kind::Copy, *batch, *seq),
            NewRecord::Settled { batch } => (Kind::Settled, *batch, Seq(0)),
            NewRecord::Epoch(body) => (Kind::Epoch, body.batch, body.resume_after),
            NewRecord::Removed { .. } => (Kind::Removed, 0, Seq(0)),
        };
        let (segment, offset) = (self.position().0, self.offset + start as u64);
        let header = Header { kind, stamp: self.stamp, segment, offset, epoch, batch, seq };
        let mut inline_at = 0;
        let ops = match new {
            NewRecord::Entry { ops, .. } => ops,
            NewRecord::Copy { op, .. } => std::slice::from_ref(*op),
            NewRecord::BatchStart { .. }
            | NewRecord::Settled { .. }
            | NewRecord::Epoch(_)
            | NewRecord::Removed { .. } => &[],
        };
        record::encode(&mut self.buffer, &header, ops, |out| match new {
            NewRecord::BatchStart { settled, entries, .. } => {
                out.extend_from_slice(&settled.to_le_bytes());
                out.extend_from_slice(&entries.to_le_bytes());
            }
            NewRecord::Entry { ops, inline, .. } => inline_at = record::encode_entry(out, ops, inline),
            NewRecord::Copy { op, inline, .. } => {
                inline_at = record::encode_entry(out, std::slice::from_ref(*op), inline);
            }
            NewRecord::Settled { .. } => {}
            NewRecord::Epoch(body) => body.encode(out),
            NewRecord::Removed { segment } => out.extend_from_slice(&segment.to_le_bytes()),
        });
        let len = (self.buffer.len() - start) as u32;
        (Location { segment, offset, len }, (record::HEADER_BYTES + inline_at) as u32)
    }

    /// Appends what was framed. It is durable only after [`LogWriter::sync`].
    pub(crate) fn append(&mut self) -> io::Result<()> {
        let segment = self.position().0;
        let mut result = self.drive.append(segment, self.offset, &self.buffer);
        // Part of it may have been written, and the other drives may hold all of it: it can neither be taken back nor
        // left out. The same bytes at the same place are the same record, so it is tried again.
        for _ in 0..SHORTAGE_TRIES_MAX {
            if !result.as_ref().is_err_and(is_shortage) {
                break;
            }
            std::thread::sleep(SHORTAGE_PAUSE);
            result = self.drive.append(segment, self.offset, &self.buffer);
        }
        if result.is_ok() {
            self.offset += self.buffer.len() as u64;
        }
        self.buffer.clear();
        if self.buffer.capacity() > BUFFER_KEPT_BYTES {
            self.buffer = Vec::new();
        }
        result
    }

    /// Makes everything appended durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.drive.sync(self.position().0)
    }

    /// Takes a segment out of the list that the next segment will carry.
    pub(crate) fn forget(&mut self, segment: u64) {
        assert!(self.segments.last() != Some(&segment), "the last segment is never removed");
        self.segments.retain(|other| *other != segment);
    }
}

/// Reads the shard bytes of an entry back, verified; `None` if the record there is not intact or another.
pub(crate) fn read_inline(
    drive: &dyn Drive,
    stamp: u64,
    location: Location,
    expected: (Seq, Space, &[u8]),
) -> io::Result<Option<Bytes>> {
    let mut bytes = vec![0; location.len as usize];
    drive.read_at(location.segment, location.offset, &mut bytes)?;
    let place = record::Place { stamp, segment: location.segment, offset: location.offset };
    let shard = record::shard_of(&bytes, place, expected);
    Ok(shard.map(|shard| Bytes::from(bytes).slice(shard)))
}
