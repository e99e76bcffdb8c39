//! Snapshots, references to them, and the two logs.
//!
//! A snapshot never changes, so its JSON text is kept as it came (with every unknown field) and
//! copied when the metadata is written: 10,000 snapshots cost a memcpy. Only what decisions
//! need is parsed beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::FormatVersion;
use super::object::{Extra, InvalidMetadata, ObjectReader, ObjectWriter, string_map};

/// A snapshot of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    json: Box<str>,
    id: i64,
    parent_id: Option<i64>,
    sequence_number: i64,
    timestamp_ms: i64,
    manifest_list: Option<Box<str>>,
    schema_id: Option<i32>,
    first_row_id: Option<i64>,
    added_rows: Option<i64>,
    key_id: Option<Box<str>>,
    names_sequence_number: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Fields {
    snapshot_id: i64,
    parent_snapshot_id: Option<i64>,
    sequence_number: Option<i64>,
    timestamp_ms: i64,
    manifest_list: Option<Box<str>>,
    schema_id: Option<i32>,
    first_row_id: Option<i64>,
    added_rows: Option<i64>,
    key_id: Option<Box<str>>,
}

impl Snapshot {
    /// Reads a snapshot from its JSON text.
    pub fn from_json(json: &str) -> Result<Self, InvalidMetadata> {
        let fields: Fields =
            serde_json::from_str(json).map_err(|error| InvalidMetadata::new(format!("snapshot: {error}")))?;
        Ok(Self {
            json: json.into(),
            id: fields.snapshot_id,
            // Java wrote -1 for no parent in its early days.
            parent_id: fields.parent_snapshot_id.filter(|&id| id != -1),
            sequence_number: fields.sequence_number.unwrap_or(0),
            timestamp_ms: fields.timestamp_ms,
            manifest_list: fields.manifest_list,
            schema_id: fields.schema_id,
            first_row_id: fields.first_row_id,
            added_rows: fields.added_rows,
            key_id: fields.key_id,
            names_sequence_number: fields.sequence_number.is_some(),
        })
    }

    /// The snapshot with exactly the fields that `version` has; `None` when it is so already. Some clients
    /// send sequence number 0 to V1 tables, which do not have it; after an upgrade some readers need it.
    pub(crate) fn for_version(&self, version: FormatVersion) -> Result<Option<Self>, InvalidMetadata> {
        let named = version > FormatVersion::V1;
        if self.names_sequence_number == named {
            return Ok(None);
        }
        let mut object = ObjectReader::new("snapshot", parse_value(&self.json)?)?;
        object.take("sequence-number");
        let mut json = String::with_capacity(self.json.len());
        let mut out = ObjectWriter::begin(&mut json);
        if named {
            out.number("sequence-number", self.sequence_number);
        }
        out.extra(&object.rest());
        out.end();
        Ok(Some(Self { json: json.into(), names_sequence_number: named, ..self.clone() }))
    }

    /// The snapshot id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The id of the snapshot it was made from.
    pub fn parent_id(&self) -> Option<i64> {
        self.parent_id
    }

    /// The sequence number; 0 in V1 tables.
    pub fn sequence_number(&self) -> i64 {
        self.sequence_number
    }

    /// When it was made, in milliseconds since 1970.
    pub fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }

    /// Where its manifest list lies; `None` in some V1 tables.
    pub fn manifest_list(&self) -> Option<&str> {
        self.manifest_list.as_deref()
    }

    /// The schema that was current when it was made.
    pub fn schema_id(&self) -> Option<i32> {
        self.schema_id
    }

    /// The first row id it assigns (V3).
    pub fn first_row_id(&self) -> Option<i64> {
        self.first_row_id
    }

    /// The upper bound of the rows it assigns ids to (V3).
    pub fn added_rows(&self) -> Option<i64> {
        self.added_rows
    }

    /// The key that encrypts the key metadata of its manifest list (V3).
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The summary, parsed on each call; empty when there is none.
    pub fn summary(&self) -> BTreeMap<String, String> {
        serde_json::from_str::<Value>(&self.json)
            .ok()
            .and_then(|mut value| value.get_mut("summary").map(Value::take))
            .and_then(string_map)
            .unwrap_or_default()
    }

    /// The JSON text.
    pub fn json(&self) -> &str {
        &self.json
    }
}

/// The name of the branch that is the table's current state.
pub const MAIN_BRANCH: &str = "main";

/// A branch or tag.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotRef {
    /// The snapshot it names.
    pub snapshot_id: i64,
    /// Branch or tag.
    pub kind: RefKind,
    /// How many snapshots of a branch expiry keeps at least.
    pub min_snapshots_to_keep: Option<i32>,
    /// The age in milliseconds up to which expiry keeps snapshots of a branch.
    pub max_snapshot_age_ms: Option<i64>,
    /// The age in milliseconds up to which expiry keeps the reference.
    pub max_ref_age_ms: Option<i64>,
    /// Unknown fields of the JSON object.
    pub extra: Extra,
}

/// What a reference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefKind {
    /// Moves with commits.
    Branch,
    /// Stays.
    Tag,
}

impl RefKind {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            RefKind::Branch => "branch",
            RefKind::Tag => "tag",
        }
    }
}

impl SnapshotRef {
    /// A branch without retention.
    pub fn branch(snapshot_id: i64) -> Self {
        Self {
            snapshot_id,
            kind: RefKind::Branch,
            min_snapshots_to_keep: None,
            max_snapshot_age_ms: None,
            max_ref_age_ms: None,
            extra: Extra::new(),
        }
    }

    pub(crate) fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        Self::read(ObjectReader::new("snapshot reference", value)?)
    }

    pub(crate) fn read(mut object: ObjectReader) -> Result<Self, InvalidMetadata> {
        let kind = match object.string("type")?.to_ascii_lowercase().as_str() {
            "branch" => RefKind::Branch,
            "tag" => RefKind::Tag,
            other => return Err(InvalidMetadata::new(format!("unknown reference type '{other}'"))),
        };
        let reference = Self {
            snapshot_id: object.i64("snapshot-id")?,
            kind,
            min_snapshots_to_keep: object.i32_opt("min-snapshots-to-keep")?,
            max_snapshot_age_ms: object.i64_opt("max-snapshot-age-ms")?,
            max_ref_age_ms: object.i64_opt("max-ref-age-ms")?,
            extra: object.rest(),
        };
        Ok(reference)
    }

    /// Refuses retention that has no meaning.
    pub(crate) fn check(&self) -> Result<(), InvalidMetadata> {
        let keeps_snapshots = self.min_snapshots_to_keep.is_some() || self.max_snapshot_age_ms.is_some();
        if self.kind == RefKind::Tag && keeps_snapshots {
            return Err(InvalidMetadata::new(
                "a tag has no min-snapshots-to-keep and no max-snapshot-age-ms",
            ));
        }
        let ages = [self.min_snapshots_to_keep.map(i64::from), self.max_snapshot_age_ms, self.max_ref_age_ms];
        if ages.into_iter().flatten().any(|number| number <= 0) {
            return Err(InvalidMetadata::new("the retention of a reference is not above 0"));
        }
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::begin(out);
        object.number("snapshot-id", self.snapshot_id);
        object.string("type", self.kind.name());
        object.number_opt("min-snapshots-to-keep", self.min_snapshots_to_keep.map(i64::from));
        object.number_opt("max-snapshot-age-ms", self.max_snapshot_age_ms);
        object.number_opt("max-ref-age-ms", self.max_ref_age_ms);
        object.extra(&self.extra);
        object.end();
    }
}

/// When a snapshot became the current one. Its JSON text is kept, as a snapshot's is.
#[derive(Debug, PartialEq, Eq)]
pub struct SnapshotLogEntry {
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The snapshot.
    pub snapshot_id: i64,
    json: Box<str>,
}

/// A metadata file the table had before. Its JSON text is kept.
#[derive(Debug, PartialEq, Eq)]
pub struct MetadataLogEntry {
    /// The file's last-updated-ms.
    pub timestamp_ms: i64,
    /// Where it lies.
    pub metadata_file: Box<str>,
    json: Box<str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SnapshotLogFields {
    timestamp_ms: i64,
    snapshot_id: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct MetadataLogFields {
    timestamp_ms: i64,
    metadata_file: Box<str>,
}

impl SnapshotLogEntry {
    pub(crate) fn new(timestamp_ms: i64, snapshot_id: i64) -> Self {
        let mut json = String::with_capacity(72);
        let mut object = ObjectWriter::begin(&mut json);
        object.number("timestamp-ms", timestamp_ms);
        object.number("snapshot-id", snapshot_id);
        object.end();
        Self { timestamp_ms, snapshot_id, json: json.into() }
    }

    pub(crate) fn from_json(json: &str) -> Result<Arc<Self>, InvalidMetadata> {
        let SnapshotLogFields { timestamp_ms, snapshot_id } = serde_json::from_str(json)
            .map_err(|error| InvalidMetadata::new(format!("snapshot log entry: {error}")))?;
        Ok(Arc::new(Self { timestamp_ms, snapshot_id, json: json.into() }))
    }

    pub(crate) fn json(&self) -> &str {
        &self.json
    }
}

impl MetadataLogEntry {
    pub(crate) fn new(timestamp_ms: i64, metadata_file: &str) -> Self {
        let mut json = String::with_capacity(metadata_file.len() + 64);
        let mut object = ObjectWriter::begin(&mut json);
        object.number("timestamp-ms", timestamp_ms);
        object.string("metadata-file", metadata_file);
        object.end();
        Self { timestamp_ms, metadata_file: metadata_file.into(), json: json.into() }
    }

    pub(crate) fn from_json(json: &str) -> Result<Arc<Self>, InvalidMetadata> {
        let MetadataLogFields { timestamp_ms, metadata_file } = serde_json::from_str(json)
            .map_err(|error| InvalidMetadata::new(format!("metadata log entry: {error}")))?;
        Ok(Arc::new(Self { timestamp_ms, metadata_file, json: json.into() }))
    }

    pub(crate) fn json(&self) -> &str {
        &self.json
    }
}

pub(crate) fn parse_value(json: &str) -> Result<Value, InvalidMetadata> {
    serde_json::from_str(json).map_err(|error| InvalidMetadata::new(error.to_string()))
}
