//! `GET /v1/{prefix}/namespaces/{namespace}/views/{view}`

use axum::response::Response;
use tarn_openapi::access::Action;

use super::answer;
use super::dto::LoadViewResult;
use crate::rest::call::Call;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::referenced_by::ReferencedBy;

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
    Call { front, caller, place }: Call,
    _through: ReferencedBy,
) -> Result<Response, Failure> {
    front.allow_view(&caller, Action::GetView, &place)?;
    let seen = front.see(&caller, &place).await?;
    let entry = seen.view((&front, &caller, Action::GetView), &place)?;
    let metadata = seen.view_metadata(&front, entry).await?;
    Ok(answer::loaded(&entry.metadata_location, &metadata))
}
