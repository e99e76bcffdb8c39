//! `POST /v1/oauth/tokens`: client credentials in a Basic header or in form fields, never in the query; or the token
//! of an identity provider, exchanged (`exchange.rs`).
//!
//! Source: Iceberg REST catalog, `getToken`; RFC 6749 sections 2.3.1, 4.4, 5; RFC 8693.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::super::layer::Identity;
use super::super::secret::Secret;
use super::exchange;
use super::token::LIFETIME_SECONDS;

/// The longest form, in bytes.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// What a client asks for.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct Ask {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) subject_token: Option<String>,
    pub(super) subject_token_type: Option<String>,
    pub(super) requested_token_type: Option<String>,
    pub(super) actor_token: Option<String>,
}

/// The token endpoint, below both mounts of the catalog.
pub fn router(identity: Arc<Identity>) -> Router {
    Router::new()
        .route("/_iceberg/v1/oauth/tokens", post(issue))
        .route("/iceberg/v1/oauth/tokens", post(issue))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(identity)
}

async fn method_not_allowed() -> Response {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "tokens are asked for with POST")
}

/// Issues a bearer token to an access key.
#[utoipa::path(
    post, path = "/_iceberg/v1/oauth/tokens", tag = "Tokens",
    request_body(content = Ask, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token for an hour", body = Object),
        (status = 400, description = "Not a grant type served, or a token that cannot be exchanged", body = Object),
        (status = 401, description = "The client id (an access key) or its secret is wrong", body = Object),
        (status = 503, description = "The keys of the token's issuer cannot be had now", body = Object),
    )
)]
pub(crate) async fn issue(
    State(identity): State<Arc<Identity>>,
    headers: HeaderMap,
    form: Result<Form<Ask>, axum::extract::rejection::FormRejection>,
) -> Response {
    let Ok(Form(ask)) = form else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "the body must be an URL-encoded form");
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    match ask.grant_type.as_deref() {
        Some("client_credentials") => grant(&identity, &headers, &ask, now),
        Some(exchange::GRANT) => exchange::grant(&identity, ask, now).await,
        Some(_) | None => {
            let served = "use client_credentials or urn:ietf:params:oauth:grant-type:token-exchange";
            refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", served)
        }
    }
}

/// Issues a token to a client that proves its secret.
fn grant(identity: &Identity, headers: &HeaderMap, ask: &Ask, now: i64) -> Response {
    let Some(tokens) = identity.tokens() else {
        return refuse(StatusCode::NOT_FOUND, "invalid_request", "this server issues no tokens");
    };
    let Some((id, secret)) = client(headers, ask) else {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client", "client id and secret are required");
    };
    let key = identity.keyring().find(&id).filter(|key| key.secret.matches(secret.expose()));
    let Some(key) = key else {
        metrics::counter!("tarn_auth_refused_total", "code" => "invalid_client").increment(1);
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client", "the client id or secret is wrong");
    };
    match tokens.issue(&key, now) {
        Ok(token) => granted(&token, LIFETIME_SECONDS, ask.scope.as_deref()),
        Err(error) => {
            tracing::error!(%error, "a token could not be signed");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the token could not be issued")
        }
    }
}

pub(super) fn granted(token: &str, lifetime_seconds: i64, scope: Option<&str>) -> Response {
    let body = serde_json::json!({
        "access_token": token,
        "token_type": "bearer",
        "expires_in": lifetime_seconds,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "scope": scope.unwrap_or("catalog"),
    });
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(body)).into_response()
}

pub(super) fn refuse(status: StatusCode, error: &str, description: &str) -> Response {
    let body = serde_json::json!({"error": error, "error_description": description});
    let mut response = (status, Json(body)).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"tarn\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The client's id and secret: from the Basic header where there is one, else from the form.
fn client(headers: &HeaderMap, ask: &Ask) -> Option<(String, Secret)> {
    if let Some(pair) = basic(headers) {
        return Some(pair);
    }
    Some((ask.client_id.clone()?, Secret::new(ask.client_secret.clone()?)))
}

fn basic(headers: &HeaderMap) -> Option<(String, Secret)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.into(), Secret::new(secret.into())))
}
