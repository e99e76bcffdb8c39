//! Definitions and runs as they are answered.

use serde::Serialize;
use serde_json::Value;
use tarn_inventory::jobs::{Counts, Definition, Jobs, Priority, Run, RunError, Schedule, Seen, Wanted};

/// A job.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Job {
    name: String,
    /// The kind of work.
    kind: String,
    /// `once`, `hourly`, `daily`, `weekly`, `monthly`, `yearly`, or `{"cron": "0 4 * * MON"}`, in UTC.
    #[schema(value_type = Object)]
    schedule: Schedule,
    /// Whether the schedule holds.
    enabled: bool,
    /// `low`, `normal` or `high`.
    #[schema(value_type = String)]
    priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    items_per_second_max: Option<u64>,
    /// The access key whose rights it has; absent of root.
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    created_ms: i64,
    changed_ms: i64,
    /// When it is due next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_ms: Option<i64>,
    /// What it does, in full form and without secrets.
    #[schema(value_type = Object)]
    spec: Value,
    /// Its last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<RunRow>,
}

/// A run.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub(crate) struct RunRow {
    pub(super) id: String,
    /// The job; of maintenance the table, of healing the set.
    pub(super) job: String,
    /// The kind of work, such as `inventory`; `maintenance`, `scrub` and `heal` are told only.
    pub(super) kind: String,
    /// `pending`, `running`, `suspended`, `canceling`, `failing`, `completed`, `canceled` or `failed`.
    pub(super) state: &'static str,
    /// Who wanted it: `schedule` or `request`.
    pub(super) wanted: &'static str,
    /// Times in milliseconds since 1970.
    pub(super) created_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) started_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_ms: Option<i64>,
    pub(super) updated_ms: i64,
    /// How often its work began.
    pub(super) starts: u32,
    /// Attempts that ended in an error.
    pub(super) errors: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_error: Option<String>,
    /// Items scanned, matched, written and failed, bytes and files written, and about how many items there are.
    #[schema(value_type = Object)]
    pub(super) counts: Counts,
    /// Items per second over the last ten seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) items_per_second: Option<f64>,
    /// How long it will still take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining_seconds: Option<f64>,
}

/// A run, with what it does and what became of it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RunAnswer {
    #[serde(flatten)]
    row: RunRow,
    /// What it does, as its job was when it began; without secrets.
    #[schema(value_type = Object)]
    spec: Value,
    /// The last errors, the newest last.
    #[schema(value_type = Vec<Object>)]
    last_errors: Vec<RunError>,
    /// What its work came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    outcome: Option<Value>,
}

impl Job {
    pub(super) fn of(definition: Definition, jobs: &Jobs, last_run: Option<&Seen>) -> Self {
        let next_ms = jobs.next_ms(&definition);
        let Definition { name, kind, spec, schedule, enabled, author, priority, .. } = definition;
        let Definition { items_per_second_max, created_ms, changed_ms, .. } = definition;
        Self {
            name,
            kind,
            schedule,
            enabled,
            priority,
            items_per_second_max,
            author: author.key,
            created_ms,
            changed_ms,
            next_ms,
            spec,
            last_run: last_run.map(RunRow::of),
        }
    }
}

impl RunRow {
    pub(super) fn of(seen: &Seen) -> Self {
        let Seen { run, items_per_second, remaining_seconds } = seen;
        Self {
            id: run.id.to_string(),
            job: run.definition.name.clone(),
            kind: run.definition.kind.clone(),
            state: run.state.name(),
            wanted: match run.wanted {
                Wanted::Schedule => "schedule",
                Wanted::Request => "request",
            },
            created_ms: run.created_ms,
            started_ms: run.started_ms,
            ended_ms: run.ended_ms,
            updated_ms: run.updated_ms,
            starts: run.starts,
            errors: run.errors,
            last_error: run.last_errors.last().map(|error| error.message.clone()),
            counts: run.counts,
            items_per_second: *items_per_second,
            remaining_seconds: *remaining_seconds,
        }
    }
}

impl RunAnswer {
    pub(super) fn of(seen: &Seen) -> Self {
        let Run { definition, last_errors, outcome, .. } = &seen.run;
        Self {
            row: RunRow::of(seen),
            spec: definition.spec.clone(),
            last_errors: last_errors.clone(),
            outcome: outcome.clone(),
        }
    }

    /// Of a run that is told of by its row, and by what else is known of it.
    pub(super) fn other(row: RunRow, outcome: Option<Value>) -> Self {
        Self { row, spec: Value::Null, last_errors: Vec::new(), outcome }
    }
}
