//! Dropping tables, and deleting the files of those that were dropped with `purge`.
//!
//! A purge is a document, put before the table is dropped and deleted after its files are gone, so a
//! restart goes on where it stopped.
//!
//! - P1: files are deleted only after the drop is durable, and only while no table of the catalog lies
//!   at, in or around the place.
//! - P2: only files older than the drop are deleted, so a new table at the same place keeps its own.
//! - P3: only files below the table's location are deleted, whatever its metadata names.
//! - P4: a location that ends with the table's UUID is the table's alone: all of it goes. Elsewhere
//!   only the metadata, manifest list and statistics files that the table names go; other tables'
//!   or people's files may lie there, so data files stay for the orphan sweep.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};

use crate::Catalog;
use crate::commit::CommitError;
use crate::files::{LoadError, split};
use crate::metadata::TableMetadata;
use crate::state::{CatalogState, Expect, Request, TableEntry, TableIdent};

/// The kind of the documents; the id is the table's UUID.
const KIND: &str = "table-purge";

/// What becomes of a dropped table's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// They stay.
    Keep,
    /// They are deleted in the background.
    Files,
}

/// A purge that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Order {
    uuid: uuid::Uuid,
    warehouse: String,
    location: String,
    metadata_location: String,
    /// Files written later stay (P2); milliseconds since 1970.
    at: i64,
}

/// A purge stopped before its end. It goes on when the catalog is opened again.
#[derive(Debug, thiserror::Error)]
enum PurgeError {
    #[error("the store failed")]
    Store(#[from] object_store::Error),
    #[error("the table's metadata could not be read")]
    Load(#[from] LoadError),
    #[error("the end of the purge could not be written down")]
    Commit(#[from] CommitError),
}

impl Catalog {
    /// Drops a table. What becomes of its files does not change the answer: they are deleted later.
    pub async fn drop_table(&self, ident: &TableIdent, purge: Purge) -> Result<(), CommitError> {
        let order = match purge {
            Purge::Keep => None,
            Purge::Files => self.snapshot().table(ident).map(|entry| Order::of(ident, entry)),
        };
        let Some(order) = order else {
            return self.commit(Request::DropTable { ident: ident.clone() }).await.map(|_| ());
        };
        let id = order.uuid.to_string();
        let json = serde_json::json!(order).to_string();
        self.put_document(KIND, &id, &json, Expect::Any).await?;
        let dropped = self.commit(Request::DropTable { ident: ident.clone() }).await;
        // Dropped or not, or not known: the purge itself looks whether the table is gone (P1).
        self.in_background(run(self.clone(), order)).await;
        dropped.map(|_| ())
    }

    /// Goes on with the purges that an earlier process left.
    pub(crate) async fn resume_purges(&self) {
        for (id, document) in self.list_documents(KIND) {
            match serde_json::from_str::<Order>(&document.json) {
                Ok(order) => self.in_background(run(self.clone(), order)).await,
                Err(error) => tracing::error!(%id, %error, "a purge cannot be read"),
            }
        }
    }
}

impl Order {
    fn of(ident: &TableIdent, entry: &TableEntry) -> Self {
        Self {
            uuid: entry.uuid,
            warehouse: ident.warehouse.to_string(),
            location: entry.location.trim_end_matches('/').to_owned(),
            metadata_location: entry.metadata_location.to_string(),
            at: jiff::Timestamp::now().as_millisecond(),
        }
    }

    fn holds(&self, location: &str) -> bool {
        location.strip_prefix(&self.location).is_some_and(|rest| rest.starts_with('/'))
    }

    /// P1: is there a table at, in or around the place?
    fn is_in_use(&self, state: &CatalogState) -> bool {
        state.all_tables().any(|(_, entry)| {
            let place = entry.location.trim_end_matches('/');
            let around = self.location.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'));
            place == self.location || around || self.holds(place) || self.holds(&entry.metadata_location)
        })
    }

    /// P2. A store that keeps whole seconds may name a file older than it is.
    fn is_older(&self, file: &ObjectMeta) -> bool {
        let written = file.last_modified.timestamp_millis();
        let latest = if written % 1000 == 0 { written + 999 } else { written };
        latest <= self.at
    }
}

async fn run(catalog: Catalog, order: Order) {
    match purge(&catalog, &order).await {
        Ok(files) => {
            metrics::counter!("tarn_catalog_purged_files_total").increment(files);
            tracing::info!(table.id = %order.uuid, files, "purged a dropped table");
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(table.id = %order.uuid, %error, source, "a purge stopped; it goes on after a restart");
        }
    }
}

/// Deletes the files; how many.
async fn purge(catalog: &Catalog, order: &Order) -> Result<u64, PurgeError> {
    let mut files = 0;
    if !order.is_in_use(&catalog.snapshot()) {
        let store = catalog.warehouses().store(&order.warehouse);
        let doomed = if order.location.ends_with(&order.uuid.to_string()) {
            everything(&store, order).await?
        } else {
            named(catalog, &store, order).await?
        };
        // Looked at again after listing: a table that came meanwhile keeps the place (P1).
        if !order.is_in_use(&catalog.snapshot()) {
            for path in &doomed {
                match store.delete(path).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => files += 1,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    match catalog.delete_document(KIND, &order.uuid.to_string(), Expect::Any).await {
        Ok(_) | Err(CommitError::Conflict(_)) => Ok(files),
        Err(error) => Err(error.into()),
    }
}

/// Every file below the location that is older than the drop.
async fn everything(store: &Arc<dyn ObjectStore>, order: &Order) -> Result<Vec<Path>, PurgeError> {
    let Some((_, prefix)) = split(&order.location) else { return Ok(Vec::new()) };
    let listed: Vec<ObjectMeta> = store.list(Some(&prefix)).try_collect().await?;
    Ok(listed.into_iter().filter(|file| order.is_older(file)).map(|file| file.location).collect())
}

/// The files that the table's metadata names and that are older than the drop; the metadata file
/// itself last, so that a purge that stopped can find the rest again.
async fn named(
    catalog: &Catalog,
    store: &Arc<dyn ObjectStore>,
    order: &Order,
) -> Result<Vec<Path>, PurgeError> {
    let metadata = match catalog.read_metadata(&order.metadata_location).await {
        Ok(metadata) => metadata,
        Err(LoadError::Missing { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut locations: BTreeSet<String> = names(&metadata).filter(|name| order.holds(name)).collect();
    locations.remove(&order.metadata_location);
    let last = order.holds(&order.metadata_location).then(|| order.metadata_location.clone());
    let mut doomed = Vec::new();
    for location in locations.into_iter().chain(last) {
        let Some((_, path)) = split(&location) else { continue };
        match store.head(&path).await {
            Ok(file) if order.is_older(&file) => doomed.push(path),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(doomed)
}

fn names(metadata: &TableMetadata) -> impl Iterator<Item = String> + '_ {
    let statistics = metadata.statistics().chain(metadata.partition_statistics());
    let statistics = statistics.filter_map(|file| file.json()["statistics-path"].as_str());
    metadata
        .metadata_log()
        .map(|entry| &*entry.metadata_file)
        .chain(metadata.snapshots().filter_map(|snapshot| snapshot.manifest_list()))
        .chain(statistics)
        .map(str::to_owned)
}
