//! Shares: list, make, show, put, delete.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use tarn_openapi::access::Action;
use tarn_sharing::directory::limits::SHARES_MAX;
use tarn_sharing::directory::{
    Content, DirectoryError, EqualityDeletes, History, NewTable, UnsupportedColumns,
};

use super::super::super::access::Caller;
use super::super::super::error::{ErrorBody, Failure};
use super::super::super::params::{Body, Path};
use super::super::{now_ms, sharer, text};
use super::shapes::{AistorSchema, AistorShare, AistorShareAnswer, AistorShareList, AistorTable};
use super::tokens_of;

/// Lists all shares.
#[utoipa::path(get, path = "/_admin/v1/delta-sharing/shares", tag = "Sharing (AIStor)", responses(
    (status = 200, description = "All shares", body = AistorShareList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(in super::super::super) async fn list(caller: Caller) -> Result<Json<AistorShareList>, Failure> {
    caller.may(Action::SharingListShares)?;
    let shares = caller.sharing().shares(None, SHARES_MAX);
    Ok(Json(AistorShareList { shares: shares.iter().map(AistorShare::from).collect() }))
}

/// Makes a share with its tables.
#[utoipa::path(post, path = "/_admin/v1/delta-sharing/shares", tag = "Sharing (AIStor)", request_body = AistorShare,
    responses(
    (status = 201, description = "Made", body = AistorShareAnswer),
    (status = 400, description = "A name or source is not valid, or it has volumes", body = ErrorBody),
    (status = 403, description = "Not allowed to make shares or to read a table", body = ErrorBody),
    (status = 404, description = "There is nothing where a table should be", body = ErrorBody),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub(in super::super::super) async fn create(
    caller: Caller,
    Body(body): Body<AistorShare>,
) -> Result<Response, Failure> {
    caller.may(Action::SharingCreateShare)?;
    let AistorShare { name, description, schemas, .. } = body?;
    let contents = contents(&caller, schemas.unwrap_or_default())?;
    let share = caller.sharing().create_share_of(&name, text(description), contents, now_ms()).await?;
    tracing::info!(share = %name, "created a share");
    Ok((StatusCode::CREATED, Json(AistorShareAnswer { share: AistorShare::from(&share) })).into_response())
}

/// Shows a share.
#[utoipa::path(get, path = "/_admin/v1/delta-sharing/shares/{share}", tag = "Sharing (AIStor)",
    params(("share" = String, Path)), responses(
    (status = 200, description = "The share", body = AistorShareAnswer),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super::super) async fn show(
    caller: Caller,
    Path(share): Path<String>,
) -> Result<Json<AistorShareAnswer>, Failure> {
    caller.may(Action::SharingGetShare)?;
    Ok(Json(AistorShareAnswer { share: AistorShare::from(&caller.sharing().share(&share)?) }))
}

/// Makes of a share what is told; what is absent stays, and so does a table that has the same source.
#[utoipa::path(put, path = "/_admin/v1/delta-sharing/shares/{share}", tag = "Sharing (AIStor)",
    params(("share" = String, Path)), request_body = AistorShare, responses(
    (status = 200, description = "The share", body = AistorShareAnswer),
    (status = 400, description = "A name or source is not valid, or it has volumes", body = ErrorBody),
    (status = 403, description = "Not allowed to change shares or to read a table", body = ErrorBody),
    (status = 404, description = "There is no such share, or nothing where a table should be", body = ErrorBody),
))]
pub(in super::super::super) async fn update(
    caller: Caller,
    Path(share): Path<String>,
    Body(body): Body<AistorShare>,
) -> Result<Json<AistorShareAnswer>, Failure> {
    caller.may(Action::SharingUpdateShare)?;
    let AistorShare { description, schemas, .. } = body?;
    let contents = schemas.map(|schemas| contents(&caller, schemas)).transpose()?;
    let comment = description.map(|description| text(Some(description)));
    let changed = caller.sharing().replace_share(&share, comment, contents, now_ms()).await?;
    tracing::info!(share, "changed a share");
    Ok(Json(AistorShareAnswer { share: AistorShare::from(&changed) }))
}

/// Deletes a share and its tokens.
#[utoipa::path(delete, path = "/_admin/v1/delta-sharing/shares/{share}", tag = "Sharing (AIStor)",
    params(("share" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super::super) async fn delete(
    caller: Caller,
    Path(share): Path<String>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::SharingDeleteShare)?;
    let directory = caller.sharing();
    let gone = directory.delete_share(&share).await?;
    tracing::info!(share, "deleted a share");
    // Their grants mean nothing without it: one that stays does no harm.
    for (recipient, _) in tokens_of(&caller, &gone) {
        match directory.delete_recipient(&recipient.name).await {
            Ok(_) | Err(DirectoryError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What is told of schemas, as it is kept. The caller must be allowed to read all of it.
fn contents(caller: &Caller, schemas: Vec<AistorSchema>) -> Result<Vec<Content>, Failure> {
    let mut contents = Vec::new();
    for AistorSchema { name, description, tables, volumes } in schemas {
        if volumes.is_some_and(|volumes| !volumes.is_empty()) {
            return Err(Failure::Unserved("volumes are not shared by this server".into()));
        }
        if text(description).is_some() {
            return Err(Failure::Invalid("schemas have no description here".into()));
        }
        contents.push(Content::Schema(name.clone()));
        for AistorTable { name: table, source } in tables.unwrap_or_default() {
            let source = source.read()?;
            contents.push(Content::Table(NewTable {
                schema: name.clone(),
                name: table,
                comment: None,
                by: sharer(caller, &source)?,
                source,
                history: History::default(),
                unsupported_columns: UnsupportedColumns::default(),
                equality_deletes: EqualityDeletes::default(),
            }));
        }
    }
    Ok(contents)
}
