//! Any JSON on any route: an answer in the envelope, never a panic, never a 5xx.

use axum::body::Body;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::Config;
use serde_json::{Map, Value, json};

use super::{append, create_request, server, snapshot};

/// A route and a body it understands.
fn valid() -> Vec<(&'static str, Value)> {
    let name = json!({"namespace": ["sales"], "name": "orders"});
    let mut partitioned = create_request("new");
    partitioned["partition-spec"] = json!({"spec-id": 0, "fields": [
        {"source-id": 1, "field-id": 1000, "name": "b", "transform": "bucket[4]"},
    ]});
    partitioned["write-order"] = json!({"order-id": 1, "fields": [
        {"source-id": 1, "transform": "identity", "direction": "asc", "null-order": "nulls-first"},
    ]});
    partitioned["properties"] = json!({"format-version": "3"});
    let mut rows = snapshot(7, None, 1);
    (rows["first-row-id"], rows["added-rows"]) = (json!(0), json!(1));
    let updates = json!({"requirements": [
        {"type": "assert-current-schema-id", "current-schema-id": 0},
        {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": null},
    ], "updates": [
        {"action": "upgrade-format-version", "format-version": 3},
        {"action": "add-schema", "schema": {"type": "struct", "schema-id": 1, "fields": [
            {"id": 1, "name": "id", "required": true, "type": "long"},
            {"id": 2, "name": "at", "required": false, "type": {"type": "list", "element-id": 3,
                "element": "timestamptz_ns", "element-required": false}},
        ]}},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-snapshot", "snapshot": rows},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 7},
        {"action": "set-properties", "updates": {"a": "1"}},
        {"action": "remove-properties", "removals": ["a"]},
        {"action": "set-location", "location": "s3://main/elsewhere"},
        {"action": "remove-snapshots", "snapshot-ids": [1]},
    ]});
    let mut named = append(8, None, 1);
    named["identifier"] = name.clone();
    vec![
        ("/v1/main/namespaces", json!({"namespace": ["a"], "properties": {"owner": "ada"}})),
        ("/v1/main/namespaces/sales/properties", json!({"updates": {"a": "1"}, "removals": ["b"]})),
        ("/v1/main/namespaces/sales/tables", partitioned),
        ("/v1/main/namespaces/sales/tables/orders", updates),
        ("/v1/main/transactions/commit", json!({"table-changes": [named]})),
        (
            "/v1/main/namespaces/sales/register",
            json!({"name": "r", "metadata-location": "s3://main/x.metadata.json", "overwrite": true}),
        ),
        ("/v1/main/tables/rename", json!({"source": name, "destination": name})),
        ("/v1/main/namespaces/sales/tables/orders/metrics", json!({"report-type": "scan-report"})),
        ("/v1/warehouses", json!({"name": "second", "upgrade-existing": false})),
    ]
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just(-1), Just(0), Just(1), Just(i64::MAX), Just(i64::MIN)].prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![Just(".."), Just("main"), Just("s3://main/.."), Just("bucket[0]"), Just("decimal(99,1)")]
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((".{0,6}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Replaces, or takes away, the value that `at` picks.
fn mutate(value: &mut Value, at: u64, with: Option<Value>) {
    let children: usize = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    };
    let stop = children == 0 || at.is_multiple_of(4);
    let child = (at / 4) as usize % children.max(1);
    match (value, stop) {
        (Value::Array(items), false) if with.is_none() && at % 4 == 1 => drop(items.remove(child)),
        (Value::Array(items), false) => mutate(&mut items[child], at / 7, with),
        (Value::Object(fields), false) => {
            let key = fields.keys().nth(child).cloned().unwrap_or_default();
            match with {
                None if at % 4 == 1 => drop(fields.remove(&key)),
                with => mutate(fields.entry(key).or_insert(Value::Null), at / 7, with),
            }
        }
        (value, _) => *value = with.unwrap_or(Value::Null),
    }
}

proptest! {
    #![proptest_config(Config { cases: 48, ..Config::default() })]

    #[test]
    fn mutated_requests_are_answered_and_never_as_a_fault_of_the_server(
        route in 0..9_usize,
        changes in proptest::collection::vec((any::<u64>(), proptest::option::of(arbitrary_json())), 1..4),
    ) {
        let (path, mut body) = valid().swap_remove(route);
        for (at, with) in changes {
            mutate(&mut body, at, with);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = server().await;
            server.create_table("orders").await;
            let (found, _) = server.as_root("POST", path, Body::from(body.to_string())).await;
            assert!(found.status.as_u16() < 500, "{path} {body}: {found:?}");
            if !found.status.is_success() {
                let error = &found.body["error"];
                assert_eq!(error["code"], found.status.as_u16());
                assert!(error["message"].is_string() && error["type"].is_string());
            }
            // Whatever happened, the table still loads.
            let loaded = server.get("/v1/main/namespaces/sales/tables/orders").await;
            assert!(loaded.status == 200 || path.ends_with("rename") || path.ends_with("commit"), "{loaded:?}");
        });
    }
}

#[tokio::test]
async fn the_requests_that_are_mutated_are_understood() {
    let server = server().await;
    server.create_table("orders").await;
    for (path, body) in valid() {
        let (found, _) = server.as_root("POST", path, Body::from(body.to_string())).await;
        let refused_by_state = ["AlreadyExistsException", "CommitFailedException", "NotFoundException"];
        let kind = found.body["error"]["type"].as_str().unwrap_or_default().to_owned();
        assert!(found.status.is_success() || refused_by_state.contains(&kind.as_str()), "{path}: {found:?}");
    }
}
