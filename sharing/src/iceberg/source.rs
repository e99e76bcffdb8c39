//! The shell: reads metadata, manifest lists and manifests, and keeps the columns' names.

use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tarn_catalog::manifests::{Manifest, ManifestContent, ManifestFile, ReadManifestError};
use tarn_catalog::metadata::{Snapshot, TableMetadata};
use tarn_catalog::state::{Conflict, Expect, TableEntry, TableIdent};
use tarn_catalog::{Catalog, CommitError, LoadError};
use uuid::Uuid;

use super::files::{Teller, times};
use super::history::History;
use super::place::{Places, Reach};
use super::shape::{Shape, Version, live};
use super::versions::{Readable, ReadableVersion};
use super::{Options, UnsupportedColumns};
use crate::directory::EqualityDeletes;
use crate::table::{FileList, ListBuilder, TableError, TableSource, TableVersion, VersionChanges, Versions};

/// The documents of columns' names, by the table's UUID.
pub(super) const COLUMNS_KIND: &str = "shared-columns";
/// How often names are kept anew when others did at the same time.
const KEEP_TRIES: usize = 8;
/// Manifests of one version that are read at a time.
const READS_AT_ONCE: usize = 4;
/// Files between which others get their turn.
const TURN_FILES: usize = 256;
/// Files of a version.
const FILES_MAX: u64 = 10_000_000;

/// An Iceberg table of the catalog. Once its name is another table's it is gone.
pub struct IcebergTable {
    catalog: Catalog,
    ident: TableIdent,
    uuid: Uuid,
    options: Options,
    reach: Reach,
    identity: Arc<str>,
}

/// What is read first, whatever is asked for.
struct Now {
    entry: Arc<TableEntry>,
    metadata: Arc<TableMetadata>,
    history: History,
}

impl IcebergTable {
    /// The table that has this name now. `reach` is asked for files outside the table's location.
    pub fn open(
        catalog: &Catalog,
        ident: TableIdent,
        options: Options,
        reach: Reach,
    ) -> Result<Self, TableError> {
        let uuid = catalog.snapshot().table(&ident).ok_or(TableError::NoSuchTable)?.uuid;
        let columns = match options.unsupported_columns {
            UnsupportedColumns::Error => "error",
            UnsupportedColumns::Omit => "omit",
        };
        let deletes = match options.equality_deletes {
            EqualityDeletes::Error => "error",
            EqualityDeletes::Resolve => "resolve",
        };
        let identity = format!("iceberg/{uuid}/{columns}/{deletes}").into();
        Ok(Self { catalog: catalog.by("sharing"), ident, uuid, options, reach, identity })
    }

    async fn loaded(&self) -> Result<(Arc<TableEntry>, Arc<TableMetadata>), TableError> {
        let loaded = self.catalog.load(&self.ident).await.map_err(load_error)?;
        let loaded = loaded.filter(|loaded| loaded.entry.uuid == self.uuid);
        let loaded = loaded.ok_or(TableError::NoSuchTable)?;
        Ok((loaded.entry, loaded.metadata))
    }

    async fn now(&self) -> Result<Now, TableError> {
        let (entry, metadata) = self.loaded().await?;
        let history = self.history(&metadata).await?;
        Ok(Now { entry, metadata, history })
    }

    /// The history of the table's columns, kept where it says something new (H2).
    async fn history(&self, metadata: &TableMetadata) -> Result<History, TableError> {
        let id = self.uuid.to_string();
        for _try in 0..KEEP_TRIES {
            let found = self.catalog.get_document(COLUMNS_KIND, &id);
            let known = found.as_ref().map(|document| serde_json::from_str::<History>(&document.json));
            let known = known.transpose().map_err(|error| TableError::Store(Box::new(error)))?;
            let known = known.unwrap_or_default();
            let next = known.with(metadata);
            if next == known {
                return Ok(next);
            }
            let json = serde_json::to_string(&next).expect("texts and numbers always become JSON");
            let expect = found.map_or(Expect::Absent, |document| Expect::Revision(document.revision));
            match self.catalog.put_document(COLUMNS_KIND, &id, &json, expect).await {
                Ok(_kept) => return Ok(next),
                Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {}
                Err(CommitError::Conflict(Conflict::Invalid(_))) => {
                    let most = format!("{} bytes", tarn_catalog::state::limits::DOCUMENT_BYTES_MAX);
                    return Err(TableError::TooLarge { what: "what is known of the columns".into(), most });
                }
                Err(error) => return Err(TableError::Store(Box::new(error))),
            }
        }
        Err(TableError::Store("the names of the columns change too fast to be kept".into()))
    }

    async fn manifests(&self, snapshot: Option<&Snapshot>) -> Result<Arc<Vec<ManifestFile>>, TableError> {
        let Some(snapshot) = snapshot else { return Ok(Arc::default()) };
        let location = snapshot.manifest_list().ok_or_else(|| {
            TableError::Unsupported("the table has a snapshot without a manifest list".into())
        })?;
        self.catalog.manifest_list(&self.ident.warehouse, location).await.map_err(manifest_error)
    }

    fn shape(
        &self,
        now: &Now,
        version: &ReadableVersion<'_>,
        manifests: &[ManifestFile],
    ) -> Result<Shape, TableError> {
        let version = Version {
            table: self.uuid,
            number: version.number,
            timestamp_ms: version.timestamp_ms,
            schema: version.schema,
            manifests,
        };
        Shape::new(&version, &now.metadata, &now.history, self.options)
    }

    async fn files(
        &self,
        now: &Now,
        shape: &Shape,
        manifests: &[ManifestFile],
    ) -> Result<FileList, TableError> {
        if live(manifests, ManifestContent::Deletes).next().is_some() {
            return Err(TableError::Unsupported("the table has row-level deletes".into()));
        }
        let places = Places::new(now.metadata.location(), self.reach.clone());
        let teller = Teller { shape, places: &places, times: &times(&now.metadata) };
        let mut files = ListBuilder::default();
        let mut read = self.read(live(manifests, ManifestContent::Data));
        while let Some((listed, manifest)) = read.try_next().await? {
            let partitions = shape.partitioning.of_manifest(listed, &manifest)?;
            for (at, entry) in manifest.entries.iter().enumerate() {
                if at % TURN_FILES == 0 {
                    tokio::task::yield_now().await;
                }
                if entry.is_live() {
                    let told = teller.told(entry, listed, &partitions)?;
                    files.push(&teller.file(entry, &told)?);
                }
            }
            if files.len() > FILES_MAX {
                return Err(TableError::TooLarge {
                    what: "the number of the table's files".into(),
                    most: format!("{FILES_MAX} files"),
                });
            }
        }
        Ok(files.finish())
    }

    /// The manifests in order, a few at a time.
    fn read<'a>(
        &'a self,
        manifests: impl Iterator<Item = &'a ManifestFile> + Send + 'a,
    ) -> stream::BoxStream<'a, Result<(&'a ManifestFile, Arc<Manifest>), TableError>> {
        let read = move |listed: &'a ManifestFile| async move {
            let manifest = self.catalog.manifest(&self.ident.warehouse, listed).await;
            Ok((listed, manifest.map_err(manifest_error)?))
        };
        stream::iter(manifests.map(read)).buffered(READS_AT_ONCE).boxed()
    }
}

#[async_trait]
impl TableSource for IcebergTable {
    fn identity(&self) -> Arc<str> {
        self.identity.clone()
    }

    async fn versions(&self) -> Result<Versions, TableError> {
        let (entry, metadata) = self.loaded().await?;
        Readable::new(&entry.revisions, &metadata).range()
    }

    async fn version_until(&self, timestamp_ms: i64) -> Result<Option<i64>, TableError> {
        let (entry, metadata) = self.loaded().await?;
        Ok(Readable::new(&entry.revisions, &metadata).until(timestamp_ms))
    }

    async fn version_from(&self, timestamp_ms: i64) -> Result<Option<i64>, TableError> {
        let (entry, metadata) = self.loaded().await?;
        Ok(Readable::new(&entry.revisions, &metadata).from(timestamp_ms))
    }

    async fn load(&self, version: i64) -> Result<TableVersion, TableError> {
        let now = self.now().await?;
        let readable = Readable::new(&now.entry.revisions, &now.metadata);
        let version = readable.version(version)?;
        let manifests = self.manifests(version.snapshot).await?;
        let shape = self.shape(&now, &version, &manifests)?;
        let files = self.files(&now, &shape, &manifests).await?;
        Ok(shape.with_files(files))
    }

    async fn metadata(&self, version: i64) -> Result<TableVersion, TableError> {
        let now = self.now().await?;
        let readable = Readable::new(&now.entry.revisions, &now.metadata);
        let version = readable.version(version)?;
        let manifests = self.manifests(version.snapshot).await?;
        Ok(self.shape(&now, &version, &manifests)?.with_files(FileList::default()))
    }

    async fn changes(&self, versions: RangeInclusive<i64>) -> Result<Vec<VersionChanges>, TableError> {
        let _later = versions;
        Err(TableError::Unsupported("changes of Iceberg tables are not told yet".into()))
    }
}

fn load_error(error: LoadError) -> TableError {
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
