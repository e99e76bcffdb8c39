//! What clients send that the specification does not ask for, or not so.

use axum::body::Body;
use http::StatusCode;
use serde_json::json;

use super::{create_request, error, server};

const TABLES: &str = "/v1/main/namespaces/sales/tables";

#[tokio::test]
async fn purge_requested_may_be_written_as_python_does() {
    let server = server().await;
    for (value, status) in [
        ("False", StatusCode::NO_CONTENT),
        ("True", StatusCode::NO_CONTENT),
        ("false", StatusCode::NO_CONTENT),
        ("true", StatusCode::NO_CONTENT),
        ("", StatusCode::NO_CONTENT),
        ("maybe", StatusCode::BAD_REQUEST),
    ] {
        server.create_table(&format!("t-{value}")).await;
        let path = format!("{TABLES}/t-{value}?purgeRequested={value}");
        assert_eq!(server.delete(&path).await.status, status, "{value}");
    }
}

#[tokio::test]
async fn routes_without_a_prefix_mean_the_default_warehouse() {
    let server = server().await;
    server.create_table("t").await;
    assert_eq!(server.get("/v1/namespaces/sales/tables/t").await, server.get(&format!("{TABLES}/t")).await);
    assert_eq!(server.delete("/v1/namespaces/sales/tables/t").await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.head(&format!("{TABLES}/t")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn requirements_and_updates_may_be_absent() {
    let server = server().await;
    server.create_table("t").await;
    let update = json!([{"action": "set-properties", "updates": {"a": "b"}}]);
    let told = server.post(&format!("{TABLES}/t"), json!({"updates": update})).await;
    assert_eq!(told.body["metadata"]["properties"]["a"], "b", "{told:?}");
    let identifier = json!({"namespace": ["sales"], "name": "t"});
    let changes = json!({"table-changes": [{"identifier": identifier, "updates": update}]});
    assert_eq!(server.post("/v1/main/transactions/commit", changes).await.status, StatusCode::NO_CONTENT);
    let read = json!({"table-changes": [{"identifier": identifier, "requirements": []}]});
    assert_eq!(server.post("/v1/main/transactions/commit", read).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_separator_that_is_told_is_the_one_that_is_taken() {
    let server = server().await;
    let told = server.get("/v1/config").await.body["overrides"]["namespace-separator"].clone();
    let separator = told.as_str().unwrap();
    server.post("/v1/main/namespaces", json!({"namespace": ["a", "b"]})).await;
    for separator in [separator, "%1F", "%1f"] {
        let place = format!("/v1/main/namespaces/a{separator}b");
        assert_eq!(server.get(&place).await.body["namespace"], json!(["a", "b"]));
        let listed = server.get(&format!("/v1/main/namespaces?parent=a{separator}b")).await;
        assert_eq!(listed.body["namespaces"], json!([]));
    }
}

#[tokio::test]
async fn an_unregistered_table_is_told_and_its_files_stay() {
    let server = server().await;
    let created = server.create_table("t").await;
    let path = format!("{TABLES}/t");
    let (told, _) = server.as_root("POST", &format!("{path}/unregister"), Body::empty()).await;
    let expected =
        json!({"metadata-location": created["metadata-location"], "metadata": created["metadata"]});
    assert_eq!((told.status, told.body), (StatusCode::OK, expected));
    let gone = error(404, "NoSuchTableException", "Table does not exist: sales.t");
    let update = json!({"updates": [{"action": "set-properties", "updates": {"a": "b"}}]});
    assert_eq!(server.post(&path, update).await, gone);
    assert_eq!(server.as_root("POST", &format!("{path}/unregister"), Body::empty()).await.0, gone);
    let register = json!({"name": "u", "metadata-location": created["metadata-location"]});
    let again = server.post("/v1/main/namespaces/sales/register", register).await;
    assert_eq!(again.body["metadata"], created["metadata"]);
}

#[tokio::test]
async fn registering_over_a_table_puts_the_file_in_its_place() {
    let server = server().await;
    let old = server.create_table("old").await;
    assert_eq!(server.delete(&format!("{TABLES}/old")).await.status, StatusCode::NO_CONTENT);
    server.create_table("t").await;
    let path = "/v1/main/namespaces/sales/register";
    let mut register = json!({"name": "t", "metadata-location": old["metadata-location"]});
    assert_eq!(server.post(path, register.clone()).await.status, StatusCode::CONFLICT);
    register["overwrite"] = json!(true);
    assert_eq!(server.post(path, register).await.body["metadata"], old["metadata"]);
    assert_eq!(server.get(&format!("{TABLES}/t")).await.body["metadata"], old["metadata"]);
}

#[tokio::test]
async fn encryption_keys_come_and_go_and_are_named_by_snapshots() {
    let server = server().await;
    let mut request = create_request("t");
    request["properties"] = json!({"format-version": "3"});
    assert_eq!(server.post(TABLES, request).await.status, StatusCode::OK);
    let path = format!("{TABLES}/t");
    let key = json!({"key-id": "k1", "encrypted-key-metadata": "AAAA", "encrypted-by-id": "kms",
        "properties": {"a": "b"}});
    let mut snapshot = super::snapshot(1, None, 1);
    snapshot["first-row-id"] = json!(0);
    snapshot["added-rows"] = json!(0);
    snapshot["key-id"] = json!("k1");
    let updates = json!({"updates": [
        {"action": "add-encryption-key", "encryption-key": key},
        {"action": "add-snapshot", "snapshot": snapshot},
    ]});
    let told = server.post(&path, updates.clone()).await;
    assert_eq!(told.body["metadata"]["encryption-keys"], json!([key]), "{told:?}");
    assert_eq!(told.body["metadata"]["snapshots"], json!([snapshot]));
    let other = json!({"key-id": "k1", "encrypted-key-metadata": "BBBB"});
    let clash = json!({"updates": [{"action": "add-encryption-key", "encryption-key": other}]});
    assert_eq!(server.post(&path, clash).await.status, StatusCode::BAD_REQUEST);
    let remove = json!({"updates": [{"action": "remove-encryption-key", "key-id": "k1"}]});
    let told = server.post(&path, remove).await;
    assert!(told.body["metadata"]["encryption-keys"].as_array().is_none_or(Vec::is_empty), "{told:?}");
}

#[tokio::test]
async fn defaults_and_types_that_cannot_be_are_400() {
    let server = server().await;
    let field = |kind: &str, more: serde_json::Value| {
        let mut field = json!({"id": 1, "name": "c", "required": false, "type": kind});
        for (key, value) in more.as_object().unwrap() {
            field[key] = value.clone();
        }
        field
    };
    let refused = [
        ("3", field("unknown", json!({"required": true}))),
        ("3", field("unknown", json!({"initial-default": 1}))),
        ("3", field("variant", json!({"write-default": {}}))),
        ("3", field("geometry", json!({"initial-default": "POINT (1 1)"}))),
        ("3", field("geography", json!({"write-default": "POINT (1 1)"}))),
        ("3", field("int", json!({"initial-default": "one"}))),
        ("2", field("int", json!({"initial-default": 1}))),
        ("2", field("timestamp_ns", json!({}))),
        ("2", field("variant", json!({}))),
    ];
    for (version, field) in refused {
        let mut request = create_request("t");
        request["properties"] = json!({"format-version": version});
        request["schema"]["fields"] = json!([field]);
        assert_eq!(server.post(TABLES, request).await.status, StatusCode::BAD_REQUEST, "{field}");
    }
}

#[tokio::test]
async fn a_table_upgraded_to_v3_begins_its_row_ids_at_0() {
    let server = server().await;
    server.create_table("t").await;
    let path = format!("{TABLES}/t");
    assert_eq!(server.post(&path, super::append(1, None, 1)).await.status, StatusCode::OK);
    let upgrade = json!({"updates": [{"action": "upgrade-format-version", "format-version": 3}]});
    let told = server.post(&path, upgrade).await;
    assert_eq!(told.body["metadata"]["next-row-id"], json!(0), "{told:?}");
    let mut next = super::append(2, Some(1), 2);
    next["updates"][0]["snapshot"]["first-row-id"] = json!(0);
    next["updates"][0]["snapshot"]["added-rows"] = json!(7);
    let told = server.post(&path, next).await;
    assert_eq!(told.body["metadata"]["next-row-id"], json!(7), "{told:?}");
}
