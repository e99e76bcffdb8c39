//! Applying updates to a table, one after the other, as the Java reference's `TableMetadata.Builder`.
//!
//! - U1: a UUID, once there, never changes.
//! - U2: a stale sequence number or row id is [`UpdateError::Stale`]: another commit won, the client
//!   rebases. Everything else that does not fit is [`UpdateError::Invalid`] and stays so.
//! - U3: an id, once given to a schema, spec or order, is not given to another while it is there.
//! - U4: no change, no new metadata: `build` gives `None`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::object::InvalidMetadata;
use super::parse::strip_trailing_slash;
use super::partition::LAST_PARTITION_ID_START;
use super::snapshot::{MAIN_BRANCH, RefKind};
use super::{
    EncryptedKey, FormatVersion, MetadataLogEntry, PartitionSpec, Schema, Snapshot, SnapshotLogEntry,
    SnapshotRef, Snapshots, SortOrder, StatisticsFile, TableMetadata, TableUpdate,
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

/// The id that means "the one added last in this commit".
const LAST_ADDED: i32 = -1;
const FIRST_SORT_ORDER_ID: i32 = 1;

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
    last_spec: Option<i32>,
    last_order: Option<i32>,
    added_snapshots: HashSet<i64>,
    /// Snapshots that main was set to, of those added.
    main_passed: BTreeSet<i64>,
    snapshots_removed: bool,
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
            last_spec: None,
            last_order: None,
            added_snapshots: HashSet::new(),
            main_passed: BTreeSet::new(),
            snapshots_removed: false,
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
        self.changed |= version != old;
        self.table.format_version = version;
        Ok(())
    }

    fn add_schema(&mut self, schema: &Arc<Schema>) -> Result<(), InvalidMetadata> {
        let last_column_id = self.table.last_column_id.max(schema.highest_field_id());
        schema.check_version(self.table.format_version)?;
        if let Some(same) = self.table.schemas.iter().find(|known| known.same_as(schema)) {
            self.last_schema = Some(same.id());
            self.changed |= last_column_id != self.table.last_column_id;
            self.table.last_column_id = last_column_id;
            return Ok(());
        }
        let id = next_id(self.table.current_schema_id, self.table.schemas.iter().map(|schema| schema.id()))?;
        let schema = if schema.id() == id { Arc::clone(schema) } else { Arc::new(schema.with_id(id)) };
        self.table.schemas.push(schema);
        self.table.last_column_id = last_column_id;
        self.last_schema = Some(id);
        self.changed = true;
        Ok(())
    }

    fn set_current_schema(&mut self, id: i32) -> Result<(), InvalidMetadata> {
        let id = resolve(id, self.last_schema, "schema")?;
        if id == self.table.current_schema_id {
            return Ok(());
        }
        if self.table.schema(id).is_none() {
            return Err(InvalidMetadata::new(format!("schema {id} does not exist")));
        }
        self.table.current_schema_id = id;
        self.changed = true;
        Ok(())
    }

    fn current_schema(&self) -> Result<Arc<Schema>, InvalidMetadata> {
        self.table.current_schema().cloned().ok_or_else(|| {
            InvalidMetadata::new(format!(
                "the current schema {} does not exist",
                self.table.current_schema_id
            ))
        })
    }

    fn add_spec(&mut self, spec: PartitionSpec) -> Result<(), InvalidMetadata> {
        let schema = self.current_schema()?;
        if let Some(same) = self.table.specs.iter().find(|known| known.compatible_with(&spec)) {
            self.last_spec = Some(same.id);
            return Ok(());
        }
        spec.check_names(&schema)?;
        spec.check_sources(&schema)?;
        let id = next_id(0, self.table.specs.iter().map(|spec| spec.id))?;
        let mut spec = spec.with_field_ids(&self.table.specs, self.table.last_partition_id)?;
        let mut field_ids = HashSet::new();
        if !spec.fields.iter().all(|field| field_ids.insert(field.field_id)) {
            return Err(InvalidMetadata::new("a partition field id is used more than once"));
        }
        if self.table.format_version == FormatVersion::V1 && !spec.has_sequential_ids() {
            return Err(InvalidMetadata::new(
                "a V1 table needs partition field ids 1000, 1001, ... in order",
            ));
        }
        spec.id = id;
        self.table.last_partition_id = self.table.last_partition_id.max(spec.last_field_id());
        self.table.specs.push(Arc::new(spec));
        self.last_spec = Some(id);
        self.changed = true;
        Ok(())
    }

    fn set_default_spec(&mut self, id: i32) -> Result<(), InvalidMetadata> {
        let id = resolve(id, self.last_spec, "partition spec")?;
        if id == self.table.default_spec_id {
            return Ok(());
        }
        if self.table.spec(id).is_none() {
            return Err(InvalidMetadata::new(format!("partition spec {id} does not exist")));
        }
        self.table.default_spec_id = id;
        self.changed = true;
        Ok(())
    }

    fn add_sort_order(&mut self, order: &SortOrder) -> Result<(), InvalidMetadata> {
        let schema = self.current_schema()?;
        let known = self
            .table
            .sort_orders
            .iter()
            .find(|known| known.fields == order.fields && (order.is_unsorted() == (known.id == 0)));
        if let Some(known) = known {
            self.last_order = Some(known.id);
            return Ok(());
        }
        order.check_sources(&schema)?;
        let id = if order.is_unsorted() {
            0
        } else {
            next_id(FIRST_SORT_ORDER_ID, self.table.sort_orders.iter().map(|order| order.id))?
        };
        self.table.sort_orders.push(Arc::new(SortOrder { id, ..order.clone() }));
        self.last_order = Some(id);
        self.changed = true;
        Ok(())
    }

    fn set_default_sort_order(&mut self, id: i32) -> Result<(), InvalidMetadata> {
        let id = resolve(id, self.last_order, "sort order")?;
        if id == self.table.default_sort_order_id {
            return Ok(());
        }
        if self.table.sort_order(id).is_none() {
            return Err(InvalidMetadata::new(format!("sort order {id} does not exist")));
        }
        self.table.default_sort_order_id = id;
        self.changed = true;
        Ok(())
    }

    fn add_snapshot(&mut self, snapshot: &Arc<Snapshot>) -> Result<(), UpdateError> {
        let table = &mut self.table;
        let id = snapshot.id();
        if table.schemas.is_empty() || table.specs.is_empty() || table.sort_orders.is_empty() {
            let message = "a snapshot comes before the table's schema, partition spec and sort order";
            return Err(InvalidMetadata::new(message).into());
        }
        if table.snapshots.by_id.contains_key(&id) {
            return Err(InvalidMetadata::new(format!("snapshot {id} already exists")).into());
        }
        check_sequence_number(table, snapshot)?;
        if table.format_version >= FormatVersion::V3 {
            table.next_row_id = next_row_id(table.next_row_id, snapshot)?;
        }
        if table.format_version > FormatVersion::V1 {
            table.last_sequence_number = snapshot.sequence_number();
        }
        table.snapshots.push(Arc::clone(snapshot));
        self.added_snapshots.insert(id);
        self.changed = true;
        Ok(())
    }

    fn set_ref(&mut self, name: &str, reference: &SnapshotRef) -> Result<(), InvalidMetadata> {
        reference.check()?;
        if self.table.refs.get(name) == Some(reference) {
            return Ok(());
        }
        let id = reference.snapshot_id;
        let Some(snapshot) = self.table.snapshot(id) else {
            return Err(InvalidMetadata::new(format!(
                "cannot set {name} to snapshot {id}, which does not exist"
            )));
        };
        if name == MAIN_BRANCH {
            if reference.kind == RefKind::Tag {
                return Err(InvalidMetadata::new("main is a branch and cannot become a tag"));
            }
            // A rollback happens now, a new snapshot became current when it was made.
            let added = self.added_snapshots.contains(&id);
            let timestamp_ms = if added { snapshot.timestamp_ms() } else { self.at };
            self.table.current_snapshot_id = Some(id);
            let entry = SnapshotLogEntry { timestamp_ms, snapshot_id: id, extra: Default::default() };
            self.table.snapshot_log.push_back(entry);
            if added {
                self.main_passed.insert(id);
            }
        }
        Arc::make_mut(&mut self.table.refs).insert(name.to_owned(), reference.clone());
        self.changed = true;
        Ok(())
    }

    fn remove_ref(&mut self, name: &str) {
        if name == MAIN_BRANCH {
            self.table.current_snapshot_id = None;
        }
        if self.table.refs.contains_key(name) {
            Arc::make_mut(&mut self.table.refs).remove(name);
            self.changed = true;
        }
    }

    fn remove_snapshots(&mut self, ids: &[i64]) {
        let table = &mut self.table;
        let ids: HashSet<i64> =
            ids.iter().copied().filter(|id| table.snapshots.by_id.contains_key(id)).collect();
        if ids.is_empty() {
            return;
        }
        table.snapshots.in_order =
            table.snapshots.in_order.iter().filter(|s| !ids.contains(&s.id())).cloned().collect();
        for id in &ids {
            table.snapshots.by_id.remove(id);
        }
        table.statistics.retain(|file| !ids.contains(&file.snapshot_id));
        table.partition_statistics.retain(|file| !ids.contains(&file.snapshot_id));
        self.changed = true;
        self.snapshots_removed = true;
        let dangling = |(name, reference): (&String, &SnapshotRef)| {
            ids.contains(&reference.snapshot_id).then(|| name.clone())
        };
        let dangling: Vec<String> = self.table.refs.iter().filter_map(dangling).collect();
        for name in dangling {
            self.remove_ref(&name);
        }
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

    fn remove_specs(&mut self, ids: &[i32]) -> Result<(), InvalidMetadata> {
        if ids.contains(&self.table.default_spec_id) {
            return Err(InvalidMetadata::new("the default partition spec cannot be removed"));
        }
        self.changed |= !ids.is_empty();
        self.table.specs.retain(|spec| !ids.contains(&spec.id));
        Ok(())
    }

    fn remove_schemas(&mut self, ids: &[i32]) -> Result<(), InvalidMetadata> {
        if ids.contains(&self.table.current_schema_id) {
            return Err(InvalidMetadata::new("the current schema cannot be removed"));
        }
        self.changed |= !ids.is_empty();
        self.table.schemas.retain(|schema| !ids.contains(&schema.id()));
        Ok(())
    }

    fn add_encryption_key(&mut self, key: &Arc<EncryptedKey>) -> Result<(), InvalidMetadata> {
        match self.table.encryption_keys.iter().find(|known| known.key_id == key.key_id) {
            Some(known) if known == key => Ok(()),
            Some(_) => Err(InvalidMetadata::new(format!("encryption key '{}' already exists", key.key_id))),
            None => {
                self.table.encryption_keys.push_back(Arc::clone(key));
                self.changed = true;
                Ok(())
            }
        }
    }

    fn remove_encryption_key(&mut self, id: &str) {
        let before = self.table.encryption_keys.len();
        self.table.encryption_keys.retain(|key| key.key_id != id);
        self.changed |= self.table.encryption_keys.len() != before;
    }

    /// The next metadata; `None` when nothing changed (U4).
    pub fn build(mut self) -> Result<Option<TableMetadata>, InvalidMetadata> {
        if !self.changed {
            return Ok(None);
        }
        self.fill_defaults();
        self.table.last_updated_ms = self.at;
        let schema = self.current_schema()?;
        if let Some(spec) = self.table.spec(self.table.default_spec_id) {
            spec.check_sources(&schema)?;
        }
        if let Some(order) = self.table.sort_order(self.table.default_sort_order_id) {
            order.check_sources(&schema)?;
        }
        self.log_previous_file();
        self.trim_snapshot_log()?;
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
        self.table.metadata_log.push_back(MetadataLogEntry {
            timestamp_ms: *base_updated_ms,
            metadata_file: file.clone(),
            extra: Default::default(),
        });
    }

    /// Drops what main only passed through in this commit, and the history before a removed
    /// snapshot: with a gap, time travel would answer wrongly.
    fn trim_snapshot_log(&mut self) -> Result<(), InvalidMetadata> {
        let current = self.table.current_snapshot_id;
        let passed: BTreeSet<i64> =
            self.main_passed.iter().copied().filter(|id| Some(*id) != current).collect();
        if passed.is_empty() && !self.snapshots_removed {
            return Ok(());
        }
        let mut log = imbl::Vector::new();
        for entry in &self.table.snapshot_log {
            if self.table.snapshot(entry.snapshot_id).is_none() {
                if self.snapshots_removed {
                    log.clear();
                }
            } else if !passed.contains(&entry.snapshot_id) {
                log.push_back(entry.clone());
            }
        }
        let last = log.last().map(|entry| entry.snapshot_id);
        if current.is_some() && last != current {
            return Err(InvalidMetadata::new(
                "the last entry of the snapshot log is not the current snapshot",
            ));
        }
        self.table.snapshot_log = log;
        Ok(())
    }
}

fn check_sequence_number(table: &TableMetadata, snapshot: &Snapshot) -> Result<(), UpdateError> {
    let (last, number) = (table.last_sequence_number, snapshot.sequence_number());
    match table.format_version {
        FormatVersion::V1 if number != 0 => {
            Err(InvalidMetadata::new(format!("a snapshot of a V1 table has sequence number {number}")).into())
        }
        FormatVersion::V1 => Ok(()),
        // A snapshot without a parent may come beside another, as in the Java reference.
        FormatVersion::V2 | FormatVersion::V3
            if number > last || (number == last && snapshot.parent_id().is_none()) =>
        {
            Ok(())
        }
        FormatVersion::V2 | FormatVersion::V3 => Err(UpdateError::Stale {
            message: format!("the snapshot's sequence number {number} is not after the last one, {last}"),
        }),
    }
}

/// The row id after those of `snapshot`, which must begin where the table is.
fn next_row_id(next: i64, snapshot: &Snapshot) -> Result<i64, UpdateError> {
    let Some(first) = snapshot.first_row_id() else {
        return Err(InvalidMetadata::new("a snapshot of a V3 table has no first-row-id").into());
    };
    if first != next {
        let message = format!("the snapshot's first-row-id {first} is not the table's next-row-id {next}");
        return Err(UpdateError::Stale { message });
    }
    let added = snapshot.added_rows().filter(|&added| added >= 0);
    let after = added.and_then(|added| next.checked_add(added));
    after.ok_or_else(|| InvalidMetadata::new("a snapshot of a V3 table has no valid added-rows").into())
}

/// The id given, or the one added last.
fn resolve(id: i32, last: Option<i32>, what: &str) -> Result<i32, InvalidMetadata> {
    if id != LAST_ADDED {
        return Ok(id);
    }
    last.ok_or_else(|| InvalidMetadata::new(format!("cannot set the last added {what}: none was added")))
}

/// The first id, from `start`, above all of `ids`.
fn next_id(start: i32, ids: impl Iterator<Item = i32>) -> Result<i32, InvalidMetadata> {
    let mut next = start;
    for id in ids.filter(|&id| id >= start) {
        let after = id.checked_add(1).ok_or_else(|| InvalidMetadata::new("no id is left"))?;
        next = next.max(after);
    }
    Ok(next)
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
