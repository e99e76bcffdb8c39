//! Views: none yet. Listing answers an empty list, because clients list views whatever the
//! endpoints say (trinodb/trino#24490); the rest says that it is not supported.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use serde::Serialize;
use tarn_openapi::access::Action;
use utoipa::ToSchema;

use super::Front;
use super::access::Caller;
use super::error::{ErrorEnvelope, Failure, Kind};
use super::idents;
use super::path::Place;

/// The views of a namespace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListViewsResponse {
    #[serde(rename = "next-page-token")]
    next_page_token: Option<String>,
    #[schema(value_type = Vec<Object>)]
    identifiers: Vec<serde_json::Value>,
}

/// The views of a namespace: none.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces/{namespace}/views", tag = "Catalog",
    params(("prefix" = String, Path), ("namespace" = String, Path)),
    responses(
        (status = 200, description = "No views", body = ListViewsResponse),
        (status = 404, description = "There is no such namespace", body = ErrorEnvelope),
    )
)]
pub(crate) async fn list(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
) -> Result<Json<ListViewsResponse>, Failure> {
    front.allow_namespace(&caller, Action::ListViews, &place)?;
    idents::existing_namespace(&front.catalog.snapshot(), &place)?;
    Ok(Json(ListViewsResponse { next_page_token: None, identifiers: Vec::new() }))
}

/// GET and HEAD say that the view does not exist, which is true; the rest is not supported.
pub(crate) fn one() -> MethodRouter<Arc<Front>> {
    get(missing).head(missing).fallback(unsupported)
}

async fn missing(State(front): State<Arc<Front>>, caller: Caller, place: Place) -> Result<(), Failure> {
    front.allow_view(&caller, Action::GetView, &place)?;
    Err(Failure::new(Kind::NoSuchView, format!("view {} does not exist", place.name)))
}

pub(crate) async fn unsupported(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
) -> Result<(), Failure> {
    front.allow_namespace(&caller, Action::CreateView, &place)?;
    Err(Failure::new(Kind::Unsupported, "this server does not keep views"))
}
