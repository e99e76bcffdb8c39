//! Which files of a snapshot may hold the rows asked for: scan planning for readers in this process.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::Catalog;
use crate::manifests::{ContentFile, DeleteIndex, Partition, ReadManifestError};
use crate::metadata::TableMetadata;
use crate::scan::{
    Case, FileTask, Limits, PlanError, Planner, Scan, ScanRequest, SchemaChoice, SnapshotRange, TableName,
    parse_filter,
};
use crate::state::TableIdent;

/// What manifests in its cache take, in bytes.
const MANIFESTS_BYTES_MAX: usize = 64 << 20;
/// What manifest lists in its cache take, in bytes.
const LISTS_BYTES_MAX: usize = 8 << 20;
/// What the delete files of a snapshot take, in bytes.
const DELETES_BYTES_MAX: usize = 128 << 20;

/// Plans reads, with bounded caches of its own.
pub struct ReadPlanner {
    catalog: Catalog,
    planner: Planner,
}

/// What is read.
pub struct Read<'a> {
    /// The table.
    pub table: &'a TableIdent,
    /// Where its metadata lies.
    pub metadata_location: &'a Arc<str>,
    /// Its metadata.
    pub metadata: &'a TableMetadata,
    /// The snapshot.
    pub snapshot_id: i64,
    /// Whose columns the filter is about.
    pub schema: ReadSchema,
    /// What the rows must fulfil, as the REST specification writes it. Files without such a row may be left out.
    pub filter: &'a Json,
    /// More files are an error.
    pub files_max: usize,
}

/// Whose columns a read sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadSchema {
    /// The table's current ones.
    Table,
    /// Those the snapshot was written with.
    Snapshot,
}

/// The files of a read.
pub struct Files {
    /// The data files.
    pub files: Vec<File>,
    /// What their deletes are positions in.
    pub deletes: Arc<DeleteIndex>,
}

/// A data file of a read.
pub struct File(FileTask);

/// A read was not planned.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// It has more files than it may.
    #[error("the read has more than {files_max} files")]
    TooMany {
        /// The limit.
        files_max: usize,
    },
    /// The filter is none of this table.
    #[error("{0}")]
    Filter(String),
    /// A manifest could not be read.
    #[error(transparent)]
    Manifest(#[from] ReadManifestError),
}

impl File {
    /// What its manifest says of it.
    pub fn file(&self) -> &ContentFile {
        self.0.file()
    }

    /// Its partition.
    pub fn partition(&self) -> &Arc<Partition> {
        &self.0.group.partition
    }

    /// Its sequence number, its own or inherited.
    pub fn sequence_number(&self) -> i64 {
        self.0.sequence_number
    }

    /// The delete files that apply to it, as positions in [`Files::deletes`].
    pub fn deletes(&self) -> &[u32] {
        &self.0.deletes
    }
}

impl ReadPlanner {
    /// Of the tables of a catalog.
    pub fn new(catalog: Catalog) -> Self {
        let limits = Limits {
            manifests_bytes_max: MANIFESTS_BYTES_MAX,
            lists_bytes_max: LISTS_BYTES_MAX,
            deletes_bytes_max: DELETES_BYTES_MAX,
            ..Limits::default()
        };
        let planner = Planner::new(catalog.warehouses().clone(), limits);
        Self { catalog, planner }
    }

    /// The files of a snapshot that may hold a row which fulfils the filter, with what is deleted in them.
    pub async fn files(&self, read: Read<'_>) -> Result<Files, ReadError> {
        let filter = parse_filter(read.filter).map_err(|error| ReadError::Filter(error.to_string()))?;
        let request = ScanRequest {
            range: SnapshotRange::At(read.snapshot_id),
            select: Vec::new(),
            filter,
            case: Case::Sensitive,
            schema: match read.schema {
                ReadSchema::Table => SchemaChoice::Table,
                ReadSchema::Snapshot => SchemaChoice::Snapshot,
            },
            stats_fields: Vec::new(),
        };
        let table = TableName {
            area: self.catalog.area(read.table, read.metadata),
            name: read.table.to_string().into(),
            metadata_location: read.metadata_location.clone(),
        };
        let scan = Scan::new(table, read.metadata, &request, self.planner.limits().snapshots_max);
        let scan = scan.map_err(refused)?;
        match self.planner.all(&scan, read.files_max).await.map_err(refused)? {
            Some(page) => {
                let files = page.tasks.into_iter().map(File).collect();
                Ok(Files { files, deletes: page.deletes })
            }
            None => Err(ReadError::TooMany { files_max: read.files_max }),
        }
    }
}

fn refused(error: PlanError) -> ReadError {
    match error {
        PlanError::Filter(error) => ReadError::Filter(error.to_string()),
        PlanError::Invalid(message) => ReadError::Filter(message),
        other @ (PlanError::Unsupported(_)
        | PlanError::Missing { .. }
        | PlanError::Damaged { .. }
        | PlanError::Partition { .. }
        | PlanError::Store { .. }
        | PlanError::Busy
        | PlanError::NoSuchPlan(_)
        | PlanError::NoSuchTask(_)) => ReadError::Manifest(other.into()),
    }
}
