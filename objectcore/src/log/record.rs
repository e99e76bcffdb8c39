//! The frame of a record: 64 bytes of header, then the body. All numbers are little-endian.
//!
//! ```text
//!  0  magic "TNRC"        4  version            5  kind          6  zero (2)
//!  8  body length (4)    12  CRC-32C (4) over the record without these four bytes
//! 16  stamp (8)          24  segment (8)      32  offset (8)
//! 40  epoch (8)          48  batch (8)        56  seq (8)      64  body
//! ```
//!
//! - R1: any flipped bit in a record is found: the checksum covers every byte but itself.
//! - R2: a record counts only where it was written: stamp (deployment, drive, set, slot), segment and offset
//!   are part of it, so a misplaced or foreign record, or one inside an object's bytes, is no record.
//! - R3: decoding never panics and never allocates more than the bytes it was given.

use std::ops::Range;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};

use super::epoch::EpochBody;
use super::{Op, Seq, Space};

/// The bytes before the body.
pub(crate) const HEADER_BYTES: usize = 64;
/// The largest record, header included.
pub(crate) const RECORD_BYTES_MAX: usize = 64 << 20;
/// The longest key.
pub(crate) const KEY_BYTES_MAX: usize = u16::MAX as usize;
/// Copies that are written without a batch carry this bit and the offset of the first of them as their batch
/// number: what one sync covers has one number.
pub(crate) const COPY_GROUP: u64 = 1 << 63;
/// The newest record format, and the newest this code reads.
pub(crate) const VERSION: u8 = 2;
/// Of all records but those with operations in [`Space::Journal`]: these would look damaged to readers that do not
/// know the space.
const VERSION_WITHOUT_JOURNAL: u8 = 1;

pub(crate) const MAGIC: [u8; 4] = *b"TNRC";

/// What a record is. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Opens a segment.
    SegmentStart = 1,
    /// Opens a batch.
    BatchStart = 2,
    /// A committed draft.
    Entry = 3,
    /// One operation of an older entry, written again on this drive only (compaction, heal).
    Copy = 4,
    /// All batches up to the header's are known to be on every member.
    Settled = 5,
    /// A new epoch.
    Epoch = 6,
    /// A segment was compacted away.
    Removed = 7,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        const ALL: [Kind; 7] = [
            Kind::SegmentStart,
            Kind::BatchStart,
            Kind::Entry,
            Kind::Copy,
            Kind::Settled,
            Kind::Epoch,
            Kind::Removed,
        ];
        ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// The fields of a header that its writer chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) stamp: u64,
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) epoch: u64,
    pub(crate) batch: u64,
    pub(crate) seq: Seq,
}

/// The shard bytes of an entry on one drive. The numbers are on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inline<B> {
    /// The entry has none on any drive.
    None,
    /// This drive's shard.
    Present(B),
    /// The entry has them, but this drive's shard is lost and waits for repair.
    Lost,
}

/// An entry or copy as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryBody {
    pub(crate) ops: Vec<Op>,
    /// Offset (in the record) and bytes of the shard of the first operation.
    pub(crate) inline: Inline<(u32, Bytes)>,
}

/// The body of the record that opens a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentBody {
    pub(crate) deployment: u128,
    pub(crate) drive: u128,
    pub(crate) set: u16,
    pub(crate) slot: u16,
    /// The live segments before this one, ascending.
    pub(crate) segments: Vec<u64>,
    /// The length of the last of them.
    pub(crate) previous_bytes: u64,
    pub(crate) epoch: EpochBody,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    SegmentStart(SegmentBody),
    BatchStart { settled: u64, entries: u32 },
    Entry(EntryBody),
    Copy(EntryBody),
    Settled,
    Epoch(EpochBody),
    Removed { segment: u64 },
}

/// A record that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) body: Body,
    /// The length on disk in bytes, header included.
    pub(crate) len: usize,
}

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    /// More bytes are needed; how many in all, as far as is known.
    #[error("the record is cut: {needed} bytes are needed")]
    Short { needed: usize },
    /// Not a record, or a damaged one.
    #[error("not an intact record")]
    Damaged,
    /// Intact, but of a newer format.
    #[error("the record has format version {version}, newer than {VERSION}")]
    Newer { version: u8 },
}

/// The drive a record must belong to and the place it must lie at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stamp: u64,
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

fn crc(record: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&record[..12]);
    digest.update(&record[16..]);
    digest.finalize() as u32
}

/// The format of a record with these operations: the oldest that has them.
pub(crate) fn version_of(ops: &[Op]) -> u8 {
    let is_of_journal = |op: &Op| op.space() == Space::Journal;
    if ops.iter().any(is_of_journal) { VERSION } else { VERSION_WITHOUT_JOURNAL }
}

/// Appends a record with these operations to `out`. `body` writes the body behind the header.
pub(crate) fn encode(out: &mut Vec<u8>, header: &Header, ops: &[Op], body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[version_of(ops), header.kind as u8, 0, 0]);
    out.extend_from_slice(&[0; 8]);
    for number in [header.stamp, header.segment, header.offset, header.epoch, header.batch, header.seq.0] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    debug_assert_eq!(out.len() - start, HEADER_BYTES);
    body(out);
    let len = out.len() - start;
    assert!(len <= RECORD_BYTES_MAX, "a record of {len} bytes is over the limit");
    out[start + 8..start + 12].copy_from_slice(&((len - HEADER_BYTES) as u32).to_le_bytes());
    let crc = crc(&out[start..]);
    out[start + 12..start + 16].copy_from_slice(&crc.to_le_bytes());
}

/// The bytes an entry takes on disk, header included.
pub(crate) fn entry_bytes<'a>(ops: impl IntoIterator<Item = &'a Op>, inline_bytes: usize) -> usize {
    let each = |op: &Op| match op {
        Op::Put { key, value, .. } => 8 + key.len() + value.len(),
        Op::Delete { key, .. } => 4 + key.len(),
    };
    HEADER_BYTES + 2 + ops.into_iter().map(each).sum::<usize>() + 5 + inline_bytes
}

/// Writes the body of an entry or copy; answers where in the body its shard begins.
pub(crate) fn encode_entry(out: &mut Vec<u8>, ops: &[Op], inline: &Inline<&[u8]>) -> usize {
    let start = out.len();
    out.extend_from_slice(&u16::try_from(ops.len()).expect("a draft has few operations").to_le_bytes());
    for op in ops {
        let (tag, key) = match op {
            Op::Put { key, .. } => (1, key),
            Op::Delete { key, .. } => (2, key),
        };
        out.extend_from_slice(&[tag, op.space() as u8]);
        out.extend_from_slice(&u16::try_from(key.len()).expect("keys are short").to_le_bytes());
        if let Op::Put { value, .. } = op {
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
        }
        out.extend_from_slice(key);
        if let Op::Put { value, .. } = op {
            out.extend_from_slice(value);
        }
    }
    let (tag, bytes): (u8, &[u8]) = match inline {
        Inline::None => (0, &[]),
        Inline::Present(bytes) => (1, bytes),
        Inline::Lost => (2, &[]),
    };
    out.push(tag);
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    let at = out.len() - start;
    out.extend_from_slice(bytes);
    at
}

pub(crate) fn encode_segment(out: &mut Vec<u8>, body: &SegmentBody) {
    out.extend_from_slice(&body.deployment.to_le_bytes());
    out.extend_from_slice(&body.drive.to_le_bytes());
    out.extend_from_slice(&body.set.to_le_bytes());
    out.extend_from_slice(&body.slot.to_le_bytes());
    out.extend_from_slice(&(body.segments.len() as u32).to_le_bytes());
    for segment in &body.segments {
        out.extend_from_slice(&segment.to_le_bytes());
    }
    out.extend_from_slice(&body.previous_bytes.to_le_bytes());
    body.epoch.encode(out);
}

/// The length of the record that begins with `bytes`, if they can be a record at all. Nothing is verified.
pub(crate) fn claimed_len(bytes: &[u8]) -> Result<usize, Invalid> {
    let Some(header) = bytes.get(..HEADER_BYTES) else {
        return Err(Invalid::Short { needed: HEADER_BYTES });
    };
    let body = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
    if header[..4] != MAGIC || body > RECORD_BYTES_MAX - HEADER_BYTES {
        return Err(Invalid::Damaged);
    }
    Ok(HEADER_BYTES + body)
}

/// The header and all bytes of the record at the start of `bytes` (R1, R2).
fn verified(bytes: &[u8], place: Place) -> Result<(Header, &[u8]), Invalid> {
    let len = claimed_len(bytes)?;
    let Some(record) = bytes.get(..len) else {
        return Err(Invalid::Short { needed: len });
    };
    let mut header = Cursor { bytes: &record[..HEADER_BYTES], at: 4 };
    let version = header.u8()?;
    let kind = header.u8()?;
    let zero = header.u16()?;
    let _len = header.u32()?;
    let expected = header.u32()?;
    let found = Place { stamp: header.u64()?, segment: header.u64()?, offset: header.u64()? };
    if crc(record) != expected || found != place {
        return Err(Invalid::Damaged);
    }
    if version > VERSION {
        return Err(Invalid::Newer { version });
    }
    let kind = Kind::from_number(kind).ok_or(Invalid::Damaged)?;
    if zero != 0 || version == 0 {
        return Err(Invalid::Damaged);
    }
    let header = Header {
        kind,
        stamp: found.stamp,
        segment: found.segment,
        offset: found.offset,
        epoch: header.u64()?,
        batch: header.u64()?,
        seq: Seq(header.u64()?),
    };
    Ok((header, record))
}

/// Reads the record at the start of `bytes` (R1, R2, R3).
pub(crate) fn decode(bytes: &[u8], place: Place) -> Result<Record, Invalid> {
    let (header, record) = verified(bytes, place)?;
    let (kind, len) = (header.kind, record.len());
    let mut body = Cursor { bytes: record, at: HEADER_BYTES };
    let decoded = match kind {
        Kind::SegmentStart => Body::SegmentStart(body.segment()?),
        Kind::BatchStart => Body::BatchStart { settled: body.u64()?, entries: body.u32()? },
        Kind::Entry => Body::Entry(body.entry()?),
        Kind::Copy => Body::Copy(body.entry()?),
        Kind::Settled => Body::Settled,
        Kind::Epoch => Body::Epoch(EpochBody::decode(&mut body)?),
        Kind::Removed => Body::Removed { segment: body.u64()? },
    };
    if body.at != len {
        return Err(Invalid::Damaged);
    }
    Ok(Record { header, body: decoded, len })
}

/// Where in the entry or copy at the start of `bytes` the shard of its first operation lies; `None` unless the record is
/// intact (R1, R2) and that of `expected`. Nothing is copied.
pub(crate) fn shard_of(bytes: &[u8], place: Place, expected: (Seq, Space, &[u8])) -> Option<Range<usize>> {
    let (header, record) = verified(bytes, place).ok()?;
    let mut body = Cursor { bytes: record, at: HEADER_BYTES };
    let ops = match header.kind {
        Kind::Entry | Kind::Copy => body.u16().ok()?,
        Kind::SegmentStart | Kind::BatchStart | Kind::Settled | Kind::Epoch | Kind::Removed => return None,
    };
    let mut first = None;
    for _ in 0..ops {
        let op = body.raw_op().ok()?;
        first.get_or_insert((header.seq, op.space, op.key));
    }
    let (tag, len) = (body.u8().ok()?, body.u32().ok()? as usize);
    let shard = body.at..body.at.checked_add(len)?;
    (first == Some(expected) && tag == 1 && shard.end == record.len()).then_some(shard)
}

/// Reads fields from bytes; running out of them is damage.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// An operation as it lies in a record.
struct RawOp<'a> {
    space: Space,
    key: &'a [u8],
    /// `None` deletes.
    value: Option<&'a [u8]>,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The bytes not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Invalid> {
        let end = self.at.checked_add(len).ok_or(Invalid::Damaged)?;
        let taken = self.bytes.get(self.at..end).ok_or(Invalid::Damaged)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Invalid> {
        self.take(N)?.try_into().map_err(|_| Invalid::Damaged)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Invalid> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Invalid> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Invalid> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Invalid> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn u128(&mut self) -> Result<u128, Invalid> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    fn raw_op(&mut self) -> Result<RawOp<'a>, Invalid> {
        let tag = self.u8()?;
        let space = Space::from_number(self.u8()?).ok_or(Invalid::Damaged)?;
        let key_len = usize::from(self.u16()?);
        match tag {
            1 => {
                let value_len = self.u32()? as usize;
                let key = self.take(key_len)?;
                Ok(RawOp { space, key, value: Some(self.take(value_len)?) })
            }
            2 => Ok(RawOp { space, key: self.take(key_len)?, value: None }),
            _ => Err(Invalid::Damaged),
        }
    }

    fn op(&mut self) -> Result<Op, Invalid> {
        let RawOp { space, key, value } = self.raw_op()?;
        let key = Bytes::copy_from_slice(key);
        Ok(match value {
            Some(value) => Op::Put { space, key, value: Bytes::copy_from_slice(value) },
            None => Op::Delete { space, key },
        })
    }

    fn entry(&mut self) -> Result<EntryBody, Invalid> {
        let count = self.u16()?;
        let mut ops = Vec::with_capacity(usize::from(count.min(64)));
        for _ in 0..count {
            ops.push(self.op()?);
        }
        let tag = self.u8()?;
        let len = self.u32()? as usize;
        let at = self.at as u32;
        let bytes = self.take(len)?;
        let inline = match (tag, len) {
            (0, 0) => Inline::None,
            (1, _) => Inline::Present((at, Bytes::copy_from_slice(bytes))),
            (2, 0) => Inline::Lost,
            _ => return Err(Invalid::Damaged),
        };
        if ops.is_empty() {
            return Err(Invalid::Damaged);
        }
        Ok(EntryBody { ops, inline })
    }

    fn segment(&mut self) -> Result<SegmentBody, Invalid> {
        let (deployment, drive) = (self.u128()?, self.u128()?);
        let (set, slot) = (self.u16()?, self.u16()?);
        let count = self.u32()?;
        let mut segments = Vec::new();
        for _ in 0..count {
            segments.push(self.u64()?);
        }
        let previous_bytes = self.u64()?;
        let epoch = EpochBody::decode(self)?;
        Ok(SegmentBody { deployment, drive, set, slot, segments, previous_bytes, epoch })
    }
}
