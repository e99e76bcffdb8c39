//! `GET /v1/config`: what a client begins with.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Failure, Kind, no_store};
use super::found::SEGMENT;
use super::{Caller, IcebergFront};

/// The routes served, as the specification spells them.
const ENDPOINTS: [&str; 8] = [
    "GET /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics",
];

#[derive(Deserialize)]
pub(super) struct Asked {
    /// The share.
    warehouse: Option<String>,
}

pub(super) async fn get(
    caller: Caller,
    State(front): State<Arc<IcebergFront>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failure> {
    let asked = asked.map_err(|_| Failure::new(Kind::BadRequest, "the query cannot be read"))?.0;
    let named = asked.warehouse.filter(|name| !name.is_empty());
    let name = named.ok_or_else(|| Failure::new(Kind::BadRequest, "the warehouse must name a share"))?;
    let granted = front.granted(&caller.reader, &name)?;
    let prefix = format!("shares/{}", utf8_percent_encode(&granted.share.name, SEGMENT));
    Ok(no_store(Json(json!({
        "defaults": front.client_config(),
        "overrides": {"prefix": prefix},
        "endpoints": ENDPOINTS,
    }))))
}
