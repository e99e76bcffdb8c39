//! `reachable`: every object that a table or view names, of any snapshot, as removal of unreferenced files sees it.
//!
//! - R1: a table whose metadata or a manifest cannot be read ends the reading: else what it names would count as left behind.
//! - R2: of tables one may not load the objects are told all the same where the bucket may be listed, without the table's
//!   name: the keys are no secret there, and without them they would count as left behind.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tarn_catalog::manifests::ManifestFile;
use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::state::{TableEntry, TableIdent};
use tarn_sql::datafusion::common::DataFusionError;
use tarn_sql::system::{Cell, Rows, Wanted};

use super::catalog::names;
use super::files::content_name;
use super::{Outcome, Reading, Walk, failed};

pub(super) struct ReachableRows {
    reading: Reading,
    next: VecDeque<Of>,
    /// The manifests of the table at hand that are not read yet, and whether the current snapshot has them.
    manifests: VecDeque<(ManifestFile, bool)>,
    table: Option<Table>,
}

/// What names objects.
enum Of {
    Table(TableIdent, Arc<TableEntry>),
    View(TableIdent, Arc<str>),
}

struct Table {
    warehouse: Arc<str>,
    /// As rows begin behind bucket, key and kind.
    names: [Cell; 3],
}

impl ReachableRows {
    pub(super) fn new(reading: Reading) -> Self {
        let state = reading.state.catalog.snapshot();
        let warehouse = Wanted::of("warehouse", &reading.scan.filters);
        let bucket = Wanted::of("bucket", &reading.scan.filters);
        // A table's files lie in its warehouse's bucket.
        let wanted =
            |ident: &TableIdent| warehouse.admits(&ident.warehouse) && bucket.admits(&ident.warehouse);
        let tables = state.all_tables().map(|(ident, entry)| Of::Table(ident, entry.clone()));
        let dropped =
            state.dropped_tables(None).map(|table| Of::Table(table.ident.clone(), table.entry.clone()));
        let views = state.all_views().map(|(ident, view)| Of::View(ident, view.metadata_location.clone()));
        let all = tables.chain(dropped).chain(views);
        let next =
            all.filter(|of| wanted(of.ident()) && reading.may_list(&of.ident().warehouse, "")).collect();
        Self { reading, next, manifests: VecDeque::new(), table: None }
    }

    /// Begins with a table: what its metadata names itself.
    async fn begin(&mut self, ident: &TableIdent, entry: &TableEntry) -> Outcome<Rows> {
        let catalog = &self.reading.state.catalog;
        let metadata = catalog.read_metadata(&entry.metadata_location).await.map_err(failed)?;
        let hidden = [Cell::Null, Cell::Null, Cell::Null];
        let names = if self.reading.may_load(ident) { names(ident) } else { hidden };
        let table = Table { warehouse: ident.warehouse.clone(), names };
        let mut rows = self.reading.rows();
        for (location, is_current) in metadata_files(&metadata, entry) {
            table.add(&mut rows, &location, "metadata", is_current);
        }
        for file in metadata.statistics().chain(metadata.partition_statistics()) {
            if let Some(location) = file.json()["statistics-path"].as_str() {
                table.add(
                    &mut rows,
                    location,
                    "statistics",
                    Some(file.snapshot_id) == metadata.current_snapshot_id(),
                );
            }
        }
        let mut seen = HashSet::new();
        // The current one first: what it has in common with others is current.
        let current = metadata.current_snapshot_id();
        let mut snapshots: Vec<_> = metadata.snapshots().collect();
        snapshots.sort_by_key(|snapshot| Some(snapshot.id()) != current);
        for snapshot in snapshots {
            let is_current = Some(snapshot.id()) == current;
            let list = snapshot.manifest_list().ok_or_else(|| without_list(ident))?;
            table.add(&mut rows, list, "manifest-list", is_current);
            for manifest in catalog.manifest_list(&ident.warehouse, list).await.map_err(failed)?.iter() {
                if seen.insert(manifest.path.clone()) {
                    table.add(&mut rows, &manifest.path, "manifest", is_current);
                    self.manifests.push_back((manifest.clone(), is_current));
                }
            }
        }
        self.table = Some(table);
        Ok(rows)
    }
}

#[async_trait]
impl Walk for ReachableRows {
    async fn next(&mut self) -> Outcome<Option<RecordBatch>> {
        if let (Some((listed, is_current)), Some(table)) = (self.manifests.pop_front(), &self.table) {
            let mut rows = self.reading.rows();
            let manifest =
                self.reading.state.catalog.manifest(&table.warehouse, &listed).await.map_err(failed)?;
            for entry in manifest.entries.iter().filter(|entry| entry.is_live()) {
                table.add(&mut rows, &entry.file.path, content_name(entry.file.content), is_current);
            }
            return self.reading.batch(rows).map(Some);
        }
        let rows = match self.next.pop_front() {
            None => return Ok(None),
            Some(Of::Table(ident, entry)) => self.begin(&ident, &entry).await?,
            Some(Of::View(ident, location)) => {
                let view = Table { warehouse: ident.warehouse, names: [Cell::Null, Cell::Null, Cell::Null] };
                let mut rows = self.reading.rows();
                view.add(&mut rows, &location, "view", true);
                rows
            }
        };
        self.reading.batch(rows).map(Some)
    }
}

impl Of {
    fn ident(&self) -> &TableIdent {
        match self {
            Self::Table(ident, _) | Self::View(ident, _) => ident,
        }
    }
}

impl Table {
    /// A file that is no object of a bucket reaches none.
    fn add(&self, rows: &mut Rows, location: &str, kind: &'static str, is_current: bool) {
        let Some((bucket, key)) = object(location) else { return };
        let [warehouse, namespace, name] = self.names.clone();
        rows.push([bucket.into(), key.into(), kind.into(), warehouse, namespace, name, is_current.into()]);
    }
}

/// The metadata files that a table or the catalog names, and whether it is the current one.
fn metadata_files(metadata: &TableMetadata, entry: &TableEntry) -> Vec<(Arc<str>, bool)> {
    let log = metadata.metadata_log().map(|entry| Arc::from(&*entry.metadata_file));
    let remembered = entry.revisions.iter().map(|revision| revision.metadata_location.clone());
    let before = log.chain(remembered).filter(|file: &Arc<str>| *file != entry.metadata_location);
    before.map(|file| (file, false)).chain([(entry.metadata_location.clone(), true)]).collect()
}

/// The bucket and key of a location.
fn object(location: &str) -> Option<(&str, &str)> {
    let rest = ["s3://", "s3a://", "s3n://"].iter().find_map(|scheme| location.strip_prefix(scheme))?;
    rest.split_once('/')
}

/// R1.
fn without_list(ident: &TableIdent) -> DataFusionError {
    let message = format!(
        "a snapshot of table '{ident}' has no manifest list; such tables of format 1 are not read here"
    );
    DataFusionError::NotImplemented(message)
}
