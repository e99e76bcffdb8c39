//! The history of a server's warehouse: what happened, what differs, and moving tables back.

use serde_json::{Value, json};

use super::output::{Table, bytes, count, line, text};
use super::tables::{Catalog, encode, millis, split};
use super::{ClientError, path_segment};

/// Entries asked for at once.
const PAGE_SIZE: usize = 100;

impl Catalog {
    /// The newest `limit` commits of the warehouse, or of one table or view.
    pub(crate) async fn history(&self, table: Option<&str>, limit: usize) -> Result<Value, ClientError> {
        let of = match table.map(split).transpose()? {
            Some((levels, name)) => format!("&namespace={}&table={}", encode(&levels), path_segment(&name)),
            None => String::new(),
        };
        let size = limit.clamp(1, PAGE_SIZE);
        let (mut entries, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("{}/history?page_size={size}{of}{token}", self.admin());
            let mut answer = self.connection.get(&path).await?;
            if let Value::Array(page) = answer["entries"].take() {
                entries.extend(page);
            }
            let next = answer["next_page_token"].as_str().filter(|_| entries.len() < limit);
            match next {
                Some(next) => token = format!("&page_token={}", path_segment(next)),
                None => {
                    if let (Some(table), true, true) = (table, entries.is_empty(), limit > 0) {
                        self.known(table).await?;
                    }
                    entries.truncate(limit);
                    let number = |name: &str| answer[name].clone();
                    return Ok(json!({
                        "entries": entries, "oldest_position": number("oldest_position"),
                        "oldest_ms": number("oldest_ms"), "last_position": number("last_position"),
                    }));
                }
            }
        }
    }

    /// Refuses a name of neither a table nor a view: it is mistyped more often than its history is over.
    async fn known(&self, name: &str) -> Result<(), ClientError> {
        let Err(ClientError::NotFound { message }) = self.load(name).await else { return Ok(()) };
        match self.connection.get(&self.path(name)?.replacen("/tables/", "/views/", 1)).await {
            Err(ClientError::NotFound { .. }) => Err(ClientError::NotFound { message }),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// What differs between two points of a table, or of the whole warehouse.
    pub(crate) async fn diff(
        &self,
        table: Option<&str>,
        from: &str,
        to: Option<&str>,
    ) -> Result<Value, ClientError> {
        let to = to.map(|to| format!("&to={}", path_segment(to))).unwrap_or_default();
        let query = format!("from={}{to}", path_segment(from));
        let path = match table.map(split).transpose()? {
            Some((levels, name)) => {
                let place = format!("{}/{}", encode(&levels), path_segment(&name));
                format!("/_admin/v1/tables/{}/{place}/diff?{query}", path_segment(&self.warehouse))
            }
            None => format!("{}/diff?{query}", self.admin()),
        };
        self.connection.get(&path).await
    }

    /// What rolling these tables back would do.
    pub(crate) async fn rollback_told(&self, tables: &[String], to: &str) -> Result<Value, ClientError> {
        let name = |table: &String| {
            split(table).map(|(namespace, name)| json!({ "namespace": namespace, "name": name }))
        };
        let tables = tables.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        let ask = json!({ "tables": tables, "to": to, "dry_run": true });
        self.connection.post(&format!("{}/rollback", self.admin()), &ask).await
    }

    /// Rolls tables back that are as `told` says.
    pub(crate) async fn rollback(&self, told: &Value, to: &str) -> Result<Value, ClientError> {
        let table = |table: &Value| json!({ "namespace": table["namespace"], "name": table["name"], "seen": table["seen"] });
        let tables: Vec<Value> = told["tables"].as_array().into_iter().flatten().map(table).collect();
        let ask = json!({ "tables": tables, "to": to, "dry_run": false });
        self.connection.post(&format!("{}/rollback", self.admin()), &ask).await
    }

    fn admin(&self) -> String {
        format!("/_admin/v1/warehouses/{}", path_segment(&self.warehouse))
    }
}

pub(crate) fn print_history(history: &Value) {
    let mut rows = Table::new(&["POSITION", "TIME (UTC)", "BY", "REQUEST", "CHANGES"]);
    for entry in history["entries"].as_array().into_iter().flatten() {
        let changes: Vec<String> =
            entry["changes"].as_array().into_iter().flatten().map(change_text).collect();
        let more = changes.len().saturating_sub(CHANGES_SHOWN);
        let mut shown = changes[..changes.len() - more].join(", ");
        if more > 0 {
            shown.push_str(&format!(", {more} more"));
        }
        rows.row([
            text(&entry["position"]),
            millis(&entry["at_ms"]),
            text(&entry["by"]),
            text(&entry["request"]),
            shown,
        ]);
    }
    rows.print();
    let (oldest, since) = (text(&history["oldest_position"]), millis(&history["oldest_ms"]));
    line(&format!("history is kept from position {oldest}, {since} UTC"));
}

/// Changes of a commit that a line shows.
const CHANGES_SHOWN: usize = 3;

fn change_text(change: &Value) -> String {
    let mut shown = text(&change["kind"]);
    if change["namespace"].is_array() {
        shown = format!("{shown} {}", name_text(change));
    }
    if change["to"].is_object() {
        shown = format!("{shown} to {}", name_text(&change["to"]));
    }
    if change["snapshot_id"].is_i64() {
        shown = format!("{shown} at snapshot {}", text(&change["snapshot_id"]));
    }
    shown
}

fn name_text(named: &Value) -> String {
    let levels = named["namespace"].as_array().into_iter().flatten();
    let parts = levels.chain(Some(&named["name"]).filter(|name| name.is_string()));
    parts.map(text).collect::<Vec<_>>().join(".")
}

pub(crate) fn print_rollback(answer: &Value) {
    for table in answer["tables"].as_array().into_iter().flatten() {
        let name = name_text(table);
        if table["refused"].is_string() {
            line(&format!("{name}: refused: {}", text(&table["refused"])));
            continue;
        }
        let changes = &table["changes"];
        line(&format!(
            "{name}: {}",
            from_to(&changes["snapshot"], "snapshot none", |id| format!("snapshot {}", text(id)))
        ));
        print_shape(changes);
    }
    if answer["dry_run"] == true && !refuses(answer) {
        line("dry run: nothing was changed");
    }
}

/// Both sides, `absent` for one that is none.
fn from_to(change: &Value, absent: &str, show: impl Fn(&Value) -> String) -> String {
    let side = |name: &str| if change[name].is_null() { absent.to_owned() } else { show(&change[name]) };
    let (from, to) = (side("from"), side("to"));
    if from == to { format!("{from}, unchanged") } else { format!("{from} -> {to}") }
}

fn size(value: &Value) -> String {
    value.as_u64().map_or_else(|| text(value), bytes)
}

fn print_shape(shape: &Value) {
    let totals = &shape["totals"];
    line(&format!("  rows        {}", from_to(&totals["rows"], "not told", text)));
    line(&format!("  data files  {}", from_to(&totals["data_files"], "not told", text)));
    line(&format!("  bytes       {}", from_to(&totals["bytes"], "not told", size)));
    for column in shape["columns"].as_array().into_iter().flatten() {
        let side = |side: &str| {
            let (name, kind) = (&column["name"][side], &column["type"][side]);
            if name.is_null() { "absent".to_owned() } else { format!("{} {}", text(name), text(kind)) }
        };
        line(&format!("  column      {} -> {}", side("from"), side("to")));
    }
    for (name, label) in [("partitions", "partitions"), ("sort_order", "sort order")] {
        if shape[name].is_object() {
            line(&format!("  {label:<10}  {}", from_to(&shape[name], "none", text)));
        }
    }
    for (key, change) in shape["properties"].as_object().into_iter().flatten() {
        line(&format!("  property    {}: {}", text(&key.as_str().into()), from_to(change, "absent", text)));
    }
}

pub(crate) fn print_table_diff(name: &str, diff: &Value) {
    let named = text(&name.into());
    line(&format!(
        "{named}: {}",
        from_to(&diff["snapshot"], "snapshot none", |id| format!("snapshot {}", text(id)))
    ));
    print_shape(diff);
    for (kind, label) in [("data", "data"), ("deletes", "deletes")] {
        for side in ["added", "removed"] {
            let amount = &diff["files"][kind][side];
            if amount["files"].as_u64() != Some(0) {
                let (files, rows) = (count(&amount["files"], "file"), count(&amount["rows"], "row"));
                line(&format!("  {label:<7} {side}: {files}, {rows}, {}", size(&amount["bytes"])));
            }
        }
    }
    for (list, label) in [("snapshots_added", "snapshots since"), ("snapshots_left", "snapshots left behind")]
    {
        let snapshots = diff[list].as_array().into_iter().flatten();
        let mut snapshots = snapshots.peekable();
        if snapshots.peek().is_none() {
            continue;
        }
        line("");
        line(label);
        let mut rows = Table::new(&["SNAPSHOT", "TIME (UTC)", "OPERATION", "ADDED", "DELETED"]);
        for snapshot in snapshots {
            rows.row([
                text(&snapshot["snapshot_id"]),
                millis(&snapshot["timestamp_ms"]),
                text(&snapshot["operation"]),
                text(&snapshot["added_rows"]),
                text(&snapshot["deleted_rows"]),
            ]);
        }
        rows.print();
    }
}

pub(crate) fn print_warehouse_diff(diff: &Value) {
    let mut rows = Table::new(&["WHAT", "NAME", "BEFORE", "SNAPSHOT", "COMMITS"]);
    for kind in ["table", "view"] {
        for one in diff[format!("{kind}s")].as_array().into_iter().flatten() {
            let what: Vec<String> = one["what"].as_array().into_iter().flatten().map(text).collect();
            let name =
                |side: &str| if one[side].is_object() { name_text(&one[side]) } else { "-".to_owned() };
            let renamed = if name("from") == name("to") { "-".to_owned() } else { name("from") };
            rows.row([
                format!("{kind} {}", what.join(", ")),
                name("to"),
                renamed,
                format!("{} -> {}", text(&one["from_snapshot"]), text(&one["to_snapshot"])),
                text(&one["commits"]),
            ]);
        }
    }
    for (list, what) in [("namespaces_created", "created"), ("namespaces_dropped", "dropped")] {
        for levels in diff[list].as_array().into_iter().flatten() {
            let name = name_text(&json!({ "namespace": levels }));
            rows.row([format!("namespace {what}"), name, "-".into(), "-".into(), "-".into()]);
        }
    }
    rows.print();
    for kind in ["tables", "views"] {
        let (told, all) = (diff[kind].as_array().map_or(0, Vec::len), diff["counts"][kind].as_u64());
        if all.is_some_and(|all| all > told as u64) {
            line(&format!("{told} of {} {kind} are shown", text(&diff["counts"][kind])));
        }
    }
}

/// Whether every table of the answer can be rolled back.
pub(crate) fn refuses(answer: &Value) -> bool {
    answer["tables"].as_array().into_iter().flatten().any(|table| table["refused"].is_string())
}
