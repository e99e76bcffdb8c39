//! The catalog: the state in memory, the writer behind it, and the metadata files.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::path::Path;
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::commit::batch::{self, BodyError};
use crate::commit::{
    Checkpoints, CommitError, Committed, CommittedTable, CommittedView, Done, Parts, Published, Queue,
    Sources, Standing, Writer, replay,
};
use crate::events::Records;
use crate::files::{LoadError, MetadataFiles};
use crate::history::{History, HistoryError, Moment, Page};
use crate::log::{IsRefusal, Log, OpenLogError, Patience, PutId, Seq, Store};
use crate::metadata::{TableMetadata, ViewMetadata};
use crate::scan::ManifestReader;
use crate::settings::Settings;
use crate::state::{
    CatalogState, Conflict, CreateTable, FreshIds, Request, RequestKey, Subject, TableEntry, TableIdent,
};
use crate::warehouses::WarehouseStores;

/// Namespaces, tables and documents over a log in an object store. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    inner: Arc<Inner>,
    /// Who asks through this handle.
    by: Arc<str>,
}

/// Who asks where nobody is named: the server itself.
const SERVER: &str = "tarn";
/// Who asks for what maintenance does by itself.
pub const MAINTENANCE: &str = "maintenance";

struct Inner {
    queue: Queue,
    published: Arc<Published>,
    files: Arc<MetadataFiles>,
    history: History,
    /// For differences; planning has its own.
    manifests: ManifestReader,
    records: Records,
    warehouses: Arc<dyn WarehouseStores>,
    reply_lifetime: Duration,
    keep_dropped: Duration,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Work that answers nobody. It stops with the catalog and goes on when it is opened again.
    background: Mutex<JoinSet<()>>,
}

/// The catalog could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the catalog log could not be opened")]
pub struct OpenError(#[source] OpenCause);

#[derive(Debug, thiserror::Error)]
enum OpenCause {
    #[error(transparent)]
    Log(OpenLogError),
    #[error(transparent)]
    Body(BodyError),
}

/// A table as it is now.
#[derive(Debug, Clone)]
pub struct LoadedTable {
    /// Its entry in the catalog.
    pub entry: Arc<TableEntry>,
    /// What its metadata file holds.
    pub metadata: Arc<TableMetadata>,
}

/// The system's clock and random ids.
struct System;

impl Sources for System {
    fn now(&mut self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }

    fn fresh(&mut self) -> uuid::Uuid {
        uuid::Uuid::new_v4()
    }
}

impl Catalog {
    /// Opens the catalog whose log lies below `root` in `log_store`, and takes it over: a process
    /// that had it open before can commit no more.
    pub async fn open(
        log_store: Arc<dyn ObjectStore>,
        root: Path,
        warehouses: Arc<dyn WarehouseStores>,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        let catalog = Self::open_with(log_store, root, warehouses, settings, Box::new(System)).await?;
        catalog.start_purging().await;
        catalog.start_expiring().await;
        Ok(catalog)
    }

    pub(crate) async fn open_with(
        log_store: Arc<dyn ObjectStore>,
        root: Path,
        warehouses: Arc<dyn WarehouseStores>,
        settings: Settings,
        mut sources: Box<dyn Sources>,
    ) -> Result<Self, OpenError> {
        let stores = warehouses.clone();
        let is_refusal: IsRefusal = Arc::new(move |error| stores.is_refusal(error));
        let store = Store::new(log_store, root, is_refusal, settings.store_timeout);
        let patience = Patience { deadline: settings.append_deadline, backoff: settings.append_backoff };
        let began = Instant::now();
        let (log, trimmer, recovered) = Log::open(store, PutId(sources.fresh()), patience)
            .await
            .map_err(|error| OpenError(OpenCause::Log(error)))?;
        let state = batch::replay(&recovered).map_err(|error| OpenError(OpenCause::Body(error)))?;
        // Fences count too: a process that only restarts must not lengthen the log for ever.
        let replayed_from = recovered.checkpoint.as_ref().map_or(Seq::ZERO, |checkpoint| checkpoint.seq);
        let records = log.tail().seq.0 - replayed_from.0;
        let bytes = recovered.batches.iter().map(|(_, body)| body.len()).sum();
        tracing::info!(seq = log.tail().seq.0, records, "opened the catalog");

        let files = Arc::new(MetadataFiles::new(warehouses.clone(), &settings));
        let published = Arc::new(Published::new(state.clone(), log.tail().seq));
        let records_read = Records::new(log.past());
        let history = History::new(log.past(), published.clone(), &settings);
        let manifests = ManifestReader::new(warehouses.clone(), &settings.manifest_limits());
        let (queue, receiver) = Queue::new(settings.queue_requests_max, settings.retry_after);
        let size_bytes = recovered.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.body.len());
        let (reply_lifetime, keep_dropped) = (settings.reply_lifetime, settings.keep_dropped);
        let mut checkpoints = Checkpoints::new(trimmer, (records, bytes), size_bytes, &settings);
        checkpoints.replayed(began.elapsed(), &state, log.tail());
        let writer = Writer::new(Parts {
            log,
            checkpoints,
            state,
            published: published.clone(),
            files: files.clone(),
            sources,
            settings,
        });
        let writer = Mutex::new(Some(tokio::spawn(writer.run(receiver))));
        Ok(Self {
            inner: Arc::new(Inner {
                queue,
                published,
                files,
                history,
                manifests,
                records: records_read,
                warehouses,
                reply_lifetime,
                keep_dropped,
                writer,
                background: Mutex::default(),
            }),
            by: SERVER.into(),
        })
    }

    /// The same catalog, whose history names `who` with the changes asked for through it.
    pub fn by(&self, who: impl Into<Arc<str>>) -> Self {
        Self { inner: self.inner.clone(), by: who.into() }
    }

    /// Finishes what is under way and stops the writer. Reads go on; commits are refused.
    pub async fn close(&self) {
        let mut writer = self.inner.writer.lock().await;
        let Some(running) = writer.take() else { return };
        self.inner.background.lock().await.shutdown().await;
        self.inner.queue.close().await;
        if let Err(error) = running.await {
            tracing::error!(%error, "the catalog's writer panicked");
        }
    }

    /// The state of everything committed so far. Never waits.
    pub fn snapshot(&self) -> Arc<CatalogState> {
        self.inner.published.snapshot()
    }

    /// The position of the log that a moment stands for.
    pub async fn position(&self, moment: Moment) -> Result<Seq, HistoryError> {
        self.inner.history.position(moment, System.now()).await
    }

    /// The state at a position that was.
    pub async fn state_at(&self, position: Seq) -> Result<Arc<CatalogState>, HistoryError> {
        self.inner.history.state(position).await
    }

    /// The commits before `before` that concern a warehouse, or one table or view of it, the newest first: about
    /// `limit` of them.
    pub async fn history(
        &self,
        warehouse: &str,
        table: Option<&TableIdent>,
        (before, limit): (Option<Seq>, usize),
    ) -> Result<Page, HistoryError> {
        self.inner.history.entries((warehouse, table), before, limit).await
    }

    /// When the last commit up to a position was made, in milliseconds since 1970; `None` before the first.
    pub async fn time_of(&self, position: Seq) -> Result<Option<i64>, HistoryError> {
        self.inner.history.time_of(position).await
    }

    /// The log position of [`Catalog::snapshot`], as it moves.
    pub fn watch(&self) -> watch::Receiver<Seq> {
        self.inner.published.watch()
    }

    /// Can the catalog commit now?
    pub fn standing(&self) -> Standing {
        self.inner.published.standing()
    }

    /// Checks `request` against the state, makes it durable, then answers.
    pub async fn commit(&self, request: Request) -> Result<Committed, CommitError> {
        self.inner.queue.commit(request, None, self.by.clone()).await
    }

    /// The same for a request with an idempotency key: however often it is sent, also after a restart, it is done
    /// once and answered as the first time. What is answered of a table is what its commit left.
    pub async fn commit_once(
        &self,
        request: Request,
        key: Option<RequestKey>,
    ) -> Result<Committed, CommitError> {
        let subject = request.subject();
        let committed = self.inner.queue.commit(request, key, self.by.clone()).await?;
        self.read_again(committed, subject).await
    }

    /// The answer that was given to a request about `subject` with this key, if it was sent before.
    pub async fn answered(
        &self,
        key: &RequestKey,
        subject: Subject,
    ) -> Option<Result<Committed, CommitError>> {
        let kept = self.snapshot().reply(&key.key, System.now())?.clone();
        let Done { tables, views, missing, again } = match replay(key, &kept) {
            Ok(done) => done,
            Err(conflict) => return Some(Err(conflict.into())),
        };
        let committed = Committed { seq: *self.watch().borrow(), tables, views, missing, again };
        Some(self.read_again(committed, Some(subject)).await)
    }

    async fn read_again(
        &self,
        mut committed: Committed,
        subject: Option<Subject>,
    ) -> Result<Committed, CommitError> {
        let Some(location) = committed.again.take() else { return Ok(committed) };
        let metadata_location = location.to_string();
        match subject {
            Some(Subject::Table(ident)) => {
                let metadata = self.inner.files.load(&location).await?;
                committed.tables = vec![CommittedTable { ident, metadata_location, metadata }];
            }
            Some(Subject::View(ident)) => {
                let metadata = self.inner.files.load_view(&location).await?;
                committed.views = vec![CommittedView { ident, metadata_location, metadata }];
            }
            None => {}
        }
        Ok(committed)
    }

    /// How long answers are kept for idempotency keys.
    pub fn reply_lifetime(&self) -> Duration {
        self.inner.reply_lifetime
    }

    /// How long a dropped table is kept where neither it nor its warehouse says, in milliseconds.
    pub fn keep_dropped_ms(&self) -> i64 {
        i64::try_from(self.inner.keep_dropped.as_millis()).unwrap_or(i64::MAX)
    }

    /// The table as it is now; `None` when there is none of this name.
    pub async fn load(&self, ident: &TableIdent) -> Result<Option<LoadedTable>, LoadError> {
        let state = self.snapshot();
        let Some(entry) = state.table(ident) else { return Ok(None) };
        let metadata = self.inner.files.load(&entry.metadata_location).await?;
        Ok(Some(LoadedTable { entry: entry.clone(), metadata }))
    }

    /// The table metadata in a file of a warehouse.
    pub async fn read_metadata(&self, location: &str) -> Result<Arc<TableMetadata>, LoadError> {
        self.inner.files.load(location).await
    }

    /// The view metadata in a file of a warehouse.
    pub async fn read_view_metadata(&self, location: &str) -> Result<Arc<ViewMetadata>, LoadError> {
        self.inner.files.load_view(location).await
    }

    /// Runs `work` beside everything else, and forgets what has ended.
    pub(crate) async fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut background = self.inner.background.lock().await;
        while background.try_join_next().is_some() {}
        background.spawn(work);
    }

    pub(crate) fn records(&self) -> &Records {
        &self.inner.records
    }

    pub(crate) fn manifests(&self) -> &ManifestReader {
        &self.inner.manifests
    }

    pub(crate) fn warehouses(&self) -> &Arc<dyn WarehouseStores> {
        &self.inner.warehouses
    }
}

impl Catalog {
    /// What creating the table would give; nothing is created and nothing written.
    pub fn stage(&self, create: &CreateTable) -> Result<Arc<TableMetadata>, Conflict> {
        let mut ids = FreshIds::new(System.fresh().as_u128());
        self.snapshot().stage(create, System.now(), &mut ids)
    }
}
