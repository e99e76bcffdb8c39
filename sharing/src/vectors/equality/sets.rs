//! The values that equality deletes of one partition tell.

use std::collections::HashMap;

use super::column::Columns;
use super::key::Kind;
use super::{Defaults, other_columns};
use crate::table::TableError;
use crate::vectors::limits::Used;
use crate::vectors::stored::ParquetFile;

/// What an entry of the map takes beside its key, in bytes.
const ENTRY_BYTES: u64 = 64;

/// Equality deletes by the columns they compare.
#[derive(Debug, Default)]
pub(in crate::vectors) struct KeySets(Vec<KeySet>);

/// Deletes by the same columns.
#[derive(Debug)]
pub(super) struct KeySet {
    /// Field ids, ascending.
    pub(super) ids: Vec<i32>,
    pub(super) kinds: Vec<Kind>,
    /// The sequence number of the latest delete of a key (E1).
    pub(super) keys: HashMap<Box<[u8]>, i64>,
    /// The latest of all.
    pub(super) latest: i64,
}

impl KeySets {
    /// Those with deletes of rows of this sequence number.
    pub(super) fn after(&self, sequence_number: i64) -> impl Iterator<Item = &KeySet> {
        self.0.iter().filter(move |set| set.latest > sequence_number)
    }

    /// Reads a delete file. `ids` are the columns it compares.
    pub(in crate::vectors) async fn read(
        &mut self,
        file: ParquetFile,
        ids: &[i32],
        sequence_number: i64,
        defaults: &Defaults,
        used: &Used,
    ) -> Result<(), TableError> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let columns = Columns::new(file.metadata.parquet_schema(), &ids, defaults.mapping())?;
        if ids.is_empty() || !(0..ids.len()).all(|at| columns.has(at)) {
            return Err(other_columns());
        }
        let mut rows = file.rows(&columns.leaves(), used)?;
        let mut key = Vec::new();
        while let Some(batch) = rows.next().await? {
            let read = (0..ids.len()).map(|at| columns.of(&batch, at)?.ok_or_else(other_columns));
            let read = read.collect::<Result<Vec<_>, _>>()?;
            let set = self.set(&ids, read.iter().map(|column| column.kind))?;
            set.latest = set.latest.max(sequence_number);
            let mut bytes = 0;
            for row in 0..batch.num_rows() {
                key.clear();
                read.iter().for_each(|column| column.write(row, &mut key));
                if let Some(latest) = set.keys.get_mut(&*key) {
                    *latest = sequence_number.max(*latest);
                } else {
                    bytes += key.len() as u64 + ENTRY_BYTES;
                    set.keys.insert(key.as_slice().into(), sequence_number);
                }
            }
            used.keys(bytes)?;
        }
        Ok(())
    }

    fn set(&mut self, ids: &[i32], kinds: impl Iterator<Item = Kind>) -> Result<&mut KeySet, TableError> {
        let kinds: Vec<Kind> = kinds.collect();
        let at = self.0.iter().position(|set| set.ids == ids).unwrap_or_else(|| {
            let (ids, kinds) = (ids.to_vec(), kinds.clone());
            self.0.push(KeySet { ids, kinds, keys: HashMap::new(), latest: i64::MIN });
            self.0.len() - 1
        });
        if self.0[at].kinds != kinds {
            return Err(other_types());
        }
        Ok(&mut self.0[at])
    }
}

/// Files have a column in types that none is promoted to from the other.
pub(super) fn other_types() -> TableError {
    TableError::Invalid("equality deletes compare columns of other types than the data has".into())
}
