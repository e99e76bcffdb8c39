//! Maintenance of a server's tables: policies and runs.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::output::{Table, bytes, line, text, time};
use super::{ClientError, Connection, path_segment};

/// Between two looks at a run.
const LOOK: Duration = Duration::from_millis(200);

/// What a policy is of.
pub(crate) struct Place {
    pub(crate) warehouse: Option<String>,
    pub(crate) namespace: Vec<String>,
    pub(crate) table: Option<String>,
}

impl Place {
    pub(crate) fn server() -> Self {
        Self { warehouse: None, namespace: Vec::new(), table: None }
    }

    fn query(&self) -> String {
        let namespace = (!self.namespace.is_empty()).then(|| self.namespace.join("\u{1f}"));
        let parts = [("warehouse", &self.warehouse), ("namespace", &namespace), ("table", &self.table)];
        let given = parts.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let pairs: Vec<String> =
            given.map(|(name, value)| format!("{name}={}", path_segment(value))).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }
}

pub(crate) async fn begin(
    connection: &Connection,
    place: &Place,
    begin: &Begin<'_>,
) -> Result<Value, ClientError> {
    let ask = json!({
        "warehouse": place.warehouse, "namespace": place.namespace, "table": place.table,
        "job": begin.job, "dry_run": begin.dry_run, "unsafe_no_grace": begin.unsafe_no_grace,
    });
    connection.post("/_admin/v1/maintenance/runs", &ask).await
}

/// What a run is begun with.
pub(crate) struct Begin<'a> {
    pub(crate) job: &'a str,
    pub(crate) dry_run: bool,
    pub(crate) unsafe_no_grace: bool,
}

/// Waits for the end of a run; on a terminal it shows how far it is.
pub(crate) async fn wait(connection: &Connection, mut run: Value) -> Result<Value, ClientError> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}  {elapsed}") {
        bar.set_style(style);
    }
    let path =
        format!("/_admin/v1/maintenance/runs/{}", path_segment(run["id"].as_str().unwrap_or_default()));
    while run["stage"] == "running" {
        tokio::time::sleep(LOOK).await;
        run = connection.get(&path).await?;
        let size = run["bytes"].as_u64().map_or_else(|| "-".into(), bytes);
        bar.set_message(format!("{} files, {size}", text(&run["files"])));
        bar.tick();
    }
    bar.finish_and_clear();
    Ok(run)
}

pub(crate) async fn runs(connection: &Connection, place: &Place) -> Result<Value, ClientError> {
    connection.get(&format!("/_admin/v1/maintenance/runs{}", place.query())).await
}

pub(crate) async fn policy(connection: &Connection, place: &Place) -> Result<Value, ClientError> {
    connection.get(&format!("/_admin/v1/maintenance/policy{}", place.query())).await
}

pub(crate) async fn set_policy(
    connection: &Connection,
    place: &Place,
    policy: &Value,
) -> Result<Value, ClientError> {
    connection.put(&format!("/_admin/v1/maintenance/policy{}", place.query()), policy).await
}

pub(crate) async fn delete_policy(connection: &Connection, place: &Place) -> Result<Value, ClientError> {
    connection.delete(&format!("/_admin/v1/maintenance/policy{}", place.query())).await
}

pub(crate) fn print_run(run: &Value) {
    line(&format!("run      {}", text(&run["id"])));
    line(&format!("job      {}", text(&run["job"])));
    line(&format!(
        "stage    {}{}",
        text(&run["stage"]),
        if run["dry_run"] == true { " (dry run)" } else { "" }
    ));
    let mut told = Vec::new();
    for (kind, outcome) in run["outcome"].as_object().into_iter().flatten() {
        group(kind, outcome, 0, &mut told);
    }
    told.iter().for_each(|text| line(text));
    if told.is_empty() && run["stage"] == "completed" {
        line("found    nothing to do");
    }
}

/// Numbers and names of an outcome under its label; what is zero or empty is left out, a group of nothing too.
fn group(label: &str, outcome: &Value, depth: usize, told: &mut Vec<String>) {
    let (outer, inner) = ("  ".repeat(depth), "  ".repeat(depth + 1));
    let at = told.len();
    let fields = outcome.as_object();
    let width = fields.into_iter().flatten().filter(|(_, value)| !value.is_object() && !value.is_array());
    let width = width.map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields.into_iter().flatten() {
        let label = name.replace('_', " ");
        match value {
            Value::Object(_) => group(&label, value, depth + 1, told),
            Value::Array(names) if names.is_empty() => {}
            Value::Array(names) => {
                told.push(format!("{inner}{label}:"));
                told.extend(names.iter().map(|name| format!("{inner}  {}", text(name))));
            }
            Value::Number(number) if number.as_u64() == Some(0) => {}
            Value::Number(number) if name.ends_with("bytes") => {
                let size = number.as_u64().map_or_else(|| text(value), bytes);
                told.push(format!("{inner}{label:<width$}  {size}"));
            }
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                told.push(format!("{inner}{label:<width$}  {}", text(value)));
            }
        }
    }
    if told.len() > at {
        told.insert(at, format!("{outer}{}:", label.replace('_', " ")));
    }
}

pub(crate) fn print_runs(answer: &Value) {
    let mut rows = Table::new(&["STARTED (UTC)", "TABLE", "JOB", "STAGE", "FILES", "SIZE", "ERROR"]);
    for run in answer["runs"].as_array().into_iter().flatten() {
        let table = &run["table"];
        let levels = table["namespace"].as_array().into_iter().flatten().map(text);
        let name: Vec<String> = levels.chain([text(&table["name"])]).collect();
        rows.row([
            run["started_ms"].as_i64().map_or_else(|| "-".into(), time),
            name.join("."),
            text(&run["job"]),
            format!("{}{}", text(&run["stage"]), if run["dry_run"] == true { " (dry run)" } else { "" }),
            text(&run["files"]),
            run["bytes"].as_u64().map_or_else(|| "-".into(), bytes),
            text(&run["error"]),
        ]);
    }
    rows.print();
}

/// Every setting that holds, and whether it is set right there.
pub(crate) fn print_policy(answer: &Value) {
    let mut rows = Table::new(&["TYPE", "SETTING", "VALUE", "SET HERE"]);
    for (kind, settings) in answer["effective"].as_object().into_iter().flatten() {
        for (name, value) in settings.as_object().into_iter().flatten() {
            let here = if answer["policy"][kind][name].is_null() { "" } else { "yes" };
            rows.row([text(&kind.as_str().into()), text(&name.as_str().into()), text(value), here.into()]);
        }
    }
    rows.print();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_tells_what_there_is_aligned_and_nothing_of_empty_groups() {
        let outcome = json!({
            "looked_at": 7, "removed": {"data_files": 2, "data_bytes": 2048}, "old_metadata": {"files": 0},
            "skipped": ["a: not Parquet"], "left": [],
        });
        let mut told = Vec::new();
        group("unreferenced", &outcome, 0, &mut told);
        let lines = [
            "unreferenced:",
            "  looked at  7",
            "  removed:",
            "    data bytes  2.0 KiB",
            "    data files  2",
            "  skipped:",
            "    a: not Parquet",
        ];
        assert_eq!(told, lines);
        told.clear();
        group("snapshots", &json!({"removed": {"files": 0}}), 0, &mut told);
        assert!(told.is_empty(), "{told:?}");
    }
}
