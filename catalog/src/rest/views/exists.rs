//! `HEAD /v1/{prefix}/namespaces/{namespace}/views/{view}`

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::rest::access::Caller;
use crate::rest::error::Failure;
use crate::rest::path::Place;
use crate::rest::{Front, idents};

/// Is there such a view?
#[utoipa::path(
    head, path = "/v1/{prefix}/namespaces/{namespace}/views/{view}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("view" = String, Path),
    ),
    responses((status = 204, description = "It exists"), (status = 404, description = "It does not exist"))
)]
pub(crate) async fn exists(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
) -> Result<StatusCode, Failure> {
    front.allow_view(&caller, Action::GetView, &place)?;
    idents::existing_view(&front.catalog.snapshot(), &place)?;
    Ok(StatusCode::NO_CONTENT)
}
