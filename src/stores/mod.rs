//! The object core as the catalog sees it: a store for every warehouse, and one for the catalog's own log.

mod nowhere;

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::path::Path;
use tarn_catalog::{Catalog, WarehouseError, WarehouseStores};
use tarn_objectcore::name::{BucketName, ObjectName};
use tarn_objectcore::s3::BucketUses;
use tarn_objectcore::types::{BucketError, StorageError, UploadError};
use tarn_objectcore::{CoreStore, ObjectCore};
use tarn_sharing::table::OWN_WINDOW;

use self::nowhere::Nowhere;

/// Uploads that are listed at a time.
const UPLOADS_AT_ONCE: usize = 100;

/// Warehouses as buckets of the object core.
pub(crate) struct Warehouses {
    core: ObjectCore,
}

impl Warehouses {
    pub(crate) fn new(core: ObjectCore) -> Self {
        Self { core }
    }
}

/// The store of the catalog's log: the bucket no client can name.
pub(crate) async fn system_store(core: &ObjectCore) -> Result<Arc<dyn ObjectStore>, BucketError> {
    let bucket = BucketName::system();
    match core.create_bucket(&bucket).await {
        Ok(_) | Err(BucketError::Exists) => Ok(Arc::new(CoreStore::new(core.clone(), bucket))),
        Err(error) => Err(error),
    }
}

/// The buckets that are warehouses: without its bucket no table of a warehouse could be committed to.
pub(crate) struct CatalogUses(pub(crate) Catalog);

impl BucketUses for CatalogUses {
    fn holds(&self, bucket: &BucketName) -> Option<String> {
        let name = bucket.as_str();
        self.0.snapshot().warehouse(name)?;
        Some(format!(
            "The bucket is a warehouse of the catalog. Drop that with DELETE /_iceberg/v1/warehouses/{name}; it takes the bucket along when that is empty."
        ))
    }
}

#[async_trait]
impl WarehouseStores for Warehouses {
    fn store(&self, warehouse: &str) -> Arc<dyn ObjectStore> {
        match BucketName::new(warehouse) {
            Ok(bucket) => Arc::new(CoreStore::new(self.core.clone(), bucket)),
            Err(_) => Arc::new(Nowhere),
        }
    }

    async fn create(&self, warehouse: &str) -> Result<(), WarehouseError> {
        self.core.create_bucket(&name(warehouse)?).await.map(|_| ()).map_err(warehouse_error)
    }

    async fn remove(&self, warehouse: &str) -> Result<(), WarehouseError> {
        self.core.delete_bucket(&name(warehouse)?).await.map_err(warehouse_error)
    }

    async fn exists(&self, warehouse: &str) -> Result<bool, WarehouseError> {
        Ok(self.core.bucket(&name(warehouse)?).is_some())
    }

    async fn abandon(&self, warehouse: &str, key: &Path) -> Result<(), WarehouseError> {
        let bucket = name(warehouse)?;
        let failed = |error: UploadError| match error {
            UploadError::NoSuchBucket => WarehouseError::Missing,
            other => WarehouseError::Store(other.into()),
        };
        loop {
            let listed = self.core.list_uploads(&bucket, key.as_ref(), None, UPLOADS_AT_ONCE).await;
            let (mut uploads, _) = listed.map_err(failed)?;
            // Those of the key itself come before those of longer ones.
            uploads.retain(|upload| upload.key.as_str() == key.as_ref());
            if uploads.is_empty() {
                return Ok(());
            }
            for upload in uploads {
                let at = ObjectName { bucket: bucket.clone(), key: upload.key };
                match self.core.abort_upload(&at, &upload.upload).await {
                    Ok(()) | Err(UploadError::NoSuchUpload) => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        }
    }

    fn is_refusal(&self, error: &object_store::Error) -> bool {
        let found = storage_error(error);
        match found {
            Some(
                StorageError::Full
                | StorageError::TooFewDrives { .. }
                | StorageError::Busy
                | StorageError::Closing,
            ) => true,
            Some(StorageError::Damaged { .. } | StorageError::Unknown | StorageError::Io { .. }) | None => {
                false
            }
        }
    }
}

/// The core's error behind an error of one of its stores.
fn storage_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a StorageError> {
    // Two stars: `Error` is implemented for references too, whose `source` lives shorter.
    std::iter::successors(Some(error), |error| (**error).source()).find_map(|error| error.downcast_ref())
}

fn name(warehouse: &str) -> Result<BucketName, WarehouseError> {
    if warehouse == OWN_WINDOW {
        return Err(WarehouseError::Name(
            "the name is kept for what is made for readers of shares".to_owned(),
        ));
    }
    BucketName::new(warehouse).map_err(|error| WarehouseError::Name(error.to_string()))
}

fn warehouse_error(error: BucketError) -> WarehouseError {
    match error {
        BucketError::Exists => WarehouseError::Exists,
        BucketError::NoSuchBucket => WarehouseError::Missing,
        BucketError::NotEmpty => WarehouseError::NotEmpty,
        BucketError::TooMany { .. } | BucketError::Storage(_) => WarehouseError::Store(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_a_refusal_and_a_lost_reply_is_not() {
        let stores = Warehouses::new(ObjectCore::in_memory(1).await);
        let error = |source| object_store::Error::Generic { store: "test", source: Box::new(source) };
        assert!(stores.is_refusal(&error(StorageError::Full)));
        assert!(!stores.is_refusal(&error(StorageError::Unknown)));
    }

    #[tokio::test]
    async fn uploads_of_one_key_that_nobody_will_complete_are_abandoned_and_no_others() {
        use object_store::{MultipartUpload as _, ObjectStoreExt as _};
        let core = ObjectCore::in_memory(1).await;
        let stores = Warehouses::new(core.clone());
        stores.create("reports").await.unwrap();
        let store = stores.store("reports");
        for key in ["data/1", "data/1", "data/12"] {
            let mut upload = store.put_multipart(&key.into()).await.unwrap();
            upload.put_part(vec![0; 1000].into()).await.unwrap();
        }
        stores.abandon("reports", &"data/1".into()).await.unwrap();
        let bucket = BucketName::new("reports").unwrap();
        let (left, _) = core.list_uploads(&bucket, "", None, 10).await.unwrap();
        assert_eq!(left.iter().map(|upload| upload.key.as_str()).collect::<Vec<_>>(), ["data/12"]);
    }

    #[tokio::test]
    async fn a_warehouse_that_cannot_be_a_bucket_holds_nothing() {
        let stores = Warehouses::new(ObjectCore::in_memory(1).await);
        assert!(matches!(stores.create("10.0.0.1").await, Err(WarehouseError::Name(_))));
        let store = stores.store("10.0.0.1");
        let put = store.put_opts(&"a".into(), "b".into(), object_store::PutOptions::default()).await;
        assert!(matches!(put, Err(object_store::Error::NotFound { .. })));
    }
}
