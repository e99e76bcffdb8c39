//! The Delta tables that were opened, kept for what they know of their logs.
//!
//! - A2: tables opened in the same place have the same identity only while their log is the same. Whoever was forgotten
//!   may have seen logs come and go, so what is opened after that has another identity.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::future::Cache;
use moka::notification::RemovalCause;
use tarn_catalog::WarehouseStores;

use super::bench::Place;
use super::path::Root;
use super::{DeltaTable, Limits};
use crate::table::TableError;
use crate::vectors::Vectors;

/// Tables that are kept.
const TABLES_MAX: u64 = 4_096;

/// Opens Delta tables.
pub struct DeltaTables {
    stores: Arc<dyn WarehouseStores>,
    vectors: Arc<Vectors>,
    limits: Limits,
    /// By bucket and prefix.
    known: Cache<(Arc<str>, Arc<str>), Arc<DeltaTable>>,
    forgotten: Arc<AtomicU64>,
}

impl DeltaTables {
    /// Tables lie in `stores`; deletion vectors without files of their own are kept by `vectors`.
    pub fn new(stores: Arc<dyn WarehouseStores>, vectors: Arc<Vectors>, limits: Limits) -> Self {
        Self::keeping(stores, vectors, limits, TABLES_MAX)
    }

    pub(super) fn keeping(
        stores: Arc<dyn WarehouseStores>,
        vectors: Arc<Vectors>,
        limits: Limits,
        tables_max: u64,
    ) -> Self {
        let forgotten = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&forgotten);
        let forget = move |_, _, cause: RemovalCause| {
            if cause.was_evicted() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        let known = Cache::builder().max_capacity(tables_max).eviction_listener(forget).build();
        Self { stores, vectors, limits, known, forgotten }
    }

    /// The table below `prefix` of a bucket. One that was opened before may be gone: its versions tell.
    pub async fn open(&self, bucket: &str, prefix: &str) -> Result<Arc<DeltaTable>, TableError> {
        let place: (Arc<str>, Arc<str>) = (bucket.into(), prefix.into());
        if let Some(table) = self.known.get(&place).await {
            return Ok(table);
        }
        let generation = self.forgotten.load(Ordering::Relaxed);
        let opened = DeltaTable::open(self.place(bucket, prefix)?, generation).await?;
        let opened = Arc::new(opened);
        self.known.insert(place, Arc::clone(&opened)).await;
        Ok(opened)
    }

    /// Waits until what is too much was forgotten.
    #[cfg(test)]
    pub(super) async fn settle(&self) {
        self.known.run_pending_tasks().await;
    }

    pub(super) fn place(&self, bucket: &str, prefix: &str) -> Result<Place, TableError> {
        Ok(Place {
            store: self.stores.store(bucket),
            vectors: Arc::clone(&self.vectors),
            root: Root::new(bucket, prefix)?,
            limits: self.limits.clone(),
        })
    }
}
