//! Manifests and manifest lists read from the store, through bounded caches.
//!
//! They never change under their name, so the caches need no invalidation. Only files of the table's own area are
//! read (`area.rs`).

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStoreExt as _;
use tokio::sync::{Mutex, Semaphore};

use super::area::Area;
use super::avro::InvalidAvro;
use super::error::PlanError;
use super::limits::Limits;
use super::manifest::{Manifest, ManifestFile, read_list, read_manifest};
use crate::cache::ByteCache;
use crate::files::blocking;
use crate::log::{in_time, patience};
use crate::warehouses::WarehouseStores;

/// Loads of one file wait for each other in one of so many lanes.
const LANES: usize = 64;
/// A manifest in memory is about so many times as long as its file.
const UNPACKING: u64 = 8;

/// The manifests a manifest list names.
pub(crate) type ManifestList = Arc<Vec<ManifestFile>>;

pub(crate) struct ManifestReader {
    warehouses: Arc<dyn WarehouseStores>,
    lists: ByteCache<Arc<str>, ManifestList>,
    manifests: ByteCache<Arc<str>, Arc<Manifest>>,
    lanes: Vec<Mutex<()>>,
    hasher: RandomState,
    /// KiB of files, unpacked, that may be in work.
    reading: Semaphore,
    limits: Limits,
}

impl ManifestReader {
    pub(crate) fn new(warehouses: Arc<dyn WarehouseStores>, limits: &Limits) -> Self {
        Self {
            warehouses,
            lists: ByteCache::new(limits.lists_bytes_max),
            manifests: ByteCache::new(limits.manifests_bytes_max),
            lanes: (0..LANES).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
            reading: Semaphore::new(limits.reading_kib_max as usize),
            limits: limits.clone(),
        }
    }

    /// The manifest list at `location`.
    pub(crate) async fn list(&self, area: &Area, location: &str) -> Result<ManifestList, PlanError> {
        self.load(&self.lists, area, location, read_list, |list| {
            let heap = |manifest: &ManifestFile| {
                let bounds = |bytes: &Option<Box<[u8]>>| bytes.as_ref().map_or(0, |bytes| bytes.len() + 16);
                let summaries = manifest.summaries.iter();
                let summaries =
                    summaries.map(|one| size_of_val(one) + bounds(&one.lower) + bounds(&one.upper));
                size_of_val(manifest) + manifest.path.len() + summaries.sum::<usize>()
            };
            list.iter().map(heap).sum()
        })
        .await
    }

    /// The manifest that a list names.
    pub(crate) async fn manifest(
        &self,
        area: &Area,
        manifest: &ManifestFile,
    ) -> Result<Arc<Manifest>, PlanError> {
        if manifest.encrypted {
            return Err(PlanError::Unsupported("the table's manifests are encrypted".into()));
        }
        self.load(&self.manifests, area, &manifest.path, read_manifest, |manifest| manifest.size_bytes).await
    }

    async fn load<T: Send + Sync + 'static>(
        &self,
        cache: &ByteCache<Arc<str>, Arc<T>>,
        area: &Area,
        location: &str,
        parse: fn(&[u8], usize) -> Result<T, InvalidAvro>,
        size_bytes: impl Fn(&T) -> usize,
    ) -> Result<Arc<T>, PlanError> {
        // The area is checked before the cache is asked: what it holds may be another's.
        let path = area.path(location)?;
        let key: Arc<str> = location.into();
        if let Some(found) = cache.get(&key) {
            return Ok(found);
        }
        let lane = self.hasher.hash_one(location) as usize % LANES;
        let _one_load_at_a_time = self.lanes[lane].lock().await;
        if let Some(found) = cache.get(&key) {
            return Ok(found);
        }
        let (bytes, _reading) = self.read(area.warehouse(), location, &path).await?;
        let bytes_max = self.limits.unpacked_bytes_max;
        let parsed = blocking(move || parse(&bytes, bytes_max)).await;
        let parsed = Arc::new(parsed.map_err(|error| invalid(location, error))?);
        cache.insert(key, parsed.clone(), size_bytes(&parsed));
        Ok(parsed)
    }

    /// The bytes of a file, and the part of the budget that it takes until it is parsed.
    async fn read(
        &self,
        warehouse: &str,
        location: &str,
        path: &object_store::path::Path,
    ) -> Result<(Bytes, tokio::sync::SemaphorePermit<'_>), PlanError> {
        let failed = |error| match error {
            object_store::Error::NotFound { .. } => PlanError::Missing { location: location.into() },
            source => PlanError::Store { location: location.into(), source: Arc::new(source) },
        };
        let store = self.warehouses.store(warehouse);
        let timeout = self.limits.store_timeout;
        let result = in_time(timeout, store.get(path)).await.map_err(failed)?;
        let size_bytes = result.meta.size;
        if size_bytes > self.limits.file_bytes_max {
            let bytes_max = self.limits.file_bytes_max;
            return Err(PlanError::Unsupported(format!("{location} is longer than {bytes_max} bytes")));
        }
        let kib = ((size_bytes * UNPACKING) >> 10) as u32 + 1;
        let permit = self.reading.acquire_many(kib.min(self.limits.reading_kib_max)).await;
        // The semaphore is never closed.
        let permit = permit.map_err(|_closed| PlanError::Busy)?;
        let bytes = in_time(patience(timeout, size_bytes), result.bytes()).await.map_err(failed)?;
        Ok((bytes, permit))
    }
}

fn invalid(location: &str, error: InvalidAvro) -> PlanError {
    match error {
        InvalidAvro::TooLarge { .. } | InvalidAvro::Codec(_) => {
            PlanError::Unsupported(format!("{location} cannot be read: {error}"))
        }
        InvalidAvro::Short | InvalidAvro::Malformed(_) | InvalidAvro::Schema(_) => {
            PlanError::Damaged { location: location.into(), source: error }
        }
    }
}
