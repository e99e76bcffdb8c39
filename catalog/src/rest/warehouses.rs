//! `POST /v1/warehouses` and `DELETE /v1/warehouses/{warehouse}`: the dialect of AIStor's tools.
//!
//! The bucket is created before the warehouse and removed after it, so a warehouse always has its
//! bucket. A bucket that is not empty is left: no catalog verb destroys objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use tarn_openapi::access::{Action, Resource};

use super::Front;
use super::access::Caller;
use super::body::Json;
use super::dto::{CreateWarehouseRequest, WarehouseResponse};
use super::error::{ErrorEnvelope, Failure, Kind};
use super::path::Place;
use crate::state::{Request, check_warehouse_name};
use crate::warehouses::WarehouseError;

/// Names that would read as routes in `/v1/{prefix}/...`.
const RESERVED: [&str; 8] =
    ["config", "dropped-tables", "namespaces", "oauth", "tables", "transactions", "views", "warehouses"];

/// Creates a warehouse and its bucket.
#[utoipa::path(
    post, path = "/v1/warehouses", tag = "Warehouses", request_body = CreateWarehouseRequest,
    responses(
        (status = 200, description = "Created", body = WarehouseResponse),
        (status = 409, description = "The warehouse, or a bucket of its name, exists", body = ErrorEnvelope),
    )
)]
pub(crate) async fn create(
    State(front): State<Arc<Front>>,
    caller: Caller,
    Json(request): Json<CreateWarehouseRequest>,
) -> Result<Answer<WarehouseResponse>, Failure> {
    let name = request.name;
    front.allow(&caller, Action::CreateTableBucket, Resource::Bucket(&name))?;
    if RESERVED.contains(&name.as_str()) {
        return Err(Failure::bad_request(format!("{name} is reserved and cannot name a warehouse")));
    }
    check_warehouse_name(&name)?;
    if front.catalog.snapshot().warehouse(&name).is_some() {
        return Err(Failure::new(Kind::AlreadyExists, format!("warehouse '{name}' already exists")));
    }
    let upgrade = request.upgrade_existing.unwrap_or(false);
    match front.catalog.warehouses().create(&name).await {
        Ok(()) => {}
        Err(WarehouseError::Exists) if upgrade => {}
        Err(error) => return Err(error.into()),
    }
    front
        .catalog_for(&caller)
        .commit(Request::CreateWarehouse { name: name.as_str().into(), properties: BTreeMap::new() })
        .await?;
    // Until the commit the bucket was nobody's: who had it before may just have deleted it.
    match front.catalog.warehouses().create(&name).await {
        Ok(()) | Err(WarehouseError::Exists) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Answer(WarehouseResponse { bucket: name.clone(), name }))
}

/// Drops an empty warehouse, and its bucket when that is empty too.
#[utoipa::path(
    delete, path = "/v1/warehouses/{warehouse}", tag = "Warehouses", params(("warehouse" = String, Path)),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "There is no such warehouse", body = ErrorEnvelope),
        (status = 409, description = "It holds namespaces", body = ErrorEnvelope),
    )
)]
pub(crate) async fn delete(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
) -> Result<StatusCode, Failure> {
    let name = place.warehouse;
    front.allow(&caller, Action::DeleteTableBucket, Resource::Bucket(&name))?;
    front.catalog_for(&caller).commit(Request::DropWarehouse { name: name.clone() }).await?;
    match front.catalog.warehouses().remove(&name).await {
        Ok(()) | Err(WarehouseError::NotEmpty | WarehouseError::Missing) => {}
        // The warehouse is gone; an empty bucket that stays is no reason to say otherwise.
        Err(error) => tracing::warn!(warehouse = %name, %error, "the bucket of a dropped warehouse stays"),
    }
    Ok(StatusCode::NO_CONTENT)
}
