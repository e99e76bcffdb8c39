//! Jobs and batches over HTTP and on the command line.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Tarn;

async fn with_objects(count: usize) -> Tarn {
    let tarn = Tarn::start(1).await;
    for bucket in ["data", "reports"] {
        assert_eq!(tarn.send(Method::PUT, &format!("/{bucket}"), b"").await.status(), StatusCode::OK);
    }
    for number in 0..count {
        let ending = if number % 2 == 0 { "log" } else { "txt" };
        let put = tarn.send(Method::PUT, &format!("/data/k{number:03}.{ending}"), b"content").await;
        assert_eq!(put.status(), StatusCode::OK);
    }
    tarn
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn file(tarn: &Tarn, text: &str) -> String {
    let path = tarn.directory().join("given");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const EXPIRE: &str = "expire:\n  apiVersion: v1\n  bucket: data\n  rules:\n    - name: '*.log'\n  report: {bucket: reports, prefix: done}\n";

#[tokio::test]
async fn a_batch_is_tried_started_watched_and_told_after_a_kill() {
    let mut tarn = with_objects(20).await;
    let (code, template, _) = tarn.run(&["batch", "generate", "expire"]);
    assert!(code == 0 && template.starts_with("expire:\n  apiVersion: v1"), "{template}");
    let path = file(&tarn, &format!("{EXPIRE}  dryRun: true\n"));
    let (code, told, error) = tarn.run(&["batch", "start", &path, "--name", "dry", "--watch", "--json"]);
    assert_eq!(code, 0, "{error}");
    let last = json_of(told.lines().last().unwrap());
    assert_eq!((&last["state"], &last["counts"]["matched"]), (&json!("completed"), &json!(10)));
    let kept = tarn.send(Method::GET, "/data/k000.log", b"").await;
    assert_eq!(kept.status(), StatusCode::OK, "a dry run deletes nothing");

    let path = file(&tarn, EXPIRE);
    let (code, told, error) = tarn.run(&["batch", "start", &path, "--name", "real", "--watch"]);
    assert!(code == 0 && told.contains("completed"), "{told}{error}");
    for (key, status) in [("k000.log", StatusCode::NOT_FOUND), ("k001.txt", StatusCode::OK)] {
        assert_eq!(tarn.send(Method::GET, &format!("/data/{key}"), b"").await.status(), status);
    }
    tarn.kill();
    tarn.restart().await;
    let (code, report, error) = tarn.run(&["job", "report", "real", "--json"]);
    assert_eq!(code, 0, "{error}");
    let report = json_of(&report);
    assert_eq!(report["outcome"]["tasks"], 10);
    let manifest = report["outcome"]["report"].as_str().unwrap().strip_prefix("s3:/").unwrap().to_owned();
    let manifest = json_of(&tarn.send(Method::GET, &manifest, b"").await.text().await.unwrap());
    let key = manifest["Results"][0]["Key"].as_str().unwrap();
    let rows = tarn.send(Method::GET, &format!("/reports/{key}"), b"").await.text().await.unwrap();
    assert_eq!(rows.lines().next(), Some("data,k000.log,,succeeded,,200,deleted"));
    assert_eq!(rows.lines().count(), 10);
    let (_, yaml, _) = tarn.run(&["batch", "describe", "real"]);
    assert_eq!(yaml, EXPIRE);
    let (_, listed, _) = tarn.run(&["batch", "list"]);
    assert!(listed.contains("real") && listed.contains("dry") && listed.contains("completed"), "{listed}");
    let (_, shown, _) = tarn.run(&["job", "list"]);
    assert!(shown.contains("SCHEDULE") && shown.contains("once"), "{shown}");
    let (code, status, _) = tarn.run(&["batch", "status", "real"]);
    assert!(code == 0 && status.contains("10 matched"), "{status}");
}

#[tokio::test]
async fn a_job_is_suspended_resumed_canceled_and_deleted() {
    let mut tarn = with_objects(20).await;
    let yaml = format!("{EXPIRE}  dryRun: true\n");
    let spec =
        json!({"kind": "batch", "spec": {"yaml": yaml}, "items_per_second_max": 1, "schedule": "daily"});
    let path = file(&tarn, &spec.to_string());
    let (code, put, error) = tarn.run(&["job", "put", "slow", &path, "--json"]);
    assert_eq!(code, 0, "{error}");
    assert!(json_of(&put)["author"].is_null(), "root");
    let run = |state: &'static str| {
        let (_, runs, _) = tarn.run(&["job", "runs", "slow", "--state", state, "--json"]);
        json_of(&runs)["runs"].as_array().unwrap().len()
    };
    while run("running") == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(tarn.run(&["job", "run", "slow"]).0, 1, "one run at a time");
    assert_eq!(tarn.run(&["job", "suspend", "slow"]).0, 0);
    let (code, watched, _) = tarn.run(&["job", "watch", "slow", "--json"]);
    assert!(code == 0 && json_of(watched.lines().last().unwrap())["state"] == "suspended", "{watched}");
    tarn.stop().await;
    tarn.restart().await;
    let (_, shown, _) = tarn.run(&["job", "show", "slow", "--json"]);
    let shown = json_of(&shown);
    assert_eq!(shown["last_run"]["state"], "suspended");
    assert!(shown["next_ms"].as_i64() > shown["changed_ms"].as_i64(), "{shown}");
    assert_eq!(tarn.run(&["job", "resume", "slow"]).0, 0);
    assert_eq!(tarn.run(&["job", "watch", "slow"]).0, 0);
    let (code, _, error) = tarn.run(&["job", "run", "slow", "--detach"]);
    assert_eq!(code, 0, "{error}");
    assert_eq!(tarn.run(&["job", "cancel", "slow"]).0, 0);
    let (code, _, error) = tarn.run(&["job", "watch", "slow"]);
    assert!(code == 1 && error.contains("canceled"), "{error}");
    assert_eq!(tarn.run(&["job", "resume", "slow"]).0, 1);
    assert_eq!(tarn.run(&["job", "delete", "slow"]).0, 0);
    assert_eq!(tarn.run(&["job", "delete", "slow"]).0, 4);
    assert_eq!(tarn.run(&["job", "report", "00000000-0000-0000-0000-000000000000"]).0, 4);
}

#[tokio::test]
async fn who_may_not_make_jobs_makes_none_and_what_is_wrong_is_told() {
    let tarn = with_objects(1).await;
    let (_, made, _) = tarn.run(&["admin", "key", "create", "--policy", "readonly", "--json"]);
    let made = json_of(&made);
    let key = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let job = json!({"kind": "batch", "spec": {"yaml": EXPIRE}}).to_string();
    for (method, path, body) in [
        (Method::PUT, "/_admin/v1/jobs/a", job.as_bytes()),
        (Method::DELETE, "/_admin/v1/jobs/a", b""),
        (Method::POST, "/_admin/v1/jobs/a/run", b""),
        (Method::POST, "/_admin/v1/jobs/runs/a/cancel", b""),
    ] {
        let answered = tarn.send_as(key, method, path, body).await;
        assert_eq!(answered.status(), StatusCode::FORBIDDEN, "{path}");
    }
    for (yaml, code, told) in [
        (EXPIRE.replace("bucket: data", "bucket: main"), 1, "main is a warehouse"),
        (EXPIRE.replace("bucket: data", "bucket: nowhere"), 4, "there is no bucket nowhere"),
        (EXPIRE.replace("bucket: data", "bucket: .tarn"), 4, "there is no bucket .tarn"),
        (EXPIRE.replace("v1", "v2"), 1, "line 2, column 15: apiVersion cannot be \"v2\"; allowed: v1"),
        ("keyrotate: {}".into(), 1, "NotImplemented: this server does no keyrotate"),
    ] {
        let path = file(&tarn, &yaml);
        let (answered, _, error) = tarn.run(&["batch", "start", &path]);
        assert!(answered == code && error.contains(told), "{told}: {answered} {error}");
    }
    let path = file(&tarn, r#"{"kind": "other", "spec": {}}"#);
    let (_, _, error) = tarn.run(&["job", "put", "a", &path]);
    assert!(error.contains("there is no kind of job 'other'; there are: batch, inventory"), "{error}");
    let unlisted = tarn.send_as(key, Method::GET, "/_admin/v1/jobs", b"").await;
    assert_eq!(unlisted.status(), StatusCode::FORBIDDEN);
}
