//! `tarn report`: saved reports as tables and charts.

use std::path::PathBuf;

use serde_json::Value;

use super::{ClientFlags, Failure, block_on, print_json};
use crate::client::output::{self, Table};
use crate::client::path_segment;

/// Columns that a bar takes at most.
const BAR_MAX: f64 = 30.0;

/// Saved reports: bytes by prefix, age and size, growth, duplicates, orphan files, sizes of tables, and others.
#[derive(clap::Args)]
pub(crate) struct Report {
    /// The report, or `list`, which lists them with their parameters.
    name: String,
    /// A parameter of the report; may be given several times.
    #[arg(long = "param", short, value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// The objects that the last run of this inventory found, instead of those there are now.
    #[arg(long, value_name = "BUCKET/ID")]
    inventory: Option<String>,
    /// Of two runs of the inventory the first, a snapshot of its table [default: the one before the second].
    #[arg(long, value_name = "SNAPSHOT", requires = "inventory")]
    from: Option<i64>,
    /// Of two runs of the inventory the second [default: the last].
    #[arg(long, value_name = "SNAPSHOT", requires = "inventory")]
    to: Option<i64>,
    /// Write the chart to this file, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print comma-separated values instead of a table.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    client: ClientFlags,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is expected")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) fn run(command: &Report) -> Result<(), Failure> {
    if let Some(file) = command.plot.as_deref().filter(|file| file.extension().is_none_or(|end| end != "svg"))
    {
        let message = format!("{} is not drawn: charts are SVG, in a file that ends in .svg", file.display());
        return Err(Failure::Usage(anyhow::anyhow!(message)));
    }
    block_on(async {
        let connection = command.client.connect()?;
        if command.name == "list" {
            let answer = connection.get("/_admin/v1/reports").await?;
            if command.client.json {
                print_json(&answer)
            } else {
                print_list(&answer)
            }
            return Ok(());
        }
        let path = command.path();
        if let Some(file) = &command.plot {
            let svg = connection.fetch(&path, "image/svg+xml").await?;
            let written = std::fs::write(file, svg);
            written.map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", file.display()))?;
        }
        if command.csv {
            let bytes = connection.fetch(&path, "text/csv").await?;
            output::line(String::from_utf8_lossy(&bytes).trim_end());
            return Ok(());
        }
        let bytes = connection.fetch(&path, "application/json").await?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(anyhow::Error::from)?;
        if command.client.json {
            print_json(&answer)
        } else {
            print_answer(&answer)
        }
        Ok(())
    })
}

impl Report {
    fn path(&self) -> String {
        let number = |name: &str, id: Option<i64>| id.map(|id| (name.to_owned(), id.to_string()));
        let inventory = self.inventory.iter().map(|name| ("inventory".to_owned(), name.clone()));
        let runs = [number("from", self.from), number("to", self.to)].into_iter().flatten();
        let pairs = self.parameters.iter().cloned().chain(inventory).chain(runs);
        let pairs: Vec<String> =
            pairs.map(|(name, value)| format!("{}={}", path_segment(&name), path_segment(&value))).collect();
        let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
        format!("/_admin/v1/reports/{}{query}", path_segment(&self.name))
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn print_list(answer: &Value) {
    for report in list(&answer["reports"]) {
        output::line(&format!("{}: {}", output::text(&report["name"]), output::text(&report["description"])));
        for parameter in list(&report["parameters"]) {
            let default = match &parameter["default"] {
                Value::String(text) if text.is_empty() => String::new(),
                default => format!(" [default: {}]", output::text(default)),
            };
            let about = output::text(&parameter["description"]);
            output::line(&format!("    {}: {about}{default}", output::text(&parameter["name"])));
        }
        match report["inventory"].as_str() {
            Some("optional") => output::line("    --inventory: as an inventory's last run found them."),
            Some("runs") => output::line("    --inventory, --from, --to: which runs."),
            _none => {}
        }
    }
}

fn print_answer(answer: &Value) {
    let (columns, rows) = (list(&answer["columns"]), list(&answer["rows"]));
    let heads: Vec<String> =
        columns.iter().map(|column| output::text(&column["name"]).replace('_', " ").to_uppercase()).collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).chain([""]).collect();
    let bars = answer["bars"].as_str().unwrap_or("");
    let longest =
        rows.iter().filter_map(|row| row[bars].as_f64()).fold(0.0, |most: f64, value| most.max(value.abs()));
    let mut table = Table::new(&heads);
    for row in rows {
        let cells = columns.iter().map(|column| {
            let value = &row[column["name"].as_str().unwrap_or("")];
            cell(value, column["unit"].as_str().unwrap_or(""))
        });
        table.row(cells.chain([bar(row[bars].as_f64().unwrap_or(0.0), longest)]));
    }
    output::line(&output::text(&answer["title"]));
    table.print();
    output::line(&output::count(&rows.len().into(), "row"));
}

fn cell(value: &Value, unit: &str) -> String {
    match (unit, value.as_i64()) {
        ("bytes", Some(bytes)) if bytes < 0 => format!("-{}", output::bytes(bytes.unsigned_abs())),
        ("bytes", Some(bytes)) => output::bytes(bytes.unsigned_abs()),
        ("time", Some(ms)) => output::time(ms),
        (_other, _value) => output::text(value),
    }
}

/// A bar in text: what is less than nothing has another sign.
fn bar(value: f64, longest: f64) -> String {
    if longest <= 0.0 || value == 0.0 {
        return String::new();
    }
    let columns = ((value.abs() / longest) * BAR_MAX).ceil() as usize;
    if value < 0.0 { "-".repeat(columns) } else { "#".repeat(columns) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values_and_what_is_something_is_seen() {
        assert_eq!(bar(10.0, 10.0).len(), 30);
        assert_eq!(bar(0.001, 10.0), "#");
        assert_eq!(bar(-5.0, 10.0), "-".repeat(15));
        assert_eq!((bar(0.0, 10.0), bar(0.0, 0.0)), (String::new(), String::new()));
    }

    #[test]
    fn sizes_and_times_are_told_in_units() {
        assert_eq!(cell(&Value::from(1536), "bytes"), "1.5 KiB");
        assert_eq!(cell(&Value::from(-1536), "bytes"), "-1.5 KiB");
        assert_eq!(cell(&Value::from(0), "time"), "1970-01-01 00:00:00");
        assert_eq!(cell(&Value::Null, "bytes"), "-");
    }
}
