//! The stores that warehouses lie in, as the catalog sees them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;

/// The stores of all warehouses. A warehouse is a bucket of the same name.
#[async_trait]
pub trait WarehouseStores: Send + Sync + 'static {
    /// The store whose paths are the keys of `s3://<warehouse>/`. Calls on a warehouse that does
    /// not exist fail when they are used.
    fn store(&self, warehouse: &str) -> Arc<dyn ObjectStore>;

    /// Creates the bucket.
    async fn create(&self, warehouse: &str) -> Result<(), WarehouseError>;

    /// Removes the bucket when it is empty.
    async fn remove(&self, warehouse: &str) -> Result<(), WarehouseError>;

    /// Is there such a bucket?
    async fn exists(&self, warehouse: &str) -> Result<bool, WarehouseError>;

    /// Ends every multipart upload of this key that was begun and not completed. Stores that keep none have nothing to do.
    async fn abandon(&self, _warehouse: &str, _key: &Path) -> Result<(), WarehouseError> {
        Ok(())
    }

    /// Does this error of one of these stores, or of the log's, promise that nothing was done?
    /// A full disk that is refused before any effect is one.
    fn is_refusal(&self, _error: &object_store::Error) -> bool {
        false
    }
}

/// Why a bucket was not created, removed or looked up.
#[derive(Debug, thiserror::Error)]
pub enum WarehouseError {
    /// The bucket is there already.
    #[error("the bucket exists")]
    Exists,
    /// There is no such bucket.
    #[error("the bucket does not exist")]
    Missing,
    /// The bucket holds objects.
    #[error("the bucket is not empty")]
    NotEmpty,
    /// The name cannot be a bucket's.
    #[error("the name cannot be a bucket's: {0}")]
    Name(String),
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Buckets in memory, for tests. Each is there once it is asked for.
#[derive(Debug, Default)]
pub struct InMemoryWarehouses {
    buckets: Mutex<HashMap<String, Arc<InMemory>>>,
}

impl InMemoryWarehouses {
    fn buckets(&self) -> MutexGuard<'_, HashMap<String, Arc<InMemory>>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl WarehouseStores for InMemoryWarehouses {
    fn store(&self, warehouse: &str) -> Arc<dyn ObjectStore> {
        self.buckets().entry(warehouse.to_owned()).or_default().clone()
    }

    async fn create(&self, warehouse: &str) -> Result<(), WarehouseError> {
        self.buckets().entry(warehouse.to_owned()).or_default();
        Ok(())
    }

    async fn remove(&self, warehouse: &str) -> Result<(), WarehouseError> {
        self.buckets().remove(warehouse).map(|_| ()).ok_or(WarehouseError::Missing)
    }

    async fn exists(&self, warehouse: &str) -> Result<bool, WarehouseError> {
        Ok(self.buckets().contains_key(warehouse))
    }
}
