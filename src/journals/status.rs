//! How a journal stands, as the admin API tells it.

use serde::Serialize;
use tarn_inventory::jobs::{RunState, Seen};
use tarn_inventory::journal::{Journal, JournalStatus, Reconciled, TableStatus};

/// A journal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) bucket: String,
    /// The access key it is kept in the name of; absent: root's.
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    created_ms: i64,
    /// Rows of the journal go after so many days.
    expiration_days: Option<u32>,
    /// The table of changes.
    journal: Table,
    /// The table of the objects there are; `None`: it is off.
    inventory: Option<Table>,
    /// The last comparison of the two.
    reconcile: Option<Reconcile>,
}

/// How a table stands. Counts are since the server's start.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    table: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
    /// How long the oldest change waits that is not in it.
    lag_seconds: u64,
    waiting_changes: u64,
    rows: Option<u64>,
    rows_written: u64,
    commits: u64,
    errors: u64,
    last_commit_ms: Option<i64>,
    /// Objects that the first scan told so far.
    scanned: u64,
}

/// A comparison.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reconcile {
    /// Its run; `None`: it was another job's.
    run: Option<String>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    at_ms: Option<i64>,
    objects: Option<u64>,
    /// Rows that are not as the bucket is: the sum of the three below.
    drift: Option<u64>,
    missing: Option<u64>,
    extra: Option<u64>,
    different: Option<u64>,
}

impl Status {
    pub(super) fn of((journal, status): &(Journal, JournalStatus), last: Option<&Seen>) -> Self {
        Self {
            bucket: journal.bucket.clone(),
            author: journal.author.key.clone(),
            created_ms: journal.created_ms,
            expiration_days: journal.record_expiration_days,
            journal: Table::of(&status.journal),
            inventory: status.inventory.as_ref().map(Table::of),
            reconcile: Reconcile::of(last, status.reconciled.as_ref()),
        }
    }
}

impl Table {
    fn of(status: &TableStatus) -> Self {
        let TableStatus { warehouse, namespace, table, .. } = status;
        Self {
            table: format!("{warehouse}.{namespace}.{table}"),
            state: status.state.name(),
            error: status.reason.clone(),
            notice: status.notice.clone(),
            lag_seconds: status.lag_seconds,
            waiting_changes: status.waiting_changes,
            rows: status.rows,
            rows_written: status.rows_written,
            commits: status.commits,
            errors: status.errors,
            last_commit_ms: status.last_commit_ms,
            scanned: status.scanned,
        }
    }
}

impl Reconcile {
    /// What was found is told unless a run is at work that has not found it.
    fn of(last: Option<&Seen>, found: Option<&Reconciled>) -> Option<Self> {
        let run = last.map(|seen| &seen.run);
        let is_of_run = |found: &&Reconciled| run.is_none_or(|run| found.at_ms >= run.created_ms);
        let has_found = run.is_none_or(|run| run.state == RunState::Completed);
        let found = found.filter(is_of_run).filter(|_| has_found);
        if run.is_none() && found.is_none() {
            return None;
        }
        Some(Self {
            run: run.map(|run| run.id.to_string()),
            state: run.map_or(RunState::Completed.name(), |run| run.state.name()),
            error: run.and_then(|run| run.last_errors.last()).map(|error| error.message.clone()),
            at_ms: found.map(|found| found.at_ms),
            objects: found.map(|found| found.objects),
            drift: found.map(|found| found.missing + found.extra + found.different),
            missing: found.map(|found| found.missing),
            extra: found.map(|found| found.extra),
            different: found.map(|found| found.different),
        })
    }
}
