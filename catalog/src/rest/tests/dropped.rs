//! Dropped tables through the front.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Server, answer, create_request, error, server};
use crate::state::{KEEP_PROPERTY, Properties, Request};

const ORDERS: &str = "/v1/main/namespaces/sales/tables/orders";
const DROPPED: &str = "/v1/main/dropped-tables";

/// A server whose warehouse keeps dropped tables for a minute, with the table `sales.orders`.
async fn keeping() -> Server {
    let server = server().await;
    keep(&server, "60").await;
    server.create_table("orders").await;
    server
}

async fn keep(server: &Server, seconds: &str) {
    let updates = Properties::from([(KEEP_PROPERTY.to_owned(), seconds.to_owned())]);
    let update = Request::UpdateWarehouse { name: "main".into(), updates, removals: Vec::new() };
    server.catalog.commit(update).await.unwrap();
}

#[tokio::test]
async fn a_dropped_table_is_listed_and_undropped() {
    let server = keeping().await;
    let before = server.get(ORDERS).await;
    assert_eq!(server.delete(&format!("{ORDERS}?purgeRequested=true")).await, answer(204, Value::Null));
    assert_eq!(server.get(ORDERS).await.status, StatusCode::NOT_FOUND);
    let listed = server.get(DROPPED).await.body;
    let dropped = &listed["tables"][0];
    let (at, until) = (&dropped["dropped-at-ms"], &dropped["kept-until-ms"]);
    assert_eq!(until.as_i64().unwrap() - at.as_i64().unwrap(), 60_000);
    let expected = json!({
        "id": dropped["id"], "namespace": ["sales"], "name": "orders", "purge": true,
        "table-uuid": before.body["metadata"]["table-uuid"],
        "metadata-location": before.body["metadata-location"],
        "dropped-at-ms": at, "kept-until-ms": until,
    });
    assert_eq!(listed, json!({"next-page-token": null, "tables": [expected]}));
    let undropped = server.post(&format!("{ORDERS}/undrop"), json!({"id": dropped["id"]})).await;
    assert_eq!(undropped, answer(204, Value::Null));
    assert_eq!(server.get(ORDERS).await, before);
    assert_eq!(server.get(DROPPED).await.body["tables"], json!([]));
    assert_eq!(
        server.post(&format!("{ORDERS}/undrop"), json!({})).await,
        error(404, "NoSuchTableException", "no dropped table 'sales.orders' is kept")
    );
}

#[tokio::test]
async fn a_taken_name_is_a_conflict_and_another_name_is_not() {
    let server = keeping().await;
    server.delete(ORDERS).await;
    server.create_table("orders").await;
    assert_eq!(
        server.post(&format!("{ORDERS}/undrop"), json!({})).await,
        error(409, "AlreadyExistsException", "Table already exists: sales.orders")
    );
    let to = json!({"destination": {"namespace": ["sales"], "name": "old"}});
    assert_eq!(server.post(&format!("{ORDERS}/undrop"), to).await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.head("/v1/main/namespaces/sales/tables/old").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn dropped_tables_are_listed_in_pages() {
    let server = keeping().await;
    server.delete(ORDERS).await;
    for name in ["a", "b"] {
        server.create_table(name).await;
        server.delete(&format!("/v1/main/namespaces/sales/tables/{name}")).await;
    }
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{DROPPED}?pageToken={token}&pageSize=1")).await.body;
        names.extend(page["tables"][0]["name"].as_str().map(str::to_owned));
        match page["next-page-token"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    names.sort();
    assert_eq!(names, ["a", "b", "orders"]);
}

#[tokio::test]
async fn what_is_protected_is_not_dropped() {
    let server = keeping().await;
    let protect = json!({"updates": [{"action": "set-properties", "updates": {"tarn.protected": "true"}}]});
    assert_eq!(server.post(ORDERS, protect).await.status, StatusCode::OK);
    assert_eq!(
        server.delete(ORDERS).await,
        error(
            409,
            "ConflictException",
            "table 'sales.orders' is protected: its property tarn.protected is true"
        )
    );
    let sales = "/v1/main/namespaces/sales";
    let set = json!({"updates": {"tarn.protected": "true"}});
    server.post(&format!("{sales}/properties"), set).await;
    assert_eq!(server.delete(sales).await.body["error"]["type"], "ConflictException");
}

#[tokio::test]
async fn clients_are_told_not_to_delete_files_where_dropped_tables_are_kept() {
    let server = keeping().await;
    let deletes = async |name: &str| {
        let loaded = server.get(&format!("/v1/main/namespaces/sales/tables/{name}")).await.body;
        loaded["config"]["s3.delete-enabled"].clone()
    };
    assert_eq!(deletes("orders").await, json!("false"));
    let mut request = create_request("brief");
    request["properties"] = json!({KEEP_PROPERTY: "0"});
    server.post("/v1/main/namespaces/sales/tables", request).await;
    assert_eq!(deletes("brief").await, Value::Null);
    // What was kept of an answer does not outlive the setting.
    keep(&server, "0").await;
    assert_eq!(deletes("orders").await, Value::Null);
}
