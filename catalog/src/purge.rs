//! Deleting the files of tables that were dropped with `purge`.
//!
//! Which places are purged is state (`state/purge.rs`): a purge begins with the drop, no table comes to lie there
//! while it is pending, and it survives a restart. Here its files are deleted, then it is ended.
//!
//! - P1: files are deleted only after the drop is durable: what readers see is.
//! - P2: only files older than the drop are deleted.
//! - P3: only files below the table's location are deleted, whatever its metadata names.
//! - P4: a location that ends with the table's UUID is the table's alone: all of it goes. Elsewhere
//!   only the metadata, manifest list and statistics files that the table names go; other tables'
//!   or people's files may lie there, so data files stay for the orphan sweep.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use tokio::time::Instant;

use crate::Catalog;
use crate::commit::CommitError;
use crate::files::{LoadError, split};
use crate::metadata::TableMetadata;
use crate::state::{But, Expect, PURGE_KIND, PurgeOrder};

/// A purge that failed is tried again after so long; twice as long each time, up to an hour.
const RETRY_AFTER: Duration = Duration::from_secs(10);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// A purge stopped before its end. It is tried again.
#[derive(Debug, thiserror::Error)]
enum PurgeError {
    #[error("the store failed")]
    Store(#[from] object_store::Error),
    #[error("the table's metadata could not be read")]
    Load(#[from] LoadError),
    #[error("the end of the purge could not be written down")]
    Commit(#[from] CommitError),
}

/// When a purge that failed is due again.
struct Retry {
    due: Instant,
    after: Duration,
}

impl Catalog {
    /// Deletes what is to be purged, now and whenever a drop asks for it, until the catalog closes.
    pub(crate) async fn start_purging(&self) {
        self.in_background(run(self.clone())).await;
    }
}

async fn run(catalog: Catalog) {
    let mut changes = catalog.watch();
    let mut failed: HashMap<Arc<str>, Retry> = HashMap::new();
    loop {
        changes.mark_unchanged();
        let pending: Vec<(Arc<str>, Option<PurgeOrder>)> =
            catalog.snapshot().purges().map(|(id, order)| (id.clone(), order.ok())).collect();
        failed.retain(|id, _| pending.iter().any(|(pending, _)| pending == id));
        for (id, order) in pending {
            if failed.get(&id).is_some_and(|retry| retry.due > Instant::now()) {
                continue;
            }
            let before = failed.remove(&id);
            if !finished(&catalog, &id, order).await {
                let after = before.map_or(RETRY_AFTER, |retry| (retry.after * 2).min(RETRY_AFTER_MAX));
                failed.insert(id, Retry { due: Instant::now() + after, after });
            }
        }
        match failed.values().map(|retry| retry.due).min() {
            // A closed channel: the catalog is gone.
            None => match changes.changed().await {
                Ok(()) => {}
                Err(_closed) => return,
            },
            Some(due) => {
                // Whatever comes first.
                let _ = tokio::time::timeout_at(due, changes.changed()).await;
            }
        }
    }
}

async fn finished(catalog: &Catalog, id: &str, order: Option<PurgeOrder>) -> bool {
    let Some(order) = order else {
        tracing::error!(%id, "a purge cannot be read");
        return false;
    };
    match purge(catalog, id, &order).await {
        Ok(files) => {
            metrics::counter!("tarn_catalog_purged_files_total").increment(files);
            tracing::info!(table.id = %order.uuid, files, "purged a dropped table");
            true
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(table.id = %order.uuid, %error, source, "a purge stopped; it is tried again");
            false
        }
    }
}

/// Deletes the files; how many.
async fn purge(catalog: &Catalog, id: &str, order: &PurgeOrder) -> Result<u64, PurgeError> {
    let mut files = 0;
    // Versions before purges were state noted the purge before the drop: the table may still be there.
    if !catalog.snapshot().is_in_use(order, But::Nothing) {
        let store = catalog.warehouses().store(&order.warehouse);
        let doomed = if order.location.ends_with(&order.uuid.to_string()) {
            everything(&store, order).await?
        } else {
            named(catalog, &store, order).await?
        };
        for path in &doomed {
            match store.delete(path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => files += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
    match catalog.delete_document(PURGE_KIND, id, Expect::Any).await {
        Ok(_) | Err(CommitError::Conflict(_)) => Ok(files),
        Err(error) => Err(error.into()),
    }
}

/// P2. A store that keeps whole seconds may name a file older than it is.
fn is_older(file: &ObjectMeta, order: &PurgeOrder) -> bool {
    let written = file.last_modified.timestamp_millis();
    let latest = if written % 1000 == 0 { written + 999 } else { written };
    latest <= order.at
}

/// Every file below the location that is older than the drop.
async fn everything(store: &Arc<dyn ObjectStore>, order: &PurgeOrder) -> Result<Vec<Path>, PurgeError> {
    let Some((_, prefix)) = split(&order.location) else { return Ok(Vec::new()) };
    let listed: Vec<ObjectMeta> = match store.list(Some(&prefix)).try_collect().await {
        Ok(listed) => listed,
        // The bucket is gone, and all in it.
        Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    Ok(listed.into_iter().filter(|file| is_older(file, order)).map(|file| file.location).collect())
}

/// The files that the table's metadata names and that are older than the drop; the metadata file
/// itself last, so that a purge that stopped can find the rest again.
async fn named(
    catalog: &Catalog,
    store: &Arc<dyn ObjectStore>,
    order: &PurgeOrder,
) -> Result<Vec<Path>, PurgeError> {
    let metadata = match catalog.read_metadata(&order.metadata_location).await {
        Ok(metadata) => metadata,
        Err(LoadError::Missing { .. }) => return Ok(Vec::new()),
        Err(error @ LoadError::Store { .. }) => return Err(error.into()),
        Err(
            error @ (LoadError::Location { .. } | LoadError::TooLarge { .. } | LoadError::Invalid { .. }),
        ) => {
            // Trying again would not help, and the place would stay closed for ever.
            tracing::error!(table.id = %order.uuid, %error, "what a dropped table names is not known; its files stay");
            return Ok(Vec::new());
        }
    };
    let mut locations: BTreeSet<String> = names(&metadata).filter(|name| order.holds(name)).collect();
    locations.remove(&order.metadata_location);
    let last = order.holds(&order.metadata_location).then(|| order.metadata_location.clone());
    let mut doomed = Vec::new();
    for location in locations.into_iter().chain(last) {
        let Some((_, path)) = split(&location) else { continue };
        match store.head(&path).await {
            Ok(file) if is_older(&file, order) => doomed.push(path),
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
