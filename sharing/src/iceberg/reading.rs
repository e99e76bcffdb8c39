//! Reads the manifests of one table, as it was when reading began.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tarn_catalog::manifests::{
    Area, DeleteIndex, Entry, Manifest, ManifestContent, ManifestFile, ReadManifestError,
};
use tarn_catalog::metadata::{Snapshot, TableMetadata};
use tarn_catalog::{Catalog, LoadError};
use uuid::Uuid;

use super::Options;
use super::files::{Teller, Told, times};
use super::history::History;
use super::partition::ManifestPartitions;
use super::place::{Reach, places};
use super::shape::{Shape, Version, live};
use super::versions::{Readable, ReadableVersion};
use crate::table::{FileList, TableError};
use crate::vectors::{Assembly, DataRef, Deleting, PlaceOf, SnapshotDeletes, Vectors};

/// Manifests that are read at a time.
const READS_AT_ONCE: usize = 4;
/// Files between which others get their turn.
const TURN_FILES: usize = 256;
/// Files of a version.
pub(super) const FILES_MAX: u64 = 10_000_000;
/// Bytes of memory for what the manifests of deletes of one snapshot hold.
const DELETES_BYTES_MAX: usize = 256 << 20;

/// A table that is read.
pub(super) struct Reading<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) vectors: &'a Vectors,
    pub(super) area: Area,
    pub(super) uuid: Uuid,
    pub(super) options: Options,
    pub(super) metadata: &'a TableMetadata,
    pub(super) history: &'a History,
    places: Box<PlaceOf<'static>>,
    times: HashMap<i64, i64>,
    now_ms: i64,
}

/// What a table is read with.
pub(super) struct Parts<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) vectors: &'a Vectors,
    pub(super) area: Area,
    pub(super) uuid: Uuid,
    pub(super) options: Options,
    pub(super) metadata: &'a TableMetadata,
    pub(super) history: &'a History,
    pub(super) reach: Reach,
}

/// The manifests of a snapshot.
pub(super) type List = Arc<Vec<ManifestFile>>;
/// A manifest, as it is listed and as it is.
pub(super) type Listed<'a> = (&'a ManifestFile, Arc<Manifest>);

impl<'a> Reading<'a> {
    pub(super) fn new(parts: Parts<'a>) -> Self {
        let Parts { catalog, vectors, area, uuid, options, metadata, history, reach } = parts;
        let places = places(metadata.location(), reach);
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let times = times(metadata);
        Self { catalog, vectors, area, uuid, options, metadata, history, places, times, now_ms }
    }

    /// A version, with what its schema was.
    pub(super) async fn version<'r>(
        &self,
        readable: &Readable<'r>,
        number: i64,
    ) -> Result<ReadableVersion<'r>, TableError> {
        let version = readable.version(number)?;
        let Some(location) = version.former else { return Ok(version) };
        let unknown = || {
            TableError::Unsupported(format!(
                "the columns of version {number} are not known any more: its schema and its metadata file were removed"
            ))
        };
        let former = former(self.catalog, location).await?.ok_or_else(unknown)?;
        let schema = former.schema(version.schema.id()).ok_or_else(unknown)?.clone();
        Ok(ReadableVersion { schema, metadata: Some(former), ..version })
    }

    /// The manifests of a snapshot; none where there is no snapshot.
    pub(super) async fn list(&self, snapshot: Option<&Snapshot>) -> Result<List, TableError> {
        let Some(snapshot) = snapshot else { return Ok(Arc::default()) };
        if snapshot.key_id().is_some() {
            return Err(TableError::Unsupported("the table is encrypted".into()));
        }
        let location = snapshot.manifest_list().ok_or_else(|| {
            TableError::Unsupported("the table has a snapshot without a manifest list".into())
        })?;
        self.catalog.manifest_list(&self.area, location).await.map_err(manifest_error)
    }

    /// The manifests in order, a few at a time.
    pub(super) fn manifests<'m>(
        &'m self,
        manifests: impl Iterator<Item = &'m ManifestFile> + Send + 'm,
    ) -> stream::BoxStream<'m, Result<Listed<'m>, TableError>> {
        let read = move |listed: &'m ManifestFile| async move {
            let manifest = self.catalog.manifest(&self.area, listed).await;
            Ok((listed, manifest.map_err(manifest_error)?))
        };
        stream::iter(manifests.map(read)).buffered(READS_AT_ONCE).boxed()
    }

    /// What a version with these manifests is, its files aside.
    pub(super) fn shape(&self, version: &ReadableVersion<'_>, list: &List) -> Result<Shape, TableError> {
        let told = Version {
            table: self.uuid,
            number: version.number,
            timestamp_ms: version.timestamp_ms,
            schema: &version.schema,
            manifests: list,
        };
        Shape::new(&told, version.metadata.as_deref().unwrap_or(self.metadata), self.history, self.options)
    }

    /// What deletes rows of a snapshot with these manifests. Files of deletes are not read yet.
    pub(super) async fn deletes<'s>(
        &'s self,
        shape: &Shape,
        list: &List,
    ) -> Result<SnapshotDeletes<'s>, TableError> {
        let (mut files, mut size_bytes) = (DeleteIndex::default(), 0);
        let mut read = self.manifests(live(list, ManifestContent::Deletes));
        while let Some((listed, manifest)) = read.try_next().await? {
            size_bytes += manifest.size_bytes + manifest.entries.len() * DeleteIndex::ENTRY_BYTES;
            if size_bytes > DELETES_BYTES_MAX {
                return Err(TableError::TooLarge {
                    what: "what the table's delete files take; compact the table: it".into(),
                    most: format!("{DELETES_BYTES_MAX} bytes of memory"),
                });
            }
            let partitions = shape.partitioning.of_manifest(listed, &manifest)?;
            for (at, entry) in manifest.entries.iter().enumerate().filter(|(_, entry)| entry.is_live()) {
                let partition = Arc::new(partitions.partition(&entry.file)?);
                files.add(&manifest, at, &partition, entry.sequence_number(listed));
            }
        }
        let place = &*self.places;
        let equality = self.options.equality_deletes;
        Ok(self.vectors.snapshot(Deleting { table: self.metadata, files, place, equality }))
    }

    /// A list of files in the making.
    pub(super) fn assemble<'s>(&'s self, deletes: &'s SnapshotDeletes<'s>) -> Assembly<'s> {
        self.vectors.assemble(deletes, self.uuid, self.now_ms)
    }

    /// The files of a version.
    pub(super) async fn files(&self, shape: &Shape, list: &List) -> Result<FileList, TableError> {
        let deletes = self.deletes(shape, list).await?;
        let mut files = self.assemble(&deletes);
        let (mut turn, mut count) = (Turn::default(), 0);
        let mut read = self.manifests(live(list, ManifestContent::Data));
        while let Some((listed, manifest)) = read.try_next().await? {
            let telling = self.telling(shape, (listed, &manifest))?;
            for entry in manifest.entries.iter().filter(|entry| entry.is_live()) {
                turn.pass().await;
                telling.push(entry, &mut files).await?;
                count += 1;
            }
            within(count, FILES_MAX)?;
        }
        files.finish().await
    }

    /// Tells the files of one manifest.
    pub(super) fn telling<'s>(
        &'s self,
        shape: &'s Shape,
        (listed, manifest): (&'s ManifestFile, &Manifest),
    ) -> Result<Telling<'s>, TableError> {
        let partitions = shape.partitioning.of_manifest(listed, manifest)?;
        Ok(Telling { teller: Teller { shape, place: &*self.places, times: &self.times }, listed, partitions })
    }
}

/// Tells the files of one manifest.
pub(super) struct Telling<'a> {
    teller: Teller<'a>,
    listed: &'a ManifestFile,
    partitions: ManifestPartitions<'a>,
}

impl Telling<'_> {
    pub(super) fn told(&self, entry: &Entry) -> Result<Told, TableError> {
        self.teller.told(entry, self.listed, &self.partitions)
    }

    /// Adds the file of an entry to a list.
    pub(super) async fn push(&self, entry: &Entry, files: &mut Assembly<'_>) -> Result<(), TableError> {
        let told = self.told(entry)?;
        let file = self.teller.file(entry, &told)?;
        files.push(&file, &self.data(entry, &told)?).await
    }

    /// The file of an entry, as far as deletes need it.
    pub(super) fn data<'e>(&self, entry: &'e Entry, told: &'e Told) -> Result<DataRef<'e>, TableError> {
        Ok(DataRef {
            location: &entry.file.path,
            at: (self.teller.place)(&entry.file.path)?,
            size: told.size,
            records: told.records,
            partition: &told.values.partition.key,
            sequence_number: entry.sequence_number(self.listed),
        })
    }
}

/// Gives others their turn now and then.
#[derive(Default)]
pub(super) struct Turn {
    files: usize,
}

impl Turn {
    pub(super) async fn pass(&mut self) {
        self.files += 1;
        if self.files.is_multiple_of(TURN_FILES) {
            tokio::task::yield_now().await;
        }
    }
}

/// Refuses more files than are told at once.
pub(super) fn within(files: u64, most: u64) -> Result<(), TableError> {
    if files <= most {
        return Ok(());
    }
    Err(TableError::TooLarge { what: "the number of files".into(), most: format!("{most} files") })
}

/// A metadata file that may have been removed.
pub(super) async fn former(
    catalog: &Catalog,
    location: &str,
) -> Result<Option<Arc<TableMetadata>>, TableError> {
    match catalog.read_metadata(location).await {
        Ok(metadata) => Ok(Some(metadata)),
        Err(LoadError::Missing { .. }) => Ok(None),
        Err(error) => Err(load_error(error)),
    }
}

pub(crate) fn load_error(error: LoadError) -> TableError {
    match error {
        LoadError::Location { .. } | LoadError::Invalid { .. } => {
            TableError::Invalid("its metadata file cannot be read".into())
        }
        LoadError::TooLarge { bytes_max, .. } => {
            TableError::TooLarge { what: "the table's metadata".into(), most: format!("{bytes_max} bytes") }
        }
        LoadError::Missing { .. } | LoadError::Store { .. } => TableError::Store(Box::new(error)),
    }
}

fn manifest_error(error: ReadManifestError) -> TableError {
    match error {
        ReadManifestError::Damaged { .. } => TableError::Invalid("a manifest is not what it must be".into()),
        ReadManifestError::Unsupported(_) => {
            TableError::Unsupported("the table has manifests that are not read here".into())
        }
        ReadManifestError::Missing(_) | ReadManifestError::Store { .. } => TableError::Store(Box::new(error)),
    }
}
