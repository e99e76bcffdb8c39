//! Data files as they are told.

use std::collections::HashMap;

use tarn_catalog::manifests::{Content, Entry, ManifestFile};
use tarn_catalog::metadata::TableMetadata;

use super::partition::{ManifestPartitions, Values};
use super::shape::Shape;
use crate::table::{DataFile, TableError};
use crate::vectors::PlaceOf;

/// Tells data files of a version.
pub(super) struct Teller<'a> {
    pub(super) shape: &'a Shape,
    pub(super) place: &'a PlaceOf<'static>,
    /// When each snapshot was made, in milliseconds since 1970.
    pub(super) times: &'a HashMap<i64, i64>,
}

/// When each snapshot of a table was made, in milliseconds since 1970.
pub(super) fn times(metadata: &TableMetadata) -> HashMap<i64, i64> {
    metadata.snapshots().map(|snapshot| (snapshot.id(), snapshot.timestamp_ms())).collect()
}

/// What is told of a file and not borrowed from its entry.
pub(super) struct Told {
    pub(super) values: Values,
    stats: String,
    pub(super) records: u64,
    pub(super) size: u64,
    modified_ms: i64,
}

impl Teller<'_> {
    /// What is told of a live entry of a data manifest.
    pub(super) fn told(
        &self,
        entry: &Entry,
        listed: &ManifestFile,
        partitions: &ManifestPartitions<'_>,
    ) -> Result<Told, TableError> {
        let file = &entry.file;
        check(entry)?;
        let positive = |number: i64| {
            let why = || TableError::Invalid("a manifest has a negative count".into());
            u64::try_from(number).map_err(|_| why())
        };
        let records = positive(file.record_count)?;
        // A snapshot that is expired does not say when it was: this version had the file.
        let added_by = entry.snapshot_id.unwrap_or(listed.added_snapshot_id);
        let modified_ms = self.times.get(&added_by).copied().unwrap_or(self.shape.timestamp_ms);
        Ok(Told {
            values: partitions.values(file)?,
            stats: self.shape.stats.write(file, records),
            records,
            size: positive(file.size_bytes)?,
            modified_ms,
        })
    }

    /// The file of an entry.
    pub(super) fn file<'f>(&self, entry: &'f Entry, told: &'f Told) -> Result<DataFile<'f>, TableError> {
        Ok(DataFile {
            at: (self.place)(&entry.file.path)?,
            size: told.size,
            modified_ms: told.modified_ms,
            partition_values: told.values.declared(),
            stats: Some(&told.stats),
            records: Some(told.records),
            hidden: told.values.hidden(),
            deletes: None,
        })
    }
}

fn check(entry: &Entry) -> Result<(), TableError> {
    let file = &entry.file;
    match file.content {
        Content::Data => {}
        Content::PositionDeletes | Content::EqualityDeletes => {
            return Err(TableError::Invalid("a manifest of data holds deletes".into()));
        }
    }
    if &*file.format != "parquet" {
        let format = &file.format;
        return Err(TableError::Unsupported(format!(
            "the table has data files in the format {format}; Delta has Parquet only"
        )));
    }
    if file.key_metadata.is_some() {
        return Err(TableError::Unsupported("the table has encrypted data files".into()));
    }
    Ok(())
}
