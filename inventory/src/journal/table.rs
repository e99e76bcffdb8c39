//! The tables of journals: `journal` and `inventory`, in a namespace named as the bucket, in warehouse `system`.
//!
//! The server makes them; whoever reads them needs the rights to them as to any table. Only a table that was made for the
//! journal of its bucket is written to.

use std::sync::Arc;

use iceberg::spec::TableMetadata;
use tarn_catalog::state::{CreateTable, Namespace, Properties, Request, TableIdent};
use tarn_catalog::{Catalog, CommitError, LoadError, LoadedTable, WarehouseError, WarehouseStores};

use super::columns;
use super::watermark::Watermark;
use crate::Settings;
use crate::compact::CompactError;
use crate::compact::head::listed;
use crate::compact::live::{Live, live};
use crate::compact::schema::Columns;
use crate::files::Files;
use crate::place::Places;
use crate::policy::{self, Compaction, Policy, Scope, SnapshotManagement, Status, UnreferencedFileRemoval};
use crate::system::{WAREHOUSE, make_namespace, make_once};

/// The property of a table that names the bucket whose journal it is made for.
const OWNER: &str = "tarn.journal.bucket";
/// The property of a table, and of its snapshots' summaries, that tells how far it is.
pub(super) const WATERMARK: &str = "tarn.journal.watermark";
/// The property of an inventory that names the backfill it had.
pub(super) const BACKFILL: &str = "tarn.journal.backfill";
/// Snapshots stay so long, unless the table's policy is changed: at one every ten seconds some thousand.
const SNAPSHOT_HOURS: u32 = 6;
/// Of inventories: a week.
const INVENTORY_SNAPSHOT_HOURS: u32 = 7 * 24;
/// So many stay, however old.
const SNAPSHOTS_KEPT: u32 = 10;

/// Which table of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Every change.
    Journal,
    /// The objects there are.
    Inventory,
}

/// A table was not made, read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    /// It is not as the server made it.
    #[error("table {}.{table} cannot be written to: {message}", table.warehouse)]
    Unfit { table: TableIdent, message: String },
    /// Other commits came in the way again and again.
    #[error("other commits to table {}.{_0} came in the way again and again", _0.warehouse)]
    Overtaken(TableIdent),
    /// The table is further than its writer believed: somebody else writes, or a commit of unknown outcome was done.
    #[error("table {}.{_0} moved on meanwhile", _0.warehouse)]
    Moved(TableIdent),
    /// The catalog did not do it, or does not know.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Its metadata cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file of it could not be read or written.
    #[error(transparent)]
    Files(#[from] CompactError),
    /// The bucket of the warehouse could not be made.
    #[error("the bucket of warehouse {WAREHOUSE} could not be made")]
    Warehouse(#[from] WarehouseError),
}

/// The tables of all journals.
#[derive(Clone)]
pub(super) struct Tables {
    pub(super) catalog: Catalog,
    stores: Arc<dyn WarehouseStores>,
    pub(super) files: Arc<Files>,
}

/// A table as it was loaded.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) ident: TableIdent,
    pub(super) loaded: LoadedTable,
    pub(super) parsed: Arc<TableMetadata>,
    pub(super) columns: Columns,
}

/// A table of the journal of a bucket.
pub(super) fn ident(bucket: &str, kind: Kind) -> Result<TableIdent, String> {
    let namespace = Namespace::new(vec![bucket.to_owned()]).map_err(|error| error.to_string())?;
    let name = match kind {
        Kind::Journal => "journal",
        Kind::Inventory => "inventory",
    };
    TableIdent::new(WAREHOUSE, namespace, name).map_err(|error| error.to_string())
}

impl Tables {
    pub(super) fn new(catalog: Catalog, stores: Arc<dyn WarehouseStores>) -> Self {
        let settings =
            Settings { operations_per_second: u32::MAX, bytes_per_second: u64::MAX, ..Settings::default() };
        let files = Arc::new(Files::new(stores.clone(), &settings));
        Self { catalog, stores, files }
    }

    /// Whether there is such a bucket.
    pub(super) async fn has_bucket(&self, bucket: &str) -> Result<bool, WarehouseError> {
        match self.stores.exists(bucket).await {
            Ok(exists) => Ok(exists),
            Err(WarehouseError::Name(_) | WarehouseError::Missing) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The table, made if it is not there.
    pub(super) async fn ensure(&self, bucket: &str, kind: Kind) -> Result<Table, TableError> {
        let ident = ident(bucket, kind).map_err(CompactError::Unfit)?;
        if self.catalog.snapshot().table(&ident).is_none() {
            self.make(&ident, bucket, kind).await?;
        }
        self.load(ident, bucket).await
    }

    async fn make(&self, ident: &TableIdent, bucket: &str, kind: Kind) -> Result<(), TableError> {
        let bucket_of_all = async {
            match self.stores.create(WAREHOUSE).await {
                Ok(()) | Err(WarehouseError::Exists) => Ok(()),
                Err(error) => Err(TableError::from(error)),
            }
        };
        make_namespace(&self.catalog, &ident.namespace, bucket_of_all).await?;
        let unfit = |message: String| TableError::Unfit { table: ident.clone(), message };
        let (spec, order) = match kind {
            Kind::Journal => (columns::days().map(Some), Ok(None)),
            Kind::Inventory => (Ok(None), columns::by_key().map(Some)),
        };
        let create = CreateTable {
            ident: ident.clone(),
            schema: Arc::new(columns::schema(kind).map_err(|error| unfit(error.to_string()))?),
            spec: spec.map_err(|error| unfit(error.to_string()))?,
            order: order.map_err(|error| unfit(error.to_string()))?,
            location: None,
            properties: Properties::from([
                (OWNER.to_owned(), bucket.to_owned()),
                // A commit every ten seconds leaves that many metadata files.
                ("write.metadata.delete-after-commit.enabled".to_owned(), "true".to_owned()),
            ]),
        };
        make_once(&self.catalog, Request::CreateTable(create)).await?;
        let put = policy::put(&self.catalog, &Scope::Table(ident.clone()), &upkeep(kind)).await;
        put.map_err(|error| unfit(error.to_string()))
    }

    async fn load(&self, ident: TableIdent, bucket: &str) -> Result<Table, TableError> {
        let unfit = |message: String| TableError::Unfit { table: ident.clone(), message };
        let Some(loaded) = self.catalog.load(&ident).await? else {
            return Err(unfit("it was dropped".into()));
        };
        if loaded.metadata.properties().get(OWNER).is_none_or(|owner| owner != bucket) {
            return Err(unfit(format!("its property {OWNER} is not '{bucket}': it was not made for it")));
        }
        let parsed: TableMetadata = serde_json::from_slice(&loaded.metadata.to_json())
            .map_err(|error| unfit(format!("its metadata is not understood: {error}")))?;
        let columns = Columns::new(parsed.current_schema().as_struct().fields().to_vec())?;
        Ok(Table { ident, loaded, parsed: Arc::new(parsed), columns })
    }

    /// The live files of the current snapshot with their manifests.
    pub(super) async fn live(&self, table: &Table) -> Result<Vec<Live>, TableError> {
        let Some(snapshot) = table.parsed.current_snapshot() else { return Ok(Vec::new()) };
        let version = table.parsed.format_version();
        let area = self.catalog.area(&table.ident, &table.loaded.metadata);
        let manifests = listed(&self.files, &area, snapshot.manifest_list(), version).await?;
        let mut all = Vec::new();
        for manifest in &manifests {
            all.extend(live(&self.files, manifest).await?.0);
        }
        Ok(all)
    }
}

impl Table {
    /// How far the table is.
    pub(super) fn watermark(&self, sets: usize) -> Result<Watermark, TableError> {
        let Some(told) = self.property(WATERMARK) else { return Ok(Watermark::start(sets)) };
        Watermark::parse(told, sets)
            .ok_or_else(|| self.unfit(format!("its property {WATERMARK} is not one of {sets} sets: {told}")))
    }

    pub(super) fn property(&self, name: &str) -> Option<&String> {
        self.loaded.metadata.properties().get(name)
    }

    /// Where a file of the table is made.
    pub(super) fn location(&self, name: &str) -> Result<String, TableError> {
        let location = format!("{}/{name}", self.loaded.metadata.location());
        if Places::of(&self.loaded.metadata).hold(&location) {
            return Ok(location);
        }
        Err(self.unfit(format!("nothing can be written to {location}")))
    }

    pub(super) fn unfit(&self, message: String) -> TableError {
        TableError::Unfit { table: self.ident.clone(), message }
    }

    /// Rows of the table, as its last writer counted.
    pub(super) fn rows(&self) -> Option<u64> {
        let Some(snapshot) = self.loaded.metadata.current_snapshot() else { return Some(0) };
        snapshot.summary().get("total-records")?.parse().ok()
    }
}

/// What is done to a table by itself. A journal's small files are merged. Those of an inventory are made as they are
/// to be, and told apart by their bounds.
fn upkeep(kind: Kind) -> Policy {
    let hours = match kind {
        Kind::Journal => SNAPSHOT_HOURS,
        Kind::Inventory => INVENTORY_SNAPSHOT_HOURS,
    };
    let compaction = match kind {
        Kind::Journal => Status::Enabled,
        Kind::Inventory => Status::Disabled,
    };
    Policy {
        snapshots: Some(SnapshotManagement {
            status: Some(Status::Enabled),
            interval_hours: Some(1),
            max_snapshot_age_hours: Some(hours),
            min_snapshots_to_keep: Some(SNAPSHOTS_KEPT),
        }),
        unreferenced: Some(UnreferencedFileRemoval {
            status: Some(Status::Enabled),
            ..UnreferencedFileRemoval::default()
        }),
        compaction: Some(Compaction {
            status: Some(compaction),
            interval_hours: Some(1),
            ..Compaction::default()
        }),
    }
}
