//! The inventory of a bucket: filled by a scan of one moment, then kept by merging what changed (J5).
//!
//! A merge writes only the files anew in whose range of keys something changed, and leaves no deletes behind: every
//! engine reads the table.

pub(super) mod delta;
pub(super) mod entries;
pub(super) mod files;
mod keep;

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use futures::TryStreamExt as _;
use iceberg::spec::DataFile;

use self::delta::{Delta, delta};
use self::entries::{Entry, Unread, scanned};
use self::files::{Maker, Shelf, rows, shelves};
pub(super) use self::keep::keep;
use super::changes::ChangeLogError;
use super::holds::Hold;
use super::settings::Journal;
use super::snapshot::{Ended, Step};
use super::status::State as TableState;
use super::table::{BACKFILL, Kind, Table, TableError, WATERMARK};
use super::watermark::{Watermark, sequence_number};
use super::writer::moved_back;
use super::{Inner, JournalError, now_ms, refill};
use crate::compact::live::Live;
use crate::scan::{Depth, Point, ScanError, ScanOptions};

/// An inventory was not filled, refreshed or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LiveError {
    /// Its table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// What changed cannot be read.
    #[error(transparent)]
    Log(#[from] ChangeLogError),
    /// What there is cannot be read.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The store does not tell which changes a scan has.
    #[error("the scan does not tell which changes it has")]
    NoSequences,
    /// A data file cannot be read.
    #[error("a data file could not be read")]
    Parquet(#[source] parquet::errors::ParquetError),
    /// A row cannot be read.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// Rows of it are in no order that it was made in.
    #[error(
        "the rows of the inventory are not in the order of keys at '{0}': somebody wrote to it; it can begin anew"
    )]
    Order(String),
    /// Somebody deleted rows beside its files.
    #[error("the inventory has delete files: somebody deleted rows of it; it can begin anew")]
    Deletes,
    /// It could not be begun anew.
    #[error(transparent)]
    Refill(#[from] JournalError),
}

/// The inventory of one bucket.
pub(super) struct Inventory {
    inner: Arc<Inner>,
    journal: Journal,
    /// How far the table says it is, and how far it is: changes between are of other buckets.
    at: Option<(Watermark, Watermark)>,
}

impl Inventory {
    pub(super) fn new(inner: Arc<Inner>, journal: Journal) -> Self {
        Self { inner, journal, at: None }
    }

    /// Fills the table, or merges what changed; whether there may be more to merge right now.
    pub(super) async fn step(&mut self) -> Result<bool, LiveError> {
        let inner = self.inner.clone();
        let table = inner.tables.ensure(&self.journal.bucket, Kind::Inventory).await?;
        if table.property(BACKFILL) != Some(&self.journal.backfill()) {
            self.fill(table).await?;
            return Ok(true);
        }
        let told = table.watermark(inner.log.sets())?;
        let known = self.at.take();
        let is_own =
            is_own(&table, &told) && known.as_ref().is_none_or(|(known, _)| !known.is_ahead_of(&told));
        let (_, at) =
            known.filter(|(known, _)| *known == told).unwrap_or_else(|| (told.clone(), told.clone()));
        inner.holds.set(&self.journal, Hold::From(at.clone()));
        self.at = Some((told, at.clone()));
        let live = inner.tables.live(&table).await?;
        let shelves = shelves(&table, &live).filter(|_| is_own);
        let Some(shelves) = shelves else {
            tracing::warn!(bucket = %self.journal.bucket, "somebody wrote to an inventory: it begins anew");
            refill(&inner.catalog, &self.journal.bucket).await?;
            inner.wake.send_replace(());
            return Ok(false);
        };
        let delta = delta(&*inner.log, &self.journal.bucket, &at, None, inner.settings.refresh_keys).await?;
        let through = delta.through.clone();
        if delta.keys.is_empty() {
            self.is_at(None, through);
            self.tell(&table, 0);
            return Ok(delta.is_full);
        }
        let (gone, made) = self.merge(&table, &shelves, &delta).await?;
        let goes = |live: &Live| gone.contains(live.path());
        let step = Step {
            operation: "overwrite",
            added: &made,
            goes: Some(&goes),
            properties: BTreeMap::from([(WATERMARK.to_owned(), through.to_string())]),
            summary: BTreeMap::from([
                (WATERMARK.to_owned(), through.to_string()),
                ("tarn.journal.changes".to_owned(), delta.changes.to_string()),
            ]),
        };
        match inner.tables.commit(&table, &step).await? {
            Ended::Done => self.is_at(Some(through.clone()), through),
            // The table is read again.
            Ended::Nothing | Ended::Overtaken => return Ok(true),
        }
        let table = inner.tables.ensure(&self.journal.bucket, Kind::Inventory).await?;
        self.tell(&table, delta.changes);
        Ok(delta.is_full)
    }

    fn is_at(&mut self, told: Option<Watermark>, at: Watermark) {
        let told = told.or_else(|| self.at.take().map(|(told, _)| told));
        self.inner.holds.set(&self.journal, Hold::From(at.clone()));
        self.at = told.map(|told| (told, at));
    }

    fn tell(&self, table: &Table, changes: u64) {
        self.inner.tell(&self.journal, Kind::Inventory, |status| {
            (status.state, status.reason) = (TableState::Active, None);
            (status.lag_seconds, status.waiting_changes) = (0, 0);
            status.table_uuid = table.loaded.metadata.uuid().map(|uuid| uuid.to_string());
            status.rows = table.rows();
            if changes > 0 {
                status.rows_written += changes;
                status.commits += 1;
                status.last_commit_ms = Some(now_ms());
            }
        });
    }

    /// Makes the objects of one moment all that the table holds.
    async fn fill(&mut self, table: Table) -> Result<(), LiveError> {
        let inner = self.inner.clone();
        let (bucket, sets) = (&self.journal.bucket, inner.log.sets());
        // Nothing is forgotten until it is known which changes the scan has (J3).
        inner.holds.set(&self.journal, Hold::From(Watermark::start(sets)));
        let filled = async {
            let options =
                ScanOptions { point: Point::Consistent, depth: Depth::Attributes, ..ScanOptions::default() };
            let mut scan = inner.scans.scan(bucket, &options).await?;
            let at = Watermark::of(scan.sequences(), sets).ok_or(LiveError::NoSequences)?;
            inner.holds.set(&self.journal, Hold::From(at.clone()));
            let unknown = sequence_number(0, 0);
            let mut maker = Maker::new(&inner.tables, &table, inner.settings.file_rows);
            inner.tell(&self.journal, Kind::Inventory, |status| {
                (status.state, status.reason, status.scanned) = (TableState::Backfilling, None, 0);
            });
            while let Some(objects) = scan.next().await? {
                let count = objects.len() as u64;
                for entry in scanned(&objects, &unknown) {
                    maker.push(entry).await?;
                }
                inner.tell(&self.journal, Kind::Inventory, |status| status.scanned += count);
                tokio::task::consume_budget().await;
            }
            let made = maker.finish().await?;
            let goes = |_: &Live| true;
            let step = Step {
                operation: "overwrite",
                added: &made,
                goes: Some(&goes),
                properties: BTreeMap::from([
                    (WATERMARK.to_owned(), at.to_string()),
                    (BACKFILL.to_owned(), self.journal.backfill()),
                ]),
                summary: BTreeMap::from([
                    (WATERMARK.to_owned(), at.to_string()),
                    ("tarn.journal.scan-began-ms".to_owned(), scan.began_ms().to_string()),
                ]),
            };
            match inner.tables.commit(&table, &step).await? {
                Ended::Done => Ok(at),
                Ended::Nothing | Ended::Overtaken => Err(TableError::Overtaken(table.ident.clone()).into()),
            }
        };
        match filled.await {
            Ok(at) => {
                self.is_at(Some(at.clone()), at);
                Ok(())
            }
            Err(error) => {
                // The next scan tells all there is: until then nothing has to stay.
                inner.holds.set(&self.journal, Hold::Free);
                Err(error)
            }
        }
    }

    /// The files that go, and those that come for them.
    async fn merge(
        &self,
        table: &Table,
        shelves: &[Shelf],
        delta: &Delta,
    ) -> Result<(HashSet<String>, Vec<DataFile>), LiveError> {
        let of_file = self.inner.settings.file_rows;
        let mut maker = Maker::new(&self.inner.tables, table, of_file);
        let mut gone = HashSet::new();
        if shelves.is_empty() {
            maker.expect(delta.keys.len() as u64, of_file).await?;
            for (key, change) in &delta.keys {
                if let Some(entry) = entry(key, change) {
                    maker.push(entry).await?;
                }
            }
        }
        let ranges: Vec<_> = (0..shelves.len()).map(|index| range(shelves, index)).collect();
        let touches = |index: usize| delta.keys.range::<str, _>(ranges[index]).next().is_some();
        let mut index = 0;
        while index < shelves.len() {
            if !touches(index) {
                index += 1;
                continue;
            }
            let end = (index..shelves.len()).find(|&next| !touches(next)).unwrap_or(shelves.len());
            let before: u64 = shelves[index..end].iter().map(|shelf| shelf.rows).sum();
            let changed: usize =
                (index..end).map(|index| delta.keys.range::<str, _>(ranges[index]).count()).sum();
            maker.expect(before + changed as u64, of_file).await?;
            for at in index..end {
                gone.insert(shelves[at].path.clone());
                self.merge_one(&shelves[at], delta.keys.range::<str, _>(ranges[at]), &mut maker).await?;
            }
            maker.end().await?;
            index = end;
        }
        Ok((gone, maker.finish().await?))
    }

    async fn merge_one<'d>(
        &self,
        shelf: &Shelf,
        changes: impl Iterator<Item = (&'d String, &'d Change)>,
        maker: &mut Maker<'_>,
    ) -> Result<(), LiveError> {
        let mut changes = changes.peekable();
        let mut stored = rows(&self.inner.tables, &shelf.path, shelf.size_bytes).await?;
        while let Some(some) = stored.try_next().await? {
            for row in some {
                let mut stays = true;
                while let Some((key, change)) = changes.next_if(|(key, _)| **key <= row.key) {
                    stays &= *key != row.key;
                    if let Some(entry) = entry(key, change) {
                        maker.push(entry).await?;
                    }
                }
                if stays {
                    maker.push(row).await?;
                }
            }
            tokio::task::consume_budget().await;
        }
        for (key, change) in changes {
            if let Some(entry) = entry(key, change) {
                maker.push(entry).await?;
            }
        }
        Ok(())
    }
}

/// Whether the server made the current snapshot, and nobody moved the table back.
fn is_own(table: &Table, told: &Watermark) -> bool {
    let current = table.loaded.metadata.current_snapshot();
    let own = current.is_some_and(|snapshot| {
        snapshot.summary().get(WATERMARK).is_some_and(|mark| *mark == told.to_string())
    });
    own && moved_back(table, told).is_none()
}

/// The last change of a key: its sequence, and the object.
pub(super) type Change = (String, Option<super::State>);

/// The row that a key has after its last change.
pub(super) fn entry(key: &str, (number, state): &Change) -> Option<Entry> {
    let state = state.clone()?;
    Some(Entry { key: key.to_owned(), sequence_number: number.clone(), state })
}

/// The keys that belong into a file: from its first to the next one's first, the first file's from the very first.
fn range(shelves: &[Shelf], index: usize) -> (Bound<&str>, Bound<&str>) {
    let from = match index {
        0 => Bound::Unbounded,
        _ => Bound::Included(shelves[index].lower.as_str()),
    };
    let to = shelves.get(index + 1).map_or(Bound::Unbounded, |next| Bound::Excluded(next.lower.as_str()));
    (from, to)
}
