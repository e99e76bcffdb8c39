//! The front over a catalog in memory: whole answers are compared.

mod clients;
mod config;
mod delegation;
mod dropped;
mod edges;
mod functions;
mod idempotency;
mod input;
mod lenient;
mod namespaces;
mod outcomes;
mod past;
mod planning;
mod tables;
mod transactions;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tarn_openapi::access::{Action, Ask, Authorize, Denied, Principal};
use tower::ServiceExt as _;

use super::{RestFront, ScanPlanning, router};
use crate::Catalog;
use crate::testing::MemoryWarehouses;

/// Root may do everything; the access key `reader` may read; nobody else may do anything.
struct Rules;

impl Authorize for Rules {
    fn authorize(&self, principal: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        match principal {
            Principal::Root => Ok(()),
            Principal::AccessKey(_) if reads(ask.action) => Ok(()),
            Principal::AccessKey(_) | Principal::Session(_) | Principal::Web(_) | Principal::Anonymous => {
                Err(Denied)
            }
        }
    }
}

fn reads(action: Action) -> bool {
    action.name().starts_with("s3tables:Get") || action.name().starts_with("s3tables:List")
}

/// An answer, read to its end.
#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    body: Value,
}

fn answer(status: u16, body: Value) -> Answer {
    Answer { status: StatusCode::from_u16(status).unwrap(), body }
}

/// The error envelope.
fn error(status: u16, kind: &str, message: &str) -> Answer {
    answer(status, json!({"error": {"message": message, "type": kind, "code": status}}))
}

struct Server {
    router: Router,
    catalog: Catalog,
    warehouses: Arc<MemoryWarehouses>,
}

/// A server with warehouse `main`, the default, and namespace `sales`.
async fn server() -> Server {
    let (catalog, _, warehouses) = crate::testing::catalog().await;
    let router = router(RestFront {
        catalog: catalog.clone(),
        authorize: Arc::new(Rules),
        vend: None,
        uri: None,
        default_warehouse: Some("main".into()),
        region: "us-east-1".into(),
        s3_endpoint: Some("http://127.0.0.1:9000".into()),
        scan_planning: ScanPlanning::Client,
    });
    Server { router, catalog, warehouses }
}

impl Server {
    async fn send(&self, request: Request<Body>) -> (Answer, HeaderMap) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        (Answer { status, body }, headers)
    }

    async fn as_root(&self, method: &str, path: &str, body: Body) -> (Answer, HeaderMap) {
        let request = Request::builder().method(method).uri(path).extension(Principal::Root);
        self.send(request.body(body).unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.as_root("GET", path, Body::empty()).await.0
    }

    async fn head(&self, path: &str) -> Answer {
        self.as_root("HEAD", path, Body::empty()).await.0
    }

    async fn delete(&self, path: &str) -> Answer {
        self.as_root("DELETE", path, Body::empty()).await.0
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.as_root("POST", path, body.to_string().into()).await.0
    }

    /// Creates `sales.<name>` with one column.
    async fn create_table(&self, name: &str) -> Value {
        let created = self.post("/v1/main/namespaces/sales/tables", create_request(name)).await;
        assert_eq!(created.status, StatusCode::OK, "{created:?}");
        created.body
    }
}

fn create_request(name: &str) -> Value {
    json!({"name": name, "schema": {"type": "struct", "fields": [
        {"id": 1, "name": "id", "required": true, "type": "long"},
    ]}})
}

/// A snapshot that appends, on top of `parent`.
fn snapshot(id: i64, parent: Option<i64>, sequence_number: i64) -> Value {
    let mut snapshot = json!({
        "snapshot-id": id, "sequence-number": sequence_number, "timestamp-ms": 1_750_000_001_000_i64 + id,
        "manifest-list": format!("s3://main/sales/snap-{id}.avro"), "schema-id": 0,
        "summary": {"operation": "append"},
    });
    if let Some(parent) = parent {
        snapshot["parent-snapshot-id"] = json!(parent);
    }
    snapshot
}

/// Adds a snapshot and makes it `main`.
fn append(id: i64, parent: Option<i64>, sequence_number: i64) -> Value {
    json!({
        "requirements": [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": parent}],
        "updates": [
            {"action": "add-snapshot", "snapshot": snapshot(id, parent, sequence_number)},
            {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id},
        ],
    })
}
