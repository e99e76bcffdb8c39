//! The JSON of the routes, field names as the specification has them.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::metadata::{PartitionSpec, Schema, SortOrder, TableRequirement, TableUpdate};

/// A table's name: the levels of its namespace, and its own.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct TableIdentifier {
    pub(crate) namespace: Vec<String>,
    pub(crate) name: String,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CreateNamespaceRequest {
    pub(crate) namespace: Vec<String>,
    #[serde(default)]
    pub(crate) properties: Option<BTreeMap<String, String>>,
}

/// A namespace and its properties.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamespaceResponse {
    pub(crate) namespace: Vec<String>,
    pub(crate) properties: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListNamespacesResponse {
    #[serde(rename = "next-page-token")]
    pub(crate) next_page_token: Option<String>,
    pub(crate) namespaces: Vec<Vec<String>>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UpdatePropertiesRequest {
    #[serde(default)]
    pub(crate) removals: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) updates: Option<BTreeMap<String, String>>,
}

/// What became of each key. PyIceberg requires `missing` to be an array.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UpdatePropertiesResponse {
    pub(crate) updated: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) missing: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListTablesResponse {
    #[serde(rename = "next-page-token")]
    pub(crate) next_page_token: Option<String>,
    pub(crate) identifiers: Vec<TableIdentifier>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CreateTableRequest {
    pub(crate) name: String,
    pub(crate) location: Option<String>,
    #[schema(value_type = Object)]
    #[serde(deserialize_with = "schema")]
    pub(crate) schema: Schema,
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "partition_spec")]
    pub(crate) partition_spec: Option<PartitionSpec>,
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "sort_order")]
    pub(crate) write_order: Option<SortOrder>,
    #[serde(default)]
    pub(crate) stage_create: Option<bool>,
    #[serde(default)]
    pub(crate) properties: Option<BTreeMap<String, String>>,
}

/// A table that is in the catalog no more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct UnregisterTableResult {
    /// Its last metadata file.
    metadata_location: String,
    /// What that file holds.
    #[schema(value_type = Object)]
    metadata: Value,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RegisterTableRequest {
    pub(crate) name: String,
    pub(crate) metadata_location: String,
    #[serde(default)]
    pub(crate) overwrite: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RenameTableRequest {
    pub(crate) source: TableIdentifier,
    pub(crate) destination: TableIdentifier,
}

/// Requirements and updates of one table. ClickHouse leaves out empty lists.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CommitTableRequest {
    pub(crate) identifier: Option<TableIdentifier>,
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub(crate) requirements: Vec<TableRequirement>,
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub(crate) updates: Vec<TableUpdate>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CommitTransactionRequest {
    pub(crate) table_changes: Vec<CommitTableRequest>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ReportMetricsRequest {
    pub(crate) report_type: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CreateWarehouseRequest {
    pub(crate) name: String,
    /// Turns a bucket that exists into a warehouse.
    #[serde(default)]
    pub(crate) upgrade_existing: Option<bool>,
}

/// A warehouse. Its bucket has the same name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WarehouseResponse {
    pub(crate) name: String,
    pub(crate) bucket: String,
}

/// The schema of `LoadTableResult`, which is written as bytes (`tables/answer.rs`).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LoadTableResult {
    /// Absent for a staged create.
    metadata_location: Option<String>,
    #[schema(value_type = Object)]
    metadata: serde_json::Value,
    /// What a client needs to reach the files; credentials where it asked for them.
    config: BTreeMap<String, String>,
    /// The same credentials, for newer clients: one entry, whose prefix is the table's location.
    #[schema(value_type = Option<Vec<Object>>)]
    storage_credentials: Option<serde_json::Value>,
    /// That requests are to be signed at `/sign`.
    #[schema(value_type = Option<Object>)]
    remote_signing_config: Option<serde_json::Value>,
}

fn schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Schema, D::Error> {
    Schema::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn partition_spec<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PartitionSpec>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    value.map(PartitionSpec::from_json).transpose().map_err(D::Error::custom)
}

fn sort_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SortOrder>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    value.map(SortOrder::from_json).transpose().map_err(D::Error::custom)
}
