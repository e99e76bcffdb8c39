//! Work of other kinds that is told among the runs of jobs: maintenance of tables, scrubs, drives being filled.
//!
//! Not joined: what they write down, and their schedules, are their own. Single repairs of objects are not runs.

use tarn_inventory::jobs::Counts;
use tarn_inventory::{Cause, Run, Stage};
use tarn_openapi::access::{Action, Resource};
use uuid::Uuid;

use super::super::access::Caller;
use super::super::error::Failure;
use super::shown::RunRow;
use crate::server::Program;

/// The runs of other work that the caller may be told of.
pub(super) fn rows(caller: &Caller, program: &Program) -> Vec<RunRow> {
    let mut rows: Vec<RunRow> = Vec::new();
    if caller.may(Action::ServerInfo).is_ok() {
        rows.extend(healing(program));
    }
    let runs = program.maintenance.runs(None);
    rows.extend(runs.iter().filter(|run| may_see(caller, run)).map(maintenance));
    rows
}

pub(super) fn may_see(caller: &Caller, run: &Run) -> bool {
    let table = &run.table;
    let resource = Resource::Table(&table.warehouse, &table.namespace, &table.name);
    caller.may_on(Action::GetTableMaintenanceJobStatus, resource).is_ok()
}

/// Stops a run of maintenance. `None`: it is none.
pub(super) fn stop(caller: &Caller, program: &Program, id: &str) -> Result<Option<RunRow>, Failure> {
    let found = Uuid::parse_str(id).ok().and_then(|id| program.maintenance.find(id));
    let Some(run) = found.filter(|run| may_see(caller, run)) else { return Ok(None) };
    let table = &run.table;
    let resource = Resource::Table(&table.warehouse, &table.namespace, &table.name);
    caller.may_on(Action::PutTableMaintenanceConfiguration, resource)?;
    program.maintenance.stop(run.id).map_err(|error| Failure::Conflict(error.to_string()))?;
    Ok(Some(maintenance(&program.maintenance.find(run.id).unwrap_or(run))))
}

/// Why a run of other work is not suspended, resumed or canceled here. `None`: there is no such run.
pub(super) fn refused(caller: &Caller, program: &Program, id: &str) -> Option<Failure> {
    let row = rows(caller, program).into_iter().find(|row| row.id == id)?;
    let why = match row.kind.as_str() {
        "scrub" => "a scrub finds damage before it is too much to mend: it is told here and never stopped",
        "heal" => "until a drive is filled its set lacks a drive: that is told here and never stopped",
        _ => "maintenance of a table is canceled or ends by itself: it is neither suspended nor resumed",
    };
    Some(Failure::Conflict(format!("run {id} is of kind {}: {why}", row.kind)))
}

pub(super) fn maintenance(run: &Run) -> RunRow {
    let table = &run.table;
    let state = match run.stage {
        Stage::Running => "running",
        Stage::Completed => "completed",
        Stage::Failed => "failed",
    };
    let wanted = match run.cause {
        Cause::Policy => "schedule",
        Cause::Request => "request",
    };
    RunRow {
        id: run.id.to_string(),
        job: format!("{}/{}.{}/{}", table.warehouse, table.namespace.join("."), table.name, run.job.name()),
        kind: "maintenance".into(),
        state,
        wanted,
        created_ms: run.started_ms,
        started_ms: Some(run.started_ms),
        ended_ms: run.ended_ms,
        updated_ms: run.ended_ms.unwrap_or(run.started_ms),
        starts: 1,
        errors: u32::from(run.stage == Stage::Failed),
        last_error: run.error.clone(),
        counts: Counts { files: run.files, bytes: run.bytes, ..Counts::default() },
        items_per_second: None,
        remaining_seconds: None,
    }
}

/// Scrubs under way or ended, and drives being filled.
fn healing(program: &Program) -> Vec<RunRow> {
    let status = program.core.status();
    let row =
        |id: String, kind: &str, state, (started_ms, ended_ms): (Option<i64>, Option<i64>), counts| RunRow {
            job: id.clone(),
            id,
            kind: kind.into(),
            state,
            wanted: "schedule",
            created_ms: started_ms.or(ended_ms).unwrap_or(0),
            started_ms,
            ended_ms,
            updated_ms: ended_ms.or(started_ms).unwrap_or(0),
            starts: 1,
            errors: 0,
            last_error: None,
            counts,
            items_per_second: None,
            remaining_seconds: None,
        };
    let ms = |at_ms: Option<u64>| at_ms.and_then(|at_ms| i64::try_from(at_ms).ok());
    let mut rows = Vec::new();
    for scrub in status.heal.scrubs {
        let (found, state, ended_ms) = match (scrub.under_way, scrub.found) {
            (Some(so_far), _) => (so_far, "running", None),
            (None, Some(found)) => (found, "completed", ms(scrub.finished_ms)),
            (None, None) => continue,
        };
        let counts = Counts {
            scanned: found.entries,
            written: found.repaired,
            failed: found.failed,
            ..Counts::default()
        };
        let started_ms = ms(scrub.began_ms).filter(|_| ended_ms.is_none());
        rows.push(row(format!("scrub-{}", scrub.set), "scrub", state, (started_ms, ended_ms), counts));
    }
    for fill in status.heal.fills {
        let counts = Counts {
            scanned: fill.entries_done,
            written: fill.entries_written,
            bytes: fill.bytes_written,
            ..Counts::default()
        };
        rows.push(row(format!("heal-{}-{}", fill.set, fill.slot), "heal", "running", (None, None), counts));
    }
    rows
}
