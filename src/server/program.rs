//! What the server's own routes work with, and the router of all fronts.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Json, Router, middleware};
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use tarn_catalog::Catalog;
use tarn_inventory::Maintenance;
use tarn_inventory::jobs::Jobs;
use tarn_objectcore::ObjectCore;
use tarn_openapi::access::Authorize;
use tarn_openapi::request::RequestId;
use tarn_sql::Engine;
use tokio::sync::{Semaphore, watch};
use tower::service_fn;

use super::dispatch::Fronts;
use super::sharing::Sharing;
use super::{health, metrics};
use crate::admin;
use crate::config::MetricsAccess;
use crate::console;
use crate::events::Events;
use crate::identity::answer::{self, Protocol};
use crate::identity::{Grants, Identity, authenticate};
use crate::inventories::BucketInventories;
use crate::journals::BucketJournals;
use crate::webhooks::Webhooks;

/// What handlers of the server itself see.
pub(crate) struct Program {
    pub(crate) core: ObjectCore,
    pub(crate) catalog: Catalog,
    /// The default warehouse.
    pub(crate) warehouse: String,
    pub(crate) inventories: BucketInventories,
    pub(crate) journals: BucketJournals,
    pub(crate) maintenance: Maintenance,
    pub(crate) jobs: Jobs,
    /// Streams of runs that may still be opened.
    pub(crate) job_streams: Arc<Semaphore>,
    /// Turns true when the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) sharing: Sharing,
    pub(crate) events: Events,
    pub(crate) webhooks: Webhooks,
    pub(crate) sql: Engine,
    pub(crate) identity: Arc<Identity>,
    pub(crate) authorize: Arc<dyn Authorize>,
    /// What `authorize` asks, for what wants to know why.
    pub(crate) grants: Arc<Grants>,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) metrics_access: MetricsAccess,
    pub(crate) started: Instant,
}

/// The state of handlers.
pub(crate) type Shared = State<Arc<Program>>;

/// The server's own routes.
pub(super) fn own(program: Arc<Program>) -> Router {
    Router::new()
        .route("/_health/ready", get(health::ready))
        .route("/_metrics", get(metrics::show))
        .route("/_openapi.json", get(openapi))
        .merge(admin::router())
        .merge(console::router())
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(program)
}

/// All fronts behind the one authentication.
pub(super) fn all(fronts: Fronts, identity: Arc<Identity>) -> Router {
    let dispatch = service_fn(move |request: Request| {
        let fronts = fronts.clone();
        async move { Ok::<_, std::convert::Infallible>(fronts.dispatch(request).await) }
    });
    Router::new().fallback_service(dispatch).layer(middleware::from_fn_with_state(identity, authenticate))
}

async fn openapi() -> Response {
    Json(admin::document()).into_response()
}

async fn no_such_route(Extension(id): Extension<RequestId>, request: Request) -> Response {
    let message = "this server has no such route";
    answer::error(Protocol::Plain, StatusCode::NOT_FOUND, "NoSuchRoute", message, request.uri().path(), &id)
}

async fn method_not_allowed(Extension(id): Extension<RequestId>, request: Request) -> Response {
    let message = "this route does not take this method";
    answer::error(
        Protocol::Plain,
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        message,
        request.uri().path(),
        &id,
    )
}
