//! The Iceberg REST front: convert, authorize, call the catalog once, convert.
//!
//! - E1: a refusal of access is answered before anything is looked up.
//! - E2: 503 is answered only when nothing was done: clients delete the files of the attempt on it.
//! - E3: a fault that trying again cannot cure is never a 5xx: clients retry those for minutes.
//! - E4: every answer that is no success carries the error envelope.
//!
//! Source: Apache Iceberg, open-api/rest-catalog-open-api.yaml. Where clients differ: docs/API-QUIRKS.md.

mod access;
mod body;
mod call;
mod config;
mod dto;
mod error;
mod failure;
mod functions;
mod idents;
mod mutation;
mod namespaces;
mod openapi;
mod page;
mod path;
mod referenced_by;
mod scan;
mod seen;
mod tables;
#[cfg(test)]
mod tests;
mod transactions;
mod turns;
mod views;
mod warehouses;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tarn_openapi::access::Authorize;
use tarn_openapi::vend::Vend;
use tokio::sync::Semaphore;
use tower::ServiceBuilder;

use self::error::{Failure, Kind};
pub use self::mutation::author;
pub use self::openapi::openapi;
use self::tables::TableAnswers;
use self::turns::Turns;
use crate::Catalog;
use crate::scan::{Limits, Planner};

/// Bytes of serialized table responses that are kept.
const ANSWERS_BYTES_MAX: usize = 64 << 20;

/// What the front is made of.
#[derive(Clone)]
pub struct RestFront {
    /// The catalog it serves.
    pub catalog: Catalog,
    /// Who may do what.
    pub authorize: Arc<dyn Authorize>,
    /// The warehouse of requests that name none.
    pub default_warehouse: Option<String>,
    /// What gives clients access to the files of tables; `None`: they have keys of their own.
    pub vend: Option<Arc<dyn Vend>>,
    /// Where clients reach this front: scheme, host and mount. `None` leaves it to their settings.
    pub uri: Option<String>,
    /// The region clients sign for.
    pub region: String,
    /// Where clients reach the objects, with its scheme; `None` leaves it to their settings.
    pub s3_endpoint: Option<String>,
    /// Who plans the scans of tables that do not say it themselves.
    pub scan_planning: ScanPlanning,
}

/// Who plans the scans of a table. Either way clients may ask the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanPlanning {
    /// Each client, unless it is set to ask the server.
    Client,
    /// The server: clients are told so.
    Server,
}

/// The front as handlers see it.
pub(crate) struct Front {
    catalog: Catalog,
    authorize: Arc<dyn Authorize>,
    vend: Option<Arc<dyn Vend>>,
    uri: Option<String>,
    default_warehouse: Option<Arc<str>>,
    answers: TableAnswers,
    planner: Planner,
    turns: Turns,
    /// Bytes of bodies that may be in work.
    bodies: Arc<Semaphore>,
}

/// The routes from `/v1/...` on; nest them below the mounts.
pub fn router(front: RestFront) -> Router {
    let front = Arc::new(Front {
        answers: TableAnswers::new(
            &front.region,
            front.s3_endpoint.as_deref(),
            front.scan_planning,
            ANSWERS_BYTES_MAX,
        ),
        planner: Planner::new(front.catalog.warehouses().clone(), Limits::default()),
        turns: Turns::new(),
        catalog: front.catalog,
        authorize: front.authorize,
        vend: front.vend,
        uri: front.uri,
        default_warehouse: front.default_warehouse.map(Into::into),
        bodies: body::budget(),
    });
    let routes = Router::new()
        .route("/v1/config", get(config::get))
        .route("/v1/warehouses", post(warehouses::create))
        .route("/v1/warehouses/{prefix}", axum::routing::delete(warehouses::delete))
        .merge(catalog_routes("/v1"))
        .merge(catalog_routes("/v1/{prefix}"))
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(front);
    // Before routing, because a route's parameters are decoded there.
    Router::new().fallback_service(ServiceBuilder::new().map_request(path::plus_to_space).service(routes))
}

fn catalog_routes(base: &str) -> Router<Arc<Front>> {
    let at = |path: &str| format!("{base}/{path}");
    Router::new()
        .route(&at("namespaces"), get(namespaces::list).post(namespaces::create))
        .route(
            &at("namespaces/{namespace}"),
            get(namespaces::load).head(namespaces::exists).delete(namespaces::drop),
        )
        .route(&at("namespaces/{namespace}/properties"), post(namespaces::properties))
        .route(&at("namespaces/{namespace}/tables"), get(tables::list).post(tables::create))
        .route(&at("namespaces/{namespace}/register"), post(tables::register))
        .route(
            &at("namespaces/{namespace}/tables/{table}"),
            get(tables::load).head(tables::exists).post(tables::commit).delete(tables::drop),
        )
        .route(&at("namespaces/{namespace}/tables/{table}/credentials"), get(tables::credentials))
        .route(&at("namespaces/{namespace}/tables/{table}/sign"), post(tables::sign))
        .route(&at("namespaces/{namespace}/tables/{table}/metrics"), post(tables::metrics))
        .route(&at("namespaces/{namespace}/tables/{table}/unregister"), post(tables::unregister))
        .route(&at("namespaces/{namespace}/tables/{table}/plan"), post(scan::plan))
        .route(
            &at("namespaces/{namespace}/tables/{table}/plan/{plan-id}"),
            get(scan::fetch).delete(scan::cancel),
        )
        .route(&at("namespaces/{namespace}/tables/{table}/tasks"), post(scan::tasks))
        .route(&at("namespaces/{namespace}/tables/{table}/undrop"), post(tables::undrop))
        .route(&at("dropped-tables"), get(tables::dropped))
        .route(&at("tables/rename"), post(tables::rename))
        .route(&at("transactions/commit"), post(transactions::commit))
        .route(&at("namespaces/{namespace}/views"), get(views::list).post(views::create))
        .route(
            &at("namespaces/{namespace}/views/{view}"),
            get(views::load).head(views::exists).post(views::commit).delete(views::drop),
        )
        .route(&at("namespaces/{namespace}/register-view"), post(views::register))
        .route(&at("views/rename"), post(views::rename))
        .route(&at("namespaces/{namespace}/functions"), get(functions::list))
        .route(&at("namespaces/{namespace}/functions/{function}"), get(functions::load))
}

async fn no_such_route() -> Failure {
    Failure::new(Kind::NoSuchRoute, "this server has no such route")
}

async fn method_not_allowed() -> Failure {
    Failure::new(Kind::MethodNotAllowed, "this route does not take this method")
}
