//! Opens the tables that are shared.
//!
//! An Iceberg table is opened for each request: the catalog knows it by heart. A Delta table is kept open: what was read of
//! its log makes the next look cheap. What is kept is looked at again at each request, so it is never stale.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::future::Cache;
use tarn_catalog::Catalog;
use tarn_catalog::state::{Namespace, TableIdent};

use crate::Sharers;
use crate::delta::{self, DeltaTable};
use crate::directory::{SharedTable, Source};
use crate::iceberg::{IcebergTable, Options};
use crate::rest::Tables;
use crate::stores::Stores;
use crate::table::{TableError, TableSource};
use crate::vectors::{self, Vectors};

/// The most Delta tables that are kept open.
const OPEN_MAX: u64 = 1_000;
/// How long one is kept that nobody asks for.
const IDLE_MAX: Duration = Duration::from_hours(1);

/// Opens tables of the catalog and of its buckets.
pub struct SharedTables {
    catalog: Catalog,
    stores: Stores,
    sharers: Arc<dyn Sharers>,
    vectors: Arc<Vectors>,
    limits: delta::Limits,
    /// By bucket and prefix.
    delta: Cache<(String, String), Arc<DeltaTable>>,
}

impl SharedTables {
    /// Opens tables of `catalog` and below prefixes of `stores`, as far as `sharers` may read their files.
    pub fn new(catalog: Catalog, stores: Stores, sharers: Arc<dyn Sharers>) -> Self {
        let delta = Cache::builder().max_capacity(OPEN_MAX).time_to_idle(IDLE_MAX).build();
        let (buckets, own) = (stores.buckets().clone(), stores.own().clone());
        let vectors = Arc::new(Vectors::new(buckets, own, vectors::Limits::default()));
        Self { catalog, stores, sharers, vectors, limits: delta::Limits::default(), delta }
    }

    fn iceberg(&self, table: &SharedTable, ident: TableIdent) -> Result<IcebergTable, TableError> {
        let (sharers, by) = (self.sharers.clone(), table.by.clone());
        let reach = Arc::new(move |bucket: &str, key: &str| sharers.may_read_object(&by, bucket, key));
        let options = Options {
            unsupported_columns: table.unsupported_columns,
            equality_deletes: table.equality_deletes,
        };
        IcebergTable::open(&self.catalog, ident, options, (self.vectors.clone(), reach))
    }

    async fn delta(&self, bucket: &str, prefix: &str) -> Result<Arc<DeltaTable>, TableError> {
        let key = (bucket.to_owned(), prefix.to_owned());
        if let Some(open) = self.delta.get(&key).await {
            return Ok(open);
        }
        let store = self.stores.of(bucket);
        let opened = Arc::new(DeltaTable::open(store, bucket, prefix, self.limits.clone()).await?);
        // Two may open it at once: all go on with the same one, whose identity counts.
        Ok(self.delta.entry(key).or_insert(opened).await.into_value())
    }
}

#[async_trait]
impl Tables for SharedTables {
    async fn open(&self, table: &SharedTable) -> Result<Arc<dyn TableSource>, TableError> {
        match &table.source {
            Source::Iceberg { warehouse, namespace, table: name } => {
                let namespace = Namespace::new(namespace.clone()).map_err(|_| TableError::NoSuchTable)?;
                let (warehouse, name) = (warehouse.as_str().into(), name.as_str().into());
                Ok(Arc::new(self.iceberg(table, TableIdent { warehouse, namespace, name })?))
            }
            Source::Delta { bucket, prefix } => Ok(self.delta(bucket, prefix).await?),
        }
    }
}
