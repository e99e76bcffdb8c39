//! The stores that files of tables lie in.

use std::sync::Arc;

use object_store::ObjectStore;
use tarn_catalog::WarehouseStores;

use crate::table::OWN_BUCKET;

/// The stores of all buckets, and the one that sharing writes to itself.
#[derive(Clone)]
pub struct Stores {
    buckets: Arc<dyn WarehouseStores>,
    own: Arc<dyn ObjectStore>,
}

impl Stores {
    /// Tables lie in `buckets`; `own` is the store of [`OWN_BUCKET`].
    pub fn new(buckets: Arc<dyn WarehouseStores>, own: Arc<dyn ObjectStore>) -> Self {
        Self { buckets, own }
    }

    /// The store of a bucket, as a [`crate::table::Place`] names it.
    pub fn of(&self, bucket: &str) -> Arc<dyn ObjectStore> {
        if bucket == OWN_BUCKET { self.own.clone() } else { self.buckets.store(bucket) }
    }

    /// The store that sharing writes to itself.
    pub fn own(&self) -> &Arc<dyn ObjectStore> {
        &self.own
    }

    /// The stores that tables lie in.
    pub fn buckets(&self) -> &Arc<dyn WarehouseStores> {
        &self.buckets
    }
}
