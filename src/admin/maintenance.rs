//! Maintenance of tables: policies and runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use tarn_catalog::state::{Namespace, TableIdent};
use tarn_inventory::policy::{self, Policy, Scope};
use tarn_inventory::{Grace, Job, Mode, Run};
use tarn_openapi::access::{Action, Resource};
use uuid::Uuid;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Body, Path, Query};
use crate::server::{Program, Shared};

/// What separates the levels of a namespace.
const SEPARATOR: char = '\u{1f}';

/// What a request is about: the server, a warehouse, a namespace or a table, as much as is given.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// The warehouse; the default one when a namespace is given without it.
    warehouse: Option<String>,
    /// The namespace, its levels separated by the character 0x1F.
    namespace: Option<String>,
    /// The table.
    table: Option<String>,
}

/// A policy, as set and as it works out.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct PolicyAnswer {
    /// What is set right here.
    #[schema(value_type = Option<Object>)]
    policy: Option<Policy>,
    /// What holds here, with what is set around and the defaults.
    #[schema(value_type = Object)]
    effective: Policy,
}

/// A run to begin.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BeginRun {
    /// The warehouse; the default one when not given.
    warehouse: Option<String>,
    /// The levels of the namespace.
    namespace: Vec<String>,
    /// The table.
    table: String,
    /// `icebergSnapshotManagement`, `icebergUnreferencedFileRemoval` or `icebergCompaction`.
    #[schema(value_type = String)]
    job: Job,
    /// Only tell what would be done.
    #[serde(default)]
    dry_run: bool,
    /// Leave nothing alone for those who use the table now: snapshots that were current within the hour and
    /// files of the last day go too. Unsafe while anybody reads or writes the table.
    #[serde(default)]
    unsafe_no_grace: bool,
}

/// Runs, the newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct RunList {
    #[schema(value_type = Vec<Object>)]
    runs: Vec<Run>,
}

impl Place {
    fn scope(self, program: &Program) -> Result<Scope, Failure> {
        let warehouse = || self.warehouse.as_deref().unwrap_or(&program.warehouse);
        match (&self.namespace, &self.table) {
            (None, Some(_)) => Err(Failure::Invalid("a table is named with its namespace".into())),
            (None, None) => Ok(match self.warehouse {
                Some(name) => Scope::Warehouse(name.into()),
                None => Scope::Server,
            }),
            (Some(levels), table) => {
                let levels = levels.split(SEPARATOR).map(str::to_owned).collect();
                place(warehouse(), levels, table.as_deref())
            }
        }
    }
}

fn place(warehouse: &str, levels: Vec<String>, table: Option<&str>) -> Result<Scope, Failure> {
    let invalid = |error: tarn_catalog::state::InvalidName| Failure::Invalid(error.to_string());
    let namespace = Namespace::new(levels).map_err(invalid)?;
    match table {
        Some(name) => TableIdent::new(warehouse, namespace, name).map(Scope::Table).map_err(invalid),
        None => Ok(Scope::Namespace(warehouse.into(), namespace)),
    }
}

/// A1, for what the request is about.
fn allow(caller: &Caller, action: Action, scope: &Scope) -> Result<(), Failure> {
    match scope {
        Scope::Server => caller.may(action),
        Scope::Warehouse(name) => caller.may_on(action, Resource::Bucket(name)),
        Scope::Namespace(warehouse, namespace) => {
            caller.may_on(action, Resource::Namespace(warehouse, namespace.levels()))
        }
        Scope::Table(ident) => {
            let TableIdent { warehouse, namespace, name } = ident;
            caller.may_on(action, Resource::Table(warehouse, namespace.levels(), name))
        }
    }
}

/// What a request is about, as its query names it.
pub(super) struct About(Scope);

impl FromRequestParts<Arc<Program>> for About {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, program: &Arc<Program>) -> Result<Self, Failure> {
        let Query(place) = Query::<Place>::from_request_parts(parts, program).await?;
        place.scope(program).map(Self)
    }
}

impl About {
    /// Tells it to who may do this there.
    fn for_caller(self, caller: &Caller, action: Action) -> Result<Scope, Failure> {
        allow(caller, action, &self.0)?;
        Ok(self.0)
    }
}

/// Tells the maintenance policy of a place.
#[utoipa::path(get, path = "/_admin/v1/maintenance/policy", tag = "Maintenance", params(Place), responses(
    (status = 200, description = "What is set here, and what holds", body = PolicyAnswer),
    (status = 404, description = "There is no such warehouse, namespace or table", body = ErrorBody),
))]
pub(super) async fn policy(
    caller: Caller,
    State(program): Shared,
    about: About,
) -> Result<Json<PolicyAnswer>, Failure> {
    let scope = about.for_caller(&caller, Action::GetTableMaintenanceConfiguration)?;
    let state = program.catalog.snapshot();
    let (policy, effective) = (policy::get(&state, &scope)?, policy::effective(&state, &scope)?);
    Ok(Json(PolicyAnswer { policy, effective }))
}

/// Sets the maintenance policy of a place.
#[utoipa::path(put, path = "/_admin/v1/maintenance/policy", tag = "Maintenance", params(Place),
    request_body = Object, responses(
    (status = 200, description = "Set", body = PolicyAnswer),
    (status = 400, description = "A setting is unknown or out of its range", body = ErrorBody),
    (status = 404, description = "There is no such warehouse, namespace or table", body = ErrorBody),
))]
pub(super) async fn set_policy(
    caller: Caller,
    State(program): Shared,
    about: About,
    Body(body): Body<Policy>,
) -> Result<Json<PolicyAnswer>, Failure> {
    let scope = about.for_caller(&caller, Action::PutTableMaintenanceConfiguration)?;
    let policy = body?;
    policy::put(&program.catalog, &scope, &policy).await?;
    tracing::info!(%scope, "set a maintenance policy");
    let effective = policy::effective(&program.catalog.snapshot(), &scope)?;
    Ok(Json(PolicyAnswer { policy: Some(policy), effective }))
}

/// Takes the maintenance policy of a place away: what is set around it holds again.
#[utoipa::path(delete, path = "/_admin/v1/maintenance/policy", tag = "Maintenance", params(Place), responses(
    (status = 204, description = "There is none any more"),
    (status = 404, description = "There is no such place, or it has no policy", body = ErrorBody),
))]
pub(super) async fn delete_policy(
    caller: Caller,
    State(program): Shared,
    about: About,
) -> Result<StatusCode, Failure> {
    let scope = about.for_caller(&caller, Action::PutTableMaintenanceConfiguration)?;
    if !policy::delete(&program.catalog, &scope).await? {
        return Err(Failure::Missing(format!("{scope} has no policy of its own")));
    }
    tracing::info!(%scope, "deleted a maintenance policy");
    Ok(StatusCode::NO_CONTENT)
}

/// Begins a run of maintenance.
#[utoipa::path(post, path = "/_admin/v1/maintenance/runs", tag = "Maintenance", request_body = BeginRun, responses(
    (status = 202, description = "Begun", body = Object),
    (status = 404, description = "There is no such table", body = ErrorBody),
    (status = 409, description = "A run is at work on this table", body = ErrorBody),
))]
pub(super) async fn begin(
    caller: Caller,
    State(program): Shared,
    Body(body): Body<BeginRun>,
) -> Result<Response, Failure> {
    let ask = body?;
    let warehouse = ask.warehouse.as_deref().unwrap_or(&program.warehouse);
    let scope = place(warehouse, ask.namespace, Some(&ask.table))?;
    allow(&caller, Action::PutTableMaintenanceConfiguration, &scope)?;
    let Scope::Table(ident) = scope else { return Err(Failure::Invalid("a run is of a table".into())) };
    let mode = if ask.dry_run { Mode::DryRun } else { Mode::Apply };
    let grace = if ask.unsafe_no_grace { Grace::Waived } else { Grace::Kept };
    let run = program.maintenance.begin(&ident, ask.job, mode, grace)?;
    Ok((StatusCode::ACCEPTED, Json(run)).into_response())
}

/// Tells the runs at work and the last ones, of one table or of all.
#[utoipa::path(get, path = "/_admin/v1/maintenance/runs", tag = "Maintenance", params(Place), responses(
    (status = 200, description = "Runs, the newest first", body = RunList),
    (status = 404, description = "There is no such table", body = ErrorBody),
))]
pub(super) async fn runs(
    caller: Caller,
    State(program): Shared,
    about: About,
) -> Result<Json<RunList>, Failure> {
    let scope = about.for_caller(&caller, Action::GetTableMaintenanceJobStatus)?;
    let runs = match &scope {
        Scope::Server => program.maintenance.runs(None),
        Scope::Table(ident) => {
            let state = program.catalog.snapshot();
            let entry = state.table(ident);
            let entry = entry.ok_or_else(|| Failure::Missing(format!("{scope} does not exist")))?;
            program.maintenance.runs(Some(entry.uuid))
        }
        Scope::Warehouse(_) | Scope::Namespace(..) => {
            return Err(Failure::Invalid("runs are told of a table or of the server".into()));
        }
    };
    Ok(Json(RunList { runs }))
}

/// Tells a run.
#[utoipa::path(get, path = "/_admin/v1/maintenance/runs/{id}", tag = "Maintenance",
    params(("id" = String, Path)), responses(
    (status = 200, description = "The run", body = Object),
    (status = 404, description = "There is no such run any more", body = ErrorBody),
))]
pub(super) async fn run(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
) -> Result<Json<Run>, Failure> {
    let missing = || Failure::Missing(format!("there is no run {id}"));
    let found = Uuid::parse_str(&id).ok().and_then(|id| program.maintenance.find(id));
    let Some(run) = found else {
        caller.may(Action::GetTableMaintenanceJobStatus)?;
        return Err(missing());
    };
    let table = &run.table;
    let resource = Resource::Table(&table.warehouse, &table.namespace, &table.name);
    caller.may_on(Action::GetTableMaintenanceJobStatus, resource)?;
    Ok(Json(run))
}
