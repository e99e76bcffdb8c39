//! Service accounts: list, create, show, delete, enable and disable, the policy they are held to.
//!
//! - C1: who signs with a service account has its user's rights. So a user makes and changes its own unless that is
//!   denied; to do it for another user takes the right to hand out policies, too; for root only root does it.
//! - C2: sessions and service accounts make and change none: they may be held to less than what they make.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tarn_openapi::access::{Action, Principal};

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Body, Page, Path, Query, Text};
use super::users::SetStatus;
use crate::identity::{ListedServiceAccount, NewServiceAccount};
use crate::server::Shared;

/// Service accounts, without their secrets.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ServiceAccountList {
    service_accounts: Vec<ListedServiceAccount>,
    /// Where the next page begins; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// Whose to list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// Only those of this user. Who may not list all lists its own.
    user: Option<String>,
}

/// A service account to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateServiceAccount {
    /// Whose; the caller's own when not given.
    user: Option<String>,
    /// Its access key id; generated when not given.
    id: Option<String>,
    /// A policy it is held to; when not given it may do what its user may.
    #[schema(value_type = Option<Object>)]
    policy: Option<Box<RawValue>>,
    /// What it is for, at most 256 bytes.
    description: Option<String>,
}

/// A service account just made. The secret is told only here.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CreatedServiceAccount {
    id: String,
    secret: String,
}

/// Lists service accounts.
#[utoipa::path(get, path = "/_admin/v1/service-accounts", tag = "Service accounts", params(Whose, Page), responses(
    (status = 200, description = "Service accounts by id, in pages", body = ServiceAccountList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(super) async fn list(
    caller: Caller,
    Query(Whose { user }): Query<Whose>,
    Query(page): Query<Page>,
) -> Result<Json<ServiceAccountList>, Failure> {
    let own = caller.user().map(|name| name.to_string());
    let of = match (user, own) {
        (None, Some(own)) if caller.may(Action::ListServiceAccounts).is_err() => Some(own),
        (user, _) => user,
    };
    allow_look(&caller, of.as_deref())?;
    let (service_accounts, next_page_token) = page.of(
        |after, most| caller.directory().service_accounts(of.as_deref(), after, most),
        |account| &account.id,
    )?;
    Ok(Json(ServiceAccountList { service_accounts, next_page_token }))
}

/// Makes a service account.
#[utoipa::path(post, path = "/_admin/v1/service-accounts", tag = "Service accounts",
    request_body = CreateServiceAccount, responses(
    (status = 201, description = "Made; the secret is told only now", body = CreatedServiceAccount),
    (status = 400, description = "The policy, id or description is not valid", body = ErrorBody),
    (status = 403, description = "Not allowed", body = ErrorBody),
    (status = 404, description = "There is no such user", body = ErrorBody),
    (status = 409, description = "The access key id is taken", body = ErrorBody),
))]
pub(super) async fn create(
    caller: Caller,
    State(program): Shared,
    Body(body): Body<CreateServiceAccount>,
) -> Result<(StatusCode, Json<CreatedServiceAccount>), Failure> {
    caller.acts_for_itself()?;
    let CreateServiceAccount { user, id, policy, description } = body?;
    let parent = match (user, caller.user()) {
        (Some(name), _) => Some(name).filter(|name| *name != program.identity.keyring().root_id()),
        (None, Some(own)) => Some(own.to_string()),
        (None, None) if caller.principal == Principal::Root => None,
        (None, None) => {
            caller.may(Action::CreateServiceAccount)?;
            return Err(Failure::Invalid("an access key that is no user's must name a user".into()));
        }
    };
    allow_change(&caller, Action::CreateServiceAccount, parent.as_deref())?;
    let policy = policy.map(|policy| policy.get().to_owned());
    let new = NewServiceAccount { id, parent, policy, description };
    let (id, secret) = caller.directory().create_service_account(new, jiff::Timestamp::now()).await?;
    tracing::info!(key.id = %id, "created a service account");
    let created = CreatedServiceAccount { id, secret: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Shows a service account.
#[utoipa::path(get, path = "/_admin/v1/service-accounts/{id}", tag = "Service accounts",
    params(("id" = String, Path)), responses(
    (status = 200, description = "The service account, without its secret", body = ListedServiceAccount),
    (status = 404, description = "There is no such service account", body = ErrorBody),
))]
pub(super) async fn show(
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ListedServiceAccount>, Failure> {
    let found = caller.directory().service_account(&id);
    allow_look(&caller, found.as_ref().ok().and_then(|account| account.parent.as_deref()))?;
    Ok(Json(found?))
}

/// Deletes a service account.
#[utoipa::path(delete, path = "/_admin/v1/service-accounts/{id}", tag = "Service accounts",
    params(("id" = String, Path)), responses(
    (status = 204, description = "Deleted: its next request is refused"),
    (status = 404, description = "There is no such service account", body = ErrorBody),
))]
pub(super) async fn delete(caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let found = caller.directory().service_account(&id);
    let parent = found.as_ref().ok().and_then(|account| account.parent.as_deref());
    if parent.is_some() && caller.user().as_deref() == parent {
        caller.not_denied(Action::RemoveServiceAccount)?;
    } else {
        caller.may(Action::RemoveServiceAccount)?;
    }
    caller.directory().delete_service_account(&id).await?;
    tracing::info!(key.id = %id, "deleted a service account");
    Ok(StatusCode::NO_CONTENT)
}

/// Enables or disables a service account.
#[utoipa::path(put, path = "/_admin/v1/service-accounts/{id}/status", tag = "Service accounts",
    params(("id" = String, Path)), request_body = SetStatus, responses(
    (status = 204, description = "It counts for the next request"),
    (status = 404, description = "There is no such service account", body = ErrorBody),
))]
pub(super) async fn set_status(
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<SetStatus>,
) -> Result<StatusCode, Failure> {
    allow_update(&caller, &id)?;
    let SetStatus { status } = body?;
    caller.directory().set_service_account_status(&id, status).await?;
    tracing::info!(key.id = %id, ?status, "changed the status of a service account");
    Ok(StatusCode::NO_CONTENT)
}

/// Holds a service account to another policy.
#[utoipa::path(put, path = "/_admin/v1/service-accounts/{id}/policy", tag = "Service accounts",
    params(("id" = String, Path)), request_body = Object, responses(
    (status = 204, description = "It counts for the next request"),
    (status = 400, description = "It is no policy", body = ErrorBody),
    (status = 404, description = "There is no such service account", body = ErrorBody),
))]
pub(super) async fn set_policy(
    caller: Caller,
    Path(id): Path<String>,
    Text(text): Text,
) -> Result<StatusCode, Failure> {
    allow_update(&caller, &id)?;
    caller.directory().set_service_account_policy(&id, Some(&text)).await?;
    tracing::info!(key.id = %id, "changed the policy of a service account");
    Ok(StatusCode::NO_CONTENT)
}

/// Holds a service account to nothing but what its user may do.
#[utoipa::path(delete, path = "/_admin/v1/service-accounts/{id}/policy", tag = "Service accounts",
    params(("id" = String, Path)), responses(
    (status = 204, description = "It counts for the next request"),
    (status = 404, description = "There is no such service account", body = ErrorBody),
))]
pub(super) async fn delete_policy(caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    allow_update(&caller, &id)?;
    caller.directory().set_service_account_policy(&id, None).await?;
    tracing::info!(key.id = %id, "changed the policy of a service account");
    Ok(StatusCode::NO_CONTENT)
}

/// Of one's own unless that is denied.
fn allow_look(caller: &Caller, parent: Option<&str>) -> Result<(), Failure> {
    if parent.is_some() && caller.user().as_deref() == parent {
        return caller.not_denied(Action::ListServiceAccounts);
    }
    caller.may(Action::ListServiceAccounts)
}

/// C1. Without a parent it is root's.
fn allow_change(caller: &Caller, action: Action, parent: Option<&str>) -> Result<(), Failure> {
    match parent {
        Some(user) => caller.may_as(action, user),
        None if caller.principal == Principal::Root => Ok(()),
        None => Err(Failure::Denied),
    }
}

/// C1, C2, before it is told whether the account is there.
fn allow_update(caller: &Caller, id: &str) -> Result<(), Failure> {
    caller.acts_for_itself()?;
    match caller.directory().service_account(id) {
        Ok(account) => allow_change(caller, Action::UpdateServiceAccount, account.parent.as_deref()),
        Err(error) => {
            caller.may(Action::UpdateServiceAccount)?;
            Err(error.into())
        }
    }
}
