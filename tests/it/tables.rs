//! Tables through a whole server: dropped and undropped over a kill, on the command line, by an administrator.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Tarn;

const ORDERS: &str = "/_iceberg/v1/main/namespaces/sales/tables/orders";
const PROPERTIES: &str = "/_admin/v1/warehouses/main/properties";

async fn ask(tarn: &Tarn, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = tarn.send(method, path, body.as_bytes()).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

async fn with_orders() -> Tarn {
    let tarn = Tarn::start(1).await;
    ask(&tarn, Method::POST, "/_iceberg/v1/main/namespaces", json!({"namespace": ["sales"]})).await;
    create(&tarn).await;
    tarn
}

async fn create(tarn: &Tarn) {
    let fields = json!([{"id": 1, "name": "id", "required": true, "type": "long"}]);
    let table = json!({"name": "orders", "schema": {"type": "struct", "fields": fields}});
    let made = ask(tarn, Method::POST, "/_iceberg/v1/main/namespaces/sales/tables", table).await;
    assert_eq!(made.0, StatusCode::OK, "{made:?}");
}

fn ok(tarn: &Tarn, arguments: &[&str]) -> String {
    let (code, out, error) = tarn.run(arguments);
    assert_eq!(code, 0, "{arguments:?}: {error}");
    out
}

#[tokio::test]
async fn a_table_dropped_with_purge_is_kept_over_a_kill_and_undropped_whole() {
    let mut tarn = with_orders().await;
    let before = ask(&tarn, Method::GET, ORDERS, Value::Null).await;
    assert_eq!(before.1["config"]["s3.delete-enabled"], "false");
    ok(&tarn, &["table", "drop", "sales.orders", "--purge"]);
    tarn.kill();
    tarn.restart().await;
    assert_eq!(tarn.run(&["table", "show", "sales.orders"]).0, 4);
    let shown = ok(&tarn, &["table", "dropped"]);
    assert!(shown.contains("orders") && shown.contains("deleted then"), "{shown}");
    create(&tarn).await;
    assert_eq!(tarn.run(&["table", "undrop", "sales.orders"]).0, 1);
    assert_eq!(ok(&tarn, &["table", "undrop", "sales.orders", "--to", "sales.old"]), "undropped sales.old\n");
    let old = ask(&tarn, Method::GET, &ORDERS.replace("orders", "old"), Value::Null).await;
    assert_eq!(old, before);
    let left: Value = serde_json::from_str(&ok(&tarn, &["table", "dropped", "--json"])).unwrap();
    assert_eq!(left, json!({"tables": []}));
}

#[tokio::test]
async fn a_protected_table_is_dropped_only_by_force() {
    let tarn = with_orders().await;
    ok(&tarn, &["table", "protect", "sales.orders"]);
    let (code, _, error) = tarn.run(&["table", "drop", "sales.orders"]);
    assert!(code == 1 && error.contains("protected"), "{error}");
    let (status, refused) =
        ask(&tarn, Method::DELETE, "/_admin/v1/tables/main/sales/orders", Value::Null).await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::CONFLICT, &json!("Conflict")));
    ok(&tarn, &["table", "drop", "sales.orders", "--force"]);
    ok(&tarn, &["table", "undrop", "sales.orders"]);
    ok(&tarn, &["table", "unprotect", "sales.orders"]);
    ok(&tarn, &["table", "drop", "sales.orders"]);
}

#[tokio::test]
async fn an_administrator_sees_and_ends_the_keeping_of_dropped_tables() {
    let tarn = with_orders().await;
    ok(&tarn, &["table", "drop", "sales.orders", "--purge"]);
    let (_, list) = ask(&tarn, Method::GET, "/_admin/v1/dropped-tables", Value::Null).await;
    let (id, kept) = (list["tables"][0]["id"].as_str().unwrap(), &list["tables"][0]);
    assert_eq!(
        (&kept["warehouse"], &kept["name"], &kept["purge"]),
        (&json!("main"), &json!("orders"), &json!(true))
    );
    let week = kept["kept_until_ms"].as_i64().unwrap() - kept["dropped_at_ms"].as_i64().unwrap();
    assert_eq!(week, 7 * 24 * 3600 * 1000);
    let path = format!("/_admin/v1/dropped-tables/{id}");
    let back = ask(&tarn, Method::POST, &format!("{path}/undrop"), json!({"name": "back"})).await;
    assert_eq!(back, (StatusCode::NO_CONTENT, Value::Null));
    assert_eq!(ask(&tarn, Method::DELETE, &path, Value::Null).await.0, StatusCode::NOT_FOUND);
    ok(&tarn, &["table", "drop", "sales.back", "--purge"]);
    let (_, list) = ask(&tarn, Method::GET, "/_admin/v1/dropped-tables", Value::Null).await;
    let path = format!("/_admin/v1/dropped-tables/{}", list["tables"][0]["id"].as_str().unwrap());
    assert_eq!(ask(&tarn, Method::DELETE, &path, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(tarn.run(&["table", "undrop", "sales.back"]).0, 4);
}

#[tokio::test]
async fn a_warehouse_says_how_long_its_dropped_tables_are_kept() {
    let tarn = with_orders().await;
    let set = |seconds: &str| json!({"updates": {"tarn.keep-dropped-seconds": seconds}});
    assert_eq!(ask(&tarn, Method::POST, PROPERTIES, set("soon")).await.0, StatusCode::BAD_REQUEST);
    let now = json!({"warehouse": "main", "properties": {"tarn.keep-dropped-seconds": "0"}});
    assert_eq!(ask(&tarn, Method::POST, PROPERTIES, set("0")).await, (StatusCode::OK, now.clone()));
    assert_eq!(ask(&tarn, Method::GET, PROPERTIES, Value::Null).await, (StatusCode::OK, now));
    let loaded = ask(&tarn, Method::GET, ORDERS, Value::Null).await.1;
    assert_eq!(loaded["config"]["s3.delete-enabled"], Value::Null);
    ok(&tarn, &["table", "drop", "sales.orders"]);
    assert_eq!(tarn.run(&["table", "undrop", "sales.orders"]).0, 4);
}

#[tokio::test]
async fn a_table_is_created_renamed_dropped_and_registered_on_the_command_line() {
    let tarn = Tarn::start(1).await;
    ask(&tarn, Method::POST, "/_iceberg/v1/main/namespaces", json!({"namespace": ["sales"]})).await;
    let columns = ["--column", "id:long", "--column", "price:decimal(10,2)", "--required", "id"];
    let create = [&["table", "create", "sales.a", "--property", "owner:lake"], &columns[..]].concat();
    assert_eq!(ok(&tarn, &create), "created sales.a\n");
    assert_eq!(tarn.run(&create).0, 1);
    assert_eq!(tarn.run(&["table", "create", "sales.x", "--column", "id:long", "--required", "no"]).0, 2);
    assert_eq!(ok(&tarn, &["table", "rename", "sales.a", "--to", "sales.b"]), "renamed sales.a to sales.b\n");
    let shown: Value = serde_json::from_str(&ok(&tarn, &["table", "show", "sales.b", "--json"])).unwrap();
    let fields = json!([
        {"id": 1, "name": "id", "type": "long", "required": true},
        {"id": 2, "name": "price", "type": "decimal(10, 2)", "required": false},
    ]);
    assert_eq!(shown["metadata"]["schemas"][0]["fields"], fields);
    assert_eq!(shown["metadata"]["properties"]["owner"], "lake");
    ok(&tarn, &["table", "drop", "sales.b"]);
    let file = shown["metadata-location"].as_str().unwrap();
    assert_eq!(ok(&tarn, &["table", "register", "sales.c", "--metadata", file]), "registered sales.c\n");
    // It lies there now, so the dropped one cannot come back beside it.
    assert_eq!(tarn.run(&["table", "undrop", "sales.b"]).0, 1);
}

#[tokio::test]
async fn a_snippet_for_an_engine_names_this_server() {
    let tarn = Tarn::start(1).await;
    let snippet = ok(&tarn, &["table", "config", "trino"]);
    assert!(snippet.contains(&format!("iceberg.rest-catalog.uri={}/_iceberg", tarn.endpoint())), "{snippet}");
    assert!(snippet.contains("iceberg.rest-catalog.warehouse=main"), "{snippet}");
    assert!(snippet.contains("s3.region=us-east-1"), "{snippet}");
}
