//! `HEAD /v1/{prefix}/namespaces/{namespace}/views/{view}`

use http::StatusCode;
use tarn_openapi::access::Action;

use crate::rest::call::Call;
use crate::rest::error::Failure;

/// Is there such a view?
#[utoipa::path(
    head, path = "/v1/{prefix}/namespaces/{namespace}/views/{view}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("view" = String, Path),
    ),
    responses((status = 204, description = "It exists"), (status = 404, description = "It does not exist"))
)]
pub(crate) async fn exists(Call { front, caller, place }: Call) -> Result<StatusCode, Failure> {
    front.allow_view(&caller, Action::GetView, &place)?;
    front.see(&caller, &place).await?.view((&front, &caller, Action::GetView), &place)?;
    Ok(StatusCode::NO_CONTENT)
}
