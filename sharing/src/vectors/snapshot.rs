//! The deleted rows of one snapshot, found when they are asked for (V4).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use roaring::RoaringTreemap;
use tarn_catalog::manifests::{ContentFile, DeleteIndex, Partition, PartitionKey};
use tarn_catalog::metadata::TableMetadata;
use tokio::sync::OnceCell;

use super::equality::{self, Defaults, KeySets};
use super::index::{Applied, DataRef, Kind, blob, kind};
use super::kept::{Found, name};
use super::limits::Used;
use super::positions::{self, ByPath};
use super::record::{DecodeError, DeletedRows, RECORD_BYTES_MAX, decode, too_large};
use super::stored::StoredFile;
use super::{NAME_MAPPING, Vectors};
use crate::directory::EqualityDeletes;
use crate::table::{Place, TableError};

/// Where a file lies that a table names, if the table may be read there.
pub type PlaceOf<'a> = dyn for<'l> Fn(&'l str) -> Result<Place<'l>, TableError> + Send + Sync + 'a;

/// What deletes rows of a snapshot.
pub struct Deleting<'a> {
    /// The table's metadata, current or not.
    pub table: &'a TableMetadata,
    /// The snapshot's live delete files.
    pub files: DeleteIndex,
    /// Asked before a delete file is read.
    pub place: &'a PlaceOf<'a>,
    /// What is done with equality deletes.
    pub equality: EqualityDeletes,
}

/// The delete files of a snapshot, and what was read of them so far. Each is read once.
pub struct SnapshotDeletes<'a> {
    vectors: &'a Vectors,
    of: Deleting<'a>,
    used: Used,
    /// What files of position deletes tell, by the number of the file.
    positions: Mutex<HashMap<u32, Arc<OnceCell<ByPath>>>>,
    equality: HashMap<Scope, EqualityScope>,
    defaults: OnceCell<Defaults>,
}

/// The data files that equality deletes are for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Scope {
    Everywhere,
    Of(PartitionKey),
}

/// The equality deletes of a scope, read at once.
#[derive(Default)]
struct EqualityScope {
    files: Vec<u32>,
    sets: OnceCell<KeySets>,
}

impl<'a> SnapshotDeletes<'a> {
    pub(super) fn new(vectors: &'a Vectors, of: Deleting<'a>) -> Self {
        let mut equality: HashMap<Scope, EqualityScope> = HashMap::new();
        for (at, delete) in of.files.files() {
            match kind(delete) {
                Kind::Equality => equality.entry(scope(&delete.partition)).or_default().files.push(at),
                Kind::Vector | Kind::Positions => {}
            }
        }
        let used = Used::new(vectors.limits);
        Self { vectors, of, used, positions: Mutex::default(), equality, defaults: OnceCell::new() }
    }

    /// The deleted rows of a data file; `None` when all its rows are there.
    pub async fn rows_of(&self, data: &DataRef<'_>) -> Result<Option<Arc<DeletedRows>>, TableError> {
        self.rows_by(data, &self.applied(data)?).await
    }

    /// Whether a data file has other deleted rows than it had by `before`.
    pub async fn differ(&self, before: &SnapshotDeletes<'_>, data: &DataRef<'_>) -> Result<bool, TableError> {
        let (is, was) = (self.applied(data)?, before.applied(data)?);
        if self.name(data, &is) == before.name(data, &was) {
            return Ok(false);
        }
        Ok(self.rows_by(data, &is).await? != before.rows_by(data, &was).await?)
    }

    pub(super) fn applied(&self, data: &DataRef<'_>) -> Result<Applied, TableError> {
        Applied::new(&self.of.files, data)
    }

    /// How long the deletion vector is that has to be read, in bytes.
    pub(super) fn vector_bytes(&self, applied: &Applied) -> u64 {
        let vector = applied.vector.and_then(|at| blob(self.file(at)));
        vector.map_or(0, |(_, length)| length)
    }

    pub(super) fn reads_at_once(&self) -> usize {
        self.vectors.limits.reads_at_once
    }

    fn file(&self, at: u32) -> &ContentFile {
        self.of.files.file(at).file()
    }

    fn name(&self, data: &DataRef<'_>, applied: &Applied) -> [u8; 32] {
        // Columns of files without field ids are found by it.
        let mapping = self.of.table.properties().get(NAME_MAPPING).map_or("", String::as_str);
        name(data, applied, &self.of.files, mapping)
    }

    pub(super) async fn rows_by(&self, data: &DataRef<'_>, applied: &Applied) -> Result<Found, TableError> {
        if applied.is_empty() {
            return Ok(None);
        }
        if !applied.equality.is_empty() {
            match self.of.equality {
                EqualityDeletes::Error => return Err(refused()),
                EqualityDeletes::Resolve => {}
            }
        }
        let name = self.name(data, applied);
        if let Some(found) = self.vectors.kept.get(&name).await {
            return Ok(found);
        }
        let mut rows = match applied.vector {
            Some(at) => self.read_vector(self.file(at)).await?,
            None => self.read_positions(data, &applied.positions).await?,
        };
        if !applied.equality.is_empty() {
            self.find_equal(data, &mut rows).await?;
        }
        // What lies behind the last row deletes nothing.
        rows.remove_range(data.records..);
        let found = DeletedRows::new(&rows).map(Arc::new);
        self.vectors.kept.insert(name, found.clone()).await;
        Ok(found)
    }

    async fn read_vector(&self, file: &ContentFile) -> Result<RoaringTreemap, TableError> {
        let (offset, length) = blob(file).ok_or_else(damaged)?;
        if length > RECORD_BYTES_MAX as u64 {
            return Err(too_large());
        }
        let stored = self.stored(file, "puffin", "a deletion vector")?;
        let record = stored.range(offset..offset.saturating_add(length)).await?;
        let rows = decode(&record).map_err(|error| match error {
            DecodeError::Damaged => damaged(),
            DecodeError::TooLarge => too_large(),
        })?;
        if i64::try_from(rows.len()) != Ok(file.record_count) {
            return Err(TableError::Invalid(
                "a deletion vector has other rows than its manifest says".into(),
            ));
        }
        Ok(rows)
    }

    /// The rows that files of position deletes tell of a data file.
    async fn read_positions(&self, data: &DataRef<'_>, files: &[u32]) -> Result<RoaringTreemap, TableError> {
        let reads = files.iter().copied().map(|at| self.by_path(at).boxed());
        let mut told = stream::iter(reads).buffered(self.reads_at_once());
        let mut rows = RoaringTreemap::new();
        while let Some(told) = told.try_next().await? {
            if let Some(more) = told.get().and_then(|told| told.of(data.location)) {
                rows |= more;
            }
        }
        Ok(rows)
    }

    async fn by_path(&self, at: u32) -> Result<Arc<OnceCell<ByPath>>, TableError> {
        let cell = {
            let mut cells = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
            cells.entry(at).or_default().clone()
        };
        let read = async || {
            let file = self.file(at);
            let stored = self.stored(file, "parquet", "a file of position deletes")?;
            positions::read(stored, file.referenced_data_file.as_deref(), &self.used).await
        };
        cell.get_or_try_init(read).await?;
        Ok(cell)
    }

    /// Adds the rows of a data file that equality deletes tell.
    async fn find_equal(&self, data: &DataRef<'_>, rows: &mut RoaringTreemap) -> Result<(), TableError> {
        let defaults = async || Defaults::new(self.of.table);
        let defaults = self.defaults.get_or_try_init(defaults).await?;
        let mut sets = Vec::new();
        for scope in [Scope::Of(data.partition.clone()), Scope::Everywhere] {
            if let Some(scope) = self.equality.get(&scope) {
                sets.push(scope.sets.get_or_try_init(|| self.key_sets(&scope.files, defaults)).await?);
            }
        }
        let file = StoredFile::new(&*self.vectors.stores, data.at, data.size, "a data file")?;
        equality::find(file, data.sequence_number, &sets, defaults, &self.used, rows).await
    }

    async fn key_sets(&self, files: &[u32], defaults: &Defaults) -> Result<KeySets, TableError> {
        let open = |&at: &u32| {
            let stored = self.stored(self.file(at), "parquet", "a file of equality deletes");
            async move { Ok::<_, TableError>((at, stored?.open().await?)) }.boxed()
        };
        let opens: Vec<_> = files.iter().map(open).collect();
        let mut opened = stream::iter(opens).buffered(self.reads_at_once());
        let mut sets = KeySets::default();
        while let Some((at, file)) = opened.try_next().await? {
            let delete = self.of.files.file(at);
            let (ids, number) = (&delete.file().equality_ids, delete.sequence_number());
            sets.read(file, ids, number, defaults, &self.used).await?;
        }
        Ok(sets)
    }

    fn stored(&self, file: &ContentFile, format: &str, what: &'static str) -> Result<StoredFile, TableError> {
        if file.key_metadata.is_some() {
            return Err(TableError::Unsupported(format!("{what} is encrypted")));
        }
        if &*file.format != format {
            return Err(TableError::Unsupported(format!(
                "{what} is in the format {}, and only {format} is read",
                file.format
            )));
        }
        let size = u64::try_from(file.size_bytes);
        let size = size.map_err(|_| TableError::Invalid(format!("{what} has no length")))?;
        StoredFile::new(&*self.vectors.stores, (self.of.place)(&file.path)?, size, what)
    }
}

fn scope(partition: &Partition) -> Scope {
    if partition.is_whole_table { Scope::Everywhere } else { Scope::Of(partition.key.clone()) }
}

fn damaged() -> TableError {
    TableError::Invalid("a deletion vector is damaged".into())
}

fn refused() -> TableError {
    TableError::Unsupported(
        "the table has equality deletes, which Delta has none of: its provider has to compact it, or to share it with \
         `equality-deletes` set to `resolve`"
            .into(),
    )
}
