//! `GET /v1/{prefix}/namespaces/{namespace}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use tarn_openapi::access::Action;

use crate::rest::access::Caller;
use crate::rest::dto::NamespaceResponse;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::path::Place;
use crate::rest::{Front, idents};

/// A namespace's properties.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces/{namespace}", tag = "Catalog",
    params(("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F")),
    responses(
        (status = 200, description = "The namespace", body = NamespaceResponse),
        (status = 404, description = "There is no such namespace", body = ErrorEnvelope),
    )
)]
pub(crate) async fn load(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
) -> Result<Json<NamespaceResponse>, Failure> {
    front.allow_namespace(&caller, Action::CatalogRead, &place)?;
    let state = front.catalog.snapshot();
    let (_, entry) = idents::existing_namespace(&state, &place)?;
    let properties = (*entry.properties).clone();
    Ok(Json(NamespaceResponse { namespace: place.levels, properties }))
}
