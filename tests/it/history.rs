//! The history of a warehouse through a whole server: on the command line, over a kill, by the admin API.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Tarn;

const TABLES: &str = "/_iceberg/v1/main/namespaces/sales/tables";

async fn ask(tarn: &Tarn, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = tarn.send(method, path, body.as_bytes()).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

/// A server with two tables.
async fn with_tables() -> Tarn {
    let tarn = Tarn::start(1).await;
    ask(&tarn, Method::POST, "/_iceberg/v1/main/namespaces", json!({"namespace": ["sales"]})).await;
    for name in ["orders", "items"] {
        let fields = json!([{"id": 1, "name": "id", "required": true, "type": "long"}]);
        let table = json!({"name": name, "schema": {"type": "struct", "fields": fields}});
        assert_eq!(ask(&tarn, Method::POST, TABLES, table).await.0, StatusCode::OK);
    }
    tarn
}

async fn set(tarn: &Tarn, table: &str, value: &str) {
    let update = json!({"action": "set-properties", "updates": {"owner": value}});
    let commit = json!({"requirements": [], "updates": [update]});
    let set = ask(tarn, Method::POST, &format!("{TABLES}/{table}"), commit).await;
    assert_eq!(set.0, StatusCode::OK, "{set:?}");
}

fn ok(tarn: &Tarn, arguments: &[&str]) -> String {
    let (code, out, error) = tarn.run(arguments);
    assert_eq!(code, 0, "{arguments:?}: {error}");
    out
}

fn owner(tarn: &Tarn, table: &str) -> Value {
    let shown = ok(tarn, &["table", "show", table, "--json"]);
    serde_json::from_str::<Value>(&shown).unwrap()["metadata"]["properties"]["owner"].clone()
}

/// `position:<number>` of the last commit of the warehouse.
fn last(tarn: &Tarn) -> String {
    let log: Value = serde_json::from_str(&ok(tarn, &["table", "log", "--json", "--limit", "1"])).unwrap();
    format!("position:{}", log["entries"][0]["position"])
}

#[tokio::test]
async fn tables_are_looked_at_as_they_were_and_moved_back_together_over_a_kill() {
    let mut tarn = with_tables().await;
    set(&tarn, "orders", "ada").await;
    set(&tarn, "items", "ada").await;
    let then = last(&tarn);
    tarn.kill();
    tarn.restart().await;
    set(&tarn, "orders", "eve").await;
    set(&tarn, "items", "eve").await;
    let warehouse = format!("main@{then}");
    let was = ok(&tarn, &["table", "show", "sales.orders", "--warehouse", &warehouse]);
    assert!(was.contains("ada") && !was.contains("eve"), "{was}");
    let (code, _, error) = tarn.run(&["table", "drop", "sales.orders", "--warehouse", &warehouse]);
    assert!(code == 5 && error.contains("is read-only"), "{code} {error}");

    let diff = ok(&tarn, &["table", "diff", "sales.orders", "--from", &then]);
    assert!(diff.contains("owner: ada -> eve"), "{diff}");
    let whole = ok(&tarn, &["table", "diff", "--from", &then]);
    assert!(whole.contains("table changed") && whole.contains("sales.items"), "{whole}");

    let both = ["table", "rollback", "sales.orders", "sales.items", "--to", &then];
    let told = ok(&tarn, &[&both[..], &["--dry-run"]].concat());
    assert!(told.contains("owner: eve -> ada"), "{told}");
    assert_eq!(owner(&tarn, "sales.orders"), "eve");
    ok(&tarn, &both);
    assert_eq!((owner(&tarn, "sales.orders"), owner(&tarn, "sales.items")), (json!("ada"), json!("ada")));
    let history = ok(&tarn, &["table", "history", "sales.orders"]);
    let lines: Vec<&str> = history.lines().collect();
    assert!(lines[1].contains("root") && lines[1].contains("roll back tables"), "{history}");
    assert!(lines.iter().any(|line| line.contains("table created sales.orders")), "{history}");
    assert!(history.contains("history is kept from position 0"), "{history}");
}

#[tokio::test]
async fn a_rollback_that_cannot_be_is_refused_with_its_reason() {
    let tarn = with_tables().await;
    let then = last(&tarn);
    ok(&tarn, &["table", "protect", "sales.orders"]);
    let (code, told, error) = tarn.run(&["table", "rollback", "sales.orders", "sales.items", "--to", &then]);
    assert!(code == 1 && error.contains("no table was rolled back"), "{error}");
    assert!(told.contains("sales.orders: refused: it is protected"), "{told}");
    let path = "/_admin/v1/warehouses/main/rollback";
    let order = |seen: Option<&str>| json!({"tables": [{"namespace": ["sales"], "name": "items", "seen": seen}], "to": then});
    let (status, stale) = ask(&tarn, Method::POST, path, order(Some("s3://main/other"))).await;
    assert_eq!((status, &stale["error"]["code"]), (StatusCode::CONFLICT, &json!("Conflict")));
    let (status, done) = ask(&tarn, Method::POST, path, order(None)).await;
    assert_eq!((status, &done["dry_run"]), (StatusCode::OK, &json!(false)));
    for to in ["yesterday", "position:999999", "now"] {
        let order = json!({"tables": [{"namespace": ["sales"], "name": "items"}], "to": to});
        assert_eq!(ask(&tarn, Method::POST, path, order).await.0, StatusCode::BAD_REQUEST, "{to}");
    }
}

#[tokio::test]
async fn the_history_is_answered_in_pages_and_only_to_administrators() {
    let tarn = with_tables().await;
    for number in 0..5 {
        set(&tarn, "orders", &number.to_string()).await;
    }
    let path = "/_admin/v1/warehouses/main/history";
    let (mut positions, mut token) = (Vec::new(), String::new());
    loop {
        let page = format!("{path}?page_size=2&namespace=sales&table=orders{token}");
        let (status, page) = ask(&tarn, Method::GET, &page, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let entries = page["entries"].as_array().unwrap();
        positions.extend(entries.iter().map(|entry| entry["position"].as_u64().unwrap()));
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => break,
        }
    }
    assert_eq!(positions.len(), 6);
    assert!(positions.is_sorted_by(|later, earlier| later > earlier));
    let missing = ask(&tarn, Method::GET, "/_admin/v1/warehouses/other/history", Value::Null).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
    for bad in ["page_size=0", "page_token=x", "table=orders"] {
        let answer = ask(&tarn, Method::GET, &format!("{path}?{bad}"), Value::Null).await;
        assert_eq!(answer.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let nobody = reqwest::get(format!("{}{path}", tarn.endpoint())).await.unwrap();
    assert!(matches!(nobody.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN));
}
