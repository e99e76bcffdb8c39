//! `tarn serve --demo`: the tables of TPC-H, made in the process and committed as Iceberg tables.
//!
//! - D1: may be run again at any point: a table that has a snapshot is left as it is, one without gets its
//!   rows. What a killed run left behind in the bucket belongs to no snapshot.
//! - D2: all tables get their first snapshot in one commit.
//!
//! The numbers are those of the reference generator; comments come from a smaller pool of text.

mod columns;
mod files;
mod progress;
mod snapshot;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use tarn_catalog::metadata::{Schema, TableMetadata};
use tarn_catalog::state::{
    Conflict, CreateTable, InvalidName, Namespace, Properties, Request, TableChange, TableIdent,
    key_in_warehouse,
};
use tarn_catalog::{Catalog, CommitError, LoadError, WarehouseStores};
use tpchgen::distribution::Distributions;
use tpchgen::text::TextPool;

use self::files::Made;
use self::progress::Progress;
use self::tables::{Source, TABLES, Table};

/// The namespace of the tables.
pub(crate) const NAMESPACE: &str = "tpch";
/// The most rows of a data file.
const FILE_ROWS: u64 = 500_000;
/// The pool that comments are cut from, in bytes.
const TEXT_BYTES: i32 = 16 << 20;

/// Why the sample tables could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A name the catalog refuses.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The catalog refused a change.
    #[error("the catalog refused")]
    Commit(#[from] CommitError),
    /// A table's metadata cannot be read.
    #[error("a table could not be loaded")]
    Load(#[from] LoadError),
    /// Data or manifests could not be made.
    #[error("the files of table {table} could not be made")]
    Make {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file could not be stored.
    #[error("a file could not be stored")]
    Store(#[from] object_store::Error),
    /// A document this module makes is not what the catalog reads.
    #[error("a change could not be built")]
    Json(#[from] serde_json::Error),
    /// The maker of a file panicked.
    #[error("a file's maker failed")]
    Task(#[from] tokio::task::JoinError),
}

/// Where the tables go.
pub(crate) struct Demo {
    pub(crate) catalog: Catalog,
    pub(crate) stores: Arc<dyn WarehouseStores>,
    pub(crate) warehouse: String,
    pub(crate) scale: f64,
}

/// What a run did.
pub(crate) enum Outcome {
    /// It loaded the tables.
    Loaded,
    /// An earlier run did.
    Present,
}

impl Demo {
    /// Loads the tables that are not there.
    pub(crate) async fn load(&self) -> Result<Outcome, DemoError> {
        self.create_namespace().await?;
        let mut empty = Vec::new();
        for table in TABLES {
            let metadata = self.table(table).await?;
            if metadata.current_snapshot_id().is_none() {
                empty.push((table, metadata));
            }
        }
        if empty.is_empty() {
            return Ok(Outcome::Present);
        }
        let progress = Progress::new(empty.iter().map(|(table, _)| rows(table, self.scale)).sum());
        let text = Arc::new(self.text().await?);
        let mut changes = Vec::new();
        for (table, metadata) in empty {
            changes.push(self.fill(table, &metadata, &text, &progress).await?);
        }
        self.catalog.commit(Request::CommitTables(changes)).await?;
        progress.done();
        Ok(Outcome::Loaded)
    }

    async fn create_namespace(&self) -> Result<(), DemoError> {
        let (warehouse, namespace) =
            (self.warehouse.as_str().into(), Namespace::new(vec![NAMESPACE.into()])?);
        let properties = Properties::from([("comment".to_owned(), "TPC-H sample tables".to_owned())]);
        match self.catalog.commit(Request::CreateNamespace { warehouse, namespace, properties }).await {
            Ok(_) | Err(CommitError::Conflict(Conflict::NamespaceExists(_))) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn ident(&self, table: &Table) -> Result<TableIdent, DemoError> {
        let namespace = Namespace::new(vec![NAMESPACE.into()])?;
        Ok(TableIdent::new(self.warehouse.as_str(), namespace, table.name)?)
    }

    /// The table's metadata; the table is created when it is not there.
    async fn table(&self, table: &Table) -> Result<Arc<TableMetadata>, DemoError> {
        let ident = self.ident(table)?;
        if let Some(loaded) = self.catalog.load(&ident).await? {
            return Ok(loaded.metadata);
        }
        let fields: Vec<_> = (1..).zip(table.columns).map(|(id, (name, kind))| {
            serde_json::json!({ "id": id, "name": name, "required": true, "type": kind.iceberg() })
        }).collect();
        let schema = serde_json::json!({ "type": "struct", "schema-id": 0, "fields": fields });
        let schema = Schema::from_json(schema).map_err(|error| make_error(table.name, error))?;
        let create = CreateTable {
            ident: ident.clone(),
            schema: Arc::new(schema),
            spec: None,
            order: None,
            location: None,
            properties: Properties::new(),
        };
        let committed = self.catalog.commit(Request::CreateTable(create)).await?;
        let made = committed.tables.into_iter().next().map(|table| table.metadata);
        made.ok_or_else(|| make_error(table.name, "the catalog answered no table"))
    }

    async fn text(&self) -> Result<TextPool, DemoError> {
        let make = || TextPool::new(TEXT_BYTES, Distributions::static_default());
        Ok(tokio::task::spawn_blocking(make).await?)
    }

    /// Makes and stores a table's files and returns the change that adds them.
    async fn fill(
        &self,
        table: &'static Table,
        metadata: &TableMetadata,
        text: &Arc<TextPool>,
        progress: &Progress,
    ) -> Result<TableChange, DemoError> {
        let parsed: Arc<iceberg::spec::TableMetadata> =
            Arc::new(serde_json::from_slice(&metadata.to_json())?);
        let parts = i32::try_from(rows(table, self.scale).div_ceil(FILE_ROWS)).unwrap_or(i32::MAX).max(1);
        let (mut files, mut sizes) = (Vec::new(), 0);
        for part in 1..=parts {
            let (scale, text, parsed) = (self.scale, text.clone(), parsed.clone());
            // One thread of the blocking pool makes the file; nothing it awaits ever waits.
            let runtime = tokio::runtime::Handle::current();
            let made = tokio::task::spawn_blocking(move || {
                let source = Source { scale, part, parts, text: &text };
                runtime.block_on(files::data_file(table, &source, &parsed))
            });
            let Some((file, made)) = made.await?.map_err(|error| make_error(table.name, error))? else {
                continue;
            };
            sizes += made.bytes.len() as u64;
            progress.add(file.record_count());
            files.push(file);
            self.store(made).await?;
        }
        let records = files.iter().map(|file| file.record_count()).sum();
        let summary = snapshot::Added { files: files.len() as u64, records, bytes: sizes };
        let snapshot_id = snapshot::fresh_id();
        let sequence = metadata.last_sequence_number() + 1;
        let manifests = files::manifests(&parsed, snapshot_id, sequence, files).await;
        let [manifest, list] = manifests.map_err(|error| make_error(table.name, error))?;
        let list_location = list.location.clone();
        self.store(manifest).await?;
        self.store(list).await?;
        progress.table(table.name, &summary);
        let at = jiff::Timestamp::now().as_millisecond();
        let (requirements, updates) = snapshot::first(
            snapshot_id,
            sequence,
            at,
            &list_location,
            metadata.current_schema_id(),
            &summary,
        )?;
        Ok(TableChange { ident: self.ident(table)?, requirements, updates })
    }

    async fn store(&self, made: Made) -> Result<(), DemoError> {
        let key = key_in_warehouse(&self.warehouse, &made.location);
        let key = key.ok_or_else(|| make_error("of the demo", "a location lies outside of its warehouse"))?;
        let store: Arc<dyn ObjectStore> = self.stores.store(&self.warehouse);
        store.put(&Path::from(key), PutPayload::from(made.bytes)).await?;
        Ok(())
    }
}

/// About how many rows a table has at a scale.
fn rows(table: &Table, scale: f64) -> u64 {
    if table.rows_at_one == 0 { 25 } else { (table.rows_at_one as f64 * scale) as u64 }
}

fn make_error(table: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DemoError {
    DemoError::Make { table, source: source.into() }
}
