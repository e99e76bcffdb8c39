//! A deletion vector's record: the bytes that Delta keeps in files and Iceberg in Puffin blobs.
//!
//! Length (4 bytes, big-endian, of what follows without the checksum), magic, 64-bit Roaring bitmap in its portable form,
//! CRC-32 of magic and bitmap (4 bytes, big-endian). (Delta protocol, "Deletion Vector File Storage Format"; Puffin spec,
//! `deletion-vector-v1`.)
//!
//! - V2: equal rows have equal bytes: no run containers, which one client cannot read, and no empty bitmaps.

use crc_fast::CrcAlgorithm::Crc32IsoHdlc;
use roaring::{RoaringBitmap, RoaringTreemap};

use crate::table::TableError;

/// What a vector begins with, after its length.
const MAGIC: [u8; 4] = [0xd1, 0xd3, 0x39, 0x64];
/// Length and checksum.
const FRAME_BYTES: usize = 8;
/// The longest record that is read or made.
pub(super) const RECORD_BYTES_MAX: usize = 64 << 20;

/// Deleted rows of a data file, at least one: their positions from 0 on. Equal exactly for the same rows.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletedRows(RoaringTreemap);

/// Why bytes are not read as a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    /// They are none.
    #[error("it is damaged")]
    Damaged,
    /// It would be longer than any that is made here.
    #[error("it has too many rows")]
    TooLarge,
}

impl DeletedRows {
    /// `None` for no rows.
    pub(crate) fn new(rows: &RoaringTreemap) -> Option<Self> {
        let plain = rows.bitmaps().filter(|(_, bitmap)| !bitmap.is_empty()).map(|(key, bitmap)| {
            let mut bitmap = bitmap.clone();
            bitmap.remove_run_compression();
            (key, bitmap)
        });
        let plain = RoaringTreemap::from_bitmaps(plain);
        (!plain.is_empty()).then_some(Self(plain))
    }

    /// How many there are.
    pub fn cardinality(&self) -> u64 {
        self.0.len()
    }

    /// Their positions, ascending.
    pub fn positions(&self) -> impl Iterator<Item = u64> {
        self.0.iter()
    }

    /// What they take in memory, in bytes, roughly.
    pub(super) fn memory_bytes(&self) -> usize {
        const BESIDE: usize = 256;
        self.0.serialized_size() + BESIDE
    }

    /// The record.
    pub(super) fn encode(&self) -> Result<Vec<u8>, TableError> {
        let body_bytes = MAGIC.len() + self.0.serialized_size();
        if body_bytes + FRAME_BYTES > RECORD_BYTES_MAX {
            return Err(too_large());
        }
        let mut record = Vec::with_capacity(body_bytes + FRAME_BYTES);
        record.extend_from_slice(&(body_bytes as u32).to_be_bytes());
        record.extend_from_slice(&MAGIC);
        self.0.serialize_into(&mut record).expect("writing to memory does not fail");
        let sum = crc_fast::checksum(Crc32IsoHdlc, &record[4..]) as u32;
        record.extend_from_slice(&sum.to_be_bytes());
        Ok(record)
    }
}

/// A record is longer than [`RECORD_BYTES_MAX`].
pub(super) fn too_large() -> TableError {
    TableError::TooLarge {
        what: "the deletion vector of a data file".into(),
        most: format!("{} MiB; compact the table", RECORD_BYTES_MAX >> 20),
    }
}

/// The rows of a record.
pub(super) fn decode(record: &[u8]) -> Result<RoaringTreemap, DecodeError> {
    if record.len() > RECORD_BYTES_MAX {
        return Err(DecodeError::TooLarge);
    }
    let mut bitmaps = unframe(record).ok_or(DecodeError::Damaged)?;
    let rows = RoaringTreemap::deserialize_from(&mut bitmaps).map_err(|_| DecodeError::Damaged)?;
    if !bitmaps.is_empty() {
        return Err(DecodeError::Damaged);
    }
    // A run container of ten bytes is one of 8 KiB without runs.
    if rows.bitmaps().map(|(_, bitmap)| plain_bytes_max(bitmap)).sum::<u64>() > RECORD_BYTES_MAX as u64 {
        return Err(DecodeError::TooLarge);
    }
    Ok(rows)
}

/// The serialized bitmaps of a record.
fn unframe(record: &[u8]) -> Option<&[u8]> {
    let (length, rest) = record.split_first_chunk::<4>()?;
    let (body, sum) = rest.split_last_chunk::<4>()?;
    let (magic, bitmaps) = body.split_first_chunk::<4>()?;
    let is_whole = u32::from_be_bytes(*length) as usize == body.len()
        && *magic == MAGIC
        && u64::from(u32::from_be_bytes(*sum)) == crc_fast::checksum(Crc32IsoHdlc, body);
    is_whole.then_some(bitmaps)
}

/// What a bitmap takes without runs, in bytes, at most.
fn plain_bytes_max(bitmap: &RoaringBitmap) -> u64 {
    const CONTAINER_BYTES: u64 = 8 << 10;
    const DESCRIPTION_BYTES: u64 = 8;
    let (Some(first), Some(last)) = (bitmap.min(), bitmap.max()) else { return 0 };
    let containers = u64::from((last >> 16) - (first >> 16)) + 1;
    let rows = bitmap.len();
    (2 * rows).min(containers * CONTAINER_BYTES) + DESCRIPTION_BYTES * containers.min(rows)
}

/// The length that a record tells, of its vector without length and checksum.
pub(super) fn vector_bytes(record: &[u8]) -> u32 {
    (record.len() - FRAME_BYTES) as u32
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::{Strategy as _, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    /// A record as it is, around any body.
    fn framed(bitmaps: &[u8]) -> Vec<u8> {
        let body = [&MAGIC[..], bitmaps].concat();
        let sum = crc_fast::checksum(Crc32IsoHdlc, &body) as u32;
        [&(body.len() as u32).to_be_bytes(), &body[..], &sum.to_be_bytes()].concat()
    }

    /// A record as other writers make them, run containers included.
    pub(in crate::vectors) fn with_runs(rows: &RoaringTreemap) -> Vec<u8> {
        let mut rows = rows.clone();
        rows.optimize();
        let mut bitmaps = Vec::new();
        rows.serialize_into(&mut bitmaps).unwrap();
        framed(&bitmaps)
    }

    #[test]
    fn a_vector_that_delta_wrote_is_read_and_written_with_the_same_bytes() {
        // The example of the Delta protocol, as Delta writes it today.
        let vector =
            "d1d339640100000000000000000000003a3000000100000000000500100000000300040007000b0012001d00";
        let record = framed(&hex::decode(vector).unwrap()[4..]);
        let rows = decode(&record).unwrap();
        assert_eq!(rows.iter().collect::<Vec<_>>(), [3, 4, 7, 11, 18, 29]);
        let rows = DeletedRows::new(&rows).unwrap();
        assert_eq!((rows.cardinality(), rows.encode().unwrap()), (6, record.clone()));
        assert_eq!(vector_bytes(&record), 44);
    }

    #[test]
    fn a_damaged_or_cut_record_is_refused() {
        let rows: RoaringTreemap = [0, 7, 1 << 20, (1 << 33) + 5].into_iter().collect();
        let whole = DeletedRows::new(&rows).unwrap().encode().unwrap();
        assert_eq!(decode(&whole), Ok(rows));
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged), Err(DecodeError::Damaged), "byte {at}");
            assert_eq!(decode(&whole[..at]), Err(DecodeError::Damaged), "cut at {at}");
        }
        assert_eq!(decode(&[&whole[..], &[0]].concat()), Err(DecodeError::Damaged));
    }

    #[test]
    fn empty_bitmaps_of_other_writers_say_nothing_and_are_not_written() {
        // Two bitmaps: one of key 0 without containers, one of key 1 with row 9.
        let empty = hex::decode("000000003a30000000000000").unwrap();
        let nine = hex::decode("010000003a300000010000000000000010000000" /* offsets end here */).unwrap();
        let bitmaps = [&2_u64.to_le_bytes(), &empty[..], &nine, &[9, 0]].concat();
        let rows = DeletedRows::new(&decode(&framed(&bitmaps)).unwrap()).unwrap();
        assert_eq!(rows.positions().collect::<Vec<_>>(), [(1 << 32) + 9]);
        assert_eq!(rows.encode().unwrap()[8..16], 1_u64.to_le_bytes());
    }

    #[test]
    fn a_short_record_of_very_many_rows_is_refused() {
        let mut rows = RoaringTreemap::new();
        rows.insert_range(0..1 << 31);
        let record = with_runs(&rows);
        assert!(record.len() < 1 << 20);
        assert_eq!(decode(&record), Err(DecodeError::TooLarge));
        rows.remove_range(1 << 28..);
        assert_eq!(decode(&with_runs(&rows)).unwrap().len(), 1 << 28);
    }

    fn any_rows() -> impl proptest::strategy::Strategy<Value = RoaringTreemap> {
        let span =
            prop_oneof![0_u64..200_000, (1_u64 << 32)..(1 << 32) + 70_000, (1_u64 << 40)..(1 << 40) + 9];
        let runs = proptest::collection::vec((span, 1_u64..6000), 1..12);
        runs.prop_map(|runs| {
            let mut rows = RoaringTreemap::new();
            for (from, length) in runs {
                rows.insert_range(from..from + length);
                rows.insert(from + 3 * length);
            }
            rows
        })
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(128))]

        #[test]
        fn rows_come_back_however_their_record_was_written(rows in any_rows()) {
            let own = DeletedRows::new(&rows).unwrap();
            let foreign = decode(&with_runs(&rows)).unwrap();
            prop_assert_eq!(&foreign, &rows);
            let again = DeletedRows::new(&foreign).unwrap();
            prop_assert_eq!(&again, &own);
            prop_assert_eq!(again.encode().unwrap(), own.encode().unwrap());
            prop_assert_eq!(decode(&own.encode().unwrap()).unwrap(), rows);
        }

        #[test]
        fn no_record_has_run_containers(rows in any_rows()) {
            let record = DeletedRows::new(&rows).unwrap().encode().unwrap();
            let mut rest = &record[16..record.len() - 4];
            for (key, bitmap) in rows.bitmaps() {
                let mut plain = bitmap.clone();
                plain.remove_run_compression();
                prop_assert_eq!(&rest[..4], key.to_le_bytes());
                // The cookie of bitmaps without run containers.
                prop_assert_eq!(&rest[4..8], 12346_u32.to_le_bytes());
                rest = &rest[4 + plain.serialized_size()..];
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn no_bytes_of_a_bitmap_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&framed(&bytes));
            let _ = decode(&framed(&[&1_u64.to_le_bytes(), &[0; 4][..], &12347_u32.to_le_bytes(), &bytes].concat()));
            let _ = decode(&framed(&[&1_u64.to_le_bytes(), &[0; 4][..], &12346_u32.to_le_bytes(), &bytes].concat()));
        }
    }
}
