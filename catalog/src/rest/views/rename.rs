//! `POST /v1/{prefix}/views/rename`

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::rest::access::Caller;
use crate::rest::body::Json;
use crate::rest::dto::RenameTableRequest;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::path::Place;
use crate::rest::{Front, idents};
use crate::state::Request;

/// Renames a view, also into another namespace of the warehouse. Its files stay where they are.
#[utoipa::path(
    post, path = "/v1/{prefix}/views/rename", tag = "Catalog", params(("prefix" = String, Path)),
    request_body = RenameTableRequest,
    responses(
        (status = 204, description = "Renamed"),
        (status = 404, description = "There is no such view or namespace", body = ErrorEnvelope),
        (status = 409, description = "The new name is a table's or view's", body = ErrorEnvelope),
    )
)]
pub(crate) async fn rename(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
    Json(request): Json<RenameTableRequest>,
) -> Result<StatusCode, Failure> {
    let from = place.with(request.source);
    let to = place.with(request.destination);
    front.allow_view(&caller, Action::RenameView, &from)?;
    front.allow_view(&caller, Action::RenameView, &to)?;
    let request = Request::RenameView { from: idents::table(&from)?, to: idents::table(&to)? };
    front.catalog.commit(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
