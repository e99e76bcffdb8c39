//! `DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}`

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use tarn_openapi::access::Action;
use utoipa::IntoParams;

use crate::rest::access::Caller;
use crate::rest::body::Query;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::path::Place;
use crate::rest::{Front, idents};
use crate::state::{Purge, Request};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct PurgeQuery {
    /// Delete the table's files too. ClickHouse writes it as Python does: `True`, `False`.
    purge_requested: Option<String>,
}

/// Drops a table. With `purgeRequested` its files are deleted afterwards, in the background.
#[utoipa::path(
    delete, path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}", tag = "Catalog",
    params(
        ("prefix" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path), PurgeQuery,
    ),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "There is no such table", body = ErrorEnvelope),
    )
)]
pub(crate) async fn drop(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
    Query(query): Query<PurgeQuery>,
) -> Result<StatusCode, Failure> {
    front.allow_table(&caller, Action::DeleteTable, &place)?;
    let purge = match query.purge_requested.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "false") => Purge::Keep,
        Some("true") => Purge::Files,
        Some(other) => {
            return Err(Failure::bad_request(format!("purgeRequested={other} is neither true nor false")));
        }
    };
    front.catalog.commit(Request::DropTable { ident: idents::table(&place)?, purge }).await?;
    Ok(StatusCode::NO_CONTENT)
}
