//! `DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}`

use http::StatusCode;
use serde::Deserialize;
use tarn_openapi::access::Action;
use utoipa::IntoParams;

use crate::rest::body::{NoBody, Query};
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::idents;
use crate::rest::mutation::Mutation;
use crate::state::{DropTable, Purge, Request};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct PurgeQuery {
    /// Delete the table's files too. ClickHouse writes it as Python does: `True`, `False`.
    purge_requested: Option<String>,
}

/// Drops a table. It is kept for the time that it, its warehouse or the server sets, and can be undropped. With
/// `purgeRequested` its files are deleted after that, in the background.
#[utoipa::path(
    delete, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path), PurgeQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "A UUIDv7: the same request again is answered as the first time"),
    ),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "There is no such table", body = ErrorEnvelope),
        (status = 409, description = "It is protected", body = ErrorEnvelope),
    )
)]
pub(crate) async fn drop(
    Query(query): Query<PurgeQuery>,
    Mutation { front, caller, place, key, .. }: Mutation<NoBody>,
) -> Result<StatusCode, Failure> {
    front.allow_table(&caller, Action::DeleteTable, &place)?;
    let purge = match query.purge_requested.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "false") => Purge::Keep,
        Some("true") => Purge::Files,
        Some(other) => {
            return Err(Failure::bad_request(format!("purgeRequested={other} is neither true nor false")));
        }
    };
    let drop = DropTable::asked(idents::table(&place)?, purge, front.catalog.keep_dropped_ms());
    let request = Request::DropTable(drop);
    front.catalog_for(&caller).commit_once(request, key).await?;
    Ok(StatusCode::NO_CONTENT)
}
