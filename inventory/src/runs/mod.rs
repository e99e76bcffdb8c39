//! Runs of maintenance: one per table at a time, told while they run and after.
//!
//! The last runs are documents in the catalog log, at most [`KEPT_MAX`] of all tables; one that found nothing to do is
//! not kept there when nobody asked for it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tarn_catalog::state::{Expect, TableIdent};
use tarn_catalog::{Catalog, CommitError};
use uuid::Uuid;

use crate::compact::Compacted;
use crate::expire::Expired;
use crate::orphans::Unreferenced;
use crate::removal::Mode;

#[cfg(test)]
mod tests;

/// The kind of the documents; their ids are in order of time.
const KIND: &str = "maintenance-run";
/// Documents of runs.
const KEPT_MAX: usize = 1000;
/// Ended runs in memory, with the names of files.
const ENDED_MAX: usize = 100;

/// A type of maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Job {
    /// Expiry of snapshots.
    #[serde(rename = "icebergSnapshotManagement")]
    SnapshotManagement,
    /// Removal of unreferenced files.
    #[serde(rename = "icebergUnreferencedFileRemoval")]
    UnreferencedFileRemoval,
    /// Rewriting of data files.
    #[serde(rename = "icebergCompaction")]
    Compaction,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SnapshotManagement, Self::UnreferencedFileRemoval, Self::Compaction];

    /// Its name, as in policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::SnapshotManagement => "icebergSnapshotManagement",
            Self::UnreferencedFileRemoval => "icebergUnreferencedFileRemoval",
            Self::Compaction => "icebergCompaction",
        }
    }
}

/// Who wanted a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A policy.
    Policy,
    /// A request.
    Request,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// At work.
    Running,
    /// Done.
    Completed,
    /// Ended early, as its error tells.
    Failed,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Of an expiry.
    Snapshots(Expired),
    /// Of a removal of unreferenced files.
    Unreferenced(Unreferenced),
    /// Of a compaction.
    Compaction(Compacted),
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// What it does.
    pub job: Job,
    /// The table's name when it began.
    pub table: TableName,
    /// The table.
    pub table_uuid: Uuid,
    /// Whether it only tells what it would do.
    pub dry_run: bool,
    /// Who wanted it.
    pub cause: Cause,
    /// Where it is.
    pub stage: Stage,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
    /// Files removed or replaced so far.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why it ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// A table's name as JSON has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableName {
    /// The warehouse.
    pub warehouse: String,
    /// The levels of the namespace.
    pub namespace: Vec<String>,
    /// The name.
    pub name: String,
}

/// How far a run is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    files: AtomicU64,
    bytes: AtomicU64,
}

/// All runs.
#[derive(Default)]
pub(crate) struct Runs {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    active: BTreeMap<Uuid, (Run, Arc<Progress>)>,
    ended: VecDeque<Run>,
    /// When a type of maintenance last began for a table, in milliseconds since 1970.
    began: HashMap<(Uuid, Job), i64>,
}

/// A run under way. Dropped without an end it counts as failed: its task was stopped or panicked.
pub(crate) struct Ticket {
    runs: Arc<Runs>,
    pub(crate) id: Uuid,
    pub(crate) progress: Arc<Progress>,
}

impl Progress {
    pub(crate) fn add(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl TableName {
    fn of(ident: &TableIdent) -> Self {
        Self {
            warehouse: ident.warehouse.to_string(),
            namespace: ident.namespace.levels().to_vec(),
            name: ident.name.to_string(),
        }
    }
}

impl Runs {
    /// Begins a run; the id of the one that is at work on the table when there is one.
    pub(crate) fn begin(
        self: &Arc<Self>,
        job: Job,
        (ident, table_uuid): (&TableIdent, Uuid),
        mode: Mode,
        cause: Cause,
        now_ms: i64,
    ) -> Result<Ticket, Uuid> {
        let mut state = self.lock();
        if let Some((running, _)) = state.active.values().find(|(run, _)| run.table_uuid == table_uuid) {
            return Err(running.id);
        }
        let (id, progress) = (Uuid::now_v7(), Arc::new(Progress::default()));
        let dry_run = mode == Mode::DryRun;
        let run = Run {
            id,
            job,
            table: TableName::of(ident),
            table_uuid,
            dry_run,
            cause,
            stage: Stage::Running,
            started_ms: now_ms,
            ended_ms: None,
            files: 0,
            bytes: 0,
            error: None,
            outcome: None,
        };
        state.active.insert(id, (run, progress.clone()));
        if !dry_run {
            state.began.insert((table_uuid, job), now_ms);
        }
        Ok(Ticket { runs: self.clone(), id, progress })
    }

    /// When a type of maintenance last began for a table since the start of the server.
    pub(crate) fn began(&self, table: Uuid, job: Job) -> Option<i64> {
        self.lock().began.get(&(table, job)).copied()
    }

    /// Forgets when maintenance of tables began that are gone.
    pub(crate) fn forget(&self, is_gone: impl Fn(Uuid) -> bool) {
        self.lock().began.retain(|(table, _), _| !is_gone(*table));
    }

    /// The run of this id, if it is at work or among the last in memory.
    pub(crate) fn find(&self, id: Uuid) -> Option<Run> {
        let state = self.lock();
        let active = state.active.get(&id).map(current);
        active.or_else(|| state.ended.iter().find(|run| run.id == id).cloned())
    }

    /// Runs at work.
    pub(crate) fn active(&self) -> Vec<Run> {
        self.lock().active.values().map(current).collect()
    }

    /// A panic elsewhere cannot leave the maps half changed in a way that matters.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, id: Uuid, now_ms: i64, ended: Result<Outcome, String>) -> Option<Run> {
        let mut state = self.lock();
        let (mut run, progress) = state.active.remove(&id)?;
        run = current(&(run, progress));
        run.ended_ms = Some(now_ms);
        match ended {
            Ok(outcome) => (run.stage, run.outcome) = (Stage::Completed, Some(outcome)),
            Err(error) => (run.stage, run.error) = (Stage::Failed, Some(error)),
        }
        state.ended.push_back(run.clone());
        if state.ended.len() > ENDED_MAX {
            state.ended.pop_front();
        }
        Some(run)
    }
}

fn current((run, progress): &(Run, Arc<Progress>)) -> Run {
    let (files, bytes) = (progress.files.load(Ordering::Relaxed), progress.bytes.load(Ordering::Relaxed));
    Run { files, bytes, ..run.clone() }
}

impl Ticket {
    /// Ends the run; what it came to.
    pub(crate) fn end(self, now_ms: i64, ended: Result<Outcome, String>) -> Option<Run> {
        self.runs.end(self.id, now_ms, ended)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        // After an end there is nothing left to do.
        let _ = self.runs.end(self.id, now_ms, Err("the run was stopped".into()));
    }
}

/// Keeps a run as a document, and of all only the last.
pub(crate) async fn keep(catalog: &Catalog, run: &Run) -> Result<(), CommitError> {
    let nothing_done = run.stage == Stage::Completed && run.files == 0;
    if nothing_done && run.cause == Cause::Policy {
        return Ok(());
    }
    let mut kept = run.clone();
    // Names are for who asked; the log keeps the numbers.
    match &mut kept.outcome {
        Some(Outcome::Snapshots(expired)) => expired.removed.listed.clear(),
        Some(Outcome::Unreferenced(unreferenced)) => {
            unreferenced.removed.listed.clear();
            unreferenced.old_metadata.listed.clear();
        }
        Some(Outcome::Compaction(_)) | None => {}
    }
    let json = serde_json::json!(kept).to_string();
    catalog.put_document(KIND, &run.id.to_string(), &json, Expect::Any).await?;
    let state = catalog.snapshot();
    let surplus = state.documents(KIND, None).count().saturating_sub(KEPT_MAX);
    let oldest: Vec<Arc<str>> = state.documents(KIND, None).take(surplus).map(|(id, _)| id.clone()).collect();
    for id in oldest {
        catalog.delete_document(KIND, &id, Expect::Any).await?;
    }
    Ok(())
}

/// The kept runs, of one table or of all, the newest first.
pub(crate) fn kept(catalog: &Catalog, table: Option<Uuid>) -> Vec<Run> {
    let state = catalog.snapshot();
    let runs =
        state.documents(KIND, None).filter_map(|(_, document)| serde_json::from_str(&document.json).ok());
    let mut runs: Vec<Run> =
        runs.filter(|run: &Run| table.is_none_or(|table| run.table_uuid == table)).collect();
    runs.reverse();
    runs
}
