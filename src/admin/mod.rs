//! The admin API, `/_admin/v1`: access keys, change events, functions, tables and their maintenance, the server's status.
//!
//! - A1: every route asks for the action it does (`access.rs`) before it does or tells anything.

mod access;
mod error;
mod events;
mod functions;
mod keys;
mod maintenance;
mod openapi;
mod params;
mod status;
mod tables;
mod warehouses;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};

pub(crate) use openapi::document;

use tarn_catalog::state::limits::DOCUMENT_BYTES_MAX;

use crate::server::Program;

/// The longest body, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The routes, with their full paths.
pub(crate) fn router() -> Router<Arc<Program>> {
    Router::new()
        .route("/_admin/v1/events", get(events::stream))
        .route("/_admin/v1/keys", get(keys::list).post(keys::create))
        .route("/_admin/v1/keys/{id}", delete(keys::delete))
        .route("/_admin/v1/functions", get(functions::list))
        .route(
            "/_admin/v1/functions/{warehouse}/{namespace}/{function}",
            get(functions::show)
                .delete(functions::delete)
                .put(functions::put)
                .layer(DefaultBodyLimit::max(DOCUMENT_BYTES_MAX)),
        )
        .route(
            "/_admin/v1/maintenance/policy",
            get(maintenance::policy).put(maintenance::set_policy).delete(maintenance::delete_policy),
        )
        .route("/_admin/v1/maintenance/runs", get(maintenance::runs).post(maintenance::begin))
        .route("/_admin/v1/maintenance/runs/{id}", get(maintenance::run))
        .route("/_admin/v1/tables/{warehouse}/{namespace}/{table}", delete(tables::drop))
        .route("/_admin/v1/namespaces/{warehouse}/{namespace}", delete(tables::drop_namespace))
        .route("/_admin/v1/dropped-tables", get(tables::list_dropped))
        .route("/_admin/v1/dropped-tables/{id}", delete(tables::remove_dropped))
        .route("/_admin/v1/dropped-tables/{id}/undrop", post(tables::undrop))
        .route(
            "/_admin/v1/warehouses/{warehouse}/properties",
            get(warehouses::properties).post(warehouses::update),
        )
        .route("/_admin/v1/status", get(status::show))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}
