//! Past states in memory: bounded in number and bytes, the longest unused forgotten first (P1).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::log::Seq;
use crate::state::CatalogState;

pub(super) struct States {
    inner: Mutex<Inner>,
    count_max: usize,
    bytes_max: usize,
}

#[derive(Default)]
struct Inner {
    kept: BTreeMap<Seq, Used>,
    clock: u64,
}

struct Used {
    held: Held,
    last_use: u64,
}

/// A past state.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) position: Seq,
    pub(super) state: Arc<CatalogState>,
    /// What its checkpoint and the records after it have.
    pub(super) bytes: usize,
}

impl States {
    pub(super) fn new(count_max: usize, bytes_max: usize) -> Self {
        Self { inner: Mutex::default(), count_max, bytes_max }
    }

    pub(super) fn get(&self, position: Seq) -> Option<Arc<CatalogState>> {
        let mut inner = self.lock();
        inner.clock += 1;
        let clock = inner.clock;
        let used = inner.kept.get_mut(&position)?;
        used.last_use = clock;
        Some(used.held.state.clone())
    }

    /// The nearest state before `position`.
    pub(super) fn before(&self, position: Seq) -> Option<Held> {
        self.lock().kept.range(..position).next_back().map(|(_, used)| used.held.clone())
    }

    /// Keeps a state, and always at least the one kept last.
    pub(super) fn keep(&self, position: Seq, state: Arc<CatalogState>, bytes: usize) {
        let mut inner = self.lock();
        inner.clock += 1;
        let used = Used { held: Held { position, state, bytes }, last_use: inner.clock };
        inner.kept.insert(position, used);
        let bytes = |inner: &Inner| inner.kept.values().map(|used| used.held.bytes).sum::<usize>();
        while inner.kept.len() > 1 && (inner.kept.len() > self.count_max || bytes(&inner) > self.bytes_max) {
            let oldest =
                inner.kept.iter().min_by_key(|(_, used)| used.last_use).map(|(position, _)| *position);
            let Some(oldest) = oldest else { break };
            inner.kept.remove(&oldest);
        }
    }

    /// A panic elsewhere leaves the map whole: each change of it is one call.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(states: &States) -> Vec<u64> {
        states.lock().kept.keys().map(|position| position.0).collect()
    }

    #[test]
    fn the_longest_unused_goes_first_and_the_last_one_stays_whatever_it_has() {
        let states = States::new(2, 100);
        for position in [1, 2] {
            states.keep(Seq(position), Arc::default(), 10);
        }
        assert!(states.get(Seq(1)).is_some());
        states.keep(Seq(3), Arc::default(), 10);
        assert_eq!(kept(&states), [1, 3]);
        states.keep(Seq(4), Arc::default(), 1000);
        assert_eq!(kept(&states), [4]);
        assert_eq!(states.before(Seq(9)).map(|held| held.position), Some(Seq(4)));
        assert!(states.before(Seq(4)).is_none());
    }
}
