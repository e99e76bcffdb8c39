//! Settings as text, layered: flags over environment over file over defaults.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::keys::{KEYS, Key, OTHER_PREFIXES, OTHER_VARIABLES, by_name};
use super::providers::{self, PROVIDER_KEYS, Values};

/// Where a value came from. The later wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nothing set it.
    Default,
    /// The configuration file.
    File,
    /// A `TARN_*` variable.
    Environment,
    /// The command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration file {path} is not valid: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        message: String,
    },
    /// A setting that does not exist.
    #[error("{place} sets {name:?}, which is no setting of Tarn")]
    Unknown {
        /// File or environment.
        place: &'static str,
        /// The name.
        name: String,
    },
    /// A value that makes no sense.
    #[error("{name} (from {from}) is not valid: {reason}")]
    Invalid {
        /// The setting.
        name: &'static str,
        /// Where the value came from.
        from: Source,
        /// What is expected.
        reason: String,
    },
    /// A setting of an identity provider that makes no sense.
    #[error("{name} (from {from}) is not valid: {reason}")]
    Provider {
        /// The setting.
        name: String,
        /// Where the value came from.
        from: Source,
        /// What is expected.
        reason: String,
    },
}

/// Values by setting name. A list is several values; nothing set is none.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    values: Values,
    /// Those of identity providers, by the provider's name.
    providers: BTreeMap<String, Values>,
}

impl Layers {
    /// The defaults.
    pub fn defaults() -> Self {
        let mut layers = Self::default();
        for key in KEYS {
            layers.set(key.name, Source::Default, split(key, key.default));
        }
        layers
    }

    /// Sets a value, unless a higher source did.
    pub(crate) fn set(&mut self, name: &'static str, source: Source, values: Vec<String>) {
        set_in(&mut self.values, name, source, values);
    }

    /// Sets a value of an identity provider. The first makes it known, with its defaults.
    fn set_provider(&mut self, provider: String, key: &'static Key, source: Source, values: Vec<String>) {
        let of_provider = self.providers.entry(provider).or_insert_with(|| {
            let default = |key: &'static Key| (key.name, (Source::Default, split(key, key.default)));
            PROVIDER_KEYS.iter().map(default).collect()
        });
        set_in(of_provider, key.name, source, values);
    }

    /// The settings of identity providers, by the provider's name.
    pub(super) fn providers(&self) -> &BTreeMap<String, Values> {
        &self.providers
    }

    /// Adds the settings of a file's text.
    pub fn add_file(&mut self, path: PathBuf, text: &str) -> Result<(), ConfigError> {
        let syntax = |message: String| ConfigError::Syntax { path: path.clone(), message };
        let table = text.parse::<toml::Table>().map_err(|error| syntax(error.to_string()))?;
        for (name, value) in table {
            match value {
                toml::Value::Table(inner) if name == providers::TABLE => self.add_providers(inner)?,
                toml::Value::Table(inner) => {
                    for (key, value) in inner {
                        self.add_value(format!("{name}.{key}"), value)?;
                    }
                }
                value => self.add_value(name, value)?,
            }
        }
        Ok(())
    }

    fn add_providers(&mut self, table: toml::Table) -> Result<(), ConfigError> {
        let unknown = |name: String| ConfigError::Unknown { place: "the configuration file", name };
        for (provider, settings) in table {
            let named = format!("{}.{provider}", providers::TABLE);
            let toml::Value::Table(settings) = settings else { return Err(unknown(named)) };
            if !providers::is_name(&provider) {
                return Err(unknown(named));
            }
            for (name, value) in settings {
                let key = PROVIDER_KEYS.iter().find(|key| key.name == name);
                let name = format!("{named}.{name}");
                let Some(key) = key else { return Err(unknown(name)) };
                let values = texts(value).ok_or_else(|| ConfigError::Provider {
                    name,
                    from: Source::File,
                    reason: EXPECTED.into(),
                })?;
                self.set_provider(provider.clone(), key, Source::File, values);
            }
        }
        Ok(())
    }

    fn add_value(&mut self, name: String, value: toml::Value) -> Result<(), ConfigError> {
        let place = "the configuration file";
        let Some(key) = by_name(&name) else { return Err(ConfigError::Unknown { place, name }) };
        let invalid =
            |reason: &str| ConfigError::Invalid { name: key.name, from: Source::File, reason: reason.into() };
        self.set(key.name, Source::File, texts(value).ok_or_else(|| invalid(EXPECTED))?);
        Ok(())
    }

    /// Adds the `TARN_*` variables among `variables`.
    pub fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        for (name, value) in variables.filter(|(name, _)| name.starts_with("TARN_")) {
            if let Some(key) = KEYS.iter().find(|key| key.variable == name) {
                self.set(key.name, Source::Environment, split(key, &value));
            } else if let Some((provider, key)) =
                name.strip_prefix(providers::PREFIX).and_then(providers::of_variable)
            {
                self.set_provider(provider, key, Source::Environment, split(key, &value));
            } else if !OTHER_VARIABLES.contains(&name.as_str())
                && !OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            {
                return Err(ConfigError::Unknown { place: "the environment", name });
            }
        }
        Ok(())
    }

    /// Adds what the command line set.
    pub fn add_flags(&mut self, flags: impl IntoIterator<Item = (&'static str, Vec<String>)>) {
        for (name, values) in flags {
            self.set(name, Source::Flag, values);
        }
    }

    /// The values of a setting and where they came from.
    pub(crate) fn list(&self, name: &str) -> (Source, &[String]) {
        self.values.get(name).map_or((Source::Default, &[]), |(source, values)| (*source, values))
    }

    /// The value of a setting read by `read`; `None` when it is empty.
    pub(crate) fn one<T, E: fmt::Display>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ConfigError> {
        let (from, values) = self.list(name);
        let invalid = |reason: String| ConfigError::Invalid { name, from, reason };
        match values {
            [] => Ok(None),
            [value] => read(value).map(Some).map_err(|error| invalid(error.to_string())),
            _ => Err(invalid("one value is expected, not a list".into())),
        }
    }
}

/// What the file may hold.
const EXPECTED: &str = "a text, number, boolean or list of those";

/// Sets a value, unless a higher source did.
fn set_in(all: &mut Values, name: &'static str, source: Source, values: Vec<String>) {
    match all.get(name) {
        Some((present, _)) if *present > source => {}
        Some(_) | None => {
            all.insert(name, (source, values));
        }
    }
}

/// A list, or one value; an empty text is none.
fn texts(value: toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::Array(values) => values.into_iter().map(scalar).collect(),
        value => scalar(value).map(|text| if text.is_empty() { Vec::new() } else { vec![text] }),
    }
}

/// A comma separates the values of a list; in any other value it is text.
fn split(key: &Key, text: &str) -> Vec<String> {
    let separator = |character| key.is_list() && character == ',';
    text.split(separator).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn scalar(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::{DRIVES, LISTEN, LOG_FILTER, REGION, ROOT_ACCESS_KEY};
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn flags_beat_the_environment_beats_the_file_beats_defaults() {
        let mut layers = Layers::defaults();
        layers.add_flags([(LISTEN, vec!["f".into()])]);
        layers
            .add_environment(variables(&[("TARN_LISTEN", "e"), ("TARN_REGION", "e"), ("PATH", "x")]))
            .unwrap();
        let file = "listen = 't'\nregion = 't'\ndrives = ['/a', '/b']\n[root]\naccess_key = 'k'";
        layers.add_file("tarn.toml".into(), file).unwrap();
        assert_eq!(layers.list(LISTEN), (Source::Flag, &["f".to_owned()][..]));
        assert_eq!(layers.list(REGION).0, Source::Environment);
        assert_eq!(layers.list(DRIVES), (Source::File, &["/a".to_owned(), "/b".to_owned()][..]));
        assert_eq!(layers.list(ROOT_ACCESS_KEY).0, Source::File);
        assert_eq!(layers.list(LOG_FILTER).0, Source::Default);
    }

    #[test]
    fn a_setting_that_does_not_exist_is_an_error_and_is_named() {
        let unknown = |error: ConfigError| match error {
            ConfigError::Unknown { name, .. } => name,
            other => panic!("{other}"),
        };
        let mut layers = Layers::defaults();
        assert_eq!(unknown(layers.add_file("t".into(), "[log]\nformt = 'x'").unwrap_err()), "log.formt");
        let typo = layers.add_environment(variables(&[("TARN_PARTIY", "1")])).unwrap_err();
        assert_eq!(unknown(typo), "TARN_PARTIY");
        layers.add_environment(variables(&[("TARN_ENDPOINT", "http://x"), ("TARN_TEST_SEED", "1")])).unwrap();
    }

    #[test]
    fn a_comma_separates_only_in_lists() {
        let mut layers = Layers::defaults();
        layers
            .add_environment(variables(&[("TARN_DRIVES", "/a, /b"), ("TARN_LOG", "info,hyper=warn")]))
            .unwrap();
        assert_eq!(layers.list(DRIVES).1, ["/a", "/b"]);
        assert_eq!(layers.list(LOG_FILTER).1, ["info,hyper=warn"]);
    }

    #[test]
    fn every_setting_has_its_own_name_and_variable() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..at].iter().all(|other| other.name != key.name && other.variable != key.variable));
        }
    }
}
