//! Token exchange (RFC 8693): the token of an identity provider for one of ours, that the catalog takes.
//!
//! What is given is a session as a bearer token: it acts for who the provider's token speaks of, and ends no later. Our
//! own tokens are not exchanged: a token must not be made to last by itself.

use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::{Principal, Restriction};

use super::super::layer::Identity;
use super::super::oidc::TokenError;
use super::super::session::{IssueError, Order, Use};
use super::super::sts::order::ALL_OF_PARENT;
use super::endpoint::{Ask, granted, refuse};
use super::token::LIFETIME_SECONDS;

/// The grant type.
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// What a provider's token may be called: it is a JWT in each case.
const SUBJECT_TYPES: [&str; 3] =
    [ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt"];

pub(super) async fn grant(identity: &Identity, ask: Ask, now: i64) -> Response {
    let invalid = |description: &str| refuse(StatusCode::BAD_REQUEST, "invalid_request", description);
    let (Some(issuers), Some(sessions)) = (identity.issuers(), identity.sessions()) else {
        return invalid("this server takes no tokens of others");
    };
    let Some(token) = &ask.subject_token else { return invalid("subject_token is required") };
    if !ask.subject_token_type.as_deref().is_some_and(|kind| SUBJECT_TYPES.contains(&kind)) {
        return invalid("subject_token_type must be that of a JWT, an access token or an ID token");
    }
    if ask.actor_token.is_some() {
        return invalid("actor_token is not taken here");
    }
    if ask.requested_token_type.as_deref().is_some_and(|kind| kind != ACCESS_TOKEN) {
        return invalid("only access tokens are given");
    }
    let verified = match issuers.verify(token, now).await {
        Ok(verified) => verified,
        Err(error @ TokenError::Unavailable) => {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", &error.to_string());
        }
        Err(error @ (TokenError::Invalid(_) | TokenError::Expired | TokenError::Rejected(_))) => {
            metrics::counter!("tarn_auth_refused_total", "code" => "invalid_subject_token").increment(1);
            return invalid(&error.to_string());
        }
    };
    let order = Order {
        parent: Principal::Web(verified.identity),
        restriction: Restriction::Policy(ALL_OF_PARENT.into()),
        lifetime_seconds: LIFETIME_SECONDS,
        purpose: Use::Bearer,
        ticket: None,
    };
    match sessions.issue(order, now) {
        Ok(made) => granted(made.token.expose(), made.expires - now, ask.scope.as_deref()),
        Err(IssueError::NoParent) => invalid(&TokenError::Expired.to_string()),
        Err(error @ IssueError::TooLarge) => invalid(&error.to_string()),
        Err(error @ IssueError::Random) => {
            tracing::error!(%error, "a token could not be made");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the token could not be issued")
        }
    }
}
