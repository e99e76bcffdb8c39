//! What is answered for a view: `LoadViewResult`.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};

use crate::commit::Committed;
use crate::metadata::ViewMetadata;
use crate::rest::error::{Failure, Kind};

/// The answer for the view whose metadata file lies at `location`.
pub(super) fn loaded(location: &str, metadata: &ViewMetadata) -> Response {
    let location = serde_json::json!(location).to_string();
    let metadata = metadata.to_json();
    let mut bytes = Vec::with_capacity(metadata.len() + location.len() + 64);
    bytes.extend_from_slice(br#"{"metadata-location":"#);
    bytes.extend_from_slice(location.as_bytes());
    bytes.extend_from_slice(br#","metadata":"#);
    bytes.extend_from_slice(&metadata);
    bytes.extend_from_slice(br#","config":{}}"#);
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}

/// The answer to a commit of one view: the view as that commit left it.
pub(super) fn committed(committed: &Committed) -> Result<Response, Failure> {
    match committed.views.first() {
        Some(view) => Ok(loaded(&view.metadata_location, &view.metadata)),
        None => Err(Failure::new(Kind::Internal, "the commit names no view")),
    }
}
