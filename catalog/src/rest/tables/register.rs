//! `POST /v1/{prefix}/namespaces/{namespace}/register`

use std::sync::Arc;

use axum::response::Response;
use tarn_openapi::access::Action;

use super::placement::all_of;
use crate::metadata::TableMetadata;
use crate::rest::body::Json;
use crate::rest::dto::{LoadTableResult, RegisterTableRequest};
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::mutation::Mutation;
use crate::rest::path::Place;
use crate::rest::{Front, idents};
use crate::state::{Existing, Request, Subject};

/// Makes a table of a metadata file that lies in this warehouse already.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/register", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    request_body = RegisterTableRequest,
    responses(
        (status = 200, description = "The table", body = LoadTableResult),
        (status = 404, description = "There is no such namespace or file", body = ErrorEnvelope),
        (status = 409, description = "The table exists and overwrite is not asked for", body = ErrorEnvelope),
    )
)]
pub(crate) async fn register(
    Mutation { front, caller, mut place, body: Json(request), headers, key, .. }: Mutation<
        Json<RegisterTableRequest>,
    >,
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
    front.allow_object(&caller, Action::GetObject, &place.warehouse, &request.metadata_location)?;
    if let Some(key) = &key
        && let Some(before) = front.catalog.answered(key, Subject::Table(ident.clone())).await
    {
        return idents::answer_delegated(&front, (&caller, &place), before?, &headers).await;
    }
    let metadata = match read(&front, &place, &request.metadata_location).await {
        Ok(metadata) => metadata,
        Err(failure) => return Err(front.refuse(key, failure).await),
    };
    front.allow_places(&caller, &place.warehouse, all_of(&metadata))?;
    let request = Request::RegisterTable {
        ident,
        metadata_location: request.metadata_location.into(),
        metadata,
        existing: if request.overwrite == Some(true) { Existing::Overwrite } else { Existing::Refuse },
    };
    let committed = front.catalog_for(&caller).commit_once(request, key).await?;
    idents::answer_delegated(&front, (&caller, &place), committed, &headers).await
}

async fn read(front: &Front, place: &Place, location: &str) -> Result<Arc<TableMetadata>, Failure> {
    idents::existing_namespace(&front.catalog.snapshot(), place)?;
    Ok(front.catalog.read_metadata(location).await?)
}
