//! The places that a run writes to: what is there of it, and taking that away.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use tarn_catalog::{WarehouseError, WarehouseStores};
use uuid::Uuid;

use super::checkpoint::{Checkpoint, Target};
use super::error::RunError;
use super::upload::Upload;

/// Bytes of a part of a file.
const PART_BYTES: usize = 8 << 20;

/// Stores, as runs use them.
#[derive(Clone)]
pub(super) struct Stores {
    stores: Arc<dyn WarehouseStores>,
    part_bytes: usize,
}

impl Stores {
    pub(super) fn new(stores: Arc<dyn WarehouseStores>) -> Self {
        Self { stores, part_bytes: PART_BYTES }
    }

    /// The same with parts of another size.
    #[cfg(test)]
    pub(super) fn with_parts(stores: Arc<dyn WarehouseStores>, part_bytes: usize) -> Self {
        Self { stores, part_bytes }
    }

    /// Begins a file.
    pub(super) fn upload(&self, target: &Target, key: Path) -> Upload {
        Upload::new(self.stores.store(&target.bucket), key, self.part_bytes)
    }

    /// Whether there is such a bucket.
    pub(super) async fn has(&self, bucket: &str) -> Result<bool, RunError> {
        match self.stores.exists(bucket).await {
            Ok(exists) => Ok(exists),
            Err(WarehouseError::Name(_) | WarehouseError::Missing) => Ok(false),
            Err(error) => Err(failed(bucket, &Path::default(), error)),
        }
    }

    pub(super) async fn put(&self, bucket: &str, key: &Path, bytes: Bytes) -> Result<(), RunError> {
        let put = self.stores.store(bucket).put(key, bytes.into()).await;
        put.map(|_| ()).map_err(|error| failed(bucket, key, error))
    }

    /// The last bytes of a file, so many, and its size.
    pub(super) async fn tail(&self, bucket: &str, key: &Path, bytes: u64) -> Result<(Bytes, u64), RunError> {
        let store = self.stores.store(bucket);
        let read = async {
            let size = store.head(key).await?.size;
            let bytes = store.get_range(key, size.saturating_sub(bytes)..size).await?;
            Ok((bytes, size))
        };
        read.await.map_err(|error: object_store::Error| failed(bucket, key, error))
    }

    pub(super) async fn read(&self, bucket: &str, key: &Path) -> Result<Bytes, RunError> {
        let store = self.stores.store(bucket);
        let read = async { store.get(key).await?.bytes().await };
        read.await.map_err(|error| failed(bucket, key, error))
    }

    /// Makes a bucket; it may be there.
    pub(super) async fn create(&self, bucket: &str) -> Result<(), RunError> {
        match self.stores.create(bucket).await {
            Ok(()) | Err(WarehouseError::Exists) => Ok(()),
            Err(error) => Err(failed(bucket, &Path::default(), error)),
        }
    }

    pub(super) async fn delete(&self, bucket: &str, key: &Path) -> Result<(), RunError> {
        match self.stores.store(bucket).delete(key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(bucket, key, error)),
        }
    }

    pub(super) async fn is_there(&self, bucket: &str, key: &Path) -> Result<bool, RunError> {
        match self.stores.store(bucket).head(key).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(failed(bucket, key, error)),
        }
    }

    /// Takes away what a run had begun and not finished (P2).
    pub(super) async fn remove_unfinished(&self, run: Uuid, state: &Checkpoint) -> Result<(), RunError> {
        for target in &state.targets {
            self.remove(target, &target.key(run, state.sets.len())).await?;
        }
        Ok(())
    }

    /// Takes away all data files of a run in the targets that `which` names.
    pub(super) async fn remove_all(
        &self,
        run: Uuid,
        state: &Checkpoint,
        which: impl Fn(&Target) -> bool,
    ) -> Result<(), RunError> {
        for target in state.targets.iter().filter(|target| which(target)) {
            for number in 0..=state.sets.len() {
                self.remove(target, &target.key(run, number)).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, target: &Target, key: &Path) -> Result<(), RunError> {
        match self.stores.abandon(&target.bucket, key).await {
            // Without its bucket there is nothing of the file either.
            Ok(()) | Err(WarehouseError::Missing) => {}
            Err(error) => return Err(failed(&target.bucket, key, error)),
        }
        self.delete(&target.bucket, key).await
    }
}

pub(super) fn failed(bucket: &str, key: &Path, source: impl Error + Send + Sync + 'static) -> RunError {
    RunError::Store { bucket: bucket.to_owned(), key: key.to_string(), source: Box::new(source) }
}
