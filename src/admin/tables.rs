//! Drops that override protection, and the dropped tables of all warehouses. Who may only use the catalog lists and
//! undrops those of a warehouse there.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tarn_catalog::state::{
    DropTable, DroppedTable, Guard, Namespace, Purge, Request, TableIdent, UndropTable,
};
use tarn_openapi::access::Action;
use tarn_openapi::page;
use uuid::Uuid;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::functions::{SEPARATOR, ident};
use super::params::{Body, Page, Path, Query};
use crate::server::Shared;

/// How to drop a table.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DropQuery {
    /// Delete its files when it is kept no more.
    #[serde(default)]
    purge: bool,
    /// Drop it even if it is protected.
    #[serde(default)]
    force: bool,
}

/// How to drop a namespace.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DropNamespaceQuery {
    /// Drop it even if it is protected. It must be empty all the same.
    #[serde(default)]
    force: bool,
}

/// The dropped tables that are kept, in an order that stays.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct DroppedTableList {
    tables: Vec<KeptTable>,
    /// Where the next page begins; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A dropped table that is kept.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct KeptTable {
    /// Of this drop.
    id: String,
    warehouse: String,
    namespace: Vec<String>,
    /// The name it had.
    name: String,
    table_uuid: String,
    metadata_location: String,
    /// Milliseconds since 1970.
    dropped_at_ms: i64,
    /// It goes then; milliseconds since 1970.
    kept_until_ms: i64,
    /// Whether its files are deleted when it goes.
    purge: bool,
}

impl From<&DroppedTable> for KeptTable {
    fn from(dropped: &DroppedTable) -> Self {
        Self {
            id: dropped.id.to_string(),
            warehouse: dropped.ident.warehouse.to_string(),
            namespace: dropped.ident.namespace.levels().to_vec(),
            name: dropped.ident.name.to_string(),
            table_uuid: dropped.entry.uuid.to_string(),
            metadata_location: dropped.entry.metadata_location.to_string(),
            dropped_at_ms: dropped.at,
            kept_until_ms: dropped.until,
            purge: dropped.purge == Purge::Files,
        }
    }
}

/// The name a table gets that is undropped.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UndropBody {
    /// Absent: the one it had.
    namespace: Option<Vec<String>>,
    /// Absent: the one it had.
    name: Option<String>,
}

/// Drops a table; with `force` also one that is protected. It is kept as if a client had dropped it.
#[utoipa::path(delete, path = "/_admin/v1/tables/{warehouse}/{namespace}/{table}", tag = "Tables",
    params(
        ("warehouse" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path), DropQuery,
    ),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "There is no such table", body = ErrorBody),
        (status = 409, description = "It is protected", body = ErrorBody),
    ))]
pub(super) async fn drop(
    caller: Caller,
    State(program): Shared,
    Path(place): Path<(String, String, String)>,
    Query(query): Query<DropQuery>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::AdminDropTable)?;
    let ident = ident(place)?;
    let request = Request::DropTable(DropTable {
        ident: ident.clone(),
        purge: if query.purge { Purge::Files } else { Purge::Keep },
        guard: guard(query.force),
        keep_ms: program.catalog.keep_dropped_ms(),
    });
    caller.catalog().commit(request).await?;
    tracing::info!(table = %ident, force = query.force, "dropped a table");
    Ok(StatusCode::NO_CONTENT)
}

/// Drops an empty namespace; with `force` also one that is protected.
#[utoipa::path(delete, path = "/_admin/v1/namespaces/{warehouse}/{namespace}", tag = "Tables",
    params(
        ("warehouse" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        DropNamespaceQuery,
    ),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "There is no such namespace", body = ErrorBody),
        (status = 409, description = "It is protected or not empty", body = ErrorBody),
    ))]
pub(super) async fn drop_namespace(
    caller: Caller,
    Path((warehouse, namespace)): Path<(String, String)>,
    Query(query): Query<DropNamespaceQuery>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::AdminDropNamespace)?;
    let namespace = levels(namespace.split(SEPARATOR).map(str::to_owned).collect())?;
    let request =
        Request::DropNamespace { warehouse: warehouse.into(), namespace, guard: guard(query.force) };
    caller.catalog().commit(request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the dropped tables of all warehouses that can be undropped.
#[utoipa::path(get, path = "/_admin/v1/dropped-tables", tag = "Tables", params(Page), responses(
    (status = 200, description = "The tables, in pages", body = DroppedTableList),
    (status = 400, description = "The page token or size is not valid", body = ErrorBody),
    (status = 403, description = "Not an administrator", body = ErrorBody),
))]
pub(super) async fn list_dropped(
    caller: Caller,
    State(program): Shared,
    Query(page): Query<Page>,
) -> Result<Json<DroppedTableList>, Failure> {
    caller.may(Action::AdminListDroppedTables)?;
    let (after, size) = page.bounds()?;
    let after = after.as_deref().map(drop_id).transpose()?;
    let state = program.catalog.snapshot();
    let mut found = state.dropped_tables(after);
    let tables: Vec<KeptTable> = found.by_ref().take(size).map(|dropped| (&**dropped).into()).collect();
    let more = found.next().is_some();
    let next_page_token = tables.last().filter(|_| more).map(|last| page::encode(&last.id));
    Ok(Json(DroppedTableList { tables, next_page_token }))
}

/// Ends the keeping of a dropped table before its time. It cannot be undropped any more, and if its drop asked for a
/// purge its files are deleted.
#[utoipa::path(delete, path = "/_admin/v1/dropped-tables/{id}", tag = "Tables", params(("id" = String, Path)),
    responses(
        (status = 204, description = "It is kept no more"),
        (status = 404, description = "No such dropped table is kept", body = ErrorBody),
    ))]
pub(super) async fn remove_dropped(caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    caller.may(Action::AdminRemoveDroppedTable)?;
    let id = drop_id(&id)?;
    caller.catalog().commit(Request::RemoveDropped { id }).await?;
    tracing::info!(%id, "a dropped table is kept no more");
    Ok(StatusCode::NO_CONTENT)
}

/// Brings a dropped table back, also under another name.
#[utoipa::path(post, path = "/_admin/v1/dropped-tables/{id}/undrop", tag = "Tables", params(("id" = String, Path)),
    request_body = UndropBody,
    responses(
        (status = 204, description = "It is there again"),
        (status = 404, description = "No such dropped table is kept, or the namespace is gone", body = ErrorBody),
        (status = 409, description = "The name is taken", body = ErrorBody),
    ))]
pub(super) async fn undrop(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
    Body(body): Body<UndropBody>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::AdminUndropTable)?;
    let UndropBody { namespace, name } = body?;
    let id = drop_id(&id)?;
    let state = program.catalog.snapshot();
    let found = state.dropped_table(&id);
    let ident =
        found.ok_or_else(|| Failure::Missing(format!("no dropped table with the id {id} is kept")))?;
    let ident = ident.ident.clone();
    let namespace = namespace.map(levels).transpose()?.unwrap_or_else(|| ident.namespace.clone());
    let name = name.unwrap_or_else(|| ident.name.to_string());
    let to = TableIdent::new(ident.warehouse.clone(), namespace, name);
    let to = to.map_err(|error| Failure::Invalid(error.to_string()))?;
    caller.catalog().commit(Request::UndropTable(UndropTable { ident, id: Some(id), to: Some(to) })).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn guard(force: bool) -> Guard {
    if force { Guard::Override } else { Guard::Respect }
}

fn levels(levels: Vec<String>) -> Result<Namespace, Failure> {
    Namespace::new(levels).map_err(|error| Failure::Invalid(error.to_string()))
}

fn drop_id(text: &str) -> Result<Uuid, Failure> {
    Uuid::parse_str(text).map_err(|_| Failure::Invalid(format!("{text:?} is no id of a dropped table")))
}
