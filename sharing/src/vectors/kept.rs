//! Deleted rows that were found before (V5).

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tarn_catalog::manifests::DeleteIndex;

use super::index::{Applied, DataRef, blob};
use super::record::DeletedRows;

/// Names the rows: a hash of the names of the data file and of all that applies to it.
pub(super) type RowsName = [u8; 32];

/// What was found of a data file: its deleted rows, if it has any.
pub(super) type Found = Option<Arc<DeletedRows>>;

/// Rows by their name, those used last.
///
/// Two generations: when the younger has filled its half, the older one goes.
pub(super) struct KeptRows {
    bytes_max: usize,
    young_bytes: usize,
    young: HashMap<RowsName, Found>,
    old: HashMap<RowsName, Found>,
}

/// What an entry takes beside its rows.
const ENTRY_BYTES: usize = 128;

impl KeptRows {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, young_bytes: 0, young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn get(&mut self, name: &RowsName) -> Option<Found> {
        if let Some(rows) = self.young.get(name) {
            return Some(rows.clone());
        }
        let rows = self.old.get(name)?.clone();
        self.insert(*name, rows.clone());
        Some(rows)
    }

    pub(super) fn insert(&mut self, name: RowsName, rows: Found) {
        let bytes = ENTRY_BYTES + rows.as_ref().map_or(0, |rows| rows.memory_bytes());
        if bytes > self.bytes_max / 4 {
            return;
        }
        if self.young_bytes + bytes > self.bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(name, rows).is_none() {
            self.young_bytes += bytes;
        }
    }
}

/// The name of a data file's deleted rows. `beside` is what they depend on beside these files.
pub(super) fn name(data: &DataRef<'_>, applied: &Applied, index: &DeleteIndex, beside: &str) -> RowsName {
    let mut hash = Sha256::new();
    let mut text = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    [data.location, data.at.bucket, data.at.key, beside].into_iter().for_each(&mut text);
    applied.all().for_each(|at| text(&index.file(at).file().path));
    for number in [data.size, data.records, data.sequence_number as u64] {
        hash.update(number.to_le_bytes());
    }
    for delete in applied.all().map(|at| index.file(at)) {
        let offset = blob(delete.file()).map_or(u64::MAX, |(offset, _)| offset);
        for number in [offset, delete.file().size_bytes as u64, delete.sequence_number() as u64] {
            hash.update(number.to_le_bytes());
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use roaring::RoaringTreemap;

    use super::*;

    fn rows(of: std::ops::Range<u64>) -> Found {
        DeletedRows::new(&of.collect::<RoaringTreemap>()).map(Arc::new)
    }

    #[test]
    fn what_was_used_last_stays_and_the_memory_is_bounded() {
        let one = ENTRY_BYTES + rows(0..10).unwrap().memory_bytes();
        let mut kept = KeptRows::new(8 * one);
        for number in 0..100 {
            kept.insert([number; 32], rows(0..10));
            assert!(kept.get(&[0; 32]).is_some(), "it was used after number {number}");
            assert!(kept.young.len() + kept.old.len() <= 9);
        }
        assert!(kept.get(&[50; 32]).is_none());
        kept.insert([200; 32], rows(0..60_000));
        assert!(kept.get(&[200; 32]).is_none(), "it is too large to be kept");
    }
}
