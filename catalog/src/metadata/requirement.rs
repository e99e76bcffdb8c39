//! What a commit requires of a table (REST spec, `TableRequirement`).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;
use uuid::Uuid;

use super::TableMetadata;
use super::object::{InvalidMetadata, ObjectReader};

/// A condition of a table that must hold for a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableRequirement {
    /// `assert-create`: the table does not exist.
    Create,
    /// `assert-table-uuid`
    Uuid(Uuid),
    /// `assert-ref-snapshot-id`
    RefSnapshotId {
        /// The branch or tag.
        name: String,
        /// The snapshot it names; `None`: it does not exist.
        snapshot_id: Option<i64>,
    },
    /// The table has these branches and tags and no other. Not of the REST spec: only this server's own
    /// commits ask for it, which take snapshots out and must not take a new reference's.
    RefNames(BTreeSet<String>),
    /// A property of the table has this value; `None`: it is not set. Not of the REST spec: the journal keeps in a
    /// property how far it is.
    Property {
        /// Its name.
        name: String,
        /// The value.
        value: Option<String>,
    },
    /// `assert-last-assigned-field-id`
    LastAssignedFieldId(i32),
    /// `assert-current-schema-id`
    CurrentSchemaId(i32),
    /// `assert-last-assigned-partition-id`
    LastAssignedPartitionId(i32),
    /// `assert-default-spec-id`
    DefaultSpecId(i32),
    /// `assert-default-sort-order-id`
    DefaultSortOrderId(i32),
}

/// A requirement does not hold; the client refreshes and tries again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Requirement failed: {message}")]
pub struct RequirementFailed {
    message: String,
}

impl TableRequirement {
    /// Reads a requirement; an unknown type is an error that names it.
    pub fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("table requirement", value)?;
        let kind = object.string("type")?;
        match kind.as_str() {
            "assert-create" => Ok(Self::Create),
            "assert-table-uuid" => Ok(Self::Uuid(uuid_of(&object.string("uuid")?)?)),
            "assert-ref-snapshot-id" => Ok(Self::RefSnapshotId {
                name: object.string("ref")?,
                snapshot_id: object.i64_opt("snapshot-id")?,
            }),
            "assert-last-assigned-field-id" => {
                Ok(Self::LastAssignedFieldId(object.i32("last-assigned-field-id")?))
            }
            "assert-current-schema-id" => Ok(Self::CurrentSchemaId(object.i32("current-schema-id")?)),
            "assert-last-assigned-partition-id" => {
                Ok(Self::LastAssignedPartitionId(object.i32("last-assigned-partition-id")?))
            }
            "assert-default-spec-id" => Ok(Self::DefaultSpecId(object.i32("default-spec-id")?)),
            "assert-default-sort-order-id" => {
                Ok(Self::DefaultSortOrderId(object.i32("default-sort-order-id")?))
            }
            other => Err(InvalidMetadata::new(format!("unknown table requirement '{other}'"))),
        }
    }

    /// Whether the requirement holds of `table`; `None` is a table that does not exist.
    pub fn check(&self, table: Option<&TableMetadata>) -> Result<(), RequirementFailed> {
        let fail = |message: String| Err(RequirementFailed { message });
        let Some(table) = table else {
            return match self {
                Self::Create => Ok(()),
                Self::Uuid(_)
                | Self::RefSnapshotId { .. }
                | Self::RefNames(_)
                | Self::Property { .. }
                | Self::LastAssignedFieldId(_)
                | Self::CurrentSchemaId(_)
                | Self::LastAssignedPartitionId(_)
                | Self::DefaultSpecId(_)
                | Self::DefaultSortOrderId(_) => fail("the table does not exist".to_owned()),
            };
        };
        match self {
            Self::Create => fail("table already exists".to_owned()),
            Self::Uuid(expected) => match table.uuid() {
                Some(found) if found == *expected => Ok(()),
                Some(found) => fail(format!("UUID does not match: expected {expected}, found {found}")),
                None => fail(format!("UUID does not match: expected {expected}, found none")),
            },
            Self::RefSnapshotId { name, snapshot_id } => check_ref(table, name, *snapshot_id),
            Self::RefNames(expected) if table.refs().keys().eq(expected) => Ok(()),
            Self::RefNames(_) => fail("branches or tags came or went".to_owned()),
            Self::Property { name, value } if table.properties().get(name) == value.as_ref() => Ok(()),
            Self::Property { name, .. } => fail(format!("property {name} changed")),
            Self::LastAssignedFieldId(expected) => {
                equal("last assigned field id", table.last_column_id(), *expected)
            }
            Self::CurrentSchemaId(expected) => equal("current schema", table.current_schema_id(), *expected),
            Self::LastAssignedPartitionId(expected) => {
                equal("last assigned partition id", table.last_partition_id(), *expected)
            }
            Self::DefaultSpecId(expected) => {
                equal("default partition spec", table.default_spec_id(), *expected)
            }
            Self::DefaultSortOrderId(expected) => {
                equal("default sort order", table.default_sort_order_id(), *expected)
            }
        }
    }
}

impl RequirementFailed {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

fn check_ref(table: &TableMetadata, name: &str, expected: Option<i64>) -> Result<(), RequirementFailed> {
    let found = table.refs().get(name);
    let message = match (found, expected) {
        (None, None) => return Ok(()),
        (Some(found), Some(expected)) if found.snapshot_id == expected => return Ok(()),
        (Some(found), Some(expected)) => format!(
            "{} {name} has changed: expected snapshot {expected}, found {}",
            found.kind.name(),
            found.snapshot_id
        ),
        (Some(found), None) => format!("{} {name} was created concurrently", found.kind.name()),
        (None, Some(expected)) => format!("branch or tag {name} is missing, expected snapshot {expected}"),
    };
    Err(RequirementFailed { message })
}

fn equal(what: &str, found: i32, expected: i32) -> Result<(), RequirementFailed> {
    if found == expected {
        return Ok(());
    }
    // PyIceberg's own tests and Iceberg's compatibility kit look for these words.
    Err(RequirementFailed { message: format!("{what} changed: expected id {expected}, found {found}") })
}

pub(crate) fn uuid_of(text: &str) -> Result<Uuid, InvalidMetadata> {
    Uuid::parse_str(text).map_err(|error| InvalidMetadata::new(format!("'{text}' is not a UUID: {error}")))
}

impl<'de> Deserialize<'de> for TableRequirement {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::{TableRequirement, equal};
    use crate::metadata::create::NewTable;
    use crate::metadata::{Schema, TableMetadata};

    #[test]
    fn a_property_is_required_as_it_was() {
        let schema = serde_json::json!({"type": "struct", "fields": []});
        let table = NewTable {
            schema: &Arc::new(Schema::from_json(schema).unwrap()),
            spec: None,
            order: None,
            location: "s3://w/t",
            properties: &BTreeMap::from([("at".to_owned(), "1".to_owned())]),
        };
        let table = TableMetadata::create(&table, uuid::Uuid::from_u128(1), 1).unwrap();
        let holds = |name: &str, value: Option<&str>| {
            let value = value.map(str::to_owned);
            TableRequirement::Property { name: name.into(), value }.check(Some(&table)).is_ok()
        };
        assert!(holds("at", Some("1")) && holds("other", None));
        assert!(!holds("at", Some("2")) && !holds("at", None) && !holds("other", Some("1")));
    }

    #[test]
    fn a_changed_default_is_told_in_the_words_that_clients_look_for() {
        let failed = equal("default partition spec", 1, 0).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "Requirement failed: default partition spec changed: expected id 0, found 1"
        );
    }
}
