//! The files of tables in the stores of their warehouses, read and deleted at a pace.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode};
use tarn_catalog::WarehouseStores;
use tokio::time::timeout;

use crate::Settings;
use crate::throttle::Throttle;

/// A file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The location does not name a file of a warehouse.
    #[error("{0} is not a file in a warehouse")]
    Location(String),
    /// There is no such file.
    #[error("file {0} does not exist")]
    Missing(String),
    /// The file is longer than is read.
    #[error("file {location} has {bytes} bytes, more than the limit of {bytes_max}")]
    TooLarge {
        /// The file.
        location: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The file is not what it should be.
    #[error("file {location} cannot be read: {message}")]
    Invalid {
        /// The file.
        location: String,
        /// What is wrong.
        message: String,
    },
    /// The store failed.
    #[error("the store failed at file {location}")]
    Store {
        /// The file.
        location: String,
        /// The store's error.
        #[source]
        source: object_store::Error,
    },
    /// The store did not answer.
    #[error("the store did not answer in time for file {0}")]
    Timeout(String),
}

/// How fast one run may go, beside the pace of all runs together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Calls of a store per second.
    pub(crate) operations_per_second: Option<u32>,
    /// Bytes read and written per second.
    pub(crate) bytes_per_second: Option<u64>,
}

/// The stores, as maintenance uses them.
pub(crate) struct Files {
    stores: Arc<dyn WarehouseStores>,
    /// The pace of all runs together.
    throttle: Arc<Throttle>,
    /// The pace of one run, where it has its own.
    own: Option<Throttle>,
    timeout: Duration,
    bytes_max: u64,
    /// What a manifest or a manifest list may unpack to.
    pub(crate) unpacked_bytes_max: usize,
}

impl Files {
    pub(crate) fn new(stores: Arc<dyn WarehouseStores>, settings: &Settings) -> Self {
        Self {
            stores,
            throttle: Arc::new(Throttle::new(settings.operations_per_second, settings.bytes_per_second)),
            own: None,
            timeout: settings.store_timeout,
            bytes_max: settings.manifest_bytes_max,
            unpacked_bytes_max: settings.manifest_unpacked_bytes_max,
        }
    }

    /// The same stores, at a pace of a run's own too.
    pub(crate) fn paced(&self, pace: Pace) -> Self {
        let Pace { operations_per_second, bytes_per_second } = pace;
        let is_free = operations_per_second.is_none() && bytes_per_second.is_none();
        let own =
            Throttle::new(operations_per_second.unwrap_or(u32::MAX), bytes_per_second.unwrap_or(u64::MAX));
        Self {
            stores: self.stores.clone(),
            throttle: self.throttle.clone(),
            own: (!is_free).then_some(own),
            timeout: self.timeout,
            bytes_max: self.bytes_max,
            unpacked_bytes_max: self.unpacked_bytes_max,
        }
    }

    /// Waits for the turn of a call that moves `bytes`.
    async fn turn(&self, bytes: u64) {
        if let Some(own) = &self.own {
            own.take(bytes).await;
        }
        self.throttle.take(bytes).await;
    }

    /// The whole of a file that is a manifest or a manifest list.
    pub(crate) async fn read(&self, location: &str) -> Result<Bytes, FileError> {
        let (store, path) = self.find(location)?;
        let result = self.in_time(location, store.get(&path)).await?;
        let bytes = result.meta.size;
        if bytes > self.bytes_max {
            let location = location.to_owned();
            return Err(FileError::TooLarge { location, bytes, bytes_max: self.bytes_max });
        }
        self.turn(bytes).await;
        self.in_time(location, result.bytes()).await
    }

    /// A part of a file.
    pub(crate) async fn range(&self, location: &str, range: Range<u64>) -> Result<Bytes, FileError> {
        let (store, path) = self.find(location)?;
        self.turn(range.end.saturating_sub(range.start)).await;
        self.in_time(location, store.get_range(&path, range)).await
    }

    /// Writes a file whose name no other has.
    pub(crate) async fn create(&self, location: &str, bytes: Bytes) -> Result<(), FileError> {
        let (store, path) = self.find(location)?;
        self.turn(bytes.len() as u64).await;
        let put = store.put_opts(&path, bytes.into(), PutMode::Create.into());
        self.in_time(location, put).await.map(|_| ())
    }

    /// The size of a file in bytes; `None` when there is none.
    pub(crate) async fn size(&self, location: &str) -> Result<Option<u64>, FileError> {
        let (store, path) = self.find(location)?;
        self.turn(0).await;
        match self.in_time(location, store.head(&path)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(FileError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every file below a place, in no order to rely on.
    pub(crate) fn list(
        &self,
        warehouse: &str,
        place: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.stores.store(warehouse).list(Some(place))
    }

    /// Deletes a file; it may be gone already.
    pub(crate) async fn delete(&self, location: &str) -> Result<(), FileError> {
        let (store, path) = self.find(location)?;
        self.turn(0).await;
        match self.in_time(location, store.delete(&path)).await {
            Ok(()) | Err(FileError::Missing(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn find(&self, location: &str) -> Result<(Arc<dyn ObjectStore>, Path), FileError> {
        let (warehouse, path) = split(location).ok_or_else(|| FileError::Location(location.to_owned()))?;
        Ok((self.stores.store(warehouse), path))
    }

    async fn in_time<T>(
        &self,
        location: &str,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, FileError> {
        match timeout(self.timeout, call).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(object_store::Error::NotFound { .. })) => Err(FileError::Missing(location.to_owned())),
            Ok(Err(source)) => Err(FileError::Store { location: location.to_owned(), source }),
            Err(_elapsed) => Err(FileError::Timeout(location.to_owned())),
        }
    }
}

/// The warehouse and the path of a location. Keys that a path cannot hold as they are are refused.
pub(crate) fn split(location: &str) -> Option<(&str, Path)> {
    let rest = ["s3://", "s3a://", "s3n://"].iter().find_map(|scheme| location.strip_prefix(scheme))?;
    let (warehouse, key) = rest.split_once('/')?;
    let path = Path::parse(key).ok().filter(|path| path.as_ref() == key)?;
    (!warehouse.is_empty() && !key.is_empty()).then_some((warehouse, path))
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::testing::World;

    #[tokio::test(start_paused = true)]
    async fn a_run_has_a_pace_of_its_own_below_that_of_all_runs() {
        let world = World::new(World::quick()).await;
        let slow = world.files.paced(Pace { operations_per_second: Some(10), bytes_per_second: Some(1000) });
        let began = Instant::now();
        for _ in 0..11 {
            slow.size("s3://main/none").await.unwrap();
            world.files.size("s3://main/none").await.unwrap();
        }
        assert_eq!(began.elapsed().as_millis(), 1000);
        slow.create("s3://main/one", Bytes::from(vec![0; 5000])).await.unwrap();
        slow.size("s3://main/one").await.unwrap();
        assert_eq!(began.elapsed().as_millis(), 6100);
    }
}
