//! `POST /v1/{prefix}/namespaces/{namespace}/views/{view}`

use axum::response::Response;
use tarn_openapi::access::Action;

use super::answer;
use super::dto::{CommitViewRequest, LoadViewResult};
use crate::rest::body::Json;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::state::{Request, ViewChange};

/// Changes a view (the specification's "replace") when every requirement holds.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/views/{view}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("view" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    request_body = CommitViewRequest,
    responses(
        (status = 200, description = "The view after the commit", body = LoadViewResult),
        (status = 404, description = "There is no such view", body = ErrorEnvelope),
        (status = 409, description = "A requirement does not hold; refresh and try again", body = ErrorEnvelope),
        (status = 500, description = "It is not known whether it was done", body = ErrorEnvelope),
        (status = 503, description = "Nothing was done; try again", body = ErrorEnvelope),
        (status = 504, description = "It is not known whether it was done", body = ErrorEnvelope),
    )
)]
pub(crate) async fn commit(
    Mutation { front, caller, place, body: Json(request), key, .. }: Mutation<Json<CommitViewRequest>>,
) -> Result<Response, Failure> {
    front.allow_view(&caller, Action::UpdateView, &place)?;
    // The path says which view; an identifier in the body must not say otherwise.
    if let Some(named) = &request.identifier
        && (named.namespace != place.levels || named.name != place.name)
    {
        return Err(Failure::bad_request("the body names another view than the path"));
    }
    let change = ViewChange {
        ident: idents::table(&place)?,
        requirements: request.requirements,
        updates: request.updates,
    };
    answer::committed(&front.catalog_for(&caller).commit_once(Request::CommitView(change), key).await?)
}
