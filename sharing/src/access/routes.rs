//! What recipients ask for without a token: one for a client's secret, a profile for an activation link, and the keys
//! that tokens verify by.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Extension, Form, Path, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tarn_openapi::access::Sender;
use utoipa::OpenApi;

use super::oauth::{self, ClientRefusal};
use super::{Access, RedeemError};

/// The longest form, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// How long others may keep the public keys, in seconds.
const JWKS: &str = "public, max-age=60";
const NO_STORE: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
/// The code is in the page's address: nothing on the page may tell it to anybody.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";
const PAGE: &str = include_str!("activation.html");

#[derive(OpenApi)]
#[openapi(paths(token, page, redeem, jwks))]
struct Document;

/// What the routes are, with their whole paths.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The routes, with their whole paths.
pub fn routes(access: Arc<Access>) -> Router {
    Router::new()
        .route("/_delta-sharing/oauth/token", post(token))
        .route("/_delta-sharing/activation/{code}", get(page).post(redeem))
        .route("/_delta-sharing/.well-known/jwks.json", get(jwks))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(access)
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Issues a bearer token to a recipient's client.
#[utoipa::path(post, path = "/_delta-sharing/oauth/token", tag = "Sharing: recipients",
    request_body(content = Object, content_type = "application/x-www-form-urlencoded",
        description = "RFC 6749, section 4.4: `grant_type=client_credentials`, the client in the form or by Basic"),
    responses(
        (status = 200, description = "A token and its lifetime in seconds", body = Object),
        (status = 400, description = "No form, or another grant type", body = Object),
        (status = 401, description = "The client's id or secret is wrong", body = Object),
        (status = 403, description = "The recipient may not come from this address", body = Object),
        (status = 429, description = "Too many requests", body = Object),
        (status = 503, description = "No token can be made now", body = Object),
    ))]
async fn token(
    State(access): State<Arc<Access>>,
    sender: Option<Extension<Sender>>,
    headers: HeaderMap,
    form: Result<Form<oauth::Form>, FormRejection>,
) -> Response {
    let asked = match form {
        Ok(Form(form)) => form.client(&headers),
        Err(FormRejection::InvalidFormContentType(_)) => {
            Err(ClientRefusal::Request("the body must be application/x-www-form-urlencoded"))
        }
        Err(_) => Err(ClientRefusal::Request("the body is no form, or names a field twice")),
    };
    let address = sender.and_then(|Extension(sender)| sender.address);
    let given = match asked {
        Ok(client) => access.client_token(&client, address, now_ms()).await,
        Err(refusal) => Err(refusal),
    };
    match given {
        Ok(token) => {
            let body = json!({
                "access_token": *token.jwt,
                "token_type": "Bearer",
                "expires_in": token.expires_in_s,
            });
            ([NO_STORE], Json(body)).into_response()
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// RFC 6749, section 5.2.
fn refuse(refusal: &ClientRefusal) -> Response {
    metrics::counter!("tarn_sharing_refused_total", "reason" => refusal.reason()).increment(1);
    let (status, code) = match refusal {
        ClientRefusal::Request(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        ClientRefusal::GrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        ClientRefusal::Client => (StatusCode::UNAUTHORIZED, "invalid_client"),
        ClientRefusal::Address => (StatusCode::FORBIDDEN, "unauthorized_client"),
        ClientRefusal::Rate { .. } => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
        ClientRefusal::Keys(error) => {
            tracing::error!(%error, "a token of a recipient's client could not be made");
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
        }
    };
    let body = Json(json!({"error": code, "error_description": refusal.to_string()}));
    let mut response = (status, [NO_STORE], body).into_response();
    let headers = response.headers_mut();
    match refusal {
        ClientRefusal::Client => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tarn\""));
        }
        ClientRefusal::Rate { retry_after_s } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_s));
        }
        ClientRefusal::Keys(_) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        ClientRefusal::Request(_) | ClientRefusal::GrantType | ClientRefusal::Address => {}
    }
    response
}

/// The page of a link. It says the same of every code and uses none up: programs that look at links only ever get them.
#[utoipa::path(get, path = "/_delta-sharing/activation/{code}", tag = "Sharing: recipients",
    params(("code" = String, Path, description = "Of the link")),
    responses((status = 200, description = "A page with a button that asks for the profile", content_type = "text/html",
        body = String)))]
async fn page() -> Response {
    let headers = [
        NO_STORE,
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, Html(PAGE)).into_response()
}

/// Uses a link up.
#[utoipa::path(post, path = "/_delta-sharing/activation/{code}", tag = "Sharing: recipients",
    params(("code" = String, Path, description = "Of the link")),
    responses(
        (status = 200, description = "The profile, once", body = Object),
        (status = 403, description = "The recipient may not come from this address", body = Object),
        (status = 404, description = "There is no such link, or no more", body = Object),
        (status = 503, description = "No token can be made now", body = Object),
    ))]
async fn redeem(
    State(access): State<Arc<Access>>,
    sender: Option<Extension<Sender>>,
    Path(code): Path<String>,
) -> Response {
    let address = sender.and_then(|Extension(sender)| sender.address);
    let error = match access.redeem(&code, address, now_ms()).await {
        Ok(profile) => {
            let headers = [
                NO_STORE,
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (
                    header::CONTENT_DISPOSITION,
                    HeaderValue::from_static("attachment; filename=\"config.share\""),
                ),
                (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            ];
            return (headers, profile.to_string()).into_response();
        }
        Err(error) => error,
    };
    let (status, code) = match &error {
        RedeemError::Gone => (StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
        RedeemError::Address => (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
        RedeemError::Contended => (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE"),
        RedeemError::Keys(_) | RedeemError::Commit(_) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, cause, "an activation link could not be used");
            (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE")
        }
    };
    envelope(status, code, &error.to_string())
}

/// The public keys that recipients' tokens verify by.
#[utoipa::path(get, path = "/_delta-sharing/.well-known/jwks.json", tag = "Sharing: recipients",
    responses(
        (status = 200, description = "A JSON Web Key Set", body = Object),
        (status = 503, description = "The keys cannot be told now", body = Object),
    ))]
async fn jwks(State(access): State<Arc<Access>>) -> Response {
    match access.jwks(now_ms()) {
        Ok(keys) => {
            ([(header::CACHE_CONTROL, HeaderValue::from_static(JWKS))], Json::<Value>(keys)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the public keys of sharing could not be told");
            envelope(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", &error.to_string())
        }
    }
}

async fn method_not_allowed() -> Response {
    envelope(
        StatusCode::METHOD_NOT_ALLOWED,
        "UNSUPPORTED_OPERATION",
        "the path is not asked with this method",
    )
}

fn envelope(status: StatusCode, code: &str, message: &str) -> Response {
    (status, [NO_STORE], Json(json!({"errorCode": code, "message": message}))).into_response()
}
