//! Users: list, create, show, delete, enable and disable, policies, a new secret.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tarn_openapi::access::Action;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Body, Page, Path, Query};
use crate::identity::{Change, ListedUser, NewUser, Secret, Status};

/// Users, without their secrets.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct UserList {
    users: Vec<ListedUser>,
    /// Where the next page begins; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A user to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateUser {
    /// The name, which is the access key id.
    name: String,
    /// The secret key; generated when not given.
    secret: Option<String>,
    /// Names of policies to attach.
    #[serde(default)]
    policies: Vec<String>,
    /// Groups to be in.
    #[serde(default)]
    groups: Vec<String>,
}

/// A secret just made. It is told only here.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct UserSecret {
    name: String,
    secret: String,
}

/// Whether it counts.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetStatus {
    pub(super) status: Status,
}

/// Lists the users.
#[utoipa::path(get, path = "/_admin/v1/users", tag = "Users", params(Page), responses(
    (status = 200, description = "Users by name, in pages", body = UserList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(super) async fn list(caller: Caller, Query(page): Query<Page>) -> Result<Json<UserList>, Failure> {
    caller.may(Action::ListUsers)?;
    let (users, next_page_token) =
        page.of(|after, most| caller.directory().users(after, most), |user| &user.name)?;
    Ok(Json(UserList { users, next_page_token }))
}

/// Makes a user. Giving it policies or groups takes the rights to that, too.
#[utoipa::path(post, path = "/_admin/v1/users", tag = "Users", request_body = CreateUser, responses(
    (status = 201, description = "Made; the secret is told only now", body = UserSecret),
    (status = 400, description = "The name or secret is not valid", body = ErrorBody),
    (status = 404, description = "There is no such policy or group", body = ErrorBody),
    (status = 409, description = "The access key id is taken", body = ErrorBody),
))]
pub(super) async fn create(caller: Caller, Body(body): Body<CreateUser>) -> Result<Response, Failure> {
    caller.may(Action::CreateUser)?;
    let CreateUser { name, secret, policies, groups } = body?;
    if !policies.is_empty() {
        caller.may_associate()?;
    }
    if !groups.is_empty() {
        caller.may(Action::AddUserToGroup)?;
    }
    let new = NewUser { name: name.clone(), secret: secret.map(Secret::new), policies, groups };
    let secret = caller.directory().create_user(new, jiff::Timestamp::now()).await?;
    tracing::info!(user = %name, "created a user");
    let told = UserSecret { name, secret: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

/// Shows a user. A user may see itself.
#[utoipa::path(get, path = "/_admin/v1/users/{name}", tag = "Users", params(("name" = String, Path)), responses(
    (status = 200, description = "The user, without its secret", body = ListedUser),
    (status = 404, description = "There is no such user", body = ErrorBody),
))]
pub(super) async fn show(caller: Caller, Path(name): Path<String>) -> Result<Json<ListedUser>, Failure> {
    if caller.user().as_deref() == Some(&name) {
        caller.not_denied(Action::GetUser)?;
    } else {
        caller.may(Action::GetUser)?;
    }
    Ok(Json(caller.directory().user(&name)?))
}

/// Deletes a user with its service accounts.
#[utoipa::path(delete, path = "/_admin/v1/users/{name}", tag = "Users", params(("name" = String, Path)), responses(
    (status = 204, description = "Deleted: its next request is refused, and those of its sessions and service accounts"),
    (status = 404, description = "There is no such user", body = ErrorBody),
))]
pub(super) async fn delete(caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    caller.may(Action::DeleteUser)?;
    caller.directory().delete_user(&name).await?;
    tracing::info!(user = %name, "deleted a user");
    Ok(StatusCode::NO_CONTENT)
}

/// Enables or disables a user.
#[utoipa::path(put, path = "/_admin/v1/users/{name}/status", tag = "Users", params(("name" = String, Path)),
    request_body = SetStatus, responses(
    (status = 204, description = "It counts for the next request"),
    (status = 404, description = "There is no such user", body = ErrorBody),
))]
pub(super) async fn set_status(
    caller: Caller,
    Path(name): Path<String>,
    Body(body): Body<SetStatus>,
) -> Result<StatusCode, Failure> {
    let status = wanted_status(&caller, body, Action::EnableUser, Action::DisableUser)?;
    caller.directory().set_user_status(&name, status).await?;
    tracing::info!(user = %name, ?status, "changed the status of a user");
    Ok(StatusCode::NO_CONTENT)
}

/// The status that is asked for, by whom it may be.
pub(super) fn wanted_status(
    caller: &Caller,
    body: Result<SetStatus, Failure>,
    enable: Action,
    disable: Action,
) -> Result<Status, Failure> {
    // Who may do neither is told nothing of the body.
    let SetStatus { status } =
        body.map_err(|invalid| caller.may_either(enable, disable).err().unwrap_or(invalid))?;
    match status {
        Status::Enabled => caller.may(enable)?,
        Status::Disabled => caller.may(disable)?,
    }
    Ok(status)
}

/// Gives a user a new secret key. A user may renew its own unless that is denied.
#[utoipa::path(post, path = "/_admin/v1/users/{name}/secret", tag = "Users", params(("name" = String, Path)), responses(
    (status = 200, description = "The new secret, told only now; the old one ends with all tokens and sessions of it", body = UserSecret),
    (status = 404, description = "There is no such user", body = ErrorBody),
))]
pub(super) async fn renew_secret(
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<UserSecret>, Failure> {
    caller.may_as(Action::CreateUser, &name)?;
    let secret = caller.directory().renew_secret(&name).await?;
    tracing::info!(user = %name, "renewed the secret of a user");
    Ok(Json(UserSecret { name, secret: secret.expose().to_owned() }))
}

/// Attaches a policy to a user.
#[utoipa::path(put, path = "/_admin/v1/users/{name}/policies/{policy}", tag = "Users",
    params(("name" = String, Path), ("policy" = String, Path)), responses(
    (status = 204, description = "Attached; it counts for the next request"),
    (status = 404, description = "There is no such user or policy", body = ErrorBody),
))]
pub(super) async fn attach(
    caller: Caller,
    Path((name, policy)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    change(caller, &name, &policy, Change::Add).await
}

/// Detaches a policy from a user.
#[utoipa::path(delete, path = "/_admin/v1/users/{name}/policies/{policy}", tag = "Users",
    params(("name" = String, Path), ("policy" = String, Path)), responses(
    (status = 204, description = "Not attached any more"),
    (status = 404, description = "There is no such user", body = ErrorBody),
))]
pub(super) async fn detach(
    caller: Caller,
    Path((name, policy)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    change(caller, &name, &policy, Change::Remove).await
}

async fn change(caller: Caller, name: &str, policy: &str, change: Change) -> Result<StatusCode, Failure> {
    caller.may_associate()?;
    caller.directory().change_user_policy(name, policy, change).await?;
    tracing::info!(user = name, policy, ?change, "changed the policies of a user");
    Ok(StatusCode::NO_CONTENT)
}
