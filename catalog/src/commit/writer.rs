//! The writer task: the one mutator of the catalog's state.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::checkpoints::Checkpoints;
use super::outcome::{CommitError, Committed, Done, Silence};
use super::plan::{self, Planned};
use super::queue::{Message, Waiting};
use crate::files::{MetadataFiles, WriteError};
use crate::log::{AppendError, Log, PutId, Seq};
use crate::settings::Settings;
use crate::state::{CatalogState, FreshIds};

/// Time and fresh ids, which nothing below takes for itself.
pub(crate) trait Sources: Send + Sync + 'static {
    /// Milliseconds since 1970.
    fn now(&mut self) -> i64;
    fn fresh(&mut self) -> uuid::Uuid;
}

/// The state readers see.
pub(crate) struct Published {
    /// And its position.
    state: RwLock<(Arc<CatalogState>, Seq)>,
    seq: watch::Sender<Seq>,
    standing: watch::Sender<Standing>,
}

impl Published {
    pub(crate) fn new(state: CatalogState, seq: Seq) -> Self {
        let standing = watch::Sender::new(Standing::Ready);
        Self { state: RwLock::new((Arc::new(state), seq)), seq: watch::Sender::new(seq), standing }
    }

    pub(crate) fn snapshot(&self) -> Arc<CatalogState> {
        self.snapshot_at().0
    }

    /// With its position.
    pub(crate) fn snapshot_at(&self) -> (Arc<CatalogState>, Seq) {
        // The lock is held for one assignment only, which cannot panic.
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Seq> {
        self.seq.subscribe()
    }

    pub(crate) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    fn publish(&self, state: CatalogState, seq: Seq) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(state), seq);
        self.seq.send_replace(seq);
    }
}

/// What the writer needs from outside.
pub(crate) struct Parts {
    pub(crate) log: Log,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) state: CatalogState,
    pub(crate) published: Arc<Published>,
    pub(crate) files: Arc<MetadataFiles>,
    pub(crate) sources: Box<dyn Sources>,
    pub(crate) settings: Settings,
}

/// Can the catalog commit?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can.
    Ready,
    /// Not before the outcome of an append is known; it is being looked up.
    Unsettled,
    /// Never again: another process has taken the catalog over.
    Fenced,
}

/// The same with what the writer keeps for it.
enum Append {
    Ready,
    /// The state it leads to if it was done (L4).
    Unsettled(Box<CatalogState>),
    /// L3.
    Fenced,
}

pub(crate) struct Writer {
    parts: Parts,
    append: Append,
}

/// How often a batch is planned again without the requests whose files could not be written.
const WRITE_ROUNDS_MAX: usize = 3;

/// How often an unsettled append is looked up while no request asks.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

impl Writer {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts, append: Append::Ready }
    }

    /// Serves requests until it is told to close, or until nobody can send any more.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut messages = Vec::new();
        let mut open = true;
        while open {
            let limit = self.parts.settings.batch_requests_max;
            let received = match self.append {
                Append::Unsettled(_) => {
                    let receive = queue.recv_many(&mut messages, limit);
                    match tokio::time::timeout(SETTLE_EVERY, receive).await {
                        Ok(received) => received,
                        Err(_elapsed) => {
                            self.settle().await;
                            continue;
                        }
                    }
                }
                Append::Ready | Append::Fenced => queue.recv_many(&mut messages, limit).await,
            };
            open = received > 0;
            let mut waiting = Vec::with_capacity(received);
            for message in messages.drain(..) {
                match message {
                    Message::Commit(request) => waiting.push(*request),
                    Message::Close => open = false,
                }
            }
            while !waiting.is_empty() {
                waiting = self.batch(waiting).await;
            }
        }
        self.parts.checkpoints.finish().await;
    }

    /// Answers requests from the front of `waiting`; returns those left for the next batch.
    async fn batch(&mut self, mut waiting: Vec<Waiting>) -> Vec<Waiting> {
        self.settle().await;
        match self.append {
            Append::Ready => {}
            Append::Fenced => return refuse(waiting, || CommitError::Fenced),
            Append::Unsettled(_) => {
                let retry_after = self.parts.settings.retry_after;
                return refuse(waiting, || CommitError::Busy { retry_after });
            }
        }
        for _ in 0..WRITE_ROUNDS_MAX {
            if waiting.is_empty() {
                return waiting;
            }
            let planned = self.plan(&waiting).await;
            let mut failed = self.write_files(&planned).await;
            if failed.is_empty() {
                let rest = waiting.split_off(planned.results.len());
                self.append(waiting, planned).await;
                return rest;
            }
            // Nothing refers to the files of this round; the rest is planned without the failed (W5).
            let mut kept = Vec::with_capacity(waiting.len());
            for (index, waiting) in waiting.into_iter().enumerate() {
                match failed.remove(&index) {
                    Some(error) => waiting.answer(Err(CommitError::Write(error))),
                    None => kept.push(waiting),
                }
            }
            waiting = kept;
        }
        let retry_after = self.parts.settings.retry_after;
        refuse(waiting, || CommitError::Busy { retry_after })
    }

    async fn plan(&mut self, waiting: &[Waiting]) -> Planned {
        let parts = &mut self.parts;
        let loaded =
            plan::load(&parts.state, waiting, &parts.files, parts.settings.metadata_reads_at_once).await;
        let mut ids = FreshIds::new(parts.sources.fresh().as_u128());
        plan::plan(&parts.state, waiting, loaded, parts.sources.now(), &mut ids)
    }

    /// Writes the files of a plan, many at a time; which requests' files were not written.
    async fn write_files(&self, planned: &Planned) -> BTreeMap<usize, WriteError> {
        let mut failed = BTreeMap::new();
        let mut note = |index: usize, written: Result<(), WriteError>| {
            if let Err(error) = written {
                tracing::warn!(location = error.location, error = %error.source, "a metadata file was not written");
                failed.insert(index, error);
            }
        };
        if let [(index, location, metadata)] = &planned.writes[..] {
            note(*index, self.parts.files.write(location, metadata.clone()).await);
            return failed;
        }
        // A task each: making and hashing the files of many tables takes every core there is.
        let mut left = planned.writes.iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < self.parts.settings.metadata_writes_at_once
                && let Some((index, location, metadata)) = left.next()
            {
                let (index, location, metadata) = (*index, location.clone(), metadata.clone());
                let files = self.parts.files.clone();
                running.spawn(async move { (index, files.write(&location, metadata).await) });
            }
            match running.join_next().await {
                None => return failed,
                Some(Ok((index, written))) => note(index, written),
                Some(Err(error)) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_cancelled) => panic!("the runtime shut down while files were written"),
                },
            }
        }
    }

    async fn append(&mut self, waiting: Vec<Waiting>, planned: Planned) {
        let Planned { state, body, results, writes: _ } = planned;
        if body.is_empty() {
            // Nothing depends on what is not durable: the answers rest on the state before (W4).
            return answer(waiting, results, self.parts.log.tail().seq);
        }
        let retry_after = self.parts.settings.retry_after;
        let busy = || CommitError::Busy { retry_after };
        let body = body.finish();
        let (put_id, bytes) = (PutId(self.parts.sources.fresh()), body.len());
        let began = Instant::now();
        let appended = self.parts.log.append(put_id, body).await;
        metrics::histogram!("tarn_catalog_append_seconds").record(began.elapsed().as_secs_f64());
        match appended {
            Ok(seq) => {
                self.publish(state, bytes).await;
                answer(waiting, results, seq);
            }
            Err(AppendError::Unknown { put_id, source }) => {
                tracing::error!(%put_id, error = %source, "the outcome of an append is not known");
                let why = silence(&source);
                self.stand(Append::Unsettled(Box::new(state)));
                for (waiting, result) in waiting.into_iter().zip(results) {
                    waiting.answer(Err(match result {
                        Ok(_) => CommitError::Unknown { put_id, why },
                        // Its own outcome is certain; what it conflicts with is not (W4).
                        Err(_) => busy(),
                    }));
                }
            }
            Err(AppendError::Refused(error)) => {
                tracing::warn!(%error, "the store refused a record");
                refuse(waiting, busy);
            }
            Err(error @ (AppendError::Taken { .. } | AppendError::Trimmed { .. })) => {
                self.fenced(&error);
                refuse(waiting, || CommitError::Fenced);
            }
        }
    }

    /// Tries to learn the outcome of an append that is not settled.
    async fn settle(&mut self) {
        let Append::Unsettled(state) = &self.append else { return };
        let state = CatalogState::clone(state);
        match self.parts.log.settle().await {
            Ok(seq) => {
                tracing::info!(seq = seq.0, "an append whose outcome was not known is done");
                self.stand(Append::Ready);
                self.publish(state, 0).await;
            }
            Err(AppendError::Unknown { put_id, source }) => {
                tracing::warn!(%put_id, error = %source, "the outcome of an append is still not known");
            }
            Err(error) => self.fenced(&error),
        }
    }

    /// W1: the record is durable, so readers may see the state.
    async fn publish(&mut self, state: CatalogState, bytes: usize) {
        let tail = self.parts.log.tail();
        self.parts.state = state.clone();
        self.parts.published.publish(state, tail.seq);
        metrics::gauge!("tarn_catalog_log_position_records").set(tail.seq.0 as f64);
        self.parts.checkpoints.appended(bytes, &self.parts.state, tail).await;
    }

    fn fenced(&mut self, error: &AppendError) {
        tracing::error!(%error, "this process no longer writes the catalog");
        self.stand(Append::Fenced);
    }

    fn stand(&mut self, append: Append) {
        let standing = match append {
            Append::Ready => Standing::Ready,
            Append::Unsettled(_) => Standing::Unsettled,
            Append::Fenced => Standing::Fenced,
        };
        self.append = append;
        self.parts.published.standing.send_replace(standing);
    }
}

fn silence(error: &object_store::Error) -> Silence {
    match error {
        object_store::Error::Generic { store: "timeout", .. } => Silence::Deadline,
        _other_store_error => Silence::ReplyLost,
    }
}

fn answer(waiting: Vec<Waiting>, results: Vec<Result<Done, CommitError>>, seq: Seq) {
    metrics::histogram!("tarn_catalog_batch_requests").record(waiting.len() as f64);
    for (waiting, result) in waiting.into_iter().zip(results) {
        let outcome = if result.is_ok() { "done" } else { "refused" };
        metrics::counter!("tarn_catalog_commits_total", "outcome" => outcome).increment(1);
        waiting.answer(result.map(|done| {
            let Done { tables, views, missing, again } = done;
            Committed { seq, tables, views, missing, again }
        }));
    }
}

/// Answers all with `error`; none is left.
fn refuse(waiting: Vec<Waiting>, error: impl Fn() -> CommitError) -> Vec<Waiting> {
    for waiting in waiting {
        metrics::counter!("tarn_catalog_commits_total", "outcome" => "not_started").increment(1);
        waiting.answer(Err(error()));
    }
    Vec::new()
}
