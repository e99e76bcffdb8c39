//! What a version of a table is, its files aside: from its schema and its manifest list alone.
//!
//! Whether rows are deleted and which columns it is partitioned by is judged by the manifest list, and by nothing else:
//! so a version is told the same with its files as without.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tarn_catalog::manifests::{ManifestContent, ManifestFile};
use tarn_catalog::metadata::{Schema as IcebergSchema, TableMetadata};
use uuid::Uuid;

use super::Options;
use super::history::History;
use super::names::{self, NameMapping};
use super::partition::{Partitioning, UsedSpecs};
use super::schema::{Mapping, Told, tell};
use super::stats::StatsShape;
use crate::table::{Column, Feature, FileList, Metadata, Schema, TableError, TableVersion};

/// A version without its files, and what telling of files takes.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) version: i64,
    pub(super) timestamp_ms: i64,
    pub(super) metadata: Arc<Metadata>,
    pub(super) features: BTreeSet<Feature>,
    plain: Result<(), String>,
    pub(super) partitioning: Partitioning,
    pub(super) stats: StatsShape,
}

/// The version that is told.
pub(super) struct Version<'a> {
    pub(super) table: Uuid,
    pub(super) number: i64,
    pub(super) timestamp_ms: i64,
    pub(super) schema: &'a IcebergSchema,
    /// The manifests of its snapshot; none where it has no snapshot.
    pub(super) manifests: &'a [ManifestFile],
}

impl Shape {
    /// The shape of `version`, by metadata that has its schema and the specs of its files.
    pub(super) fn new(
        version: &Version<'_>,
        metadata: &TableMetadata,
        history: &History,
        options: Options,
    ) -> Result<Self, TableError> {
        let names = metadata.properties().get(names::PROPERTY);
        let names = names.map(|json| NameMapping::read(json)).transpose()?;
        let told = tell(version.schema, history, names.as_ref(), options.unsupported_columns)?;
        let mut used = UsedSpecs::new();
        for manifest in live(version.manifests, ManifestContent::Data) {
            used.entry(manifest.spec_id).or_default().push(manifest);
        }
        let partitioning = Partitioning::new(metadata, &told, &used)?;
        let Told { schema, mut features, mut plain, mapping, leaves } = told;
        if live(version.manifests, ManifestContent::Deletes).next().is_some() {
            features.insert(Feature::DeletionVectors);
            plain = Err("rows of the table are deleted".into());
        }
        let is_declared = |id: i32| partitioning.declared.iter().any(|column| column.id == id);
        let stats =
            StatsShape::new(leaves.iter().filter(|(id, _)| !is_declared(**id)).map(|(id, leaf)| (*id, leaf)));
        let schema = Schema { fields: placed(schema.fields, &is_declared_name(&partitioning)) };
        let metadata = Metadata {
            id: version.table.to_string(),
            // Properties are no part of a version: they change without one.
            description: None,
            schema,
            partition_columns: partitioning.declared.iter().map(|column| column.name.clone()).collect(),
            configuration: configuration(mapping, &features),
            created_ms: None,
        };
        let (version, timestamp_ms) = (version.number, version.timestamp_ms);
        let metadata = Arc::new(metadata);
        Ok(Self { version, timestamp_ms, metadata, features, plain, partitioning, stats })
    }

    /// Whether readers are told another table than by `before`.
    pub(super) fn differs(&self, before: &Self) -> bool {
        self.metadata != before.metadata || self.features != before.features
    }

    /// The version with these files.
    pub(super) fn with_files(&self, files: FileList) -> TableVersion {
        TableVersion {
            version: self.version,
            timestamp_ms: self.timestamp_ms,
            metadata: self.metadata.clone(),
            features: self.features.clone(),
            plain: self.plain.clone(),
            hidden: self.partitioning.hidden.clone(),
            files,
        }
    }
}

fn is_declared_name(partitioning: &Partitioning) -> impl Fn(&Column) -> bool + use<'_> {
    move |column| partitioning.declared.iter().any(|declared| declared.name == column.name)
}

/// The columns in an order that every reader can read.
///
/// The Delta kernel of the Python client 1.4 puts a partition column behind the last column before it that is none, and
/// looks for that one's name in files that have it by its physical name. So no partition column is told right behind a
/// column with another physical name: it is told before that one.
fn placed(columns: Vec<Column>, is_partition: &impl Fn(&Column) -> bool) -> Vec<Column> {
    let mut placed: Vec<Column> = Vec::with_capacity(columns.len());
    for column in columns {
        let may_stand_behind =
            |before: &Column| is_partition(before) || before.physical_name() == before.name;
        let at = if is_partition(&column) {
            placed.iter().rposition(may_stand_behind).map_or(0, |last| last + 1)
        } else {
            placed.len()
        };
        placed.insert(at, column);
    }
    placed
}

fn configuration(mapping: Mapping, features: &BTreeSet<Feature>) -> BTreeMap<String, String> {
    // What every version changed can be told of every table.
    let mut configuration = BTreeMap::from([("delta.enableChangeDataFeed".to_owned(), "true".to_owned())]);
    if let Mapping::Id(highest) = mapping {
        configuration.insert("delta.columnMapping.mode".to_owned(), "id".to_owned());
        configuration.insert("delta.columnMapping.maxColumnId".to_owned(), highest.to_string());
    }
    if features.contains(&Feature::DeletionVectors) {
        configuration.insert("delta.enableDeletionVectors".to_owned(), "true".to_owned());
    }
    configuration
}

/// The manifests of this content that may hold live files.
pub(super) fn live(
    manifests: &[ManifestFile],
    content: ManifestContent,
) -> impl Iterator<Item = &ManifestFile> {
    let is_live =
        |manifest: &ManifestFile| manifest.added_files != Some(0) || manifest.existing_files != Some(0);
    manifests.iter().filter(move |manifest| manifest.content == content && is_live(manifest))
}
