//! Manifests and manifest lists, as far as reachability goes: which files they name.
//!
//! Read as plain Avro by field name, so tables with types that nothing here knows are read too.

use std::io::Cursor;

use apache_avro::Reader;
use apache_avro::types::Value;
use bytes::Bytes;

/// The file is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(String);

/// Whether a file holds rows or deletes of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Data,
    Deletes,
}

/// The manifests that a manifest list names.
pub(crate) fn manifests(list: &Bytes) -> Result<Vec<String>, Malformed> {
    let mut found = Vec::new();
    for record in records(list)? {
        let record = record?;
        found.push(text(field(&record, "manifest_path")?)?.to_owned());
    }
    Ok(found)
}

/// The files that are live in a manifest: added by it or taken over. Those it tells as deleted are not.
pub(crate) fn live_files(manifest: &Bytes) -> Result<Vec<(Content, String)>, Malformed> {
    const DELETED: i32 = 2;
    let mut found = Vec::new();
    for record in records(manifest)? {
        let record = record?;
        match field(&record, "status")? {
            Value::Int(DELETED) => continue,
            Value::Int(0 | 1) => {}
            other => return Err(Malformed(format!("an entry has the status {other:?}"))),
        }
        let Value::Record(file) = field(&record, "data_file")? else {
            return Err(Malformed("an entry has no data_file".into()));
        };
        // V1 manifests do not say: they hold data only.
        let content = match lookup(file, "content") {
            None | Some(Value::Int(0)) => Content::Data,
            Some(_) => Content::Deletes,
        };
        let path = lookup(file, "file_path").ok_or_else(|| Malformed("an entry has no file_path".into()))?;
        found.push((content, text(path)?.to_owned()));
    }
    Ok(found)
}

type Record = Vec<(String, Value)>;

fn records(file: &Bytes) -> Result<impl Iterator<Item = Result<Record, Malformed>> + '_, Malformed> {
    let failed = |error: apache_avro::Error| Malformed(error.to_string());
    let reader = Reader::new(Cursor::new(&file[..])).map_err(failed)?;
    Ok(reader.map(move |value| match value.map_err(failed)? {
        Value::Record(record) => Ok(record),
        other => Err(Malformed(format!("a record was expected, not {other:?}"))),
    }))
}

fn lookup<'a>(record: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    let (_, value) = record.iter().find(|(found, _)| found == name)?;
    match value {
        Value::Union(_, inner) => Some(inner),
        plain => Some(plain),
    }
}

fn field<'a>(record: &'a [(String, Value)], name: &str) -> Result<&'a Value, Malformed> {
    lookup(record, name).ok_or_else(|| Malformed(format!("a record has no {name}")))
}

fn text(value: &Value) -> Result<&str, Malformed> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(Malformed(format!("a text was expected, not {other:?}"))),
    }
}
