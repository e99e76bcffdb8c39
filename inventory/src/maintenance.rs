//! Maintenance of one catalog's tables: what the rest of the program calls.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tarn_catalog::state::TableIdent;
use tarn_catalog::{Catalog, WarehouseStores};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::Settings;
use crate::compact::{Compact, CompactError};
use crate::expire::{Expire, ExpireError, Expired, Retention};
use crate::files::Files;
use crate::orphans::{Age, OrphanError, Orphans, Unreferenced};
use crate::policy::{self, Policy, PolicyError, Status};
use crate::removal::{Grace, Mode};
use crate::runs::{self, Cause, Job, Outcome, Progress, Run, Runs, Stage, Ticket};

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
    runs: Arc<Runs>,
    /// Runs and the schedule; they stop with the server, and what they left a later run finds.
    tasks: Mutex<JoinSet<()>>,
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
    /// Maintains the tables of `catalog`, whose files lie in `stores`.
    pub fn new(catalog: Catalog, stores: Arc<dyn WarehouseStores>, settings: Settings) -> Self {
        let files = Arc::new(Files::new(stores, &settings));
        Self {
            inner: Arc::new(Inner {
                catalog,
                files,
                settings,
                runs: Arc::default(),
                tasks: Mutex::default(),
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
        self.spawn(async move { inner.work(ticket, &ident, job, (mode, grace), &policy).await });
        Ok(run)
    }

    /// The run of this id, if it is at work or among the last.
    pub fn find(&self, id: Uuid) -> Option<Run> {
        let kept = || runs::kept(&self.inner.catalog, None).into_iter().find(|run| run.id == id);
        self.inner.runs.find(id).or_else(kept)
    }

    /// The runs at work and those kept, of one table or of all, the newest first.
    pub fn runs(&self, table: Option<Uuid>) -> Vec<Run> {
        let mut found = self.inner.runs.active();
        found.retain(|run| table.is_none_or(|table| run.table_uuid == table));
        found.reverse();
        found.extend(runs::kept(&self.inner.catalog, table));
        found
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }
}

impl Inner {
    fn begin(
        &self,
        ident: &TableIdent,
        job: Job,
        mode: Mode,
        cause: Cause,
    ) -> Result<(Ticket, Policy), BeginError> {
        let state = self.catalog.snapshot();
        let entry = state.table(ident).ok_or_else(|| BeginError::NoSuchTable(ident.clone()))?;
        let policy = policy::of_table(&state, ident)?;
        let begun = self.runs.begin(job, (ident, entry.uuid), mode, cause, now_ms());
        Ok((begun.map_err(BeginError::Running)?, policy))
    }

    /// One after the other, what is due for all tables.
    async fn run_due(&self, now_ms: i64) {
        let state = self.catalog.snapshot();
        if state.documents(policy::KIND, None).next().is_none() {
            return;
        }
        let tables: std::collections::HashSet<Uuid> =
            state.all_tables().map(|(_, entry)| entry.uuid).collect();
        self.runs.forget(|table| !tables.contains(&table));
        for (ident, entry) in state.all_tables() {
            let policy = match policy::of_table(&state, &ident) {
                Ok(policy) => policy,
                Err(error) => {
                    tracing::warn!(table.id = %entry.uuid, %error, "a maintenance policy is not usable");
                    continue;
                }
            };
            for job in Job::ALL {
                let last = self.runs.began(entry.uuid, job);
                if !is_due(&policy, job, last, now_ms) {
                    continue;
                }
                // A table dropped meanwhile, or one that somebody else maintains, has its turn later or none.
                if let Ok((ticket, policy)) = self.begin(&ident, job, Mode::Apply, Cause::Policy) {
                    self.work(ticket, &ident, job, (Mode::Apply, Grace::Kept), &policy).await;
                }
            }
        }
    }

    async fn work(&self, ticket: Ticket, ident: &TableIdent, job: Job, how: (Mode, Grace), policy: &Policy) {
        let outcome = self.run(&ticket.progress, ident, job, how, policy).await;
        let ended = outcome.map_err(|error| chain(&error));
        let Some(run) = ticket.end(now_ms(), ended) else { return };
        let failed = run.stage == Stage::Failed;
        let label = if failed { "failed" } else { "completed" };
        metrics::counter!("tarn_maintenance_runs_total", "job" => job.name(), "outcome" => label)
            .increment(1);
        if !run.dry_run {
            metrics::counter!("tarn_maintenance_removed_files_total", "job" => job.name())
                .increment(run.files);
            metrics::counter!("tarn_maintenance_removed_bytes_total", "job" => job.name())
                .increment(run.bytes);
        }
        let (error, took_ms) = (run.error.as_deref(), run.ended_ms.unwrap_or(0) - run.started_ms);
        let (table, files, size_bytes) = (run.table_uuid, run.files, run.bytes);
        let job = job.name();
        tracing::info!(table.id = %table, job, label, files, size_bytes, took_ms, error, "maintained a table");
        if let Err(error) = runs::keep(&self.catalog, &run).await {
            tracing::warn!(run.id = %run.id, %error, "a maintenance run could not be written down");
        }
    }

    async fn run(
        &self,
        progress: &Progress,
        ident: &TableIdent,
        job: Job,
        (mode, grace): (Mode, Grace),
        policy: &Policy,
    ) -> Result<Outcome, RunError> {
        match job {
            Job::SnapshotManagement => {
                let retention = match grace {
                    Grace::Kept => policy.retention(),
                    Grace::Waived => Retention { readers_ms: 0, ..policy.retention() },
                };
                let expired = self.expire(progress, ident, &retention, mode).await?;
                Ok(Outcome::Snapshots(expired))
            }
            Job::UnreferencedFileRemoval => {
                let age = match grace {
                    Grace::Kept => policy.age(),
                    Grace::Waived => Age::waived(),
                };
                let removed = self.remove_unreferenced(progress, ident, age, mode).await?;
                Ok(Outcome::Unreferenced(removed))
            }
            Job::Compaction => {
                let Self { catalog, files, .. } = self;
                let compact = Compact { catalog, files, mode, progress };
                Ok(Outcome::Compaction(compact.run(ident, policy.target()).await?))
            }
        }
    }

    async fn expire(
        &self,
        progress: &Progress,
        ident: &TableIdent,
        retention: &Retention,
        mode: Mode,
    ) -> Result<Expired, ExpireError> {
        let Self { catalog, files, settings, .. } = self;
        Expire { catalog, files, settings, mode, progress }.run(ident, retention, now_ms()).await
    }

    async fn remove_unreferenced(
        &self,
        progress: &Progress,
        ident: &TableIdent,
        age: Age,
        mode: Mode,
    ) -> Result<Unreferenced, OrphanError> {
        let Self { catalog, files, settings, .. } = self;
        let orphans = Orphans { catalog, files, settings, mode, progress };
        let mut outcome = orphans.run(ident, age, now_ms()).await?;
        outcome.old_metadata = orphans.old_metadata(ident, now_ms()).await?;
        Ok(outcome)
    }
}

/// Whether a policy asks for a run now.
fn is_due(policy: &Policy, job: Job, last_ms: Option<i64>, now_ms: i64) -> bool {
    let rule = match job {
        Job::SnapshotManagement => policy.snapshots.as_ref().map(|rule| (rule.status, rule.interval_hours)),
        Job::UnreferencedFileRemoval => {
            policy.unreferenced.as_ref().map(|rule| (rule.status, rule.interval_hours))
        }
        Job::Compaction => policy.compaction.as_ref().map(|rule| (rule.status, rule.interval_hours)),
    };
    let Some((Some(Status::Enabled), interval_hours)) = rule else { return false };
    let interval_ms = i64::from(interval_hours.unwrap_or(24)) * 60 * 60 * 1000;
    last_ms.is_none_or(|last_ms| now_ms.saturating_sub(last_ms) >= interval_ms)
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// An error with what caused it, for a report.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::Scope;
    use crate::testing::{Step, World, ident};

    const HOUR_MS: i64 = 60 * 60 * 1000;

    #[test]
    fn only_what_is_enabled_is_due_and_only_after_its_interval() {
        let json = json!({"icebergSnapshotManagement": {"status": "enabled", "intervalHours": 2}});
        let policy: Policy = serde_json::from_value::<Policy>(json).unwrap().over(Policy::defaults());
        let due = |job, last_ms, now_ms| is_due(&policy, job, last_ms, now_ms);
        assert!(due(Job::SnapshotManagement, None, 0));
        assert!(!due(Job::SnapshotManagement, Some(0), 2 * HOUR_MS - 1));
        assert!(due(Job::SnapshotManagement, Some(0), 2 * HOUR_MS));
        assert!(!due(Job::UnreferencedFileRemoval, None, i64::MAX));
    }

    async fn old_table(world: &World) -> Maintenance {
        world.create("t", None).await;
        let now = now_ms();
        for (id, days) in [(1, 10), (2, 9)] {
            let at_ms = now - days * 24 * HOUR_MS;
            world
                .step(
                    "t",
                    &Step { id, at_ms, branch: "main", adds: &[["a"], ["b"]][id as usize - 1], drops: &[] },
                )
                .await;
        }
        Maintenance::new(world.catalog.clone(), world.stores.clone(), World::quick())
    }

    #[tokio::test]
    async fn a_policy_runs_by_itself_and_leaves_a_record() {
        let world = World::new(World::quick()).await;
        let maintenance = old_table(&world).await;
        maintenance.inner.run_due(now_ms()).await;
        assert!(maintenance.runs(None).is_empty(), "nothing is enabled");
        let json = json!({"icebergSnapshotManagement": {"status": "enabled"}});
        let policy = serde_json::from_value(json).unwrap();
        policy::put(&world.catalog, &Scope::Server, &policy).await.unwrap();
        maintenance.inner.run_due(now_ms()).await;
        maintenance.inner.run_due(now_ms()).await;
        let runs = maintenance.runs(None);
        assert_eq!(runs.len(), 1);
        assert_eq!((runs[0].stage, runs[0].cause, runs[0].files), (Stage::Completed, Cause::Policy, 1));
        assert_eq!(world.metadata("t").await.snapshots().len(), 1);
    }

    #[tokio::test]
    async fn a_dry_run_that_is_asked_for_names_what_would_go() {
        let world = World::new(World::quick()).await;
        let maintenance = old_table(&world).await;
        let begun =
            maintenance.begin(&ident("t"), Job::SnapshotManagement, Mode::DryRun, Grace::Kept).unwrap();
        assert_eq!(begun.stage, Stage::Running);
        let mut tasks = std::mem::take(&mut *maintenance.inner.tasks.lock().unwrap());
        tasks.join_next().await.unwrap().unwrap();
        let run = maintenance.find(begun.id).unwrap();
        let Some(Outcome::Snapshots(expired)) = &run.outcome else { panic!("{run:?}") };
        assert_eq!((expired.snapshots, expired.removed.manifest_lists), (1, 1));
        assert!(expired.removed.listed[0].ends_with("/metadata/snap-1.avro"));
        assert_eq!(world.metadata("t").await.snapshots().len(), 2);
        let error = maintenance
            .begin(&ident("nowhere"), Job::SnapshotManagement, Mode::Apply, Grace::Kept)
            .unwrap_err();
        assert!(matches!(error, BeginError::NoSuchTable(_)));
    }
}
