//! The changes a commit makes to a view and what it requires (REST spec, `ViewUpdate` and
//! `ViewRequirement`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;
use uuid::Uuid;

use super::{ViewMetadata, ViewVersion};
use crate::metadata::object::{InvalidMetadata, ObjectReader};
use crate::metadata::requirement::uuid_of;
use crate::metadata::update::{properties_removed, properties_set};
use crate::metadata::{RequirementFailed, Schema};

/// One change of a view.
#[derive(Debug, Clone)]
pub enum ViewUpdate {
    /// `assign-uuid`
    AssignUuid(Uuid),
    /// `upgrade-format-version`
    UpgradeFormatVersion(i64),
    /// `add-schema`
    AddSchema(Arc<Schema>),
    /// `set-location`
    SetLocation(String),
    /// `set-properties`
    SetProperties(BTreeMap<String, String>),
    /// `remove-properties`
    RemoveProperties(Vec<String>),
    /// `add-view-version`; schema -1 is the last added
    AddVersion(ViewVersion),
    /// `set-current-view-version`; -1 is the last added
    SetCurrentVersion(i32),
}

/// A condition of a view that must hold for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewRequirement {
    /// `assert-view-uuid`
    Uuid(Uuid),
}

impl ViewUpdate {
    /// Reads an update; an unknown action is an error that names it.
    pub fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("view update", value)?;
        let action = object.string("action")?;
        Ok(match action.as_str() {
            "assign-uuid" => Self::AssignUuid(uuid_of(&object.string("uuid")?)?),
            "upgrade-format-version" => Self::UpgradeFormatVersion(object.i64("format-version")?),
            "add-schema" => Self::AddSchema(Arc::new(Schema::from_json(object.required("schema")?)?)),
            "set-location" => Self::SetLocation(object.string("location")?),
            "set-properties" => Self::SetProperties(properties_set(&mut object)?),
            "remove-properties" => Self::RemoveProperties(properties_removed(&mut object)?),
            "add-view-version" => Self::AddVersion(ViewVersion::from_json(object.required("view-version")?)?),
            "set-current-view-version" => Self::SetCurrentVersion(object.i32("view-version-id")?),
            other => return Err(InvalidMetadata::new(format!("unknown view update '{other}'"))),
        })
    }
}

impl ViewRequirement {
    /// Reads a requirement; an unknown type is an error that names it.
    pub fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("view requirement", value)?;
        let kind = object.string("type")?;
        match kind.as_str() {
            "assert-view-uuid" => Ok(Self::Uuid(uuid_of(&object.string("uuid")?)?)),
            other => Err(InvalidMetadata::new(format!("unknown view requirement '{other}'"))),
        }
    }

    /// Whether the requirement holds of `view`.
    pub fn check(&self, view: &ViewMetadata) -> Result<(), RequirementFailed> {
        match self {
            Self::Uuid(expected) if *expected == view.uuid() => Ok(()),
            Self::Uuid(expected) => {
                let found = view.uuid();
                Err(RequirementFailed::new(format!(
                    "view UUID does not match: expected {expected}, found {found}"
                )))
            }
        }
    }
}

impl<'de> Deserialize<'de> for ViewUpdate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for ViewRequirement {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
