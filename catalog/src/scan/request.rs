//! What is scanned: from a request and a table's metadata to a [`Scan`], without any I/O.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::area::Area;
use super::bind::{Case, Columns};
use super::error::PlanError;
use super::filter::{Expr, Predicate};
use super::limits::Limits;
use super::manifest::{ContentFile, Entry, ManifestContent, ManifestFile, Status};
use super::partition::SpecScan;
use super::project::SpecFilter;
use super::write::to_json;
use crate::metadata::types::PrimitiveType;
use crate::metadata::{Schema, Snapshot, TableMetadata};

/// What a file takes in an answer beside its path, its residual and its metrics, in bytes.
const FILE_BYTES: usize = 512;

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct ScanRequest {
    pub(crate) range: SnapshotRange,
    pub(crate) select: Vec<String>,
    pub(crate) filter: Expr<Predicate>,
    pub(crate) case: Case,
    pub(crate) schema: SchemaChoice,
    /// The fields whose metrics are answered.
    pub(crate) stats_fields: Vec<String>,
}

/// Which snapshots are scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnapshotRange {
    /// The current one; nothing when there is none.
    Current,
    At(i64),
    /// What was appended after `after` up to and with `through`.
    Appended {
        after: i64,
        through: i64,
    },
}

/// Whose names the filter uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaChoice {
    Table,
    Snapshot,
}

/// A scan of a table: all that its tasks need, and no more.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) area: Area,
    /// What the table is called; a plan is answered only under this name.
    pub(crate) table: Box<str>,
    pub(crate) metadata_location: Arc<str>,
    pub(crate) sources: Vec<Source>,
    pub(crate) specs: HashMap<i32, Arc<SpecScan>>,
    /// The ids of the fields whose metrics are answered.
    pub(crate) stats: BTreeSet<i32>,
    /// The length of the longest residual there can be.
    pub(crate) residual_bytes: usize,
}

/// A snapshot that is scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) manifest_list: Arc<str>,
    pub(crate) part: Part,
}

/// Which files of a snapshot are scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    /// Only those the snapshot of this id added.
    AddedBy(i64),
}

/// Whose table it is.
pub(crate) struct TableName {
    pub(crate) area: Area,
    pub(crate) name: Box<str>,
    pub(crate) metadata_location: Arc<str>,
}

impl Scan {
    /// The scan that `request` asks of a table.
    pub(crate) fn new(
        table: TableName,
        metadata: &TableMetadata,
        request: &ScanRequest,
        snapshots_max: usize,
    ) -> Result<Self, PlanError> {
        let (sources, snapshot) = sources(metadata, request.range, snapshots_max)?;
        let columns = Columns::new(schema(metadata, snapshot, request.schema)?, request.case);
        for name in &request.select {
            columns.field_id(name)?;
        }
        let mut stats = BTreeSet::new();
        for name in &request.stats_fields {
            stats.extend(columns.field_id(name)?);
        }
        let filter = columns.bind(&request.filter)?;
        let source = |id: i32| source_type(metadata, id);
        let spec = |spec: &Arc<crate::metadata::PartitionSpec>| {
            let projected = SpecFilter::new(&filter, spec, &source);
            (spec.id, Arc::new(SpecScan::new(spec, projected, &source)))
        };
        Ok(Self {
            area: table.area,
            table: table.name,
            metadata_location: table.metadata_location,
            sources,
            specs: metadata.specs().iter().map(spec).collect(),
            stats,
            residual_bytes: to_json(&filter).to_string().len(),
        })
    }

    /// Files of one plan task: a long filter makes them fewer.
    pub(crate) fn task_files_max(&self, limits: &Limits) -> u32 {
        let fit = limits.answer_bytes_max / (FILE_BYTES + self.residual_bytes);
        u32::try_from(fit).unwrap_or(u32::MAX).clamp(1, limits.task_files_max)
    }

    /// About what a file takes in an answer.
    pub(crate) fn answer_bytes(&self, file: &ContentFile) -> usize {
        // As hexadecimal, with their keys.
        let metrics = if self.stats.is_empty() { 0 } else { 3 * file.heap_bytes() };
        FILE_BYTES + self.residual_bytes + file.path.len() + metrics
    }

    pub(crate) fn spec(&self, manifest: &ManifestFile) -> Result<&Arc<SpecScan>, PlanError> {
        self.specs.get(&manifest.spec_id).ok_or_else(|| {
            let id = manifest.spec_id;
            PlanError::Invalid(format!("a manifest is of partition spec {id}, which the table does not have"))
        })
    }

    /// Whether a data file of `manifest` may be part of the scan.
    pub(crate) fn wants(&self, source: &Source, manifest: &ManifestFile) -> Result<bool, PlanError> {
        let has_files = match source.part {
            Part::All => manifest.added_files != Some(0) || manifest.existing_files != Some(0),
            Part::AddedBy(id) => manifest.added_snapshot_id == id && manifest.added_files != Some(0),
        };
        Ok(manifest.content == ManifestContent::Data && has_files && self.may_match(manifest)?)
    }

    /// Whether the partitions of `manifest` may hold matching rows.
    pub(crate) fn may_match(&self, manifest: &ManifestFile) -> Result<bool, PlanError> {
        let spec = self.spec(manifest)?;
        let summaries = manifest.summaries.iter().zip(&spec.fields);
        let summaries: Vec<_> =
            summaries.map(|(summary, field)| summary.of_type(field.of.as_ref())).collect();
        Ok(spec.filter.may_match_summaries(&summaries))
    }
}

impl Source {
    /// Whether the file of `entry` is part of what is scanned.
    pub(crate) fn has(&self, manifest: &ManifestFile, entry: &Entry) -> bool {
        match self.part {
            Part::All => entry.status != Status::Deleted,
            Part::AddedBy(id) => {
                entry.status == Status::Added && entry.snapshot_id.unwrap_or(manifest.added_snapshot_id) == id
            }
        }
    }
}

/// The type of a column that partitions are made of: as it is now or, if it is gone, as it was.
pub(crate) fn source_type(metadata: &TableMetadata, id: i32) -> Option<PrimitiveType> {
    let schemas = metadata.current_schema().into_iter().chain(metadata.schemas().iter().rev());
    schemas.filter_map(|schema| schema.source(id).ok()).next().cloned()
}

fn schema<'a>(
    metadata: &'a TableMetadata,
    snapshot: Option<&Arc<Snapshot>>,
    choice: SchemaChoice,
) -> Result<&'a Schema, PlanError> {
    let of_snapshot = match choice {
        SchemaChoice::Table => None,
        SchemaChoice::Snapshot => snapshot.and_then(|snapshot| snapshot.schema_id()),
    };
    let found = match of_snapshot {
        Some(id) => metadata.schema(id),
        None => metadata.current_schema(),
    };
    found
        .map(Arc::as_ref)
        .ok_or_else(|| PlanError::Invalid("the snapshot's schema is not in the table".into()))
}

/// What is read, and the snapshot that names are taken from.
fn sources(
    metadata: &TableMetadata,
    range: SnapshotRange,
    snapshots_max: usize,
) -> Result<(Vec<Source>, Option<&Arc<Snapshot>>), PlanError> {
    match range {
        SnapshotRange::Current => match metadata.current_snapshot() {
            None => Ok((Vec::new(), None)),
            Some(snapshot) => Ok((vec![source(snapshot, Part::All)?], Some(snapshot))),
        },
        SnapshotRange::At(id) => {
            let snapshot = existing(metadata, id)?;
            Ok((vec![source(snapshot, Part::All)?], Some(snapshot)))
        }
        SnapshotRange::Appended { after, through } => {
            let last = existing(metadata, through)?;
            Ok((appended(metadata, after, last, snapshots_max)?, Some(last)))
        }
    }
}

/// The appends after `after` up to and with `last`, newest first. What replaces, overwrites or
/// deletes appends nothing.
fn appended(
    metadata: &TableMetadata,
    after: i64,
    last: &Arc<Snapshot>,
    snapshots_max: usize,
) -> Result<Vec<Source>, PlanError> {
    let mut sources = Vec::new();
    let mut next = Some(last.id());
    for _ in 0..=snapshots_max {
        let id = match next {
            Some(id) if id == after => return Ok(sources),
            Some(id) => id,
            None => {
                let last = last.id();
                return Err(PlanError::Invalid(format!(
                    "snapshot {after} is not an ancestor of snapshot {last}"
                )));
            }
        };
        let snapshot = existing(metadata, id)?;
        if snapshot.summary().get("operation").is_some_and(|operation| operation == "append") {
            sources.push(source(snapshot, Part::AddedBy(id))?);
        }
        next = snapshot.parent_id();
    }
    Err(PlanError::Unsupported(format!("there are more than {snapshots_max} snapshots after {after}")))
}

fn existing(metadata: &TableMetadata, id: i64) -> Result<&Arc<Snapshot>, PlanError> {
    metadata.snapshot(id).ok_or_else(|| PlanError::Invalid(format!("the table has no snapshot {id}")))
}

fn source(snapshot: &Snapshot, part: Part) -> Result<Source, PlanError> {
    match snapshot.manifest_list() {
        Some(location) => Ok(Source { manifest_list: location.into(), part }),
        None => Err(PlanError::Unsupported(format!("snapshot {} has no manifest list", snapshot.id()))),
    }
}
