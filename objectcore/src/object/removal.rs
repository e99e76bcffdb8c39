//! Removal of shard files: the one place that deletes them.
//!
//! - R1: only blobs that no entry names come here: of a version that a commit replaced or deleted, of an
//!   upload that ended, or of a write that was refused for certain. After a write of unknown outcome
//!   nothing is removed.
//! - R2: a version that is being read waits for its last reader (`pins.rs`).
//! - R3: what is forgotten here (the process ends, the queue is full) is found by a later sweep (`sweep.rs`). So the queue may be bounded and lives in memory.
//!
//! Removal is paced: on file systems that discard, many removals at once slow every sync after them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::pins::Pins;
use crate::core::Set;
use crate::erasure::layout::BlobId;
use crate::set::Weight;

/// Blobs to remove; more are left to the sweep.
const QUEUE_MAX: usize = 200_000;
/// Blobs removed in one go, and the pause after them.
const BATCH: usize = 16;
const PAUSE: Duration = Duration::from_millis(4);

/// Blobs that no entry names any more.
#[derive(Debug)]
pub(crate) struct Condemned {
    /// The version they belong to: what readers pin.
    pub(crate) version: BlobId,
    /// The number of their set.
    pub(crate) set: usize,
    pub(crate) blobs: Vec<BlobId>,
}

/// What waits to be removed.
#[derive(Default)]
pub(crate) struct Removals {
    queue: Mutex<Queue>,
    pushed: Notify,
    settled: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Condemned>,
    under_way: Vec<BlobId>,
}

impl Removals {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of blobs to remove. Never waits.
    pub(crate) fn push(&self, condemned: Condemned) {
        if condemned.blobs.is_empty() {
            return;
        }
        let mut queue = self.lock();
        if queue.waiting.len() >= QUEUE_MAX {
            metrics::counter!("tarn_removals_forgotten_total").increment(condemned.blobs.len() as u64);
            return;
        }
        queue.waiting.push_back(condemned);
        drop(queue);
        self.pushed.notify_one();
    }

    fn pop(&self) -> Option<Condemned> {
        let mut queue = self.lock();
        let next = queue.waiting.pop_front();
        if let Some(next) = &next {
            queue.under_way.clone_from(&next.blobs);
        }
        next
    }

    /// The blobs that will be removed, or kept for their readers, without anyone else's doing.
    pub(crate) fn waiting(&self) -> Vec<BlobId> {
        let queue = self.lock();
        let waiting = queue.waiting.iter().flat_map(|condemned| &condemned.blobs);
        waiting.chain(&queue.under_way).copied().collect()
    }

    async fn next(&self) -> Condemned {
        loop {
            if let Some(condemned) = self.pop() {
                return condemned;
            }
            self.pushed.notified().await;
        }
    }

    fn done(&self) {
        self.lock().under_way.clear();
        self.settled.notify_waiters();
    }

    /// Waits until nothing waits to be removed, but for what is pinned.
    #[cfg(test)]
    pub(crate) async fn settle(&self) {
        loop {
            let settled = self.settled.notified();
            {
                let queue = self.lock();
                if queue.waiting.is_empty() && queue.under_way.is_empty() {
                    return;
                }
            }
            settled.await;
        }
    }
}

/// Removes what is pushed, until it is dropped.
pub(crate) async fn run(removals: Arc<Removals>, pins: Arc<Pins>, sets: Arc<[Arc<Set>]>) {
    loop {
        let condemned = removals.next().await;
        if let Some(condemned) = pins.unless_pinned(condemned) {
            let set = &sets[condemned.set];
            for batch in condemned.blobs.chunks(BATCH) {
                let (from, batch) = (Arc::clone(set), batch.to_vec());
                // What stays because its drive hangs is found by the sweep (R3).
                let work = move || {
                    remove(&from, &batch);
                    Ok(())
                };
                let removed = set.log.read(Weight::Long, work).await;
                if let Err(error) = removed {
                    tracing::warn!(%error, "shard files were not removed");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        removals.done();
    }
}

/// Removes the shard files of `blobs` from every drive that can be reached.
pub(crate) fn remove(set: &Set, blobs: &[BlobId]) {
    for blob in blobs {
        for slot in set.reachable() {
            // A file that stays is an orphan: the sweep takes it.
            if let Err(error) = slot.remove_shard(blob.number()) {
                tracing::warn!(blob.id = %hex::encode(blob.0), %error, "could not remove a shard file");
            }
        }
    }
    metrics::counter!("tarn_blobs_removed_total").increment(blobs.len() as u64);
}
