//! One row of a decoding matrix: a wanted shard as a sum of given shards, each multiplied by a
//! constant of GF(2^16).
//!
//! A multiplication is linear over GF(2), so two tables of 256 entries (for the low and the high byte
//! of a symbol) hold it whole. [`derive`] reads the tables off the crate's own decoder, fed with unit
//! vectors; no field arithmetic is repeated here.

use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

use super::codec::CHUNK_BYTES;
use crate::geometry::Geometry;

/// Symbols in a chunk, and where a chunk's high bytes begin.
const LANES: usize = CHUNK_BYTES / 2;
const SYMBOL_BITS: usize = 16;

/// The tables of one wanted shard, one pair for each given shard in ascending order.
pub(crate) struct Row {
    tables: Vec<Table>,
}

struct Table {
    low: [u16; 256],
    high: [u16; 256],
}

impl Row {
    /// Writes the wanted shard to `out`. All slices have one length, a multiple of 64.
    pub(crate) fn apply(&self, given: &[(usize, &[u8])], out: &mut [u8]) {
        assert!(given.len() == self.tables.len(), "one slice for each table");
        assert!(given.iter().all(|(_, bytes)| bytes.len() == out.len()), "slices of one length");
        for (number, chunk) in out.chunks_exact_mut(CHUNK_BYTES).enumerate() {
            let mut symbols = [0u16; LANES];
            for ((_, bytes), table) in given.iter().zip(&self.tables) {
                let at = number * CHUNK_BYTES;
                let (low, high) = bytes[at..at + CHUNK_BYTES].split_at(LANES);
                for lane in 0..LANES {
                    symbols[lane] ^= table.low[usize::from(low[lane])] ^ table.high[usize::from(high[lane])];
                }
            }
            let (low, high) = chunk.split_at_mut(LANES);
            for lane in 0..LANES {
                low[lane] = symbols[lane] as u8;
                high[lane] = (symbols[lane] >> 8) as u8;
            }
        }
    }
}

/// The row that gives shard `wanted` from the shards `given` (ascending, as many as carry data).
pub(crate) fn derive(geometry: Geometry, given: &[usize], wanted: usize) -> Row {
    let symbols = geometry.data() * SYMBOL_BITS;
    let length = (symbols * 2).next_multiple_of(CHUNK_BYTES);
    let units: Vec<Vec<u8>> = (0..given.len()).map(|position| unit(position, length)).collect();
    let shards: Vec<(usize, &[u8])> = given.iter().copied().zip(units.iter().map(Vec::as_slice)).collect();
    let answer = decode_by_crate(geometry, &shards, wanted);
    let tables = (0..given.len())
        .map(|position| {
            let columns: [u16; SYMBOL_BITS] =
                std::array::from_fn(|bit| symbol(&answer, position * SYMBOL_BITS + bit));
            table(&columns)
        })
        .collect();
    Row { tables }
}

/// Shard `wanted` as `reed-solomon-simd` decodes it: the source of the tables and the oracle of tests.
pub(crate) fn decode_by_crate(geometry: Geometry, given: &[(usize, &[u8])], wanted: usize) -> Vec<u8> {
    let data = geometry.data();
    if let Some((_, bytes)) = given.iter().find(|(index, _)| *index == wanted) {
        return bytes.to_vec();
    }
    let length = given[0].1.len();
    let mut decoder =
        ReedSolomonDecoder::new(data, geometry.parity(), length).expect("at most 16 shards of whole chunks");
    for (index, bytes) in given {
        let added = match index.checked_sub(data) {
            None => decoder.add_original_shard(*index, bytes),
            Some(recovery) => decoder.add_recovery_shard(recovery, bytes),
        };
        added.expect("each shard once and of the length announced");
    }
    let decoded = decoder.decode().expect("as many shards as carry data");
    let original = |index: usize| -> &[u8] {
        match given.iter().find(|(at, _)| *at == index) {
            Some((_, bytes)) => bytes,
            None => decoded.restored_original(index).expect("a missing data shard is restored"),
        }
    };
    if wanted < data {
        return original(wanted).to_vec();
    }
    let mut encoder =
        ReedSolomonEncoder::new(data, geometry.parity(), length).expect("at most 16 shards of whole chunks");
    for index in 0..data {
        encoder.add_original_shard(original(index)).expect("of the length announced");
    }
    let encoded = encoder.encode().expect("all shards were added");
    encoded.recovery(wanted - data).expect("a parity shard of the set").to_vec()
}

/// A shard that is zero but for 16 symbols: bit `b` alone at symbol `16 position + b`.
fn unit(position: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for bit in 0..SYMBOL_BITS {
        let (low, high) = places(position * SYMBOL_BITS + bit);
        let symbol = 1u16 << bit;
        bytes[low] = symbol as u8;
        bytes[high] = (symbol >> 8) as u8;
    }
    bytes
}

fn symbol(bytes: &[u8], number: usize) -> u16 {
    let (low, high) = places(number);
    u16::from_le_bytes([bytes[low], bytes[high]])
}

/// Where the two bytes of a symbol lie.
fn places(symbol: usize) -> (usize, usize) {
    let low = symbol / LANES * CHUNK_BYTES + symbol % LANES;
    (low, low + LANES)
}

fn table(columns: &[u16; SYMBOL_BITS]) -> Table {
    let sum = |value: usize, columns: &[u16]| {
        (0..8).filter(|bit| value >> bit & 1 == 1).fold(0, |sum, bit| sum ^ columns[bit])
    };
    Table {
        low: std::array::from_fn(|value| sum(value, &columns[..8])),
        high: std::array::from_fn(|value| sum(value, &columns[8..])),
    }
}
