//! The status of a server, for people.

use serde_json::Value;

use super::output::{Table, bytes, line, text};

/// Prints what `/_admin/v1/status` answered.
pub(crate) fn print(status: &Value) {
    line(&format!("tarn {}, up {}", text(&status["version"]), duration(&status["uptime_seconds"])));
    let catalog = &status["catalog"];
    if catalog.is_object() {
        line(&format!(
            "catalog: log at {}, {} warehouses, {} namespaces, {} tables",
            text(&catalog["log_position"]),
            text(&catalog["warehouses"]),
            text(&catalog["namespaces"]),
            text(&catalog["tables"]),
        ));
    }
    for set in status["storage"]["sets"].as_array().into_iter().flatten() {
        line("");
        print_set(set);
    }
}

fn print_set(set: &Value) {
    let (data, parity) = (&set["data"], &set["parity"]);
    line(&format!(
        "set {}: {}+{}, epoch {}",
        text(&set["set"]),
        text(data),
        text(parity),
        text(&set["epoch"])
    ));
    let mut rows = Table::new(&["DRIVE", "STATE", "USED", "FREE", "LOG", "HEAL", "PATH"]);
    for drive in set["drives"].as_array().into_iter().flatten() {
        rows.row([
            text(&drive["slot"]),
            text(&drive["state"]),
            size(&drive["used_bytes"]),
            size(&drive["free_bytes"]),
            text(&drive["log_position"]),
            heal(&drive["heal"]),
            text(&drive["path"]),
        ]);
    }
    rows.print();
}

fn heal(heal: &Value) -> String {
    match (heal["done"].as_u64(), heal["total"].as_u64()) {
        (Some(done), Some(total)) => format!("{done}/{total}"),
        _ => "-".into(),
    }
}

fn size(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".into(), bytes)
}

fn duration(seconds: &Value) -> String {
    let seconds = seconds.as_u64().unwrap_or(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}
