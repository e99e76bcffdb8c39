//! `POST /v1/{prefix}/views/rename`

use http::StatusCode;
use tarn_openapi::access::Action;

use crate::rest::body::Json;
use crate::rest::dto::RenameTableRequest;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::state::Request;

/// Renames a view, also into another namespace of the warehouse. Its files stay where they are.
#[utoipa::path(
    post, path = "/v1/{prefix}/views/rename", tag = "Catalog", params(
        ("prefix" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    request_body = RenameTableRequest,
    responses(
        (status = 204, description = "Renamed"),
        (status = 404, description = "There is no such view or namespace", body = ErrorEnvelope),
        (status = 409, description = "The new name is a table's or view's", body = ErrorEnvelope),
    )
)]
pub(crate) async fn rename(
    Mutation { front, caller, place, body: Json(request), key, .. }: Mutation<Json<RenameTableRequest>>,
) -> Result<StatusCode, Failure> {
    let from = place.with(request.source);
    let to = place.with(request.destination);
    front.allow_view(&caller, Action::RenameView, &from)?;
    front.allow_view(&caller, Action::RenameView, &to)?;
    let request = Request::RenameView { from: idents::table(&from)?, to: idents::table(&to)? };
    front.catalog_for(&caller).commit_once(request, key).await?;
    Ok(StatusCode::NO_CONTENT)
}
