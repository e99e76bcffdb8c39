//! The status of a server, for people.

use serde_json::Value;

use super::output::{Table, bytes, count, line, text};

/// Prints what `/_admin/v1/status` answered.
pub(crate) fn print(status: &Value) {
    line(&format!("tarn {}, up {}", text(&status["version"]), duration(&status["uptime_seconds"])));
    let catalog = &status["catalog"];
    if catalog.is_object() {
        line(&format!(
            "catalog: log at {}, {}, {}, {}",
            text(&catalog["log_position"]),
            count(&catalog["warehouses"], "warehouse"),
            count(&catalog["namespaces"], "namespace"),
            count(&catalog["tables"], "table"),
        ));
    }
    let pending = &status["storage"]["heal"]["repairs_pending"];
    if pending.as_u64().is_some_and(|pending| pending > 0) {
        line(&format!("healing: {} objects wait for repair", text(pending)));
    }
    for set in status["storage"]["sets"].as_array().into_iter().flatten() {
        line("");
        print_set(set, &status["storage"]["heal"]["fills"]);
    }
}

fn print_set(set: &Value, fills: &Value) {
    let (geometry, epoch) = (&set["geometry"], text(&set["epoch"]));
    let geometry = format!("{}+{}", text(&geometry[0]), text(&geometry[1]));
    line(&format!("set {}: {geometry} drives, epoch {epoch}", text(&set["set"])));
    let mut rows = Table::new(&["DRIVE", "STATE", "FREE", "SIZE", "LOG", "HEAL", "PATH"]);
    for slot in set["slots"].as_array().into_iter().flatten() {
        let mut state = text(&slot["state"]).to_lowercase();
        if let Some(reason) = slot["reason"].as_str() {
            state = format!("{state} ({})", text(&reason.into()));
        }
        if let Some(why) = slot["stays_out"].as_str() {
            state = format!("{state}; last try: {}", text(&why.into()));
        }
        rows.row([
            text(&slot["slot"]),
            state,
            size(&slot["free_bytes"]),
            size(&slot["total_bytes"]),
            format!("{}:{}", text(&slot["log_segment"]), text(&slot["log_offset"])),
            heal(fills, &set["set"], &slot["slot"]),
            text(&slot["path"]),
        ]);
    }
    rows.print();
}

/// How far the filling of a drive is.
fn heal(fills: &Value, set: &Value, slot: &Value) -> String {
    let mut fills = fills.as_array().into_iter().flatten();
    let fill = fills.find(|fill| fill["set"] == *set && fill["slot"] == *slot);
    fill.map_or_else(
        || "-".into(),
        |fill| {
            let written = size(&fill["bytes_written"]);
            format!("{} looked at, {written} written", text(&fill["entries_done"]))
        },
    )
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
