//! `POST /v1/{prefix}/namespaces`

use axum::Json as Answer;
use tarn_openapi::access::Action;

use crate::rest::body::Json;
use crate::rest::dto::{CreateNamespaceRequest, NamespaceResponse};
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::rest::namespaces::load::tell_location;
use crate::state::Request;

/// Creates a namespace, and the parents it lacks.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces", tag = "Catalog", params(
        ("prefix" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    request_body = CreateNamespaceRequest,
    responses(
        (status = 200, description = "Created", body = NamespaceResponse),
        (status = 409, description = "The namespace exists", body = ErrorEnvelope),
    )
)]
pub(crate) async fn create(
    Mutation { front, caller, mut place, body: Json(request), key, .. }: Mutation<
        Json<CreateNamespaceRequest>,
    >,
) -> Result<Answer<NamespaceResponse>, Failure> {
    place.levels = request.namespace;
    front.allow_namespace(&caller, Action::CreateNamespace, &place)?;
    let mut properties = request.properties.unwrap_or_default();
    let namespace = idents::namespace(&place.levels)?;
    let request = Request::CreateNamespace {
        warehouse: place.warehouse.clone(),
        namespace: namespace.clone(),
        properties: properties.clone(),
    };
    front.catalog_for(&caller).commit_once(request, key).await?;
    tell_location(&mut properties, &place.warehouse, &namespace);
    Ok(Answer(NamespaceResponse { namespace: place.levels, properties }))
}
