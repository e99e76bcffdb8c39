//! Access keys: list, create, delete.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tarn_openapi::access::Action;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Body, Path};
use crate::identity::ListedKey;
use crate::identity::key::{Grant, Owner, Policy};

/// The most buckets in the list of a key.
const BUCKETS_MAX: usize = 100;

/// Access keys with grants of their own.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct KeyList {
    keys: Vec<ListedKey>,
}

/// A key to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateKey {
    /// Its id; generated when not given.
    id: Option<String>,
    /// What it may do.
    policy: Policy,
    /// Only in these buckets; everywhere when not given.
    buckets: Option<Vec<String>>,
}

/// A key just made. The secret is told only here.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CreatedKey {
    id: String,
    secret: String,
    policy: Policy,
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets: Option<Vec<String>>,
}

/// Lists the access keys with grants of their own; users and service accounts are listed elsewhere.
#[utoipa::path(get, path = "/_admin/v1/keys", tag = "Access keys", responses(
    (status = 200, description = "The keys, by id", body = KeyList),
    (status = 403, description = "Not an administrator", body = ErrorBody),
))]
pub(super) async fn list(caller: Caller) -> Result<Json<KeyList>, Failure> {
    caller.may(Action::ListAccessKeys)?;
    Ok(Json(KeyList { keys: caller.directory().keys() }))
}

/// Makes an access key.
#[utoipa::path(post, path = "/_admin/v1/keys", tag = "Access keys", request_body = CreateKey, responses(
    (status = 201, description = "Made; the secret is told only now", body = CreatedKey),
    (status = 400, description = "The id, policy or list of buckets is not valid, or there are too many keys", body = ErrorBody),
    (status = 409, description = "A key of this id exists", body = ErrorBody),
))]
pub(super) async fn create(caller: Caller, Body(body): Body<CreateKey>) -> Result<Response, Failure> {
    // A key carries rights of its own: making one is making a user and giving it a policy.
    caller.may(Action::CreateAccessKey)?;
    caller.may(Action::CreateUser)?;
    caller.may_associate()?;
    let ask = body?;
    let buckets = ask.buckets.map(checked_buckets).transpose()?;
    let grant = Grant { policy: ask.policy, buckets: buckets.map(|names| names.into_iter().collect()) };
    let key = caller.directory().create_key(ask.id, grant, jiff::Timestamp::now()).await?;
    tracing::info!(key.id = %key.id, policy = ?ask.policy, "created an access key");
    let buckets = match &key.owner {
        Owner::Granted(grant) => grant.buckets.as_ref().map(|names| names.iter().cloned().collect()),
        Owner::Root | Owner::User(_) | Owner::ServiceAccount(_) => None,
    };
    let secret = key.secret.expose().to_owned();
    let created = CreatedKey { id: key.id.to_string(), secret, policy: ask.policy, buckets };
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

fn checked_buckets(names: Vec<String>) -> Result<Vec<String>, Failure> {
    if names.is_empty() || names.len() > BUCKETS_MAX {
        return Err(Failure::Invalid(format!("a list of buckets names 1 to {BUCKETS_MAX}")));
    }
    for name in &names {
        tarn_objectcore::name::BucketName::new(name)
            .map_err(|error| Failure::Invalid(format!("{name:?}: {error}")))?;
    }
    Ok(names)
}

/// Deletes an access key.
#[utoipa::path(delete, path = "/_admin/v1/keys/{id}", tag = "Access keys", params(("id" = String, Path)), responses(
    (status = 204, description = "Deleted: its next request is refused"),
    (status = 404, description = "There is no such key", body = ErrorBody),
))]
pub(super) async fn delete(caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    caller.may(Action::DeleteAccessKey)?;
    caller.directory().delete_key(&id).await?;
    tracing::info!(key.id = %id, "deleted an access key");
    Ok(StatusCode::NO_CONTENT)
}
