//! The admin API, `/_admin/v1`: users, groups, policies and keys, change events, functions, tables and their maintenance,
//! shares and recipients, the server's status.
//!
//! - A1: every route asks for the action it does (`access.rs`) before it does or tells anything.

mod access;
mod error;
mod events;
mod functions;
mod groups;
mod history;
mod inventory;
pub(crate) mod jobs;
mod journals;
mod keys;
mod maintenance;
mod openapi;
mod params;
mod policies;
mod reports;
mod service_accounts;
mod sharing;
mod sql;
mod status;
mod tables;
mod users;
mod warehouses;
mod webhooks;
mod why;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};

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
        .route("/_admin/v1/tables/{warehouse}/{namespace}/{table}/diff", get(history::diff_table))
        .route("/_admin/v1/warehouses/{warehouse}/history", get(history::list))
        .route("/_admin/v1/warehouses/{warehouse}/diff", get(history::diff_warehouse))
        .route(
            "/_admin/v1/warehouses/{warehouse}/rollback",
            post(history::rollback).layer(DefaultBodyLimit::max(DOCUMENT_BYTES_MAX)),
        )
        .route("/_admin/v1/namespaces/{warehouse}/{namespace}", delete(tables::drop_namespace))
        .route("/_admin/v1/dropped-tables", get(tables::list_dropped))
        .route("/_admin/v1/dropped-tables/{id}", delete(tables::remove_dropped))
        .route("/_admin/v1/dropped-tables/{id}/undrop", post(tables::undrop))
        .route(
            "/_admin/v1/warehouses/{warehouse}/properties",
            get(warehouses::properties).post(warehouses::update),
        )
        .route("/_admin/v1/webhooks", get(webhooks::list))
        .route("/_admin/v1/webhooks/{id}", get(webhooks::show).put(webhooks::put).delete(webhooks::delete))
        .route("/_admin/v1/webhooks/{id}/test", post(webhooks::test))
        .route("/_admin/v1/drives/retry", post(status::retry_drives))
        .route("/_admin/v1/reports", get(reports::list))
        .route("/_admin/v1/reports/{name}", get(reports::answer))
        .route("/_admin/v1/sql", post(sql::ask).layer(DefaultBodyLimit::max(sql::BODY_BYTES_MAX)))
        .route("/_admin/v1/status", get(status::show))
        .merge(identities())
        .merge(inventory::router())
        .merge(journals::router())
        .merge(jobs::router())
        .merge(sharing::router())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// Users, groups, policies and service accounts.
fn identities() -> Router<Arc<Program>> {
    Router::new()
        .route("/_admin/v1/users", get(users::list).post(users::create))
        .route("/_admin/v1/users/{name}", get(users::show).delete(users::delete))
        .route("/_admin/v1/users/{name}/status", put(users::set_status))
        .route("/_admin/v1/users/{name}/secret", post(users::renew_secret))
        .route("/_admin/v1/users/{name}/policies/{policy}", put(users::attach).delete(users::detach))
        .route("/_admin/v1/groups", get(groups::list).post(groups::create))
        .route("/_admin/v1/groups/{name}", get(groups::show).delete(groups::delete))
        .route("/_admin/v1/groups/{name}/status", put(groups::set_status))
        .route("/_admin/v1/groups/{name}/policies/{policy}", put(groups::attach).delete(groups::detach))
        .route(
            "/_admin/v1/groups/{name}/members/{user}",
            put(groups::add_member).delete(groups::remove_member),
        )
        .route("/_admin/v1/policies", get(policies::list))
        .route("/_admin/v1/policies/{name}", get(policies::show).put(policies::put).delete(policies::delete))
        .route("/_admin/v1/why", post(why::ask))
        .route("/_admin/v1/service-accounts", get(service_accounts::list).post(service_accounts::create))
        .route(
            "/_admin/v1/service-accounts/{id}",
            get(service_accounts::show).delete(service_accounts::delete),
        )
        .route("/_admin/v1/service-accounts/{id}/status", put(service_accounts::set_status))
        .route(
            "/_admin/v1/service-accounts/{id}/policy",
            put(service_accounts::set_policy).delete(service_accounts::delete_policy),
        )
}
