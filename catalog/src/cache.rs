//! A cache bounded in bytes that forgets what was used longest ago.
//!
//! K1: keys never change their meaning (metadata locations and what is made of them), so nothing
//! is ever invalidated; it is only forgotten.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

pub(crate) struct ByteCache<K, V> {
    inner: Mutex<Inner<K, V>>,
    bytes_max: usize,
}

struct Inner<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// By last use, oldest first.
    order: BTreeMap<u64, K>,
    tick: u64,
    bytes: usize,
}

struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> ByteCache<K, V> {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let inner = Inner { entries: HashMap::new(), order: BTreeMap::new(), tick: 0, bytes: 0 };
        Self { inner: Mutex::new(inner), bytes_max }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let entry = inner.entries.get_mut(key)?;
        inner.tick += 1;
        if let Some(key) = inner.order.remove(&entry.used) {
            inner.order.insert(inner.tick, key);
        }
        entry.used = inner.tick;
        Some(entry.value.clone())
    }

    /// Keeps `value`, which takes `bytes`. What is larger than the whole cache is not kept.
    pub(crate) fn insert(&self, key: K, value: V, bytes: usize) {
        if bytes > self.bytes_max {
            return;
        }
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.tick += 1;
        let entry = Entry { value, bytes, used: inner.tick };
        if let Some(before) = inner.entries.insert(key.clone(), entry) {
            inner.order.remove(&before.used);
            inner.bytes -= before.bytes;
        }
        inner.order.insert(inner.tick, key);
        inner.bytes += bytes;
        while inner.bytes > self.bytes_max {
            let Some((_, oldest)) = inner.order.pop_first() else { break };
            if let Some(entry) = inner.entries.remove(&oldest) {
                inner.bytes -= entry.bytes;
            }
        }
    }

    /// A panic elsewhere cannot leave the maps half changed in a way that matters: at worst an
    /// entry is forgotten late.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_is_forgotten_first() {
        let cache = ByteCache::new(10);
        cache.insert("a", 1, 4);
        cache.insert("b", 2, 4);
        assert_eq!(cache.get(&"a"), Some(1));
        cache.insert("c", 3, 4);
        assert_eq!((cache.get(&"a"), cache.get(&"b"), cache.get(&"c")), (Some(1), None, Some(3)));
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept_and_displaces_nothing() {
        let cache = ByteCache::new(10);
        cache.insert("a", 1, 10);
        cache.insert("big", 2, 11);
        assert_eq!((cache.get(&"a"), cache.get(&"big")), (Some(1), None));
    }

    #[test]
    fn a_replaced_value_gives_its_bytes_back() {
        let cache = ByteCache::new(10);
        for value in 0..100 {
            cache.insert("a", value, 6);
        }
        cache.insert("b", 0, 4);
        assert_eq!((cache.get(&"a"), cache.get(&"b")), (Some(99), Some(0)));
    }
}
