//! The server's own state as tables of schema `system`, for SQL.
//!
//! - Y1: a row, and each value of it, is told only to who may learn of what it tells elsewhere in this server, by the same
//!   actions; what one may not see is not there, and no error says so.
//! - Y2: no row holds a secret.
//! - Y3: a scan holds a bounded number of rows of objects, files and changes; lists that are in memory anyway become one batch.
//!
//! The columns are those of `tarn_sql::system`.

mod asker;
mod catalog;
mod files;
mod log;
mod objects;
mod reachable;
mod runs;
mod sharing;
mod storage;

pub(crate) use self::asker::Asker;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::stream;
use tarn_catalog::Catalog;
use tarn_catalog::state::{CatalogState, Namespace, TableIdent};
use tarn_inventory::Maintenance;
use tarn_inventory::jobs::Jobs;
use tarn_inventory::scan::ObjectScan;
use tarn_objectcore::ObjectCore;
use tarn_openapi::access::{Action, Resource};
use tarn_sharing::directory::Directory;
use tarn_sql::datafusion::common::{DataFusionError, plan_err};
use tarn_sql::datafusion::execution::SendableRecordBatchStream;
use tarn_sql::datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use tarn_sql::system::{self, Rows, Table};
use tarn_sql::{Reader, SystemScan, SystemTables};

/// What the tables are read from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ServerTables {
    pub(crate) core: ObjectCore,
    pub(crate) scan: Arc<dyn ObjectScan>,
    pub(crate) catalog: Catalog,
    pub(crate) maintenance: Maintenance,
    pub(crate) jobs: Jobs,
    pub(crate) shares: Directory,
}

/// What the reading of a table comes to, or why it ended.
type Outcome<T> = Result<T, DataFusionError>;

/// A table that is being read.
#[async_trait]
trait Walk: Send {
    /// The next rows; `None` after the last.
    async fn next(&mut self) -> Outcome<Option<RecordBatch>>;
}

/// One reading: of which table, by whom.
struct Reading {
    state: ServerTables,
    table: &'static Table,
    scan: SystemScan,
    who: Arc<dyn Reader>,
}

impl SystemTables for ServerTables {
    fn names(&self) -> Vec<&'static str> {
        system::ALL.iter().map(|table| table.name).collect()
    }

    fn schema(&self, name: &str) -> Option<SchemaRef> {
        system::table(name).map(Table::schema)
    }

    fn scan(&self, name: &str, scan: SystemScan, who: Arc<dyn Reader>) -> Outcome<SendableRecordBatchStream> {
        let Some(table) = system::table(name) else { return plan_err!("there is no table system.{name}") };
        let schema = scan.schema.clone();
        let walk = Reading { state: self.clone(), table, scan, who }.walk();
        let batches = stream::try_unfold(walk, |mut walk: Box<dyn Walk>| async move {
            Ok(walk.next().await?.map(|batch| (batch, walk)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

impl Reading {
    fn walk(self) -> Box<dyn Walk> {
        match self.table.name {
            "objects" | "versions" => Box::new(objects::ObjectRows::new(self)),
            "tables" => Box::new(catalog::TableRows::new(self)),
            "snapshots" => Box::new(catalog::SnapshotRows::new(self)),
            "manifests" => Box::new(files::ManifestRows::new(self)),
            "data_files" => Box::new(files::FileRows::new(self)),
            "reachable" => Box::new(reachable::ReachableRows::new(self)),
            "log" => Box::new(log::LogRows::new(self)),
            _in_memory => Box::new(Whole(Some(self))),
        }
    }

    /// All rows of a table that is in memory.
    fn whole(&self) -> Rows {
        match self.table.name {
            "buckets" => storage::buckets(self),
            "drives" => storage::drives(self),
            "sets" => storage::sets(self),
            "views" => catalog::views(self),
            "shares" => sharing::shares(self),
            "shared_tables" => sharing::shared_tables(self),
            "recipients" => sharing::recipients(self),
            "grants" => sharing::grants(self),
            "jobs" => runs::jobs(self),
            "runs" => runs::runs(self),
            other => panic!("system.{other} is listed and not read"),
        }
    }

    fn rows(&self) -> Rows {
        Rows::of(self.table)
    }

    fn batch(&self, rows: Rows) -> Outcome<RecordBatch> {
        Ok(rows.batch(&self.scan.projection, self.scan.schema.clone())?)
    }

    fn may(&self, action: Action, resource: Resource<'_>) -> bool {
        self.who.may(action, resource)
    }

    /// Whether the names of a bucket's objects that begin so may be listed.
    fn may_list(&self, bucket: &str, prefix: &str) -> bool {
        self.may(Action::ListBucket, Resource::Listing(bucket, prefix))
    }

    /// Whether a table may be loaded.
    fn may_load(&self, ident: &TableIdent) -> bool {
        let at = Resource::Table(&ident.warehouse, ident.namespace.levels(), &ident.name);
        self.may(Action::GetTableMetadataLocation, at)
    }

    /// The tables that may be loaded and whose files may be read, of those wanted.
    fn readable_tables(&self) -> Vec<TableIdent> {
        let may = |ident: &TableIdent| {
            let at = Resource::Table(&ident.warehouse, ident.namespace.levels(), &ident.name);
            self.may(Action::GetTableData, at)
        };
        let mut tables = self.tables(&self.state.catalog.snapshot());
        tables.retain(may);
        tables
    }

    /// The tables that may be loaded and are wanted, of a state.
    fn tables(&self, state: &CatalogState) -> Vec<TableIdent> {
        let warehouse = system::Wanted::of("warehouse", &self.scan.filters);
        let namespace = system::Wanted::of("namespace", &self.scan.filters);
        let name = system::Wanted::of("table", &self.scan.filters);
        let wanted = |ident: &TableIdent| {
            warehouse.admits(&ident.warehouse)
                && namespace.admits(&dotted(&ident.namespace))
                && name.admits(&ident.name)
        };
        let all = state.all_tables().map(|(ident, _)| ident);
        all.filter(|ident| wanted(ident) && self.may_load(ident)).collect()
    }
}

/// A table whose rows are one batch.
struct Whole(Option<Reading>);

#[async_trait]
impl Walk for Whole {
    async fn next(&mut self) -> Outcome<Option<RecordBatch>> {
        let Some(reading) = self.0.take() else { return Ok(None) };
        let rows = reading.whole();
        reading.batch(rows).map(Some)
    }
}

/// A namespace as it is told: its levels with dots between them.
fn dotted(namespace: &Namespace) -> String {
    namespace.levels().join(".")
}

/// Why a reading failed.
fn failed(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
