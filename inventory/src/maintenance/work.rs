//! What a run does: one job on one table.

use std::error::Error;
use std::sync::Arc;

use tarn_catalog::state::TableIdent;
use uuid::Uuid;

use super::{BeginError, Inner, RunError, now_ms};
use crate::compact::{Compact, Compacted};
use crate::expire::{Expire, ExpireError, Expired, Retention};
use crate::orphans::{Age, OrphanError, Orphans, Unreferenced};
use crate::policy::{self, Policy, Status};
use crate::readers::{NoReaders, Readers};
use crate::removal::{Grace, Mode};
use crate::runs::{self, Cause, Job, Outcome, Progress, Run, Stage, Ticket};

impl Inner {
    pub(super) fn begin(
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
    pub(super) async fn run_due(&self, now_ms: i64) {
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

    pub(super) async fn work(
        &self,
        ticket: Ticket,
        ident: &TableIdent,
        job: Job,
        how: (Mode, Grace),
        policy: &Policy,
    ) {
        let outcome = self.run(&ticket.progress, ident, job, how, policy).await;
        let ended = outcome.map_err(|error| chain(&error));
        let Some(run) = ticket.end(now_ms(), ended) else { return };
        let label = count(&run);
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
                let expired = self.expire(progress, ident, &retention, (mode, grace)).await?;
                Ok(Outcome::Snapshots(expired))
            }
            Job::UnreferencedFileRemoval => {
                let age = match grace {
                    Grace::Kept => policy.age(),
                    Grace::Waived => Age::waived(),
                };
                let removed = self.remove_unreferenced(progress, ident, age, (mode, grace)).await?;
                Ok(Outcome::Unreferenced(removed))
            }
            Job::Compaction => {
                let Self { catalog, files, .. } = self;
                let pace = policy.pace();
                let files = &Arc::new(files.paced(pace));
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
        (mode, grace): (Mode, Grace),
    ) -> Result<Expired, ExpireError> {
        let Self { catalog, files, settings, .. } = self;
        let readers = self.readers(grace);
        let expire = Expire { catalog, files, settings, readers, mode, progress };
        expire.run(ident, retention, now_ms()).await
    }

    fn readers(&self, grace: Grace) -> &dyn Readers {
        match grace {
            Grace::Kept => &*self.readers,
            Grace::Waived => &NoReaders,
        }
    }

    async fn remove_unreferenced(
        &self,
        progress: &Progress,
        ident: &TableIdent,
        age: Age,
        (mode, grace): (Mode, Grace),
    ) -> Result<Unreferenced, OrphanError> {
        let Self { catalog, files, settings, .. } = self;
        let orphans = Orphans { catalog, files, settings, readers: self.readers(grace), mode, progress };
        let mut outcome = orphans.run(ident, age, now_ms()).await?;
        outcome.old_metadata = orphans.old_metadata(ident, now_ms()).await?;
        Ok(outcome)
    }
}

/// Whether a policy asks for a run now.
pub(super) fn is_due(policy: &Policy, job: Job, last_ms: Option<i64>, now_ms: i64) -> bool {
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

/// Counts a run that ended; how it ended.
fn count(run: &Run) -> &'static str {
    let label = if run.stage == Stage::Failed { "failed" } else { "completed" };
    let job = run.job.name();
    metrics::counter!("tarn_maintenance_runs_total", "job" => job, "outcome" => label).increment(1);
    if run.dry_run {
        return label;
    }
    metrics::counter!("tarn_maintenance_removed_files_total", "job" => job).increment(run.files);
    metrics::counter!("tarn_maintenance_removed_bytes_total", "job" => job).increment(run.bytes);
    if let Some(Outcome::Compaction(compacted)) = &run.outcome {
        count_compaction(compacted);
    }
    label
}

fn count_compaction(compacted: &Compacted) {
    let Compacted { files_after, bytes_after, rows_dropped, deletes_dropped, groups_overtaken, .. } =
        compacted;
    for (name, count) in [
        ("tarn_maintenance_written_files_total", files_after),
        ("tarn_maintenance_written_bytes_total", bytes_after),
        ("tarn_maintenance_dropped_rows_total", rows_dropped),
        ("tarn_maintenance_dropped_delete_files_total", deletes_dropped),
        ("tarn_maintenance_overtaken_groups_total", groups_overtaken),
    ] {
        metrics::counter!(name).increment(*count);
    }
    let skipped: u64 = compacted.skipped.values().sum();
    metrics::counter!("tarn_maintenance_skipped_files_total").increment(skipped);
}
