//! The shell: reads metadata, manifest lists and manifests, and keeps the columns' names.

use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::state::{Conflict, Document, Expect, TableEntry, TableIdent};
use tarn_catalog::{Catalog, CommitError};
use uuid::Uuid;

use super::changes::changes;
use super::history::{Former, History};
use super::place::Reach;
use super::reading::{Parts, Reading, former, load_error};
use super::versions::{Readable, unsure};
use super::{EqualityDeletes, Options, UnsupportedColumns};
use crate::holds::Holds;
use crate::table::{FileList, HoldTime, TableError, TableSource, TableVersion, VersionChanges, Versions};
use crate::vectors::Vectors;

/// The documents of columns' names, by the table's UUID.
pub(super) const COLUMNS_KIND: &str = "shared-columns";
/// How often names are kept anew when others did at the same time.
const KEEP_TRIES: usize = 8;

/// An Iceberg table of the catalog, opened for one request: once its name is another table's, or its columns are told by
/// other physical names, it is of no use any more.
pub struct IcebergTable {
    catalog: Catalog,
    ident: TableIdent,
    uuid: Uuid,
    options: Options,
    vectors: Arc<Vectors>,
    reach: Reach,
    identity: Arc<str>,
    holds: Option<Arc<Holds>>,
    /// The physical names it was opened with.
    naming: u32,
}

/// What is read first, whatever is asked for.
struct Now {
    entry: Arc<TableEntry>,
    metadata: Arc<TableMetadata>,
    history: History,
}

impl IcebergTable {
    /// The table that has this name now. `vectors` finds its deleted rows; `reach` is asked for files outside its location.
    pub fn open(
        catalog: &Catalog,
        ident: TableIdent,
        options: Options,
        (vectors, reach): (Arc<Vectors>, Reach),
    ) -> Result<Self, TableError> {
        let uuid = catalog.snapshot().table(&ident).ok_or(TableError::NoSuchTable)?.uuid;
        let naming = known(&catalog.get_document(COLUMNS_KIND, &uuid.to_string()))?.naming();
        let catalog = catalog.by("sharing");
        let identity = identity(uuid, options, naming);
        Ok(Self { catalog, ident, uuid, options, vectors, reach, identity, holds: None, naming })
    }

    /// With the physical names of its columns as the current metadata asks for them. Without it what asks first after they
    /// had to change fails.
    pub async fn named(mut self) -> Result<Self, TableError> {
        let (entry, metadata) = self.loaded().await?;
        self.naming = self.kept_history(&entry, &metadata).await?.naming();
        self.identity = identity(self.uuid, self.options, self.naming);
        Ok(self)
    }

    /// Lets its versions be held. Without it nothing is.
    pub fn with_holds(self, holds: Arc<Holds>) -> Self {
        Self { holds: Some(holds), ..self }
    }

    async fn loaded(&self) -> Result<(Arc<TableEntry>, Arc<TableMetadata>), TableError> {
        let loaded = self.catalog.load(&self.ident).await.map_err(load_error)?;
        let loaded = loaded.filter(|loaded| loaded.entry.uuid == self.uuid);
        let loaded = loaded.ok_or(TableError::NoSuchTable)?;
        Ok((loaded.entry, loaded.metadata))
    }

    async fn now(&self) -> Result<Now, TableError> {
        let (entry, metadata) = self.loaded().await?;
        let history = self.history(&entry, &metadata).await?;
        Ok(Now { entry, metadata, history })
    }

    /// The history of the table's columns. One answer never has two names for a column: who asks again is told the new
    /// ones.
    async fn history(&self, entry: &TableEntry, metadata: &TableMetadata) -> Result<History, TableError> {
        let history = self.kept_history(entry, metadata).await?;
        if history.naming() == self.naming {
            return Ok(history);
        }
        Err(TableError::Store("columns of the table got other names while it was read".into()))
    }

    /// The history of the table's columns, kept where it says something new (H2).
    async fn kept_history(
        &self,
        entry: &TableEntry,
        metadata: &TableMetadata,
    ) -> Result<History, TableError> {
        let id = self.uuid.to_string();
        for _try in 0..KEEP_TRIES {
            let found = self.catalog.get_document(COLUMNS_KIND, &id);
            let known = known(&found)?;
            let next = known.with(metadata, &self.former(&known, entry).await?);
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

    /// The schemas of former versions that the current metadata may not have, as far as they were not looked at.
    async fn former(&self, known: &History, entry: &TableEntry) -> Result<Vec<Former>, TableError> {
        let mut found = Vec::new();
        for unsure in unsure(&entry.revisions) {
            let revision = *unsure.numbers.end();
            if !known.has_seen(revision) {
                let metadata = former(&self.catalog, unsure.metadata_location).await?;
                let schema = metadata.and_then(|metadata| metadata.schema(unsure.schema_id).cloned());
                found.push(Former { revision, schema });
            }
        }
        Ok(found)
    }

    fn reading<'a>(&'a self, now: &'a Now) -> Reading<'a> {
        Reading::new(Parts {
            catalog: &self.catalog,
            vectors: &self.vectors,
            area: self.catalog.area(&self.ident, &now.metadata),
            uuid: self.uuid,
            options: self.options,
            metadata: &now.metadata,
            history: &now.history,
            reach: self.reach.clone(),
        })
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
        let (reading, readable) = (self.reading(&now), Readable::new(&now.entry.revisions, &now.metadata));
        let version = reading.version(&readable, version).await?;
        let list = reading.list(version.snapshot).await?;
        let shape = reading.shape(&version, &list)?;
        let files = reading.files(&shape, &list).await?;
        Ok(shape.with_files(files))
    }

    async fn metadata(&self, version: i64) -> Result<TableVersion, TableError> {
        let now = self.now().await?;
        let (reading, readable) = (self.reading(&now), Readable::new(&now.entry.revisions, &now.metadata));
        let version = reading.version(&readable, version).await?;
        let list = reading.list(version.snapshot).await?;
        Ok(reading.shape(&version, &list)?.with_files(FileList::default()))
    }

    async fn changes(&self, versions: RangeInclusive<i64>) -> Result<Vec<VersionChanges>, TableError> {
        let now = self.now().await?;
        let readable = Readable::new(&now.entry.revisions, &now.metadata);
        changes(&self.reading(&now), &readable, versions).await
    }

    async fn hold(&self, versions: RangeInclusive<i64>, time: HoldTime) -> Result<(), TableError> {
        let Some(holds) = &self.holds else { return Ok(()) };
        let (first, last) = (*versions.start(), *versions.end());
        for is_held in [false, true] {
            let (entry, metadata) = self.loaded().await?;
            let Versions { earliest, latest } = Readable::new(&entry.revisions, &metadata).range()?;
            if let Some(version) = [first, last].into_iter().find(|one| !(earliest..=latest).contains(one)) {
                return Err(TableError::NoSuchVersion { version, earliest, latest });
            }
            if !is_held {
                holds.hold(self.uuid, earliest.max(first - 1)..=last, time);
            }
        }
        Ok(())
    }
}

/// Tables with the same identity are told the same.
fn identity(uuid: Uuid, options: Options, naming: u32) -> Arc<str> {
    let columns = match options.unsupported_columns {
        UnsupportedColumns::Error => "error",
        UnsupportedColumns::Omit => "omit",
    };
    let deletes = match options.equality_deletes {
        EqualityDeletes::Error => "error",
        EqualityDeletes::Resolve => "resolve",
    };
    format!("iceberg/{uuid}/{columns}/{deletes}/{naming}").into()
}

fn known(document: &Option<Document>) -> Result<History, TableError> {
    let known = document.as_ref().map(|document| serde_json::from_str(&document.json));
    Ok(known.transpose().map_err(|error| TableError::Store(Box::new(error)))?.unwrap_or_default())
}
