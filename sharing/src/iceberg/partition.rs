//! Partitions of Iceberg as Delta tells them.
//!
//! - I6: a column is told as a partition column only where every live file has its value: Delta reads it from there and
//!   never from the file. So it is partitioned by identity in every spec that live files have.
//! - I7: no value of a partition column is the empty text, which Delta takes for null.
//!
//! Everything else a spec says of its files is kept for skipping files (`hidden`); readers find the columns in the files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tarn_catalog::manifests::{
    ContentFile, Manifest, ManifestFile, Partition, Places, SpecPartitions, Value,
};
use tarn_catalog::metadata::transform::Transform as IcebergTransform;
use tarn_catalog::metadata::types::PrimitiveType;
use tarn_catalog::metadata::{PartitionSpec, TableMetadata};

use super::schema::{Leaf, Mapping, Told};
use super::text::{has_partition_text, partition_text};
use crate::table::{HiddenField, TableError, Transform};

/// How the files of a version are partitioned, as readers are told it.
#[derive(Debug)]
pub(super) struct Partitioning {
    pub(super) declared: Vec<Declared>,
    pub(super) hidden: Arc<[HiddenField]>,
    specs: HashMap<i32, Spec>,
}

/// A partition column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Declared {
    pub(super) id: i32,
    pub(super) name: String,
    physical: String,
    of: PrimitiveType,
}

/// Where a spec's values are told.
#[derive(Debug)]
struct Spec {
    partitions: SpecPartitions,
    /// The position of each declared column's field.
    declared: Vec<Option<usize>>,
    /// The position of each hidden field, and how its value is written.
    hidden: Vec<Option<(usize, Text)>>,
}

#[derive(Debug, Clone)]
enum Text {
    Of(PrimitiveType),
    Number,
}

/// What is told of the partition of files of one manifest.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) partition: Partition,
    /// Physical names and texts.
    declared: Vec<(String, Option<String>)>,
    hidden: Vec<Option<String>>,
}

/// The specs that live files have, each with the manifests that say so.
pub(super) type UsedSpecs<'a> = BTreeMap<i32, Vec<&'a ManifestFile>>;

impl Partitioning {
    pub(super) fn new(
        metadata: &TableMetadata,
        told: &Told,
        used: &UsedSpecs<'_>,
    ) -> Result<Self, TableError> {
        let mut specs = Vec::with_capacity(used.len());
        for (id, manifests) in used {
            let spec = metadata.spec(*id);
            specs.push((spec.ok_or_else(|| no_spec(*id))?.as_ref(), manifests.as_slice()));
        }
        // A table without files is told as it was made.
        let first = specs.first().map(|(spec, _)| *spec).or(metadata.specs().first().map(AsRef::as_ref));
        let fields = first.map_or(&[][..], |spec| spec.fields.as_slice());
        let sources = fields.iter().filter_map(|field| identity_source(&field.transform, &field.source_ids));
        let declared: Vec<Declared> = sources.filter_map(|id| declare(id, told, &specs)).collect();
        if told.mapping == Mapping::Name {
            check_all_declared(&specs, &declared, told)?;
        }
        let mut hidden: Vec<(i32, HiddenField)> = Vec::new();
        for (spec, _) in &specs {
            add_hidden(&mut hidden, spec, &declared, told);
        }
        let of_spec = |spec: &Arc<PartitionSpec>| {
            let places = Spec {
                partitions: SpecPartitions::new(metadata, spec),
                declared: declared.iter().map(|column| identity_at(spec, column.id)).collect(),
                hidden: hidden.iter().map(|(id, field)| hidden_at(spec, *id, field, told)).collect(),
            };
            (spec.id, places)
        };
        let specs = metadata.specs().iter().map(of_spec).collect();
        let hidden = hidden.into_iter().map(|(_, field)| field).collect();
        Ok(Self { declared, hidden, specs })
    }

    /// The ids of the partition columns.
    pub(super) fn ids(&self) -> BTreeSet<i32> {
        self.declared.iter().map(|column| column.id).collect()
    }

    /// Where the partition values of a manifest's files stand.
    pub(super) fn of_manifest(
        &self,
        listed: &ManifestFile,
        manifest: &Manifest,
    ) -> Result<ManifestPartitions<'_>, TableError> {
        let spec = self.specs.get(&listed.spec_id).ok_or_else(|| no_spec(listed.spec_id))?;
        Ok(ManifestPartitions { table: self, spec, places: spec.partitions.places(manifest) })
    }
}

/// Reads the partitions of one manifest's files.
pub(super) struct ManifestPartitions<'a> {
    table: &'a Partitioning,
    spec: &'a Spec,
    places: Places,
}

impl ManifestPartitions<'_> {
    /// The partition of a file, not told.
    pub(super) fn partition(&self, file: &ContentFile) -> Result<Partition, TableError> {
        let wrong = || TableError::Invalid("a partition value is not of its field's type".into());
        self.spec.partitions.of(file, &self.places).ok_or_else(wrong)
    }

    /// What is told of a file's partition.
    pub(super) fn values(&self, file: &ContentFile) -> Result<Values, TableError> {
        let partition = self.partition(file)?;
        let value = |at: usize| partition.values.get(at).and_then(|(_, value)| value.as_ref());
        let mut declared = Vec::with_capacity(self.table.declared.len());
        for (column, at) in self.table.declared.iter().zip(&self.spec.declared) {
            let at = at.ok_or_else(|| {
                TableError::Unsupported(format!("some files are not partitioned by {}", column.name))
            })?;
            let text = value(at).map(|value| text_of(column, value)).transpose()?;
            declared.push((column.physical.clone(), text));
        }
        let hidden = self.spec.hidden.iter().map(|place| {
            let (at, text) = place.as_ref()?;
            match (text, value(*at)?) {
                (Text::Of(of), value) => partition_text(of, value),
                (Text::Number, Value::Integer(number)) => Some(number.to_string()),
                (Text::Number, _no_number) => None,
            }
        });
        let hidden = hidden.collect();
        Ok(Values { partition, declared, hidden })
    }
}

impl Values {
    /// As a data file has them.
    pub(super) fn declared(&self) -> Vec<(&str, Option<&str>)> {
        self.declared.iter().map(|(name, text)| (name.as_str(), text.as_deref())).collect()
    }

    /// As a data file has them.
    pub(super) fn hidden(&self) -> Vec<Option<&str>> {
        self.hidden.iter().map(Option::as_deref).collect()
    }
}

fn no_spec(id: i32) -> TableError {
    TableError::Invalid(format!("partition spec {id} is not in the table's metadata"))
}

fn text_of(column: &Declared, value: &Value) -> Result<String, TableError> {
    let name = &column.name;
    partition_text(&column.of, value).ok_or_else(|| match value {
        Value::Text(_) => TableError::Invalid(format!("a manifest list hides empty values of column {name}")),
        Value::Boolean(_)
        | Value::Integer(_)
        | Value::Real(_)
        | Value::Decimal(_)
        | Value::Uuid(_)
        | Value::Bytes(_) => TableError::Unsupported(format!("a partition value of {name} is out of range")),
    })
}

fn identity_source(transform: &IcebergTransform, sources: &[i32]) -> Option<i32> {
    match (transform, sources) {
        (IcebergTransform::Identity, [id]) => Some(*id),
        (_, _) => None,
    }
}

fn identity_at(spec: &PartitionSpec, id: i32) -> Option<usize> {
    spec.fields.iter().position(|field| identity_source(&field.transform, &field.source_ids) == Some(id))
}

/// The column as a partition column, where it may be one (I6, I7).
fn declare(id: i32, told: &Told, specs: &[(&PartitionSpec, &[&ManifestFile])]) -> Option<Declared> {
    let Leaf { path, name, of } = told.leaves.get(&id)?;
    let [physical] = path.as_slice() else { return None };
    if !has_partition_text(of) {
        return None;
    }
    for (spec, manifests) in specs {
        let at = identity_at(spec, id)?;
        let is_text = *of == PrimitiveType::String;
        if is_text && manifests.iter().any(|manifest| may_hold_empty(manifest, at, spec.fields.len())) {
            return None;
        }
    }
    Some(Declared { id, name: name.clone(), physical: physical.clone(), of: of.clone() })
}

/// Whether a value of the partition field may be the empty text: then that is its lower bound.
fn may_hold_empty(manifest: &ManifestFile, at: usize, fields: usize) -> bool {
    if manifest.summaries.len() != fields {
        return true;
    }
    manifest.summaries[at].lower.as_ref().is_some_and(|lower| lower.is_empty())
}

/// Files without field ids may not even hold the columns they are partitioned by: those must be told with the file.
fn check_all_declared(
    specs: &[(&PartitionSpec, &[&ManifestFile])],
    declared: &[Declared],
    told: &Told,
) -> Result<(), TableError> {
    let fields = specs.iter().flat_map(|(spec, _)| &spec.fields);
    let sources = fields.filter_map(|field| identity_source(&field.transform, &field.source_ids));
    for leaf in sources.filter(|id| declared.iter().all(|column| column.id != *id)) {
        if let Some(leaf) = told.leaves.get(&leaf) {
            return Err(TableError::Unsupported(format!(
                "some files of the table have no field ids, and column {}, which some are partitioned by, may be told \
                 by their partition only",
                leaf.name
            )));
        }
    }
    Ok(())
}

fn add_hidden(
    hidden: &mut Vec<(i32, HiddenField)>,
    spec: &PartitionSpec,
    declared: &[Declared],
    told: &Told,
) {
    for field in &spec.fields {
        let [id] = field.source_ids.as_slice() else { continue };
        let Some(leaf) = told.leaves.get(id) else { continue };
        let Some(transform) = told_transform(&field.transform, &leaf.of) else { continue };
        let is_declared = transform == Transform::Identity && declared.iter().any(|column| column.id == *id);
        let is_known = hidden.iter().any(|(known, field)| known == id && field.transform == transform);
        if !is_declared && !is_known {
            hidden.push((*id, HiddenField { column: leaf.path.clone(), transform }));
        }
    }
}

fn hidden_at(spec: &PartitionSpec, id: i32, field: &HiddenField, told: &Told) -> Option<(usize, Text)> {
    let of = &told.leaves.get(&id)?.of;
    let at = spec.fields.iter().position(|candidate| {
        candidate.source_ids == [id] && told_transform(&candidate.transform, of) == Some(field.transform)
    })?;
    let text = match field.transform {
        Transform::Identity | Transform::Truncate(_) => Text::Of(of.clone()),
        Transform::Year | Transform::Month | Transform::Day | Transform::Hour | Transform::Bucket(_) => {
            Text::Number
        }
    };
    Some((at, text))
}

/// The transform of values that have a text.
fn told_transform(transform: &IcebergTransform, of: &PrimitiveType) -> Option<Transform> {
    match transform {
        IcebergTransform::Identity => has_partition_text(of).then_some(Transform::Identity),
        IcebergTransform::Truncate(width) => has_partition_text(of).then_some(Transform::Truncate(*width)),
        IcebergTransform::Year => Some(Transform::Year),
        IcebergTransform::Month => Some(Transform::Month),
        IcebergTransform::Day => Some(Transform::Day),
        IcebergTransform::Hour => Some(Transform::Hour),
        IcebergTransform::Bucket(buckets) => Some(Transform::Bucket(*buckets)),
        IcebergTransform::Void | IcebergTransform::Other(_) => None,
    }
}
