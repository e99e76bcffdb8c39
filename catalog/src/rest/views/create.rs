//! `POST /v1/{prefix}/namespaces/{namespace}/views`

use std::sync::Arc;

use axum::response::Response;
use tarn_openapi::access::Action;

use super::answer;
use super::dto::{CreateViewRequest, LoadViewResult};
use crate::rest::body::Json;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::state::{CreateView, Request};

/// Creates a view. The specification has no idempotency key here; one that is sent counts all the same.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/views", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    request_body = CreateViewRequest,
    responses(
        (status = 200, description = "The view", body = LoadViewResult),
        (status = 404, description = "There is no such namespace", body = ErrorEnvelope),
        (status = 409, description = "A view or table of this name exists", body = ErrorEnvelope),
    )
)]
pub(crate) async fn create(
    Mutation { front, caller, mut place, body: Json(request), key, .. }: Mutation<Json<CreateViewRequest>>,
) -> Result<Response, Failure> {
    place.name = request.name;
    front.allow_view(&caller, Action::CreateView, &place)?;
    let create = CreateView {
        ident: idents::table(&place)?,
        schema: Arc::new(request.schema),
        version: request.view_version,
        location: request.location,
        properties: request.properties.unwrap_or_default(),
    };
    answer::committed(&front.catalog_for(&caller).commit_once(Request::CreateView(create), key).await?)
}
