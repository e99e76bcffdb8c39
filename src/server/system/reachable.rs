//! `reachable`: every object that a table or view names, of any snapshot, as removal of unreferenced files sees it.
//!
//! - R1: a table whose metadata or a manifest cannot be read ends the reading: else what it names would count as left behind.
//! - R2: of tables one may not load the objects are told all the same where the bucket may be listed, without the table's
//!   name: the keys are no secret there, and without them they would count as left behind.
//! - R3: where readers of shares were promised files that a table does not name any more, all that lies at its location is
//!   told: removal leaves it too. The metadata files of a view are its versions: all are told.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tarn_catalog::manifests::{Area, ManifestFile};
use tarn_catalog::metadata::TableMetadata;
use tarn_catalog::state::{TableEntry, TableIdent};
use tarn_inventory::scan::{Scan, ScanError, ScanOptions};
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
    listing: Option<Listing>,
}

/// What names objects.
enum Of {
    Table(TableIdent, Arc<TableEntry>),
    View {
        location: Arc<str>,
        metadata: Arc<str>,
    },
    /// All objects of a bucket whose keys begin and end so.
    Place {
        bucket: String,
        prefix: String,
        suffix: &'static str,
        kind: &'static str,
    },
}

struct Table {
    area: Area,
    /// As rows end, before the last column.
    names: [Cell; 3],
}

/// A place that is listed.
struct Listing {
    scan: Box<dyn Scan>,
    bucket: String,
    suffix: &'static str,
    kind: &'static str,
}

const NO_NAMES: [Cell; 3] = [Cell::Null, Cell::Null, Cell::Null];

impl ReachableRows {
    pub(super) fn new(reading: Reading) -> Self {
        let state = reading.state.catalog.snapshot();
        let warehouse = Wanted::of("warehouse", &reading.scan.filters);
        let bucket = Wanted::of("bucket", &reading.scan.filters);
        // A table's files lie in its warehouse's bucket.
        let wanted = |(ident, _): &(TableIdent, Of)| {
            warehouse.admits(&ident.warehouse)
                && bucket.admits(&ident.warehouse)
                && reading.may_list(&ident.warehouse, "")
        };
        let table = |ident: TableIdent, entry: Arc<TableEntry>| (ident.clone(), Of::Table(ident, entry));
        let tables = state.all_tables().map(|(ident, entry)| table(ident, entry.clone()));
        let dropped = state.dropped_tables(None).map(|found| table(found.ident.clone(), found.entry.clone()));
        let views = state.all_views().map(|(ident, view)| {
            let (location, metadata) = (view.location.clone(), view.metadata_location.clone());
            (ident, Of::View { location, metadata })
        });
        let next = tables.chain(dropped).chain(views).filter(wanted).map(|(_, of)| of).collect();
        Self { reading, next, manifests: VecDeque::new(), table: None, listing: None }
    }

    /// Begins with a table: what its metadata names itself.
    async fn begin(&mut self, ident: &TableIdent, entry: &TableEntry) -> Outcome<Rows> {
        let catalog = &self.reading.state.catalog;
        let metadata = catalog.read_metadata(&entry.metadata_location).await.map_err(failed)?;
        let now_ms = jiff::Timestamp::now().as_millisecond();
        if self.reading.state.maintenance.has_promised_more(ident, entry, &metadata, now_ms) {
            self.next.extend(place(metadata.location(), "", "promised"));
        }
        let names = if self.reading.may_load(ident) { names(ident) } else { NO_NAMES };
        let table = Table { area: catalog.area(ident, &metadata), names };
        let mut rows = self.reading.rows();
        for (location, is_current) in metadata_files(&metadata, entry) {
            add(&mut rows, &table.names, (&location, "metadata", is_current));
        }
        for file in metadata.statistics().chain(metadata.partition_statistics()) {
            if let Some(location) = file.json()["statistics-path"].as_str() {
                let is_current = Some(file.snapshot_id) == metadata.current_snapshot_id();
                add(&mut rows, &table.names, (location, "statistics", is_current));
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
            add(&mut rows, &table.names, (list, "manifest-list", is_current));
            for manifest in catalog.manifest_list(&table.area, list).await.map_err(failed)?.iter() {
                if seen.insert(manifest.path.clone()) {
                    add(&mut rows, &table.names, (&manifest.path, "manifest", is_current));
                    self.manifests.push_back((manifest.clone(), is_current));
                }
            }
        }
        self.table = Some(table);
        Ok(rows)
    }

    /// Begins to list a place; one whose bucket is gone holds nothing.
    async fn list(
        &mut self,
        bucket: String,
        prefix: String,
        what: (&'static str, &'static str),
    ) -> Outcome<()> {
        let (suffix, kind) = what;
        let options = ScanOptions { prefix, ..ScanOptions::default() };
        self.listing = match self.reading.state.scan.scan(&bucket, &options).await {
            Ok(scan) => Some(Listing { scan, bucket, suffix, kind }),
            Err(ScanError::NoSuchBucket(_)) => None,
            Err(error) => return Err(failed(error)),
        };
        Ok(())
    }
}

#[async_trait]
impl Walk for ReachableRows {
    async fn next(&mut self) -> Outcome<Option<RecordBatch>> {
        let mut rows = self.reading.rows();
        if let (Some((listed, is_current)), Some(table)) = (self.manifests.pop_front(), &self.table) {
            let manifest = self.reading.state.catalog.manifest(&table.area, &listed).await.map_err(failed)?;
            for entry in manifest.entries.iter().filter(|entry| entry.is_live()) {
                add(
                    &mut rows,
                    &table.names,
                    (&entry.file.path, content_name(entry.file.content), is_current),
                );
            }
            return self.reading.batch(rows).map(Some);
        }
        if let Some(listing) = &mut self.listing {
            match listing.next(&mut rows).await? {
                Some(()) => {}
                None => self.listing = None,
            }
            return self.reading.batch(rows).map(Some);
        }
        match self.next.pop_front() {
            None => return Ok(None),
            Some(Of::Table(ident, entry)) => rows = self.begin(&ident, &entry).await?,
            Some(Of::View { location, metadata }) => {
                add(&mut rows, &NO_NAMES, (&metadata, "view", true));
                self.next.extend(place(&format!("{location}/metadata"), ".metadata.json", "view"));
            }
            Some(Of::Place { bucket, prefix, suffix, kind }) => {
                self.list(bucket, prefix, (suffix, kind)).await?;
            }
        }
        self.reading.batch(rows).map(Some)
    }
}

impl Listing {
    /// Adds the next objects; `None` after the last.
    async fn next(&mut self, rows: &mut Rows) -> Outcome<Option<()>> {
        let objects = match self.scan.next().await {
            Ok(Some(objects)) => objects,
            Ok(None) | Err(ScanError::NoSuchBucket(_)) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let keys = (0..objects.len()).map(|at| objects.key(at));
        for key in keys.filter(|key| key.ends_with(self.suffix)) {
            let location = format!("s3://{}/{key}", self.bucket);
            add(rows, &NO_NAMES, (&location, self.kind, false));
        }
        Ok(Some(()))
    }
}

/// What lies below a location; nothing where it names no place in a bucket.
fn place(location: &str, suffix: &'static str, kind: &'static str) -> Option<Of> {
    let (bucket, key) = object(location)?;
    let prefix = format!("{}/", key.trim_end_matches('/'));
    Some(Of::Place { bucket: bucket.to_owned(), prefix, suffix, kind })
}

/// A file that is no object of a bucket reaches none.
fn add(rows: &mut Rows, names: &[Cell; 3], (location, kind, is_current): (&str, &'static str, bool)) {
    let Some((bucket, key)) = object(location) else { return };
    let [warehouse, namespace, name] = names.clone();
    rows.push([bucket.into(), key.into(), kind.into(), warehouse, namespace, name, is_current.into()]);
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
