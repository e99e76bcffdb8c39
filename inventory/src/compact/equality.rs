//! Rows deleted by the values of columns: equality delete files.
//!
//! - E1: a delete applies to rows of files with a lower sequence number; of one key the latest delete counts.
//! - E2: null equals null.

mod key;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use futures::TryStreamExt as _;
use iceberg::spec::{DataFileFormat, TableMetadata, Type};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};

use self::key::Keys;
use super::columns::{Constants, Projection, with_ids};
use super::head::Head;
use super::live::Live;
use super::schema::{Columns, field_of};
use super::stored::StoredFile;
use super::{Compact, KEYS_BYTES_MAX, Stop};
use crate::files::Files;

const OTHER_COLUMNS: Stop = Stop::Unfit("under equality deletes without their columns");

/// Equality deletes that apply to the files of a group.
#[derive(Default)]
pub(super) struct EqualityDeletes {
    sets: Vec<KeySet>,
    bytes: usize,
}

/// The deletes by the same columns.
struct KeySet {
    ids: Vec<i32>,
    /// The sequence number of the latest delete of a key.
    keys: HashMap<Box<[u8]>, i64>,
}

impl EqualityDeletes {
    /// The field ids that any of them asks for.
    pub(super) fn ids(&self) -> Vec<i32> {
        let mut ids: Vec<i32> = self.sets.iter().flat_map(|set| set.ids.iter().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The rows of a batch of a file of this sequence number that stay; `None` when all do.
    pub(super) fn stay(
        &self,
        batch: &RecordBatch,
        columns: &Columns,
        sequence_number: i64,
    ) -> Result<Option<BooleanArray>, Stop> {
        let mut stay = vec![true; batch.num_rows()];
        for set in &self.sets {
            let keys = Keys::new(batch, columns, &set.ids).ok_or(OTHER_COLUMNS)?;
            let mut key = Vec::new();
            for (row, stays) in stay.iter_mut().enumerate() {
                keys.write(row, &mut key);
                let deleted = set.keys.get(&*key).is_some_and(|&latest| latest > sequence_number);
                *stays &= !deleted;
            }
        }
        Ok(if stay.iter().all(|&stays| stays) { None } else { Some(stay.into()) })
    }

    fn add(&mut self, ids: &[i32], key: &[u8], sequence_number: i64) -> Result<(), Stop> {
        /// What an entry of the map takes beside its key.
        const ENTRY_BYTES: usize = 48;
        let at = self.sets.iter().position(|set| set.ids == ids).unwrap_or_else(|| {
            self.sets.push(KeySet { ids: ids.to_vec(), keys: HashMap::new() });
            self.sets.len() - 1
        });
        let keys = &mut self.sets[at].keys;
        if let Some(latest) = keys.get_mut(key) {
            *latest = sequence_number.max(*latest);
            return Ok(());
        }
        self.bytes += key.len() + ENTRY_BYTES;
        if self.bytes > KEYS_BYTES_MAX {
            return Err(Stop::Unfit("under more than 256 MiB of equality deletes"));
        }
        keys.insert(key.into(), sequence_number);
        Ok(())
    }
}

impl Compact<'_> {
    /// Reads equality delete files.
    pub(super) async fn equality(&self, head: &Head, deletes: &[Live]) -> Result<EqualityDeletes, Stop> {
        let mut found = EqualityDeletes::default();
        for delete in deletes {
            self.equality_of(head, delete, &mut found).await?;
        }
        Ok(found)
    }

    async fn equality_of(&self, head: &Head, delete: &Live, found: &mut EqualityDeletes) -> Result<(), Stop> {
        if delete.file().file_format() != DataFileFormat::Parquet || delete.file().key_metadata().is_some() {
            return Err(Stop::Unfit("under equality deletes that are not Parquet, or encrypted"));
        }
        let stored = Stored {
            location: delete.path(),
            size_bytes: delete.file().file_size_in_bytes(),
            ids: delete.file().equality_ids().unwrap_or_default(),
            sequence_number: delete.sequence_number,
        };
        read(self.files, &head.parsed, stored, found).await
    }
}

/// A file of equality deletes.
pub(super) struct Stored<'a> {
    pub(super) location: &'a str,
    pub(super) size_bytes: u64,
    /// The columns that it compares.
    pub(super) ids: Vec<i32>,
    pub(super) sequence_number: i64,
}

/// Adds the deletes of a file.
pub(super) async fn read(
    files: &Arc<Files>,
    table: &TableMetadata,
    stored: Stored<'_>,
    found: &mut EqualityDeletes,
) -> Result<(), Stop> {
    let Stored { location, size_bytes, mut ids, sequence_number } = stored;
    ids.sort_unstable();
    ids.dedup();
    let fields = ids.iter().map(|&id| field_of(table, id).map(Into::into)).collect::<Option<Vec<_>>>();
    let fields: Vec<iceberg::spec::NestedFieldRef> = fields.ok_or(OTHER_COLUMNS)?;
    if fields.is_empty() || fields.iter().any(|field| !matches!(*field.field_type, Type::Primitive(_))) {
        return Err(OTHER_COLUMNS);
    }
    let columns = Columns::new(fields)?;
    let (file, metadata) = StoredFile::new(files, location, size_bytes).open().await?;
    let own = with_ids(metadata.schema().fields(), table)?;
    let projection = Projection::new(&own, columns.schema.as_struct(), &Constants::new())?;
    if !projection.is_whole() {
        return Err(OTHER_COLUMNS);
    }
    let mask = ProjectionMask::roots(metadata.parquet_schema(), projection.roots().iter().copied());
    let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(file, metadata).with_projection(mask);
    let mut batches = builder.build()?;
    let mut key = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        let batch = projection.apply(&batch, &columns.arrow)?;
        let keys = Keys::new(&batch, &columns, &ids).ok_or(OTHER_COLUMNS)?;
        for row in 0..batch.num_rows() {
            keys.write(row, &mut key);
            found.add(&ids, &key, sequence_number)?;
        }
    }
    Ok(())
}
