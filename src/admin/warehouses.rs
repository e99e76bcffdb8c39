//! Properties of warehouses, such as how long dropped tables are kept: the catalog's REST specification has no route for
//! them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tarn_catalog::state::Request;
use tarn_openapi::access::Action;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Body, Path};
use crate::server::Shared;

/// What to change.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PropertiesChange {
    /// Properties to set.
    #[serde(default)]
    updates: BTreeMap<String, String>,
    /// Properties to remove.
    #[serde(default)]
    removals: Vec<String>,
}

/// The properties of a warehouse.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct WarehouseProperties {
    warehouse: String,
    properties: BTreeMap<String, String>,
}

/// Shows the properties of a warehouse.
#[utoipa::path(get, path = "/_admin/v1/warehouses/{warehouse}/properties", tag = "Warehouses",
    params(("warehouse" = String, Path)),
    responses(
        (status = 200, description = "The properties", body = WarehouseProperties),
        (status = 404, description = "There is no such warehouse", body = ErrorBody),
    ))]
pub(super) async fn properties(
    caller: Caller,
    State(program): Shared,
    Path(warehouse): Path<String>,
) -> Result<Json<WarehouseProperties>, Failure> {
    caller.may(Action::AdminUpdateWarehouse)?;
    let state = program.catalog.snapshot();
    let found = state.warehouse(&warehouse);
    let found = found.ok_or_else(|| Failure::Missing(format!("warehouse '{warehouse}' does not exist")))?;
    Ok(Json(WarehouseProperties { properties: (*found.properties).clone(), warehouse }))
}

/// Sets and removes properties of a warehouse. `tarn.keep-dropped-seconds` is how long its dropped tables are kept.
#[utoipa::path(post, path = "/_admin/v1/warehouses/{warehouse}/properties", tag = "Warehouses",
    params(("warehouse" = String, Path)), request_body = PropertiesChange,
    responses(
        (status = 200, description = "The properties as they are now", body = WarehouseProperties),
        (status = 400, description = "A property is not valid", body = ErrorBody),
        (status = 404, description = "There is no such warehouse", body = ErrorBody),
    ))]
pub(super) async fn update(
    caller: Caller,
    shared: Shared,
    Path(warehouse): Path<String>,
    Body(body): Body<PropertiesChange>,
) -> Result<Json<WarehouseProperties>, Failure> {
    caller.may(Action::AdminUpdateWarehouse)?;
    let PropertiesChange { updates, removals } = body?;
    let request = Request::UpdateWarehouse { name: warehouse.as_str().into(), updates, removals };
    caller.catalog().commit(request).await?;
    tracing::info!(%warehouse, "changed the properties of a warehouse");
    properties(caller, shared, Path(warehouse)).await
}
