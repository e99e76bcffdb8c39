//! `DELETE /v1/{prefix}/namespaces/{namespace}`

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::rest::access::Caller;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::path::Place;
use crate::rest::{Front, idents};
use crate::state::Request;

/// Drops an empty namespace.
#[utoipa::path(
    delete, path = "/v1/{prefix}/namespaces/{namespace}", tag = "Catalog",
    params(("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F")),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "There is no such namespace", body = ErrorEnvelope),
        (status = 409, description = "It holds tables or namespaces", body = ErrorEnvelope),
    )
)]
pub(crate) async fn drop(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
) -> Result<StatusCode, Failure> {
    front.allow_namespace(&caller, Action::DeleteNamespace, &place)?;
    let namespace = idents::namespace(&place.levels)?;
    front.catalog.commit(Request::DropNamespace { warehouse: place.warehouse, namespace }).await?;
    Ok(StatusCode::NO_CONTENT)
}
