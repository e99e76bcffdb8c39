//! Footers of Parquet files that are kept, for all queries together. Files never change, so what is kept is never stale.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::execution::cache::cache_manager::{
    CachedFileMetadataEntry, FileMetadataCache, FileMetadataCacheEntry,
};
use datafusion::execution::cache::{CacheAccessor, DefaultFilesMetadataCache};
use object_store::path::Path;

/// What kept footers take, in bytes.
const FOOTERS_BYTES_MAX: usize = 64 << 20;

/// The footers of all buckets.
pub(crate) struct Footers(Arc<DefaultFilesMetadataCache>);

impl Default for Footers {
    fn default() -> Self {
        Self(Arc::new(DefaultFilesMetadataCache::new(FOOTERS_BYTES_MAX)))
    }
}

impl Footers {
    pub(super) fn of(&self, bucket: &str) -> Arc<dyn FileMetadataCache> {
        Arc::new(OfBucket { all: self.0.clone(), bucket: bucket.to_owned() })
    }
}

/// Those of one bucket: the engine knows files by their paths in it.
struct OfBucket {
    all: Arc<DefaultFilesMetadataCache>,
    bucket: String,
}

impl OfBucket {
    fn key(&self, path: &Path) -> Path {
        Path::from_iter(std::iter::once(self.bucket.as_str().into()).chain(path.parts()))
    }
}

impl CacheAccessor<Path, CachedFileMetadataEntry> for OfBucket {
    fn get(&self, path: &Path) -> Option<CachedFileMetadataEntry> {
        self.all.get(&self.key(path))
    }

    fn put(&self, path: &Path, entry: CachedFileMetadataEntry) -> Option<CachedFileMetadataEntry> {
        self.all.put(&self.key(path), entry)
    }

    fn remove(&self, path: &Path) -> Option<CachedFileMetadataEntry> {
        self.all.remove(&self.key(path))
    }

    fn contains_key(&self, path: &Path) -> bool {
        self.all.contains_key(&self.key(path))
    }

    fn len(&self) -> usize {
        self.all.len()
    }

    fn clear(&self) {
        self.all.clear();
    }

    fn name(&self) -> String {
        format!("footers of {}", self.bucket)
    }
}

impl FileMetadataCache for OfBucket {
    fn cache_limit(&self) -> usize {
        self.all.cache_limit()
    }

    fn update_cache_limit(&self, limit: usize) {
        self.all.update_cache_limit(limit);
    }

    fn list_entries(&self) -> HashMap<Path, FileMetadataCacheEntry> {
        self.all.list_entries()
    }
}
