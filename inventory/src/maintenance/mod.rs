//! Maintenance of one catalog's tables: what the rest of the program calls.

#[cfg(test)]
mod tests;
mod work;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::state::{TableEntry, TableIdent};
use tarn_catalog::{Catalog, WarehouseStores};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::Settings;
use crate::compact::CompactError;
use crate::expire::ExpireError;
use crate::files::Files;
use crate::orphans::OrphanError;
use crate::policy::PolicyError;
use crate::readers::{Held, Readers};
use crate::removal::{Grace, Mode};
use crate::runs::{self, Cause, Job, Run, Runs};

/// How often policies are looked at.
const LOOK: Duration = Duration::from_secs(60);
/// Runs asked for that may be at work.
const ASKED_MAX: usize = 16;

/// Maintains tables. Cheap to clone.
#[derive(Clone)]
pub struct Maintenance {
    inner: Arc<Inner>,
}

struct Inner {
    catalog: Catalog,
    files: Arc<Files>,
    settings: Settings,
    readers: Arc<dyn Readers>,
    runs: Arc<Runs>,
    /// Runs and the schedule; they stop with the server, and what they left a later run finds.
    tasks: Mutex<JoinSet<()>>,
    /// The runs that were asked for and have not ended.
    asked: Mutex<HashMap<Uuid, AbortHandle>>,
}

/// A run was not stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// It has ended, or there is none.
    #[error("run {0} is not at work")]
    NotAtWork(Uuid),
    /// A policy began it: it is one of several that follow each other.
    #[error("run {0} is one of a policy; take the policy away to end such runs")]
    OfPolicy(Uuid),
}

/// A run was not begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// There is no such table.
    #[error("table '{0}' does not exist")]
    NoSuchTable(TableIdent),
    /// One is at work on the table.
    #[error("run {0} is at work on this table")]
    Running(Uuid),
    /// So many are at work.
    #[error("{ASKED_MAX} runs are at work")]
    TooMany,
    /// The table's policy cannot be read.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// A run that ended early.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Expire(#[from] ExpireError),
    #[error(transparent)]
    Orphans(#[from] OrphanError),
    #[error(transparent)]
    Compact(#[from] CompactError),
}

impl Maintenance {
    /// Maintains the tables of `catalog`, whose files lie in `stores`. What was promised to `readers` stays.
    pub fn new(
        catalog: Catalog,
        stores: Arc<dyn WarehouseStores>,
        settings: Settings,
        readers: Arc<dyn Readers>,
    ) -> Self {
        let files = Arc::new(Files::new(stores, &settings));
        Self {
            inner: Arc::new(Inner {
                catalog,
                files,
                settings,
                readers,
                runs: Arc::default(),
                tasks: Mutex::default(),
                asked: Mutex::default(),
            }),
        }
    }

    /// Does what policies ask for, until [`Maintenance::close`].
    pub fn start_schedule(&self) {
        let inner = self.inner.clone();
        self.spawn(async move {
            let mut ticks = interval(LOOK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first is at once; a server that has just started has better things to do.
            ticks.tick().await;
            loop {
                ticks.tick().await;
                inner.run_due(now_ms()).await;
            }
        });
    }

    /// Stops the schedule and all runs.
    pub async fn close(&self) {
        let mut tasks = {
            let mut tasks = self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        tasks.shutdown().await;
    }

    /// Begins a run as the table's policy has it, whether that enables it or not.
    pub fn begin(&self, ident: &TableIdent, job: Job, mode: Mode, grace: Grace) -> Result<Run, BeginError> {
        if self.inner.runs.active().len() >= ASKED_MAX {
            return Err(BeginError::TooMany);
        }
        let (ticket, policy) = self.inner.begin(ident, job, mode, Cause::Request)?;
        let run = self.find(ticket.id).ok_or(BeginError::Running(ticket.id))?;
        let (inner, ident) = (self.inner.clone(), ident.clone());
        let task = self.spawn(async move { inner.work(ticket, &ident, job, (mode, grace), &policy).await });
        let mut asked = self.asked();
        asked.retain(|_, task| !task.is_finished());
        asked.insert(run.id, task);
        Ok(run)
    }

    /// Stops a run that was asked for. What it left, a later run finds.
    pub fn stop(&self, id: Uuid) -> Result<(), StopError> {
        let is_at_work = self.inner.runs.active().iter().any(|run| run.id == id);
        match self.asked().remove(&id) {
            Some(task) if is_at_work => task.abort(),
            None if is_at_work => return Err(StopError::OfPolicy(id)),
            Some(_) | None => return Err(StopError::NotAtWork(id)),
        }
        Ok(())
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<Uuid, AbortHandle>> {
        self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run of this id, if it is at work or among the last.
    pub fn find(&self, id: Uuid) -> Option<Run> {
        let kept = || runs::kept(&self.inner.catalog, None).into_iter().find(|run| run.id == id);
        self.inner.runs.find(id).or_else(kept)
    }

    /// Whether readers were promised files of a table with this metadata that it does not name any more: then its
    /// unreferenced files stay.
    pub fn has_promised_more(
        &self,
        ident: &TableIdent,
        entry: &TableEntry,
        metadata: &TableMetadata,
        now_ms: i64,
    ) -> bool {
        let promised = self.inner.readers.promised(ident, entry, now_ms);
        !Held::new(promised, entry).is_within(metadata)
    }

    /// The runs at work and those kept, of one table or of all, the newest first.
    pub fn runs(&self, table: Option<Uuid>) -> Vec<Run> {
        let mut found = self.inner.runs.active();
        found.retain(|run| table.is_none_or(|table| run.table_uuid == table));
        found.reverse();
        found.extend(runs::kept(&self.inner.catalog, table));
        found
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut tasks = self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work)
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
