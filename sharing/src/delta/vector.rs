//! Where the deletion vectors of actions lie (Delta protocol, "Deletion Vectors").

use std::collections::{BTreeSet, HashMap};

use delta_kernel::actions::deletion_vector::{DeletionVectorDescriptor, DeletionVectorStorageType};
use futures::{StreamExt as _, TryStreamExt as _};
use url::Url;

use super::bench::Bench;
use super::engine::TABLE;
use super::file::size_of_object;
use super::inline::Inline;
use crate::table::{Deletes, Place, TableError};
use crate::vectors::Placed;

/// Bytes of a vector's length and checksum.
const FRAME_BYTES: u64 = 8;
/// Sizes of files with vectors that are asked for at once.
const HEADS_AT_ONCE: usize = 16;

/// A deletion vector descriptor, as an action has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vector<'a> {
    pub(super) storage_type: &'a str,
    pub(super) path_or_inline_dv: &'a str,
    pub(super) offset: Option<i32>,
    pub(super) size_in_bytes: i32,
    pub(super) cardinality: i64,
}

/// Where a vector lies.
pub(super) enum Located {
    /// In a file of the table.
    Stored { key: String, offset: u32, size: u32, cardinality: u64 },
    /// In a file that was made of it.
    Packed(Placed),
    /// It deletes no row.
    Nowhere,
}

/// Finds vectors, and knows how large the files are that they lie in.
pub(super) struct Locator<'a> {
    bench: &'a Bench,
    inline: Inline<'a>,
    file_sizes: HashMap<String, u64>,
}

impl<'a> Locator<'a> {
    pub(super) fn new(bench: &'a Bench) -> Self {
        Self { bench, inline: Inline::new(bench), file_sizes: HashMap::new() }
    }

    /// Where each of `vectors` lies.
    pub(super) fn locate(
        &mut self,
        vectors: &[Option<Vector<'_>>],
    ) -> Result<Vec<Option<Located>>, TableError> {
        let descriptors = vectors.iter().map(|vector| vector.as_ref().map(descriptor).transpose());
        let descriptors: Vec<Option<DeletionVectorDescriptor>> = descriptors.collect::<Result<_, _>>()?;
        let in_log = descriptors.iter().flatten().filter(|descriptor| is_inline(descriptor));
        let mut packed = self.inline.pack(in_log)?.into_iter();
        let located = descriptors.iter().map(|descriptor| match descriptor {
            None => Ok(None),
            Some(inline) if is_inline(inline) => {
                let packed = packed.next().expect("one for each");
                Ok(Some(packed.map_or(Located::Nowhere, Located::Packed)))
            }
            Some(stored) => self.stored(stored).map(Some),
        });
        let located: Vec<Option<Located>> = located.collect::<Result<_, _>>()?;
        self.measure(&located)?;
        Ok(located)
    }

    /// What a data file is told with.
    pub(super) fn deletes<'b>(&'b self, located: &'b Located) -> Result<Option<Deletes<'b>>, TableError> {
        let (key, offset, size, cardinality) = match located {
            Located::Nowhere => return Ok(None),
            Located::Packed(placed) => return Ok(Some(placed.deletes())),
            Located::Stored { key, offset, size, cardinality } => (key, *offset, *size, *cardinality),
        };
        let file_size = *self.file_sizes.get(key).expect("all were measured");
        let end = u64::from(offset) + u64::from(size) + FRAME_BYTES;
        if offset == 0 || end > file_size {
            return Err(TableError::Invalid("a deletion vector lies outside its file".into()));
        }
        let at = Place { bucket: self.bench.root.bucket(), key };
        Ok(Some(Deletes { at, file_size, offset, size, cardinality }))
    }

    fn stored(&self, descriptor: &DeletionVectorDescriptor) -> Result<Located, TableError> {
        let table = Url::parse(TABLE).expect("a constant");
        let url = descriptor.absolute_path(&table).map_err(wrong)?.ok_or(TableError::Outside)?;
        let key = match url.as_str().strip_prefix(TABLE) {
            Some(relative) => self.bench.root.key_of(relative)?,
            None => self.bench.root.key_of_url(&url)?,
        };
        let below_zero = |_| TableError::Invalid("a number of a deletion vector is below zero".into());
        Ok(Located::Stored {
            key,
            // Byte 0 is the file's version: no vector can begin before byte 1.
            offset: descriptor.offset.unwrap_or(1).try_into().map_err(below_zero)?,
            size: descriptor.size_in_bytes.try_into().map_err(below_zero)?,
            cardinality: descriptor.cardinality.try_into().map_err(below_zero)?,
        })
    }

    /// Learns the sizes of files with vectors.
    fn measure(&mut self, located: &[Option<Located>]) -> Result<(), TableError> {
        let named = located.iter().flatten().filter_map(|located| match located {
            Located::Stored { key, .. } => Some(key.as_str()),
            Located::Packed(_) | Located::Nowhere => None,
        });
        let unknown: BTreeSet<&str> = named.filter(|key| !self.file_sizes.contains_key(*key)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let bench = self.bench;
        let heads = futures::stream::iter(unknown.into_iter().map(|key| async move {
            Ok::<_, TableError>((key.to_owned(), size_of_object(bench, key).await?))
        }));
        let sizes: Vec<(String, u64)> = bench.wait(heads.buffer_unordered(HEADS_AT_ONCE).try_collect())?;
        self.file_sizes.extend(sizes);
        Ok(())
    }
}

fn is_inline(descriptor: &DeletionVectorDescriptor) -> bool {
    descriptor.storage_type == DeletionVectorStorageType::Inline
}

fn descriptor(vector: &Vector<'_>) -> Result<DeletionVectorDescriptor, TableError> {
    let Vector { storage_type, path_or_inline_dv, offset, size_in_bytes, cardinality } = *vector;
    let storage: DeletionVectorStorageType = storage_type.parse().map_err(wrong)?;
    DeletionVectorDescriptor::try_new(storage, path_or_inline_dv, offset, size_in_bytes, cardinality)
        .map_err(wrong)
}

fn wrong(error: delta_kernel::Error) -> TableError {
    TableError::Invalid(error.to_string())
}
