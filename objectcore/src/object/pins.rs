//! Pins: which versions are being read, so that their shard files stay.
//!
//! - P1: a reader pins a version, then looks the entry up again. When the entry is still there, every
//!   removal of the version comes after the pin and sees it.
//! - P2: a pinned version is not removed; it is when the last pin goes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::removal::{Condemned, Removals};
use crate::erasure::layout::BlobId;

/// The versions being read.
#[derive(Default)]
pub(crate) struct Pins {
    versions: Mutex<HashMap<BlobId, Pinned>>,
}

#[derive(Default)]
struct Pinned {
    readers: usize,
    /// What to remove after the last reader.
    condemned: Option<Condemned>,
}

/// Keeps the shard files of one version while it lives.
pub(crate) struct Pin {
    version: BlobId,
    pins: Arc<Pins>,
    removals: Arc<Removals>,
}

impl Pins {
    fn lock(&self) -> MutexGuard<'_, HashMap<BlobId, Pinned>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pins a version (P1 says what the caller does next).
    pub(crate) fn pin(self: &Arc<Self>, version: BlobId, removals: &Arc<Removals>) -> Pin {
        self.lock().entry(version).or_default().readers += 1;
        Pin { version, pins: Arc::clone(self), removals: Arc::clone(removals) }
    }

    /// Returns what may be removed now; what is pinned is kept for later (P2).
    pub(crate) fn unless_pinned(&self, condemned: Condemned) -> Option<Condemned> {
        match self.lock().get_mut(&condemned.version) {
            None => Some(condemned),
            Some(pinned) => {
                pinned.condemned = Some(condemned);
                None
            }
        }
    }

    /// The blobs that wait for their last reader.
    pub(crate) fn waiting(&self) -> Vec<BlobId> {
        let pinned = self.lock();
        pinned.values().filter_map(|pinned| pinned.condemned.as_ref()).flat_map(|c| c.blobs.clone()).collect()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut versions = self.pins.lock();
        let Some(pinned) = versions.get_mut(&self.version) else { return };
        pinned.readers -= 1;
        if pinned.readers == 0
            && let Some(Pinned { condemned: Some(condemned), .. }) = versions.remove(&self.version)
        {
            drop(versions);
            self.removals.push(condemned);
        }
    }
}
