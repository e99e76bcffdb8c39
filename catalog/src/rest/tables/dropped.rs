//! `GET /v1/{prefix}/dropped-tables`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tarn_openapi::access::{Action, Resource};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::rest::access::Caller;
use crate::rest::body::Query;
use crate::rest::error::{ErrorEnvelope, Failure};
use crate::rest::page::PageQuery;
use crate::rest::path::Place;
use crate::rest::{Front, idents};
use crate::state::{DroppedTable, Purge};

/// Dropped tables, in an order that stays.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ListDroppedTablesResponse {
    next_page_token: Option<String>,
    tables: Vec<DroppedTableBody>,
}

/// A dropped table that is kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = DroppedTable)]
pub(crate) struct DroppedTableBody {
    /// Of this drop.
    #[schema(value_type = String)]
    id: Uuid,
    namespace: Vec<String>,
    /// The name it had.
    name: String,
    #[schema(value_type = String)]
    table_uuid: Uuid,
    metadata_location: String,
    /// Milliseconds since 1970.
    dropped_at_ms: i64,
    /// It goes then; milliseconds since 1970.
    kept_until_ms: i64,
    /// Whether its files are deleted when it goes.
    purge: bool,
}

impl From<&DroppedTable> for DroppedTableBody {
    fn from(dropped: &DroppedTable) -> Self {
        Self {
            id: dropped.id,
            namespace: dropped.ident.namespace.levels().to_vec(),
            name: dropped.ident.name.to_string(),
            table_uuid: dropped.entry.uuid,
            metadata_location: dropped.entry.metadata_location.to_string(),
            dropped_at_ms: dropped.at,
            kept_until_ms: dropped.until,
            purge: dropped.purge == Purge::Files,
        }
    }
}

/// The dropped tables of a warehouse that can be undropped.
#[utoipa::path(
    get, path = "/v1/{prefix}/dropped-tables", tag = "Dropped tables", params(("prefix" = String, Path), PageQuery),
    responses(
        (status = 200, description = "The tables", body = ListDroppedTablesResponse),
        (status = 404, description = "There is no such warehouse", body = ErrorEnvelope),
    )
)]
pub(crate) async fn dropped(
    State(front): State<Arc<Front>>,
    caller: Caller,
    place: Place,
    Query(page): Query<PageQuery>,
) -> Result<Json<ListDroppedTablesResponse>, Failure> {
    front.allow(&caller, Action::ListTables, Resource::Bucket(&place.warehouse))?;
    let window = page.window()?;
    let state = front.catalog.snapshot();
    idents::existing_warehouse(&state, &place.warehouse)?;
    let after = window.after().map(Uuid::parse_str).transpose();
    let after = after.map_err(|_| Failure::bad_request("the page token is not valid"))?;
    let all = state.dropped_tables(after).filter(|dropped| dropped.ident.warehouse == place.warehouse);
    let (found, next_page_token) = window.clone().cut(all, |dropped| dropped.id.to_string());
    let tables = found.into_iter().map(|dropped| (&**dropped).into()).collect();
    Ok(Json(ListDroppedTablesResponse { next_page_token, tables }))
}
