//! The erasure code: Leopard's Reed-Solomon code over GF(2^16), as `reed-solomon-simd` computes it.
//!
//! - C1: parity comes from `reed-solomon-simd`; what is decoded here equals its decoder byte for byte.
//! - C2: a block is coded by position: bytes `64 n..64 n + 64` of the parity depend on the same bytes of
//!   the data alone. So a block row is decoded without the rest of its stripe.
//!
//! The crate's decoder costs about 130 us whatever the length. The code is linear over GF(2), so the
//! matrix of a loss pattern is read off once from that decoder and kept; decoding is then table
//! lookups (`matrix.rs`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reed_solomon_simd::ReedSolomonEncoder;

use super::matrix::{Row, derive};
use crate::geometry::Geometry;

/// The codec's number in stored values (`docs/FORMAT.md`).
pub(crate) const LEOPARD_16: u8 = 1;

/// Shards are a multiple of this: 32 low bytes, then 32 high bytes, of 32 symbols.
pub(crate) const CHUNK_BYTES: usize = 64;

/// How many decoding rows are kept, each `data` KiB. More patterns than that are derived again.
const ROWS_MAX: usize = 512;

/// Encoders kept for the next stripe; each holds a stripe and its parity, so 2 to 4 MiB.
const ENCODERS_MAX: usize = 8;

/// Encodes and decodes for one geometry.
pub(crate) struct Codec {
    geometry: Geometry,
    encoders: Mutex<Vec<ReedSolomonEncoder>>,
    rows: Mutex<HashMap<Pattern, Arc<Row>>>,
}

/// Which shards are given (a bit each), which one is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Pattern {
    given: u16,
    wanted: u8,
}

impl Codec {
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self { geometry, encoders: Mutex::new(Vec::new()), rows: Mutex::new(HashMap::new()) }
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Computes the parity shards of `data`: the data shards one after the other, each
    /// `shard_bytes` long. `parity` is called with each parity shard.
    pub(crate) fn encode(&self, data: &[u8], shard_bytes: usize, mut parity: impl FnMut(usize, &[u8])) {
        assert!(shard_bytes.is_multiple_of(CHUNK_BYTES) && shard_bytes > 0, "shards are whole chunks");
        assert_eq!(data.len(), shard_bytes * self.geometry.data(), "one slice for each data shard");
        if self.geometry.parity() == 0 {
            return;
        }
        let mut encoder = self.encoder(shard_bytes);
        for shard in data.chunks_exact(shard_bytes) {
            encoder.add_original_shard(shard).expect("shards of the length announced");
        }
        let result = encoder.encode().expect("all shards were added");
        for (index, shard) in result.recovery_iter().enumerate() {
            parity(index, shard);
        }
        drop(result);
        let mut kept = self.encoders.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < ENCODERS_MAX {
            kept.push(encoder);
        }
    }

    fn encoder(&self, shard_bytes: usize) -> ReedSolomonEncoder {
        let (data, parity) = (self.geometry.data(), self.geometry.parity());
        let kept = self.encoders.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match kept {
            Some(mut encoder) => {
                encoder.reset(data, parity, shard_bytes).expect("a geometry of at most 16 shards");
                encoder
            }
            None => ReedSolomonEncoder::new(data, parity, shard_bytes).expect("at most 16 shards"),
        }
    }

    /// Computes shard `wanted` from exactly `data` given ones: pairs of index and bytes in
    /// ascending order of index, all of one length.
    pub(crate) fn decode(&self, given: &[(usize, &[u8])], wanted: usize) -> Vec<u8> {
        assert_eq!(given.len(), self.geometry.data(), "as many shards as carry data");
        assert!(wanted < self.geometry.total(), "a shard of the set");
        let length = given[0].1.len();
        assert!(length.is_multiple_of(CHUNK_BYTES), "whole chunks");
        let row = self.row(given, wanted);
        let mut out = vec![0; length];
        row.apply(given, &mut out);
        out
    }

    fn row(&self, given: &[(usize, &[u8])], wanted: usize) -> Arc<Row> {
        let mask = given.iter().fold(0, |mask, (index, _)| mask | (1u16 << index));
        let pattern = Pattern { given: mask, wanted: wanted as u8 };
        if let Some(row) = self.rows.lock().unwrap_or_else(PoisonError::into_inner).get(&pattern) {
            return Arc::clone(row);
        }
        let indexes: Vec<usize> = given.iter().map(|(index, _)| *index).collect();
        let row = Arc::new(derive(self.geometry, &indexes, wanted));
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= ROWS_MAX {
            rows.clear();
        }
        rows.insert(pattern, Arc::clone(&row));
        row
    }
}
