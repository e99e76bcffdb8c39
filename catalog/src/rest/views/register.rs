//! `POST /v1/{prefix}/namespaces/{namespace}/register-view`

use std::sync::Arc;

use axum::response::Response;
use tarn_openapi::access::Action;

use super::answer;
use super::dto::{LoadViewResult, RegisterViewRequest};
use crate::metadata::ViewMetadata;
use crate::rest::body::Json;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::mutation::Mutation;
use crate::rest::path::Place;
use crate::rest::{Front, idents};
use crate::state::{Request, Subject};

/// Makes a view of a metadata file that lies in this warehouse already.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/register-view", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    request_body = RegisterViewRequest,
    responses(
        (status = 200, description = "The view", body = LoadViewResult),
        (status = 404, description = "There is no such namespace or file", body = ErrorEnvelope),
        (status = 409, description = "A view or table of this name exists", body = ErrorEnvelope),
    )
)]
pub(crate) async fn register(
    Mutation { front, caller, mut place, body: Json(request), key, .. }: Mutation<Json<RegisterViewRequest>>,
) -> Result<Response, Failure> {
    place.name = request.name;
    front.allow_view(&caller, Action::RegisterView, &place)?;
    let ident = idents::table(&place)?;
    // Checked before the file is read: the caller may read no other warehouse through this route.
    if !request.metadata_location.starts_with(&format!("s3://{}/", place.warehouse)) {
        return Err(Failure::bad_request(format!(
            "{} does not lie in warehouse {}",
            request.metadata_location, place.warehouse
        )));
    }
    front.allow_object(&caller, Action::GetObject, &place.warehouse, &request.metadata_location)?;
    if let Some(key) = &key
        && let Some(before) = front.catalog.answered(key, Subject::View(ident.clone())).await
    {
        return answer::committed(&before?);
    }
    let metadata = match read(&front, &place, &request.metadata_location).await {
        Ok(metadata) => metadata,
        Err(failure) => return Err(front.refuse(key, failure).await),
    };
    let metadata_location = request.metadata_location.into();
    let request = Request::RegisterView { ident, metadata_location, metadata };
    answer::committed(&front.catalog_for(&caller).commit_once(request, key).await?)
}

async fn read(front: &Front, place: &Place, location: &str) -> Result<Arc<ViewMetadata>, Failure> {
    idents::existing_namespace(&front.catalog.snapshot(), place)?;
    Ok(front.catalog.read_view_metadata(location).await?)
}
