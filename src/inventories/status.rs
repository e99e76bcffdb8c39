//! How an inventory stands, in AIStor's words.

use serde::Serialize;
use tarn_inventory::jobs::{RunState, Schedule, Seen};

use super::Found;

/// AIStor's status of an inventory, and what the job framework knows beside.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    bucket: String,
    id: String,
    user: String,
    access_key: String,
    schedule: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_scheduled_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update: Option<String>,
    scanned_count: u64,
    matched_count: u64,
    records_written: u64,
    output_files_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_time: Option<String>,
    num_starts: u64,
    num_errors: u64,
    /// One process runs a job here: there is no lock to lose.
    num_lock_losses: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_path: Option<String>,
    retry_attempts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_fail_time: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    last_fail_errors: Vec<String>,
    /// Tarn: the run told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// Tarn: bytes written.
    bytes_written: u64,
    /// Tarn: about how many objects there are; 0 when nobody knows.
    expected_count: u64,
    /// Tarn: objects per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects_per_second: Option<f64>,
    /// Tarn: how long it will still take.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_seconds: Option<f64>,
}

impl Status {
    pub(super) fn of(found: &Found, last: Option<&Seen>, next_ms: Option<i64>, root: &str) -> Self {
        let run = last.map(|seen| &seen.run);
        let counts = run.map(|run| run.counts).unwrap_or_default();
        let user = found.definition.author.key.as_deref().unwrap_or(root).to_owned();
        let ended = run.and_then(|run| run.ended_ms);
        let failed = run.and_then(|run| run.last_errors.last());
        let lasted_ms = run.and_then(|run| Some(ended.unwrap_or(run.updated_ms) - run.started_ms?));
        let manifest = run.and_then(|run| run.outcome.as_ref()?["manifest"].as_str().map(str::to_owned));
        Self {
            bucket: found.spec.bucket.clone(),
            id: found.spec.id.clone(),
            access_key: user.clone(),
            user,
            schedule: schedule_name(&found.definition.schedule),
            state: state_name(found, last),
            next_scheduled_time: next_ms.and_then(time),
            start_time: run.and_then(|run| run.started_ms).and_then(time),
            end_time: ended.and_then(time),
            last_update: run.and_then(|run| time(run.updated_ms)),
            scanned_count: counts.scanned,
            matched_count: counts.matched,
            records_written: counts.written,
            output_files_count: counts.files,
            execution_time: lasted_ms.map(|ms| format!("{:.3}s", ms.max(0) as f64 / 1000.0)),
            num_starts: run.map_or(0, |run| run.starts.into()),
            num_errors: run.map_or(0, |run| run.errors.into()),
            num_lock_losses: 0,
            manifest_path: manifest,
            retry_attempts: run.map_or(0, |run| run.errors_in_row.into()),
            last_fail_time: failed.and_then(|error| time(error.at_ms)),
            last_fail_errors: run
                .map(|run| run.last_errors.iter().map(|error| error.message.clone()).collect())
                .unwrap_or_default(),
            run: run.map(|run| run.id.to_string()),
            bytes_written: counts.bytes,
            expected_count: counts.expected,
            objects_per_second: last.and_then(|seen| seen.items_per_second),
            remaining_seconds: last.and_then(|seen| seen.remaining_seconds),
        }
    }
}

/// AIStor's name of where an inventory is.
fn state_name(found: &Found, last: Option<&Seen>) -> &'static str {
    let Some(run) = last.map(|seen| &seen.run) else {
        return if found.definition.enabled { "Pending" } else { "Suspended" };
    };
    let is_changed = found.definition.enabled && run.created_ms < found.definition.changed_ms;
    match run.state {
        // What changed is due at once.
        RunState::Completed | RunState::Canceled | RunState::Failed if is_changed => "Pending",
        RunState::Pending if run.errors_in_row > 0 => "Errored",
        RunState::Pending => "Pending",
        RunState::Running => "Running",
        RunState::Suspended => "Suspended",
        RunState::Canceling | RunState::Canceled => "Canceled",
        RunState::Failing | RunState::Failed => "Failed",
        RunState::Completed if !found.definition.enabled => "Suspended",
        RunState::Completed if found.definition.schedule == Schedule::Once => "Completed",
        RunState::Completed => "Sleeping",
    }
}

fn schedule_name(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Once => "once".into(),
        Schedule::Hourly => "hourly".into(),
        Schedule::Daily => "daily".into(),
        Schedule::Weekly => "weekly".into(),
        Schedule::Monthly => "monthly".into(),
        Schedule::Yearly => "yearly".into(),
        Schedule::Cron(expression) => format!("cron({expression})"),
    }
}

fn time(at_ms: i64) -> Option<String> {
    jiff::Timestamp::from_millisecond(at_ms).ok().map(|at| at.to_string())
}
