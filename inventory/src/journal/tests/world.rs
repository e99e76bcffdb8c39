//! Buckets in memory whose changes are told, and processes that keep journals of them and may be killed.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use async_trait::async_trait;
use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tarn_catalog::Catalog;
use tarn_catalog::state::{Request, TableChange, TableIdent};

use crate::jobs::Author;
use crate::journal::live::Inventory;
use crate::journal::live::entries::{Entry, is_same};
use crate::journal::live::files::{contents, rows};
use crate::journal::table::{Kind, Table, Tables, ident};
use crate::journal::watermark::sequence_number;
use crate::journal::writer::Writer;
use crate::journal::{
    Change, ChangeLog, ChangeLogError, Changed, JournalSettings, Journals, NewJournal, Parts, State,
};
use crate::report::tests::store::{Buckets, Disks, Fate};
use crate::scan::{ETag, ObjectAttributes, ObjectScan, Objects, Scan, ScanError, ScanOptions};

/// Sets of the store.
pub(super) const SETS: usize = 3;
/// When the first change is: 2026-11-21T13:30:05.250Z.
pub(super) const BEGAN_MS: i64 = 1_795_267_805_250;

/// What there is, and what is told of it. It outlives kills.
#[derive(Default)]
pub(super) struct Truth {
    /// By bucket, with whether it is watched.
    pub(super) buckets: BTreeMap<String, (bool, BTreeMap<String, State>)>,
    pub(super) sets: Vec<Vec<Change>>,
    sequences: Vec<u64>,
    pub(super) forgotten: Vec<u64>,
    /// Every change that was ever told.
    pub(super) told: Vec<(usize, Change)>,
    writes: u64,
    pub(super) clock_ms: i64,
}

impl Truth {
    /// Writes an object, or removes it.
    pub(super) fn write(&mut self, bucket: &str, key: &str, size: Option<u64>) {
        self.writes += 1;
        let digest = (u128::from(self.writes)).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let state = size.map(|size| State {
            size,
            modified_ms: self.clock_ms,
            etag: ETag { digest: digest.to_be_bytes(), parts: None, is_multipart: false },
            checksum: None,
            attributes: ObjectAttributes {
                user_metadata: vec![("write".into(), self.writes.to_string())],
                ..ObjectAttributes::default()
            },
        });
        let (watched, objects) = self.buckets.get_mut(bucket).unwrap();
        match state.clone() {
            Some(state) => drop(objects.insert(key.to_owned(), state)),
            None if objects.remove(key).is_none() => return,
            None => {}
        }
        if !*watched {
            return;
        }
        let mut hash = DefaultHasher::new();
        (bucket, key).hash(&mut hash);
        let set = (hash.finish() % SETS as u64) as usize;
        self.sequences[set] += 1;
        let change = Change {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            sequence: self.sequences[set],
            at_ms: self.clock_ms,
            changed: state.map_or(Changed::Deleted, Changed::Created),
            origin: None,
        };
        self.sets[set].push(change.clone());
        self.told.push((set, change));
    }

    pub(super) fn create(&mut self, bucket: &str) {
        self.buckets.insert(bucket.to_owned(), Default::default());
    }
}

/// The changes as one process reads them.
struct Log {
    truth: Arc<Mutex<Truth>>,
    fate: Arc<Fate>,
}

#[async_trait]
impl ChangeLog for Log {
    async fn watch(&self, bucket: &str, watch: bool) -> Result<bool, ChangeLogError> {
        self.fate.step().await;
        let was = {
            let mut truth = self.truth.lock().unwrap();
            let found = truth.buckets.get_mut(bucket);
            let (watched, _) = found.ok_or_else(|| ChangeLogError::NoSuchBucket(bucket.to_owned()))?;
            std::mem::replace(watched, watch)
        };
        self.fate.step().await;
        Ok(was)
    }

    fn sets(&self) -> usize {
        SETS
    }

    async fn changes(&self, set: usize, after: u64, limit: usize) -> Result<Vec<Change>, ChangeLogError> {
        self.fate.step().await;
        let truth = self.truth.lock().unwrap();
        let behind = truth.sets[set].iter().filter(|change| change.sequence > after);
        Ok(behind.take(limit).cloned().collect())
    }

    async fn forget(&self, set: usize, through: u64) -> Result<(), ChangeLogError> {
        self.fate.step().await;
        {
            let mut truth = self.truth.lock().unwrap();
            truth.sets[set].retain(|change| change.sequence > through);
            truth.forgotten[set] = truth.forgotten[set].max(through);
        }
        self.fate.step().await;
        Ok(())
    }
}

/// Scans as one process sees them.
struct Scans {
    truth: Arc<Mutex<Truth>>,
    fate: Arc<Fate>,
}

struct Moment {
    rows: Vec<(String, State)>,
    at: usize,
    sequences: Vec<u64>,
    began_ms: i64,
    fate: Arc<Fate>,
}

#[async_trait]
impl ObjectScan for Scans {
    async fn scan(&self, bucket: &str, _options: &ScanOptions) -> Result<Box<dyn Scan>, ScanError> {
        self.fate.step().await;
        let truth = self.truth.lock().unwrap();
        let found = truth.buckets.get(bucket).ok_or_else(|| ScanError::NoSuchBucket(bucket.to_owned()))?;
        let rows = found.1.iter().map(|(key, state)| (key.clone(), state.clone())).collect();
        let (sequences, began_ms, fate) = (truth.sequences.clone(), truth.clock_ms, self.fate.clone());
        Ok(Box::new(Moment { rows, at: 0, sequences, began_ms, fate }))
    }
}

#[async_trait]
impl Scan for Moment {
    async fn next(&mut self) -> Result<Option<Objects>, ScanError> {
        self.fate.step().await;
        let mut objects = Objects::default();
        for (key, state) in self.rows.iter().skip(self.at).take(7) {
            objects.keys.push_str(key);
            objects.key_ends.push(objects.keys.len() as u32);
            objects.sizes.push(state.size);
            objects.modified_ms.push(state.modified_ms);
            objects.etags.push(state.etag);
            objects.checksums.push(state.checksum);
            objects.attributes.push(state.attributes.clone());
        }
        self.at += objects.len();
        Ok((!objects.is_empty()).then_some(objects))
    }

    fn began_ms(&self) -> i64 {
        self.began_ms
    }

    fn sequences(&self) -> Vec<u64> {
        self.sequences.clone()
    }
}

/// Buckets, their changes, and a catalog.
pub(super) struct World {
    pub(super) truth: Arc<Mutex<Truth>>,
    pub(super) disks: Arc<Disks>,
    /// Not killed with a process: its own survival is proved elsewhere.
    pub(super) catalog: Catalog,
    pub(super) settings: JournalSettings,
}

/// A row of a journal that is compared: bucket, key, sequence, type, size, ETag, when.
pub(super) type Told = (String, String, String, String, Option<i64>, Option<String>, Option<i64>);

impl World {
    /// With a bucket `photos`.
    pub(super) async fn new() -> Self {
        let disks = Arc::new(Disks::default());
        let stores = Arc::new(Buckets { disks: disks.clone(), fate: Fate::never() });
        let (log, settings) = (Arc::new(InMemory::new()), tarn_catalog::Settings::default());
        let catalog = Catalog::open(log, Path::from("log"), stores, settings).await.unwrap();
        let truth = Truth {
            sets: vec![Vec::new(); SETS],
            sequences: vec![0; SETS],
            forgotten: vec![0; SETS],
            clock_ms: BEGAN_MS,
            ..Truth::default()
        };
        let settings = JournalSettings {
            watch_again: Duration::ZERO,
            expire_every: Duration::ZERO,
            file_rows: 10,
            ..JournalSettings::default()
        };
        let world = Self { truth: Arc::new(Mutex::new(truth)), disks, catalog, settings };
        world.create("photos");
        world
    }

    pub(super) fn create(&self, bucket: &str) {
        self.truth.lock().unwrap().create(bucket);
        self.disks.buckets.lock().unwrap().insert(bucket.to_owned(), Arc::default());
    }

    pub(super) fn write(&self, bucket: &str, key: &str, size: Option<u64>) {
        self.truth.lock().unwrap().write(bucket, key, size);
    }

    /// A process.
    pub(super) fn journals(&self, fate: &Arc<Fate>) -> Journals {
        Journals::new(Parts {
            log: Arc::new(Log { truth: self.truth.clone(), fate: fate.clone() }),
            scans: Arc::new(Scans { truth: self.truth.clone(), fate: fate.clone() }),
            stores: Arc::new(Buckets { disks: self.disks.clone(), fate: fate.clone() }),
            catalog: self.catalog.clone(),
            settings: self.settings.clone(),
        })
    }

    pub(super) async fn put(&self, bucket: &str, inventory: bool, days: Option<u32>) {
        let new = NewJournal { record_expiration_days: days, inventory };
        let journals = self.journals(&Fate::never());
        journals.put(&self.catalog, bucket, new, author()).await.unwrap();
    }

    pub(super) fn writer(&self, fate: &Arc<Fate>) -> (Journals, Writer) {
        let journals = self.journals(fate);
        let writer = Writer::new(journals.inner.clone());
        (journals, writer)
    }

    /// A new process writes all there is.
    pub(super) async fn write_all(&self) -> Journals {
        let (journals, mut writer) = self.writer(&Fate::never());
        while writer.round().await.unwrap() {}
        journals
    }

    /// The inventory of a bucket, as a process keeps it.
    pub(super) fn inventory(&self, journals: &Journals, bucket: &str) -> Inventory {
        Inventory::new(journals.inner.clone(), journals.get(bucket).unwrap().0)
    }

    /// A new process writes all there is, and takes it over into the inventory.
    pub(super) async fn settle(&self, bucket: &str) -> Journals {
        let (journals, mut writer) = self.writer(&Fate::never());
        loop {
            while writer.round().await.unwrap() {}
            let before = journals.get(bucket).unwrap().0.backfill();
            while self.inventory(&journals, bucket).step().await.unwrap() {}
            // It may have been asked to begin anew.
            if journals.get(bucket).unwrap().0.backfill() == before {
                writer.round().await.unwrap();
                return journals;
            }
        }
    }

    /// The files of an inventory and the rows of each.
    pub(super) async fn shelves(&self, bucket: &str) -> Vec<(String, Vec<Entry>)> {
        let table = self.table(bucket, Kind::Inventory).await;
        let mut all = Vec::new();
        for (path, size_bytes) in contents(&self.tables(), &table).await.unwrap() {
            let read: Vec<Vec<Entry>> =
                rows(&self.tables(), &path, size_bytes).await.unwrap().try_collect().await.unwrap();
            all.push((path, read.concat()));
        }
        all
    }

    /// The inventory has the objects there are, in the order of their keys, and each says what the object is.
    pub(super) async fn check_inventory(&self, bucket: &str, about: &str) {
        let rows: Vec<Entry> = self.shelves(bucket).await.into_iter().flat_map(|(_, rows)| rows).collect();
        let truth = self.truth.lock().unwrap();
        let there = &truth.buckets[bucket].1;
        let keys: Vec<&String> = rows.iter().map(|row| &row.key).collect();
        assert_eq!(keys, there.keys().collect::<Vec<_>>(), "{about}");
        assert!(rows.iter().all(|row| is_same(&row.state, &there[&row.key])), "{about}");
    }

    pub(super) fn tables(&self) -> Tables {
        let stores = Arc::new(Buckets { disks: self.disks.clone(), fate: Fate::never() });
        Tables::new(self.catalog.clone(), stores)
    }

    pub(super) async fn table(&self, bucket: &str, kind: Kind) -> Table {
        self.tables().ensure(bucket, kind).await.unwrap()
    }

    /// The rows of the live files of a table, file by file in the order they were committed.
    pub(super) async fn batches(&self, bucket: &str, kind: Kind) -> Vec<RecordBatch> {
        let table = self.table(bucket, kind).await;
        let mut live = self.tables().live(&table).await.unwrap();
        live.sort_by_key(|file| (file.sequence_number, file.path().to_owned()));
        let mut all = Vec::new();
        for file in live {
            let (warehouse, path) = crate::files::split(file.path()).unwrap();
            let store = self.disks.buckets.lock().unwrap()[warehouse].clone();
            let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
            let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
            let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
            assert_eq!(rows, file.file().record_count());
            all.extend(batches);
        }
        all
    }

    /// What a journal tells, in the order of its rows.
    pub(super) async fn journal(&self, bucket: &str) -> Vec<Told> {
        let batches = self.batches(bucket, Kind::Journal).await;
        batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| row_of(batch, row))).collect()
    }

    /// What the journal of a bucket must tell.
    pub(super) fn expected(&self, bucket: &str) -> BTreeSet<Told> {
        let truth = self.truth.lock().unwrap();
        let own = truth.told.iter().filter(|(_, change)| change.bucket == bucket);
        own.map(|(set, change)| expected(*set, change)).collect()
    }

    /// Each change of the bucket is told once, and those of a key in order.
    pub(super) async fn check_journal(&self, bucket: &str, about: &str) {
        let told = self.journal(bucket).await;
        let set: BTreeSet<Told> = told.iter().cloned().collect();
        assert_eq!(set.len(), told.len(), "a change is told twice: {about}");
        assert_eq!(set, self.expected(bucket), "{about}");
        for batch in self.batches(bucket, Kind::Journal).await {
            let mut last: BTreeMap<String, String> = BTreeMap::new();
            for (_, key, sequence, ..) in (0..batch.num_rows()).map(|row| row_of(&batch, row)) {
                let before = last.insert(key.clone(), sequence.clone());
                assert!(before.is_none_or(|before| before < sequence), "order of {key}: {about}");
            }
        }
    }

    /// Commits to a table as a client does.
    pub(super) async fn update(&self, bucket: &str, kind: Kind, updates: serde_json::Value) {
        let updates = serde_json::from_value(updates).unwrap();
        let change = TableChange { ident: name(bucket, kind), requirements: Vec::new(), updates };
        self.catalog.commit(Request::CommitTables(vec![change])).await.unwrap();
    }
}

pub(super) fn name(bucket: &str, kind: Kind) -> TableIdent {
    ident(bucket, kind).unwrap()
}

pub(super) fn author() -> Author {
    Author { key: None, fingerprint: None }
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>().clone();
    (!arrow_array::Array::is_null(&column, row)).then(|| column.value(row).to_owned())
}

fn row_of(batch: &RecordBatch, row: usize) -> Told {
    let size = batch.column_by_name("size").unwrap().as_primitive::<Int64Type>();
    let size = (!arrow_array::Array::is_null(size, row)).then(|| size.value(row));
    let at = batch.column_by_name("record_timestamp").unwrap().as_primitive::<TimestampMicrosecondType>();
    let text = |name| text(batch, name, row);
    let (bucket, key) = (text("bucket").unwrap(), text("key").unwrap());
    let (sequence, kind) = (text("sequence_number").unwrap(), text("record_type").unwrap());
    (bucket, key, sequence, kind, size, text("e_tag"), Some(at.value(row)))
}

fn expected(set: usize, change: &Change) -> Told {
    let (kind, state) = match &change.changed {
        Changed::Created(state) => ("CREATE", Some(state)),
        Changed::Updated(state) => ("UPDATE_METADATA", Some(state)),
        Changed::Deleted => ("DELETE", None),
    };
    let (size, etag) = (state.map(|state| state.size as i64), state.map(|state| state.etag.to_string()));
    let number = sequence_number(set, change.sequence);
    (change.bucket.clone(), change.key.clone(), number, kind.into(), size, etag, Some(change.at_ms * 1000))
}
