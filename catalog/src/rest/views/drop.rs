//! `DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}`

use http::StatusCode;
use tarn_openapi::access::Action;

use crate::rest::body::NoBody;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::state::Request;

/// Drops a view. Its metadata files stay, so it can be registered again.
#[utoipa::path(
    delete, path = "/v1/{prefix}/namespaces/{namespace}/views/{view}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("view" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "There is no such view", body = ErrorEnvelope),
    )
)]
pub(crate) async fn drop(
    Mutation { front, caller, place, key, .. }: Mutation<NoBody>,
) -> Result<StatusCode, Failure> {
    front.allow_view(&caller, Action::DeleteView, &place)?;
    let request = Request::DropView { ident: idents::table(&place)? };
    front.catalog_for(&caller).commit_once(request, key).await?;
    Ok(StatusCode::NO_CONTENT)
}
