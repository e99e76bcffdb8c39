//! Which segments belong to a drive's log, and whether its index may be trusted to follow them.

use super::scan::ScanError;
use crate::drive::Drive;
use crate::index::Checkpoint;
use crate::log::reader::{SegmentReader, Step};
use crate::log::record::{Body, Record};

/// More than this in files without one record is not what a crash leaves.
const TORN_START_BYTES_MAX: u64 = 1 << 20;

/// Whether replay may begin at the checkpoint.
pub(super) fn usable(drive: &dyn Drive, checkpoint: &Checkpoint, stamp: u64, listed: &Listed) -> bool {
    if checkpoint.stamp != stamp {
        return false;
    }
    if checkpoint.segment == 0 {
        return listed.segments.is_empty();
    }
    // A checkpoint behind the end means the log lost what the index has seen.
    let len = drive.segment_len(checkpoint.segment).unwrap_or(0);
    listed.segments.contains(&checkpoint.segment) && checkpoint.offset <= len
}

#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) segments: Vec<u64>,
    pub(super) leftovers: Vec<u64>,
    pub(super) highest_file: u64,
    pub(super) holes: bool,
}

/// The segments that belong to the log: the list in the last segment that was begun, less what was removed
/// since. A file that is not in the list is never replayed.
pub(super) fn live_segments(drive: &dyn Drive, stamp: u64) -> Result<Listed, ScanError> {
    let files = drive.segments()?;
    let mut listed = Listed { highest_file: files.last().copied().unwrap_or(0), ..Listed::default() };
    let mut torn_bytes = 0;
    for (number, &file) in files.iter().enumerate().rev() {
        let mut reader = SegmentReader::new(drive, stamp, file, 0)?;
        match reader.step()? {
            Step::Record(Record { body: Body::SegmentStart(start), .. }) => {
                listed.segments = start.segments;
                listed.segments.push(file);
            }
            Step::Record(_) | Step::Damage { .. } => {
                // Its list is gone. Every file counts, and something may be missing.
                listed.holes = true;
                listed.segments = files[..=number].to_vec();
            }
            // Created and never written: a crash.
            Step::End | Step::Tear => {
                torn_bytes += drive.segment_len(file)?;
                continue;
            }
        }
        loop {
            match reader.step()? {
                Step::Record(Record { body: Body::Removed { segment }, .. }) => {
                    listed.segments.retain(|other| *other != segment);
                    listed.leftovers.push(segment);
                }
                Step::Record(_) | Step::Damage { .. } => {}
                Step::Tear | Step::End => break,
            }
        }
        break;
    }
    if listed.segments.is_empty() && torn_bytes > TORN_START_BYTES_MAX {
        return Err(ScanError::NoRecords);
    }
    let missing = listed.segments.iter().any(|segment| !files.contains(segment));
    listed.holes |= missing;
    listed.segments.retain(|segment| files.contains(segment));
    listed.leftovers.retain(|segment| files.contains(segment));
    Ok(listed)
}
