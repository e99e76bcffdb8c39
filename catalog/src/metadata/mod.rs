//! Table metadata, format versions 1 to 3: reading, changing and writing `metadata.json`. Views: [`view`].
//!
//! The model is Tarn's own so that nothing a client wrote is lost. Invariants:
//!
//! - M1: what is read is written back: fields this version does not know are kept at every level.
//! - M2: the current schema, default spec, default sort order and every reference's snapshot exist;
//!   `main` names the current snapshot.
//! - M3: no snapshot's sequence number is above `last-sequence-number`.
//! - M4: reading any bytes gives metadata or an error, never a panic.
//!
//! A value never changes; [`builder::Builder`] makes the next one. Snapshots, schemas and specs
//! are shared, so a copy of a table with 10,000 snapshots costs a few pointers. There is no I/O, clock or
//! randomness here.

pub mod builder;
pub mod create;
mod default;
pub mod files;
pub mod function;
pub mod object;
mod parse;
pub mod partition;
mod primitive;
pub mod requirement;
pub mod schema;
pub mod snapshot;
pub mod sort;
pub mod transform;
pub mod types;
pub mod update;
pub mod view;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

pub use files::{EncryptedKey, StatisticsFile};
pub use function::FunctionMetadata;
pub use object::InvalidMetadata;
pub use partition::PartitionSpec;
pub use requirement::{RequirementFailed, TableRequirement};
pub use schema::Schema;
pub use snapshot::{MAIN_BRANCH, MetadataLogEntry, RefKind, Snapshot, SnapshotLogEntry, SnapshotRef};
pub use sort::SortOrder;
pub use update::TableUpdate;
pub use view::ViewMetadata;

/// What a metadata file holds.
#[derive(Debug, Clone)]
pub enum Metadata {
    /// A table.
    Table(Arc<TableMetadata>),
    /// A view.
    View(Arc<ViewMetadata>),
}

/// The format version of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FormatVersion {
    /// Analytic tables.
    V1,
    /// Row-level deletes.
    V2,
    /// Row lineage, deletion vectors, more types, encryption keys.
    V3,
}

impl FormatVersion {
    /// The version of this number.
    pub fn from_number(number: i64) -> Result<Self, InvalidMetadata> {
        match number {
            1 => Ok(Self::V1),
            2 => Ok(Self::V2),
            3 => Ok(Self::V3),
            other => {
                Err(InvalidMetadata::new(format!("format version {other} is not supported (1 to 3 are)")))
            }
        }
    }

    /// The number of this version.
    pub fn number(self) -> i64 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

impl std::fmt::Display for FormatVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.number())
    }
}

/// The metadata of a table at one moment.
#[derive(Debug, Clone)]
pub struct TableMetadata {
    format_version: FormatVersion,
    uuid: Option<Uuid>,
    location: Arc<str>,
    last_sequence_number: i64,
    last_updated_ms: i64,
    last_column_id: i32,
    schemas: Vec<Arc<Schema>>,
    current_schema_id: i32,
    specs: Vec<Arc<PartitionSpec>>,
    default_spec_id: i32,
    last_partition_id: i32,
    sort_orders: Vec<Arc<SortOrder>>,
    default_sort_order_id: i32,
    properties: Arc<BTreeMap<String, String>>,
    current_snapshot_id: Option<i64>,
    snapshots: Snapshots,
    refs: Arc<BTreeMap<String, SnapshotRef>>,
    snapshot_log: imbl::Vector<Arc<SnapshotLogEntry>>,
    metadata_log: imbl::Vector<Arc<MetadataLogEntry>>,
    statistics: imbl::Vector<Arc<StatisticsFile>>,
    partition_statistics: imbl::Vector<Arc<StatisticsFile>>,
    encryption_keys: imbl::Vector<Arc<EncryptedKey>>,
    next_row_id: i64,
    /// Unknown top-level fields: name and JSON text.
    extra: Arc<Vec<(String, Box<str>)>>,
}

/// The snapshots of a table in the order they were added.
#[derive(Debug, Clone, Default)]
struct Snapshots {
    in_order: imbl::Vector<Arc<Snapshot>>,
    by_id: imbl::HashMap<i64, Arc<Snapshot>>,
}

impl Snapshots {
    fn push(&mut self, snapshot: Arc<Snapshot>) {
        self.by_id.insert(snapshot.id(), Arc::clone(&snapshot));
        self.in_order.push_back(snapshot);
    }
}

impl TableMetadata {
    /// The format version.
    pub fn format_version(&self) -> FormatVersion {
        self.format_version
    }

    /// The table's UUID; `None` only in old V1 tables.
    pub fn uuid(&self) -> Option<Uuid> {
        self.uuid
    }

    /// The table's base location, without a trailing slash.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The highest sequence number assigned; 0 in V1 tables.
    pub fn last_sequence_number(&self) -> i64 {
        self.last_sequence_number
    }

    /// When the table last changed, in milliseconds since 1970.
    pub fn last_updated_ms(&self) -> i64 {
        self.last_updated_ms
    }

    /// The highest column id ever assigned.
    pub fn last_column_id(&self) -> i32 {
        self.last_column_id
    }

    /// All schemas.
    pub fn schemas(&self) -> &[Arc<Schema>] {
        &self.schemas
    }

    /// The id of the current schema.
    pub fn current_schema_id(&self) -> i32 {
        self.current_schema_id
    }

    /// The schema with this id.
    pub fn schema(&self, id: i32) -> Option<&Arc<Schema>> {
        self.schemas.iter().find(|schema| schema.id() == id)
    }

    /// The current schema (there is one, M2).
    pub fn current_schema(&self) -> Option<&Arc<Schema>> {
        self.schema(self.current_schema_id)
    }

    /// All partition specs.
    pub fn specs(&self) -> &[Arc<PartitionSpec>] {
        &self.specs
    }

    /// The id of the default partition spec.
    pub fn default_spec_id(&self) -> i32 {
        self.default_spec_id
    }

    /// The partition spec with this id.
    pub fn spec(&self, id: i32) -> Option<&Arc<PartitionSpec>> {
        self.specs.iter().find(|spec| spec.id == id)
    }

    /// The highest partition field id ever assigned; 999 before the first.
    pub fn last_partition_id(&self) -> i32 {
        self.last_partition_id
    }

    /// All sort orders.
    pub fn sort_orders(&self) -> &[Arc<SortOrder>] {
        &self.sort_orders
    }

    /// The id of the default sort order.
    pub fn default_sort_order_id(&self) -> i32 {
        self.default_sort_order_id
    }

    /// The sort order with this id.
    pub fn sort_order(&self, id: i32) -> Option<&Arc<SortOrder>> {
        self.sort_orders.iter().find(|order| order.id == id)
    }

    /// The table properties.
    pub fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }

    /// The id of the current snapshot.
    pub fn current_snapshot_id(&self) -> Option<i64> {
        self.current_snapshot_id
    }

    /// The current snapshot.
    pub fn current_snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.current_snapshot_id.and_then(|id| self.snapshot(id))
    }

    /// The snapshot with this id.
    pub fn snapshot(&self, id: i64) -> Option<&Arc<Snapshot>> {
        self.snapshots.by_id.get(&id)
    }

    /// All snapshots, oldest added first.
    pub fn snapshots(&self) -> impl ExactSizeIterator<Item = &Arc<Snapshot>> {
        self.snapshots.in_order.iter()
    }

    /// Branches and tags by name.
    pub fn refs(&self) -> &BTreeMap<String, SnapshotRef> {
        &self.refs
    }

    /// Which snapshot was current when.
    pub fn snapshot_log(&self) -> impl ExactSizeIterator<Item = &SnapshotLogEntry> {
        self.snapshot_log.iter().map(Arc::as_ref)
    }

    /// The metadata files before this one, oldest first.
    pub fn metadata_log(&self) -> impl ExactSizeIterator<Item = &MetadataLogEntry> {
        self.metadata_log.iter().map(Arc::as_ref)
    }

    /// The statistics files.
    pub fn statistics(&self) -> impl ExactSizeIterator<Item = &Arc<StatisticsFile>> {
        self.statistics.iter()
    }

    /// The partition statistics files.
    pub fn partition_statistics(&self) -> impl ExactSizeIterator<Item = &Arc<StatisticsFile>> {
        self.partition_statistics.iter()
    }

    /// The encryption keys (V3).
    pub fn encryption_keys(&self) -> impl ExactSizeIterator<Item = &Arc<EncryptedKey>> {
        self.encryption_keys.iter()
    }

    /// The row id the next snapshot begins with (V3); 0 in older tables.
    pub fn next_row_id(&self) -> i64 {
        self.next_row_id
    }
}

#[cfg(test)]
mod tests;
