//! One task for each inventory, as long as its journal is the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::Inventory;
use crate::journal::holds::Hold;
use crate::journal::settings::{self, Journal};
use crate::journal::table::Kind;
use crate::journal::{Inner, told};
use crate::scan::ScanError;

/// Keeps all inventories until it is told to stop.
pub(in crate::journal) async fn keep(inner: Arc<Inner>) {
    let (mut stop, mut wake) = (inner.stop.subscribe(), inner.wake.subscribe());
    let turns = Arc::new(Semaphore::new(inner.settings.at_once.max(1)));
    let mut working: BTreeMap<String, (String, AbortHandle)> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    loop {
        wake.mark_unchanged();
        if let Some(journals) = settings::all(&inner.catalog) {
            follow(&inner, &turns, journals, &mut working, &mut tasks);
        }
        tokio::select! {
            () = told(&mut stop) => break,
            _ = wake.changed() => {}
            () = tokio::time::sleep(inner.settings.every) => {}
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    tracing::error!(%error, "the inventory of a bucket panicked");
                    working.retain(|_, (_, task)| !task.is_finished());
                }
            }
        }
    }
    tasks.shutdown().await;
}

/// Ends tasks whose inventory is off or begins anew, and begins those that are missing.
fn follow(
    inner: &Arc<Inner>,
    turns: &Arc<Semaphore>,
    journals: Vec<Journal>,
    working: &mut BTreeMap<String, (String, AbortHandle)>,
    tasks: &mut JoinSet<()>,
) {
    let wanted: BTreeMap<String, Journal> = journals
        .into_iter()
        .filter(|journal| journal.inventory)
        .map(|journal| (journal.bucket.clone(), journal))
        .collect();
    inner.holds.retain(|bucket| wanted.contains_key(bucket));
    working.retain(|bucket, (backfill, task)| {
        let same = wanted.get(bucket).is_some_and(|journal| journal.backfill() == *backfill);
        if !same {
            task.abort();
        }
        same
    });
    for (bucket, journal) in wanted {
        if working.contains_key(&bucket) {
            continue;
        }
        let backfill = journal.backfill();
        let task = tasks.spawn(one(inner.clone(), turns.clone(), journal));
        working.insert(bucket, (backfill, task));
    }
}

/// Keeps the inventory of one bucket.
async fn one(inner: Arc<Inner>, turns: Arc<Semaphore>, journal: Journal) {
    let mut inventory = Inventory::new(inner.clone(), journal.clone());
    loop {
        let Ok(turn) = turns.acquire().await else { return };
        let step = inventory.step().await;
        drop(turn);
        let pause = match step {
            Ok(true) => continue,
            Ok(false) => inner.settings.refresh,
            Err(error) => {
                if let super::LiveError::Scan(ScanError::NoSuchBucket(_)) = error {
                    inner.holds.set(&journal, Hold::Free);
                }
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(bucket = %journal.bucket, %error, source, "an inventory was not kept");
                metrics::counter!("tarn_journal_errors_total", "bucket" => journal.bucket.clone())
                    .increment(1);
                inner.tell(&journal, Kind::Inventory, |status| status.failed(error.to_string()));
                inner.settings.watch_again
            }
        };
        let until = Instant::now() + pause;
        while Instant::now() < until {
            tokio::time::sleep(inner.settings.every.min(pause)).await;
            // The store keeps all that waits here.
            if inner.waiting(&journal) >= inner.settings.refresh_keys as u64 || inner.take_asked(&journal) {
                break;
            }
        }
    }
}
