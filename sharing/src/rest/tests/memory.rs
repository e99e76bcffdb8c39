//! Tables in memory.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::table::{
    Column, DataFile, DataType, Deletes, Feature, FileList, HoldTime, ListBuilder, Metadata, OWN_BUCKET,
    Place, Schema, TableError, TableSource, TableVersion, VersionChanges, Versions,
};

/// A table that is what a test makes it.
pub(super) struct Memory {
    pub(super) state: Mutex<State>,
}

#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) versions: Vec<TableVersion>,
    pub(super) changes: Vec<VersionChanges>,
    /// What was asked to be held.
    pub(super) held: Vec<(RangeInclusive<i64>, HoldTime)>,
    /// Whether its versions are there and cannot be read.
    pub(super) is_unreadable: bool,
}

impl Memory {
    pub(super) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.lock().unwrap())
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(super) fn at(&self, version: i64) -> Result<TableVersion, TableError> {
        self.read(|state| {
            let latest = state.versions.last().map_or(0, |version| version.version);
            let earliest = state.versions.first().map_or(0, |version| version.version);
            let found = state.versions.iter().find(|known| known.version == version);
            found.cloned().ok_or(TableError::NoSuchVersion { version, earliest, latest })
        })
    }
}

#[async_trait]
impl TableSource for Memory {
    fn identity(&self) -> Arc<str> {
        "memory".into()
    }
    async fn versions(&self) -> Result<Versions, TableError> {
        self.read(|state| match (state.versions.first(), state.versions.last()) {
            (Some(first), Some(last)) => Ok(Versions { earliest: first.version, latest: last.version }),
            (None, _) | (_, None) => Err(TableError::NoSuchTable),
        })
    }
    async fn version_until(&self, timestamp_ms: i64) -> Result<Option<i64>, TableError> {
        Ok(self.read(|state| {
            let found = state.versions.iter().rev().find(|version| version.timestamp_ms <= timestamp_ms);
            found.map(|version| version.version)
        }))
    }
    async fn version_from(&self, timestamp_ms: i64) -> Result<Option<i64>, TableError> {
        Ok(self.read(|state| {
            let found = state.versions.iter().find(|version| version.timestamp_ms >= timestamp_ms);
            found.map(|version| version.version)
        }))
    }
    async fn load(&self, version: i64) -> Result<TableVersion, TableError> {
        if self.read(|state| state.is_unreadable) {
            return Err(TableError::Unsupported("the table is encrypted".into()));
        }
        self.at(version)
    }
    async fn metadata(&self, version: i64) -> Result<TableVersion, TableError> {
        Ok(TableVersion { files: FileList::default(), ..self.at(version)? })
    }
    async fn changes(&self, versions: RangeInclusive<i64>) -> Result<Vec<VersionChanges>, TableError> {
        Ok(self.read(|state| {
            state.changes.iter().filter(|change| versions.contains(&change.version)).cloned().collect()
        }))
    }

    async fn hold(&self, versions: RangeInclusive<i64>, time: HoldTime) -> Result<(), TableError> {
        self.at(*versions.end())?;
        self.change(|state| state.held.push((versions, time)));
        Ok(())
    }
}

/// A file of ten rows in the region of its number.
pub(super) fn data_file(number: u64) -> (String, &'static str) {
    (format!("t/{number}.parquet"), if number.is_multiple_of(2) { "eu" } else { "us" })
}

pub(super) fn with_file<T>(
    number: u64,
    deletes: Option<Deletes<'_>>,
    take: impl FnOnce(&DataFile<'_>) -> T,
) -> T {
    let (key, region) = data_file(number);
    take(&DataFile {
        at: Place { bucket: "main", key: &key },
        size: 100,
        modified_ms: 500,
        partition_values: vec![("region", Some(region))],
        stats: Some(r#"{"numRecords":10}"#),
        records: Some(10),
        hidden: Vec::new(),
        deletes,
    })
}

pub(super) fn files(numbers: impl IntoIterator<Item = u64>) -> FileList {
    let mut list = ListBuilder::default();
    numbers.into_iter().for_each(|number| with_file(number, None, |file| list.push(file)));
    list.finish()
}

/// The same with deleted rows in each.
pub(super) fn deleted_files(numbers: impl IntoIterator<Item = u64>) -> FileList {
    let mut list = ListBuilder::default();
    let at = Place { bucket: OWN_BUCKET, key: "sharing/v" };
    let deletes = Deletes { at, file_size: 99, offset: 1, size: 40, cardinality: 2 };
    numbers.into_iter().for_each(|number| with_file(number, Some(deletes), |file| list.push(file)));
    list.finish()
}

pub(super) fn metadata() -> Metadata {
    let column =
        |name: &str, kind: &str, id| Column::new(name, DataType::primitive(kind), true).mapped(id, name);
    let configuration = [("delta.columnMapping.mode", "id"), ("delta.enableChangeDataFeed", "true")];
    Metadata {
        id: "table-id".into(),
        description: None,
        schema: Schema { fields: vec![column("id", "long", 1), column("region", "string", 2)] },
        partition_columns: vec!["region".into()],
        configuration: configuration.map(|(key, value)| (key.into(), value.into())).into(),
        created_ms: Some(1),
    }
}

/// A version whose files are `numbers`. Versions are a second apart.
pub(super) fn version(version: i64, numbers: impl IntoIterator<Item = u64>) -> TableVersion {
    TableVersion {
        version,
        timestamp_ms: 1000 * (version + 1),
        metadata: Arc::new(metadata()),
        features: BTreeSet::from([Feature::ColumnMapping]),
        plain: Ok(()),
        hidden: [].into(),
        files: files(numbers),
    }
}

pub(super) fn change(
    version: i64,
    added: impl IntoIterator<Item = u64>,
    removed: impl IntoIterator<Item = u64>,
) -> VersionChanges {
    VersionChanges {
        version,
        timestamp_ms: 1000 * (version + 1),
        metadata: None,
        features: BTreeSet::new(),
        added: files(added),
        removed: files(removed),
        changed: FileList::default(),
    }
}
