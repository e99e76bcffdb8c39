//! The first two lines: what reading takes, and what the table is.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::protocol::{Columns, Form, Format};
use crate::table::{Feature, Metadata, TypeChanges};

/// Property of tables that write their changes.
const CHANGE_FEED: &str = "delta.enableChangeDataFeed";
/// Property of tables with deletion vectors.
const DELETION_VECTORS: &str = "delta.enableDeletionVectors";
/// Property of tables whose columns changed their types.
const TYPE_WIDENING: &str = "delta.enableTypeWidening";
/// Properties of column mapping begin so.
const COLUMN_MAPPING: &str = "delta.columnMapping.";

/// What the line of the table tells beside the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// Its version.
    pub version: Option<i64>,
    /// Its size in bytes and in files; of a version that is shared whole only.
    pub size: Option<(u64, u64)>,
    /// Whether its changes are shared.
    pub changes: bool,
    /// Its place, where it can be read as a directory too.
    pub location: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProtocolLine<'a> {
    protocol: Protocol<'a>,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Protocol<'a> {
    Parquet {
        min_reader_version: u32,
    },
    Delta {
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<i64>,
        delta_protocol: DeltaProtocol<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeltaProtocol<'a> {
    min_reader_version: u32,
    min_writer_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reader_features: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    writer_features: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetadataLine<'a> {
    meta_data: Wrapped<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_modes: Option<[&'a str; 2]>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    plain: Option<Table<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta_metadata: Option<Table<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Table<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    format: Provider,
    schema_string: String,
    partition_columns: &'a [String],
    configuration: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_time: Option<i64>,
}

#[derive(Serialize)]
struct Provider {
    provider: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<BTreeMap<&'static str, &'static str>>,
}

/// The line of the protocol. `version` is that of the table it holds for, told to whom asked for it.
pub fn protocol_line(form: &Form, metadata: &Metadata, version: Option<i64>, out: &mut String) {
    let protocol = match form.format {
        Format::Parquet => Protocol::Parquet { min_reader_version: 1 },
        Format::Delta => Protocol::Delta { version, delta_protocol: delta_protocol(form, metadata) },
    };
    line(&ProtocolLine { protocol }, out);
}

fn delta_protocol<'a>(form: &Form, metadata: &Metadata) -> DeltaProtocol<'a> {
    let changes = writes_changes(metadata);
    if form.features.is_empty() {
        // The versions of before features: 4 is the first that may write changes.
        let min_writer_version = if changes { 4 } else { 2 };
        return DeltaProtocol {
            min_reader_version: 1,
            min_writer_version,
            reader_features: None,
            writer_features: None,
        };
    }
    let reader: Vec<&str> = form.features.iter().map(|feature| feature.name()).collect();
    let mut writer = reader.clone();
    writer.extend(changes.then_some("changeDataFeed"));
    // Spark takes a column that may not be null for an invariant, and refuses a protocol that does not list those.
    writer.extend(metadata.schema.has_required().then_some("invariants"));
    DeltaProtocol {
        min_reader_version: 3,
        min_writer_version: 7,
        reader_features: Some(reader),
        writer_features: Some(writer),
    }
}

/// The line of the table.
pub fn metadata_line(form: &Form, metadata: &Metadata, head: Head<'_>, out: &mut String) {
    let (plain, delta_metadata) = match form.format {
        Format::Parquet => (Some(plain(metadata, head)), None),
        Format::Delta => (None, Some(delta(form, metadata))),
    };
    let meta_data = Wrapped {
        version: head.version,
        size: head.size.map(|(bytes, _)| bytes),
        num_files: head.size.map(|(_, files)| files),
        location: head.location,
        access_modes: head.location.map(|_| ["url", "dir"]),
        plain,
        delta_metadata,
    };
    line(&MetadataLine { meta_data }, out);
}

fn plain<'a>(metadata: &'a Metadata, head: Head<'_>) -> Table<'a> {
    let changes = head.changes && writes_changes(metadata);
    Table {
        id: &metadata.id,
        description: metadata.description.as_deref(),
        format: Provider { provider: "parquet", options: None },
        schema_string: metadata.schema.to_plain(),
        partition_columns: &metadata.partition_columns,
        configuration: changes.then_some(("enableChangeDataFeed", "true")).into_iter().collect(),
        created_time: None,
    }
}

fn delta<'a>(form: &Form, metadata: &'a Metadata) -> Table<'a> {
    let told = |feature| form.features.contains(&feature);
    let mut configuration: BTreeMap<&str, &str> = metadata
        .configuration
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        // A property of a feature that is not told contradicts the protocol.
        .filter(|(key, _)| match *key {
            DELETION_VECTORS => told(Feature::DeletionVectors),
            TYPE_WIDENING => told(Feature::TypeWidening),
            key if key.starts_with(COLUMN_MAPPING) => form.columns == Columns::AsMapped,
            _other => true,
        })
        .collect();
    if told(Feature::DeletionVectors) {
        configuration.insert(DELETION_VECTORS, "true");
    }
    let changes = if told(Feature::TypeWidening) { TypeChanges::Told } else { TypeChanges::Untold };
    Table {
        id: &metadata.id,
        description: metadata.description.as_deref(),
        format: Provider { provider: "parquet", options: Some(BTreeMap::new()) },
        schema_string: match form.columns {
            Columns::AsMapped => metadata.schema.to_delta(changes),
            Columns::ByName => metadata.schema.to_plain(),
        },
        partition_columns: &metadata.partition_columns,
        configuration,
        created_time: metadata.created_ms,
    }
}

/// The first two lines of a log that tells the table in the delta format of `form`.
pub(crate) fn log_head(form: &Form, metadata: &Metadata, out: &mut String) {
    #[derive(Serialize)]
    struct Protocol<'a> {
        protocol: DeltaProtocol<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct MetaData<'a> {
        meta_data: Table<'a>,
    }
    line(&Protocol { protocol: delta_protocol(form, metadata) }, out);
    line(&MetaData { meta_data: delta(form, metadata) }, out);
}

/// Whether the table says that its changes can be read.
pub fn writes_changes(metadata: &Metadata) -> bool {
    metadata.configuration.get(CHANGE_FEED).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn line(value: &impl Serialize, out: &mut String) {
    out.push_str(&serde_json::to_string(value).expect("texts and numbers always become JSON"));
    out.push('\n');
}
