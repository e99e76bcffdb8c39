//! The journal of a bucket: a table of every change to its objects, and one of the objects there are.
//!
//! The object core is not seen from here: the binary implements [`ChangeLog`] over it.
//!
//! - J1: a change of a bucket is one row of its journal's table, whatever is killed or fails when. Rows of one key
//!   have the order of their sequences, never of their times, and lie in it in each file.
//! - J2: how far a table is stands in its properties, set by the commit that adds the rows. A commit requires that the
//!   table is as far as its writer believes: of two writers one fails, and after an unknown outcome the table is asked.
//! - J3: changes are forgotten only when every table and every reader has them, seen after they were read.
//! - J4: a table that cannot be written to keeps changes, delays none of the others, and says why.
//! - J5: the rows of an inventory are the objects of one moment: a scan of a moment, and the changes behind it up to its
//!   watermark, merged by the order of their sequences.
//!
//! Who takes rows out of a table, or moves it back, has them out: a journal is never written twice to make good for it,
//! an inventory that others wrote to begins anew.

mod append;
mod changes;
mod columns;
mod expiry;
mod holds;
mod live;
mod reconcile;
mod rows;
mod settings;
mod snapshot;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod watermark;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tarn_catalog::state::{Conflict, Expect};
use tarn_catalog::{Catalog, CommitError, WarehouseError, WarehouseStores};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

pub use self::changes::{Change, ChangeLog, ChangeLogError, Changed, Origin, State};
use self::holds::Holds;
pub use self::reconcile::{KIND as RECONCILE, Reconcile};
use self::settings::KIND;
pub use self::settings::{InvalidJournal, Journal, NewJournal};
pub use self::status::{JournalStatus, State as TableState, TableStatus};
use self::table::{Kind, Tables, ident};
use self::writer::Writer;
use crate::jobs::Author;
use crate::scan::ObjectScan;

/// The kind of documents of what reconciliations found; their ids are the buckets.
const RECONCILED: &str = "journal-reconciled";

/// The journals of buckets. Cheap to clone.
#[derive(Clone)]
pub struct Journals {
    inner: Arc<Inner>,
}

/// What journals work with.
pub struct Parts {
    /// What changes.
    pub log: Arc<dyn ChangeLog>,
    /// What there is.
    pub scans: Arc<dyn ObjectScan>,
    /// Where the tables lie.
    pub stores: Arc<dyn WarehouseStores>,
    /// The catalog, in the name of the journals.
    pub catalog: Catalog,
    /// Limits.
    pub settings: JournalSettings,
}

/// Limits of journals, each with its unit.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// How often changes are written.
    pub every: Duration,
    /// Rows of a round, at most about.
    pub batch_rows: usize,
    /// Bytes of a round in memory, about.
    pub batch_bytes: usize,
    /// How often buckets are asked for whether they are still watched, and tables for whether they are as they were.
    pub watch_again: Duration,
    /// How often old rows are taken out.
    pub expire_every: Duration,
    /// How often an inventory takes over what changed.
    pub refresh: Duration,
    /// Keys that one refresh takes over; more are left to the next, which follows at once.
    pub refresh_keys: usize,
    /// Rows of a file of an inventory.
    pub file_rows: usize,
    /// Inventories that are filled or refreshed at a time.
    pub at_once: usize,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(10),
            batch_rows: 50_000,
            batch_bytes: 32 << 20,
            watch_again: Duration::from_secs(60),
            expire_every: Duration::from_secs(3600),
            refresh: Duration::from_secs(3600),
            refresh_keys: 200_000,
            file_rows: 500_000,
            at_once: 2,
        }
    }
}

/// What a reconciliation found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    /// When it was, in milliseconds since 1970.
    pub at_ms: i64,
    /// Objects there are.
    pub objects: u64,
    /// Objects that the tables do not have.
    pub missing: u64,
    /// Rows of objects that are not there.
    pub extra: u64,
    /// Rows that say something else than the object.
    pub different: u64,
}

/// A journal was not put, changed, shown or deleted.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Something is not allowed.
    #[error(transparent)]
    Invalid(#[from] InvalidJournal),
    /// There is no such bucket.
    #[error("there is no bucket '{0}'")]
    NoSuchBucket(String),
    /// The bucket has no journal.
    #[error("bucket '{0}' has no journal")]
    Missing(String),
    /// Somebody else changed it meanwhile.
    #[error("the journal of bucket '{0}' was changed meanwhile")]
    Changed(String),
    /// The store cannot tell changes now. The settings are kept; the writer tries again.
    #[error("the journal is kept, but changes of bucket '{bucket}' cannot be told yet")]
    Store {
        /// The bucket.
        bucket: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The catalog did not do it, or does not know.
    #[error(transparent)]
    Commit(CommitError),
}

struct Inner {
    log: Arc<dyn ChangeLog>,
    scans: Arc<dyn ObjectScan>,
    catalog: Catalog,
    tables: Tables,
    settings: JournalSettings,
    holds: Arc<Holds>,
    statuses: Mutex<BTreeMap<String, Statuses>>,
    /// Inventories that shall be refreshed at once.
    asked: Mutex<BTreeSet<String>>,
    /// Told when settings change.
    wake: watch::Sender<()>,
    stop: watch::Sender<bool>,
    running: Mutex<JoinSet<()>>,
}

/// How the tables of a journal do, if its epoch is still this.
#[derive(Default, Clone)]
struct Statuses {
    epoch: Uuid,
    journal: TableStatus,
    inventory: TableStatus,
}

impl Journals {
    /// The journals. Nothing is written before they are started.
    pub fn new(parts: Parts) -> Self {
        let Parts { log, scans, stores, catalog, settings } = parts;
        let tables = Tables::new(catalog.clone(), stores);
        let ((stop, _), (wake, _)) = (watch::channel(false), watch::channel(()));
        Self {
            inner: Arc::new(Inner {
                log,
                scans,
                catalog,
                tables,
                settings,
                holds: Arc::default(),
                statuses: Mutex::default(),
                asked: Mutex::default(),
                wake,
                stop,
                running: Mutex::default(),
            }),
        }
    }

    /// Begins to write, in the runtime that this is called in.
    pub fn start(&self) {
        let mut running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.spawn(write(self.inner.clone()));
        running.spawn(live::keep(self.inner.clone()));
    }

    /// Stops writing. What was read and is not committed is read again after the next start.
    pub async fn close(&self) {
        let _ = self.inner.stop.send(true);
        let mut running =
            std::mem::take(&mut *self.inner.running.lock().unwrap_or_else(PoisonError::into_inner));
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "the journals ended badly");
            }
        }
    }

    /// Puts the journal of a bucket, or changes it. The history of `catalog` names who asks. Every write that begins
    /// after the answer is told by it.
    pub async fn put(
        &self,
        catalog: &Catalog,
        bucket: &str,
        new: NewJournal,
        author: Author,
    ) -> Result<Journal, JournalError> {
        new.check(bucket)?;
        let not_told = |source| JournalError::Store { bucket: bucket.to_owned(), source: Box::new(source) };
        match self.inner.tables.has_bucket(bucket).await {
            Ok(true) => {}
            Ok(false) => return Err(JournalError::NoSuchBucket(bucket.to_owned())),
            Err(error @ WarehouseError::Store(_)) => return Err(not_told(error)),
            Err(_other) => return Err(JournalError::NoSuchBucket(bucket.to_owned())),
        }
        let before = settings::read(&self.inner.catalog, bucket);
        let made =
            new.over(bucket, before.as_ref().map(|(before, _)| before), author, (Uuid::new_v4(), now_ms()));
        if before.as_ref().is_none_or(|(before, _)| *before != made) {
            let expect = before.map_or(Expect::Absent, |(_, revision)| Expect::Revision(revision));
            write_down(catalog, &made, expect).await?;
        }
        // The settings come first: a change that no journal is for is forgotten (J3).
        match self.inner.log.watch(bucket, true).await {
            Ok(_) => {}
            Err(ChangeLogError::NoSuchBucket(bucket)) => return Err(JournalError::NoSuchBucket(bucket)),
            Err(ChangeLogError::Store(source)) => {
                return Err(JournalError::Store { bucket: bucket.to_owned(), source });
            }
        }
        self.inner.wake.send_replace(());
        Ok(made)
    }

    /// The journal of a bucket and how it does.
    pub fn get(&self, bucket: &str) -> Result<(Journal, JournalStatus), JournalError> {
        let (journal, _) = settings::read(&self.inner.catalog, bucket)
            .ok_or_else(|| JournalError::Missing(bucket.into()))?;
        let status = self.inner.status(&journal);
        Ok((journal, status))
    }

    /// All journals in order of their buckets, and how they do.
    pub fn list(&self) -> Vec<(Journal, JournalStatus)> {
        let buckets = self.inner.catalog.list_documents(KIND);
        buckets.iter().filter_map(|(bucket, _)| self.get(bucket).ok()).collect()
    }

    /// Deletes the journal of a bucket. Its tables stay as they are; a journal put again goes on with them.
    pub async fn delete(&self, catalog: &Catalog, bucket: &str) -> Result<(), JournalError> {
        match catalog.delete_document(KIND, bucket, Expect::Any).await {
            Ok(_) => {}
            Err(CommitError::Conflict(Conflict::NoSuchDocument { .. })) => {
                return Err(JournalError::Missing(bucket.into()));
            }
            Err(error) => return Err(JournalError::Commit(error)),
        }
        self.inner.wake.send_replace(());
        match self.inner.log.watch(bucket, false).await {
            Ok(_) | Err(ChangeLogError::NoSuchBucket(_)) => {}
            // The writer finds that it is watched for nobody, and ends it.
            Err(ChangeLogError::Store(error)) => {
                tracing::warn!(
                    bucket,
                    error = &*error,
                    "changes of a bucket without a journal are still told"
                );
            }
        }
        Ok(())
    }

    /// Asks for a refresh of the inventory of a bucket before its time.
    pub fn refresh(&self, bucket: &str) {
        self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.to_owned());
    }

    /// Begins the inventory of a bucket anew.
    pub async fn refill(&self, catalog: &Catalog, bucket: &str) -> Result<(), JournalError> {
        refill(catalog, bucket).await?;
        self.inner.wake.send_replace(());
        Ok(())
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Statuses>> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes that an inventory has not taken over, about.
    fn waiting(&self, journal: &Journal) -> u64 {
        let statuses = self.lock();
        let own = statuses.get(&journal.bucket).filter(|own| own.epoch == journal.epoch);
        own.map_or(0, |own| own.inventory.waiting_changes)
    }

    /// Whether a refresh was asked for.
    fn take_asked(&self, journal: &Journal) -> bool {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&journal.bucket)
    }

    /// Changes what is told of a table.
    fn tell(&self, journal: &Journal, kind: Kind, change: impl FnOnce(&mut TableStatus)) {
        let mut statuses = self.lock();
        let own = statuses.entry(journal.bucket.clone()).or_default();
        if own.epoch != journal.epoch {
            *own = new_statuses(journal);
        }
        let (status, metric) = match kind {
            Kind::Journal => (&mut own.journal, "tarn_journal_lag_seconds"),
            Kind::Inventory => (&mut own.inventory, "tarn_journal_inventory_lag_seconds"),
        };
        change(status);
        metrics::gauge!(metric, "bucket" => journal.bucket.clone()).set(status.lag_seconds as f64);
    }

    fn status(&self, journal: &Journal) -> JournalStatus {
        let known = self.lock().get(&journal.bucket).filter(|own| own.epoch == journal.epoch).cloned();
        let Statuses { journal: changes, inventory, .. } = known.unwrap_or_else(|| new_statuses(journal));
        let reconciled = self.catalog.get_document(RECONCILED, &journal.bucket);
        JournalStatus {
            journal: changes,
            inventory: journal.inventory.then_some(inventory),
            reconciled: reconciled.and_then(|found| serde_json::from_str(&found.json).ok()),
        }
    }
}

fn new_statuses(journal: &Journal) -> Statuses {
    let status =
        |kind| ident(&journal.bucket, kind).map(|ident| TableStatus::new(&ident)).unwrap_or_default();
    Statuses { epoch: journal.epoch, journal: status(Kind::Journal), inventory: status(Kind::Inventory) }
}

/// Writes changes down until it is told to stop.
async fn write(inner: Arc<Inner>) {
    let (mut stop, mut wake) = (inner.stop.subscribe(), inner.wake.subscribe());
    let mut writer = Writer::new(inner.clone());
    loop {
        wake.mark_unchanged();
        let round = tokio::select! {
            biased;
            () = told(&mut stop) => return,
            round = writer.round() => round,
        };
        match round {
            Ok(true) => {
                tokio::task::yield_now().await;
                continue;
            }
            Ok(false) => {}
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, source, "changes could not be read for the journals");
            }
        }
        tokio::select! {
            () = told(&mut stop) => return,
            () = tokio::time::sleep(inner.settings.every) => {}
            _ = wake.changed() => {}
        }
    }
}

async fn told(stop: &mut watch::Receiver<bool>) {
    // A closed channel: the server is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn write_down(catalog: &Catalog, journal: &Journal, expect: Expect) -> Result<(), JournalError> {
    let json = serde_json::json!(journal).to_string();
    match catalog.put_document(KIND, &journal.bucket, &json, expect).await {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {
            Err(JournalError::Changed(journal.bucket.clone()))
        }
        Err(error) => Err(JournalError::Commit(error)),
    }
}

/// Asks for a new backfill of an inventory.
async fn refill(catalog: &Catalog, bucket: &str) -> Result<(), JournalError> {
    let (mut journal, revision) =
        settings::read(catalog, bucket).ok_or_else(|| JournalError::Missing(bucket.into()))?;
    journal.backfills += 1;
    write_down(catalog, &journal, Expect::Revision(revision)).await
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
