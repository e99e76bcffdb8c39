//! Grants: which recipient may read which share, and which rows of it.

use axum::Json;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tarn_openapi::access::Action;
use tarn_sharing::directory::Filters;

use super::super::access::Caller;
use super::super::error::{ErrorBody, Failure};
use super::super::params::{Body, Path};
use super::now_ms;
use super::shown::ShownGrant;

/// Those who may read a share.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct GrantList {
    grants: Vec<ShownGrant>,
}

/// Which rows.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct PutGrant {
    /// By `schema.table`: all filters of a table hold, each `{"column": .., "values": {"in": [..]}}` or with
    /// `{"property": ".."}` as its values. Of tables that are not named all rows are read, of those that come later, too.
    #[serde(default)]
    #[schema(value_type = Object)]
    filters: Filters,
}

/// Lists those who may read a share.
#[utoipa::path(get, path = "/_admin/v1/shares/{share}/grants", tag = "Sharing", params(("share" = String, Path)),
    responses(
    (status = 200, description = "The grants, by recipient", body = GrantList),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super) async fn list(
    caller: Caller,
    Path(share): Path<String>,
) -> Result<Json<GrantList>, Failure> {
    caller.may(Action::SharingGetShare)?;
    let directory = caller.sharing();
    let share = directory.share(&share)?;
    let grantees = directory.grantees(&share);
    let grants = grantees.iter().map(|(to, grant)| ShownGrant::new(&to.name, &share.name, grant));
    Ok(Json(GrantList { grants: grants.collect() }))
}

/// Lets a recipient read a share, in the place of the grant it has. Where the rows change, URLs that are out end.
#[utoipa::path(put, path = "/_admin/v1/shares/{share}/grants/{recipient}", tag = "Sharing",
    params(("share" = String, Path), ("recipient" = String, Path)), request_body = PutGrant, responses(
    (status = 200, description = "Granted", body = ShownGrant),
    (status = 400, description = "A row filter is not valid", body = ErrorBody),
    (status = 404, description = "There is no such share, recipient or table", body = ErrorBody),
))]
pub(in super::super) async fn put(
    caller: Caller,
    Path((share, recipient)): Path<(String, String)>,
    Body(body): Body<PutGrant>,
) -> Result<Json<ShownGrant>, Failure> {
    caller.may(Action::SharingCreateGrant)?;
    let PutGrant { filters } = body?;
    let grant = caller.sharing().grant(&recipient, &share, filters, now_ms()).await?;
    tracing::info!(share, recipient, "granted a share");
    Ok(Json(ShownGrant::new(&recipient, &share, &grant)))
}

/// Takes a grant back. The recipient reads nothing of the share any more, by URLs that are out neither.
#[utoipa::path(delete, path = "/_admin/v1/shares/{share}/grants/{recipient}", tag = "Sharing",
    params(("share" = String, Path), ("recipient" = String, Path)), responses(
    (status = 204, description = "Revoked"),
    (status = 404, description = "There is no such recipient or grant", body = ErrorBody),
))]
pub(in super::super) async fn delete(
    caller: Caller,
    Path((share, recipient)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::SharingDeleteGrant)?;
    caller.sharing().revoke(&recipient, &share).await?;
    tracing::info!(share, recipient, "revoked a grant");
    Ok(StatusCode::NO_CONTENT)
}
