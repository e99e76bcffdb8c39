//! `POST /v1/{prefix}/namespaces/{namespace}/register`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use tarn_openapi::access::Action;

use crate::rest::access::Caller;
use crate::rest::body::Json;
use crate::rest::dto::{LoadTableResult, RegisterTableRequest};
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::path::Place;
use crate::rest::{Front, idents};
use crate::state::{Existing, Request};

/// Makes a table of a metadata file that lies in this warehouse already.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/register", tag = "Catalog",
    params(("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F")),
    request_body = RegisterTableRequest,
    responses(
        (status = 200, description = "The table", body = LoadTableResult),
        (status = 404, description = "There is no such namespace or file", body = ErrorEnvelope),
        (status = 409, description = "The table exists and overwrite is not asked for", body = ErrorEnvelope),
    )
)]
pub(crate) async fn register(
    State(front): State<Arc<Front>>,
    caller: Caller,
    mut place: Place,
    headers: HeaderMap,
    Json(request): Json<RegisterTableRequest>,
) -> Result<Response, Failure> {
    place.name = request.name;
    front.allow_table(&caller, Action::RegisterTable, &place)?;
    let ident = idents::table(&place)?;
    // Checked before the file is read: the caller may read no other warehouse through this route.
    if !request.metadata_location.starts_with(&format!("s3://{}/", place.warehouse)) {
        return Err(Failure::bad_request(format!(
            "{} does not lie in warehouse {}",
            request.metadata_location, place.warehouse
        )));
    }
    idents::existing_namespace(&front.catalog.snapshot(), &place)?;
    let metadata = front.catalog.read_metadata(&request.metadata_location).await?;
    let committed = front
        .catalog
        .commit(Request::RegisterTable {
            ident,
            metadata_location: request.metadata_location.into(),
            metadata,
            existing: if request.overwrite == Some(true) { Existing::Overwrite } else { Existing::Refuse },
        })
        .await?;
    idents::answer_delegated(&front, (&caller, &place), committed, &headers).await
}
