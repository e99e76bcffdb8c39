//! `HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}`

use http::StatusCode;
use tarn_openapi::access::Action;

use crate::rest::call::Call;
use crate::rest::error::Failure;

/// Is there such a table?
#[utoipa::path(
    head, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path),
    ),
    responses((status = 204, description = "It exists"), (status = 404, description = "It does not exist"))
)]
pub(crate) async fn exists(Call { front, caller, place }: Call) -> Result<StatusCode, Failure> {
    front.allow_table(&caller, Action::GetTable, &place)?;
    front.see(&caller, &place).await?.table((&front, &caller, Action::GetTable), &place)?;
    Ok(StatusCode::NO_CONTENT)
}
