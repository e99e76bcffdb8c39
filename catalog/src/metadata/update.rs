//! The changes a commit makes to a table (REST spec, `TableUpdate`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;
use uuid::Uuid;

use super::object::{InvalidMetadata, ObjectReader, write_value};
use super::requirement::uuid_of;
use super::{EncryptedKey, PartitionSpec, Schema, Snapshot, SnapshotRef, SortOrder, StatisticsFile};

/// One change of a table.
#[derive(Debug, Clone)]
pub enum TableUpdate {
    /// `assign-uuid`
    AssignUuid(Uuid),
    /// `upgrade-format-version`
    UpgradeFormatVersion(i64),
    /// `add-schema`; the deprecated `last-column-id` is not needed, the schema has it
    AddSchema(Arc<Schema>),
    /// `set-current-schema`; -1 is the last added
    SetCurrentSchema(i32),
    /// `add-spec`
    AddSpec(PartitionSpec),
    /// `set-default-spec`; -1 is the last added
    SetDefaultSpec(i32),
    /// `add-sort-order`
    AddSortOrder(SortOrder),
    /// `set-default-sort-order`; -1 is the last added
    SetDefaultSortOrder(i32),
    /// `add-snapshot`
    AddSnapshot(Arc<Snapshot>),
    /// `set-snapshot-ref`
    SetSnapshotRef {
        /// The branch or tag.
        name: String,
        /// What it becomes.
        reference: SnapshotRef,
    },
    /// `remove-snapshots`
    RemoveSnapshots(Vec<i64>),
    /// `remove-snapshot-ref`
    RemoveSnapshotRef(String),
    /// `set-location`
    SetLocation(String),
    /// `set-properties`
    SetProperties(BTreeMap<String, String>),
    /// `remove-properties`
    RemoveProperties(Vec<String>),
    /// `set-statistics`
    SetStatistics(Arc<StatisticsFile>),
    /// `remove-statistics`
    RemoveStatistics(i64),
    /// `set-partition-statistics`
    SetPartitionStatistics(Arc<StatisticsFile>),
    /// `remove-partition-statistics`
    RemovePartitionStatistics(i64),
    /// `remove-partition-specs`
    RemovePartitionSpecs(Vec<i32>),
    /// `remove-schemas`
    RemoveSchemas(Vec<i32>),
    /// `add-encryption-key`
    AddEncryptionKey(Arc<EncryptedKey>),
    /// `remove-encryption-key`
    RemoveEncryptionKey(String),
}

impl TableUpdate {
    /// Reads an update; an unknown action is an error that names it.
    pub fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("table update", value)?;
        let action = object.string("action")?;
        Ok(match action.as_str() {
            "assign-uuid" => Self::AssignUuid(uuid_of(&object.string("uuid")?)?),
            "upgrade-format-version" => Self::UpgradeFormatVersion(object.i64("format-version")?),
            "add-schema" => Self::AddSchema(Arc::new(Schema::from_json(object.required("schema")?)?)),
            "set-current-schema" => Self::SetCurrentSchema(object.i32("schema-id")?),
            "add-spec" => Self::AddSpec(PartitionSpec::from_json(object.required("spec")?)?),
            "set-default-spec" => Self::SetDefaultSpec(object.i32("spec-id")?),
            "add-sort-order" => Self::AddSortOrder(SortOrder::from_json(object.required("sort-order")?)?),
            "set-default-sort-order" => Self::SetDefaultSortOrder(object.i32("sort-order-id")?),
            "add-snapshot" => Self::AddSnapshot(read_snapshot(&object.required("snapshot")?)?),
            "set-snapshot-ref" => {
                let name = object.string("ref-name")?;
                Self::SetSnapshotRef { name, reference: SnapshotRef::read(object)? }
            }
            "remove-snapshots" => Self::RemoveSnapshots(object.i64s("snapshot-ids")?),
            "remove-snapshot-ref" => Self::RemoveSnapshotRef(object.string("ref-name")?),
            "set-location" => Self::SetLocation(object.string("location")?),
            "set-properties" => Self::SetProperties(properties_set(&mut object)?),
            "remove-properties" => Self::RemoveProperties(properties_removed(&mut object)?),
            "set-statistics" => {
                Self::SetStatistics(Arc::new(StatisticsFile::statistics(object.required("statistics")?)?))
            }
            "remove-statistics" => Self::RemoveStatistics(object.i64("snapshot-id")?),
            "set-partition-statistics" => Self::SetPartitionStatistics(Arc::new(
                StatisticsFile::partition_statistics(object.required("partition-statistics")?)?,
            )),
            "remove-partition-statistics" => Self::RemovePartitionStatistics(object.i64("snapshot-id")?),
            "remove-partition-specs" => {
                Self::RemovePartitionSpecs(object.i32s_opt("spec-ids")?.ok_or_else(|| missing("spec-ids"))?)
            }
            "remove-schemas" => {
                Self::RemoveSchemas(object.i32s_opt("schema-ids")?.ok_or_else(|| missing("schema-ids"))?)
            }
            "add-encryption-key" => {
                Self::AddEncryptionKey(Arc::new(EncryptedKey::from_json(object.required("encryption-key")?)?))
            }
            "remove-encryption-key" => Self::RemoveEncryptionKey(object.string("key-id")?),
            other => return Err(InvalidMetadata::new(format!("unknown table update '{other}'"))),
        })
    }
}

fn read_snapshot(value: &Value) -> Result<Arc<Snapshot>, InvalidMetadata> {
    let mut json = String::new();
    write_value(&mut json, value);
    Snapshot::from_json(&json).map(Arc::new)
}

/// The properties of `set-properties`. Older clients say `updated`.
pub(super) fn properties_set(object: &mut ObjectReader) -> Result<BTreeMap<String, String>, InvalidMetadata> {
    match object.string_map_opt("updated")? {
        Some(old) => Ok(old),
        None => object.string_map("updates"),
    }
}

/// The keys of `remove-properties`. Older clients say `removed`.
pub(super) fn properties_removed(object: &mut ObjectReader) -> Result<Vec<String>, InvalidMetadata> {
    match object.strings_opt("removed")? {
        Some(old) => Ok(old),
        None => object.strings("removals"),
    }
}

fn missing(key: &str) -> InvalidMetadata {
    InvalidMetadata::new(format!("table update: field '{key}' is missing"))
}

impl<'de> Deserialize<'de> for TableUpdate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
