//! Other ways in for recipients: activation links, and federation policies.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use tarn_openapi::access::Action;
use tarn_sharing::access::ACTIVATION_LIFETIME_MS;
use tarn_sharing::directory::{Federation, Token, token_end};
use uuid::Uuid;

use super::super::access::Caller;
use super::super::error::{ErrorBody, Failure};
use super::super::params::{Body, Path};
use super::shown::ShownToken;
use super::tokens::{end, millis, told};
use super::{now_ms, text};

/// An activation link to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct NewLink {
    /// What the token is for.
    comment: Option<String>,
    /// Of the token: 90 days when not given, a year at most.
    expires_in_seconds: Option<i64>,
    /// Of the link: 72 hours when not given.
    link_expires_in_seconds: Option<i64>,
}

/// Whom of an identity provider to let in.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct NewFederation {
    /// The provider's issuer URL. Only providers that the server is configured with are asked for their keys.
    issuer: String,
    /// Accepted audiences; one must be named by the token.
    audiences: Vec<String>,
    /// The claim that tells who it is: `sub`, `oid`, `azp` or `groups`.
    subject_claim: String,
    /// What it must say.
    subject: String,
    /// What it is for.
    comment: Option<String>,
    /// It has no end when not given.
    expires_in_seconds: Option<i64>,
}

/// An activation link just made. It is told only here.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct MadeLink {
    token: ShownToken,
    link: String,
}

/// A federation policy just made.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct MadeFederation {
    token: ShownToken,
    /// Where the client comes with its provider's token.
    endpoint: String,
}

/// Makes a link that a recipient fetches its profile by, once. It is told only now.
#[utoipa::path(post, path = "/_admin/v1/recipients/{recipient}/links", tag = "Sharing",
    params(("recipient" = String, Path)), request_body = NewLink, responses(
    (status = 201, description = "Made", body = MadeLink),
    (status = 400, description = "An end is not valid, or there are too many", body = ErrorBody),
    (status = 404, description = "There is no such recipient", body = ErrorBody),
))]
pub(in super::super) async fn create_link(
    caller: Caller,
    Path(recipient): Path<String>,
    Body(body): Body<NewLink>,
) -> Result<Response, Failure> {
    caller.may(Action::SharingCreateToken)?;
    let NewLink { comment, expires_in_seconds, link_expires_in_seconds } = body?;
    let (to, now_ms) = (caller.sharing().recipient(&recipient)?, now_ms());
    let lifetime = link_expires_in_seconds.map_or(Ok(ACTIVATION_LIFETIME_MS), millis)?;
    let link_end = token_end(Some(lifetime), now_ms)?;
    let (token, code) = caller.access().issue_link(end(expires_in_seconds, now_ms)?, link_end, now_ms)?;
    let token = Token { comment: text(comment), ..token };
    caller.sharing().add_token((&recipient, to.id), token.clone(), now_ms).await?;
    tracing::info!(recipient, token.id = %token.id, "made an activation link");
    let link = caller.access().endpoints().activation_link(&code).to_string();
    Ok(told(MadeLink { token: ShownToken::new(&token, now_ms), link }))
}

/// Lets somebody of an identity provider in as a recipient.
#[utoipa::path(post, path = "/_admin/v1/recipients/{recipient}/federation", tag = "Sharing",
    params(("recipient" = String, Path)), request_body = NewFederation, responses(
    (status = 201, description = "Made", body = MadeFederation),
    (status = 400, description = "It is not valid, or there are too many", body = ErrorBody),
    (status = 404, description = "There is no such recipient", body = ErrorBody),
))]
pub(in super::super) async fn federate(
    caller: Caller,
    Path(recipient): Path<String>,
    Body(body): Body<NewFederation>,
) -> Result<Response, Failure> {
    caller.may(Action::SharingCreateToken)?;
    let NewFederation { issuer, audiences, subject_claim, subject, comment, expires_in_seconds } = body?;
    let (to, now_ms) = (caller.sharing().recipient(&recipient)?, now_ms());
    let lifetime = expires_in_seconds.map(millis).transpose()?;
    let policy = Federation { issuer, audiences, subject_claim, subject };
    let token = Token { comment: text(comment), ..policy.token(Uuid::new_v4(), lifetime, now_ms)? };
    caller.sharing().add_token((&recipient, to.id), token.clone(), now_ms).await?;
    tracing::info!(recipient, token.id = %token.id, "made a federation policy");
    let endpoint = caller.access().endpoints().sharing.clone();
    Ok(told(MadeFederation { token: ShownToken::new(&token, now_ms), endpoint }))
}
