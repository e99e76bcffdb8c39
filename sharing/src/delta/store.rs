//! The objects of one table, read by a log's reader that nobody has to trust.
//!
//! - R1: paths are below the table's prefix by construction: the reader knows neither bucket nor prefix.
//! - R2: nothing is written.
//! - R3: sizes, bytes together and listed objects have limits. The first reason to refuse is kept, since the reader
//!   in between may tell another.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::limits::Limits;
use crate::table::TableError;

/// The objects below a table's prefix, for one answer.
#[derive(Debug, Clone)]
pub(super) struct TableStore {
    inner: Arc<dyn ObjectStore>,
    /// Empty, or ends in `/`.
    prefix: Arc<str>,
    watch: Arc<Watch>,
}

/// What was read for an answer, and why it must end.
#[derive(Debug)]
pub(super) struct Watch {
    limits: Limits,
    bytes: AtomicU64,
    listed: AtomicU64,
    stopped: AtomicBool,
    refusal: Mutex<Option<TableError>>,
}

impl Watch {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: AtomicU64::new(0),
            listed: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            refusal: Mutex::new(None),
        }
    }

    /// Nobody waits for the answer any more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The first reason to refuse, once.
    pub(super) fn take_refusal(&self) -> Option<TableError> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps why a reader is refused, and gives what it is told.
    pub(super) fn refuse(&self, why: TableError) -> Error {
        let told = why.to_string();
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        Error::Generic { store: "table", source: told.into() }
    }

    fn failed(&self, error: Error) -> Error {
        match error {
            Error::NotFound { .. } => error,
            error => self.refuse(TableError::Store(Box::new(error))),
        }
    }

    fn may_go_on(&self) -> Result<()> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(Error::Generic { store: "table", source: "nobody waits for the answer".into() });
        }
        Ok(())
    }

    fn may_read(&self, location: &Path, size: u64, bytes: u64) -> Result<()> {
        let json = location.as_ref().ends_with(".json") || !location.as_ref().ends_with(".parquet");
        let most = if json { self.limits.json_bytes_max } else { self.limits.parquet_bytes_max };
        if size > most {
            let what = format!("the log's file {location}");
            return Err(self.refuse(TableError::TooLarge { what, most: bytes_of(most) }));
        }
        let most = self.limits.log_bytes_max;
        if self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > most {
            let what = "what must be read of the log".to_owned();
            return Err(self.refuse(TableError::TooLarge { what, most: bytes_of(most) }));
        }
        Ok(())
    }

    fn may_list(&self) -> Result<()> {
        let most = self.limits.log_files_max;
        if self.listed.fetch_add(1, Ordering::Relaxed) < most {
            return self.may_go_on();
        }
        let what = "the number of files in the log".to_owned();
        Err(self.refuse(TableError::TooLarge { what, most: format!("{most} files") }))
    }
}

fn bytes_of(most: u64) -> String {
    if most.is_multiple_of(1 << 20) { format!("{} MiB", most >> 20) } else { format!("{most} bytes") }
}

impl TableStore {
    /// The objects of `inner` below `prefix`, which is empty or ends in `/`.
    pub(super) fn new(inner: Arc<dyn ObjectStore>, prefix: &str, watch: Arc<Watch>) -> Self {
        Self { inner, prefix: prefix.into(), watch }
    }

    fn full(&self, location: &Path) -> Result<Path> {
        Ok(Path::parse(format!("{}{location}", self.prefix))?)
    }

    fn within(&self, mut meta: ObjectMeta) -> Result<ObjectMeta> {
        let key = meta.location.as_ref().strip_prefix(&*self.prefix).map(Path::parse);
        meta.location = key.ok_or_else(|| self.watch.refuse(TableError::Outside))??;
        Ok(meta)
    }
}

impl fmt::Display for TableStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TableStore")
    }
}

fn read_only<T>() -> Result<T> {
    Err(Error::NotSupported { source: "a shared table is only read".into() })
}

#[async_trait]
impl ObjectStore for TableStore {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        read_only()
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        read_only()
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.watch.may_go_on()?;
        let head = options.head;
        let found = self.inner.get_opts(&self.full(location)?, options).await;
        let mut found = found.map_err(|error| self.watch.failed(error))?;
        found.meta = self.within(found.meta)?;
        if head {
            return Ok(found);
        }
        self.watch.may_read(location, found.meta.size, found.range.end.saturating_sub(found.range.start))?;
        if let GetResultPayload::Stream(chunks) = found.payload {
            let watch = Arc::clone(&self.watch);
            found.payload =
                GetResultPayload::Stream(chunks.map_err(move |error| watch.failed(error)).boxed());
        }
        Ok(found)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        locations.map(|_| read_only()).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_with_offset(prefix, &Path::default())
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let paths =
            self.full(prefix.unwrap_or(&Path::default())).and_then(|full| Ok((full, self.full(offset)?)));
        let (prefix, offset) = match paths {
            Ok(paths) => paths,
            Err(error) => return futures::stream::iter([Err(error)]).boxed(),
        };
        let store = self.clone();
        let listed = self.inner.list_with_offset(Some(&prefix), &offset);
        let told = listed.map(move |meta| {
            store.watch.may_list()?;
            store.within(meta.map_err(|error| store.watch.failed(error))?)
        });
        told.boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(Error::NotSupported { source: "a table's log is listed by versions".into() })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        read_only()
    }
}
