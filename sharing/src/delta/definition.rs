//! What a table is at a version: its `metaData` and `protocol` actions, as readers of shares are told of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use delta_kernel::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

use super::bench::kernel_error;
use super::schema;
use crate::table::{Feature, Metadata, Schema, TableError, TableVersion};

const MAPPING_MODE: &str = "delta.columnMapping.mode";
const MAPPING_MAX_ID: &str = "delta.columnMapping.maxColumnId";
const DELETION_VECTORS: &str = "delta.enableDeletionVectors";
const CHANGE_DATA_FEED: &str = "delta.enableChangeDataFeed";
const TYPE_WIDENING: &str = "delta.enableTypeWidening";
const TIMES: &str = "delta.enableInCommitTimestamps";
const TIMES_SINCE: &str = "delta.inCommitTimestampEnablementVersion";

/// The highest reader version there is.
const READER_VERSION_MAX: i64 = 3;
/// Reader features whose tables can be told. Those that only say how the log is written are told to nobody.
const SUPPORTED: [&str; 10] = [
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "timestampWithoutTimezone",
    "typeWidening",
    "typeWidening-preview",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    "variantType",
    "variantType-preview",
];

/// A `metaData` action.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetaData {
    id: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    format: Option<Format>,
    schema_string: String,
    #[serde(default)]
    partition_columns: Vec<String>,
    #[serde(default)]
    configuration: BTreeMap<String, Option<String>>,
    #[serde(default)]
    created_time: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
struct Format {
    provider: String,
}

/// A `protocol` action.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    min_reader_version: i64,
    #[serde(default)]
    reader_features: Option<Vec<String>>,
}

/// From which version on commits tell their time themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommitTimes {
    /// None does: the time of the commit's file counts.
    OfFiles,
    /// From this one on.
    Since(i64),
}

/// What a table is at a version.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    /// The actions it comes from.
    pub(super) meta_data: Arc<MetaData>,
    pub(super) protocol: Arc<Protocol>,
    /// As it is told.
    pub(super) metadata: Arc<Metadata>,
    /// What reading it takes, deletion vectors aside.
    features: BTreeSet<Feature>,
    plain: Result<(), String>,
    /// Names of partition columns in actions.
    pub(super) partition_names: Arc<[String]>,
    /// Whether files may have deletion vectors.
    pub(super) may_have_vectors: bool,
    pub(super) times: CommitTimes,
}

/// Whether files have deletion vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vectors {
    Some,
    None,
}

impl Definition {
    /// As the kernel found it.
    pub(super) fn of(snapshot: &Snapshot) -> Result<Self, TableError> {
        let configuration = snapshot.table_configuration();
        Self::new(reread(configuration.metadata())?, reread(configuration.protocol())?)
    }

    pub(super) fn new(meta_data: Arc<MetaData>, protocol: Arc<Protocol>) -> Result<Self, TableError> {
        let supported = protocol.supported()?;
        if let Some(format) = meta_data.format.as_ref().filter(|format| format.provider != "parquet") {
            let provider: String = format.provider.chars().take(50).collect();
            return Err(TableError::Unsupported(format!(
                "the table's files are {provider}; only Parquet is read"
            )));
        }
        let mapped = supported.mapping && matches!(meta_data.property(MAPPING_MODE), Some("name" | "id"));
        let mut schema: Schema = serde_json::from_str(&meta_data.schema_string)
            .map_err(|error| TableError::Invalid(format!("its schema cannot be read: {error}")))?;
        if !mapped {
            schema::forget_mapping(&mut schema);
        }
        let names = meta_data.partition_columns.iter().map(|name| {
            let column = schema.fields.iter().find(|column| column.name == *name);
            let missing = || TableError::Invalid("its schema lacks a column it is partitioned by".into());
            column.map(|column| column.physical_name().to_owned()).ok_or_else(missing)
        });
        let partition_names = names.collect::<Result<_, _>>()?;
        let traits = schema::traits_of(&schema);
        let features = features(mapped, &traits);
        let mode = meta_data.property(MAPPING_MODE);
        let metadata = Metadata {
            id: meta_data.id.clone(),
            description: meta_data.description.clone(),
            partition_columns: meta_data.partition_columns.clone(),
            configuration: meta_data.told(&features),
            created_ms: meta_data.created_time,
            schema,
        };
        Ok(Self {
            metadata: Arc::new(metadata),
            plain: plain(mapped && (traits.renamed || mode != Some("name")), &traits),
            features,
            partition_names,
            may_have_vectors: supported.vectors,
            times: meta_data.times(),
            meta_data,
            protocol,
        })
    }

    /// What it takes to read files with or without deletion vectors, and the metadata that goes with it.
    pub(super) fn with(&self, vectors: Vectors) -> (Arc<Metadata>, BTreeSet<Feature>) {
        match vectors {
            Vectors::None => (Arc::clone(&self.metadata), self.features.clone()),
            Vectors::Some => {
                let mut metadata = Metadata::clone(&self.metadata);
                metadata.configuration.insert(DELETION_VECTORS.into(), "true".into());
                let mut features = self.features.clone();
                features.insert(Feature::DeletionVectors);
                (Arc::new(metadata), features)
            }
        }
    }

    /// The version whose files are `files`.
    pub(super) fn version(
        &self,
        version: i64,
        timestamp_ms: i64,
        vectors: Vectors,
        files: crate::table::FileList,
    ) -> TableVersion {
        let (metadata, features) = self.with(vectors);
        let plain = match vectors {
            Vectors::None => self.plain.clone(),
            Vectors::Some => Err("the table has deletion vectors".into()),
        };
        TableVersion { version, timestamp_ms, metadata, features, plain, hidden: Arc::new([]), files }
    }
}

/// What a protocol lets a table have.
struct Supported {
    mapping: bool,
    vectors: bool,
}

impl Protocol {
    fn supported(&self) -> Result<Supported, TableError> {
        if self.min_reader_version > READER_VERSION_MAX {
            let version = self.min_reader_version;
            return Err(TableError::Unsupported(format!("the table needs readers of version {version}")));
        }
        if self.min_reader_version < READER_VERSION_MAX {
            return Ok(Supported { mapping: self.min_reader_version == 2, vectors: false });
        }
        let features = self.reader_features.as_deref().unwrap_or_default();
        let unknown = features.iter().filter(|feature| !SUPPORTED.contains(&feature.as_str()));
        let unknown: Vec<String> = unknown.take(10).map(|name| name.chars().take(50).collect()).collect();
        if !unknown.is_empty() {
            let names = unknown.join(", ");
            return Err(TableError::Unsupported(format!(
                "the table needs reader features not known here: {names}"
            )));
        }
        let has = |name: &str| features.iter().any(|feature| feature == name);
        Ok(Supported { mapping: has("columnMapping"), vectors: has("deletionVectors") })
    }
}

impl MetaData {
    fn property(&self, name: &str) -> Option<&str> {
        self.configuration.get(name)?.as_deref()
    }

    /// Whether the table keeps a change feed and so on: properties that say `true`.
    fn is_on(&self, name: &str) -> bool {
        self.property(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn times(&self) -> CommitTimes {
        if !self.is_on(TIMES) {
            return CommitTimes::OfFiles;
        }
        CommitTimes::Since(self.property(TIMES_SINCE).and_then(|since| since.parse().ok()).unwrap_or(0))
    }

    /// Properties that readers need.
    fn told(&self, features: &BTreeSet<Feature>) -> BTreeMap<String, String> {
        let mut told = BTreeMap::new();
        let mut tell = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                told.insert(name.to_owned(), value.to_owned());
            }
        };
        if features.contains(&Feature::ColumnMapping) {
            tell(MAPPING_MODE, self.property(MAPPING_MODE));
            tell(MAPPING_MAX_ID, self.property(MAPPING_MAX_ID));
        }
        if features.contains(&Feature::TypeWidening) {
            tell(TYPE_WIDENING, Some("true"));
        }
        tell(CHANGE_DATA_FEED, self.is_on(CHANGE_DATA_FEED).then_some("true"));
        told
    }
}

fn features(mapped: bool, traits: &schema::Traits) -> BTreeSet<Feature> {
    let all = [
        (mapped, Feature::ColumnMapping),
        (traits.timestamp_ntz, Feature::TimestampNtz),
        (traits.variant, Feature::VariantType),
        (traits.widened, Feature::TypeWidening),
    ];
    all.into_iter().filter(|(has, _)| *has).map(|(_, feature)| feature).collect()
}

/// Whether readers that know of names and types alone read the right rows.
fn plain(renamed: bool, traits: &schema::Traits) -> Result<(), String> {
    let reasons = [
        (renamed, "the table's columns have other names in its files"),
        (traits.timestamp_ntz, "the table has a column of type timestamp_ntz"),
        (traits.variant, "the table has a column of type variant"),
        (traits.widened, "the type of a column of the table was changed"),
        (traits.void, "the table has a column of type void"),
    ];
    match reasons.into_iter().find(|(applies, _)| *applies) {
        Some((_, reason)) => Err(reason.into()),
        None => Ok(()),
    }
}

fn reread<T: for<'a> Deserialize<'a>>(action: &impl Serialize) -> Result<Arc<T>, TableError> {
    let value = serde_json::to_value(action).map_err(delta_kernel::Error::from).map_err(kernel_error)?;
    serde_json::from_value(value).map(Arc::new).map_err(|error| TableError::Invalid(error.to_string()))
}
