//! Change events over HTTP and on the command line.

use std::io::{BufRead as _, BufReader};

use futures::{Stream, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Tarn;

const TABLE: &str = r#"{"type":"struct","fields":[{"id":1,"name":"a","required":false,"type":"long"}]}"#;

async fn post(tarn: &Tarn, path: &str, body: &str) {
    let answer = tarn.send(Method::POST, path, body.as_bytes()).await;
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
}

pub async fn namespace(tarn: &Tarn, warehouse: &str, name: &str) {
    post(tarn, &format!("/_iceberg/v1/{warehouse}/namespaces"), &json!({"namespace": [name]}).to_string())
        .await;
}

pub async fn table(tarn: &Tarn, place: &str, name: &str) {
    let (warehouse, namespace) = place.split_once('/').unwrap();
    let path = format!("/_iceberg/v1/{warehouse}/namespaces/{namespace}/tables");
    post(tarn, &path, &format!(r#"{{"name":"{name}","schema":{TABLE}}}"#)).await;
}

/// The events that `tarn events` prints.
pub fn printed(tarn: &Tarn, arguments: &[&str]) -> Vec<Value> {
    let (code, lines, error) = tarn.run(&[&["events", "--json"], arguments].concat());
    assert_eq!(code, 0, "{error}");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// What a stream tells up to the end of the next block with this text; comments that keep it open may come before.
async fn next_with<B: AsRef<[u8]>, E: std::fmt::Debug>(
    stream: &mut (impl Stream<Item = Result<B, E>> + Unpin),
    text: &str,
) -> String {
    let mut told = String::new();
    while !(told.contains(text) && told.ends_with("\n\n")) {
        let part = stream.next().await.expect("the stream goes on").unwrap();
        told += std::str::from_utf8(part.as_ref()).unwrap();
    }
    told
}

#[tokio::test]
async fn every_change_is_an_event_and_a_reader_goes_on_from_any_of_them_after_a_kill() {
    let mut tarn = Tarn::start(1).await;
    namespace(&tarn, "main", "sales").await;
    for name in ["a", "b"] {
        table(&tarn, "main/sales", name).await;
    }
    let updates = |name: &str| {
        json!({"identifier": {"namespace": ["sales"], "name": name}, "requirements": [],
            "updates": [{"action": "set-properties", "updates": {"k": "v"}}]})
    };
    let both = json!({"table-changes": [updates("a"), updates("b")]}).to_string();
    post(&tarn, "/_iceberg/v1/main/transactions/commit", &both).await;
    let dropped = tarn.send(Method::DELETE, "/_iceberg/v1/main/namespaces/sales/tables/b", b"").await;
    assert_eq!(dropped.status(), StatusCode::NO_CONTENT);
    let (code, _, error) = tarn.run(&["table", "undrop", "sales.b", "--to", "sales.c"]);
    assert_eq!(code, 0, "{error}");
    let all = printed(&tarn, &[]);
    assert_eq!(
        types(&all),
        [
            "tarn.warehouse.created",
            "tarn.namespace.created",
            "tarn.table.created",
            "tarn.table.created",
            "tarn.table.updated",
            "tarn.table.updated",
            "tarn.table.dropped",
            "tarn.table.undropped",
        ]
    );
    assert_eq!(all[4]["transaction"], all[5]["transaction"]);
    assert_eq!((&all[5]["transactionindex"], &all[5]["transactioncount"]), (&json!(1), &json!(2)));
    assert_eq!(all[7]["subject"], "main/sales/c");
    tarn.kill();
    tarn.restart().await;
    for (read, last) in all.iter().enumerate() {
        let rest = printed(&tarn, &["--after", last["id"].as_str().unwrap()]);
        assert_eq!(rest, all[read + 1..]);
    }
    let tables = printed(&tarn, &["--warehouse", "main", "--namespace", "sales", "--type", "tarn.table.*"]);
    assert_eq!(tables, all[2..]);
    let (code, lines, _) = tarn.run(&["events", "--type", "tarn.table.undropped"]);
    assert!(code == 0 && lines.contains("main/sales/c") && lines.lines().count() == 1, "{lines}");
    let (code, _, error) = tarn.run(&["events", "--after", "999999"]);
    assert!(code == 1 && error.contains("999999"), "{error}");
}

#[tokio::test]
async fn a_reader_that_follows_is_told_at_once_and_when_the_server_stops() {
    let mut tarn = Tarn::start(1).await;
    let mut stream = tarn.send(Method::GET, "/_admin/v1/events", b"").await.bytes_stream();
    let first = next_with(&mut stream, "id: ").await;
    assert!(!first.contains("data: "), "the position comes first: {first}");
    namespace(&tarn, "main", "sales").await;
    next_with(&mut stream, "tarn.namespace.created").await;
    let rest = tokio::spawn(async move {
        let parts: Vec<_> = stream.map(|part| part.unwrap().to_vec()).collect().await;
        String::from_utf8(parts.concat()).unwrap()
    });
    tarn.stop().await;
    let rest = rest.await.unwrap();
    assert!(rest.contains("event: end") && rest.contains("server-stops"), "{rest}");
}

#[tokio::test]
async fn the_last_id_of_a_client_goes_over_the_parameter() {
    let tarn = Tarn::start(1).await;
    namespace(&tarn, "main", "one").await;
    namespace(&tarn, "main", "two").await;
    let all = printed(&tarn, &[]);
    let path = "/_admin/v1/events?follow=false&after=oldest";
    let last = all[1]["id"].as_str().unwrap();
    let answer = tarn.send_with(Method::GET, path, &[("last-event-id", last)]).await;
    let text = answer.text().await.unwrap();
    assert!(text.contains("two") && !text.contains("\"one\"") && text.contains("end-of-log"), "{text}");
    for path in ["/_admin/v1/events?after=x", "/_admin/v1/events?type=nothing", "/_admin/v1/events?since=1"] {
        assert_eq!(tarn.send(Method::GET, path, b"").await.status(), StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn a_reader_is_told_of_the_warehouses_and_tables_that_it_may_read_and_of_no_other() {
    let tarn = Tarn::start(1).await;
    post(&tarn, "/_iceberg/v1/warehouses", r#"{"name":"lab"}"#).await;
    for warehouse in ["main", "lab"] {
        namespace(&tarn, warehouse, "n").await;
        for name in ["t", "hidden"] {
            table(&tarn, &format!("{warehouse}/n"), name).await;
        }
    }
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "admin:StreamEvents"},
        {"Effect": "Allow", "Action": "s3tables:*",
            "Resource": ["arn:aws:s3tables:::bucket/lab", "arn:aws:s3tables:::bucket/lab/*"]},
        {"Effect": "Deny", "Action": "s3tables:GetTableMetadataLocation",
            "Resource": "arn:aws:s3tables:::*", "Condition": {"StringEquals": {"s3tables:tableName": "hidden"}}},
    ]});
    let put = tarn.send(Method::PUT, "/_admin/v1/policies/lab-events", policy.to_string().as_bytes()).await;
    assert_eq!(put.status(), StatusCode::NO_CONTENT, "{}", put.text().await.unwrap());
    let user = br#"{"name": "alice", "policies": ["lab-events"]}"#;
    let made: Value = tarn.send(Method::POST, "/_admin/v1/users", user).await.json().await.unwrap();
    let key = ("alice", made["secret"].as_str().unwrap());
    let path = "/_admin/v1/events?follow=false&after=oldest";
    let text = tarn.send_as(key, Method::GET, path, b"").await.text().await.unwrap();
    let told: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .filter(|event: &Value| event["id"].is_string())
        .collect();
    let subjects: Vec<&str> = told.iter().map(|event| event["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["lab", "lab/n", "lab/n/t"], "{text}");
    let all = printed(&tarn, &["--type", "tarn.document.*"]);
    assert_eq!(all[0]["subject"], "policy/lab-events");
}

#[tokio::test]
async fn who_may_not_administer_reads_no_events() {
    let tarn = Tarn::start(1).await;
    let (_, made, _) = tarn.run(&["admin", "key", "create", "--policy", "readwrite", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let key = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let answer = tarn.send_as(key, Method::GET, "/_admin/v1/events", b"").await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_on_the_command_line_misses_nothing_while_the_server_is_killed() {
    let mut tarn = Tarn::start(1).await;
    let mut following = tarn.begin(&["events", "--follow", "--after", "oldest", "--json"]);
    let lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let reading = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap();
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    // The first event is there: it is connected.
    let mut seen = vec![receiver.recv().await.unwrap()];
    for round in 0..3 {
        namespace(&tarn, "main", &format!("n{round}")).await;
        table(&tarn, &format!("main/n{round}"), "t").await;
        if round < 2 {
            tarn.kill();
            tarn.restart().await;
        }
    }
    while seen.last().unwrap()["subject"] != "main/n2/t" {
        seen.push(receiver.recv().await.unwrap());
    }
    assert_eq!(seen, printed(&tarn, &[]));
    following.kill().unwrap();
    following.wait().unwrap();
    reading.join().unwrap();
}
