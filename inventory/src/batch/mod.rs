//! Batches: one thing done to many objects, with a report of what became of each.
//!
//! They are defined by YAML as AIStor's are (`yaml.rs`) and run as jobs (`work.rs`). Objects of warehouses are not changed:
//! the files of tables are the catalog's.

mod bulk;
mod check;
mod completion;
mod spec;
mod tasks;
#[cfg(test)]
mod tests;
mod work;
mod yaml;

use std::sync::Arc;

use tarn_catalog::{Catalog, WarehouseStores};

pub use bulk::{Bulk, Item, ItemError, TagChange, There};
pub use spec::{Does, Manifest, ManifestFormat, Place, Spec, Threshold};
pub use yaml::template;

use crate::jobs::Rights;
use crate::scan::ObjectScan;

/// Objects whose list and whose rows of the report are written together.
const PART: usize = 10_000;

/// The kind of job that does batches.
pub struct Batch {
    parts: Parts,
    /// Objects of a part.
    part: usize,
}

/// What batches work with.
pub struct Parts {
    /// Finds objects.
    pub scans: Arc<dyn ObjectScan>,
    /// Changes them.
    pub bulk: Arc<dyn Bulk>,
    /// Where lists are and reports go.
    pub stores: Arc<dyn WarehouseStores>,
    /// Knows which buckets are warehouses.
    pub catalog: Catalog,
    /// Knows what authors may do.
    pub rights: Arc<dyn Rights>,
}

impl Batch {
    /// Batches over these.
    pub fn new(parts: Parts) -> Self {
        Self { parts, part: PART }
    }
}
