//! Stores in memory that count operations, keep unfinished uploads, and can be stopped for ever at any operation.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use tarn_catalog::{WarehouseError, WarehouseStores};
use tokio::sync::Notify;

/// Where everything stops: after so many operations nothing goes on, as after a kill.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    left: AtomicI64,
    pub(crate) dead: Notify,
}

impl Fate {
    pub(crate) fn never() -> Arc<Self> {
        Self::after(i64::MAX)
    }

    pub(crate) fn after(operations: i64) -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(operations), dead: Notify::new() })
    }

    /// One operation; never answers when it is one too many.
    pub(crate) async fn step(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            self.dead.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// What outlives a kill.
#[derive(Default)]
pub(crate) struct Disks {
    pub(crate) buckets: Mutex<HashMap<String, Arc<InMemory>>>,
    /// Unfinished uploads by number: bucket and key.
    pub(crate) uploads: Mutex<HashMap<u64, (String, Path)>>,
    next: AtomicU64,
}

/// The stores of one process.
pub(crate) struct Buckets {
    pub(crate) disks: Arc<Disks>,
    pub(crate) fate: Arc<Fate>,
}

#[async_trait]
impl WarehouseStores for Buckets {
    fn store(&self, warehouse: &str) -> Arc<dyn ObjectStore> {
        let bucket = warehouse.to_owned();
        let inner = self.disks.buckets.lock().unwrap().get(&bucket).cloned().unwrap_or_default();
        Arc::new(Bucket { bucket, inner, disks: self.disks.clone(), fate: self.fate.clone() })
    }

    async fn create(&self, warehouse: &str) -> Result<(), WarehouseError> {
        self.disks.buckets.lock().unwrap().entry(warehouse.to_owned()).or_default();
        Ok(())
    }

    async fn remove(&self, warehouse: &str) -> Result<(), WarehouseError> {
        self.disks.buckets.lock().unwrap().remove(warehouse);
        Ok(())
    }

    async fn exists(&self, warehouse: &str) -> Result<bool, WarehouseError> {
        Ok(self.disks.buckets.lock().unwrap().contains_key(warehouse))
    }

    async fn abandon(&self, warehouse: &str, key: &Path) -> Result<(), WarehouseError> {
        self.fate.step().await;
        let mut uploads = self.disks.uploads.lock().unwrap();
        uploads.retain(|_, (bucket, of)| bucket != warehouse || of != key);
        Ok(())
    }
}

#[derive(Clone)]
struct Bucket {
    bucket: String,
    inner: Arc<InMemory>,
    disks: Arc<Disks>,
    fate: Arc<Fate>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Bucket({})", self.bucket)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.fate.step().await;
        let put = self.inner.put_opts(at, payload, options).await;
        // The kill may come between the effect and its answer.
        self.fate.step().await;
        put
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.fate.step().await;
        let inner = self.inner.put_multipart_opts(at, options).await?;
        let number = self.disks.next.fetch_add(1, Ordering::SeqCst);
        self.disks.uploads.lock().unwrap().insert(number, (self.bucket.clone(), at.clone()));
        self.fate.step().await;
        Ok(Box::new(Upload { inner, number, bucket: self.clone() }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.fate.step().await;
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    number: u64,
    bucket: Bucket,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (part, fate) = (self.inner.put_part(data), self.bucket.fate.clone());
        Box::pin(async move {
            fate.step().await;
            part.await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.bucket.fate.step().await;
        let completed = self.inner.complete().await?;
        self.bucket.disks.uploads.lock().unwrap().remove(&self.number);
        self.bucket.fate.step().await;
        Ok(completed)
    }

    async fn abort(&mut self) -> Result<()> {
        self.bucket.fate.step().await;
        self.bucket.disks.uploads.lock().unwrap().remove(&self.number);
        self.inner.abort().await
    }
}
