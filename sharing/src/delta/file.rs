//! A file action as a [`DataFile`], checked.

use std::collections::HashMap;

use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _};
use serde::Deserialize;

use super::bench::Bench;
use super::vector::{Located, Locator, Vector};
use crate::table::{DataFile, ListBuilder, Place, TableError};

/// An `add`, `remove` or `cdc` action.
pub(super) struct Action<'a> {
    pub(super) path: &'a str,
    pub(super) size: i64,
    pub(super) modified_ms: i64,
    /// By physical names; `None` is null.
    pub(super) partition_values: HashMap<&'a str, Option<&'a str>>,
    pub(super) stats: Option<&'a str>,
    pub(super) vector: Option<Vector<'a>>,
}

/// Makes files of actions.
pub(super) struct Files<'a> {
    bench: &'a Bench,
    partition_names: &'a [String],
    locator: Locator<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    #[serde(default)]
    num_records: Option<u64>,
}

impl<'a> Files<'a> {
    pub(super) fn new(bench: &'a Bench, partition_names: &'a [String]) -> Self {
        Self { bench, partition_names, locator: Locator::new(bench) }
    }

    /// Adds the files of `actions` to `list`.
    pub(super) fn push(&mut self, actions: &[Action<'_>], list: &mut ListBuilder) -> Result<(), TableError> {
        let vectors: Vec<Option<Vector<'_>>> = actions.iter().map(|action| action.vector).collect();
        let located = self.locator.locate(&vectors)?;
        for (action, located) in actions.iter().zip(&located) {
            self.push_one(action, located.as_ref(), list)?;
        }
        Ok(())
    }

    fn push_one(
        &self,
        action: &Action<'_>,
        located: Option<&Located>,
        list: &mut ListBuilder,
    ) -> Result<(), TableError> {
        let root = &self.bench.root;
        let key = root.key_of(action.path)?;
        let size = u64::try_from(action.size).map_err(|_| invalid("the size of a file is below zero"))?;
        let counted = action.stats.and_then(|stats| serde_json::from_str::<Counted>(stats).ok());
        let values = self.partition_names.iter().map(|name| {
            // The empty text is null too (Delta protocol, "Partition Value Serialization").
            let value = action.partition_values.get(name.as_str()).copied().flatten();
            (name.as_str(), value.filter(|value| !value.is_empty()))
        });
        list.push(&DataFile {
            at: Place { bucket: root.bucket(), key: &key },
            size,
            modified_ms: action.modified_ms,
            partition_values: values.collect(),
            // What is no JSON tells nothing, and would trouble those it is passed on to.
            stats: action.stats.filter(|_| counted.is_some()),
            records: counted.and_then(|counted| counted.num_records),
            hidden: Vec::new(),
            deletes: located.map(|located| self.locator.deletes(located)).transpose()?.flatten(),
        });
        Ok(())
    }
}

/// The size of an object of the table in bytes.
pub(super) async fn size_of_object(bench: &Bench, key: &str) -> Result<u64, TableError> {
    let within = Path::parse(&key[bench.root.prefix().len()..]).map_err(|_| TableError::Outside)?;
    match bench.store.head(&within).await {
        Ok(meta) => Ok(meta.size),
        Err(Error::NotFound { .. }) => Err(invalid("a file that its log names is not there")),
        Err(error) => Err(TableError::Store(Box::new(error))),
    }
}

fn invalid(what: &str) -> TableError {
    TableError::Invalid(what.into())
}
