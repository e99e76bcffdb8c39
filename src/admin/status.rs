//! How the server is: drives, sets and logs.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use tarn_openapi::access::Action;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use crate::server::Shared;

/// The server's status.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Status {
    version: &'static str,
    uptime_seconds: u64,
    /// The object core: deployment, sets with their drives, healing.
    #[schema(value_type = Object)]
    storage: tarn_objectcore::Status,
    catalog: CatalogStatus,
}

/// The catalog's log and what is in it.
#[derive(Serialize, utoipa::ToSchema)]
struct CatalogStatus {
    /// The last record of the catalog log.
    log_position: u64,
    warehouses: usize,
    namespaces: usize,
    tables: usize,
}

/// Tells the server's status.
#[utoipa::path(get, path = "/_admin/v1/status", tag = "Status", responses(
    (status = 200, description = "Drives, sets, healing and log positions", body = Status),
    (status = 403, description = "Not an administrator", body = ErrorBody),
))]
pub(super) async fn show(caller: Caller, State(program): Shared) -> Result<Json<Status>, Failure> {
    caller.may(Action::ServerInfo)?;
    let state = program.catalog.snapshot();
    let catalog = CatalogStatus {
        log_position: program.catalog.watch().borrow().0,
        warehouses: state.warehouses().count(),
        namespaces: state.warehouses().map(|(_, warehouse)| warehouse.namespace_count()).sum(),
        tables: state.table_count(),
    };
    let (version, uptime_seconds) = (env!("CARGO_PKG_VERSION"), program.started.elapsed().as_secs());
    Ok(Json(Status { version, uptime_seconds, storage: program.core.status(), catalog }))
}

/// The drives that are looked after.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Retried {
    /// Drives that are out or being filled.
    drives_not_online: usize,
}

/// Tries every drive that is out at once, and goes on filling those that are not whole.
#[utoipa::path(post, path = "/_admin/v1/drives/retry", tag = "Status", responses(
    (status = 202, description = "The drives are being tried; the status tells what becomes of them", body = Retried),
    (status = 403, description = "Not an administrator", body = ErrorBody),
))]
pub(super) async fn retry_drives(
    caller: Caller,
    State(program): Shared,
) -> Result<(StatusCode, Json<Retried>), Failure> {
    caller.may(Action::Heal)?;
    Ok((StatusCode::ACCEPTED, Json(Retried { drives_not_online: program.core.retry_drives() })))
}
