//! `POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/sign`
//!
//! What is signed is signed with credentials of the table's places, made for this one request. So the object store
//! checks again what is checked here, also what is not signed: the keys in the body of a DeleteObjects.

use std::collections::BTreeMap;

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, Uri, header};
use serde::{Deserialize, Serialize};
use tarn_openapi::access::{Action, PrefixAccess};
use tarn_openapi::vend::SignOrder;
use utoipa::ToSchema;

use super::delegate::{Reach, not_vended};
use super::signed::{Target, Touched};
use crate::rest::body::Json;
use crate::rest::call::Call;
use crate::rest::error::{ErrorEnvelope, Failure, Kind};

/// A request to the object store.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RemoteSignRequest {
    region: String,
    uri: String,
    method: String,
    headers: BTreeMap<String, Vec<String>>,
    /// Of a DeleteObjects: the keys are checked here too, not only by the object store.
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    provider: Option<String>,
}

/// The request's URI, and the headers to add to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RemoteSignResult {
    uri: String,
    headers: BTreeMap<String, Vec<String>>,
}

/// Signs a request for a file of the table. Signatures of reads may be used again for as long as clients keep them.
#[utoipa::path(
    post, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}/sign", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path),
    ),
    request_body = RemoteSignRequest,
    responses(
        (status = 200, description = "Signed", body = RemoteSignResult),
        (status = 400, description = "No request of S3 in path style", body = ErrorEnvelope),
        (status = 403, description = "Not a file of the table, or not allowed", body = ErrorEnvelope),
        (status = 404, description = "There is no such table", body = ErrorEnvelope),
    )
)]
pub(crate) async fn sign(
    Call { front, caller, place }: Call,
    Json(request): Json<RemoteSignRequest>,
) -> Result<Response, Failure> {
    front.allow_table(&caller, Action::GetTableData, &place)?;
    if request.provider.as_deref().is_some_and(|provider| provider != "s3") {
        return Err(Failure::bad_request("only requests of the provider s3 are signed"));
    }
    let method = Method::from_bytes(request.method.as_bytes());
    let method = method.map_err(|_| Failure::bad_request("the method is none"))?;
    let uri: Uri = request.uri.parse().map_err(|_| Failure::bad_request("the URI is none"))?;
    let headers: Vec<(String, String)> = request
        .headers
        .into_iter()
        .map(|(name, values)| (name.to_ascii_lowercase(), values.join(",")))
        .collect();
    let copied =
        headers.iter().find(|(name, _)| name == "x-amz-copy-source").map(|(_, value)| value.as_str());
    let target =
        Target::read(&method, &uri, copied, request.body.as_deref()).map_err(Failure::bad_request)?;

    let seen = front.see(&caller, &place).await?;
    let entry = seen.table((&front, &caller, Action::GetTableData), &place)?;
    let metadata = seen.metadata(&front, &place, entry).await?;
    let reach = front.reach(&caller, &place, &seen.ground(&place, entry), &metadata)?;
    if !target.touched.iter().all(|touched| allows(&reach, touched)) {
        return Err(refused());
    }
    let order = SignOrder { method: &method, uri: &uri, region: &request.region, headers: &headers };
    let vend = front.vend.as_ref().ok_or_else(refused)?;
    let now = jiff::Timestamp::now().as_second();
    let added = vend.sign(&caller.principal, reach.files, &order, now).map_err(not_vended)?;
    let headers = added.into_iter().map(|(name, value)| (name, vec![value])).collect();
    // Clients keep only what is exactly `private`.
    let keep = if target.is_read { "private" } else { "no-store" };
    let kept = [(header::CACHE_CONTROL, HeaderValue::from_static(keep))];
    Ok((kept, axum::Json(RemoteSignResult { uri: request.uri, headers })).into_response())
}

fn allows(reach: &Reach, touched: &Touched) -> bool {
    let access = if touched.writes { PrefixAccess::ReadWrite } else { PrefixAccess::Read };
    reach
        .files
        .prefixes
        .iter()
        .any(|prefix| prefix.access() >= access && prefix.covers(&touched.bucket, &touched.key))
}

fn refused() -> Failure {
    Failure::new(Kind::Forbidden, "the request is not for a file of the table, or not allowed")
}
