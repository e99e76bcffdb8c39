//! The schemas of a share, as namespaces of one level.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Failure, Kind, no_store};
use super::found::{Names, schema};
use super::{Caller, IcebergFront};

#[derive(Deserialize)]
pub(super) struct Below {
    parent: Option<String>,
}

/// All in one page: a share has no more than fit into its document.
pub(super) async fn list(
    caller: Caller,
    State(front): State<Arc<IcebergFront>>,
    Names(share): Names<String>,
    below: Result<Query<Below>, QueryRejection>,
) -> Result<Response, Failure> {
    let below = below.map_err(|_| Failure::new(Kind::BadRequest, "the query cannot be read"))?.0;
    let granted = front.granted(&caller.reader, &share)?;
    let names: Vec<[&str; 1]> = match below.parent.as_deref() {
        None | Some("") => granted.share.schemas.values().map(|schema| [&*schema.name]).collect(),
        Some(parent) => {
            schema(&granted, parent)?;
            Vec::new()
        }
    };
    Ok(no_store(Json(json!({"namespaces": names, "next-page-token": null}))))
}

pub(super) async fn load(
    caller: Caller,
    State(front): State<Arc<IcebergFront>>,
    Names((share, namespace)): Names<(String, String)>,
) -> Result<Response, Failure> {
    let granted = front.granted(&caller.reader, &share)?;
    let (_, schema) = schema(&granted, &namespace)?;
    Ok(no_store(Json(json!({"namespace": [schema.name], "properties": {}}))))
}

pub(super) async fn exists(
    caller: Caller,
    State(front): State<Arc<IcebergFront>>,
    Names((share, namespace)): Names<(String, String)>,
) -> Result<Response, Failure> {
    schema(&front.granted(&caller.reader, &share)?, &namespace)?;
    Ok(no_store(StatusCode::NO_CONTENT))
}
