//! Why somebody may do something or not.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tarn_openapi::access::Action;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params::Body;
use crate::identity::{Explanation, Question};
use crate::server::Shared;

/// A question.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// A user, a service account or another access key, by its id.
    user: String,
    /// An action, such as `s3:GetObject`.
    action: String,
    /// The ARN of what it is done to; none is the server.
    resource: Option<String>,
    /// Values that conditions may look at, by their keys, such as `aws:SourceIp`. What is not given is absent, but for
    /// the time.
    #[serde(default)]
    conditions: BTreeMap<String, String>,
}

/// Tells whether somebody may do something, by which statement, and every policy that was looked at.
#[utoipa::path(post, path = "/_admin/v1/why", tag = "Policies", request_body = Ask, responses(
    (status = 200, description = "The decision and its reasons", body = Explanation),
    (status = 400, description = "The action, resource or a condition is not known", body = ErrorBody),
    (status = 403, description = "Not allowed", body = ErrorBody),
    (status = 404, description = "There is no such key, or it is disabled", body = ErrorBody),
))]
pub(super) async fn ask(
    caller: Caller,
    State(program): Shared,
    Body(body): Body<Ask>,
) -> Result<Json<Explanation>, Failure> {
    caller.may(Action::SimulatePrincipalPolicy)?;
    let Ask { user, action, resource, conditions } = body?;
    let now = jiff::Timestamp::now().as_second();
    let question =
        Question::read(&action, resource.as_deref(), &conditions, now).map_err(Failure::Invalid)?;
    let key = program.identity.keyring().find(&user);
    let key = key.ok_or_else(|| Failure::Missing(format!("there is no key {user:?}, or it is disabled")))?;
    Ok(Json(question.ask(|ask| program.grants.explain(&key.principal(), ask))))
}
