//! Shares: list, make, show, change, delete, and their schemas.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tarn_openapi::access::Action;

use super::super::access::Caller;
use super::super::error::{ErrorBody, Failure};
use super::super::params::{Body, Page, Path, Query};
use super::shown::{ListedShare, ShownShare};
use super::{now_ms, text};

/// Shares.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct ShareList {
    shares: Vec<ListedShare>,
    /// Where the next page begins; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A share to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct CreateShare {
    /// At most 255 bytes, no white space, no `/`. Case counts for nothing.
    name: String,
    /// What it is for.
    comment: Option<String>,
}

/// What to change of a share.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct AlterShare {
    /// What it is for; an empty one takes it away.
    comment: String,
}

/// Lists the shares.
#[utoipa::path(get, path = "/_admin/v1/shares", tag = "Sharing", params(Page), responses(
    (status = 200, description = "Shares by name, in pages", body = ShareList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(in super::super) async fn list(
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<ShareList>, Failure> {
    caller.may(Action::SharingListShares)?;
    let listed = |after: Option<&str>, most| {
        let shares = caller.sharing().shares(after, most);
        shares.iter().map(ListedShare::from).collect()
    };
    let (shares, next_page_token) = page.of(listed, |share: &ListedShare| &share.name)?;
    Ok(Json(ShareList { shares, next_page_token }))
}

/// Makes a share without tables. Nobody reads it until it is granted.
#[utoipa::path(post, path = "/_admin/v1/shares", tag = "Sharing", request_body = CreateShare, responses(
    (status = 201, description = "Made", body = ShownShare),
    (status = 400, description = "The name is not valid, or there are too many", body = ErrorBody),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub(in super::super) async fn create(
    caller: Caller,
    Body(body): Body<CreateShare>,
) -> Result<Response, Failure> {
    caller.may(Action::SharingCreateShare)?;
    let CreateShare { name, comment } = body?;
    let share = caller.sharing().create_share(&name, text(comment), now_ms()).await?;
    tracing::info!(share = %name, "created a share");
    Ok((StatusCode::CREATED, Json(ShownShare::new(&share, caller.sharers()))).into_response())
}

/// Shows a share with its tables.
#[utoipa::path(get, path = "/_admin/v1/shares/{share}", tag = "Sharing", params(("share" = String, Path)), responses(
    (status = 200, description = "The share", body = ShownShare),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super) async fn show(
    caller: Caller,
    Path(share): Path<String>,
) -> Result<Json<ShownShare>, Failure> {
    caller.may(Action::SharingGetShare)?;
    Ok(Json(ShownShare::new(&caller.sharing().share(&share)?, caller.sharers())))
}

/// Changes what a share is for.
#[utoipa::path(patch, path = "/_admin/v1/shares/{share}", tag = "Sharing", params(("share" = String, Path)),
    request_body = AlterShare, responses(
    (status = 200, description = "The share", body = ShownShare),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super) async fn alter(
    caller: Caller,
    Path(share): Path<String>,
    Body(body): Body<AlterShare>,
) -> Result<Json<ShownShare>, Failure> {
    caller.may(Action::SharingUpdateShare)?;
    let AlterShare { comment } = body?;
    let changed = caller.sharing().alter_share(&share, text(Some(comment)), now_ms()).await?;
    tracing::info!(share, "changed a share");
    Ok(Json(ShownShare::new(&changed, caller.sharers())))
}

/// Deletes a share. What was granted of it is not readable any more, by URLs that are out neither.
#[utoipa::path(delete, path = "/_admin/v1/shares/{share}", tag = "Sharing", params(("share" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super) async fn delete(
    caller: Caller,
    Path(share): Path<String>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::SharingDeleteShare)?;
    caller.sharing().delete_share(&share).await?;
    tracing::info!(share, "deleted a share");
    Ok(StatusCode::NO_CONTENT)
}

/// Adds a schema without tables. Adding a table makes its schema, too.
#[utoipa::path(put, path = "/_admin/v1/shares/{share}/schemas/{schema}", tag = "Sharing",
    params(("share" = String, Path), ("schema" = String, Path)), responses(
    (status = 204, description = "Added"),
    (status = 404, description = "There is no such share", body = ErrorBody),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub(in super::super) async fn add_schema(
    caller: Caller,
    Path((share, schema)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::SharingUpdateShare)?;
    caller.sharing().add_schema(&share, &schema, now_ms()).await?;
    tracing::info!(share, schema, "added a schema to a share");
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a schema without tables.
#[utoipa::path(delete, path = "/_admin/v1/shares/{share}/schemas/{schema}", tag = "Sharing",
    params(("share" = String, Path), ("schema" = String, Path)), responses(
    (status = 204, description = "Removed"),
    (status = 404, description = "There is no such share or schema", body = ErrorBody),
    (status = 409, description = "It has tables", body = ErrorBody),
))]
pub(in super::super) async fn remove_schema(
    caller: Caller,
    Path((share, schema)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::SharingUpdateShare)?;
    caller.sharing().remove_schema(&share, &schema, now_ms()).await?;
    tracing::info!(share, schema, "removed a schema from a share");
    Ok(StatusCode::NO_CONTENT)
}
