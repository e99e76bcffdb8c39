//! Config, warehouses, the endpoint list.

use serde_json::{Value, json};

use super::super::config::ENDPOINTS;
use super::{answer, error, server};

fn config(warehouse: &str) -> Value {
    json!({
        "defaults": {
            "client.region": "us-east-1", "s3.region": "us-east-1", "s3.path-style-access": "true",
            "s3.endpoint": "http://127.0.0.1:9000",
        },
        "overrides": {"prefix": warehouse, "namespace-separator": "%1F"},
        "endpoints": ENDPOINTS,
        "idempotency-key-lifetime": "PT30M",
    })
}

#[tokio::test]
async fn config_names_the_warehouse_as_prefix_and_every_endpoint() {
    let server = server().await;
    for path in [
        "/v1/config",
        "/v1/config?warehouse=",
        "/v1/config?warehouse=main",
        "/v1/config?warehouse=s3://main/",
    ] {
        assert_eq!(server.get(path).await, answer(200, config("main")), "{path}");
    }
}

#[tokio::test]
async fn config_of_an_unknown_warehouse_is_404() {
    let missing = error(404, "NoSuchWarehouseException", "warehouse 'other' does not exist");
    assert_eq!(server().await.get("/v1/config?warehouse=other").await, missing);
}

/// Every endpoint of the list is routed: it answers something else than "no such route".
#[tokio::test]
async fn every_endpoint_of_the_list_is_served() {
    let server = server().await;
    for endpoint in ENDPOINTS {
        let (method, path) = endpoint.split_once(' ').unwrap();
        let path = path.replace("{prefix}", "main").replace("{namespace}", "none").replace("{table}", "none");
        let path = path.replace("{view}", "none").replace("{function}", "none").replace("{plan-id}", "none");
        let (found, _) = server.as_root(method, &path, axum::body::Body::empty()).await;
        let message = found.body["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.starts_with("this "), "{endpoint}: {found:?}");
    }
}

#[tokio::test]
async fn a_warehouse_is_created_with_its_bucket_and_dropped_with_it() {
    let server = server().await;
    let created = server.post("/v1/warehouses", json!({"name": "second"})).await;
    assert_eq!(created, answer(200, json!({"name": "second", "bucket": "second"})));
    assert!(server.warehouses.buckets.lock().unwrap().contains_key("second"));
    assert_eq!(server.get("/v1/config?warehouse=second").await, answer(200, config("second")));
    let again = server.post("/v1/warehouses", json!({"name": "second"})).await;
    assert_eq!(again, error(409, "AlreadyExistsException", "warehouse 'second' already exists"));

    server.post("/v1/second/namespaces", json!({"namespace": ["a"]})).await;
    let not_empty = error(409, "NamespaceNotEmptyException", "warehouse 'second' is not empty");
    assert_eq!(server.delete("/v1/warehouses/second").await, not_empty);
    server.delete("/v1/second/namespaces/a").await;
    assert_eq!(server.delete("/v1/warehouses/second").await, answer(204, Value::Null));
    assert!(!server.warehouses.buckets.lock().unwrap().contains_key("second"));
    let missing = error(404, "NoSuchWarehouseException", "warehouse 'second' does not exist");
    assert_eq!(server.delete("/v1/warehouses/second").await, missing);
}

#[tokio::test]
async fn an_existing_bucket_becomes_a_warehouse_only_when_asked() {
    let server = server().await;
    server.warehouses.buckets.lock().unwrap().insert("bucket".into(), Default::default());
    let refused = server.post("/v1/warehouses", json!({"name": "bucket"})).await;
    assert_eq!(refused, error(409, "AlreadyExistsException", "the bucket exists"));
    let upgraded = server.post("/v1/warehouses", json!({"name": "bucket", "upgrade-existing": true})).await;
    assert_eq!(upgraded, answer(200, json!({"name": "bucket", "bucket": "bucket"})));
}

#[tokio::test]
async fn a_name_that_reads_as_a_route_is_no_warehouse() {
    let refused = server().await.post("/v1/warehouses", json!({"name": "tables"})).await;
    assert_eq!(refused, error(400, "BadRequestException", "tables is reserved and cannot name a warehouse"));
}
