//! The bytes of one object of the catalog log, and the same framing for checkpoints.
//!
//! - R1: a record names its sequence number and the hash of the record before it, so a record in
//!   the wrong place, or of another log, is refused.
//! - R2: the CRC covers every byte before it and the whole body, so no flipped byte is accepted.
//! - R3: two records with the same put-id are the same append. Nothing else may be read from a
//!   put-id.
//!
//! What a body means is decided in `commit/batch.rs`, not here. Layout: docs/FORMAT.md.

use bytes::{BufMut, Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::{PutId, Seq};

const MAGIC: [u8; 8] = *b"TARNCLOG";
const VERSION: u16 = 1;
const HEADER_LEN: usize = 76;
const CRC_AT: usize = 72;

/// The longest body a record may carry.
pub(crate) const BODY_BYTES_MAX: usize = 256 << 20;

/// SHA-256 over all bytes of a record: what the next record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHash(pub(crate) [u8; 32]);

impl RecordHash {
    /// What the first record of a log carries.
    pub(crate) const NONE: Self = Self([0; 32]);

    pub(crate) fn of(record: &[u8]) -> Self {
        Self(Sha256::digest(record).into())
    }
}

/// What the body is. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// A batch of commits.
    Batch = 1,
    /// A writer took the log over; no body. Every writer before it is fenced off.
    Fence = 2,
}

/// A record that passed every check of this module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: RecordKind,
    pub(crate) seq: Seq,
    pub(crate) put_id: PutId,
    pub(crate) previous: RecordHash,
    pub(crate) body: Bytes,
}

/// Why bytes are not a record. Bytes that are not a record are never guessed at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("the record is {found} bytes long, a header takes {HEADER_LEN}")]
    Short { found: usize },
    #[error("the record does not begin with the catalog log's magic")]
    Magic,
    #[error("the record has format version {found}, this program reads version {VERSION}")]
    Version { found: u16 },
    #[error("the record's kind {found} is not known")]
    Kind { found: u16 },
    #[error("the record says its body is {said} bytes long, {found} follow")]
    Length { said: u32, found: usize },
    #[error("the record's checksum does not match its bytes")]
    Checksum,
}

impl Record {
    pub(crate) fn encode(&self) -> Bytes {
        assert!(self.body.len() <= BODY_BYTES_MAX, "the writer bounds its batches");
        let mut bytes = BytesMut::with_capacity(HEADER_LEN + self.body.len());
        bytes.put_slice(&MAGIC);
        bytes.put_u16_le(VERSION);
        bytes.put_u16_le(self.kind as u16);
        bytes.put_u32_le(self.body.len() as u32);
        bytes.put_u64_le(self.seq.0);
        bytes.put_slice(self.put_id.0.as_bytes());
        bytes.put_slice(&self.previous.0);
        bytes.put_u32_le(checksum(&bytes, &self.body));
        bytes.put_slice(&self.body);
        bytes.freeze()
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, RecordError> {
        if bytes.len() < HEADER_LEN {
            return Err(RecordError::Short { found: bytes.len() });
        }
        if bytes[0..8] != MAGIC {
            return Err(RecordError::Magic);
        }
        let version = u16::from_le_bytes(array(&bytes[8..10]));
        if version != VERSION {
            return Err(RecordError::Version { found: version });
        }
        let said = u32::from_le_bytes(array(&bytes[12..16]));
        let body = bytes.slice(HEADER_LEN..);
        if said as usize != body.len() {
            return Err(RecordError::Length { said, found: body.len() });
        }
        if u32::from_le_bytes(array(&bytes[CRC_AT..HEADER_LEN])) != checksum(&bytes[..CRC_AT], &body) {
            return Err(RecordError::Checksum);
        }
        let kind = match u16::from_le_bytes(array(&bytes[10..12])) {
            1 => RecordKind::Batch,
            2 => RecordKind::Fence,
            found => return Err(RecordError::Kind { found }),
        };
        Ok(Self {
            kind,
            seq: Seq(u64::from_le_bytes(array(&bytes[16..24]))),
            put_id: PutId(uuid::Uuid::from_bytes(array(&bytes[24..40]))),
            previous: RecordHash(array(&bytes[40..72])),
            body,
        })
    }
}

/// CRC-32C over a header up to its checksum, then the body.
pub(crate) fn checksum(header: &[u8], body: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(header);
    digest.update(body);
    digest.finalize() as u32
}

/// The slice as an array; its length is known where it is cut.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn record(body: &[u8]) -> Record {
        Record {
            kind: RecordKind::Batch,
            seq: Seq(7),
            put_id: PutId(uuid::Uuid::from_u128(0x1111_2222_3333_4444_5555_6666_7777_8888)),
            previous: RecordHash([9; 32]),
            body: Bytes::copy_from_slice(body),
        }
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        for body in [&b""[..], b"x", &[0; 4096]] {
            assert_eq!(Record::decode(&record(body).encode()).unwrap(), record(body));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let bytes = record(b"a small body").encode();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut broken = bytes.to_vec();
                broken[at] ^= 1 << bit;
                assert!(Record::decode(&broken.into()).is_err(), "bit {bit} of byte {at}");
            }
            assert!(Record::decode(&bytes.slice(..at)).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_version_is_refused_by_its_number() {
        let mut bytes = record(b"").encode().to_vec();
        bytes[8] = 2;
        assert_eq!(Record::decode(&bytes.into()), Err(RecordError::Version { found: 2 }));
    }

    #[test]
    fn version_1_is_byte_stable() {
        let expected = "5441524e434c4f4701000100020000000700000000000000111122223333444455556666\
                        777788880909090909090909090909090909090909090909090909090909090909090909f9b1\
                        82a56869";
        assert_eq!(hex::encode(record(b"hi").encode()), expected.replace(' ', ""));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(&bytes.into());
        }
    }
}
