//! What recipients show: bearer tokens and clients of OAuth, and the end of all that they show.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tarn_openapi::access::Action;
use tarn_sharing::access::Withdraw;
use tarn_sharing::directory::limits::GRACE_MS;
use tarn_sharing::directory::{Recipient, Rotated, Token, token_end};
use uuid::Uuid;

use super::super::access::Caller;
use super::super::error::{ErrorBody, Failure};
use super::super::params::{Body, Path};
use super::shown::{ShownToken, tokens};
use super::{now_ms, text};

/// What a recipient may show.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct TokenList {
    tokens: Vec<ShownToken>,
}

/// A token or client to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct NewToken {
    /// What it is for.
    comment: Option<String>,
    /// 90 days when not given, a year at most.
    expires_in_seconds: Option<i64>,
}

/// How to put a new token in the place of others.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Rotation {
    #[serde(default)]
    kind: RotatedKind,
    /// How long the others are good at most: 24 hours when not given, 0 ends them now.
    grace_seconds: Option<i64>,
    /// Of the new one: 90 days when not given, a year at most.
    expires_in_seconds: Option<i64>,
    /// What the new one is for.
    comment: Option<String>,
}

/// Which to rotate.
#[derive(Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum RotatedKind {
    /// Bearer tokens and activation links.
    #[default]
    Bearer,
    /// Clients of OAuth.
    Client,
}

/// A token just made. Its profile is told only here.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct MadeToken {
    token: ShownToken,
    /// The profile file that clients are configured with, secret of the token included.
    #[schema(value_type = Object)]
    profile: Box<RawValue>,
}

/// What becomes of the keys that signed so far.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct KeyRotation {
    /// End every token that was signed so far, now. They verify until their end if not.
    #[serde(default)]
    withdraw: bool,
}

/// The key that signs from now on.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super) struct RotatedKey {
    key: u32,
}

/// Lists what a recipient may show.
#[utoipa::path(get, path = "/_admin/v1/recipients/{recipient}/tokens", tag = "Sharing",
    params(("recipient" = String, Path)), responses(
    (status = 200, description = "Its tokens, clients and federation policies", body = TokenList),
    (status = 404, description = "There is no such recipient", body = ErrorBody),
))]
pub(in super::super) async fn list(
    caller: Caller,
    Path(recipient): Path<String>,
) -> Result<Json<TokenList>, Failure> {
    caller.may(Action::SharingListTokens)?;
    let recipient = caller.sharing().recipient(&recipient)?;
    Ok(Json(TokenList { tokens: tokens(&recipient, now_ms()) }))
}

/// Makes a bearer token. Its profile is told only now.
#[utoipa::path(post, path = "/_admin/v1/recipients/{recipient}/tokens", tag = "Sharing",
    params(("recipient" = String, Path)), request_body = NewToken, responses(
    (status = 201, description = "Made", body = MadeToken),
    (status = 400, description = "Its end is not valid, or there are too many", body = ErrorBody),
    (status = 404, description = "There is no such recipient", body = ErrorBody),
))]
pub(in super::super) async fn create(
    caller: Caller,
    Path(recipient): Path<String>,
    Body(body): Body<NewToken>,
) -> Result<Response, Failure> {
    add(&caller, &recipient, Rotated::Bearer, body).await
}

/// Makes a client of OAuth client credentials. Its profile is told only now.
#[utoipa::path(post, path = "/_admin/v1/recipients/{recipient}/clients", tag = "Sharing",
    params(("recipient" = String, Path)), request_body = NewToken, responses(
    (status = 201, description = "Made", body = MadeToken),
    (status = 400, description = "Its end is not valid, or there are too many", body = ErrorBody),
    (status = 404, description = "There is no such recipient", body = ErrorBody),
))]
pub(in super::super) async fn create_client(
    caller: Caller,
    Path(recipient): Path<String>,
    Body(body): Body<NewToken>,
) -> Result<Response, Failure> {
    add(&caller, &recipient, Rotated::Client, body).await
}

/// Makes what a recipient comes with, keeps it, and tells it.
async fn add(
    caller: &Caller,
    recipient: &str,
    kind: Rotated,
    body: Result<NewToken, Failure>,
) -> Result<Response, Failure> {
    caller.may(Action::SharingCreateToken)?;
    let NewToken { comment, expires_in_seconds } = body?;
    let (to, now_ms) = (caller.sharing().recipient(recipient)?, now_ms());
    let end = end(expires_in_seconds, now_ms)?;
    let (token, profile) = made(caller, &to, (kind, text(comment)), (end, now_ms)).await?;
    caller.sharing().add_token((recipient, to.id), token.clone(), now_ms).await?;
    tracing::info!(recipient, token.id = %token.id, token.kind = ?kind, "made a token");
    Ok(told(MadeToken { token: ShownToken::new(&token, now_ms), profile }))
}

/// Ends a token, client or federation policy: its next request is refused, and URLs that were given out by it.
#[utoipa::path(delete, path = "/_admin/v1/recipients/{recipient}/tokens/{id}", tag = "Sharing",
    params(("recipient" = String, Path), ("id" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is no such recipient or token", body = ErrorBody),
))]
pub(in super::super) async fn revoke(
    caller: Caller,
    Path((recipient, id)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::SharingDeleteToken)?;
    caller.sharing().revoke_token(&recipient, token_id(&id)?).await?;
    tracing::info!(recipient, token.id = id, "revoked a token");
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a token or client; the recipient's others of its kind end after a time of grace. Its profile is told only now.
#[utoipa::path(post, path = "/_admin/v1/recipients/{recipient}/rotate", tag = "Sharing",
    params(("recipient" = String, Path)), request_body = Rotation, responses(
    (status = 201, description = "Made", body = MadeToken),
    (status = 400, description = "An end is not valid, or there are too many", body = ErrorBody),
    (status = 404, description = "There is no such recipient", body = ErrorBody),
))]
pub(in super::super) async fn rotate(
    caller: Caller,
    Path(recipient): Path<String>,
    Body(body): Body<Rotation>,
) -> Result<Response, Failure> {
    // It ends others, too.
    caller.may(Action::SharingCreateToken)?;
    caller.may(Action::SharingDeleteToken)?;
    let Rotation { kind, grace_seconds, expires_in_seconds, comment } = body?;
    let rotated = match kind {
        RotatedKind::Bearer => Rotated::Bearer,
        RotatedKind::Client => Rotated::Client,
    };
    let (to, now_ms) = (caller.sharing().recipient(&recipient)?, now_ms());
    let grace_ms = grace_seconds.map_or(Ok(GRACE_MS), millis)?;
    let end = end(expires_in_seconds, now_ms)?;
    let (token, profile) = made(&caller, &to, (rotated, text(comment)), (end, now_ms)).await?;
    let directory = caller.sharing();
    directory.rotate_tokens((&recipient, to.id), token.clone(), (rotated, grace_ms), now_ms).await?;
    tracing::info!(recipient, token.id = %token.id, "rotated the tokens of a recipient");
    Ok(told(MadeToken { token: ShownToken::new(&token, now_ms), profile }))
}

/// Signs bearer tokens with a new key from now on.
#[utoipa::path(post, path = "/_admin/v1/sharing-keys/rotate", tag = "Sharing", request_body = KeyRotation, responses(
    (status = 200, description = "The number of the new key", body = RotatedKey),
    (status = 409, description = "Too many keys are in use", body = ErrorBody),
))]
pub(in super::super) async fn rotate_key(
    caller: Caller,
    Body(body): Body<KeyRotation>,
) -> Result<Json<RotatedKey>, Failure> {
    caller.may(Action::SharingRotateKey)?;
    let KeyRotation { withdraw } = body?;
    let withdrawn = if withdraw { Withdraw::Now } else { Withdraw::WhenTokensEnd };
    let key = caller.access().rotate_signing_key(withdrawn, now_ms()).await?;
    tracing::info!(key, withdraw, "rotated the key that signs tokens of recipients");
    Ok(Json(RotatedKey { key }))
}

/// A bearer token or client, with its profile. It counts when it is kept.
async fn made(
    caller: &Caller,
    to: &Recipient,
    (kind, comment): (Rotated, Option<String>),
    (end_ms, now_ms): (i64, i64),
) -> Result<(Token, Box<RawValue>), Failure> {
    let access = caller.access();
    let (token, profile) = match kind {
        Rotated::Bearer => {
            let (token, jwt) = access.issue_bearer(to.id, end_ms, now_ms).await?;
            (token, access.endpoints().bearer_profile(&jwt, end_ms))
        }
        Rotated::Client => {
            let (token, secret) = access.issue_client_secret(end_ms, now_ms)?;
            let profile = access.endpoints().client_profile(token.id, &secret);
            (token, profile)
        }
    };
    let profile = RawValue::from_string(profile.to_string()).expect("a profile is JSON");
    Ok((Token { comment, ..token }, profile))
}

/// The answer that tells a secret: nobody may keep a copy of it on the way.
pub(super) fn told(made: impl Serialize) -> Response {
    (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)).into_response()
}

pub(super) fn millis(seconds: i64) -> Result<i64, Failure> {
    seconds.checked_mul(1_000).ok_or_else(|| Failure::Invalid("so many seconds are not meant".into()))
}

pub(super) fn end(expires_in_seconds: Option<i64>, now_ms: i64) -> Result<i64, Failure> {
    Ok(token_end(expires_in_seconds.map(millis).transpose()?, now_ms)?)
}

fn token_id(text: &str) -> Result<Uuid, Failure> {
    Uuid::parse_str(text).map_err(|_| Failure::Invalid(format!("{text:?} is no id of a token")))
}
