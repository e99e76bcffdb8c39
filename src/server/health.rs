//! Probes. `live`: the process answers. `ready`: it takes work. They need no credentials and tell nothing
//! but that; details are in the admin API's status.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use tarn_catalog::Standing;

use super::Shared;

/// Answered only once the server is open; before that the front answers 503 itself.
#[utoipa::path(get, path = "/_health/ready", tag = "Probes", responses(
    (status = 200, description = "The stores are open"),
    (status = 503, description = "The server is starting, or another process has taken the catalog over"),
))]
pub(crate) async fn ready(State(program): Shared) -> Response {
    let (status, text) = readiness(program.catalog.standing());
    (status, Json(serde_json::json!({ "status": text }))).into_response()
}

/// An append whose outcome is being looked up settles by itself. A fenced catalog never commits again: only a new
/// start helps.
fn readiness(standing: Standing) -> (StatusCode, &'static str) {
    match standing {
        Standing::Ready | Standing::Unsettled => (StatusCode::OK, "ready"),
        Standing::Fenced => (StatusCode::SERVICE_UNAVAILABLE, "fenced"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_can_never_commit_again_is_not_ready() {
        assert_eq!(readiness(Standing::Ready).0, StatusCode::OK);
        assert_eq!(readiness(Standing::Unsettled).0, StatusCode::OK);
        assert_eq!(readiness(Standing::Fenced).0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
