//! Webhooks of a server.

use serde_json::Value;

use super::output::{Table, count, line, text, time};
use super::{ClientError, Connection, path_segment};

fn path(id: &str) -> String {
    format!("/_admin/v1/webhooks/{}", path_segment(id))
}

pub(crate) async fn put(connection: &Connection, id: &str, asked: &Value) -> Result<Value, ClientError> {
    connection.put(&path(id), asked).await
}

pub(crate) async fn list(connection: &Connection) -> Result<Value, ClientError> {
    connection.get("/_admin/v1/webhooks").await
}

pub(crate) async fn show(connection: &Connection, id: &str) -> Result<Value, ClientError> {
    connection.get(&path(id)).await
}

pub(crate) async fn delete(connection: &Connection, id: &str) -> Result<Value, ClientError> {
    connection.delete(&path(id)).await
}

pub(crate) async fn test(connection: &Connection, id: &str) -> Result<Value, ClientError> {
    connection.post(&format!("{}/test", path(id)), &Value::Null).await
}

pub(crate) fn print_list(answer: &Value) {
    let mut rows = Table::new(&["WEBHOOK", "STATE", "LAG", "SENT", "FAILED", "URL"]);
    for webhook in answer["webhooks"].as_array().into_iter().flatten() {
        let status = &webhook["status"];
        rows.row([
            text(&webhook["id"]),
            text(&status["state"]),
            text(&status["lag_records"]),
            text(&status["events_sent"]),
            text(&status["failures_in_row"]),
            text(&webhook["url"]),
        ]);
    }
    rows.print();
}

pub(crate) fn print(webhook: &Value) {
    let status = &webhook["status"];
    line(&format!("webhook    {}", text(&webhook["id"])));
    line(&format!("url        {}", text(&webhook["url"])));
    line(&format!(
        "sends      {}, {} s to answer",
        text(&webhook["mode"]),
        text(&webhook["timeout_seconds"])
    ));
    let levels = webhook["namespace"].as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
    let types = webhook["types"].as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
    for (name, value) in [
        ("warehouse", webhook["warehouse"].as_str().map(|name| text(&name.into()))),
        ("namespace", (!levels.is_empty()).then(|| levels.join("."))),
        ("types", (!types.is_empty()).then(|| types.join(", "))),
    ] {
        if let Some(value) = value {
            line(&format!("{name:<10} {value}"));
        }
    }
    line(&format!("state      {}", text(&status["state"])));
    line(&format!(
        "position   {}, {} behind",
        text(&status["position"]),
        count(&status["lag_records"], "record")
    ));
    line(&format!("sent       {} since the server started", count(&status["events_sent"], "event")));
    if let Some(failure) = status["last_failure"].as_str() {
        let when = status["last_failure_ms"].as_i64().map_or_else(|| "-".into(), time);
        let count = text(&status["failures_in_row"]);
        line(&format!("failure    {} ({count} in a row, {when} UTC)", text(&failure.into())));
    }
    if status["lost"].is_object() {
        let lost = &status["lost"];
        line(&format!("lost       records {} to {}", text(&lost["from_record"]), text(&lost["to_record"])));
    }
    if let Some(secret) = webhook["secret"].as_str() {
        line(&format!("secret     {}", text(&secret.into())));
        line("The secret is shown only now.");
    }
}
