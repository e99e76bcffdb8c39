//! Reconciliation as a kind of job: the objects there are at one moment, compared with what the inventory and the changes
//! behind it say of that moment. Nothing that differs is the proof that no change was lost.
//!
//! - Q1: what is compared is of the same changes exactly: those that the scan's moment has.
//! - Q2: both sides are read in the order of keys: a bounded number of rows is in memory, and the changes behind the
//!   inventory, up to [`CHANGED_KEYS_MAX`] keys.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tarn_catalog::state::Expect;
use tarn_openapi::access::{Action, Resource};

use super::live::LiveError;
use super::live::delta::{Delta, delta};
use super::live::entries::{Entry, is_same, scanned};
use super::live::files::{contents, rows};
use super::live::{Change, entry};
use super::table::{BACKFILL, Kind, TableError};
use super::watermark::Watermark;
use super::{Inner, Journals, RECONCILED, Reconciled, now_ms, settings};
use crate::jobs::{Author, Context, Ended, InvalidSpec, Progress, Rights, Work, WorkError};
use crate::scan::{Depth, Point, Scan, ScanOptions};

/// The kind of these jobs.
pub const KIND: &str = "reconcile";
/// Keys that changed since the inventory was refreshed, in memory.
const CHANGED_KEYS_MAX: usize = 1_000_000;
/// Rows told one by one.
const TOLD_MAX: usize = 1_000;

/// Compares inventories with the objects there are.
pub struct Reconcile {
    journals: Journals,
    rights: Arc<dyn Rights>,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    bucket: String,
    /// Whether the inventory begins anew when something differs.
    #[serde(default)]
    repair: bool,
}

/// How a key differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Drift {
    Missing,
    Extra,
    Different,
}

/// What the tables say, in the order of keys.
struct Told<'a> {
    inner: &'a Inner,
    /// Files that are not begun.
    files: VecDeque<(String, u64)>,
    open: Option<BoxStream<'static, Result<Vec<Entry>, LiveError>>>,
    rows: VecDeque<Entry>,
    last: Option<String>,
    changed: std::iter::Peekable<std::collections::btree_map::IntoIter<String, Change>>,
}

/// What there is, in the order of keys.
struct There {
    scan: Box<dyn Scan>,
    rows: VecDeque<Entry>,
}

impl Reconcile {
    /// Reconciliations of `journals`, with the rights that authors have.
    pub fn new(journals: Journals, rights: Arc<dyn Rights>) -> Self {
        Self { journals, rights }
    }
}

#[async_trait]
impl Work for Reconcile {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn check(&self, spec: &Value, author: &Author) -> Result<Value, InvalidSpec> {
        let field = |at: &str, message: String| InvalidSpec::Field { at: at.into(), message };
        let spec: Spec =
            serde_json::from_value(spec.clone()).map_err(|error| field("spec", error.to_string()))?;
        let Some((journal, _)) = settings::read(&self.journals.inner.catalog, &spec.bucket) else {
            return Err(InvalidSpec::Missing(format!("bucket: '{}' has no journal", spec.bucket)));
        };
        if !journal.inventory {
            let message =
                format!("the journal of '{}' has no inventory: it can be put with one", spec.bucket);
            return Err(field("bucket", message));
        }
        may(&*self.rights, author, &spec.bucket).map_err(InvalidSpec::Denied)?;
        serde_json::to_value(&spec).map_err(|error| field("spec", error.to_string()))
    }

    async fn run(&self, context: &Context) -> Result<Value, WorkError> {
        let spec: Spec = serde_json::from_value(context.definition.spec.clone()).map_err(|error| {
            WorkError::Fatal("the specification cannot be read".into(), Some(error.into()))
        })?;
        may(&*context.rights, &context.definition.author, &spec.bucket)
            .map_err(|message| WorkError::Fatal(message, None))?;
        let inner = &*self.journals.inner;
        let (found, told) = compare(inner, context, &spec.bucket).await?;
        let drift = found.missing + found.extra + found.different;
        metrics::gauge!("tarn_journal_drift_rows", "bucket" => spec.bucket.clone()).set(drift as f64);
        let json = json!(found).to_string();
        let kept = inner.catalog.put_document(RECONCILED, &spec.bucket, &json, Expect::Any).await;
        kept.map_err(|error| {
            WorkError::Retry("what was found could not be kept".into(), Some(error.into()))
        })?;
        let repairs = spec.repair && drift > 0;
        if repairs {
            let begun = self.journals.refill(&inner.catalog, &spec.bucket).await;
            begun.map_err(|error| {
                WorkError::Retry("the inventory could not begin anew".into(), Some(error.into()))
            })?;
        }
        let told: Vec<Value> =
            told.iter().map(|(key, drift)| json!({ "key": key, "drift": drift })).collect();
        Ok(json!({ "bucket": spec.bucket, "drift": drift, "found": found, "keys": told, "repairs": repairs }))
    }

    async fn discard(&self, _: &Context, _: Ended) -> Result<(), WorkError> {
        Ok(())
    }
}

/// Whoever compares learns of all keys of the bucket.
fn may(rights: &dyn Rights, author: &Author, bucket: &str) -> Result<(), String> {
    match rights.may(author, Action::ListBucket, Resource::Listing(bucket, "")) {
        true => Ok(()),
        false => Err(format!("the author has no right {} to s3://{bucket}/", Action::ListBucket.name())),
    }
}

async fn compare(
    inner: &Inner,
    context: &Context,
    bucket: &str,
) -> Result<(Reconciled, Vec<(String, Drift)>), WorkError> {
    let later = |message: &str| WorkError::Retry(message.to_owned(), None);
    let Some((journal, _)) = settings::read(&inner.catalog, bucket) else {
        return Err(WorkError::Fatal(format!("bucket '{bucket}' has no journal"), None));
    };
    // Before the table is looked at: what it does not have then stays.
    let held = inner.holds.read(bucket).ok_or_else(|| later("the inventory is not filled yet"))?;
    let table = inner.tables.ensure(bucket, Kind::Inventory).await.map_err(LiveError::from)?;
    if table.property(BACKFILL) != Some(&journal.backfill()) {
        return Err(later("the inventory is not filled yet"));
    }
    let from = table.watermark(inner.log.sets()).map_err(LiveError::from)?;
    let options =
        ScanOptions { point: Point::Consistent, depth: Depth::Attributes, ..ScanOptions::default() };
    let scan = inner.scans.scan(bucket, &options).await.map_err(LiveError::from)?;
    let until = Watermark::of(scan.sequences(), inner.log.sets()).ok_or(LiveError::NoSequences)?;
    // Q1.
    let delta = delta(&*inner.log, bucket, &from, Some(&until), CHANGED_KEYS_MAX).await;
    let delta: Delta = delta.map_err(LiveError::from)?;
    if delta.is_full {
        return Err(later("too many changes wait for the inventory: refresh it first"));
    }
    let files = contents(&inner.tables, &table).await?;
    let changed = delta.keys.into_iter().peekable();
    let told = Told { inner, files, open: None, rows: VecDeque::new(), last: None, changed };
    let there = There { scan, rows: VecDeque::new() };
    let found = join(context, told, there).await?;
    drop(held);
    Ok(found)
}

async fn join(
    context: &Context,
    mut told: Told<'_>,
    mut there: There,
) -> Result<(Reconciled, Vec<(String, Drift)>), WorkError> {
    let mut found = Reconciled { at_ms: now_ms(), ..Reconciled::default() };
    let mut keys = Vec::new();
    let (mut row, mut object) = (told.next().await?, there.next(context).await?);
    loop {
        let order = match (&row, &object) {
            (None, None) => return Ok((found, keys)),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(row), Some(object)) => row.key.cmp(&object.key),
        };
        let drift = match (order, &row, &object) {
            (std::cmp::Ordering::Less, _, _) => Some(Drift::Extra),
            (std::cmp::Ordering::Greater, _, _) => Some(Drift::Missing),
            (std::cmp::Ordering::Equal, Some(row), Some(object)) if is_same(&row.state, &object.state) => {
                None
            }
            (std::cmp::Ordering::Equal, _, _) => Some(Drift::Different),
        };
        if let Some(drift) = drift {
            *match drift {
                Drift::Missing => &mut found.missing,
                Drift::Extra => &mut found.extra,
                Drift::Different => &mut found.different,
            } += 1;
            Progress::add(&context.progress.matched, 1);
            let key = if drift == Drift::Missing { &object } else { &row };
            if let Some(key) = key
                && keys.len() < TOLD_MAX
            {
                keys.push((key.key.clone(), drift));
            }
        }
        found.objects += u64::from(order != std::cmp::Ordering::Less);
        if order != std::cmp::Ordering::Greater {
            row = told.next().await?;
        }
        if order != std::cmp::Ordering::Less {
            object = there.next(context).await?;
        }
    }
}

impl There {
    async fn next(&mut self, context: &Context) -> Result<Option<Entry>, WorkError> {
        while self.rows.is_empty() {
            let Some(objects) = self.scan.next().await.map_err(LiveError::from)? else { return Ok(None) };
            let count = objects.len() as u64;
            context.pace(count, 0).await?;
            Progress::add(&context.progress.scanned, count);
            self.rows = scanned(&objects, "").into();
        }
        Ok(self.rows.pop_front())
    }
}

impl Told<'_> {
    /// The next row: of the table, unless the key changed since.
    async fn next(&mut self) -> Result<Option<Entry>, LiveError> {
        loop {
            self.fill().await?;
            let row = self.rows.front().map(|row| &row.key);
            let changed = self.changed.peek().map(|(key, _)| key);
            let takes_change = match (row, changed) {
                (None, None) => return Ok(None),
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some(row), Some(changed)) => changed <= row,
            };
            if !takes_change {
                return Ok(self.rows.pop_front());
            }
            let Some((key, change)) = self.changed.next() else { continue };
            if self.rows.front().is_some_and(|row| row.key == key) {
                self.rows.pop_front();
            }
            if let Some(entry) = entry(&key, &change) {
                return Ok(Some(entry));
            }
        }
    }

    async fn fill(&mut self) -> Result<(), LiveError> {
        while self.rows.is_empty() {
            let Some(open) = &mut self.open else {
                let Some((path, size_bytes)) = self.files.pop_front() else { return Ok(()) };
                self.open = Some(rows(&self.inner.tables, &path, size_bytes).await?);
                continue;
            };
            let Some(some) = open.try_next().await? else {
                self.open = None;
                continue;
            };
            for row in &some {
                if self.last.as_ref().is_some_and(|last| *last >= row.key) {
                    return Err(LiveError::Order(row.key.clone()));
                }
                self.last = Some(row.key.clone());
            }
            self.rows = some.into();
        }
        Ok(())
    }
}

impl From<LiveError> for WorkError {
    fn from(error: LiveError) -> Self {
        let message = error.to_string();
        match error {
            LiveError::Order(_) | LiveError::Deletes | LiveError::Unread(_) => Self::Fatal(message, None),
            LiveError::Table(TableError::Unfit { .. }) => Self::Fatal(message, None),
            LiveError::Table(_)
            | LiveError::Log(_)
            | LiveError::Scan(_)
            | LiveError::NoSequences
            | LiveError::Parquet(_)
            | LiveError::Refill(_) => Self::Retry(message, Some(Box::new(error))),
        }
    }
}
