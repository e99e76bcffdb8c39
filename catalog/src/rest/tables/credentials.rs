//! `GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials`

use std::collections::BTreeMap;

use axum::Json;
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use tarn_openapi::access::Action;
use utoipa::ToSchema;

use crate::rest::call::Call;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::referenced_by::ReferencedBy;

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
    Call { front, caller, place }: Call,
    _through: ReferencedBy,
) -> Result<([(HeaderName, HeaderValue); 1], Json<LoadCredentialsResponse>), Failure> {
    front.allow_table(&caller, Action::GetTableData, &place)?;
    let seen = front.see(&caller, &place).await?;
    let entry = seen.table((&front, &caller, Action::GetTableData), &place)?;
    let metadata = seen.metadata(&front, &place, entry).await?;
    let reach = front.reach(&caller, &place, &seen.ground(&place, entry), &metadata)?;
    let credentials = front.credentials(&caller, &reach, jiff::Timestamp::now().as_second())?;
    let config = front.credential_config(&place, credentials);
    let storage_credentials = vec![StorageCredential { prefix: reach.location, config }];
    let secret = (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(([secret], Json(LoadCredentialsResponse { storage_credentials })))
}
