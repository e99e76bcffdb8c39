//! Looking up a data file's rows in equality deletes.

use arrow_array::RecordBatch;
use roaring::RoaringTreemap;

use super::Defaults;
use super::column::Columns;
use super::key::Column;
use super::sets::{KeySet, KeySets, other_types};
use crate::table::TableError;
use crate::vectors::limits::Used;
use crate::vectors::stored::StoredFile;

/// Adds the rows of a data file of this sequence number that `sets` delete.
pub(in crate::vectors) async fn find(
    file: StoredFile,
    sequence_number: i64,
    sets: &[&KeySets],
    defaults: &Defaults,
    used: &Used,
    rows: &mut RoaringTreemap,
) -> Result<(), TableError> {
    let sets: Vec<&KeySet> = sets.iter().flat_map(|sets| sets.after(sequence_number)).collect();
    if sets.is_empty() {
        return Ok(());
    }
    let mut ids: Vec<i32> = sets.iter().flat_map(|set| &set.ids).copied().collect();
    ids.sort_unstable();
    ids.dedup();
    let file = file.open().await?;
    let columns = Columns::new(file.metadata.parquet_schema(), &ids, defaults.mapping())?;
    let mut batches = file.rows(&columns.leaves(), used)?;
    let mut first = 0;
    while let Some(batch) = batches.next().await? {
        let lookups = sets.iter().map(|set| Lookup::new(set, &ids, &columns, &batch, defaults));
        let lookups = lookups.collect::<Result<Vec<_>, _>>()?;
        let mut key = Vec::new();
        for row in 0..batch.num_rows() {
            if lookups.iter().any(|lookup| lookup.deletes(row, sequence_number, &mut key)) {
                rows.insert(first + row as u64);
            }
        }
        first += batch.num_rows() as u64;
    }
    Ok(())
}

/// A set and the columns of a batch that it compares.
struct Lookup<'a> {
    set: &'a KeySet,
    parts: Vec<Part<'a>>,
}

enum Part<'a> {
    Column(Column<'a>),
    /// The key of all rows.
    Default(Vec<u8>),
}

impl<'a> Lookup<'a> {
    fn new(
        set: &'a KeySet,
        ids: &[i32],
        columns: &Columns,
        batch: &'a RecordBatch,
        defaults: &Defaults,
    ) -> Result<Self, TableError> {
        let part = |(id, kind): (&i32, _)| {
            let at = ids.partition_point(|known| known < id);
            match columns.of(batch, at)? {
                Some(column) if column.kind == kind => Ok(Part::Column(column)),
                Some(_) => Err(other_types()),
                None => {
                    let mut key = Vec::new();
                    defaults.write(*id, &mut key)?;
                    Ok(Part::Default(key))
                }
            }
        };
        let parts = set.ids.iter().zip(set.kinds.iter().copied()).map(part);
        Ok(Self { set, parts: parts.collect::<Result<_, _>>()? })
    }

    fn deletes(&self, row: usize, sequence_number: i64, key: &mut Vec<u8>) -> bool {
        key.clear();
        for part in &self.parts {
            match part {
                Part::Column(column) => column.write(row, key),
                Part::Default(own) => key.extend_from_slice(own),
            }
        }
        self.set.keys.get(key.as_slice()).is_some_and(|&latest| latest > sequence_number)
    }
}
