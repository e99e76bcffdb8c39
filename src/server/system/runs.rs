//! `jobs` and `runs`.

use serde_json::Value;
use tarn_inventory::jobs::Seen;
use tarn_inventory::{Run, Stage};
use tarn_openapi::access::{Action, Resource};
use tarn_sql::system::{Cell, Rows};

use super::Reading;

pub(super) fn jobs(reading: &Reading) -> Rows {
    let mut rows = reading.rows();
    if !reading.may(Action::InventoryListJobs, Resource::Server) {
        return rows;
    }
    for job in reading.state.jobs.list() {
        rows.push([
            job.name.into(),
            job.kind.into(),
            job.enabled.into(),
            job.author.key.unwrap_or_else(|| "root".into()).into(),
            word(&job.priority).into(),
            word(&job.schedule).into(),
            Cell::Moment(job.created_ms),
            Cell::Moment(job.changed_ms),
        ]);
    }
    rows
}

pub(super) fn runs(reading: &Reading) -> Rows {
    let mut rows = reading.rows();
    if reading.may(Action::InventoryListJobs, Resource::Server) {
        for Seen { run, .. } in reading.state.jobs.runs(None) {
            rows.push([
                run.id.to_string().into(),
                run.definition.kind.as_str().into(),
                run.definition.name.as_str().into(),
                Cell::Null,
                Cell::Null,
                Cell::Null,
                word(&run.state).into(),
                run.started_ms.map_or(Cell::Null, Cell::Moment),
                run.ended_ms.map_or(Cell::Null, Cell::Moment),
                run.counts.scanned.into(),
                run.counts.bytes.into(),
                run.last_errors.last().map(|error| error.message.as_str()).into(),
            ]);
        }
    }
    for run in reading.state.maintenance.runs(None) {
        let table = &run.table;
        let at = Resource::Table(&table.warehouse, &table.namespace, &table.name);
        if reading.may(Action::GetTableMaintenanceJobStatus, at) {
            rows.push(maintenance(run));
        }
    }
    rows
}

fn maintenance(run: Run) -> [Cell; 12] {
    let state = match run.stage {
        Stage::Running => "running",
        Stage::Completed => "completed",
        Stage::Failed => "failed",
    };
    [
        run.id.to_string().into(),
        run.job.name().into(),
        Cell::Null,
        run.table.warehouse.into(),
        run.table.namespace.join(".").into(),
        run.table.name.into(),
        state.into(),
        Cell::Moment(run.started_ms),
        run.ended_ms.map_or(Cell::Null, Cell::Moment),
        run.files.into(),
        run.bytes.into(),
        run.error.into(),
    ]
}

/// A value as JSON has it, without the quotes of a single word.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
