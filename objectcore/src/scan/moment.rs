//! A moment that is kept: the rows of all sets as they were then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::{CancellationToken, DropGuard};

use super::ScanError;
use crate::core::{ObjectCore, now};
use crate::set::{ErasureSet, Pinned, keep_all};
use crate::types::{Millis, StorageError};

/// A moment of all buckets, for as many scans as like. While it is kept, the drives keep what was deleted since; so it
/// is given up after a while, though its owner keeps it.
#[derive(Debug)]
pub struct Moment {
    at: Millis,
    taken: Instant,
    age_max: Duration,
    sequences: Arc<[u64]>,
    /// By set; `None` once it was given up.
    pinned: Arc<Mutex<Option<Arc<[Pinned]>>>>,
    /// Ends the task that gives it up.
    _kept: DropGuard,
}

impl ObjectCore {
    /// Keeps this moment: every write that was answered before is in it, and no write that begins later.
    pub async fn moment(&self) -> Result<Moment, StorageError> {
        let sets: Vec<ErasureSet> = self.inner.sets.iter().map(|set| set.log.clone()).collect();
        let at = now();
        let pinned: Arc<[Pinned]> = Arc::from(keep_all(&sets).await?);
        let sequences = pinned.iter().map(|pinned| pinned.seq().0).collect();
        let pinned = Arc::new(Mutex::new(Some(pinned)));
        let (age_max, given_up, kept) =
            (self.inner.settings.moment_age_max, Arc::clone(&pinned), CancellationToken::new());
        let dropped = kept.clone();
        self.in_background(async move {
            tokio::select! {
                () = dropped.cancelled() => {}
                () = tokio::time::sleep(age_max) => {
                    given_up.lock().unwrap_or_else(PoisonError::into_inner).take();
                }
            }
        });
        Ok(Moment { at, taken: Instant::now(), age_max, sequences, pinned, _kept: kept.drop_guard() })
    }
}

impl Moment {
    /// When it is.
    pub fn at(&self) -> Millis {
        self.at
    }

    /// Of each set the highest sequence of its changes that it holds ([`ObjectCore::changes`]).
    pub fn sequences(&self) -> &Arc<[u64]> {
        &self.sequences
    }

    /// Its rows, while they are kept.
    pub(super) fn pinned(&self) -> Result<Arc<[Pinned]>, ScanError> {
        let kept = self.pinned.lock().unwrap_or_else(PoisonError::into_inner).clone();
        kept.filter(|_| self.taken.elapsed() < self.age_max)
            .ok_or(ScanError::Expired { age_max_s: self.age_max.as_secs() })
    }
}
