//! `DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}`

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::rest::access::Caller;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::path::Place;
use crate::rest::{Front, idents};
use crate::state::Request;

/// Drops a view. Its metadata files stay, so it can be registered again.
#[utoipa::path(
    delete, path = "/v1/{prefix}/namespaces/{namespace}/views/{view}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("view" = String, Path),
    ),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "There is no such view", body = ErrorEnvelope),
    )
)]
pub(crate) async fn drop(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
) -> Result<StatusCode, Failure> {
    front.allow_view(&caller, Action::DeleteView, &place)?;
    front.catalog.commit(Request::DropView { ident: idents::table(&place)? }).await?;
    Ok(StatusCode::NO_CONTENT)
}
