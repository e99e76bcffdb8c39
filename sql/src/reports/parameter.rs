//! Parameters of reports: checked, then bound (P1).

use std::collections::BTreeMap;

use serde::Serialize;

/// What may be chosen of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it chooses.
    pub description: &'static str,
    /// Which values it takes, and the one it has where none is given.
    pub kind: Kind,
}

/// Which values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text up to [`TEXT_BYTES_MAX`]; none is empty.
    Text,
    /// A whole number.
    Integer {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
        /// Where none is given.
        default: i64,
    },
}

/// The longest text, in bytes: that of an object's key.
pub const TEXT_BYTES_MAX: usize = 1024;

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
}

/// The values of all parameters of a report.
pub type Bound = BTreeMap<&'static str, Value>;

/// A parameter that a report does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There is none of this name.
    #[error("the report has no parameter {name:?}; it takes {allowed}")]
    Unknown {
        /// The name.
        name: String,
        /// Those it has.
        allowed: String,
    },
    /// It is given more than once.
    #[error("the parameter {0} is given more than once")]
    Repeated(&'static str),
    /// It is no whole number between the bounds.
    #[error("the parameter {name} is a whole number from {least} to {most}, not {found:?}")]
    Integer {
        /// Its name.
        name: &'static str,
        /// The least.
        least: i64,
        /// The most.
        most: i64,
        /// What was given.
        found: String,
    },
    /// It is too long.
    #[error("the parameter {name} is a text of at most {TEXT_BYTES_MAX} bytes")]
    Long {
        /// Its name.
        name: &'static str,
    },
}

impl Kind {
    /// The value where none is given.
    pub fn default(self) -> Value {
        match self {
            Self::Text => Value::Text(String::new()),
            Self::Integer { default, .. } => Value::Integer(default),
        }
    }
}

impl super::Report {
    /// The values of all its parameters: those given, checked, and the others' defaults.
    pub fn bind<'a>(
        &self,
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Bound, ParameterError> {
        let mut bound = Bound::new();
        for (name, value) in given {
            let parameter = self.parameters.iter().find(|parameter| parameter.name == name);
            let parameter = parameter.ok_or_else(|| self.unknown(name))?;
            if bound.insert(parameter.name, parameter.value(value)?).is_some() {
                return Err(ParameterError::Repeated(parameter.name));
            }
        }
        for parameter in self.parameters {
            bound.entry(parameter.name).or_insert_with(|| parameter.kind.default());
        }
        Ok(bound)
    }

    fn unknown(&self, name: &str) -> ParameterError {
        let names: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name).collect();
        let allowed = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        ParameterError::Unknown { name: name.chars().take(64).collect(), allowed }
    }
}

impl Parameter {
    fn value(&self, given: &str) -> Result<Value, ParameterError> {
        let name = self.name;
        match self.kind {
            Kind::Text if given.len() > TEXT_BYTES_MAX => Err(ParameterError::Long { name }),
            Kind::Text => Ok(Value::Text(given.to_owned())),
            Kind::Integer { least, most, default: _ } => {
                let found = || given.chars().take(64).collect();
                let number = given.parse::<i64>().ok().filter(|number| (least..=most).contains(number));
                number.map(Value::Integer).ok_or_else(|| ParameterError::Integer {
                    name,
                    least,
                    most,
                    found: found(),
                })
            }
        }
    }
}
