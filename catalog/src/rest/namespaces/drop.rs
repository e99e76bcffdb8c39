//! `DELETE /v1/{prefix}/namespaces/{namespace}`

use http::StatusCode;
use tarn_openapi::access::Action;

use crate::rest::body::NoBody;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::state::{Guard, Request};

/// Drops an empty namespace.
#[utoipa::path(
    delete, path = "/v1/{prefix}/namespaces/{namespace}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "There is no such namespace", body = ErrorEnvelope),
        (status = 409, description = "It holds tables or namespaces, or is protected", body = ErrorEnvelope),
    )
)]
pub(crate) async fn drop(
    Mutation { front, caller, place, key, .. }: Mutation<NoBody>,
) -> Result<StatusCode, Failure> {
    front.allow_namespace(&caller, Action::DeleteNamespace, &place)?;
    let namespace = idents::namespace(&place.levels)?;
    let request = Request::DropNamespace { warehouse: place.warehouse, namespace, guard: Guard::Respect };
    front.catalog_for(&caller).commit_once(request, key).await?;
    Ok(StatusCode::NO_CONTENT)
}
