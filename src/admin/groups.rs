//! Groups: list, create, show, delete, enable and disable, policies, members.

use axum::Json;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tarn_openapi::access::Action;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Body, Path};
use super::users::{SetStatus, wanted_status};
use crate::identity::{Change, ListedGroup};

/// All groups.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct GroupList {
    groups: Vec<ListedGroup>,
}

/// A group to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateGroup {
    name: String,
    /// Names of policies to attach.
    #[serde(default)]
    policies: Vec<String>,
}

/// Lists the groups.
#[utoipa::path(get, path = "/_admin/v1/groups", tag = "Groups", responses(
    (status = 200, description = "All groups, by name; there are at most 1,000", body = GroupList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(super) async fn list(caller: Caller) -> Result<Json<GroupList>, Failure> {
    caller.may(Action::ListGroups)?;
    Ok(Json(GroupList { groups: caller.directory().groups() }))
}

/// Makes a group without members.
#[utoipa::path(post, path = "/_admin/v1/groups", tag = "Groups", request_body = CreateGroup, responses(
    (status = 201, description = "Made", body = ListedGroup),
    (status = 400, description = "The name is not valid", body = ErrorBody),
    (status = 404, description = "There is no such policy", body = ErrorBody),
    (status = 409, description = "There is a group of this name", body = ErrorBody),
))]
pub(super) async fn create(
    caller: Caller,
    Body(body): Body<CreateGroup>,
) -> Result<(StatusCode, Json<ListedGroup>), Failure> {
    caller.may(Action::AddUserToGroup)?;
    let CreateGroup { name, policies } = body?;
    if !policies.is_empty() {
        caller.may_associate()?;
    }
    caller.directory().create_group(&name, &policies, jiff::Timestamp::now()).await?;
    tracing::info!(group = %name, "created a group");
    Ok((StatusCode::CREATED, Json(caller.directory().group(&name)?)))
}

/// Shows a group with its members.
#[utoipa::path(get, path = "/_admin/v1/groups/{name}", tag = "Groups", params(("name" = String, Path)), responses(
    (status = 200, description = "The group", body = ListedGroup),
    (status = 404, description = "There is no such group", body = ErrorBody),
))]
pub(super) async fn show(caller: Caller, Path(name): Path<String>) -> Result<Json<ListedGroup>, Failure> {
    caller.may(Action::GetGroup)?;
    Ok(Json(caller.directory().group(&name)?))
}

/// Deletes a group without members.
#[utoipa::path(delete, path = "/_admin/v1/groups/{name}", tag = "Groups", params(("name" = String, Path)), responses(
    (status = 204, description = "Deleted"),
    (status = 404, description = "There is no such group", body = ErrorBody),
    (status = 409, description = "It has members", body = ErrorBody),
))]
pub(super) async fn delete(caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    caller.may(Action::RemoveUserFromGroup)?;
    caller.directory().delete_group(&name).await?;
    tracing::info!(group = %name, "deleted a group");
    Ok(StatusCode::NO_CONTENT)
}

/// Enables or disables a group.
#[utoipa::path(put, path = "/_admin/v1/groups/{name}/status", tag = "Groups", params(("name" = String, Path)),
    request_body = SetStatus, responses(
    (status = 204, description = "It counts for the next request"),
    (status = 404, description = "There is no such group", body = ErrorBody),
))]
pub(super) async fn set_status(
    caller: Caller,
    Path(name): Path<String>,
    Body(body): Body<SetStatus>,
) -> Result<StatusCode, Failure> {
    let status = wanted_status(&caller, body, Action::EnableGroup, Action::DisableGroup)?;
    caller.directory().set_group_status(&name, status).await?;
    tracing::info!(group = %name, ?status, "changed the status of a group");
    Ok(StatusCode::NO_CONTENT)
}

/// Attaches a policy to a group.
#[utoipa::path(put, path = "/_admin/v1/groups/{name}/policies/{policy}", tag = "Groups",
    params(("name" = String, Path), ("policy" = String, Path)), responses(
    (status = 204, description = "Attached; it counts for the next request"),
    (status = 404, description = "There is no such group or policy", body = ErrorBody),
))]
pub(super) async fn attach(
    caller: Caller,
    Path((name, policy)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    change_policy(caller, &name, &policy, Change::Add).await
}

/// Detaches a policy from a group.
#[utoipa::path(delete, path = "/_admin/v1/groups/{name}/policies/{policy}", tag = "Groups",
    params(("name" = String, Path), ("policy" = String, Path)), responses(
    (status = 204, description = "Not attached any more"),
    (status = 404, description = "There is no such group", body = ErrorBody),
))]
pub(super) async fn detach(
    caller: Caller,
    Path((name, policy)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    change_policy(caller, &name, &policy, Change::Remove).await
}

async fn change_policy(
    caller: Caller,
    name: &str,
    policy: &str,
    change: Change,
) -> Result<StatusCode, Failure> {
    caller.may_associate()?;
    caller.directory().change_group_policy(name, policy, change).await?;
    tracing::info!(group = name, policy, ?change, "changed the policies of a group");
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a user into a group.
#[utoipa::path(put, path = "/_admin/v1/groups/{name}/members/{user}", tag = "Groups",
    params(("name" = String, Path), ("user" = String, Path)), responses(
    (status = 204, description = "It is in; the group's policies count for its next request"),
    (status = 404, description = "There is no such group or user", body = ErrorBody),
))]
pub(super) async fn add_member(
    caller: Caller,
    Path((name, user)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::AddUserToGroup)?;
    caller.directory().change_member(&name, &user, Change::Add).await?;
    tracing::info!(group = %name, %user, "put a user into a group");
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a user out of a group.
#[utoipa::path(delete, path = "/_admin/v1/groups/{name}/members/{user}", tag = "Groups",
    params(("name" = String, Path), ("user" = String, Path)), responses(
    (status = 204, description = "It is not in any more"),
    (status = 404, description = "There is no such group or user", body = ErrorBody),
))]
pub(super) async fn remove_member(
    caller: Caller,
    Path((name, user)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::RemoveUserFromGroup)?;
    caller.directory().change_member(&name, &user, Change::Remove).await?;
    tracing::info!(group = %name, %user, "took a user out of a group");
    Ok(StatusCode::NO_CONTENT)
}
