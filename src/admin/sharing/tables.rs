//! Tables of shares: add, show, change, remove.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use tarn_openapi::access::Action;
use tarn_sharing::directory::{
    DirectoryError, EqualityDeletes, History, Named, NewTable, Share, Source, TableChange, UnsupportedColumns,
};

use super::super::access::Caller;
use super::super::error::{ErrorBody, Failure};
use super::super::params::{Body, Path};
use super::shown::ShownTable;
use super::{now_ms, sharer, text};

/// A table to put into a share.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct AddTable {
    /// Made if it is not there.
    schema: String,
    /// Its name in the share.
    name: String,
    /// What it is for.
    comment: Option<String>,
    source: Source,
    #[serde(default)]
    history: History,
    #[serde(default)]
    unsupported_columns: UnsupportedColumns,
    #[serde(default)]
    equality_deletes: EqualityDeletes,
}

/// What to change of a shared table; what is absent stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct AlterTable {
    /// What it is for; an empty one takes it away.
    comment: Option<String>,
    history: Option<History>,
    unsupported_columns: Option<UnsupportedColumns>,
    equality_deletes: Option<EqualityDeletes>,
}

/// Puts a table into a share. The caller must be allowed to read its data, now and at each request of a recipient.
#[utoipa::path(post, path = "/_admin/v1/shares/{share}/tables", tag = "Sharing", params(("share" = String, Path)),
    request_body = AddTable, responses(
    (status = 201, description = "Added", body = ShownTable),
    (status = 400, description = "A name or the source is not valid, or there are too many", body = ErrorBody),
    (status = 403, description = "Not allowed to change the share or to read the table", body = ErrorBody),
    (status = 404, description = "There is no such share, or nothing where the table should be", body = ErrorBody),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub(in super::super) async fn add(
    caller: Caller,
    Path(share): Path<String>,
    Body(body): Body<AddTable>,
) -> Result<Response, Failure> {
    caller.may(Action::SharingUpdateShare)?;
    let AddTable { schema, name, comment, source, history, unsupported_columns, equality_deletes } = body?;
    let source = checked(source)?;
    let by = sharer(&caller, &source)?;
    let new = NewTable {
        schema: schema.clone(),
        name: name.clone(),
        comment: text(comment),
        source,
        by,
        history,
        unsupported_columns,
        equality_deletes,
    };
    let changed = caller.sharing().add_table(&share, new, now_ms()).await?;
    tracing::info!(share, schema, table = %name, "put a table into a share");
    Ok((StatusCode::CREATED, Json(shown(&caller, &changed, (&schema, &name))?)).into_response())
}

/// Shows a table of a share.
#[utoipa::path(get, path = "/_admin/v1/shares/{share}/tables/{schema}/{table}", tag = "Sharing",
    params(("share" = String, Path), ("schema" = String, Path), ("table" = String, Path)), responses(
    (status = 200, description = "The table", body = ShownTable),
    (status = 404, description = "There is no such share or table", body = ErrorBody),
))]
pub(in super::super) async fn show(
    caller: Caller,
    Path((share, schema, table)): Path<(String, String, String)>,
) -> Result<Json<ShownTable>, Failure> {
    caller.may(Action::SharingGetShare)?;
    let share = caller.sharing().share(&share)?;
    Ok(Json(shown(&caller, &share, (&schema, &table))?))
}

/// Changes how a table is shared. Where less of its history may be read, URLs of its files end.
#[utoipa::path(patch, path = "/_admin/v1/shares/{share}/tables/{schema}/{table}", tag = "Sharing",
    params(("share" = String, Path), ("schema" = String, Path), ("table" = String, Path)),
    request_body = AlterTable, responses(
    (status = 200, description = "The table", body = ShownTable),
    (status = 404, description = "There is no such share or table", body = ErrorBody),
))]
pub(in super::super) async fn alter(
    caller: Caller,
    Path((share, schema, table)): Path<(String, String, String)>,
    Body(body): Body<AlterTable>,
) -> Result<Json<ShownTable>, Failure> {
    caller.may(Action::SharingUpdateShare)?;
    let AlterTable { comment, history, unsupported_columns, equality_deletes } = body?;
    let comment = comment.map(|comment| text(Some(comment)));
    let change = TableChange { comment, history, unsupported_columns, equality_deletes };
    let changed = caller.sharing().alter_table(&share, (&schema, &table), change, now_ms()).await?;
    tracing::info!(share, schema, table, "changed a table of a share");
    Ok(Json(shown(&caller, &changed, (&schema, &table))?))
}

/// Removes a table from a share; URLs of its files end. The table itself stays.
#[utoipa::path(delete, path = "/_admin/v1/shares/{share}/tables/{schema}/{table}", tag = "Sharing",
    params(("share" = String, Path), ("schema" = String, Path), ("table" = String, Path)), responses(
    (status = 204, description = "Removed"),
    (status = 404, description = "There is no such share or table", body = ErrorBody),
))]
pub(in super::super) async fn remove(
    caller: Caller,
    Path((share, schema, table)): Path<(String, String, String)>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::SharingUpdateShare)?;
    caller.sharing().remove_table(&share, (&schema, &table), now_ms()).await?;
    tracing::info!(share, schema, table, "removed a table from a share");
    Ok(StatusCode::NO_CONTENT)
}

/// A source as it is kept.
pub(super) fn checked(source: Source) -> Result<Source, DirectoryError> {
    match source {
        Source::Iceberg { .. } => Ok(source),
        Source::Delta { bucket, prefix } => Source::delta(&bucket, &prefix),
    }
}

fn shown(caller: &Caller, share: &Share, (schema, name): (&str, &str)) -> Result<ShownTable, DirectoryError> {
    let table = share.table(schema, name);
    let missing = || DirectoryError::Missing { named: Named::Table, name: format!("{schema}.{name}") };
    table.map(|table| ShownTable::new(table, caller.sharers())).ok_or_else(missing)
}
