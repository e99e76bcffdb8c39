//! Maintenance over HTTP and on the command line.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::Tarn;

async fn with_table() -> Tarn {
    let tarn = Tarn::start(1).await;
    let namespace = br#"{"namespace":["sales"]}"#;
    let made = tarn.send(Method::POST, "/_iceberg/v1/main/namespaces", namespace).await;
    assert_eq!(made.status(), StatusCode::OK);
    let table = br#"{"name":"t","schema":{"type":"struct","fields":[{"id":1,"name":"a","required":false,"type":"long"}]}}"#;
    let made = tarn.send(Method::POST, "/_iceberg/v1/main/namespaces/sales/tables", table).await;
    assert_eq!(made.status(), StatusCode::OK);
    tarn
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn policies_are_set_at_every_level_and_survive_a_restart() {
    let mut tarn = with_table().await;
    let file = tarn.directory().join("policy.json");
    let path = file.to_str().unwrap();
    std::fs::write(&file, r#"{"icebergSnapshotManagement":{"status":"enabled","maxSnapshotAgeHours":48}}"#)
        .unwrap();
    assert_eq!(tarn.run(&["table", "policy", "set", path]).0, 0);
    std::fs::write(&file, r#"{"icebergSnapshotManagement":{"minSnapshotsToKeep":9}}"#).unwrap();
    assert_eq!(tarn.run(&["table", "policy", "set", path, "--table", "sales.t"]).0, 0);
    tarn.stop().await;
    tarn.restart().await;
    let (_, shown, _) = tarn.run(&["table", "policy", "show", "--table", "sales.t", "--json"]);
    let rule = &json(&shown)["effective"]["icebergSnapshotManagement"];
    assert_eq!((&rule["status"], &rule["maxSnapshotAgeHours"]), (&"enabled".into(), &48.into()));
    assert_eq!(rule["minSnapshotsToKeep"], 9);
    assert_eq!(tarn.run(&["table", "policy", "delete", "--table", "sales.t"]).0, 0);
    assert_eq!(tarn.run(&["table", "policy", "delete", "--table", "sales.t"]).0, 4);
    assert_eq!(tarn.run(&["table", "policy", "show", "--namespace", "nowhere"]).0, 4);
    std::fs::write(&file, r#"{"icebergUnreferencedFileRemoval":{"unreferencedDays":0}}"#).unwrap();
    assert_eq!(tarn.run(&["table", "policy", "set", path]).0, 1);
}

#[tokio::test]
async fn a_run_is_begun_watched_and_kept() {
    let mut tarn = with_table().await;
    for job in ["snapshots", "unreferenced"] {
        let (code, run, error) = tarn.run(&["table", "maintain", "sales.t", "--job", job, "--json"]);
        assert_eq!(code, 0, "{error}");
        assert_eq!(json(&run)["stage"], "completed");
    }
    assert_eq!(tarn.run(&["table", "maintain", "sales.nothing", "--job", "snapshots"]).0, 4);
    tarn.kill();
    tarn.restart().await;
    let (_, runs, _) = tarn.run(&["table", "runs", "sales.t", "--json"]);
    let runs = json(&runs);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
    assert_eq!(runs["runs"][0]["job"], "icebergUnreferencedFileRemoval");
    let id = runs["runs"][0]["id"].as_str().unwrap();
    for (verb, told) in [
        ("suspend", "is of kind maintenance: maintenance of a table is canceled or ends by itself"),
        ("resume", "it is neither suspended nor resumed"),
        ("cancel", "is not at work"),
    ] {
        let path = format!("/_admin/v1/jobs/runs/{id}/{verb}");
        let refused = tarn.send(Method::POST, &path, b"").await;
        assert_eq!(refused.status(), StatusCode::CONFLICT, "{verb}");
        let error = refused.text().await.unwrap();
        assert!(error.contains(told), "{verb}: {error}");
    }
    let (code, lines, _) = tarn.run(&["table", "runs"]);
    assert!(code == 0 && lines.contains("icebergSnapshotManagement") && lines.contains("sales.t"), "{lines}");
}

#[tokio::test]
async fn who_may_only_read_starts_no_run_and_changes_no_policy() {
    let tarn = with_table().await;
    let (_, made, _) = tarn.run(&["admin", "key", "create", "--policy", "readonly", "--json"]);
    let made = json(&made);
    let key = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let run = br#"{"namespace":["sales"],"table":"t","job":"icebergSnapshotManagement"}"#;
    let begun = tarn.send_as(key, Method::POST, "/_admin/v1/maintenance/runs", run).await;
    assert_eq!(begun.status(), StatusCode::FORBIDDEN);
    let policy = "/_admin/v1/maintenance/policy?namespace=sales&table=t";
    assert_eq!(tarn.send_as(key, Method::PUT, policy, b"{}").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(tarn.send_as(key, Method::GET, policy, b"").await.status(), StatusCode::OK);
    let hasty = br#"{"icebergSnapshotManagement":{"unknown":1}}"#;
    assert_eq!(tarn.send(Method::PUT, policy, hasty).await.status(), StatusCode::BAD_REQUEST);
}
