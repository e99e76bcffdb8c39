//! A file action as a [`DataFile`], checked.

use std::collections::{BTreeSet, HashMap};

use delta_kernel::actions::deletion_vector::{DeletionVectorDescriptor, DeletionVectorStorageType};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _};
use serde::Deserialize;
use url::Url;

use super::bench::Bench;
use super::engine::TABLE;
use crate::table::{DataFile, Deletes, ListBuilder, Place, TableError};

/// Bytes of a vector's length and checksum.
const FRAME_BYTES: u64 = 8;
/// Sizes of files with vectors that are asked for at once.
const HEADS_AT_ONCE: usize = 16;

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

/// A deletion vector descriptor.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Vector<'a> {
    pub(super) storage_type: &'a str,
    pub(super) path_or_inline_dv: &'a str,
    #[serde(default)]
    pub(super) offset: Option<i32>,
    pub(super) size_in_bytes: i32,
    pub(super) cardinality: i64,
}

/// Where a vector lies.
struct Located {
    key: String,
    offset: u32,
    size: u32,
    cardinality: u64,
}

/// Makes files of actions, and knows how large files with vectors are.
pub(super) struct Files<'a> {
    bench: &'a Bench,
    partition_names: &'a [String],
    vector_files: HashMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    #[serde(default)]
    num_records: Option<u64>,
}

impl<'a> Files<'a> {
    pub(super) fn new(bench: &'a Bench, partition_names: &'a [String]) -> Self {
        Self { bench, partition_names, vector_files: HashMap::new() }
    }

    /// Adds the files of `actions` to `list`.
    pub(super) fn push(&mut self, actions: &[Action<'_>], list: &mut ListBuilder) -> Result<(), TableError> {
        let located =
            actions.iter().map(|action| action.vector.as_ref().map(|vector| self.locate(vector)).transpose());
        let located: Vec<Option<Located>> = located.collect::<Result<_, _>>()?;
        self.measure(&located)?;
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
        let deletes = located.map(|located| self.deletes(located)).transpose()?;
        list.push(&DataFile {
            at: Place { bucket: root.bucket(), key: &key },
            size,
            modified_ms: action.modified_ms,
            partition_values: values.collect(),
            // What is no JSON tells nothing, and would trouble those it is passed on to.
            stats: action.stats.filter(|_| counted.is_some()),
            records: counted.and_then(|counted| counted.num_records),
            hidden: Vec::new(),
            deletes,
        });
        Ok(())
    }

    fn deletes<'b>(&'b self, located: &'b Located) -> Result<Deletes<'b>, TableError> {
        let file_size = *self.vector_files.get(&located.key).expect("all were measured");
        let end = u64::from(located.offset) + u64::from(located.size) + FRAME_BYTES;
        if located.offset == 0 || end > file_size {
            return Err(invalid("a deletion vector lies outside its file"));
        }
        let at = Place { bucket: self.bench.root.bucket(), key: &located.key };
        let Located { offset, size, cardinality, .. } = *located;
        Ok(Deletes { at, file_size, offset, size, cardinality })
    }

    fn locate(&self, vector: &Vector<'_>) -> Result<Located, TableError> {
        let wrong = |error: delta_kernel::Error| TableError::Invalid(error.to_string());
        let storage: DeletionVectorStorageType = vector.storage_type.parse().map_err(wrong)?;
        if storage == DeletionVectorStorageType::Inline {
            let what =
                "the table has deletion vectors inside its log, which readers of shares cannot be given";
            return Err(TableError::Unsupported(what.into()));
        }
        let Vector { path_or_inline_dv, offset, size_in_bytes, cardinality, .. } = *vector;
        let checked =
            DeletionVectorDescriptor::try_new(storage, path_or_inline_dv, offset, size_in_bytes, cardinality);
        let descriptor = checked.map_err(wrong)?;
        let url = descriptor.absolute_path(&table_url()).map_err(wrong)?.ok_or(TableError::Outside)?;
        let key = match url.as_str().strip_prefix(TABLE) {
            Some(relative) => self.bench.root.key_of(relative)?,
            None => self.bench.root.key_of_url(&url)?,
        };
        let below_zero = |_| invalid("a number of a deletion vector is below zero");
        Ok(Located {
            key,
            // Byte 0 is the file's version: no vector can begin before byte 1.
            offset: offset.unwrap_or(1).try_into().map_err(below_zero)?,
            size: size_in_bytes.try_into().map_err(below_zero)?,
            cardinality: cardinality.try_into().map_err(below_zero)?,
        })
    }

    /// Learns the sizes of files with vectors.
    fn measure(&mut self, located: &[Option<Located>]) -> Result<(), TableError> {
        let named = located.iter().flatten().map(|located| located.key.as_str());
        let unknown: BTreeSet<&str> = named.filter(|key| !self.vector_files.contains_key(*key)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let bench = self.bench;
        let heads = futures::stream::iter(unknown.into_iter().map(|key| async move {
            Ok::<_, TableError>((key.to_owned(), size_of_object(bench, key).await?))
        }));
        let sizes: Vec<(String, u64)> = bench.wait(heads.buffer_unordered(HEADS_AT_ONCE).try_collect())?;
        self.vector_files.extend(sizes);
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

fn table_url() -> Url {
    Url::parse(TABLE).expect("a constant")
}

fn invalid(what: &str) -> TableError {
    TableError::Invalid(what.into())
}
