//! The first metadata of a table, as the Java reference's `newTableMetadata`: field ids are given
//! anew from 1, partition field ids from 1000, schema and spec get id 0.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::builder::{Builder, RESERVED_PROPERTIES, UpdateError};
use super::object::InvalidMetadata;
use super::{FormatVersion, PartitionSpec, Schema, SortOrder, TableMetadata, TableUpdate};

/// The codec new tables name unless told otherwise, as the Java reference does.
const PARQUET_CODEC: (&str, &str) = ("write.parquet.compression-codec", "zstd");

/// What a new table is made of.
#[derive(Debug, Clone)]
pub struct NewTable<'a> {
    /// The schema; its field ids are given anew.
    pub schema: &'a Schema,
    /// The partition spec; `None` is unpartitioned.
    pub spec: Option<&'a PartitionSpec>,
    /// The sort order; `None` is unsorted.
    pub order: Option<&'a SortOrder>,
    /// The base location.
    pub location: &'a str,
    /// The properties; `format-version` chooses the version, reserved ones are not stored.
    pub properties: &'a BTreeMap<String, String>,
}

impl TableMetadata {
    /// The first metadata of a table. `at` is now, in milliseconds since 1970.
    pub fn create(table: &NewTable<'_>, uuid: Uuid, at: i64) -> Result<Self, InvalidMetadata> {
        let version = format_version(table.properties)?;
        let (schema, ids) = table.schema.with_fresh_ids(0)?;
        let updates = [
            TableUpdate::AddSchema(Arc::new(schema)),
            TableUpdate::SetCurrentSchema(-1),
            TableUpdate::AddSpec(fresh_spec(table.spec, &ids)?),
            TableUpdate::SetDefaultSpec(-1),
            TableUpdate::AddSortOrder(fresh_order(table.order, &ids)?),
            TableUpdate::SetDefaultSortOrder(-1),
            TableUpdate::SetProperties(stored_properties(table.properties)),
        ];
        let mut builder = Builder::new(version, uuid, table.location, at);
        for update in &updates {
            builder.apply(update).map_err(|error| match error {
                UpdateError::Invalid(error) => error,
                UpdateError::Stale { message } => InvalidMetadata::new(message),
            })?;
        }
        builder.build()?.ok_or_else(|| InvalidMetadata::new("a new table has no metadata"))
    }
}

/// The version the properties ask for; 2 when they do not.
fn format_version(properties: &BTreeMap<String, String>) -> Result<FormatVersion, InvalidMetadata> {
    let Some(text) = properties.get("format-version") else { return Ok(FormatVersion::V2) };
    let number = text.trim().parse();
    let number =
        number.map_err(|_| InvalidMetadata::new(format!("format-version '{text}' is not a number")))?;
    FormatVersion::from_number(number)
}

fn stored_properties(properties: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let (key, codec) = PARQUET_CODEC;
    let mut stored = BTreeMap::from([(key.to_owned(), codec.to_owned())]);
    let given = properties.iter().filter(|(key, _)| !RESERVED_PROPERTIES.contains(&key.as_str()));
    stored.extend(given.map(|(key, value)| (key.clone(), value.clone())));
    stored
}

fn fresh_sources(source_ids: &[i32], ids: &BTreeMap<i32, i32>) -> Result<Vec<i32>, InvalidMetadata> {
    let fresh = |id: &i32| {
        let known = ids.get(id).copied();
        known.ok_or_else(|| InvalidMetadata::new(format!("source column {id} does not exist in the schema")))
    };
    source_ids.iter().map(fresh).collect()
}

fn fresh_spec(
    spec: Option<&PartitionSpec>,
    ids: &BTreeMap<i32, i32>,
) -> Result<PartitionSpec, InvalidMetadata> {
    let Some(spec) = spec else { return Ok(PartitionSpec::unpartitioned()) };
    let mut spec = spec.clone();
    for field in &mut spec.fields {
        field.source_ids = fresh_sources(&field.source_ids, ids)?;
        field.field_id = None;
    }
    Ok(spec)
}

fn fresh_order(order: Option<&SortOrder>, ids: &BTreeMap<i32, i32>) -> Result<SortOrder, InvalidMetadata> {
    let Some(order) = order else { return Ok(SortOrder::unsorted()) };
    let mut order = order.clone();
    for field in &mut order.fields {
        field.source_ids = fresh_sources(&field.source_ids, ids)?;
    }
    Ok(order)
}
