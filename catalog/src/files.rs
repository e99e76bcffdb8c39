//! `metadata.json` files: read through a bounded cache, written under names that are new.
//!
//! - F1: a metadata file is never changed and never deleted here, so its location names its bytes
//!   for good and the cache needs no invalidation.
//! - F2: a file is written before the record that names it is appended, never after.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutMode, PutPayload};
use tokio::sync::{Mutex, Semaphore};

use crate::cache::ByteCache;
use crate::log::{in_time, patience};
use crate::metadata::{InvalidMetadata, Metadata, TableMetadata, ViewMetadata};
use crate::settings::Settings;
use crate::warehouses::WarehouseStores;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Loads of one location wait for each other in one of so many lanes.
const LANES: usize = 64;
/// JSON up to this size is parsed and written in place: a hop to another thread costs more.
const IN_PLACE_KIB_MAX: u32 = 64;
/// A table without snapshots takes about this much; each snapshot about 1 KiB more.
const SMALL_FILE_KIB: u32 = 8;

/// A metadata file could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The location does not name a file of a warehouse.
    #[error("{location} is not a file in a warehouse")]
    Location {
        /// What was asked for.
        location: String,
    },
    /// There is no such file.
    #[error("metadata file {location} does not exist")]
    Missing {
        /// The file.
        location: String,
    },
    /// The file is longer than is read.
    #[error("metadata file {location} is longer than {bytes_max} bytes")]
    TooLarge {
        /// The file.
        location: String,
        /// The limit.
        bytes_max: usize,
    },
    /// The file is not the metadata it should be.
    #[error("metadata file {location} is not {expected} metadata")]
    Invalid {
        /// The file.
        location: String,
        /// Whose it should be: a table's or a view's.
        expected: &'static str,
        /// What is wrong with it.
        #[source]
        source: Arc<InvalidMetadata>,
    },
    /// The store failed; trying again may help.
    #[error("metadata file {location} could not be read")]
    Store {
        /// The file.
        location: String,
        /// The store's error.
        #[source]
        source: Arc<object_store::Error>,
    },
}

impl LoadError {
    /// Whether trying again gives the same.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            LoadError::Location { .. }
            | LoadError::Missing { .. }
            | LoadError::TooLarge { .. }
            | LoadError::Invalid { .. } => true,
            LoadError::Store { .. } => false,
        }
    }
}

/// A metadata file could not be written. Nothing refers to it.
#[derive(Debug, thiserror::Error)]
#[error("metadata file {location} could not be written")]
pub struct WriteError {
    /// The file.
    pub location: String,
    /// The store's error.
    #[source]
    pub source: object_store::Error,
}

/// Whose metadata a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MetadataKind {
    Table,
    View,
}

/// Reads and writes metadata files.
pub(crate) struct MetadataFiles {
    warehouses: Arc<dyn WarehouseStores>,
    cache: ByteCache<Arc<str>, Metadata>,
    lanes: Vec<Mutex<()>>,
    /// Files that may be read and parsed at a time.
    reads: Semaphore,
    /// KiB of files that may be on their way to a store.
    writes: Semaphore,
    writes_kib_max: u32,
    hasher: RandomState,
    bytes_max: usize,
    timeout: Duration,
}

impl MetadataFiles {
    pub(crate) fn new(warehouses: Arc<dyn WarehouseStores>, settings: &Settings) -> Self {
        Self {
            warehouses,
            cache: ByteCache::new(settings.metadata_cache_bytes_max),
            lanes: (0..LANES).map(|_| Mutex::new(())).collect(),
            reads: Semaphore::new(settings.metadata_reads_at_once),
            writes: Semaphore::new(settings.metadata_writes_bytes_max >> 10),
            writes_kib_max: (settings.metadata_writes_bytes_max >> 10) as u32,
            hasher: RandomState::new(),
            bytes_max: settings.metadata_bytes_max,
            timeout: settings.store_timeout,
        }
    }

    /// The table metadata at `location`.
    pub(crate) async fn load(&self, location: &str) -> Result<Arc<TableMetadata>, LoadError> {
        match self.load_kind(location, MetadataKind::Table).await? {
            Metadata::Table(metadata) => Ok(metadata),
            Metadata::View(_) => Err(invalid(location, MetadataKind::Table, "it is a view's")),
        }
    }

    /// The view metadata at `location`.
    pub(crate) async fn load_view(&self, location: &str) -> Result<Arc<ViewMetadata>, LoadError> {
        match self.load_kind(location, MetadataKind::View).await? {
            Metadata::View(metadata) => Ok(metadata),
            Metadata::Table(_) => Err(invalid(location, MetadataKind::View, "it is a table's")),
        }
    }

    /// The metadata at `location`. What was kept from before may be of the other kind.
    pub(crate) async fn load_kind(&self, location: &str, kind: MetadataKind) -> Result<Metadata, LoadError> {
        let key: Arc<str> = location.into();
        if let Some(found) = self.cache.get(&key) {
            return Ok(found);
        }
        let lane = self.hasher.hash_one(location) as usize % LANES;
        let _one_load_at_a_time = self.lanes[lane].lock().await;
        if let Some(found) = self.cache.get(&key) {
            return Ok(found);
        }
        // The semaphore is never closed.
        let _reading = self.reads.acquire().await;
        let bytes = self.read(location).await?;
        let (metadata, json_bytes) = if bytes.len() >> 10 <= IN_PLACE_KIB_MAX as usize {
            parse(location, kind, &bytes)?
        } else {
            let location = location.to_owned();
            blocking(move || parse(&location, kind, &bytes)).await?
        };
        self.cache.insert(key, metadata.clone(), json_bytes);
        Ok(metadata)
    }

    async fn read(&self, location: &str) -> Result<Bytes, LoadError> {
        let (warehouse, path) =
            split(location).ok_or_else(|| LoadError::Location { location: location.to_owned() })?;
        let store = self.warehouses.store(warehouse);
        let location = location.to_owned();
        let failed = |error| match error {
            object_store::Error::NotFound { .. } => LoadError::Missing { location: location.clone() },
            source => LoadError::Store { location: location.clone(), source: Arc::new(source) },
        };
        let result = in_time(self.timeout, store.get(&path)).await.map_err(failed)?;
        let size_bytes = result.meta.size;
        if size_bytes > self.bytes_max as u64 {
            return Err(LoadError::TooLarge { location, bytes_max: self.bytes_max });
        }
        in_time(patience(self.timeout, size_bytes), result.bytes()).await.map_err(failed)
    }

    /// Writes `metadata` to `location`, which no file had before (F2).
    pub(crate) async fn write(&self, location: &str, metadata: Metadata) -> Result<(), WriteError> {
        let failed = |source| WriteError { location: location.to_owned(), source };
        let Some((warehouse, path)) = split(location) else {
            return Err(failed(object_store::Error::Generic {
                store: "catalog",
                source: "the location is not in a warehouse".into(),
            }));
        };
        let guess_kib = SMALL_FILE_KIB
            + match &metadata {
                Metadata::Table(table) => table.snapshots().len() as u32,
                Metadata::View(view) => view.versions().len() as u32,
            };
        // The semaphore is never closed.
        let _on_its_way = self.writes.acquire_many(guess_kib.min(self.writes_kib_max)).await;
        let bytes = if guess_kib <= IN_PLACE_KIB_MAX {
            to_file(&metadata, location)
        } else {
            let (encoded, name) = (metadata.clone(), location.to_owned());
            blocking(move || to_file(&encoded, &name)).await
        };
        let size_bytes = size_in_memory(&bytes);
        let patience = patience(self.timeout, bytes.len() as u64);
        let store = self.warehouses.store(warehouse);
        let put = store.put_opts(&path, PutPayload::from_bytes(bytes), PutMode::Create.into());
        match in_time(patience, put).await {
            // The name holds a fresh UUID: what exists there is this very put, sent twice by a client
            // that retries.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(source) => return Err(failed(source)),
        }
        self.cache.insert(location.into(), metadata, size_bytes);
        Ok(())
    }
}

/// The warehouse and the path of an `s3://` location.
pub(crate) fn split(location: &str) -> Option<(&str, Path)> {
    let rest = ["s3://", "s3a://", "s3n://"].iter().find_map(|scheme| location.strip_prefix(scheme))?;
    let (warehouse, key) = rest.split_once('/')?;
    if warehouse.is_empty() || key.is_empty() {
        return None;
    }
    // Keys that a path cannot hold as they are (empty or dotted segments) are refused, not changed.
    Some((warehouse, Path::parse(key).ok()?))
}

fn parse(location: &str, kind: MetadataKind, bytes: &Bytes) -> Result<(Metadata, usize), LoadError> {
    let parsed = match kind {
        MetadataKind::Table => TableMetadata::parse(bytes).map(|table| Metadata::Table(Arc::new(table))),
        MetadataKind::View => ViewMetadata::parse(bytes).map(|view| Metadata::View(Arc::new(view))),
    };
    match parsed {
        Ok(metadata) => Ok((metadata, size_in_memory(bytes))),
        Err(error) => Err(invalid(location, kind, error.to_string())),
    }
}

fn invalid(location: &str, kind: MetadataKind, why: impl Into<String>) -> LoadError {
    let expected = match kind {
        MetadataKind::Table => "table",
        MetadataKind::View => "view",
    };
    let source = Arc::new(InvalidMetadata::new(why));
    LoadError::Invalid { location: location.to_owned(), expected, source }
}

fn to_file(metadata: &Metadata, location: &str) -> Bytes {
    match metadata {
        Metadata::Table(table) => table.to_file(location),
        Metadata::View(view) => view.to_file(location),
    }
}

/// What the metadata in a file takes in memory, roughly: its JSON, which gzip makes about 8 times
/// shorter.
fn size_in_memory(file: &Bytes) -> usize {
    if file.starts_with(&GZIP_MAGIC) { file.len() * 8 } else { file.len() }
}

/// Gzip of `bytes`, quick rather than small.
pub(crate) fn compress(bytes: &[u8]) -> Bytes {
    use std::io::Write as _;
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

/// Runs what computes for long on a thread of its own; its panic goes on here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_cancelled) => panic!("the runtime shut down while metadata was converted"),
        },
    }
}
