//! A catalog for Iceberg clients, read-only: the Iceberg tables of one share, in place.
//!
//! - C1: nobody learns of a share, namespace or table that is not granted, nor of anything before the token is good.
//! - C2: a table is here only if all of it is shared, every version and every row: its metadata names the files of all
//!   versions, and the credentials that come with it open them.
//! - C3: credentials end with what they stand on, and are for the files of that table only.
//!
//! A share is a warehouse, its schemas are namespaces of one level. Delta tables are not here. Errors have the envelope
//! of Iceberg's specification (open-api/rest-catalog-open-api.yaml).

mod answer;
mod config;
mod found;
mod fresh;
mod namespaces;
mod tables;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::routing::{get, post};
use http::Method;
use http::request::Parts;
use jiff::Timestamp;
use tarn_catalog::Catalog;
use tarn_openapi::access::Sender;

use self::answer::{Failure, Kind};
use crate::Sharers;
use crate::access::{Access, Reader, bearer};
use crate::rest::TableCredentials;

/// What the front is made of.
pub struct IcebergFront {
    /// Who reads, and what.
    pub access: Arc<Access>,
    /// What those who shared may read.
    pub sharers: Arc<dyn Sharers>,
    /// The tables.
    pub catalog: Catalog,
    /// Opens their files.
    pub credentials: Arc<dyn TableCredentials>,
    /// How long credentials last, in seconds.
    pub lifetime_s: i64,
    /// Where clients reach the objects: scheme and host, no slash at its end.
    pub s3_endpoint: Arc<str>,
    /// The region clients sign for.
    pub region: Arc<str>,
}

/// The routes from `/v1` on; nest them below the mount.
pub fn router(front: Arc<IcebergFront>) -> Router {
    Router::new()
        .route("/v1/config", get(config::get))
        .merge(share_routes("/v1/shares/{share}"))
        // Of clients that encode all of the prefix.
        .merge(share_routes("/v1/{share}"))
        .fallback(no_such_route)
        .method_not_allowed_fallback(read_only)
        .with_state(front)
}

fn share_routes(base: &str) -> Router<Arc<IcebergFront>> {
    let at = |path: &str| format!("{base}/namespaces{path}");
    Router::new()
        .route(&at(""), get(namespaces::list))
        .route(&at("/{namespace}"), get(namespaces::load).head(namespaces::exists))
        .route(&at("/{namespace}/tables"), get(tables::list))
        .route(&at("/{namespace}/tables/{table}"), get(tables::load).head(tables::exists))
        .route(&at("/{namespace}/tables/{table}/credentials"), get(tables::credentials))
        .route(&at("/{namespace}/tables/{table}/metrics"), post(tables::metrics))
}

/// Who asks. Taken before anything else of a request (C1).
struct Caller {
    reader: Reader,
    /// When it asked, in milliseconds since 1970.
    now_ms: i64,
}

impl FromRequestParts<Arc<IcebergFront>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, front: &Arc<IcebergFront>) -> Result<Self, Failure> {
        let now_ms = Timestamp::now().as_millisecond();
        let unknown = Sender::default();
        let sender = parts.extensions.get::<Sender>().unwrap_or(&unknown);
        let reader = front.access.reader(bearer(&parts.headers), sender, now_ms).await?;
        Ok(Self { reader, now_ms })
    }
}

async fn no_such_route(method: Method) -> Failure {
    match method {
        Method::GET | Method::HEAD => Failure::new(Kind::NoSuchRoute, "there is no such route"),
        _ => read_only().await,
    }
}

async fn read_only() -> Failure {
    Failure::new(Kind::ReadOnly, "a share is read only")
}
