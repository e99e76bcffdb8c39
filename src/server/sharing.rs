//! Wires Delta Sharing.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use http::StatusCode;
use tarn_catalog::{Catalog, WarehouseStores};
use tarn_sharing::access::{self, Access, AccessSettings, Endpoints, ForeignTokens};

use crate::identity::KeySharers;

/// What Delta Sharing works with, and what changes shares and recipients.
#[derive(Clone)]
pub(crate) struct Sharing {
    /// Who reads.
    pub(crate) access: Arc<Access>,
    /// Who shares.
    pub(crate) sharers: Arc<KeySharers>,
    /// The buckets that tables lie in.
    pub(crate) buckets: Arc<dyn WarehouseStores>,
}

impl Sharing {
    /// For clients that come to `public`, such as `https://tarn.example:9000`.
    pub(super) fn new(
        catalog: &Catalog,
        buckets: Arc<dyn WarehouseStores>,
        sharers: KeySharers,
        foreign: Arc<dyn ForeignTokens>,
        public: &str,
    ) -> Self {
        let settings = AccessSettings::new(Endpoints::below(public));
        let access = Access::new(catalog.clone(), settings, Some(foreign));
        Self { access: Arc::new(access), sharers: Arc::new(sharers), buckets }
    }
}

/// The routes below `/_delta-sharing`.
pub(super) fn router(access: Arc<Access>) -> Router {
    access::routes(access).fallback(not_there)
}

async fn not_there() -> Response {
    let told = serde_json::json!({
        "errorCode": "UNSUPPORTED_OPERATION",
        "message": "this server does not serve Delta Sharing yet",
    });
    (StatusCode::NOT_IMPLEMENTED, Json(told)).into_response()
}
