//! The snapshot that a compaction works on.

use std::sync::Arc;

use iceberg::spec::{
    FormatVersion, ManifestFile, ManifestList, NestedFieldRef, PartitionSpec, Schema, TableMetadata, Type,
};
use serde_json::Value;
use tarn_catalog::manifests::Area;
use tarn_catalog::state::TableIdent;
use tarn_catalog::{LoadedTable, manifests};

use super::{Compact, CompactError};
use crate::files::{FileError, Files};
use crate::place::Places;

/// The current snapshot of main.
pub(super) struct Head {
    pub(super) table: LoadedTable,
    pub(super) parsed: Arc<TableMetadata>,
    pub(super) snapshot_id: i64,
    pub(super) sequence_number: i64,
    pub(super) manifests: Vec<ManifestFile>,
}

impl Head {
    pub(super) fn version(&self) -> FormatVersion {
        self.parsed.format_version()
    }

    /// A spec of the table.
    pub(super) fn spec(&self, id: i32) -> Option<&Arc<PartitionSpec>> {
        self.parsed.partition_spec_by_id(id)
    }

    /// Where a file of the table is made.
    pub(super) fn location(&self, name: &str) -> Result<String, CompactError> {
        let location = format!("{}/{name}", self.table.metadata.location());
        if Places::of(&self.table.metadata).hold(&location) {
            return Ok(location);
        }
        Err(CompactError::Unfit(format!("nothing can be written to {location}")))
    }
}

impl Compact<'_> {
    /// The current snapshot of main; `None` when there is none.
    pub(super) async fn head(&self, ident: &TableIdent) -> Result<Option<Head>, CompactError> {
        let table = self.catalog.load(ident).await?;
        let table = table.ok_or_else(|| CompactError::NoSuchTable(ident.clone()))?;
        let metadata = &table.metadata;
        let Some(snapshot) = metadata.current_snapshot() else { return Ok(None) };
        let (snapshot_id, sequence_number) = (snapshot.id(), snapshot.sequence_number());
        let json = metadata.to_json();
        let unfit =
            |error: serde_json::Error| CompactError::Unfit(format!("the table is not understood: {error}"));
        let parsed: TableMetadata = serde_json::from_slice(&json).map_err(unfit)?;
        check_defaults(&serde_json::from_slice(&json).map_err(unfit)?, parsed.current_schema())?;
        let list = snapshot.manifest_list();
        let list = list.ok_or_else(|| CompactError::Unfit("the snapshot has no manifest list".into()))?;
        let area = self.catalog.area(ident, metadata);
        let manifests = listed(self.files, &area, list, parsed.format_version()).await?;
        Ok(Some(Head { table, parsed: Arc::new(parsed), snapshot_id, sequence_number, manifests }))
    }
}

/// The manifests that a list names.
pub(crate) async fn listed(
    files: &Files,
    area: &Area,
    list: &str,
    version: FormatVersion,
) -> Result<Vec<ManifestFile>, CompactError> {
    // K7.
    let check = |location: &str| area.check(location).map_err(|error| CompactError::Unfit(error.to_string()));
    check(list)?;
    let bytes = files.read(list).await?;
    // This reader stops at the limit; the other one has none.
    let whole = manifests::manifests(&bytes, files.unpacked_bytes_max);
    whole.map_err(|error| FileError::Invalid { location: list.to_owned(), message: error.to_string() })?;
    let manifests = parse_list(&bytes, version)?;
    if manifests.iter().any(|manifest| manifest.key_metadata.is_some()) {
        return Err(CompactError::Unfit("the table's manifests are encrypted".into()));
    }
    for manifest in &manifests {
        check(&manifest.manifest_path)?;
    }
    Ok(manifests)
}

/// A list keeps the version that it was written in when its table is upgraded.
fn parse_list(bytes: &[u8], version: FormatVersion) -> Result<Vec<ManifestFile>, CompactError> {
    let parse = |version| ManifestList::parse_with_version(bytes, version);
    let list = match version {
        FormatVersion::V1 => parse(FormatVersion::V1)?,
        FormatVersion::V2 | FormatVersion::V3 => match (parse(version), says_version_1(bytes)) {
            (Ok(list), _) => list,
            (Err(_), true) => parse(FormatVersion::V1)?,
            (Err(error), false) => return Err(error.into()),
        },
    };
    Ok(list.consume_entries().into_iter().collect())
}

/// Whether a manifest list was written as one of version 1; the oldest do not say.
fn says_version_1(bytes: &[u8]) -> bool {
    let Ok(reader) = apache_avro::Reader::new(bytes) else { return false };
    let version = reader.user_metadata().get("format-version");
    version.is_none_or(|version| version.as_slice() == b"1")
}

/// Refuses a schema of a table one of whose defaults is not understood: it would read as null.
pub(super) fn check_defaults(json: &Value, schema: &Schema) -> Result<(), CompactError> {
    let schemas = json["schemas"].as_array().into_iter().flatten();
    let same = schemas.filter(|told| told["schema-id"].as_i64() == Some(schema.schema_id().into()));
    let told: usize = same.map(defaults_of_json).sum();
    let fields = schema.as_struct().fields();
    let understood: usize = fields.iter().map(defaults_of).sum();
    if told == understood {
        Ok(())
    } else {
        Err(CompactError::Unfit("a default of a column is not understood".into()))
    }
}

/// How many `initial-default` are not null, wherever they stand in a schema.
fn defaults_of_json(value: &Value) -> usize {
    match value {
        Value::Object(object) => {
            let own = object.get("initial-default").is_some_and(|default| !default.is_null());
            let inner = object.iter().filter(|(name, _)| !name.ends_with("-default"));
            usize::from(own) + inner.map(|(_, value)| defaults_of_json(value)).sum::<usize>()
        }
        Value::Array(values) => values.iter().map(defaults_of_json).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn defaults_of(field: &NestedFieldRef) -> usize {
    let inner = match field.field_type.as_ref() {
        Type::Primitive(_) => 0,
        Type::Struct(of) => of.fields().iter().map(defaults_of).sum(),
        Type::List(of) => defaults_of(&of.element_field),
        Type::Map(of) => defaults_of(&of.key_field) + defaults_of(&of.value_field),
    };
    usize::from(field.initial_default.is_some()) + inner
}
