//! `POST /v1/{prefix}/namespaces/{namespace}/properties`

use axum::Json as Answer;
use tarn_openapi::access::Action;

use crate::rest::body::Json;
use crate::rest::dto::{UpdatePropertiesRequest, UpdatePropertiesResponse};
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::state::Request;

/// Sets and removes properties of a namespace.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/properties", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    request_body = UpdatePropertiesRequest,
    responses(
        (status = 200, description = "What became of each key", body = UpdatePropertiesResponse),
        (status = 404, description = "There is no such namespace", body = ErrorEnvelope),
        (status = 422, description = "A key is both set and removed", body = ErrorEnvelope),
    )
)]
pub(crate) async fn properties(
    Mutation { front, caller, place, body: Json(request), key, .. }: Mutation<Json<UpdatePropertiesRequest>>,
) -> Result<Answer<UpdatePropertiesResponse>, Failure> {
    front.allow_namespace(&caller, Action::UpdateNamespaceProperties, &place)?;
    let updates = request.updates.unwrap_or_default();
    let mut removals = request.removals.unwrap_or_default();
    removals.sort_unstable();
    removals.dedup();
    let updated = updates.keys().cloned().collect();
    let namespace = idents::namespace(&place.levels)?;
    let update = Request::UpdateNamespace {
        warehouse: place.warehouse,
        namespace,
        updates,
        removals: removals.clone(),
    };
    let missing = front.catalog_for(&caller).commit_once(update, key).await?.missing;
    let removed = removals.into_iter().filter(|key| !missing.contains(key)).collect();
    Ok(Answer(UpdatePropertiesResponse { updated, removed, missing }))
}
