//! `GET /v1/config`: what this server serves, exactly.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tarn_openapi::access::{Action, Resource};
use utoipa::{IntoParams, ToSchema};

use super::Front;
use super::access::Caller;
use super::body::Query;
use super::error::{ErrorEnvelope, Failure};
use super::path::{Place, SEPARATOR_ENCODED, split_prefix};
use crate::history::Moment;

/// The routes served, as the specification spells them. Without this list clients assume an older
/// one that lacks the HEADs.
pub(crate) const ENDPOINTS: &[&str] = &[
    "GET /v1/{prefix}/namespaces",
    "POST /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "DELETE /v1/{prefix}/namespaces/{namespace}",
    "POST /v1/{prefix}/namespaces/{namespace}/properties",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "POST /v1/{prefix}/namespaces/{namespace}/tables",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/unregister",
    "POST /v1/{prefix}/namespaces/{namespace}/register",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/sign",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/plan",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/plan/{plan-id}",
    "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}/plan/{plan-id}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/tasks",
    "POST /v1/{prefix}/tables/rename",
    "POST /v1/{prefix}/transactions/commit",
    "GET /v1/{prefix}/namespaces/{namespace}/views",
    "POST /v1/{prefix}/namespaces/{namespace}/views",
    "GET /v1/{prefix}/namespaces/{namespace}/views/{view}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/views/{view}",
    "POST /v1/{prefix}/namespaces/{namespace}/views/{view}",
    "DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}",
    "POST /v1/{prefix}/namespaces/{namespace}/register-view",
    "POST /v1/{prefix}/views/rename",
    "GET /v1/{prefix}/namespaces/{namespace}/functions",
    "GET /v1/{prefix}/namespaces/{namespace}/functions/{function}",
];

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConfigQuery {
    /// The warehouse; absent or empty is the default one. `s3://<name>/` is read as `<name>`. As it was, read-only:
    /// `<name>@position:<number>` or `<name>@<time>`, such as `main@2026-11-21T04:00:00Z`.
    warehouse: Option<String>,
}

/// What a client begins with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogConfig {
    /// Applied before the client's own settings.
    defaults: BTreeMap<&'static str, String>,
    /// Applied after them.
    overrides: BTreeMap<&'static str, String>,
    /// The routes served.
    endpoints: Vec<&'static str>,
    /// Idempotency keys are understood, and their answers kept so long (ISO 8601).
    #[serde(rename = "idempotency-key-lifetime")]
    idempotency_key_lifetime: String,
}

/// What this server serves, for one warehouse.
#[utoipa::path(
    get, path = "/v1/config", tag = "Catalog", params(ConfigQuery),
    responses(
        (status = 200, description = "Defaults, overrides and endpoints", body = CatalogConfig),
        (status = 404, description = "There is no such warehouse", body = ErrorEnvelope),
    )
)]
pub(crate) async fn get(
    State(front): State<Arc<Front>>,
    caller: Caller,
    Query(query): Query<ConfigQuery>,
) -> Result<Json<CatalogConfig>, Failure> {
    let (warehouse, at) = match query.warehouse.as_deref().map(bare_name) {
        None | Some("") => (front.default_warehouse()?, None),
        Some(name) => split_prefix(name)?,
    };
    front.allow(&caller, Action::GetConfig, Resource::Bucket(&warehouse))?;
    let mut place = Place { warehouse, at, levels: Vec::new(), name: String::new() };
    if let Some(at) = at {
        // A client stays where it attached: a time near now could stand for another position later.
        place.at = Some(Moment::Position(front.catalog.position(at).await?));
    }
    front.see(&caller, &place).await?.warehouse(&place)?;
    Ok(Json(CatalogConfig {
        defaults: front.answers.defaults(),
        overrides: BTreeMap::from([
            ("prefix", place.prefix().into_owned()),
            ("namespace-separator", SEPARATOR_ENCODED.to_owned()),
        ]),
        endpoints: ENDPOINTS.to_vec(),
        idempotency_key_lifetime: iso_8601(front.catalog.reply_lifetime()),
    }))
}

fn iso_8601(duration: Duration) -> String {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX).to_string()
}

/// Some clients send the warehouse's location for its name.
fn bare_name(text: &str) -> &str {
    text.strip_prefix("s3://").unwrap_or(text).trim_end_matches('/')
}
