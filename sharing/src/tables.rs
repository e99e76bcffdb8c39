//! Opens the tables that are shared.
//!
//! An Iceberg table is opened for each request: the catalog knows it by heart. A Delta table is kept with what is known of
//! its log, and looked at again at each request, so it is never stale.

use std::sync::Arc;

use async_trait::async_trait;
use tarn_catalog::Catalog;
use tarn_catalog::state::{Namespace, TableIdent};
use tarn_openapi::access::TableFiles;

use crate::Sharers;
use crate::delta::{self, DeltaTables};
use crate::directory::{SharedTable, Source};
use crate::holds::Holds;
use crate::iceberg::{IcebergTable, Options, files_of, load_error};
use crate::rest::Tables;
use crate::stores::Stores;
use crate::table::{TableError, TableSource};
use crate::vectors::{self, Vectors};

/// Opens tables of the catalog and of its buckets.
pub struct SharedTables {
    catalog: Catalog,
    sharers: Arc<dyn Sharers>,
    vectors: Arc<Vectors>,
    delta: DeltaTables,
    holds: Arc<Holds>,
}

impl SharedTables {
    /// Opens tables of `catalog` and below prefixes of `stores`, as far as `sharers` may read their files. Versions that
    /// are told are held in `holds`.
    pub fn new(catalog: Catalog, stores: &Stores, sharers: Arc<dyn Sharers>, holds: Arc<Holds>) -> Self {
        let (buckets, own) = (stores.buckets().clone(), stores.own().clone());
        let vectors = Arc::new(Vectors::new(buckets.clone(), own, vectors::Limits::default()));
        let delta = DeltaTables::new(buckets, vectors.clone(), delta::Limits::default());
        Self { catalog, sharers, vectors, delta, holds }
    }

    /// What makes the vectors of deleted rows.
    pub fn vectors(&self) -> &Arc<Vectors> {
        &self.vectors
    }

    fn iceberg(&self, table: &SharedTable, ident: TableIdent) -> Result<IcebergTable, TableError> {
        let (sharers, by) = (self.sharers.clone(), table.by.clone());
        let reach = Arc::new(move |bucket: &str, key: &str| sharers.may_read_object(&by, bucket, key));
        let SharedTable { unsupported_columns, equality_deletes, .. } = &table;
        let options =
            Options { unsupported_columns: *unsupported_columns, equality_deletes: *equality_deletes };
        let table = IcebergTable::open(&self.catalog, ident, options, (self.vectors.clone(), reach))?;
        Ok(table.with_holds(self.holds.clone()))
    }
}

/// The table of the catalog; `None` for one that is none of it.
fn ident(source: &Source) -> Result<Option<TableIdent>, TableError> {
    let Source::Iceberg { warehouse, namespace, table } = source else { return Ok(None) };
    let namespace = Namespace::new(namespace.clone()).map_err(|_| TableError::NoSuchTable)?;
    let (warehouse, name) = (warehouse.as_str().into(), table.as_str().into());
    Ok(Some(TableIdent { warehouse, namespace, name }))
}

#[async_trait]
impl Tables for SharedTables {
    async fn open(&self, table: &SharedTable) -> Result<Arc<dyn TableSource>, TableError> {
        match &table.source {
            Source::Iceberg { .. } => {
                let ident = ident(&table.source)?.ok_or(TableError::NoSuchTable)?;
                Ok(Arc::new(self.iceberg(table, ident)?.named().await?))
            }
            Source::Delta { bucket, prefix } => Ok(self.delta.open(bucket, prefix).await?),
        }
    }

    async fn files(&self, table: &SharedTable) -> Result<Option<TableFiles>, TableError> {
        let Some(ident) = ident(&table.source)? else { return Ok(None) };
        let loaded = self.catalog.load(&ident).await.map_err(load_error)?;
        let loaded = loaded.ok_or(TableError::NoSuchTable)?;
        Ok(files_of(&self.catalog.snapshot(), &ident, &loaded))
    }
}
