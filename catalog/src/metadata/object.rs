//! Reading and writing JSON objects whose unknown fields are kept.
//!
//! A reader takes the fields it knows out of the object; what remains is kept as [`Extra`] and
//! written back after the known fields. `null` reads as absent.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Fields that this version of Tarn does not know, kept as they came.
pub type Extra = Map<String, Value>;

/// Why a document is not valid table metadata, a valid update or a valid requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidMetadata {
    message: String,
}

impl InvalidMetadata {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// A JSON object being read. `what` names it in errors.
pub(crate) struct ObjectReader {
    what: &'static str,
    map: Map<String, Value>,
}

impl ObjectReader {
    pub(crate) fn new(what: &'static str, value: Value) -> Result<Self, InvalidMetadata> {
        match value {
            Value::Object(map) => Ok(Self { what, map }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(InvalidMetadata::new(format!("{what} is not a JSON object")))
            }
        }
    }

    fn invalid(&self, key: &str, expected: &str) -> InvalidMetadata {
        InvalidMetadata::new(format!("{}: field '{key}' is not {expected}", self.what))
    }

    fn missing(&self, key: &str) -> InvalidMetadata {
        InvalidMetadata::new(format!("{}: field '{key}' is missing", self.what))
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key).filter(|value| !value.is_null())
    }

    pub(crate) fn required(&mut self, key: &str) -> Result<Value, InvalidMetadata> {
        self.take(key).ok_or_else(|| self.missing(key))
    }

    pub(crate) fn string_opt(&mut self, key: &str) -> Result<Option<String>, InvalidMetadata> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.invalid(key, "a string")),
        }
    }

    pub(crate) fn string(&mut self, key: &str) -> Result<String, InvalidMetadata> {
        self.string_opt(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn i64_opt(&mut self, key: &str) -> Result<Option<i64>, InvalidMetadata> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.invalid(key, "a 64-bit integer")),
        }
    }

    pub(crate) fn i64(&mut self, key: &str) -> Result<i64, InvalidMetadata> {
        self.i64_opt(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn i32_opt(&mut self, key: &str) -> Result<Option<i32>, InvalidMetadata> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => as_i32(&value).map(Some).ok_or_else(|| self.invalid(key, "a 32-bit integer")),
        }
    }

    pub(crate) fn i32(&mut self, key: &str) -> Result<i32, InvalidMetadata> {
        self.i32_opt(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn bool_opt(&mut self, key: &str) -> Result<Option<bool>, InvalidMetadata> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.invalid(key, "true or false")),
        }
    }

    pub(crate) fn bool(&mut self, key: &str) -> Result<bool, InvalidMetadata> {
        self.bool_opt(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn array_opt(&mut self, key: &str) -> Result<Option<Vec<Value>>, InvalidMetadata> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(self.invalid(key, "an array")),
        }
    }

    pub(crate) fn array(&mut self, key: &str) -> Result<Vec<Value>, InvalidMetadata> {
        self.array_opt(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn i32s_opt(&mut self, key: &str) -> Result<Option<Vec<i32>>, InvalidMetadata> {
        let Some(items) = self.array_opt(key)? else { return Ok(None) };
        let ids: Option<Vec<i32>> = items.iter().map(as_i32).collect();
        ids.map(Some).ok_or_else(|| self.invalid(key, "an array of 32-bit integers"))
    }

    pub(crate) fn i64s(&mut self, key: &str) -> Result<Vec<i64>, InvalidMetadata> {
        let items = self.array(key)?;
        let ids: Option<Vec<i64>> = items.iter().map(Value::as_i64).collect();
        ids.ok_or_else(|| self.invalid(key, "an array of 64-bit integers"))
    }

    pub(crate) fn strings_opt(&mut self, key: &str) -> Result<Option<Vec<String>>, InvalidMetadata> {
        let Some(items) = self.array_opt(key)? else { return Ok(None) };
        let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        texts.map(Some).ok_or_else(|| self.invalid(key, "an array of strings"))
    }

    pub(crate) fn strings(&mut self, key: &str) -> Result<Vec<String>, InvalidMetadata> {
        self.strings_opt(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn string_map(&mut self, key: &str) -> Result<BTreeMap<String, String>, InvalidMetadata> {
        self.string_map_opt(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn string_map_opt(
        &mut self,
        key: &str,
    ) -> Result<Option<BTreeMap<String, String>>, InvalidMetadata> {
        let Some(value) = self.take(key) else { return Ok(None) };
        string_map(value).map(Some).ok_or_else(|| self.invalid(key, "an object of strings"))
    }

    /// What was not taken.
    pub(crate) fn rest(self) -> Extra {
        self.map
    }
}

pub(crate) fn string_map(value: Value) -> Option<BTreeMap<String, String>> {
    let Value::Object(map) = value else { return None };
    map.into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => Some((key, text)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        })
        .collect()
}

fn as_i32(value: &Value) -> Option<i32> {
    value.as_i64().and_then(|number| i32::try_from(number).ok())
}

/// A JSON object being written to `out`.
pub(crate) struct ObjectWriter<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> ObjectWriter<'a> {
    pub(crate) fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Starts the field `key`; the caller writes its value.
    pub(crate) fn key(&mut self, key: &str) -> &mut String {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        write_string(self.out, key);
        self.out.push(':');
        self.out
    }

    pub(crate) fn string(&mut self, key: &str, text: &str) {
        write_string(self.key(key), text);
    }

    pub(crate) fn number(&mut self, key: &str, number: i64) {
        write_number(self.key(key), number);
    }

    pub(crate) fn number_opt(&mut self, key: &str, number: Option<i64>) {
        if let Some(number) = number {
            self.number(key, number);
        }
    }

    pub(crate) fn bool(&mut self, key: &str, flag: bool) {
        self.key(key).push_str(if flag { "true" } else { "false" });
    }

    pub(crate) fn value(&mut self, key: &str, value: &Value) {
        write_value(self.key(key), value);
    }

    pub(crate) fn raw(&mut self, key: &str, json: &str) {
        self.key(key).push_str(json);
    }

    pub(crate) fn i32s(&mut self, key: &str, numbers: impl IntoIterator<Item = i32>) {
        write_array(self.key(key), numbers, |out, number| write_number(out, i64::from(number)));
    }

    pub(crate) fn string_map(&mut self, key: &str, map: &BTreeMap<String, String>) {
        let mut object = ObjectWriter::begin(self.key(key));
        for (key, text) in map {
            object.string(key, text);
        }
        object.end();
    }

    pub(crate) fn extra(&mut self, extra: &Extra) {
        for (key, value) in extra {
            self.value(key, value);
        }
    }

    pub(crate) fn end(self) {
        self.out.push('}');
    }
}

/// Writes `items` as a JSON array, each with `write`.
pub(crate) fn write_array<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

pub(crate) fn write_number(out: &mut String, number: i64) {
    use std::fmt::Write as _;
    // Writing to a string does not fail.
    let _ = write!(out, "{number}");
}

pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain_from = 0;
    for (position, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain_from..position]);
        plain_from = position + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => {
                use std::fmt::Write as _;
                let _ = write!(out, "\\u{other:04x}");
            }
        }
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}

pub(crate) fn write_value(out: &mut String, value: &Value) {
    use std::fmt::Write as _;
    let _ = write!(out, "{value}");
}
