//! Tokens of shares: list, make, end.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tarn_openapi::access::Action;
use tarn_sharing::directory::{DirectoryError, NewRecipient, token_end};
use uuid::Uuid;

use super::super::super::access::Caller;
use super::super::super::error::{ErrorBody, Failure};
use super::super::super::params::{Body, Path};
use super::super::{now_ms, text};
use super::{RECIPIENT_PREFIX, rfc3339, tokens_of};

/// A token of a share, without itself.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super::super) struct AistorToken {
    token_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    share_id: String,
    share_name: String,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    expires_at: String,
}

/// Tokens of a share.
#[derive(Serialize, utoipa::ToSchema)]
pub(in super::super::super) struct AistorTokenList {
    tokens: Vec<AistorToken>,
}

/// A token to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super::super) struct AistorNewToken {
    #[serde(default)]
    description: Option<String>,
    /// RFC 3339; in 90 days when not given, in a year at most.
    #[serde(default)]
    expires_at: Option<String>,
}

/// A token just made. It is told only here.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super::super) struct AistorMadeToken {
    token_id: String,
    token: String,
    /// RFC 3339.
    expires_at: String,
    #[schema(value_type = Object)]
    profile: Box<RawValue>,
}

/// Lists the tokens of a share that were made here.
#[utoipa::path(get, path = "/_admin/v1/delta-sharing/shares/{share}/tokens", tag = "Sharing (AIStor)",
    params(("share" = String, Path)), responses(
    (status = 200, description = "Its tokens", body = AistorTokenList),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super::super) async fn list_tokens(
    caller: Caller,
    Path(share): Path<String>,
) -> Result<Json<AistorTokenList>, Failure> {
    caller.may(Action::DeltaSharingListTokens)?;
    let share = caller.sharing().share(&share)?;
    let held = tokens_of(&caller, &share);
    let tokens = held.iter().flat_map(|(recipient, _)| {
        recipient.tokens.iter().map(|token| AistorToken {
            token_id: token.id.to_string(),
            description: recipient.comment.clone(),
            share_id: share.id.to_string(),
            share_name: share.name.clone(),
            created_at: rfc3339(token.created_ms),
            expires_at: rfc3339(token.expires_ms),
        })
    });
    Ok(Json(AistorTokenList { tokens: tokens.collect() }))
}

/// Makes a token of a share: a recipient that may read it, with one bearer token.
#[utoipa::path(post, path = "/_admin/v1/delta-sharing/shares/{share}/tokens", tag = "Sharing (AIStor)",
    params(("share" = String, Path)), request_body = AistorNewToken, responses(
    (status = 201, description = "Made; it is told only now", body = AistorMadeToken),
    (status = 400, description = "Its end is not valid, or there are too many recipients", body = ErrorBody),
    (status = 404, description = "There is no such share", body = ErrorBody),
))]
pub(in super::super::super) async fn create_token(
    caller: Caller,
    Path(share): Path<String>,
    Body(body): Body<AistorNewToken>,
) -> Result<Response, Failure> {
    caller.may(Action::DeltaSharingCreateToken)?;
    // It is all of these; a deny of any counts.
    let parts = [Action::SharingCreateRecipient, Action::SharingCreateGrant, Action::SharingCreateToken];
    parts.into_iter().try_for_each(|part| caller.not_denied(part))?;
    let AistorNewToken { description, expires_at } = body?;
    let now_ms = now_ms();
    let lifetime = expires_at.map(|text| until(&text, now_ms)).transpose()?;
    let end_ms = token_end(lifetime, now_ms)?;
    let (access, birth) = (caller.access(), Uuid::new_v4());
    let (token, jwt) = access.issue_bearer(birth, end_ms, now_ms).await?;
    let name = format!("{RECIPIENT_PREFIX}{}", token.id);
    let new = NewRecipient { name, comment: text(description), ..NewRecipient::default() };
    let id = token.id;
    caller.sharing().create_reader((new, birth), &share, token, now_ms).await?;
    tracing::info!(share, token.id = %id, "made a token of a share");
    let profile = access.endpoints().bearer_profile(&jwt, end_ms).to_string();
    let made = AistorMadeToken {
        token_id: id.to_string(),
        token: jwt.to_string(),
        expires_at: rfc3339(end_ms),
        profile: RawValue::from_string(profile).expect("a profile is JSON"),
    };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)).into_response())
}

/// Ends a token, at once, and the URLs that were given out by it.
#[utoipa::path(delete, path = "/_admin/v1/delta-sharing/tokens/{id}", tag = "Sharing (AIStor)",
    params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is no such token", body = ErrorBody),
))]
pub(in super::super::super) async fn delete_token(
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    caller.may(Action::DeltaSharingDeleteToken)?;
    let none = || DirectoryError::NoToken(id.clone());
    let known = Uuid::parse_str(&id).map_err(|_| none())?;
    match caller.sharing().delete_recipient(&format!("{RECIPIENT_PREFIX}{known}")).await {
        Err(DirectoryError::Missing { .. }) => return Err(none().into()),
        outcome => outcome?,
    };
    tracing::info!(token.id = id, "ended a token of a share");
    Ok(StatusCode::NO_CONTENT)
}

/// A token's profile is told when it is made, and never again.
#[utoipa::path(get, path = "/_admin/v1/delta-sharing/tokens/{id}/profile", tag = "Sharing (AIStor)",
    params(("id" = String, Path)), responses(
    (status = 400, description = "It is told only when the token is made", body = ErrorBody),
))]
pub(in super::super::super) async fn profile(caller: Caller) -> Result<StatusCode, Failure> {
    caller.may(Action::DeltaSharingListTokens)?;
    let message = "a profile is told when its token is made, and never again: make another token";
    Err(Failure::Unserved(message.into()))
}

/// How long it is until a moment, in milliseconds.
fn until(text: &str, now_ms: i64) -> Result<i64, Failure> {
    let moment: jiff::Timestamp =
        text.parse().map_err(|_| Failure::Invalid(format!("{text:?} is no time in RFC 3339")))?;
    Ok(moment.as_millisecond().saturating_sub(now_ms))
}
