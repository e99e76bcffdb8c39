//! Applying updates to a table, one after the other, as the Java reference's `TableMetadata.Builder`.
//!
//! - U1: a UUID, once there, never changes.
//! - U2: a stale sequence number or row id is [`UpdateError::Stale`]: another commit won, the client
//!   rebases. Everything else that does not fit is [`UpdateError::Invalid`] and stays so.
//! - U3: an id, once given to a schema, spec or order, is not given to another while it is there, an id of a
//!   schema not in the same commit either: a commit that leaves the current schema's id leaves the schema.
//! - U4: no change, no new metadata: `build` gives `None`.
//! - U5: times in the logs never go back, whatever clients' clocks say: Java refuses to read a table whose
//!   logs do.

mod keys;
mod schemas;
mod snapshots;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::object::InvalidMetadata;
use super::parse::strip_trailing_slash;
use super::partition::LAST_PARTITION_ID_START;
use super::{
    FormatVersion, MetadataLogEntry, PartitionSpec, Snapshots, SortOrder, StatisticsFile, TableMetadata,
    TableUpdate,
};

/// Properties that name table state and are never stored as properties.
pub const RESERVED_PROPERTIES: [&str; 9] = [
    "format-version",
    "uuid",
    "snapshot-count",
    "current-snapshot-summary",
    "current-snapshot-id",
    "current-snapshot-timestamp-ms",
    "current-schema",
    "default-partition-spec",
    "default-sort-order",
];

/// How many previous metadata files the log keeps when the table does not say.
pub const PREVIOUS_VERSIONS_DEFAULT: usize = 100;

/// Why an update cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// Another commit came first; after a refresh it may work.
    #[error("{message}")]
    Stale {
        /// What is stale.
        message: String,
    },
    /// It can never be applied to this table.
    #[error(transparent)]
    Invalid(#[from] InvalidMetadata),
}

/// The next metadata of a table in the making.
#[derive(Debug, Clone)]
pub struct Builder {
    table: TableMetadata,
    kind: Kind,
    changed: bool,
    last_schema: Option<i32>,
    /// The highest id of the schemas removed.
    removed_schema: Option<i32>,
    last_spec: Option<i32>,
    last_order: Option<i32>,
    added_snapshots: HashSet<i64>,
    /// Snapshots that main was set to, of those added.
    main_passed: BTreeSet<i64>,
    snapshots_removed: bool,
    removed_keys: HashSet<String>,
    at: i64,
}

/// What the builder began with.
#[derive(Debug, Clone)]
enum Kind {
    New,
    Next { base_updated_ms: i64, base_file: Option<String> },
}

impl Builder {
    /// The next metadata of `base`, which lies at `file`. `at` is now, in milliseconds since 1970.
    pub fn next(base: &TableMetadata, file: Option<&str>, at: i64) -> Self {
        let kind = Kind::Next { base_updated_ms: base.last_updated_ms, base_file: file.map(str::to_owned) };
        Self::with(base.clone(), kind, at)
    }

    /// A table from nothing; updates say what it is. `location` holds until one sets another.
    pub fn new(version: FormatVersion, uuid: Uuid, location: &str, at: i64) -> Self {
        let table = TableMetadata {
            format_version: version,
            uuid: Some(uuid),
            location: strip_trailing_slash(location).into(),
            last_sequence_number: 0,
            last_updated_ms: at,
            last_column_id: 0,
            schemas: Vec::new(),
            current_schema_id: 0,
            specs: Vec::new(),
            default_spec_id: 0,
            last_partition_id: LAST_PARTITION_ID_START,
            sort_orders: Vec::new(),
            default_sort_order_id: 0,
            properties: Arc::default(),
            current_snapshot_id: None,
            snapshots: Snapshots::default(),
            refs: Arc::default(),
            snapshot_log: imbl::Vector::new(),
            metadata_log: imbl::Vector::new(),
            statistics: imbl::Vector::new(),
            partition_statistics: imbl::Vector::new(),
            encryption_keys: imbl::Vector::new(),
            next_row_id: 0,
            extra: Arc::default(),
        };
        Self { changed: true, ..Self::with(table, Kind::New, at) }
    }

    fn with(table: TableMetadata, kind: Kind, at: i64) -> Self {
        Self {
            table,
            kind,
            changed: false,
            last_schema: None,
            removed_schema: None,
            last_spec: None,
            last_order: None,
            added_snapshots: HashSet::new(),
            main_passed: BTreeSet::new(),
            snapshots_removed: false,
            removed_keys: HashSet::new(),
            at,
        }
    }

    /// Applies one update.
    pub fn apply(&mut self, update: &TableUpdate) -> Result<(), UpdateError> {
        match update {
            TableUpdate::AssignUuid(uuid) => self.assign_uuid(*uuid)?,
            TableUpdate::UpgradeFormatVersion(number) => {
                self.upgrade(FormatVersion::from_number(*number)?)?
            }
            TableUpdate::AddSchema(schema) => self.add_schema(schema)?,
            TableUpdate::SetCurrentSchema(id) => self.set_current_schema(*id)?,
            TableUpdate::AddSpec(spec) => self.add_spec(spec.clone())?,
            TableUpdate::SetDefaultSpec(id) => self.set_default_spec(*id)?,
            TableUpdate::AddSortOrder(order) => self.add_sort_order(order)?,
            TableUpdate::SetDefaultSortOrder(id) => self.set_default_sort_order(*id)?,
            TableUpdate::AddSnapshot(snapshot) => self.add_snapshot(snapshot)?,
            TableUpdate::SetSnapshotRef { name, reference } => self.set_ref(name, reference)?,
            TableUpdate::RemoveSnapshots(ids) => self.remove_snapshots(ids),
            TableUpdate::RemoveSnapshotRef(name) => self.remove_ref(name),
            TableUpdate::SetLocation(location) => self.set_location(location)?,
            TableUpdate::SetProperties(updates) => self.set_properties(updates)?,
            TableUpdate::RemoveProperties(removals) => self.remove_properties(removals),
            TableUpdate::SetStatistics(file) => {
                put_file(&mut self.table.statistics, file);
                self.changed = true;
            }
            TableUpdate::RemoveStatistics(id) => self.changed |= remove_file(&mut self.table.statistics, *id),
            TableUpdate::SetPartitionStatistics(file) => {
                put_file(&mut self.table.partition_statistics, file);
                self.changed = true;
            }
            TableUpdate::RemovePartitionStatistics(id) => {
                self.changed |= remove_file(&mut self.table.partition_statistics, *id);
            }
            TableUpdate::RemovePartitionSpecs(ids) => self.remove_specs(ids)?,
            TableUpdate::RemoveSchemas(ids) => self.remove_schemas(ids)?,
            TableUpdate::AddEncryptionKey(key) => self.add_encryption_key(key)?,
            TableUpdate::RemoveEncryptionKey(id) => self.remove_encryption_key(id),
        }
        Ok(())
    }

    fn assign_uuid(&mut self, uuid: Uuid) -> Result<(), InvalidMetadata> {
        match (self.table.uuid, &self.kind) {
            (Some(old), _) if old == uuid => Ok(()),
            (Some(old), Kind::Next { .. }) => {
                Err(InvalidMetadata::new(format!("the table's UUID is {old} and cannot become {uuid}")))
            }
            (Some(_), Kind::New) | (None, Kind::New | Kind::Next { .. }) => {
                self.table.uuid = Some(uuid);
                self.changed = true;
                Ok(())
            }
        }
    }

    fn upgrade(&mut self, version: FormatVersion) -> Result<(), InvalidMetadata> {
        let old = self.table.format_version;
        if version < old {
            return Err(InvalidMetadata::new(format!(
                "a table of format version {old} cannot go back to {version}"
            )));
        }
        if version != old {
            self.table.format_version = version;
            self.number_snapshots()?;
            self.changed = true;
        }
        Ok(())
    }

    fn set_location(&mut self, location: &str) -> Result<(), InvalidMetadata> {
        let location = strip_trailing_slash(location);
        if location.is_empty() {
            return Err(InvalidMetadata::new("a table location is empty"));
        }
        if *self.table.location != *location {
            self.table.location = location.into();
            self.changed = true;
        }
        Ok(())
    }

    fn set_properties(&mut self, updates: &BTreeMap<String, String>) -> Result<(), InvalidMetadata> {
        if updates.is_empty() {
            return Ok(());
        }
        let version = self.table.format_version.to_string();
        for (key, value) in updates {
            let reserved = RESERVED_PROPERTIES.contains(&key.as_str());
            // Engines repeat the version and, at creation, what they were shown.
            let repeated = matches!(self.kind, Kind::New) || (key == "format-version" && *value == version);
            if reserved && !repeated {
                return Err(InvalidMetadata::new(format!(
                    "the property '{key}' is reserved for table state"
                )));
            }
            if !reserved {
                Arc::make_mut(&mut self.table.properties).insert(key.clone(), value.clone());
                self.changed = true;
            }
        }
        Ok(())
    }

    fn remove_properties(&mut self, removals: &[String]) {
        if removals.is_empty() {
            return;
        }
        let properties = Arc::make_mut(&mut self.table.properties);
        for key in removals {
            properties.remove(key);
        }
        self.changed = true;
    }

    /// The next metadata; `None` when nothing changed (U4).
    pub fn build(mut self) -> Result<Option<TableMetadata>, InvalidMetadata> {
        if !self.changed {
            return Ok(None);
        }
        self.fill_defaults();
        let last_snapshot = self.table.snapshot_log.last().map(|entry| entry.timestamp_ms);
        self.table.last_updated_ms = self.at.max(last_snapshot.unwrap_or(self.at));
        let schema = self.current_schema()?;
        if let Some(spec) = self.table.spec(self.table.default_spec_id) {
            spec.check_sources(&schema)?;
        }
        if let Some(order) = self.table.sort_order(self.table.default_sort_order_id) {
            order.check_sources(&schema)?;
        }
        self.log_previous_file();
        self.trim_snapshot_log()?;
        self.check_keys()?;
        self.table.check()?;
        Ok(Some(self.table))
    }

    /// A new table without spec or order is unpartitioned and unsorted.
    fn fill_defaults(&mut self) {
        if self.table.specs.is_empty() {
            self.table.specs.push(Arc::new(PartitionSpec::unpartitioned()));
        }
        if self.table.sort_orders.is_empty() {
            self.table.sort_orders.push(Arc::new(SortOrder::unsorted()));
        }
    }

    fn log_previous_file(&mut self) {
        let Kind::Next { base_updated_ms, base_file: Some(file) } = &self.kind else { return };
        let kept = self.table.properties.get("write.metadata.previous-versions-max");
        let kept = kept
            .and_then(|text| text.trim().parse::<i64>().ok())
            .map_or(PREVIOUS_VERSIONS_DEFAULT, |kept| usize::try_from(kept.max(1)).unwrap_or(usize::MAX));
        while self.table.metadata_log.len() >= kept {
            self.table.metadata_log.pop_front();
        }
        let entry = MetadataLogEntry::new(*base_updated_ms, file);
        self.table.metadata_log.push_back(Arc::new(entry));
    }
}

fn put_file(files: &mut imbl::Vector<Arc<StatisticsFile>>, file: &Arc<StatisticsFile>) {
    match files.iter().position(|known| known.snapshot_id == file.snapshot_id) {
        Some(position) => {
            files.set(position, Arc::clone(file));
        }
        None => files.push_back(Arc::clone(file)),
    }
}

fn remove_file(files: &mut imbl::Vector<Arc<StatisticsFile>>, snapshot_id: i64) -> bool {
    let before = files.len();
    files.retain(|file| file.snapshot_id != snapshot_id);
    files.len() != before
}
