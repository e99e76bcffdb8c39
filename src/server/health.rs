//! Probes. `live`: the process answers. `ready`: it takes work. They need no credentials and tell nothing
//! but that; details are in the admin API's status.

use axum::Json;
use axum::response::{IntoResponse as _, Response};

/// Answered only once the server is open; before that the front answers 503 itself.
#[utoipa::path(get, path = "/_health/ready", tag = "Probes", responses(
    (status = 200, description = "The stores are open"),
    (status = 503, description = "The server is starting"),
))]
pub(crate) async fn ready() -> Response {
    Json(serde_json::json!({ "status": "ready" })).into_response()
}
