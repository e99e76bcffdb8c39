//! `POST /v1/{prefix}/namespaces`

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use tarn_openapi::access::Action;

use crate::rest::access::Caller;
use crate::rest::body::Json;
use crate::rest::dto::{CreateNamespaceRequest, NamespaceResponse};
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::namespaces::load::tell_location;
use crate::rest::path::Place;
use crate::rest::{Front, idents};
use crate::state::Request;

/// Creates a namespace, and the parents it lacks.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces", tag = "Catalog", params(("prefix" = String, Path)),
    request_body = CreateNamespaceRequest,
    responses(
        (status = 200, description = "Created", body = NamespaceResponse),
        (status = 409, description = "The namespace exists", body = ErrorEnvelope),
    )
)]
pub(crate) async fn create(
    State(front): State<Arc<Front>>,
    caller: Caller,
    mut place: Place,
    Json(request): Json<CreateNamespaceRequest>,
) -> Result<Answer<NamespaceResponse>, Failure> {
    place.levels = request.namespace;
    front.allow_namespace(&caller, Action::CreateNamespace, &place)?;
    let mut properties = request.properties.unwrap_or_default();
    let namespace = idents::namespace(&place.levels)?;
    front
        .catalog
        .commit(Request::CreateNamespace {
            warehouse: place.warehouse.clone(),
            namespace: namespace.clone(),
            properties: properties.clone(),
        })
        .await?;
    tell_location(&mut properties, &place.warehouse, &namespace);
    Ok(Answer(NamespaceResponse { namespace: place.levels, properties }))
}
