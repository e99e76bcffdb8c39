//! A list of files whose deleted rows are found and packed as it is made.
//!
//! Where a vector lies is known when its pack is full, so files with deletes wait for that; others go ahead of them. The
//! order of the list depends on nothing but the order of the files (V3).

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use tarn_catalog::manifests::PartitionKey;
use uuid::Uuid;

use super::index::{Applied, DataRef};
use super::kept::Found;
use super::packs::{OpenPack, Packs};
use super::snapshot::SnapshotDeletes;
use crate::table::{DataFile, FileList, ListBuilder, Place, TableError};

/// Files whose deletes are looked for together.
const ASKED_MAX: usize = 256;
/// Bytes of deletion vectors that are looked for together, roughly.
const ASKED_BYTES_MAX: u64 = 8 << 20;

/// A list in the making.
pub struct Assembly<'a> {
    packs: &'a Packs,
    deletes: &'a SnapshotDeletes<'a>,
    now_ms: i64,
    list: ListBuilder,
    asked: Vec<Asked>,
    asked_bytes: u64,
    pack: OpenPack,
    /// The files whose vectors are in the open pack, serialized.
    packed: Vec<Vec<u8>>,
}

/// A file whose deletes are to be found.
struct Asked {
    /// Serialized.
    file: Vec<u8>,
    data: OwnRef,
    applied: Applied,
}

struct OwnRef {
    location: String,
    bucket: String,
    key: String,
    size: u64,
    records: u64,
    partition: PartitionKey,
    sequence_number: i64,
}

impl OwnRef {
    fn new(data: &DataRef<'_>) -> Self {
        Self {
            location: data.location.to_owned(),
            bucket: data.at.bucket.to_owned(),
            key: data.at.key.to_owned(),
            size: data.size,
            records: data.records,
            partition: data.partition.clone(),
            sequence_number: data.sequence_number,
        }
    }

    fn borrow(&self) -> DataRef<'_> {
        DataRef {
            location: &self.location,
            at: Place { bucket: &self.bucket, key: &self.key },
            size: self.size,
            records: self.records,
            partition: &self.partition,
            sequence_number: self.sequence_number,
        }
    }
}

impl<'a> Assembly<'a> {
    pub(super) fn new(packs: &'a Packs, deletes: &'a SnapshotDeletes<'a>, table: Uuid, now_ms: i64) -> Self {
        Self {
            packs,
            deletes,
            now_ms,
            list: ListBuilder::default(),
            asked: Vec::new(),
            asked_bytes: 0,
            pack: OpenPack::new(table),
            packed: Vec::new(),
        }
    }

    /// Adds a file. Its `deletes` are set here.
    pub async fn push(&mut self, file: &DataFile<'_>, data: &DataRef<'_>) -> Result<(), TableError> {
        let applied = self.deletes.applied(data)?;
        if applied.is_empty() {
            self.list.push(file);
            return Ok(());
        }
        self.asked_bytes += self.deletes.vector_bytes(&applied);
        // What is serialized is numbers and texts: that cannot fail.
        let file = postcard::to_stdvec(file).expect("a file always serializes");
        self.asked.push(Asked { file, data: OwnRef::new(data), applied });
        if self.asked.len() >= ASKED_MAX || self.asked_bytes >= ASKED_BYTES_MAX {
            self.find().await?;
        }
        Ok(())
    }

    /// The list.
    pub async fn finish(mut self) -> Result<FileList, TableError> {
        self.find().await?;
        self.seal().await?;
        Ok(self.list.finish())
    }

    /// Finds the deleted rows of all files asked for.
    async fn find(&mut self) -> Result<(), TableError> {
        let asked = std::mem::take(&mut self.asked);
        self.asked_bytes = 0;
        let deletes = self.deletes;
        let find = |asked: Asked| {
            let found = async move {
                let rows = deletes.rows_by(&asked.data.borrow(), &asked.applied).await?;
                Ok::<_, TableError>((asked, rows))
            };
            found.boxed()
        };
        let mut found = stream::iter(asked.into_iter().map(find)).buffered(deletes.reads_at_once());
        while let Some((asked, rows)) = found.try_next().await? {
            self.place(asked, rows).await?;
        }
        Ok(())
    }

    async fn place(&mut self, asked: Asked, rows: Found) -> Result<(), TableError> {
        let Some(rows) = rows else {
            self.list.push(&read(&asked.file));
            return Ok(());
        };
        let record = rows.encode()?;
        if !self.pack.takes(record.len()) {
            self.seal().await?;
        }
        self.pack.push(&record, rows.cardinality());
        self.packed.push(asked.file);
        if OpenPack::ends_with(&asked.data.location) {
            self.seal().await?;
        }
        Ok(())
    }

    /// Writes the open pack, and adds its files.
    async fn seal(&mut self) -> Result<(), TableError> {
        let placed = self.packs.write(&mut self.pack, self.now_ms).await?;
        for (file, placed) in self.packed.drain(..).zip(&placed) {
            self.list.push(&DataFile { deletes: Some(placed.deletes()), ..read(&file) });
        }
        Ok(())
    }
}

fn read(file: &[u8]) -> DataFile<'_> {
    postcard::from_bytes(file).expect("what was serialized here reads")
}
