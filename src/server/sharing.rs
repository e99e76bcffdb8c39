//! Wires Delta Sharing.

use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use http::StatusCode;

/// The routes below `/_delta-sharing`.
pub(super) fn router() -> Router {
    Router::new().fallback(not_there)
}

async fn not_there() -> Response {
    let told = serde_json::json!({
        "errorCode": "UNSUPPORTED_OPERATION",
        "message": "this server does not serve Delta Sharing yet",
    });
    (StatusCode::NOT_IMPLEMENTED, Json(told)).into_response()
}
