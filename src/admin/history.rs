//! What happened in a warehouse, what differs between two moments of it, and moving its tables back.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tarn_catalog::Seq;
use tarn_catalog::history::{
    DiffError, Entry, EntryChange, FilesError, HistoryError, InvalidMoment, Point, Refused, RollbackError,
    RollbackMode, RollbackOrder, RollbackTo, RolledBack, TableDiff, TableShape, WarehouseDiff,
};
use tarn_catalog::state::TableIdent;
use tarn_openapi::access::Action;
use tarn_openapi::page;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::functions::{SEPARATOR, ident};
use super::params::{Body, Path, Query, page_size, page_token};
use crate::server::Shared;

/// Commits of a page when `page_size` is not given.
const PAGE_SIZE_DEFAULT: usize = 100;

/// What part of the history to answer.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// Of one table or view: the levels of its namespace joined by %1F.
    namespace: Option<String>,
    /// Of one table or view: its name.
    table: Option<String>,
    /// Where the page before ended.
    page_token: Option<String>,
    /// Commits per page, about; at most 1000.
    page_size: Option<usize>,
}

/// Commits of a warehouse, the newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct WarehouseHistory {
    entries: Vec<HistoryEntry>,
    /// The oldest position whose state can be read.
    oldest_position: u64,
    /// And since when it was there at the latest; milliseconds since 1970.
    oldest_ms: i64,
    /// The last position there is.
    last_position: u64,
    /// Where the next page begins; absent at the end. A page may have no entry and a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A commit.
#[derive(Serialize, utoipa::ToSchema)]
struct HistoryEntry {
    /// The state after it is `<warehouse>@position:<position>`. Commits made together share one.
    position: u64,
    /// Milliseconds since 1970.
    at_ms: i64,
    /// Who asked for it: `root`, `key:<id>`, `tarn` for the server itself, `maintenance`. Absent where an older
    /// version did not note it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// What was asked for, such as `commit tables`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    changes: Vec<HistoryChange>,
}

/// A change of a namespace, table or view.
#[derive(Serialize, utoipa::ToSchema)]
struct HistoryChange {
    /// Such as `table put`: it was created or changed.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Vec<String>>,
    /// Absent of a namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The name it got.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<TableName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    /// The table's current snapshot after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_location: Option<String>,
}

/// The name of a table.
#[derive(Serialize, utoipa::ToSchema)]
struct TableName {
    namespace: Vec<String>,
    name: String,
}

impl From<&Entry> for HistoryEntry {
    fn from(entry: &Entry) -> Self {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        Self {
            position: entry.position.0,
            at_ms: entry.at,
            by: text(&entry.by),
            request: text(&entry.verb),
            changes: entry.changes.iter().map(HistoryChange::from).collect(),
        }
    }
}

impl From<&EntryChange> for HistoryChange {
    fn from(change: &EntryChange) -> Self {
        let name = |ident: &TableIdent| TableName {
            namespace: ident.namespace.levels().to_vec(),
            name: ident.name.to_string(),
        };
        Self {
            kind: change.kind,
            namespace: change.namespace.as_ref().map(|namespace| namespace.levels().to_vec()),
            name: change.name.as_deref().map(str::to_owned),
            to: change.to.as_ref().map(name),
            uuid: change.uuid.map(|uuid| uuid.to_string()),
            snapshot_id: change.snapshot_id,
            metadata_location: change.metadata_location.as_deref().map(str::to_owned),
        }
    }
}

/// Lists the commits that concern a warehouse, or one table or view of it, the newest first.
#[utoipa::path(get, path = "/_admin/v1/warehouses/{warehouse}/history", tag = "History",
    params(("warehouse" = String, Path), HistoryQuery),
    responses(
        (status = 200, description = "The commits, in pages", body = WarehouseHistory),
        (status = 400, description = "The page token or size is not valid", body = ErrorBody),
        (status = 403, description = "Not an administrator", body = ErrorBody),
        (status = 404, description = "There is no such warehouse", body = ErrorBody),
    ))]
pub(super) async fn list(
    caller: Caller,
    State(program): Shared,
    Path(warehouse): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<WarehouseHistory>, Failure> {
    caller.may(Action::AdminReadHistory)?;
    let size = page_size(query.page_size, PAGE_SIZE_DEFAULT)?;
    let before = query.page_token.as_deref().map(position).transpose()?;
    let table = match (query.namespace, query.table) {
        (None, None) => None,
        (Some(namespace), Some(table)) => Some(ident((warehouse.clone(), namespace, table))?),
        (Some(_), None) | (None, Some(_)) => {
            return Err(Failure::Invalid("namespace and table are named together".into()));
        }
    };
    if program.catalog.snapshot().warehouse(&warehouse).is_none() {
        return Err(Failure::Missing(format!("warehouse '{warehouse}' does not exist")));
    }
    let page = program.catalog.history(&warehouse, table.as_ref(), (before, size)).await?;
    Ok(Json(WarehouseHistory {
        entries: page.entries.iter().map(HistoryEntry::from).collect(),
        oldest_position: page.oldest.0.0,
        oldest_ms: page.oldest.1,
        last_position: page.last.0,
        next_page_token: page.before.map(|before| page::encode(&before.0.to_string())),
    }))
}

fn position(token: &str) -> Result<Seq, Failure> {
    page_token(token)?
        .parse()
        .map(Seq)
        .map_err(|_| Failure::Invalid("the page token is not one this server made".into()))
}

/// The two sides of a difference.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// The earlier side: `position:<number>` or a time; of a table also `snapshot:<id>` or `ref:<branch or tag>`.
    from: String,
    /// The later side, the same; absent or `now`: as it is.
    to: Option<String>,
}

/// What differs between two moments of a warehouse.
#[utoipa::path(get, path = "/_admin/v1/warehouses/{warehouse}/diff", tag = "History",
    params(("warehouse" = String, Path), DiffQuery),
    responses(
        (status = 200, description = "Tables, views and namespaces that differ", body = WarehouseDiff),
        (status = 400, description = "A side is no moment", body = ErrorBody),
        (status = 404, description = "There is no such warehouse, or the moment is not kept", body = ErrorBody),
    ))]
pub(super) async fn diff_warehouse(
    caller: Caller,
    State(program): Shared,
    Path(warehouse): Path<String>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<WarehouseDiff>, Failure> {
    caller.may(Action::AdminReadHistory)?;
    let catalog = &program.catalog;
    let from = catalog.position(parse(&query.from)?).await?;
    let to = match query.to.as_deref() {
        None | Some("now") => *catalog.watch().borrow(),
        Some(to) => catalog.position(parse(to)?).await?,
    };
    Ok(Json(catalog.diff_warehouse(&warehouse, from, to).await?))
}

/// What differs between two points of a table: snapshots, schema, partitions, properties, files, rows and bytes.
#[utoipa::path(get, path = "/_admin/v1/tables/{warehouse}/{namespace}/{table}/diff", tag = "History",
    params(
        ("warehouse" = String, Path), ("namespace" = String, Path, description = "Levels joined by %1F"),
        ("table" = String, Path), DiffQuery,
    ),
    responses(
        (status = 200, description = "What differs", body = TableDiff),
        (status = 400, description = "A side is no point", body = ErrorBody),
        (status = 404, description = "There is no such table, snapshot or moment", body = ErrorBody),
        (status = 422, description = "The files cannot be compared", body = ErrorBody),
    ))]
pub(super) async fn diff_table(
    caller: Caller,
    State(program): Shared,
    Path(place): Path<(String, String, String)>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<TableDiff>, Failure> {
    caller.may(Action::AdminReadHistory)?;
    let ident = ident(place)?;
    let (from, to) = (parse(&query.from)?, parse(query.to.as_deref().unwrap_or("now"))?);
    Ok(Json(program.catalog.diff_table(&ident, &from, &to).await?))
}

/// Which tables to roll back, and to what.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackBody {
    /// At most 1000.
    tables: Vec<RollbackName>,
    /// `position:<number>`, a time, or of one table `snapshot:<id>`.
    to: String,
    /// Only tell what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// A table to roll back.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RollbackName {
    namespace: Vec<String>,
    name: String,
    /// Its metadata file as the caller saw it, such as a dry run tells: a table that has another by now is refused.
    seen: Option<String>,
}

/// What happened, or would.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct RollbackAnswer {
    /// Whether it was only told.
    dry_run: bool,
    tables: Vec<RollbackTold>,
}

/// What happened to one table.
#[derive(Serialize, utoipa::ToSchema)]
struct RollbackTold {
    namespace: Vec<String>,
    name: String,
    /// Its metadata file before.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// What changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<TableShape>,
}

impl From<RolledBack> for RollbackTold {
    fn from(table: RolledBack) -> Self {
        let (changes, refused) = match table.outcome {
            Ok(shape) => (Some(*shape), None),
            Err(refused) => (None, Some(refused.to_string())),
        };
        Self {
            namespace: table.ident.namespace.levels().to_vec(),
            name: table.ident.name.to_string(),
            seen: table.seen.map(|seen| seen.to_string()),
            refused,
            changes,
        }
    }
}

/// Moves tables back to one position or time, or a table to a snapshot, by one commit: all or none. Nothing is erased:
/// what was before is in the history. Locations, write paths, format versions, other branches and tags, and properties
/// of Tarn stay.
#[utoipa::path(post, path = "/_admin/v1/warehouses/{warehouse}/rollback", tag = "History",
    params(("warehouse" = String, Path)), request_body = RollbackBody,
    responses(
        (status = 200, description = "What happened, or would", body = RollbackAnswer),
        (status = 400, description = "The order makes no sense", body = ErrorBody),
        (status = 404, description = "The moment is not kept", body = ErrorBody),
        (status = 409, description = "A table is refused, so none was touched", body = ErrorBody),
    ))]
pub(super) async fn rollback(
    caller: Caller,
    Path(warehouse): Path<String>,
    Body(body): Body<RollbackBody>,
) -> Result<Json<RollbackAnswer>, Failure> {
    caller.may(Action::AdminRollbackTables)?;
    let body = body?;
    let to = match parse(&body.to)? {
        Point::Moment(moment) => RollbackTo::Moment(moment),
        Point::Snapshot(id) => RollbackTo::Snapshot(id),
        Point::Now | Point::Ref(_) => {
            return Err(Failure::Invalid("tables go back to a position, a time or a snapshot".into()));
        }
    };
    let named = |RollbackName { namespace, name, seen }| {
        let levels = namespace.join(&SEPARATOR.to_string());
        Ok::<_, Failure>((ident((warehouse.clone(), levels, name))?, seen.map(Arc::from)))
    };
    let tables = body.tables.into_iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let count = tables.len();
    let (order, dry_run) = (RollbackOrder { tables, to }, body.dry_run);
    let mode = if dry_run { RollbackMode::DryRun } else { RollbackMode::Commit };
    let now = jiff::Timestamp::now().as_millisecond();
    let told = caller.catalog().rollback(&order, mode, now).await?;
    if !dry_run {
        tracing::info!(%warehouse, tables = count, to = body.to, "rolled tables back");
    }
    Ok(Json(RollbackAnswer { dry_run, tables: told.into_iter().map(Into::into).collect() }))
}

/// A moment, or a point of a table.
fn parse<T: FromStr<Err = InvalidMoment>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error: InvalidMoment| Failure::Invalid(error.to_string()))
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        let message = error.to_string();
        match error {
            HistoryError::Gone { .. } => Self::Missing(message),
            HistoryError::Future { .. } => Self::Invalid(message),
            HistoryError::Busy { .. } | HistoryError::Store(_) => Self::Busy(message),
            HistoryError::Damaged(source) => {
                tracing::error!(error = %source, "the past of the catalog cannot be read");
                Self::Damaged(message)
            }
        }
    }
}

impl From<DiffError> for Failure {
    fn from(error: DiffError) -> Self {
        let message = error.to_string();
        match error {
            DiffError::History(error) => error.into(),
            DiffError::NoSuchTable(..) | DiffError::NoSuchPoint(..) | DiffError::NoSuchWarehouse(_) => {
                Self::Missing(message)
            }
            DiffError::Load(error) => Self::Catalog(error.into()),
            DiffError::Files(FilesError::Gone(_)) => Self::Missing(message),
            DiffError::Files(FilesError::Store(_)) => Self::Busy(message),
            DiffError::Files(FilesError::Unreadable(_) | FilesError::TooMany | FilesError::NoList(_)) => {
                Self::Damaged(message)
            }
        }
    }
}

impl From<RollbackError> for Failure {
    fn from(error: RollbackError) -> Self {
        let message = error.to_string();
        match error {
            RollbackError::Invalid(_) => Self::Invalid(message),
            RollbackError::History(error) => error.into(),
            RollbackError::Load(error) => Self::Catalog(error.into()),
            RollbackError::Store(_) => Self::Busy(message),
            RollbackError::Refused(tables) => {
                let all_missing = tables.iter().all(|table| match &table.outcome {
                    Err(Refused::NoSuchTable) => true,
                    Ok(_) | Err(_) => false,
                });
                if all_missing { Self::Missing(message) } else { Self::Conflict(message) }
            }
            RollbackError::Commit(error) => Self::Catalog(error),
        }
    }
}
