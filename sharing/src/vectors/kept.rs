//! Deleted rows that were found before (V5).

use std::sync::Arc;

use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use tarn_catalog::manifests::DeleteIndex;

use super::index::{Applied, DataRef, blob};
use super::record::DeletedRows;

/// Names the rows: a hash of the names of the data file and of all that applies to it.
pub(super) type RowsName = [u8; 32];

/// What was found of a data file: its deleted rows, if it has any.
pub(super) type Found = Option<Arc<DeletedRows>>;

/// Rows by their name, those used last.
pub(super) type KeptRows = Cache<RowsName, Found>;

/// Keeps rows of up to `bytes` bytes.
pub(super) fn kept_rows(bytes: u64) -> KeptRows {
    Cache::builder().max_capacity(bytes).weigher(|_: &RowsName, rows: &Found| weight(rows)).build()
}

fn weight(rows: &Found) -> u32 {
    /// What an entry takes beside its rows.
    const ENTRY_BYTES: usize = 256;
    let bytes = ENTRY_BYTES + rows.as_ref().map_or(0, |rows| rows.memory_bytes());
    u32::try_from(bytes).unwrap_or(u32::MAX)
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
