//! The entries that wait for a repair, and those that were given up.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::set::Space;

/// Repairs that wait; more are found again at the next read.
const QUEUE_MAX: usize = 100_000;

/// How often an entry with too few intact shards is tried; after that only a scrub looks at it.
const ATTEMPTS_MAX: u32 = 3;
/// The entries whose failed repairs are counted.
const FAILED_MAX: usize = 10_000;

/// An entry to look after.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ailing {
    pub(crate) set: usize,
    pub(crate) space: Space,
    pub(crate) key: Bytes,
}

/// Entries with shards missing or damaged.
#[derive(Default)]
pub(crate) struct Repairs {
    waiting: Mutex<Waiting>,
    pushed: Notify,
    settled: Notify,
}

#[derive(Default)]
struct Waiting {
    order: VecDeque<Ailing>,
    known: HashSet<Ailing>,
    under_way: usize,
    /// How often the repair of an entry failed for want of intact shards.
    failed: HashMap<Ailing, u32>,
}

impl Waiting {
    fn is_given_up(&self, ailing: &Ailing) -> bool {
        self.failed.get(ailing).is_some_and(|times| *times >= ATTEMPTS_MAX)
    }
}

impl Repairs {
    #[cfg(test)]
    pub(crate) fn is_given_up(&self, set: usize, space: Space, key: &Bytes) -> bool {
        self.lock().is_given_up(&Ailing { set, space, key: key.clone() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a repair, once. Never waits.
    pub(crate) fn push(&self, set: usize, space: Space, key: Bytes) {
        let ailing = Ailing { set, space, key };
        let mut waiting = self.lock();
        // Each attempt would find the same shards bad and ask for the next one.
        if waiting.is_given_up(&ailing) {
            metrics::counter!("tarn_repairs_given_up_total").increment(1);
            return;
        }
        if waiting.order.len() >= QUEUE_MAX {
            metrics::counter!("tarn_repairs_forgotten_total").increment(1);
            return;
        }
        if waiting.known.insert(ailing.clone()) {
            waiting.order.push_back(ailing);
            drop(waiting);
            self.pushed.notify_one();
        }
    }

    pub(super) async fn next(&self) -> Ailing {
        loop {
            let next = {
                let mut waiting = self.lock();
                let next = waiting.order.pop_front();
                if let Some(next) = &next {
                    // From here on new damage to it is a new repair.
                    waiting.known.remove(next);
                    waiting.under_way += 1;
                }
                next
            };
            match next {
                Some(next) => return next,
                None => self.pushed.notified().await,
            }
        }
    }

    /// An entry has too few intact shards to be repaired.
    pub(super) fn fail(&self, ailing: Ailing) {
        let mut waiting = self.lock();
        if waiting.failed.len() >= FAILED_MAX {
            waiting.failed.clear();
        }
        *waiting.failed.entry(ailing).or_insert(0) += 1;
    }

    /// The entry is whole: what is found bad from here on is repaired again.
    pub(crate) fn forgive(&self, set: usize, space: Space, key: &Bytes) {
        let mut waiting = self.lock();
        if !waiting.failed.is_empty() {
            waiting.failed.remove(&Ailing { set, space, key: key.clone() });
        }
    }

    pub(super) fn done(&self) {
        self.lock().under_way -= 1;
        self.settled.notify_waiters();
    }

    /// How many repairs wait or are under way.
    pub(crate) fn pending(&self) -> usize {
        let waiting = self.lock();
        waiting.order.len() + waiting.under_way
    }

    /// Waits until no repair is pending.
    #[cfg(test)]
    pub(crate) async fn settle(&self) {
        loop {
            let settled = self.settled.notified();
            if self.pending() == 0 {
                return;
            }
            settled.await;
        }
    }
}
