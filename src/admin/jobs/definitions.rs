//! Definitions of jobs.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tarn_inventory::jobs::{NewDefinition, Priority, Put, Schedule, Seen};
use tarn_openapi::access::Action;

use super::super::access::Caller;
use super::super::error::{ErrorBody, Failure};
use super::super::params::{Body, Path, Query};
use super::shown::{Job, RunRow};
use crate::server::Shared;

/// All jobs.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct JobList {
    jobs: Vec<Job>,
}

/// A job to put.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutJob {
    /// The kind of work.
    kind: String,
    /// What that kind does.
    #[schema(value_type = Object)]
    spec: Value,
    /// `once`, `hourly`, `daily`, `weekly`, `monthly`, `yearly`, or `{"cron": "0 4 * * MON"}`, in UTC.
    #[serde(default = "once")]
    #[schema(value_type = Object)]
    schedule: Schedule,
    /// Whether the schedule holds.
    #[serde(default = "yes")]
    enabled: bool,
    /// `low`, `normal` or `high`.
    #[serde(default)]
    #[schema(value_type = String)]
    priority: Priority,
    /// Items it looks at per second at most.
    #[serde(default)]
    items_per_second_max: Option<u64>,
}

/// What may be there.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutQuery {
    /// `create`: nothing; `replace`: a job of this name. Absent: either.
    #[serde(default)]
    mode: Option<PutMode>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum PutMode {
    Create,
    Replace,
}

fn once() -> Schedule {
    Schedule::Once
}

fn yes() -> bool {
    true
}

/// Tells the jobs, each with its last run.
#[utoipa::path(get, path = "/_admin/v1/jobs", tag = "Jobs", responses(
    (status = 200, description = "The jobs in order of name", body = JobList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(crate) async fn list(caller: Caller, State(program): Shared) -> Result<Json<JobList>, Failure> {
    caller.may(Action::InventoryListJobs)?;
    let mut last: HashMap<String, Seen> = HashMap::new();
    for seen in program.jobs.runs(None) {
        last.entry(seen.run.definition.name.clone()).or_insert(seen);
    }
    let jobs = program.jobs.list().into_iter().map(|definition| {
        let last_run = last.get(&definition.name);
        Job::of(definition, &program.jobs, last_run)
    });
    Ok(Json(JobList { jobs: jobs.collect() }))
}

/// Tells a job.
#[utoipa::path(get, path = "/_admin/v1/jobs/{name}", tag = "Jobs", params(("name" = String, Path)), responses(
    (status = 200, description = "The job", body = Job),
    (status = 404, description = "There is no such job", body = ErrorBody),
))]
pub(crate) async fn show(
    caller: Caller,
    State(program): Shared,
    Path(name): Path<String>,
) -> Result<Json<Job>, Failure> {
    caller.may(Action::InventoryGetJob)?;
    let missing = || Failure::Missing(format!("there is no job '{name}'"));
    let definition = program.jobs.get(&name).ok_or_else(missing)?;
    let runs = program.jobs.runs(Some(&name));
    Ok(Json(Job::of(definition, &program.jobs, runs.first())))
}

/// Puts a job. A new or changed one runs at once, then as its schedule says, with the rights its author has then: the
/// caller, who must sign with a key of its own and not with a session.
#[utoipa::path(put, path = "/_admin/v1/jobs/{name}", tag = "Jobs",
    params(("name" = String, Path), PutQuery), request_body = PutJob, responses(
    (status = 200, description = "Put", body = Job),
    (status = 400, description = "Something in it is wrong; the message tells where, and what is allowed",
        body = ErrorBody),
    (status = 403, description = "Not allowed, or the caller may not do what the job does", body = ErrorBody),
    (status = 404, description = "There is no such job to replace, or what it names is not there", body = ErrorBody),
    (status = 409, description = "There is such a job, or it was changed meanwhile", body = ErrorBody),
))]
pub(crate) async fn put(
    caller: Caller,
    State(program): Shared,
    Path(name): Path<String>,
    Query(query): Query<PutQuery>,
    Body(body): Body<PutJob>,
) -> Result<Json<Job>, Failure> {
    caller.may(Action::InventoryPutJob)?;
    let refused =
        "a job is made with a key of its own, not with a session: it runs with the rights of its author";
    let author = caller.sharers().author(&caller.principal);
    let author = author.ok_or_else(|| Failure::Refused(refused.into()))?;
    let put = match query.mode {
        Some(PutMode::Create) => Put::Create,
        Some(PutMode::Replace) => Put::Replace,
        None => Put::Any,
    };
    let PutJob { kind, spec, schedule, enabled, priority, items_per_second_max } = body?;
    let new = NewDefinition { name, kind, spec, schedule, enabled, priority, items_per_second_max };
    let made = program.jobs.put(new, put, author).await?;
    tracing::info!(job = made.name, kind = made.kind, "put a job");
    Ok(Json(Job::of(made, &program.jobs, None)))
}

/// Deletes a job and cancels its run. Its other runs are told for a while.
#[utoipa::path(delete, path = "/_admin/v1/jobs/{name}", tag = "Jobs", params(("name" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is no such job", body = ErrorBody),
))]
pub(crate) async fn delete(
    caller: Caller,
    State(program): Shared,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::InventoryDeleteJob)?;
    program.jobs.delete(&name).await?;
    tracing::info!(job = name, "deleted a job");
    Ok(StatusCode::NO_CONTENT)
}

/// Begins a run of a job, whatever its schedule says.
#[utoipa::path(post, path = "/_admin/v1/jobs/{name}/run", tag = "Jobs", params(("name" = String, Path)), responses(
    (status = 202, description = "Begun", body = RunRow),
    (status = 404, description = "There is no such job", body = ErrorBody),
    (status = 409, description = "It has a run that has not ended", body = ErrorBody),
))]
pub(crate) async fn run(
    caller: Caller,
    State(program): Shared,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    caller.may(Action::InventoryStartJob)?;
    let seen = program.jobs.run(&name).await?;
    Ok((StatusCode::ACCEPTED, Json(RunRow::of(&seen))).into_response())
}
