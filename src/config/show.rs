//! The effective configuration as text, secrets redacted.

use std::fmt::Write as _;

use super::keys::{KEYS, Key, Visibility};
use super::layers::{Layers, Source};
use super::providers::{PREFIX, PROVIDER_KEYS, TABLE};

/// A setting as it is shown.
struct Shown {
    name: String,
    variable: String,
    value: String,
    source: Source,
    meaning: &'static str,
}

/// One line a setting: name, value, where it came from and what it is.
pub fn table(layers: &Layers) -> String {
    let shown = all(layers);
    let width = shown.iter().map(|one| one.value.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Shown { name, variable, value, source, meaning } in shown {
        let from = if source == Source::Environment { variable } else { source.to_string() };
        let _ = writeln!(text, "{name:<30} {value:<width$}  # {from}: {meaning}");
    }
    text
}

/// The same as JSON: an object of `{value, source}` by name.
pub fn json(layers: &Layers) -> serde_json::Value {
    let entries = all(layers).into_iter().map(|Shown { name, value, source, .. }| {
        (name, serde_json::json!({ "value": value, "source": source.to_string() }))
    });
    serde_json::Value::Object(entries.collect())
}

fn all(layers: &Layers) -> Vec<Shown> {
    let of_server = KEYS.iter().map(|key| {
        let (source, value) = value(layers, key.name, key.visibility);
        Shown { name: key.name.into(), variable: key.variable.into(), value, source, meaning: key.meaning }
    });
    let of_providers = layers.providers().iter().flat_map(|(provider, values)| {
        PROVIDER_KEYS.iter().filter_map(move |key: &Key| {
            let (source, values) = values.get(key.name)?;
            let upper = provider.to_ascii_uppercase().replace('-', "_");
            Some(Shown {
                name: format!("{TABLE}.{provider}.{}", key.name),
                variable: format!("{PREFIX}{upper}_{}", key.variable),
                value: values.join(","),
                source: *source,
                meaning: key.meaning,
            })
        })
    });
    of_server.chain(of_providers).collect()
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
