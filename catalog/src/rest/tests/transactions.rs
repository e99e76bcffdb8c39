//! Transactions over several tables.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Server, answer, append, error, server};

const COMMIT: &str = "/v1/main/transactions/commit";

fn on(table: &str, mut change: Value) -> Value {
    change["identifier"] = json!({"namespace": ["sales"], "name": table});
    change
}

async fn current(server: &Server, table: &str) -> Value {
    let loaded = server.get(&format!("/v1/main/namespaces/sales/tables/{table}")).await;
    loaded.body["metadata"]["current-snapshot-id"].clone()
}

#[tokio::test]
async fn all_tables_change_or_none() {
    let server = server().await;
    server.create_table("a").await;
    server.create_table("b").await;
    let both = json!({"table-changes": [on("a", append(1, None, 1)), on("b", append(2, None, 1))]});
    assert_eq!(server.post(COMMIT, both).await, answer(204, Value::Null));
    let half = json!({"table-changes": [on("a", append(3, Some(1), 2)), on("b", append(4, None, 2))]});
    assert_eq!(
        server.post(COMMIT, half).await,
        error(
            409,
            "CommitFailedException",
            "Requirement failed: branch main was created concurrently (table sales.b)"
        )
    );
    assert_eq!((current(&server, "a").await, current(&server, "b").await), (json!(1), json!(2)));
}

#[tokio::test]
async fn a_table_that_is_only_read_is_checked() {
    let server = server().await;
    server.create_table("a").await;
    server.create_table("b").await;
    let reads_b =
        json!({"requirements": [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": null}]});
    let commit = json!({"table-changes": [on("a", append(1, None, 1)), on("b", reads_b.clone())]});
    assert_eq!(server.post(COMMIT, commit).await, answer(204, Value::Null));
    server.post("/v1/main/namespaces/sales/tables/b", append(2, None, 1)).await;
    let commit = json!({"table-changes": [on("a", append(3, Some(1), 2)), on("b", reads_b)]});
    assert_eq!(server.post(COMMIT, commit).await.status, StatusCode::CONFLICT);
    assert_eq!(current(&server, "a").await, json!(1));
}

#[tokio::test]
async fn a_transaction_creates_tables_beside_changing_others() {
    let server = server().await;
    let base = server.create_table("a").await;
    let create = json!({"requirements": [{"type": "assert-create"}], "updates": [
        {"action": "add-schema", "schema": base["metadata"]["schemas"][0]},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-spec", "spec": {"spec-id": 0, "fields": []}},
        {"action": "set-default-spec", "spec-id": -1},
        {"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}},
        {"action": "set-default-sort-order", "sort-order-id": -1},
    ]});
    let commit = json!({"table-changes": [on("a", append(1, None, 1)), on("new", create)]});
    assert_eq!(server.post(COMMIT, commit.clone()).await, answer(204, Value::Null));
    assert_eq!(server.head("/v1/main/namespaces/sales/tables/new").await.status, 204);
    assert_eq!(server.post(COMMIT, commit).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_change_without_a_table_or_of_a_missing_one_is_refused() {
    let server = server().await;
    let unnamed = json!({"table-changes": [append(1, None, 1)]});
    assert_eq!(
        server.post(COMMIT, unnamed).await,
        error(400, "BadRequestException", "every table change of a transaction names its table")
    );
    let missing = json!({"table-changes": [on("none", append(1, None, 1))]});
    assert_eq!(
        server.post(COMMIT, missing).await,
        error(404, "NoSuchTableException", "Table does not exist: sales.none")
    );
}
