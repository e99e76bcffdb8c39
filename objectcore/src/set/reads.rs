//! Reads from asynchronous code: none of them waits for a drive that hangs.
//!
//! A call into a drive holds its thread until the drive answers. So that a read costs no hop to another thread
//! and yet a drive that hangs cannot hold all threads of the runtime:
//!
//! - R1: at most `short_reads_max` reads run on threads of the runtime at once; one more lets the others end first, and
//!   takes a thread of its own when they do not. The setting is below the number of the runtime's threads.
//! - R2: a read runs in a task of its own, so who asked for it is not held with the thread.
//! - R3: when a drive is found to hang (`stalls.rs`), every read under way begins anew and avoids it. The one that is
//!   held is left behind; it changes nothing.
//! - R4: at most `THREADS_MAX` reads and in each set as many writes of shard files take a thread of their own at once. So a drive
//!   that begins to hang holds no more threads of the blocking pool than that; the next ones avoid it.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::{JoinError, JoinHandle};

use super::{Entry, ErasureSet, Space};
use crate::types::StorageError;

/// The reads of all sets, and the drives that were found to hang.
#[derive(Debug)]
pub(crate) struct Reads {
    /// How many may run on threads of the runtime, and how many more.
    short_max: usize,
    short: AtomicUsize,
    /// Counts drives found suspect or out.
    stalls: watch::Sender<u64>,
    /// Reads that may take a thread of their own (R4).
    reading: Semaphore,
}

/// A read on a thread of the runtime.
struct ShortRead(Arc<Reads>);

impl Drop for ShortRead {
    fn drop(&mut self) {
        self.0.short.fetch_add(1, Ordering::AcqRel);
    }
}

/// The most reads, and the most writes of shard files of a set, that take threads of their own at once.
pub(super) const THREADS_MAX: usize = 16;
/// How often a short read gives way to those under way. They take microseconds, a thread of its own costs more.
const GIVE_WAY_MAX: usize = 16;
/// How often a read begins anew: each time a drive was found to hang or out.
const ATTEMPTS_MAX: usize = 64;

/// What a read costs when no drive hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// A few rows or one record.
    Short,
    /// More: it takes a thread of its own.
    Long,
}

/// How a thread that was waited for ended, as an error.
pub(crate) fn ended(error: JoinError) -> StorageError {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => StorageError::Closing,
    }
}

impl Reads {
    pub(super) fn new(short_reads_max: usize) -> Arc<Self> {
        Arc::new(Self {
            short_max: short_reads_max,
            short: AtomicUsize::new(short_reads_max),
            stalls: watch::Sender::new(0),
            reading: Semaphore::new(THREADS_MAX),
        })
    }

    pub(super) fn stalls(&self) -> &watch::Sender<u64> {
        &self.stalls
    }

    fn take_short(self: &Arc<Self>) -> Option<ShortRead> {
        let fewer = |free: usize| free.checked_sub(1);
        let taken = self.short.fetch_update(Ordering::AcqRel, Ordering::Relaxed, fewer);
        taken.is_ok().then(|| ShortRead(Arc::clone(self)))
    }

    /// A place on a thread of the runtime; `None` when those who have one do not end soon.
    async fn wait_short(self: &Arc<Self>) -> Option<ShortRead> {
        if self.short_max == 0 {
            return None;
        }
        for _ in 0..GIVE_WAY_MAX {
            if let Some(short) = self.take_short() {
                return Some(short);
            }
            tokio::task::yield_now().await;
        }
        None
    }

    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        weight: Weight,
        work: impl Fn() -> Result<T, StorageError> + Send + Sync + 'static,
    ) -> Result<T, StorageError> {
        let work = Arc::new(work);
        let mut stalls = self.stalls.subscribe();
        for _ in 0..ATTEMPTS_MAX {
            let short = match weight {
                Weight::Short => self.wait_short().await,
                Weight::Long => None,
            };
            let (mut reading, _permit) = match short {
                Some(short) => (begin_short(short, Arc::clone(&work)), None),
                None => {
                    let permit = self.reading.acquire().await.map_err(|_| StorageError::Closing)?;
                    let work = Arc::clone(&work);
                    (tokio::task::spawn_blocking(move || work()), Some(permit))
                }
            };
            tokio::select! {
                biased;
                read = &mut reading => return read.map_err(ended)?,
                _ = stalls.changed() => metrics::counter!("tarn_reads_abandoned_total").increment(1),
            }
        }
        Err(StorageError::Busy)
    }
}

/// The task that waits spawned it, so it runs on this thread as soon as that one rests (R2).
fn begin_short<T: Send + 'static>(
    short: ShortRead,
    work: Arc<impl Fn() -> Result<T, StorageError> + Send + Sync + 'static>,
) -> JoinHandle<Result<T, StorageError>> {
    tokio::spawn(async move {
        let read = work();
        drop(short);
        read
    })
}

impl ErasureSet {
    /// Runs `work`, which reads from the drives, to its end on some thread; anew when a drive hangs meanwhile (R3).
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl Fn() -> Result<T, StorageError> + Send + Sync + 'static,
    ) -> Result<T, StorageError> {
        self.0.reads.run(weight, work).await
    }

    /// What a write of shard files holds while it has a thread (R4).
    pub(crate) async fn write_permit(&self) -> Result<SemaphorePermit<'_>, StorageError> {
        self.0.writing.acquire().await.map_err(|_| StorageError::Closing)
    }

    /// Tells when drives are found to hang, or out.
    pub(crate) fn stalls(&self) -> watch::Receiver<u64> {
        self.0.reads.stalls.subscribe()
    }

    /// The current entry of a key (S3).
    pub(crate) async fn entry(&self, space: Space, key: &Bytes) -> Result<Option<Entry>, StorageError> {
        let (set, key) = (self.clone(), key.clone());
        self.read(Weight::Short, move || set.get(space, &key)).await
    }

    /// Up to `limit` entries of a space from `after` on, in the order of the keys' bytes.
    pub(crate) async fn entries(
        &self,
        space: Space,
        after: Bound<Bytes>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Entry)>, StorageError> {
        let set = self.clone();
        self.read(Weight::Long, move || set.scan(space, after.clone(), limit)).await
    }
}
