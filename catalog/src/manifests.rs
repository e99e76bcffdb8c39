//! What manifest lists and manifests name. Both may be of any version, and of tables with types that are not known here.
//!
//! [`manifests`] and [`live_files`] name files and nothing else of them. Whoever needs to know what a table's files hold
//! reads them through [`Catalog::manifest_list`] and [`Catalog::manifest`].

use std::sync::Arc;

use crate::Catalog;
use crate::metadata::{PartitionSpec, TableMetadata};
pub use crate::scan::{
    Area, ByField, Content, ContentFile, DeleteFile, DeleteIndex, Entry, Manifest, ManifestContent,
    ManifestFile, Partition, PartitionKey, RawSummary, Status, Value,
};
use crate::scan::{
    Expr, InvalidAvro, PlanError, SpecFilter, SpecScan, named_files, named_manifests, source_type,
};
use crate::state::TableIdent;

/// A manifest list or a manifest is not what it must be, or unpacks to more than is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvalidManifest(#[from] InvalidAvro);

/// The manifests that a manifest list names. No more than `unpacked_bytes_max` are unpacked.
pub fn manifests(list: &[u8], unpacked_bytes_max: usize) -> Result<Vec<String>, InvalidManifest> {
    Ok(named_manifests(list, unpacked_bytes_max)?)
}

/// The files that are live in a manifest: added by it or taken over. No more than `unpacked_bytes_max` are unpacked.
pub fn live_files(
    manifest: &[u8],
    unpacked_bytes_max: usize,
) -> Result<Vec<(Content, String)>, InvalidManifest> {
    Ok(named_files(manifest, unpacked_bytes_max)?)
}

/// A manifest list or a manifest could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadManifestError {
    /// It is gone.
    #[error("{0} does not exist")]
    Missing(Box<str>),
    /// It is not what it must be.
    #[error("{location} is not what it must be")]
    Damaged {
        /// Where it lies.
        location: Box<str>,
        /// What is wrong with it.
        #[source]
        source: InvalidManifest,
    },
    /// It is not read here: encrypted, larger than the limits, outside the table's warehouse, or where another
    /// table lies.
    #[error("{0}")]
    Unsupported(String),
    /// The store failed; trying again may help.
    #[error("{location} could not be read")]
    Store {
        /// Where it lies.
        location: Box<str>,
        /// The store's error.
        #[source]
        source: Arc<object_store::Error>,
    },
}

impl From<PlanError> for ReadManifestError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Missing { location } => Self::Missing(location),
            PlanError::Damaged { location, source } => {
                Self::Damaged { location, source: InvalidManifest(source) }
            }
            PlanError::Store { location, source } => Self::Store { location, source },
            other @ (PlanError::Unsupported(_)
            | PlanError::Invalid(_)
            | PlanError::Filter(_)
            | PlanError::Partition { .. }
            | PlanError::Busy
            | PlanError::NoSuchPlan(_)
            | PlanError::NoSuchTask(_)) => Self::Unsupported(other.to_string()),
        }
    }
}

impl Catalog {
    /// Where the manifests of a table with this metadata may lie now.
    pub fn area(&self, ident: &TableIdent, metadata: &TableMetadata) -> Area {
        Area::new(self.snapshot(), ident.clone(), (metadata.location(), metadata.uuid()))
    }

    /// The manifests that the list at `location` names: through a bounded cache.
    pub async fn manifest_list(
        &self,
        area: &Area,
        location: &str,
    ) -> Result<Arc<Vec<ManifestFile>>, ReadManifestError> {
        Ok(self.manifests().list(area, location).await?)
    }

    /// A manifest that a list names: through a bounded cache.
    pub async fn manifest(
        &self,
        area: &Area,
        manifest: &ManifestFile,
    ) -> Result<Arc<Manifest>, ReadManifestError> {
        Ok(self.manifests().manifest(area, manifest).await?)
    }
}

impl Area {
    /// Refuses a manifest or manifest list that is not of the table.
    pub fn check(&self, location: &str) -> Result<(), ReadManifestError> {
        Ok(self.path(location).map(|_| ())?)
    }
}

/// Reads the partitions of the files of one spec.
#[derive(Debug)]
pub struct SpecPartitions(SpecScan);

/// Where the values of a spec's fields stand in the entries of one manifest.
#[derive(Debug)]
pub struct Places(Vec<Option<usize>>);

impl SpecPartitions {
    /// Of a spec of the table.
    pub fn new(metadata: &TableMetadata, spec: &PartitionSpec) -> Self {
        let source = |id: i32| source_type(metadata, id);
        let filter = SpecFilter::new(&Expr::True, spec, &source);
        Self(SpecScan::new(spec, filter, &source))
    }

    /// Where the values stand in the entries of `manifest`.
    pub fn places(&self, manifest: &Manifest) -> Places {
        Places(self.0.places(manifest))
    }

    /// The partition of a file of that manifest, its values in the spec's order; `None` when one is not of its type.
    pub fn of(&self, file: &ContentFile, places: &Places) -> Option<Partition> {
        self.0.partition(&file.partition, &places.0)
    }
}

impl Entry {
    /// The sequence number of its rows or deletes, as it has it or inherits it.
    pub fn sequence_number(&self, listed: &ManifestFile) -> i64 {
        self.sequence_number.unwrap_or(listed.sequence_number)
    }

    /// Whether its file is in the table.
    pub fn is_live(&self) -> bool {
        match self.status {
            Status::Added | Status::Existing => true,
            Status::Deleted => false,
        }
    }
}
