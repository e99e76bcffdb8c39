//! The writer of all journals: in rounds it reads what changed, appends to each table what is its, and forgets what all
//! tables have (J1-J4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use tarn_catalog::metadata::Snapshot;
use uuid::Uuid;

use super::append::Batch;
use super::changes::{Change, ChangeLogError};
use super::holds::Hold;
use super::settings::{self, Journal};
use super::status::State;
use super::table::{Kind, Table, TableError, WATERMARK};
use super::watermark::Watermark;
use super::{Inner, now_ms, refill};

/// Changes asked for at a time.
const READ_MAX: usize = 10_000;

/// Writes the tables of changes.
pub(super) struct Writer {
    inner: Arc<Inner>,
    lanes: BTreeMap<String, Lane>,
    /// What was read when there was no journal.
    passed: Watermark,
    forgotten: Watermark,
    /// The set that a round begins with: a busy one does not keep the others waiting.
    turn: usize,
}

/// The table of a bucket.
struct Lane {
    epoch: Uuid,
    /// How far the table says it is.
    told: Watermark,
    /// How far it is: changes that were read up to here and are not in it are of other buckets.
    at: Watermark,
    watched: Instant,
    expired: Option<Instant>,
    notice: Option<String>,
}

/// What was read in a round.
struct Round {
    through: Watermark,
    changes: BTreeMap<String, Vec<(usize, Change)>>,
    /// Watched buckets that have no journal.
    strays: BTreeSet<String>,
    is_full: bool,
}

impl Writer {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        let start = Watermark::start(inner.log.sets());
        Self { inner, lanes: BTreeMap::new(), passed: start.clone(), forgotten: start, turn: 0 }
    }

    /// Writes what there is, up to the limits of a batch; whether there may be more right now.
    pub(super) async fn round(&mut self) -> Result<bool, ChangeLogError> {
        let Some(journals) = settings::all(&self.inner.catalog) else { return Ok(false) };
        self.lanes.retain(|bucket, lane| {
            journals.iter().any(|journal| journal.bucket == *bucket && journal.epoch == lane.epoch)
        });
        self.inner.lock().retain(|bucket, _| journals.iter().any(|journal| journal.bucket == *bucket));
        let mut failed = BTreeSet::new();
        for journal in &journals {
            if !self.open(journal).await {
                failed.insert(journal.bucket.clone());
            }
        }
        let Round { through, changes, strays, is_full } = self.read(&journals, &failed).await?;
        let mut is_behind = is_full;
        for journal in journals.iter().filter(|journal| !failed.contains(&journal.bucket)) {
            let own = changes.get(&journal.bucket).map(Vec::as_slice).unwrap_or_default();
            is_behind |= self.write(journal, own, &through).await;
        }
        if journals.is_empty() {
            self.passed = self.passed.highest(&through);
        }
        for bucket in strays {
            match self.inner.log.watch(&bucket, false).await {
                Ok(_) | Err(ChangeLogError::NoSuchBucket(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.forget().await?;
        Ok(is_behind)
    }

    /// Makes the table of a journal if it is not there, and learns how far it is. Whether it can be written to.
    async fn open(&mut self, journal: &Journal) -> bool {
        let again = self.inner.settings.watch_again;
        if self.lanes.get(&journal.bucket).is_some_and(|lane| lane.watched.elapsed() < again) {
            return true;
        }
        let gone = match self.watch(journal).await {
            Ok(()) => None,
            // Changes from before it was deleted are still to be written.
            Err(error @ ChangeLogError::NoSuchBucket(_)) => Some(error.to_string()),
            Err(error @ ChangeLogError::Store(_)) => {
                self.inner.tell(journal, Kind::Journal, |status| status.failed(error.to_string()));
                return false;
            }
        };
        let sets = self.inner.log.sets();
        let opened = self.inner.tables.ensure(&journal.bucket, Kind::Journal).await;
        let opened = opened.and_then(|table| Ok((table.watermark(sets)?, table)));
        let (told, table) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.failed(journal, &error);
                return false;
            }
        };
        let notice = moved_back(&table, &told);
        if let Some(lane) = self.lanes.get_mut(&journal.bucket) {
            lane.watched = Instant::now();
            lane.learn(told);
            lane.notice = lane.notice.take().or(notice);
        } else {
            let (at, watched) = (told.clone(), Instant::now());
            let lane = Lane { epoch: journal.epoch, told, at, watched, expired: None, notice };
            self.lanes.insert(journal.bucket.clone(), lane);
        }
        let notice = self.lanes.get(&journal.bucket).and_then(|lane| lane.notice.clone());
        self.inner.tell(journal, Kind::Journal, |status| {
            status.state = if gone.is_none() { State::Active } else { State::Failed };
            status.reason = gone;
            status.table_uuid = table.loaded.metadata.uuid().map(|uuid| uuid.to_string());
            status.rows = table.rows();
            status.notice = notice;
        });
        self.expire(journal, &table).await;
        true
    }

    /// Asks for the changes of the bucket. One that was not watched was made anew: what is in it a scan tells.
    async fn watch(&self, journal: &Journal) -> Result<(), ChangeLogError> {
        let bucket = &journal.bucket;
        let was_watched = self.inner.log.watch(bucket, true).await?;
        if !was_watched && journal.inventory && self.lanes.contains_key(bucket) {
            let begun = refill(&self.inner.catalog, bucket).await;
            begun.map_err(|error| ChangeLogError::Store(Box::new(error)))?;
        }
        Ok(())
    }

    /// Reads behind the table that is the furthest behind.
    async fn read(
        &mut self,
        journals: &[Journal],
        failed: &BTreeSet<String>,
    ) -> Result<Round, ChangeLogError> {
        let inner = self.inner.clone();
        let ready =
            self.lanes.iter().filter(|(bucket, _)| !failed.contains(*bucket)).map(|(_, lane)| &lane.at);
        let from = ready.cloned().reduce(|one, other| one.lowest(&other));
        let through = from.unwrap_or_else(|| self.passed.clone());
        let mut round = Round { through, changes: BTreeMap::new(), strays: BTreeSet::new(), is_full: false };
        let (mut rows, mut bytes) = (0, 0);
        let sets = inner.log.sets();
        for set in (0..sets).map(|number| (number + self.turn) % sets) {
            loop {
                if rows >= inner.settings.batch_rows || bytes >= inner.settings.batch_bytes {
                    (round.is_full, self.turn) = (true, set);
                    return Ok(round);
                }
                let limit = READ_MAX.min(inner.settings.batch_rows - rows);
                let some = inner.log.changes(set, round.through.at(set), limit).await?;
                let (count, last) = (some.len(), some.last().map(|change| change.sequence));
                for change in some {
                    let Some(lane) = self.lanes.get(&change.bucket) else {
                        if !journals.iter().any(|journal| journal.bucket == change.bucket) {
                            round.strays.insert(change.bucket);
                        }
                        continue;
                    };
                    if change.sequence > lane.at.at(set) && !failed.contains(&change.bucket) {
                        rows += 1;
                        bytes += size(&change);
                        round.changes.entry(change.bucket.clone()).or_default().push((set, change));
                    }
                }
                match last {
                    Some(last) => round.through.advance(set, last),
                    None => break,
                }
                if count < limit {
                    break;
                }
            }
        }
        Ok(round)
    }

    /// Appends to the table of a journal; whether it has to be read for again.
    async fn write(&mut self, journal: &Journal, changes: &[(usize, Change)], through: &Watermark) -> bool {
        let Some(lane) = self.lanes.get_mut(&journal.bucket) else { return false };
        if changes.is_empty() {
            lane.at = lane.at.highest(through);
            self.inner.tell(journal, Kind::Journal, |status| {
                (status.lag_seconds, status.waiting_changes) = (0, 0);
            });
            return false;
        }
        let oldest_ms = changes.iter().map(|(_, change)| change.at_ms).min().unwrap_or_default();
        let to = lane.at.highest(through);
        let batch = Batch {
            bucket: &journal.bucket,
            changes,
            from: &lane.told,
            to: &to,
            notice: lane.notice.as_deref(),
        };
        match self.inner.tables.append(&batch).await {
            Ok(table) => {
                (lane.told, lane.at) = (to.clone(), to);
                let rows = changes.len() as u64;
                count(&journal.bucket, "tarn_journal_rows_total", rows);
                count(&journal.bucket, "tarn_journal_commits_total", 1);
                self.inner.tell(journal, Kind::Journal, |status| {
                    (status.state, status.reason) = (State::Active, None);
                    (status.lag_seconds, status.waiting_changes) = (0, 0);
                    status.rows = table.rows();
                    status.rows_written += rows;
                    status.commits += 1;
                    status.last_commit_ms = Some(now_ms());
                });
                self.inner.tell(journal, Kind::Inventory, |status| status.waiting_changes += rows);
                false
            }
            Err(error) => {
                // J2: how far the table is, only the table tells.
                self.lanes.remove(&journal.bucket);
                let is_moved = matches!(error, TableError::Moved(_));
                self.failed(journal, &error);
                self.inner.tell(journal, Kind::Journal, |status| {
                    status.lag_seconds = now_ms().saturating_sub(oldest_ms).max(0).unsigned_abs() / 1000;
                    status.waiting_changes = changes.len() as u64;
                });
                is_moved
            }
        }
    }

    fn failed(&self, journal: &Journal, error: &TableError) {
        count(&journal.bucket, "tarn_journal_errors_total", 1);
        let source = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(bucket = %journal.bucket, %error, source, "a journal was not written");
        self.inner.tell(journal, Kind::Journal, |status| status.failed(error.to_string()));
    }

    /// Forgets what every table has (J3). A journal that came while the round was reading is seen here, for none of its
    /// changes is older than its settings.
    async fn forget(&mut self) -> Result<(), ChangeLogError> {
        let Some(journals) = settings::all(&self.inner.catalog) else { return Ok(()) };
        let mut line = journals.is_empty().then(|| self.passed.clone());
        for journal in &journals {
            let lane = self.lanes.get(&journal.bucket).filter(|lane| lane.epoch == journal.epoch);
            let Some(lane) = lane else { return Ok(()) };
            let held = match journal.inventory {
                true => match self.inner.holds.of(journal) {
                    Some(Hold::From(held)) => lane.at.lowest(&held),
                    Some(Hold::Free) => lane.at.clone(),
                    None => return Ok(()),
                },
                false => lane.at.clone(),
            };
            line = Some(line.map_or(held.clone(), |line| line.lowest(&held)));
        }
        let Some(line) = line.map(|line| self.inner.holds.below(line)) else { return Ok(()) };
        for (set, through) in line.iter() {
            if through > self.forgotten.at(set) {
                self.inner.log.forget(set, through).await?;
                self.forgotten.advance(set, through);
            }
        }
        Ok(())
    }

    /// Takes rows out that are older than they shall be, once in a while.
    async fn expire(&mut self, journal: &Journal, table: &Table) {
        let Some(days) = journal.record_expiration_days else { return };
        let Some(lane) = self.lanes.get_mut(&journal.bucket) else { return };
        let every = self.inner.settings.expire_every;
        if lane.expired.is_some_and(|expired| expired.elapsed() < every) {
            return;
        }
        lane.expired = Some(Instant::now());
        if let Err(error) = self.inner.tables.expire_rows(table, days, now_ms()).await {
            count(&journal.bucket, "tarn_journal_errors_total", 1);
            tracing::warn!(bucket = %journal.bucket, %error, "old rows of a journal were not taken out");
        }
    }
}

impl Lane {
    /// Takes over how far the table says it is, if that is not what was believed.
    fn learn(&mut self, told: Watermark) {
        if told != self.told {
            (self.told, self.at) = (told.clone(), told);
        }
    }
}

/// Whether somebody moved the table back: a snapshot of it is further than its property says, or its last snapshot of
/// changes does not lie behind main any more.
pub(super) fn moved_back(table: &Table, told: &Watermark) -> Option<String> {
    let metadata = &table.loaded.metadata;
    let sets = told.iter().count();
    let of = |snapshot: &Snapshot| Watermark::parse(snapshot.summary().get(WATERMARK)?, sets);
    let ahead = metadata.snapshots().find(|one| of(one).is_some_and(|mark| mark.is_ahead_of(told)));
    let last = ahead.or_else(|| {
        let as_far = |one: &Snapshot| of(one).as_ref() == Some(told);
        let last = metadata.snapshots().find(|one| as_far(one))?;
        let mut at = metadata.current_snapshot();
        while let Some(snapshot) = at {
            if as_far(snapshot) {
                return None;
            }
            at = snapshot.parent_id().and_then(|id| metadata.snapshot(id));
        }
        Some(last)
    })?;
    let last = last.id();
    Some(format!("the table was moved back behind snapshot {last}: rows up to there are not in it any more"))
}

/// About how many bytes a change has in memory.
fn size(change: &Change) -> usize {
    use super::changes::Changed;
    let pairs = match &change.changed {
        Changed::Created(state) | Changed::Updated(state) => {
            let pairs = state.attributes.user_metadata.iter().chain(&state.attributes.tags);
            pairs.map(|(name, value)| 48 + name.len() + value.len()).sum()
        }
        Changed::Deleted => 0,
    };
    256 + change.bucket.len() + change.key.len() + pairs
}

fn count(bucket: &str, name: &'static str, by: u64) {
    metrics::counter!(name, "bucket" => bucket.to_owned()).increment(by);
}
