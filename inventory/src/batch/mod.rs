//! Batches: one thing done to many objects, with a report of what became of each.
//!
//! They are defined by YAML as AIStor's are (`yaml.rs`) and run as jobs (`work.rs`, `running.rs`). Objects of warehouses are not changed:
//! the files of tables are the catalog's.

mod bulk;
mod catalog;
mod check;
mod completion;
mod doing;
mod outside;
mod queries;
mod running;
mod secret;
mod spec;
mod tasks;
#[cfg(test)]
mod tests;
mod work;
mod yaml;

use std::sync::Arc;

use serde_json::{Value, json};
use tarn_catalog::WarehouseStores;

pub use bulk::{Bulk, Carried, Item, ItemError, TagChange, There};
pub use catalog::Catalog;
pub use outside::{Endpoint, Listed, Notify, Outside, Page, Remote, Replicated, Style};
pub use queries::{Queries, QueryFailure, Rows};
pub use secret::Secret;
pub use spec::{Does, List, Manifest, ManifestFormat, Place, Query, Replication, Spec, Threshold, Way};
pub use yaml::{KINDS, template};

use self::secret::Used;
use crate::jobs::Rights;
use crate::report::Inventory;
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
    pub catalog: tarn_catalog::Catalog,
    /// Makes catalogs of buckets.
    pub inventory: Arc<Inventory>,
    /// Answers the queries that name objects.
    pub queries: Arc<dyn Queries>,
    /// Reaches other servers.
    pub outside: Arc<dyn Outside>,
    /// Knows what authors may do.
    pub rights: Arc<dyn Rights>,
}

impl Batch {
    /// Batches over these.
    pub fn new(parts: Parts) -> Self {
        Self { parts, part: PART }
    }
}

/// A batch, as it is kept.
#[derive(Debug, Clone, PartialEq)]
enum Asked {
    /// Something is done to objects.
    Objects(Spec),
    /// They are told.
    Catalog(Catalog),
}

impl Asked {
    /// Reads what is kept, or what a client wrote in full form.
    fn read(kept: &Value) -> Result<Self, String> {
        let read = match kept.get("catalog") {
            Some(_) => serde_json::from_value(kept.clone()).map(Self::Catalog),
            None => serde_json::from_value(kept.clone()).map(Self::Objects),
        };
        read.map_err(|error| error.to_string())
    }

    fn kept(&self) -> Value {
        match self {
            Self::Objects(spec) => json!(spec),
            Self::Catalog(catalog) => json!(catalog),
        }
    }

    /// Who is told at the end of a run.
    fn notify(&self) -> Option<&Notify> {
        match self {
            Self::Objects(spec) => spec.notify.as_ref(),
            Self::Catalog(catalog) => catalog.notify.as_ref(),
        }
    }

    /// What of it nobody may read again.
    fn secrets(&mut self) -> Vec<Used<'_>> {
        let (notify, does) = match self {
            Self::Objects(spec) => (&mut spec.notify, Some(&mut spec.does)),
            Self::Catalog(catalog) => (&mut catalog.notify, None),
        };
        let mut secrets = Vec::new();
        if let Some(Does::Replicate(replication)) = does {
            secrets.extend(replication.endpoint.secrets());
        }
        secrets.extend(notify.as_mut().and_then(Notify::secret));
        secrets
    }

    /// Leaves its secrets out.
    fn hide(&mut self) {
        for used in self.secrets() {
            *used.secret = Secret::Kept;
        }
    }

    /// The text it was made from.
    fn written(&mut self) -> &mut Option<String> {
        match self {
            Self::Objects(spec) => &mut spec.written,
            Self::Catalog(catalog) => &mut catalog.written,
        }
    }
}
