//! What changed from one run of an inventory to another, by their manifests and files.
//!
//! Rows lie in the order of the bytes of their keys, in files in the order of the manifest: two runs are merged, and one
//! row of each is held at a time.

mod rows;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use self::rows::Rows;

/// Keys that are told of each kind of change.
const KEYS_MAX: usize = 100;

/// A report, as its manifest tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    file_format: String,
    file_schema: String,
    files: Vec<DataFile>,
    minio_extension: Option<serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct DataFile {
    key: String,
}

/// What changed.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Rows of the first run.
    pub from_rows: u64,
    /// Rows of the second.
    pub to_rows: u64,
    /// Keys that only the second has.
    pub added: Keys,
    /// Keys that only the first has.
    pub removed: Keys,
    /// Keys of which the two tell something else.
    pub changed: Keys,
}

/// Keys, of which only the first are told.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub keys: Vec<String>,
}

/// Why two runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A manifest is none.
    #[error("the manifest cannot be read")]
    Manifest(#[from] serde_json::Error),
    /// The definition changed between them.
    #[error("the runs have different columns or formats; SQL can compare what they have in common")]
    Unlike,
    /// What it says it is made of is not known.
    #[error("files of format {0} cannot be compared")]
    Format(String),
    /// A file cannot be had.
    #[error("{key} cannot be read")]
    File {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Keys are not in order, or there twice.
    #[error("{key} is not in order: {row:?}")]
    Order {
        /// The file.
        key: String,
        /// The object's key.
        row: String,
    },
}

impl Report {
    /// Reads a manifest.
    pub fn read(manifest: &[u8]) -> Result<Self, CompareError> {
        Ok(serde_json::from_slice(manifest)?)
    }

    /// Whether a file is one of its files.
    pub fn has(&self, key: &str) -> bool {
        self.files.iter().any(|file| file.key == key)
    }
}

impl Keys {
    fn add(&mut self, key: String) {
        self.count += 1;
        if self.keys.len() < KEYS_MAX {
            self.keys.push(key);
        }
    }
}

/// Compares two reports of one inventory. `open` gives the file of a key, whole.
pub fn compare(
    from: &Report,
    to: &Report,
    mut open: impl FnMut(&str) -> io::Result<File>,
) -> Result<Difference, CompareError> {
    if (&from.file_format, &from.file_schema) != (&to.file_format, &to.file_schema)
        || from.minio_extension.is_some() != to.minio_extension.is_some()
    {
        return Err(CompareError::Unlike);
    }
    let (mut before, mut after) = (Rows::new(from)?, Rows::new(to)?);
    let (mut old, mut new) = (before.next(&mut open)?, after.next(&mut open)?);
    let mut difference = Difference::default();
    loop {
        let order = match (&old, &new) {
            (None, None) => return Ok(difference),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.key.cmp(&new.key),
        };
        let (left, right) = match order {
            Ordering::Less => (old.take(), None),
            Ordering::Greater => (None, new.take()),
            Ordering::Equal => (old.take(), new.take()),
        };
        if left.is_some() {
            difference.from_rows += 1;
            old = before.next(&mut open)?;
        }
        if right.is_some() {
            difference.to_rows += 1;
            new = after.next(&mut open)?;
        }
        match (left, right) {
            (Some(gone), None) => difference.removed.add(gone.key),
            (None, Some(made)) => difference.added.add(made.key),
            (Some(was), Some(is)) if was.cells != is.cells => difference.changed.add(is.key),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
}
