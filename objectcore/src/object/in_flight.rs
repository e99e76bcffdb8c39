//! The blobs of writes whose outcome is not known yet: the sweep leaves them alone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::erasure::layout::BlobId;

/// The blobs of a set that are being written.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashSet<BlobId>>);

/// A blob that is being written, until this is dropped: after its commit, or when there will be none.
#[derive(Debug)]
pub(crate) struct Writing {
    id: BlobId,
    all: Arc<InFlight>,
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, HashSet<BlobId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Call it before anything of the blob is on a drive.
    pub(crate) fn begin(self: &Arc<Self>, id: BlobId) -> Writing {
        self.lock().insert(id);
        Writing { id, all: Arc::clone(self) }
    }

    /// Takes the blobs that are being written out of `candidates`.
    pub(crate) fn spare(&self, candidates: &mut HashSet<BlobId>) {
        self.lock().iter().for_each(|id| {
            candidates.remove(id);
        });
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}
