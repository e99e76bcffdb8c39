//! Policies that were read already, by a key that never changes its meaning: an inline policy's whole text, or a kept
//! policy's name and revision.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use super::document::Policy;

/// The most policies kept read. When there are more, all are forgotten and read again as they are needed.
const POLICIES_MAX: usize = 4096;

/// Policies by their key. One that cannot be read is kept as that.
pub(super) struct Parsed<K>(RwLock<HashMap<K, Option<Arc<Policy>>>>);

impl<K> Default for Parsed<K> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Hash + Eq + Clone> Parsed<K> {
    /// The policy under `key`, whose text `text` finds. `None` when that is no policy.
    pub(super) fn get(&self, key: &K, text: impl FnOnce() -> Option<Arc<str>>) -> Option<Arc<Policy>> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return known.clone();
        }
        let read = text().and_then(|text| match Policy::parse(&text) {
            Ok(policy) => Some(Arc::new(policy)),
            Err(error) => {
                tracing::error!(%error, "a policy cannot be read and allows nothing");
                None
            }
        });
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= POLICIES_MAX {
            kept.clear();
        }
        kept.insert(key.clone(), read.clone());
        read
    }
}
