//! The object store as the log sees it: a put has three outcomes, a reply that is lost is none of
//! the first two.
//!
//! - S1: `Refused` is said only when the store answered that it did nothing.
//! - S2: every other failure of a put is `Unknown`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, UpdateVersion};

/// Tells a store's error that promises "nothing was done" from one that does not.
pub type IsRefusal = Arc<dyn Fn(&object_store::Error) -> bool + Send + Sync>;

/// How long an operation on so many bytes may take: a base, and a second for every 4 MiB.
pub(crate) fn patience(base: Duration, bytes: u64) -> Duration {
    base + Duration::from_secs(bytes >> 22)
}

/// The operation, or an error of the store `timeout` when it takes too long.
pub(crate) async fn in_time<T>(
    patience: Duration,
    operation: impl Future<Output = Result<T, object_store::Error>>,
) -> Result<T, object_store::Error> {
    match tokio::time::timeout(patience, operation).await {
        Ok(result) => result,
        Err(elapsed) => Err(object_store::Error::Generic { store: "timeout", source: elapsed.into() }),
    }
}

/// How a store's client is used.
#[derive(Clone)]
pub(crate) struct Store {
    inner: Arc<dyn ObjectStore>,
    root: Path,
    is_refusal: IsRefusal,
    op_timeout: Duration,
}

/// Why a put-if-absent or a replace did not answer success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    /// The object exists, or is not the version named.
    #[error("another object is there")]
    Changed,
    /// The store did nothing (S1).
    #[error("the store refused")]
    Refused(#[source] object_store::Error),
    /// It may have happened, or may still happen (S2).
    #[error("the store's answer did not arrive")]
    Unknown(#[source] object_store::Error),
}

impl Store {
    pub(crate) fn new(
        inner: Arc<dyn ObjectStore>,
        root: Path,
        is_refusal: IsRefusal,
        op_timeout: Duration,
    ) -> Self {
        Self { inner, root, is_refusal, op_timeout }
    }

    fn path(&self, key: &str) -> Path {
        self.root.parts().chain(Path::from(key).parts()).collect()
    }

    /// Creates `key`; fails with `Changed` when it exists.
    pub(crate) async fn create(&self, key: &str, bytes: Bytes) -> Result<UpdateVersion, PutError> {
        self.put(key, bytes, PutMode::Create).await
    }

    /// Replaces `key` when it is still `version`.
    pub(crate) async fn replace(
        &self,
        key: &str,
        version: UpdateVersion,
        bytes: Bytes,
    ) -> Result<UpdateVersion, PutError> {
        self.put(key, bytes, PutMode::Update(version)).await
    }

    /// Writes `key` whatever is there.
    pub(crate) async fn write(&self, key: &str, bytes: Bytes) -> Result<UpdateVersion, PutError> {
        self.put(key, bytes, PutMode::Overwrite).await
    }

    async fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<UpdateVersion, PutError> {
        let path = self.path(key);
        let patience = patience(self.op_timeout, bytes.len() as u64);
        let put = self.inner.put_opts(&path, PutPayload::from_bytes(bytes), mode.into());
        match in_time(patience, put).await {
            Ok(result) => Ok(result.into()),
            Err(error) => Err(self.classify(error)),
        }
    }

    fn classify(&self, error: object_store::Error) -> PutError {
        use object_store::Error;
        match error {
            Error::AlreadyExists { .. } | Error::Precondition { .. } => PutError::Changed,
            Error::InvalidPath { .. }
            | Error::NotSupported { .. }
            | Error::NotImplemented { .. }
            | Error::PermissionDenied { .. }
            | Error::Unauthenticated { .. }
            | Error::UnknownConfigurationKey { .. } => PutError::Refused(error),
            other if (self.is_refusal)(&other) => PutError::Refused(other),
            other => PutError::Unknown(other),
        }
    }

    /// The object's bytes and version; `None` when it does not exist.
    pub(crate) async fn read(
        &self,
        key: &str,
    ) -> Result<Option<(Bytes, UpdateVersion)>, object_store::Error> {
        let path = self.path(key);
        let result = match in_time(self.op_timeout, self.inner.get(&path)).await {
            Ok(result) => result,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let meta = &result.meta;
        let version = UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() };
        let patience = patience(self.op_timeout, meta.size);
        Ok(Some((in_time(patience, result.bytes()).await?, version)))
    }

    /// All objects of a folder.
    pub(crate) async fn list(
        &self,
        folder: &str,
    ) -> Result<Vec<object_store::ObjectMeta>, object_store::Error> {
        self.inner.list(Some(&self.path(folder))).try_collect().await
    }

    /// Tells `each` the names in `folder` after `after` with their sizes in bytes, in the store's order.
    pub(crate) async fn each_after(
        &self,
        folder: &str,
        after: &str,
        mut each: impl FnMut(&str, u64),
    ) -> Result<(), object_store::Error> {
        let mut stream = self.stream_after(folder, after);
        while let Some(meta) = stream.try_next().await? {
            if let Some(name) = meta.location.filename() {
                each(name, meta.size);
            }
        }
        Ok(())
    }

    fn stream_after(
        &self,
        folder: &str,
        after: &str,
    ) -> BoxStream<'static, Result<object_store::ObjectMeta, object_store::Error>> {
        let prefix = self.path(folder);
        if after.is_empty() {
            self.inner.list(Some(&prefix))
        } else {
            self.inner.list_with_offset(Some(&prefix), &self.path(&format!("{folder}/{after}")))
        }
    }

    /// The names in `folder` after `after`, in order. A name is what follows the folder.
    pub(crate) async fn names_after(
        &self,
        folder: &str,
        after: &str,
    ) -> Result<Vec<String>, object_store::Error> {
        let mut names: Vec<String> = self
            .stream_after(folder, after)
            .try_filter_map(|meta| async move { Ok(meta.location.filename().map(str::to_owned)) })
            .try_collect()
            .await?;
        names.sort_unstable();
        Ok(names)
    }

    /// Removes an object; that it is gone already is no failure.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), object_store::Error> {
        match self.inner.delete(&self.path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
