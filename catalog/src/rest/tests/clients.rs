//! What real clients send, as they send it: creates, replaces, V3 appends and their conflicts.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Server, create_request, error, server, snapshot};

const ORDERS: &str = "/v1/main/namespaces/sales/tables/orders";

fn code(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status.as_u16(), answer.body["error"]["type"].as_str())
}

async fn commit(server: &Server, updates: Value) -> Answer {
    server.post(ORDERS, json!({"requirements": [], "updates": updates})).await
}

async fn created(properties: Value) -> (Server, Value) {
    let server = server().await;
    let mut request = create_request("orders");
    request["properties"] = properties;
    let created = server.post("/v1/main/namespaces/sales/tables", request).await;
    assert_eq!(created.status, StatusCode::OK, "{created:?}");
    (server, created.body["metadata"].clone())
}

#[tokio::test]
async fn a_new_table_has_fresh_ids_and_the_version_it_asked_for() {
    let server = server().await;
    let request = json!({
        "name": "orders", "location": null, "stage-create": false,
        "schema": {"type": "struct", "schema-id": 4, "identifier-field-ids": [12], "fields": [
            {"id": 12, "name": "id", "required": true, "type": "long"},
            {"id": 7, "name": "at", "required": false, "type": "timestamptz_ns", "doc": "when"}]},
        "partition-spec": {"spec-id": 3, "fields": [
            {"source-id": 7, "field-id": 1007, "name": "at_day", "transform": "day"}]},
        "write-order": {"order-id": 5, "fields": [
            {"source-id": 12, "transform": "identity", "direction": "desc", "null-order": "nulls-last"}]},
        "properties": {"format-version": "3", "owner": "ada"},
    });
    let created = server.post("/v1/main/namespaces/sales/tables", request).await;
    let metadata = &created.body["metadata"];
    assert_eq!(metadata["format-version"], json!(3), "{created:?}");
    assert_eq!(
        (&metadata["schemas"], &metadata["partition-specs"], &metadata["sort-orders"]),
        (
            &json!([{"type": "struct", "schema-id": 0, "identifier-field-ids": [1], "fields": [
                {"id": 1, "name": "id", "required": true, "type": "long"},
                {"id": 2, "name": "at", "required": false, "type": "timestamptz_ns", "doc": "when"}]}]),
            &json!([{"spec-id": 0, "fields": [
                {"source-id": 2, "field-id": 1000, "name": "at_day", "transform": "day"}]}]),
            &json!([{"order-id": 1, "fields": [
                {"source-id": 1, "transform": "identity", "direction": "desc", "null-order": "nulls-last"}]}]),
        )
    );
    assert_eq!((&metadata["next-row-id"], &metadata["current-snapshot-id"]), (&json!(0), &Value::Null));
    assert_eq!(metadata["properties"], json!({"owner": "ada", "write.parquet.compression-codec": "zstd"}));
}

#[tokio::test]
async fn a_replace_keeps_the_history_and_begins_anew() {
    let (server, metadata) = created(json!({})).await;
    let append = json!([
        {"action": "add-snapshot", "snapshot": snapshot(1, None, 1)},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 1},
    ]);
    assert_eq!(commit(&server, append).await.status, StatusCode::OK);
    let mut next = snapshot(2, None, 2);
    next["schema-id"] = json!(1);
    let replace = json!({
        "requirements": [{"type": "assert-table-uuid", "uuid": metadata["table-uuid"]}],
        "updates": [
            {"action": "remove-snapshot-ref", "ref-name": "main"},
            {"action": "add-schema", "last-column-id": 2, "schema": {"type": "struct", "schema-id": 1, "fields": [
                {"id": 2, "name": "name", "required": false, "type": "string"}]}},
            {"action": "set-current-schema", "schema-id": -1},
            {"action": "add-spec", "spec": {"spec-id": 1, "fields": [
                {"name": "name", "transform": "identity", "source-id": 2, "field-id": 1000}]}},
            {"action": "set-default-spec", "spec-id": -1},
            {"action": "set-properties", "updates": {"owner": "ada"}},
            {"action": "add-snapshot", "snapshot": next},
            {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 2},
        ],
    });
    let replaced = server.post(ORDERS, replace).await;
    let metadata = &replaced.body["metadata"];
    assert_eq!(metadata["current-snapshot-id"], json!(2), "{replaced:?}");
    assert_eq!((&metadata["current-schema-id"], &metadata["default-spec-id"]), (&json!(1), &json!(1)));
    assert_eq!(metadata["snapshots"].as_array().unwrap().len(), 2);
    assert_eq!(metadata["snapshot-log"].as_array().unwrap().len(), 2);
    assert_eq!(metadata["metadata-log"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn stale_sequence_numbers_and_row_ids_are_409_and_never_400() {
    let (server, _) = created(json!({"format-version": "3"})).await;
    let append = |id: i64, parent: Option<i64>, number: i64, first_row: i64| {
        let mut snapshot = snapshot(id, parent, number);
        snapshot["first-row-id"] = json!(first_row);
        snapshot["added-rows"] = json!(5);
        json!([
            {"action": "add-snapshot", "snapshot": snapshot},
            {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id},
        ])
    };
    let first = commit(&server, append(1, None, 1, 0)).await;
    assert_eq!(first.body["metadata"]["next-row-id"], json!(5), "{first:?}");
    let failed = (409, Some("CommitFailedException"));
    assert_eq!(code(&commit(&server, append(2, Some(1), 1, 5)).await), failed);
    assert_eq!(code(&commit(&server, append(2, Some(1), 2, 0)).await), failed);
    assert_eq!(commit(&server, append(2, Some(1), 2, 5)).await.status, StatusCode::OK);
    // Row ids may be left out, as DuckDB does.
    let ahead = commit(&server, append(3, Some(2), 3, 12)).await;
    assert_eq!(ahead.body["metadata"]["next-row-id"], json!(17), "{ahead:?}");
    let mut none = snapshot(4, Some(3), 4);
    none["added-rows"] = json!(5);
    let updates = json!([{"action": "add-snapshot", "snapshot": none}]);
    assert_eq!(code(&commit(&server, updates).await), (400, Some("BadRequestException")));
}

#[tokio::test]
async fn what_can_never_be_applied_is_400_and_changes_nothing() {
    let (server, _) = created(json!({})).await;
    let before = server.get(ORDERS).await;
    for update in [
        json!({"action": "assign-uuid", "uuid": "00000000-0000-0000-0000-000000000001"}),
        json!({"action": "upgrade-format-version", "format-version": 1}),
        json!({"action": "upgrade-format-version", "format-version": 4}),
        json!({"action": "set-current-schema", "schema-id": 7}),
        json!({"action": "set-current-schema", "schema-id": -1}),
        json!({"action": "add-schema", "schema": {"type": "struct", "fields": [
            {"id": 1, "name": "id", "required": true, "type": "variant"}]}}),
        json!({"action": "add-spec", "spec": {"fields": [
            {"source-id": 9, "name": "x", "transform": "identity"}]}}),
        json!({"action": "add-spec", "spec": {"fields": [
            {"source-id": 1, "name": "x", "transform": "hour"}]}}),
        json!({"action": "set-location", "location": "s3://other/orders"}),
        json!({"action": "set-location", "location": "s3://main/../other"}),
        json!({"action": "set-properties", "updates": {"snapshot-count": "3"}}),
        json!({"action": "set-snapshot-ref", "ref-name": "x", "type": "branch", "snapshot-id": 404}),
        json!({"action": "remove-schemas", "schema-ids": [0]}),
        json!({"action": "remove-partition-specs", "spec-ids": [0]}),
    ] {
        let refused =
            commit(&server, json!([{"action": "set-properties", "updates": {"a": "b"}}, update])).await;
        assert_eq!(code(&refused), (400, Some("BadRequestException")), "{update}: {refused:?}");
    }
    assert_eq!(server.get(ORDERS).await, before);
}

#[tokio::test]
async fn an_empty_commit_answers_the_table_as_it_is() {
    let (server, _) = created(json!({})).await;
    let before = server.get(ORDERS).await;
    assert_eq!(server.post(ORDERS, json!({})).await, before);
    let nothing = json!([{"action": "set-current-schema", "schema-id": 0}, {"action": "remove-snapshots", "snapshot-ids": [9]}]);
    assert_eq!(commit(&server, nothing).await, before);
}

#[tokio::test]
async fn branches_and_tags_live_beside_main() {
    let (server, _) = created(json!({})).await;
    let updates = json!([
        {"action": "add-snapshot", "snapshot": snapshot(1, None, 1)},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 1},
        {"action": "add-snapshot", "snapshot": snapshot(2, Some(1), 2)},
        {"action": "set-snapshot-ref", "ref-name": "dev", "type": "branch", "snapshot-id": 2,
            "min-snapshots-to-keep": 3, "max-snapshot-age-ms": 1000},
        {"action": "set-snapshot-ref", "ref-name": "v1", "type": "tag", "snapshot-id": 1, "max-ref-age-ms": 5000},
    ]);
    let found = commit(&server, updates).await;
    let metadata = &found.body["metadata"];
    assert_eq!(metadata["current-snapshot-id"], json!(1), "{found:?}");
    assert_eq!(
        metadata["refs"],
        json!({
            "main": {"snapshot-id": 1, "type": "branch"},
            "dev": {"snapshot-id": 2, "type": "branch", "min-snapshots-to-keep": 3, "max-snapshot-age-ms": 1000},
            "v1": {"snapshot-id": 1, "type": "tag", "max-ref-age-ms": 5000},
        })
    );
    let gone = commit(&server, json!([{"action": "remove-snapshots", "snapshot-ids": [2]}])).await;
    assert!(gone.body["metadata"]["refs"]["dev"].is_null(), "{gone:?}");
}

#[tokio::test]
async fn types_of_v3_and_unknown_fields_come_back_as_they_were_sent() {
    let server = server().await;
    let columns = json!([
        {"id": 1, "name": "v", "required": false, "type": "variant"},
        {"id": 2, "name": "g", "required": false, "type": "geometry(srid:4326)"},
        {"id": 3, "name": "h", "required": false, "type": "geography(srid:4326, karney)"},
        {"id": 4, "name": "u", "required": false, "type": "unknown"},
        {"id": 5, "name": "n", "required": false, "type": "timestamp_ns"},
        {"id": 6, "name": "d", "required": false, "type": "decimal(9, 2)", "initial-default": "1.20",
            "write-default": "3.40", "x-future": {"kept": [1, 2.5]}},
    ]);
    let mut request = create_request("orders");
    request["schema"]["fields"] = columns.clone();
    request["properties"] = json!({"format-version": "3"});
    let created = server.post("/v1/main/namespaces/sales/tables", request).await;
    assert_eq!(created.body["metadata"]["schemas"][0]["fields"], columns, "{created:?}");
    assert_eq!(server.get(ORDERS).await, created);
}

#[tokio::test]
async fn a_namespace_brings_the_ones_around_it() {
    let server = server().await;
    let created = server.post("/v1/main/namespaces", json!({"namespace": ["a", "b", "c"]})).await;
    assert_eq!(created.status, StatusCode::OK, "{created:?}");
    assert_eq!(server.get("/v1/main/namespaces?parent=a").await.body["namespaces"], json!([["a", "b"]]));
    assert_eq!(
        server.delete("/v1/main/namespaces/a%1Fb").await,
        error(409, "NamespaceNotEmptyException", "Namespace a.b is not empty")
    );
}
