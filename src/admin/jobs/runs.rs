//! Runs of jobs.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tarn_inventory::jobs::{ChangeError, Seen};
use tarn_openapi::access::Action;
use uuid::Uuid;

use super::super::access::Caller;
use super::super::error::{ErrorBody, Failure};
use super::super::params::{Path, Query};
use super::others;
use super::shown::{RunAnswer, RunRow};
use crate::server::{Program, Shared};

/// What runs to tell.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunsQuery {
    /// Only of this job.
    job: Option<String>,
    /// Only of this kind of work.
    kind: Option<String>,
    /// Only in this state.
    state: Option<String>,
    /// How many at most, the newest first; 1 to 10000.
    #[serde(default = "runs_max")]
    limit: usize,
}

/// Runs, the newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RunRows {
    runs: Vec<RunRow>,
}

/// Runs of an answer.
const RUNS_MAX: usize = 10_000;

fn runs_max() -> usize {
    1000
}

/// Tells the runs of jobs, of the maintenance of tables, and of healing: those that have not ended and the last ones.
#[utoipa::path(get, path = "/_admin/v1/jobs/runs", tag = "Jobs", params(RunsQuery), responses(
    (status = 200, description = "Runs, the newest first", body = RunRows),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(crate) async fn list(
    caller: Caller,
    State(program): Shared,
    Query(query): Query<RunsQuery>,
) -> Result<Json<RunRows>, Failure> {
    caller.may(Action::InventoryListJobs)?;
    if !(1..=RUNS_MAX).contains(&query.limit) {
        return Err(Failure::Invalid(format!("limit is 1 to {RUNS_MAX}")));
    }
    let jobs = program.jobs.runs(query.job.as_deref());
    let mut runs: Vec<RunRow> = jobs.iter().map(RunRow::of).collect();
    runs.extend(others::rows(&caller, &program));
    runs.retain(|run| {
        query.job.as_ref().is_none_or(|job| run.job == *job)
            && query.kind.as_ref().is_none_or(|kind| run.kind == *kind)
            && query.state.as_ref().is_none_or(|state| run.state == *state)
    });
    runs.sort_by_key(|run| std::cmp::Reverse(run.created_ms));
    runs.truncate(query.limit);
    Ok(Json(RunRows { runs }))
}

/// Tells a run.
#[utoipa::path(get, path = "/_admin/v1/jobs/runs/{id}", tag = "Jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "The run", body = RunAnswer),
    (status = 404, description = "There is no such run any more", body = ErrorBody),
))]
pub(crate) async fn show(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
) -> Result<Json<RunAnswer>, Failure> {
    caller.may(Action::InventoryGetJob)?;
    let found = match Uuid::parse_str(&id) {
        Ok(id) => of_id(&caller, &program, id),
        Err(_) => {
            let rows = others::rows(&caller, &program);
            rows.into_iter().find(|row| row.id == id).map(|row| RunAnswer::other(row, None))
        }
    };
    found.map(Json).ok_or_else(|| missing(&id))
}

fn of_id(caller: &Caller, program: &Program, id: Uuid) -> Option<RunAnswer> {
    if let Some(seen) = program.jobs.find(id) {
        return Some(RunAnswer::of(&seen));
    }
    let run = program.maintenance.find(id).filter(|run| others::may_see(caller, run))?;
    let outcome = run.outcome.as_ref().map(|outcome| serde_json::json!(outcome));
    Some(RunAnswer::other(others::maintenance(&run), outcome))
}

/// Tells what a run that ended came to.
#[utoipa::path(get, path = "/_admin/v1/jobs/runs/{id}/report", tag = "Jobs", params(("id" = String, Path)),
    responses(
    (status = 200, description = "Counts, times, errors and what the work came to", body = RunAnswer),
    (status = 404, description = "There is no such run any more", body = ErrorBody),
    (status = 409, description = "It has not ended", body = ErrorBody),
))]
pub(crate) async fn report(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
) -> Result<Json<RunAnswer>, Failure> {
    caller.may(Action::InventoryGetJob)?;
    let seen = of_job(&program, &id)?;
    if !seen.run.state.is_ended() {
        return Err(Failure::Conflict(format!("run {id} is {}", seen.run.state.name())));
    }
    Ok(Json(RunAnswer::of(&seen)))
}

/// Suspends a run: it stops where it next may, and stays so until it is resumed.
#[utoipa::path(post, path = "/_admin/v1/jobs/runs/{id}/suspend", tag = "Jobs", params(("id" = String, Path)),
    responses(
    (status = 200, description = "It is suspended", body = RunRow),
    (status = 404, description = "There is no such run any more", body = ErrorBody),
    (status = 409, description = "Not where it is", body = ErrorBody),
))]
pub(crate) async fn suspend(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
) -> Result<Json<RunRow>, Failure> {
    caller.may(Action::InventoryCancelJob)?;
    changed(program.jobs.suspend(to_change(&caller, &program, &id)?).await)
}

/// Lets a suspended run go on from its last checkpoint.
#[utoipa::path(post, path = "/_admin/v1/jobs/runs/{id}/resume", tag = "Jobs", params(("id" = String, Path)),
    responses(
    (status = 200, description = "It goes on", body = RunRow),
    (status = 404, description = "There is no such run any more", body = ErrorBody),
    (status = 409, description = "It is not suspended", body = ErrorBody),
))]
pub(crate) async fn resume(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
) -> Result<Json<RunRow>, Failure> {
    caller.may(Action::InventoryStartJob)?;
    changed(program.jobs.resume(to_change(&caller, &program, &id)?).await)
}

/// Cancels a run: it stops where it next may, and what it left is taken away. A run of maintenance that was asked for is
/// stopped, by who may also change the maintenance of its table.
#[utoipa::path(post, path = "/_admin/v1/jobs/runs/{id}/cancel", tag = "Jobs", params(("id" = String, Path)),
    responses(
    (status = 200, description = "It is canceled, or about to be", body = RunRow),
    (status = 404, description = "There is no such run any more", body = ErrorBody),
    (status = 409, description = "It has ended", body = ErrorBody),
))]
pub(crate) async fn cancel(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
) -> Result<Json<RunRow>, Failure> {
    caller.may(Action::InventoryCancelJob)?;
    if let Some(stopped) = others::stop(&caller, &program, &id)? {
        return Ok(Json(stopped));
    }
    changed(program.jobs.cancel(to_change(&caller, &program, &id)?).await)
}

fn changed(seen: Result<Seen, ChangeError>) -> Result<Json<RunRow>, Failure> {
    Ok(Json(RunRow::of(&seen?)))
}

/// The run of a job that is to be changed; of other runs why they are not.
fn to_change(caller: &Caller, program: &Program, id: &str) -> Result<Uuid, Failure> {
    match of_job(program, id) {
        Ok(seen) => Ok(seen.run.id),
        Err(missing) => Err(others::refused(caller, program, id).unwrap_or(missing)),
    }
}

/// A run of a job. Others are told and not changed here.
pub(super) fn of_job(program: &Program, id: &str) -> Result<Seen, Failure> {
    let found = Uuid::parse_str(id).ok().and_then(|id| program.jobs.find(id));
    found.ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Failure {
    Failure::Missing(format!("there is no run {id} of a job"))
}
