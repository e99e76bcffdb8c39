//! Inventories of a server's buckets.

use std::time::Duration;

use serde_json::{Value, json};

use super::jobs::{Bar, progress};
use super::output::{Table, bytes, line, text};
use super::{ClientError, Connection, path_segment};

/// Between two looks at a run.
const LOOK: Duration = Duration::from_millis(200);

/// An inventory.
pub(crate) struct At<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) id: &'a str,
}

impl At<'_> {
    fn path(&self, below: &str) -> String {
        format!("/_admin/v1/inventory/{}/{}{below}", path_segment(self.bucket), path_segment(self.id))
    }
}

pub(crate) async fn put(
    connection: &Connection,
    at: &At<'_>,
    definition: &str,
) -> Result<Value, ClientError> {
    connection.put_text(&at.path(""), definition).await
}

pub(crate) async fn get(connection: &Connection, at: &At<'_>) -> Result<Value, ClientError> {
    connection.get(&at.path("")).await
}

pub(crate) async fn list(connection: &Connection, bucket: &str) -> Result<Value, ClientError> {
    connection.get(&format!("/_admin/v1/inventory/{}", path_segment(bucket))).await
}

pub(crate) async fn delete(connection: &Connection, at: &At<'_>) -> Result<Value, ClientError> {
    connection.delete(&at.path("")).await
}

pub(crate) async fn status(connection: &Connection, at: &At<'_>) -> Result<Value, ClientError> {
    connection.get(&at.path("/status")).await
}

/// Runs, cancels, suspends or resumes an inventory.
pub(crate) async fn order(connection: &Connection, at: &At<'_>, order: &str) -> Result<Value, ClientError> {
    connection.post(&at.path(&format!("/{order}")), &json!({})).await
}

/// What a run would do; of a definition that is not kept, where one is given.
pub(crate) async fn plan(
    connection: &Connection,
    at: &At<'_>,
    definition: Option<&str>,
) -> Result<Value, ClientError> {
    connection.post_text(&at.path("/plan"), definition.unwrap_or_default()).await
}

/// Waits until nothing of an inventory is about to run; on a terminal it shows how far it is.
pub(crate) async fn wait(connection: &Connection, at: &At<'_>) -> Result<Value, ClientError> {
    let mut bar = Bar::new();
    loop {
        let status = status(connection, at).await?;
        if !is_busy(&status) {
            bar.end();
            return Ok(status);
        }
        bar.show(&run_of(&status));
        tokio::time::sleep(LOOK).await;
    }
}

fn is_busy(status: &Value) -> bool {
    matches!(status["state"].as_str(), Some("Pending" | "Running" | "Errored"))
}

/// What a status tells of its run, as the jobs API tells it.
fn run_of(status: &Value) -> Value {
    json!({
        "state": text(&status["state"]).to_lowercase(),
        "counts": {
            "scanned": status["scannedCount"],
            "written": status["recordsWritten"],
            "expected": status["expectedCount"],
        },
        "items_per_second": status["objectsPerSecond"],
        "remaining_seconds": status["remainingSeconds"],
    })
}

pub(crate) fn print_status(status: &Value) {
    let size = status["bytesWritten"].as_u64().map_or_else(|| "-".into(), bytes);
    line(&format!("inventory  {}/{}", text(&status["bucket"]), text(&status["id"])));
    line(&format!("state      {}", text(&status["state"])));
    line(&format!("schedule   {}", text(&status["schedule"])));
    line(&format!("user       {}", text(&status["user"])));
    for (label, name) in [
        ("next run", "nextScheduledTime"),
        ("started", "startTime"),
        ("ended", "endTime"),
        ("took", "executionTime"),
    ] {
        if !status[name].is_null() {
            line(&format!("{label:<11}{}", text(&status[name])));
        }
    }
    if !status["run"].is_null() {
        line(&format!("run        {}", text(&status["run"])));
        let counts = ["scannedCount", "matchedCount"].map(|name| text(&status[name]));
        line(&format!("objects    {} looked at, {} told", counts[0], counts[1]));
        if status["state"] == "Running" {
            line(&format!("progress   {}", progress(&run_of(status))));
        }
        line(&format!("files      {}, {size}", text(&status["outputFilesCount"])));
    }
    if !status["manifestPath"].is_null() {
        line(&format!("manifest   {}", text(&status["manifestPath"])));
    }
    for error in status["lastFailErrors"].as_array().into_iter().flatten() {
        line(&format!("error      {}", text(error)));
    }
}

pub(crate) fn print_list(answer: &Value) {
    let mut table =
        Table::new(&["ID", "API", "STATE", "SCHEDULE", "NEXT RUN", "LAST RUN", "OBJECTS", "DESTINATION"]);
    for entry in answer["inventories"].as_array().into_iter().flatten() {
        let destination = if entry["destination"].is_null() { "a table" } else { "" };
        table.row([
            text(&entry["id"]),
            text(&entry["api"]),
            text(&entry["state"]),
            text(&entry["schedule"]),
            text(&entry["nextScheduledTime"]),
            text(&entry["startTime"]),
            text(&entry["matchedCount"]),
            if destination.is_empty() { text(&entry["destination"]) } else { destination.to_owned() },
        ]);
    }
    table.print();
}

pub(crate) fn print_plan(plan: &Value) {
    let about = if plan["complete"] == true { "" } else { "at least " };
    line(&format!("looked at  {} objects, {} of them told", text(&plan["scanned"]), text(&plan["matched"])));
    line(&format!("rows       {about}{}", text(&plan["matched"])));
    line(&format!("output     {about}{}", plan["output_bytes"].as_u64().map_or_else(|| "-".into(), bytes)));
    if let Some(rate) = plan["objects_per_second"].as_f64() {
        line(&format!("rate       about {rate:.0} objects per second"));
    }
    if plan["complete"] == false {
        line("the bucket holds more: a run takes longer and writes more in proportion");
    }
    for key in plan["sample"].as_array().into_iter().flatten() {
        line(&format!("  {}", text(key)));
    }
}
