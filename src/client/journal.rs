//! Journals of a server's buckets.

use std::time::Duration;

use serde_json::{Value, json};

use super::output::{Table, line, text, time};
use super::{ClientError, Connection, path_segment};

/// Between two looks at a run.
const LOOK: Duration = Duration::from_millis(200);

fn path(bucket: &str, below: &str) -> String {
    format!("/_admin/v1/journals/{}{below}", path_segment(bucket))
}

pub(crate) async fn list(connection: &Connection) -> Result<Value, ClientError> {
    connection.get("/_admin/v1/journals").await
}

pub(crate) async fn get(connection: &Connection, bucket: &str) -> Result<Value, ClientError> {
    connection.get(&path(bucket, "")).await
}

pub(crate) async fn put(
    connection: &Connection,
    bucket: &str,
    settings: &Value,
) -> Result<Value, ClientError> {
    connection.put(&path(bucket, ""), settings).await
}

pub(crate) async fn delete(connection: &Connection, bucket: &str) -> Result<Value, ClientError> {
    connection.delete(&path(bucket, "")).await
}

/// Begins to compare the table of objects with the bucket.
pub(crate) async fn reconcile(
    connection: &Connection,
    bucket: &str,
    repair: bool,
) -> Result<Value, ClientError> {
    connection.post(&path(bucket, "/reconcile"), &json!({"repair": repair})).await
}

/// Waits until the run of a comparison ended, and tells the journal then.
pub(crate) async fn wait(connection: &Connection, bucket: &str, begun: &Value) -> Result<Value, ClientError> {
    loop {
        let told = get(connection, bucket).await?;
        let last = &told["reconcile"];
        let is_other = last["run"] != begun["run"];
        if is_other || matches!(last["state"].as_str(), Some("completed" | "failed" | "canceled")) {
            return Ok(told);
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(crate) fn print(told: &Value) {
    print_table("journal", &told["journal"]);
    line(&format!("rows stay  {}", expiration(told)));
    if told["inventory"].is_null() {
        line("inventory  off");
    } else {
        print_table("inventory", &told["inventory"]);
    }
    let last = &told["reconcile"];
    if !last.is_null() {
        line(&format!("compared   {}, {}", text(&last["state"]), text(&last["run"])));
        line(&format!("drift      {}", drift(last)));
    }
}

fn print_table(name: &str, table: &Value) {
    line(&format!("{name:<11}{}", text(&table["table"])));
    line(&format!("state      {}", state(table)));
    for kind in ["error", "notice"] {
        if !table[kind].is_null() {
            line(&format!("{kind:<11}{}", text(&table[kind])));
        }
    }
    line(&format!(
        "lag        {} s, {} changes wait",
        text(&table["lagSeconds"]),
        text(&table["waitingChanges"])
    ));
    line(&format!("rows       {}", text(&table["rows"])));
    line(&format!("committed  {}", table["lastCommitMs"].as_i64().map_or_else(|| "-".into(), time)));
}

/// What a comparison found.
pub(crate) fn drift(last: &Value) -> String {
    match last["drift"].as_u64() {
        None => "-".into(),
        Some(0) => "none".into(),
        Some(rows) => {
            let of = ["missing", "extra", "different"].map(|kind| format!("{} {kind}", text(&last[kind])));
            format!("{rows} rows: {}", of.join(", "))
        }
    }
}

fn state(table: &Value) -> String {
    table["state"].as_str().map_or_else(|| "off".into(), str::to_lowercase)
}

fn expiration(told: &Value) -> String {
    match told["expirationDays"].as_u64() {
        Some(days) => format!("{days} days"),
        None => "for ever".into(),
    }
}

pub(crate) fn print_list(answer: &Value) {
    let mut table = Table::new(&["BUCKET", "JOURNAL", "INVENTORY", "LAG (s)", "ROWS", "DRIFT"]);
    for told in answer["journals"].as_array().into_iter().flatten() {
        table.row([
            text(&told["bucket"]),
            state(&told["journal"]),
            state(&told["inventory"]),
            text(&told["journal"]["lagSeconds"]),
            text(&told["journal"]["rows"]),
            text(&told["reconcile"]["drift"]),
        ]);
    }
    table.print();
}
