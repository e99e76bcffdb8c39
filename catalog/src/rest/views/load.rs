//! `GET /v1/{prefix}/namespaces/{namespace}/views/{view}`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use tarn_openapi::access::Action;

use super::answer;
use super::dto::LoadViewResult;
use crate::rest::access::Caller;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::path::Place;
use crate::rest::referenced_by::ReferencedBy;
use crate::rest::{Front, idents};

/// A view's metadata.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces/{namespace}/views/{view}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("view" = String, Path),
        ("referenced-by" = Option<String>, Query, description = "Views it is read through; grants nothing"),
    ),
    responses(
        (status = 200, description = "The view", body = LoadViewResult),
        (status = 404, description = "There is no such view", body = ErrorEnvelope),
    )
)]
pub(crate) async fn load(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
    _through: ReferencedBy,
) -> Result<Response, Failure> {
    front.allow_view(&caller, Action::GetView, &place)?;
    let location = idents::existing_view(&front.catalog.snapshot(), &place)?.metadata_location.clone();
    let metadata = front.catalog.read_view_metadata(&location).await?;
    Ok(answer::loaded(&location, &metadata))
}
