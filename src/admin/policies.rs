//! Policies: list, put, show, delete.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde::Serialize;
use tarn_openapi::access::Action;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::{Path, Text};
use crate::identity::ListedPolicy;

/// All policies.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct PolicyList {
    policies: Vec<ListedPolicy>,
}

/// Lists the policies.
#[utoipa::path(get, path = "/_admin/v1/policies", tag = "Policies", responses(
    (status = 200, description = "The built-in ones, then the kept ones by name, of which there are at most 1,000", body = PolicyList),
    (status = 403, description = "Not allowed", body = ErrorBody),
))]
pub(super) async fn list(caller: Caller) -> Result<Json<PolicyList>, Failure> {
    caller.may(Action::ListUserPolicies)?;
    Ok(Json(PolicyList { policies: caller.directory().policies() }))
}

/// Shows a policy as it was given.
#[utoipa::path(get, path = "/_admin/v1/policies/{name}", tag = "Policies", params(("name" = String, Path)), responses(
    (status = 200, description = "The policy's JSON", body = Object),
    (status = 404, description = "There is no such policy", body = ErrorBody),
))]
pub(super) async fn show(caller: Caller, Path(name): Path<String>) -> Result<Response, Failure> {
    caller.may(Action::GetPolicy)?;
    let text = caller.directory().policy(&name)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text.to_string()).into_response())
}

/// Makes a policy or replaces it.
#[utoipa::path(put, path = "/_admin/v1/policies/{name}", tag = "Policies", params(("name" = String, Path)),
    request_body = Object, responses(
    (status = 204, description = "Kept; it counts for the next request of whom it is attached to"),
    (status = 400, description = "It is no policy, or the name is not valid", body = ErrorBody),
    (status = 409, description = "The policy is built in", body = ErrorBody),
))]
pub(super) async fn put(
    caller: Caller,
    Path(name): Path<String>,
    Text(text): Text,
) -> Result<StatusCode, Failure> {
    caller.may(Action::CreatePolicy)?;
    caller.directory().put_policy(&name, &text, jiff::Timestamp::now()).await?;
    tracing::info!(policy = %name, "put a policy");
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a policy that is attached to nobody.
#[utoipa::path(delete, path = "/_admin/v1/policies/{name}", tag = "Policies", params(("name" = String, Path)), responses(
    (status = 204, description = "Deleted"),
    (status = 404, description = "There is no such policy", body = ErrorBody),
    (status = 409, description = "It is attached, or built in", body = ErrorBody),
))]
pub(super) async fn delete(caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    caller.may(Action::DeletePolicy)?;
    caller.directory().delete_policy(&name).await?;
    tracing::info!(policy = %name, "deleted a policy");
    Ok(StatusCode::NO_CONTENT)
}
