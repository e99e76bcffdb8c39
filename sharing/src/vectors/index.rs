//! What applies to a data file, by kind.

use tarn_catalog::manifests::{Content, ContentFile, DeleteFile, DeleteIndex, PartitionKey};

use crate::table::{Place, TableError};

/// A data file, as far as deletes need it.
#[derive(Debug, Clone, Copy)]
pub struct DataRef<'a> {
    /// Its location, as its manifest has it.
    pub location: &'a str,
    /// Where it lies.
    pub at: Place<'a>,
    /// Its size in bytes.
    pub size: u64,
    /// Its rows, deleted ones included.
    pub records: u64,
    /// Its partition.
    pub partition: &'a PartitionKey,
    /// Its data sequence number.
    pub sequence_number: i64,
}

/// How a delete file tells rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Vector,
    Positions,
    Equality,
}

/// What applies to a data file: delete files by their number in the index, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Applied {
    /// A deletion vector; then there are no position deletes.
    pub(super) vector: Option<u32>,
    pub(super) positions: Vec<u32>,
    pub(super) equality: Vec<u32>,
}

impl Applied {
    pub(super) fn new(index: &DeleteIndex, data: &DataRef<'_>) -> Result<Self, TableError> {
        let mut applied = Self::default();
        let mut all = index.of(data.location, data.partition, data.sequence_number);
        all.sort_unstable();
        for at in all {
            match kind(index.file(at)) {
                Kind::Vector => {
                    // One that says of no file that it is for it would count for every file of its partition.
                    if index.file(at).file().referenced_data_file.as_deref() != Some(data.location) {
                        return Err(TableError::Invalid("a deletion vector is of no data file".into()));
                    }
                    if applied.vector.replace(at).is_some() {
                        return Err(TableError::Invalid("a data file has two deletion vectors".into()));
                    }
                }
                Kind::Positions => applied.positions.push(at),
                Kind::Equality => applied.equality.push(at),
            }
        }
        Ok(applied)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.vector.is_none() && self.positions.is_empty() && self.equality.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = u32> {
        self.vector.iter().chain(&self.positions).chain(&self.equality).copied()
    }
}

pub(super) fn kind(delete: &DeleteFile) -> Kind {
    match delete.file().content {
        Content::EqualityDeletes => Kind::Equality,
        Content::PositionDeletes if &*delete.file().format == "puffin" => Kind::Vector,
        // The index has no data files.
        Content::PositionDeletes | Content::Data => Kind::Positions,
    }
}

/// Where the blob of a deletion vector begins and how long it is, in bytes.
pub(super) fn blob(file: &ContentFile) -> Option<(u64, u64)> {
    let (offset, length) = file.content_offset.zip(file.content_size_bytes)?;
    Some((u64::try_from(offset).ok()?, u64::try_from(length).ok()?))
}
