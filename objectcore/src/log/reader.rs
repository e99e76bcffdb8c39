//! Walks a segment record by record.
//!
//! What is not a record is *damage* where an intact record follows it, and a *tear* where none does: a crash
//! can only cut what was written last.

use std::io;

use super::record::{self, HEADER_BYTES, Invalid, MAGIC, Place, Record};
use crate::drive::Drive;

/// What lies at the reader's position.
#[derive(Debug)]
pub(crate) enum Step {
    /// An intact record.
    Record(Record),
    /// No record until `until`, where one is.
    Damage { until: u64 },
    /// Bytes that are no record up to the end of the segment.
    Tear,
    /// The end.
    End,
}

/// Why a segment cannot be walked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError {
    #[error("the log cannot be read")]
    Io(#[from] io::Error),
    #[error("a record has format version {version}, which is newer than this program")]
    Newer { version: u8 },
}

const WINDOW_BYTES: usize = 1 << 20;

/// Reads one segment from an offset on.
pub(crate) struct SegmentReader<'a> {
    drive: &'a dyn Drive,
    stamp: u64,
    segment: u64,
    len: u64,
    at: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl<'a> SegmentReader<'a> {
    pub(crate) fn new(drive: &'a dyn Drive, stamp: u64, segment: u64, at: u64) -> io::Result<Self> {
        let len = drive.segment_len(segment)?;
        Ok(Self { drive, stamp, segment, len, at, window: Vec::new(), window_start: 0 })
    }

    /// The offset of what [`SegmentReader::step`] answers next.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    /// Reads what is at the position and moves behind it; at a tear or the end it stays.
    pub(crate) fn step(&mut self) -> Result<Step, WalkError> {
        if self.at >= self.len {
            return Ok(Step::End);
        }
        if let Some(record) = self.record_at(self.at)? {
            self.at += record.len as u64;
            return Ok(Step::Record(record));
        }
        match self.next_after(self.at + 1)? {
            Some(until) => {
                self.at = until;
                Ok(Step::Damage { until })
            }
            None => Ok(Step::Tear),
        }
    }

    fn record_at(&mut self, offset: u64) -> Result<Option<Record>, WalkError> {
        let Some(header) = self.view(offset, HEADER_BYTES)? else { return Ok(None) };
        let Ok(len) = record::claimed_len(header) else { return Ok(None) };
        let place = Place { stamp: self.stamp, segment: self.segment, offset };
        let Some(bytes) = self.view(offset, len)? else { return Ok(None) };
        match record::decode(bytes, place) {
            Ok(record) => Ok(Some(record)),
            Err(Invalid::Newer { version }) => Err(WalkError::Newer { version }),
            Err(Invalid::Short { .. } | Invalid::Damaged) => Ok(None),
        }
    }

    fn next_after(&mut self, from: u64) -> Result<Option<u64>, WalkError> {
        let mut at = from;
        while at + HEADER_BYTES as u64 <= self.len {
            let span = (self.len - at).min(WINDOW_BYTES as u64) as usize;
            let Some(bytes) = self.view(at, span)? else { return Ok(None) };
            match bytes.windows(MAGIC.len()).position(|window| window == MAGIC) {
                Some(found) => {
                    let candidate = at + found as u64;
                    if self.record_at(candidate)?.is_some() {
                        return Ok(Some(candidate));
                    }
                    at = candidate + 1;
                }
                None => at += (span - (MAGIC.len() - 1)) as u64,
            }
        }
        Ok(None)
    }

    /// The bytes at `offset`; `None` if the segment ends before.
    fn view(&mut self, offset: u64, len: usize) -> io::Result<Option<&[u8]>> {
        if len as u64 > self.len.saturating_sub(offset) {
            return Ok(None);
        }
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || offset + len as u64 > window_end {
            let wanted = len.max(WINDOW_BYTES).min((self.len - offset) as usize);
            self.window.resize(wanted, 0);
            // On an error the window holds nothing that can be taken for the segment.
            self.window_start = u64::MAX / 2;
            self.drive.read_at(self.segment, offset, &mut self.window)?;
            self.window_start = offset;
        }
        let start = (offset - self.window_start) as usize;
        Ok(Some(&self.window[start..start + len]))
    }
}
