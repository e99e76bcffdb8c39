//! The JSON of the view routes, field names as the specification has them.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::metadata::Schema;
use crate::metadata::view::{ViewRequirement, ViewUpdate, ViewVersion};
use crate::rest::dto::TableIdentifier;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CreateViewRequest {
    pub(crate) name: String,
    pub(crate) location: Option<String>,
    #[schema(value_type = Object)]
    #[serde(deserialize_with = "schema")]
    pub(crate) schema: Schema,
    /// Its `schema-id` is replaced by that of `schema`.
    #[schema(value_type = Object)]
    #[serde(deserialize_with = "version")]
    pub(crate) view_version: ViewVersion,
    #[serde(default)]
    pub(crate) properties: Option<BTreeMap<String, String>>,
}

/// Requirements and updates of one view.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CommitViewRequest {
    pub(crate) identifier: Option<TableIdentifier>,
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub(crate) requirements: Vec<ViewRequirement>,
    #[schema(value_type = Vec<Object>)]
    pub(crate) updates: Vec<ViewUpdate>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RegisterViewRequest {
    pub(crate) name: String,
    pub(crate) metadata_location: String,
}

/// The schema of `LoadViewResult`, which is written as bytes (`views/answer.rs`).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LoadViewResult {
    metadata_location: String,
    #[schema(value_type = Object)]
    metadata: Value,
    /// Empty: a view needs nothing of its own.
    config: BTreeMap<String, String>,
}

fn schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Schema, D::Error> {
    Schema::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ViewVersion, D::Error> {
    ViewVersion::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
}
