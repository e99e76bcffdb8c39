//! Turns of queries: so many at a time, of all readers and of each one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) struct Turns {
    all: Arc<Semaphore>,
    /// Of readers with a query that runs or waits.
    each: Mutex<HashMap<String, Weak<Semaphore>>>,
    each_max: usize,
}

/// It is given back when it is dropped.
pub(crate) struct Turn {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Turns {
    pub(crate) fn new(all_max: usize, each_max: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all_max)), each: Mutex::default(), each_max }
    }

    /// `None` if there is none after that time.
    pub(crate) async fn take(&self, reader: &str, wait: Duration) -> Option<Turn> {
        let (own, all) = (self.of(reader), self.all.clone());
        let both = async {
            // Its own first: who has many waits without keeping others from theirs.
            let own = own.acquire_owned().await.ok()?;
            Some(Turn { _own: own, _all: all.acquire_owned().await.ok()? })
        };
        tokio::time::timeout(wait, both).await.ok().flatten()
    }

    fn of(&self, reader: &str) -> Arc<Semaphore> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        each.retain(|_, turns| turns.strong_count() > 0);
        if let Some(turns) = each.get(reader).and_then(Weak::upgrade) {
            return turns;
        }
        let turns = Arc::new(Semaphore::new(self.each_max));
        each.insert(reader.to_owned(), Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_all_of_its_own_turns_leaves_others_theirs() {
        let (turns, at_once) = (Turns::new(3, 2), Duration::ZERO);
        let first = turns.take("one", at_once).await.unwrap();
        let _second = turns.take("one", at_once).await.unwrap();
        assert!(turns.take("one", at_once).await.is_none());
        let other = turns.take("two", at_once).await.unwrap();
        assert!(turns.take("two", at_once).await.is_none(), "all are taken");
        drop(first);
        assert!(turns.take("one", at_once).await.is_some());
        drop(other);
        assert_eq!(turns.each.lock().unwrap().len(), 2);
        assert!(turns.take("three", at_once).await.is_some());
        assert_eq!(turns.each.lock().unwrap().len(), 2, "who has none is forgotten");
    }
}
