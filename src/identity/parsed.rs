//! Documents that were read already, by a name and a revision that never change their meaning: a kept document's id and
//! revision, or an inline policy's whole text.
//!
//! What a name has now is the caller's to know: nothing here makes a document count that is not there any more.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The most documents of one kind kept read. When there are more, all are forgotten and read again as they are needed.
const DOCUMENTS_MAX: usize = 4096;

/// The revision of what has only one.
pub(super) const ONLY: u64 = 0;

/// Documents as they were read; of a name the last revision asked for. One that cannot be read is kept as that.
pub(super) struct Parsed<T>(RwLock<HashMap<Arc<str>, Kept<T>>>);

struct Kept<T> {
    revision: u64,
    read: Option<Arc<T>>,
}

impl<T> Default for Parsed<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> Parsed<T> {
    /// What `name` is in this revision, which `read` reads. `None` when it cannot be read.
    pub(super) fn get(&self, name: &str, revision: u64, read: impl FnOnce() -> Option<T>) -> Option<Arc<T>> {
        if let Some(kept) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(name)
            && kept.revision == revision
        {
            return kept.read.clone();
        }
        let read = read().map(Arc::new);
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= DOCUMENTS_MAX && !all.contains_key(name) {
            all.clear();
        }
        all.insert(name.into(), Kept { revision, read: read.clone() });
        read
    }

    /// Forgets a name that is no more.
    pub(super) fn forget(&self, name: &str) {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(name) {
            self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_read_once_and_another_one_anew() {
        let (parsed, mut reads) = (Parsed::<u64>::default(), 0);
        let mut get = |name: &str, revision| {
            parsed.get(name, revision, || {
                reads += 1;
                (revision != 13).then_some(revision)
            })
        };
        for (name, revision) in
            [("a", 1), ("a", 1), ("b", 1), ("a", 2), ("a", 2), ("a", 1), ("c", 13), ("c", 13)]
        {
            assert_eq!(get(name, revision).as_deref(), (revision != 13).then_some(&revision), "{name}");
        }
        assert_eq!(reads, 5);
        parsed.forget("a");
        assert!(parsed.get("a", 1, || None).is_none());
    }

    #[test]
    fn no_more_are_kept_than_may_be() {
        let parsed = Parsed::<usize>::default();
        for number in 0..3 * DOCUMENTS_MAX {
            assert_eq!(parsed.get(&number.to_string(), ONLY, || Some(number)).as_deref(), Some(&number));
        }
        assert!(parsed.0.read().unwrap().len() <= DOCUMENTS_MAX);
    }
}
