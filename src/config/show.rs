//! The effective configuration as text, secrets redacted.

use std::fmt::Write as _;

use super::keys::{KEYS, Visibility};
use super::layers::{Layers, Source};

/// One line a setting: name, value, where it came from and what it is.
pub fn table(layers: &Layers) -> String {
    let shown: Vec<_> = KEYS.iter().map(|key| (key, value(layers, key.name, key.visibility))).collect();
    let width = shown.iter().map(|(_, (_, value))| value.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (key, (source, value)) in shown {
        let from = if source == Source::Environment { key.variable.to_owned() } else { source.to_string() };
        let _ = writeln!(text, "{:<30} {value:<width$}  # {from}: {}", key.name, key.meaning);
    }
    text
}

/// The same as JSON: an object of `{value, source}` by name.
pub fn json(layers: &Layers) -> serde_json::Value {
    let entries = KEYS.iter().map(|key| {
        let (source, value) = value(layers, key.name, key.visibility);
        (key.name.to_owned(), serde_json::json!({ "value": value, "source": source.to_string() }))
    });
    serde_json::Value::Object(entries.collect())
}

fn value(layers: &Layers, name: &str, visibility: Visibility) -> (Source, String) {
    let (source, values) = layers.list(name);
    let text = match visibility {
        Visibility::Plain => values.join(","),
        Visibility::Secret if values.is_empty() => String::new(),
        Visibility::Secret => "(redacted)".into(),
    };
    (source, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let mut layers = Layers::defaults();
        layers.add_file("t".into(), "[root]\naccess_key='root'\nsecret_key='hunter2hunter2'").unwrap();
        let shown = table(&layers) + &json(&layers).to_string();
        assert!(shown.contains("(redacted)") && shown.contains("root") && !shown.contains("hunter2"));
    }
}
