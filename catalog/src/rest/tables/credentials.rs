//! `GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::access::Caller;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::path::Place;
use crate::rest::referenced_by::ReferencedBy;
use crate::rest::{Front, idents};

/// Fresh credentials for a table.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LoadCredentialsResponse {
    storage_credentials: Vec<StorageCredential>,
}

/// Credentials and what they are for.
#[derive(Debug, Serialize, ToSchema)]
struct StorageCredential {
    /// The table's location.
    prefix: String,
    config: BTreeMap<&'static str, String>,
}

/// Credentials for the files of a table, in place of those that end. A `planId` is passed over: those of the
/// table open every file of its plans.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path), ("planId" = Option<String>, Query),
        ("referenced-by" = Option<String>, Query, description = "Views it is read through; grants nothing"),
    ),
    responses(
        (status = 200, description = "One credential", body = LoadCredentialsResponse),
        (status = 403, description = "The caller may not read the table's data", body = ErrorEnvelope),
        (status = 404, description = "There is no such table", body = ErrorEnvelope),
    )
)]
pub(crate) async fn credentials(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
    _through: ReferencedBy,
) -> Result<([(HeaderName, HeaderValue); 1], Json<LoadCredentialsResponse>), Failure> {
    front.allow_table(&caller, tarn_openapi::access::Action::GetTableData, &place)?;
    let state = front.catalog.snapshot();
    let entry = idents::existing_table(&state, &place)?;
    let metadata = front.catalog.read_metadata(&entry.metadata_location).await?;
    let reach = front.reach(&caller, &place, (&state, Some(entry)), &metadata)?;
    let credentials = front.credentials(&caller, &reach, jiff::Timestamp::now().as_second())?;
    let config = front.credential_config(&place, credentials);
    let storage_credentials = vec![StorageCredential { prefix: reach.location, config }];
    let secret = (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(([secret], Json(LoadCredentialsResponse { storage_credentials })))
}
