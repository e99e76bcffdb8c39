//! What the Delta kernel reads through.
//!
//! - E1: the kernel reads files of the table's log and nothing else. Its default engine fetches any URL that looks
//!   signed, and a hostile checkpoint could name one: each URL is checked before the engine sees it.
//! - E2: the kernel waits on its own thread, never on one that serves.

use std::sync::Arc;

use bytes::Bytes;
use delta_kernel::engine_data::FilteredEngineData;
use delta_kernel::schema::SchemaRef;
use delta_kernel::{
    DeltaResult, DeltaResultIterator, DeltaResultIteratorStatic, Engine, EngineData, Error,
    EvaluationHandler, FileDataReadResultIterator, FileMeta, FileSize, FileSlice, JsonHandler, ParquetFooter,
    ParquetHandler, PredicateRef, StorageHandler,
};
use delta_kernel_default_engine::DefaultEngine;
use delta_kernel_default_engine::executor::TaskExecutor;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryFutureExt as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::runtime::{EnterGuard, Handle};
use url::Url;

use super::path::Root;
use super::store::{TableStore, Watch};
use crate::table::TableError;

/// The table, as the kernel is told of it.
pub(super) const TABLE: &str = "delta://table/";
const LOG: &str = "/_delta_log/";

/// The default engine behind [`TableStore`], with checked URLs (E1).
pub(super) struct LogEngine {
    inner: DefaultEngine<Waiting>,
    gate: Arc<Gate>,
}

/// Decides which URLs are read.
struct Gate {
    root: Root,
    watch: Arc<Watch>,
}

/// Waits for futures on the thread that asks (E2).
#[derive(Debug)]
struct Waiting(Handle);

struct Gated<T: ?Sized> {
    inner: Arc<T>,
    gate: Arc<Gate>,
}

impl LogEngine {
    /// May only be used on a thread that may block.
    pub(super) fn new(store: TableStore, root: Root, watch: Arc<Watch>, handle: Handle) -> Self {
        let few = std::num::NonZero::new(4).expect("four is not zero");
        let builder = DefaultEngine::builder(Arc::new(store)).with_task_executor(Arc::new(Waiting(handle)));
        Self { inner: builder.with_buffer_size(few).build(), gate: Arc::new(Gate { root, watch }) }
    }

    fn gated<T: ?Sized>(&self, inner: Arc<T>) -> Arc<Gated<T>> {
        Arc::new(Gated { inner, gate: Arc::clone(&self.gate) })
    }
}

impl Engine for LogEngine {
    fn evaluation_handler(&self) -> Arc<dyn EvaluationHandler> {
        self.inner.evaluation_handler()
    }

    fn storage_handler(&self) -> Arc<dyn StorageHandler> {
        self.gated(self.inner.storage_handler())
    }

    fn json_handler(&self) -> Arc<dyn JsonHandler> {
        self.gated(self.inner.json_handler())
    }

    fn parquet_handler(&self) -> Arc<dyn ParquetHandler> {
        self.gated(self.inner.parquet_handler())
    }
}

impl Gate {
    /// The URL to read instead of `url` (E1).
    fn let_through(&self, url: &Url) -> DeltaResult<Url> {
        let plain = url.as_str().starts_with(TABLE) && url.query().is_none() && url.fragment().is_none();
        if plain && url.path().starts_with(LOG) {
            return Ok(url.clone());
        }
        let key = self.root.key_of_url(url).map_err(|why| self.watch.refuse(why))?;
        let within = format!("/{}", &key[self.root.prefix().len()..]);
        if !within.starts_with(LOG) {
            return Err(self.watch.refuse(TableError::Outside).into());
        }
        let mut own = Url::parse(TABLE)?;
        let segments =
            within.split('/').map(|segment| utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string());
        own.set_path(&segments.collect::<Vec<_>>().join("/"));
        Ok(own)
    }

    fn file(&self, file: &FileMeta) -> DeltaResult<FileMeta> {
        Ok(FileMeta { location: self.let_through(&file.location)?, ..file.clone() })
    }

    fn files(&self, files: &[FileMeta]) -> DeltaResult<Vec<FileMeta>> {
        files.iter().map(|file| self.file(file)).collect()
    }
}

fn read_only<T>() -> DeltaResult<T> {
    Err(Error::unsupported("a shared table is only read"))
}

impl StorageHandler for Gated<dyn StorageHandler> {
    fn list_from(&self, path: &Url) -> DeltaResult<DeltaResultIteratorStatic<FileMeta>> {
        self.inner.list_from(&self.gate.let_through(path)?)
    }

    fn read_files(&self, files: Vec<FileSlice>) -> DeltaResult<DeltaResultIteratorStatic<Bytes>> {
        let checked = files.into_iter().map(|(url, range)| Ok((self.gate.let_through(&url)?, range)));
        self.inner.read_files(checked.collect::<DeltaResult<_>>()?)
    }

    fn copy_atomic(&self, _: &Url, _: &Url) -> DeltaResult<()> {
        read_only()
    }

    fn put(&self, _: &Url, _: Bytes, _: bool) -> DeltaResult<()> {
        read_only()
    }

    fn head(&self, path: &Url) -> DeltaResult<FileMeta> {
        self.inner.head(&self.gate.let_through(path)?)
    }

    fn delete(&self, _: &Url) -> DeltaResult<()> {
        read_only()
    }
}

impl JsonHandler for Gated<dyn JsonHandler> {
    fn parse_json(
        &self,
        json_strings: Box<dyn EngineData>,
        output_schema: SchemaRef,
    ) -> DeltaResult<Box<dyn EngineData>> {
        self.inner.parse_json(json_strings, output_schema)
    }

    fn read_json_files(
        &self,
        files: &[FileMeta],
        physical_schema: SchemaRef,
        predicate: Option<PredicateRef>,
    ) -> DeltaResult<FileDataReadResultIterator> {
        self.inner.read_json_files(&self.gate.files(files)?, physical_schema, predicate)
    }

    fn write_json_file(
        &self,
        _: &Url,
        _: DeltaResultIterator<'_, FilteredEngineData>,
        _: bool,
    ) -> DeltaResult<FileSize> {
        read_only()
    }
}

impl ParquetHandler for Gated<dyn ParquetHandler> {
    fn read_parquet_files(
        &self,
        files: &[FileMeta],
        physical_schema: SchemaRef,
        predicate: Option<PredicateRef>,
    ) -> DeltaResult<FileDataReadResultIterator> {
        self.inner.read_parquet_files(&self.gate.files(files)?, physical_schema, predicate)
    }

    fn write_parquet_file(
        &self,
        _: Url,
        _: DeltaResultIteratorStatic<Box<dyn EngineData>>,
    ) -> DeltaResult<()> {
        read_only()
    }

    fn read_parquet_footer(&self, file: &FileMeta) -> DeltaResult<ParquetFooter> {
        self.inner.read_parquet_footer(&self.gate.file(file)?)
    }
}

impl TaskExecutor for Waiting {
    type Guard<'a> = EnterGuard<'a>;

    fn block_on<T>(&self, task: T) -> T::Output
    where
        T: Future + Send + 'static,
        T::Output: Send + 'static,
    {
        self.0.block_on(task)
    }

    // Only writes do: nothing that reads leaves work behind.
    fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.block_on(task);
    }

    fn spawn_blocking<T, R>(&self, task: T) -> BoxFuture<'_, DeltaResult<R>>
    where
        T: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.0.spawn_blocking(task).map_err(Error::join_failure).boxed()
    }

    fn enter(&self) -> EnterGuard<'_> {
        self.0.enter()
    }
}
