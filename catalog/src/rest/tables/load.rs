//! `GET /v1/{prefix}/namespaces/{namespace}/tables/{table}`

use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use tarn_openapi::access::Action;
use utoipa::IntoParams;

use super::answer::{encoding, matches};
use super::delegate::asked;
use super::{Shown, SnapshotMode};
use crate::rest::body::Query;
use crate::rest::call::Call;
use crate::rest::dto::LoadTableResult;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::referenced_by::ReferencedBy;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SnapshotsQuery {
    /// `all` (or absent) or `refs`: only snapshots that branches and tags name.
    snapshots: Option<String>,
}

/// A table's metadata, with access to its files where it is asked for and the caller may have it.
#[utoipa::path(
    get, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path), SnapshotsQuery,
        ("referenced-by" = Option<String>, Query, description = "Views it is read through; grants nothing"),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of the answer the client has"),
        ("X-Iceberg-Access-Delegation" = Option<String>, Header, description = "vended-credentials or remote-signing"),
    ),
    responses(
        (status = 200, description = "The table", body = LoadTableResult),
        (status = 304, description = "The client's answer is still true"),
        (status = 404, description = "There is no such table", body = ErrorEnvelope),
    )
)]
pub(crate) async fn load(
    Call { front, caller, place }: Call,
    Query(query): Query<SnapshotsQuery>,
    _through: ReferencedBy,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    front.allow_table(&caller, Action::GetTableMetadataLocation, &place)?;
    let mode = match query.snapshots.as_deref() {
        None | Some("" | "all") => SnapshotMode::All,
        Some("refs") => SnapshotMode::Refs,
        Some(other) => {
            return Err(Failure::bad_request(format!("snapshots={other} is neither all nor refs")));
        }
    };
    let seen = front.see(&caller, &place).await?;
    let entry = seen.table((&front, &caller, Action::GetTableMetadataLocation), &place)?;
    let metadata_location = entry.metadata_location.clone();
    let shown = Shown { metadata_location, mode, deletes: seen.deletes(&front, &place.warehouse) };
    if seen.is_past() {
        // An answer that is kept may be of files that are gone.
        seen.metadata(&front, &place, entry).await?;
    }
    if let Some(means) = asked(&headers) {
        let metadata = seen.metadata(&front, &place, entry).await?;
        let ground = seen.ground(&place, entry);
        if let Some(delegated) = front.delegate(&caller, &place, (&ground, &metadata), means) {
            let tag = delegated.tag.as_deref();
            let etag = tag.map(|tag| front.answers.delegated_etag(&shown, tag));
            if let Some(etag) = etag.filter(|etag| matches(&headers, etag)) {
                return Ok(front.answers.not_modified(&etag));
            }
            return Ok(front.answers.make_delegated(&shown, metadata, encoding(&headers), delegated).await);
        }
    }
    let etag = front.answers.etag(&shown);
    if matches(&headers, &etag) {
        return Ok(front.answers.not_modified(&etag));
    }
    let encoding = encoding(&headers);
    if let Some(kept) = front.answers.kept(&shown, encoding) {
        return Ok(kept);
    }
    let metadata = seen.metadata(&front, &place, entry).await?;
    Ok(front.answers.make(&shown, metadata, encoding).await)
}
