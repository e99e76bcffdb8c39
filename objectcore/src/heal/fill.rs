//! Filling a drive that was replaced, wiped or away: everything it lacks is made again on it.
//!
//! - F1: a filling drive takes all new writes, so what is looked at once stays whole.
//! - F2: the set decides that nothing is missing (`ErasureSet::finish_fill`), not this walk.
//!
//! - F3: parts are looked at before objects: a part that becomes an object's extent meanwhile is seen as
//!   one or the other.
//! - F4: what cannot be rebuilt while a drive of the set is out is not recorded: that drive may bring it. The
//!   drive stays filling and is filled on later.
//!
//! A shard that cannot be rebuilt although all drives answer is recorded as lacking and logged; the fill
//! goes on.

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::watch;

use super::{Healer, Ills, holds, rebuild_files, restored_inline};
use crate::core::Set;
use crate::erasure::header::HEADER_BYTES;
use crate::erasure::layout::Blob;
use crate::erasure::window::ShardSet;
use crate::set::{CommitError, Entry, FillError, Space, Weight};
use crate::status::FillStatus;
use crate::types::StorageError;

/// Entries written at once: as many share a sync.
const AT_ONCE: usize = 64;
const PAGE: usize = 1000;
/// How often an entry that the set still finds lacking is written again.
const ROUNDS_MAX: usize = 10_000;

/// The fills under way.
#[derive(Default)]
pub(crate) struct Fills {
    begun: Mutex<Vec<Arc<Progress>>>,
    /// Whether nothing is left to fill.
    over: watch::Sender<bool>,
}

struct Progress {
    set: usize,
    slot: usize,
    entries_done: AtomicU64,
    entries_written: AtomicU64,
    bytes_written: AtomicU64,
    over: AtomicBool,
}

impl Fills {
    fn begin(&self, set: usize, slot: usize) -> Arc<Progress> {
        let progress = Arc::new(Progress {
            set,
            slot,
            entries_done: AtomicU64::new(0),
            entries_written: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&progress));
        progress
    }

    fn forget_ended(&self) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|progress| !progress.over.load(Ordering::Relaxed));
    }

    /// Waits until the drives that lacked entries at the start are filled, or could not be.
    pub(crate) async fn settle(&self) {
        let mut over = self.over.subscribe();
        over.wait_for(|over| *over).await.expect("the sender lives in self");
    }

    pub(crate) fn status(&self) -> Vec<FillStatus> {
        let fills = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = fills.iter().filter(|progress| !progress.over.load(Ordering::Relaxed));
        under_way
            .map(|progress| FillStatus {
                set: progress.set,
                slot: progress.slot,
                entries_done: progress.entries_done.load(Ordering::Relaxed),
                entries_written: progress.entries_written.load(Ordering::Relaxed),
                bytes_written: progress.bytes_written.load(Ordering::Relaxed),
            })
            .collect()
    }
}

/// A drive being filled.
struct Fill<'a> {
    healer: &'a Healer,
    set: &'a Arc<Set>,
    slot: usize,
    progress: Arc<Progress>,
    /// Entries left for when all drives are there (F4).
    put_off: AtomicU64,
}

/// How a fill ended.
enum Ended {
    Filled,
    PutOff { entries: u64 },
}

/// What became of a rebuild.
enum Rebuilt<T> {
    Done(T),
    /// Beyond repair: all drives were asked.
    Lost,
    /// A drive that may have it is out.
    PutOff,
}

/// Fills every drive that lacks entries.
pub(crate) async fn run(healer: Healer, fills: Arc<Fills>) {
    for set in healer.sets.iter() {
        for slot in set.log.fill_needed() {
            fill(&healer, &fills, set, slot).await;
        }
    }
    fills.over.send_replace(true);
}

/// Fills a drive that lacks entries, as far as that can be done now.
pub(super) async fn fill(healer: &Healer, fills: &Fills, set: &Arc<Set>, slot: usize) {
    let progress = fills.begin(set.number, slot);
    let fill = Fill { healer, set, slot, progress, put_off: AtomicU64::new(0) };
    tracing::info!(set.number = set.number, slot, "filling a drive");
    match fill.run().await {
        Ok(Ended::Filled) => {}
        Ok(Ended::PutOff { entries }) => tracing::error!(
            set.number = set.number,
            slot,
            entries,
            "a drive is not filled: another drive of its set is out and may hold what is needed; it is tried again"
        ),
        Err(error) => tracing::error!(set.number = set.number, slot, %error, "could not fill a drive"),
    }
    fill.progress.over.store(true, Ordering::Relaxed);
    fills.forget_ended();
}

/// The order of the walk: objects last (F3).
fn order() -> [Space; Space::ALL.len()] {
    let mut order = Space::ALL;
    order.sort_by_key(|space| *space == Space::Object);
    order
}

impl Fill<'_> {
    async fn run(&self) -> Result<Ended, CommitError> {
        for space in order() {
            self.space(space).await?;
        }
        for _ in 0..ROUNDS_MAX {
            let entries = self.put_off.load(Ordering::Relaxed);
            if entries > 0 {
                return Ok(Ended::PutOff { entries });
            }
            match self.set.log.finish_fill(self.slot).await {
                Ok(()) => return Ok(Ended::Filled),
                Err(FillError::Lacking { space, key }) => {
                    if let Some(entry) = self.set.log.entry(space, &key).await? {
                        self.entry(space, &key, &entry).await?;
                    }
                }
                Err(FillError::Commit(error)) => return Err(error),
            }
        }
        Err(StorageError::Busy.into())
    }

    async fn space(&self, space: Space) -> Result<(), CommitError> {
        let mut from = Bound::Unbounded;
        loop {
            let page = self.set.log.entries(space, from, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            from = Bound::Excluded(last.clone());
            let count = page.len() as u64;
            stream::iter(page)
                .map(Ok)
                .try_for_each_concurrent(AT_ONCE, |(key, entry)| async move {
                    self.entry(space, &key, &entry).await
                })
                .await?;
            let done = self.progress.entries_done.fetch_add(count, Ordering::Relaxed) + count;
            tracing::info!(set.number = self.set.number, slot = self.slot, entries = done, "filling a drive");
        }
    }

    /// Makes one entry whole on the drive: shard files first, then the record.
    async fn entry(&self, space: Space, key: &Bytes, entry: &Entry) -> Result<(), CommitError> {
        let ills = Ills::of(space, entry)?;
        if let Ills::Files { version, blobs } = &ills {
            let Some(pin) = self.healer.pin(self.set, (space, key), *version).await? else {
                return Ok(());
            };
            for blob in blobs {
                if let Rebuilt::PutOff = self.files(*blob).await? {
                    return Ok(());
                }
            }
            drop(pin);
        }
        if holds(self.set, self.slot, (space, key, entry)).await? {
            return Ok(());
        }
        let inline = match ills {
            Ills::Nothing | Ills::Files { .. } => None,
            Ills::Inline(blob) => match self.inline(&blob, (space, key, entry)).await {
                Rebuilt::Done(bytes) => Some(bytes),
                Rebuilt::Lost => None,
                Rebuilt::PutOff => return Ok(()),
            },
        };
        let bytes = inline.as_ref().map_or(0, Bytes::len);
        match self.set.log.refill(self.slot, space, key, entry, inline).await {
            Ok(()) => {
                self.progress.entries_written.fetch_add(1, Ordering::Relaxed);
                self.progress.bytes_written.fetch_add(bytes as u64, Ordering::Relaxed);
                Ok(())
            }
            // Overwritten meanwhile: the drive took the new one.
            Err(CommitError::Changed { .. }) => Ok(()),
            Err(error @ CommitError::Storage(_)) => Err(error),
        }
    }

    async fn inline(&self, blob: &Blob, entry: (Space, &Bytes, &Entry)) -> Rebuilt<Bytes> {
        let mut wanted = ShardSet::default();
        wanted.insert(blob.shard_on(self.slot));
        match restored_inline(self.set, entry, blob, Some(wanted)).await {
            Ok(restored) => match restored.into_iter().next() {
                Some((_, bytes)) => Rebuilt::Done(Bytes::from(bytes)),
                None => Rebuilt::Lost,
            },
            Err(error) => self.failed(&error).await,
        }
    }

    /// Decides what a failed rebuild means (F4). A drive may have gone without a write having noticed, so each
    /// is asked.
    async fn failed<T>(&self, error: &StorageError) -> Rebuilt<T> {
        // A drive that comes back meanwhile lacks what was made since: another fill looks at all again.
        let on = Arc::clone(self.set);
        let answer = move || Ok(on.log.slots().iter().all(crate::set::Slot::answers));
        let missing = self.put_off.load(Ordering::Relaxed) > 0
            || !self.set.log.read(Weight::Long, answer).await.unwrap_or(false);
        if missing {
            self.put_off.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(set.number = self.set.number, slot = self.slot, %error, "a shard cannot be made again while a drive is out");
            return Rebuilt::PutOff;
        }
        tracing::error!(set.number = self.set.number, slot = self.slot, %error, "a shard cannot be made again");
        Rebuilt::Lost
    }

    async fn files(&self, blob: Blob) -> Result<Rebuilt<()>, StorageError> {
        let (set, slot) = (Arc::clone(self.set), self.slot);
        let rebuild = move || {
            let whole = HEADER_BYTES as u64 + blob.stored_bytes();
            let have = set.log.slots()[slot].open_shard(blob.id.number()).map(|file| file.len_bytes());
            if have.is_ok_and(|bytes| bytes == whole) {
                return Ok(0);
            }
            let mut wanted = ShardSet::default();
            wanted.insert(blob.shard_on(slot));
            rebuild_files(&set, &blob, wanted).map(|files| files as u64 * whole)
        };
        match self.set.log.read(Weight::Long, rebuild).await {
            Ok(bytes) => {
                self.progress.bytes_written.fetch_add(bytes, Ordering::Relaxed);
                Ok(Rebuilt::Done(()))
            }
            Err(error @ StorageError::Damaged { .. }) => Ok(self.failed(&error).await),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ObjectCore;
    use crate::drive::{Drive, SimDrive};
    use crate::settings::Settings;
    use crate::testing::{KIB, at, body, bucket, bytes};
    use crate::types::{Attributes, CompletePart, PutOptions, TagChange, Tags};

    #[tokio::test]
    async fn a_part_completed_while_a_drive_is_filled_is_filled_too() {
        // Completed after 0, 1, .. spaces were looked at.
        for before in 0..=Space::ALL.len() {
            let drives: Vec<Arc<SimDrive>> =
                (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
            let all = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
            let core = ObjectCore::open(Settings::default(), all).await.unwrap();
            core.create_bucket(&bucket("bucket")).await.unwrap();
            let upload = core.create_upload(&at("key"), Attributes::default(), None).await.unwrap();
            let content = body(&bytes(300 * KIB, 1));
            let part = core.put_part(&at("key"), &upload, 1, content, PutOptions::default()).await.unwrap();
            let shards = drives[2].list_shards().unwrap();
            assert_eq!(shards.len(), 1);
            drives[2].remove_shard(shards[0]).unwrap();

            let healer = core.inner.healer.clone();
            let progress = Fills::default().begin(0, 2);
            let set = &core.inner.sets[0];
            let fill = Fill { healer: &healer, set, slot: 2, progress, put_off: AtomicU64::new(0) };
            for space in &order()[..before] {
                fill.space(*space).await.unwrap();
            }
            let named = [CompletePart { number: 1, etag: part.etag, checksum: None }];
            core.complete_upload(&at("key"), &upload, &named, Default::default()).await.unwrap();
            for space in &order()[before..] {
                fill.space(*space).await.unwrap();
            }
            assert_eq!(drives[2].list_shards().unwrap(), shards, "completed after {before}");
            core.close().await;
        }
    }
    #[tokio::test]
    async fn an_object_tagged_while_a_drive_is_filled_is_filled_too() {
        let drives: Vec<Arc<SimDrive>> =
            (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
        let all = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
        let core = ObjectCore::open(Settings::default(), all).await.unwrap();
        core.create_bucket(&bucket("bucket")).await.unwrap();
        core.put(&at("key"), body(&bytes(300 * KIB, 1)), PutOptions::default()).await.unwrap();
        let shards = drives[2].list_shards().unwrap();
        drives[2].remove_shard(shards[0]).unwrap();

        let healer = core.inner.healer.clone();
        let progress = Fills::default().begin(0, 2);
        let set = &core.inner.sets[0];
        let fill = Fill { healer: &healer, set, slot: 2, progress, put_off: AtomicU64::new(0) };
        let page = set.log.entries(Space::Object, Bound::Unbounded, PAGE).await.unwrap();
        let [(key, entry)] = &page[..] else { panic!("{page:?}") };
        let tags = Tags::new([("k".to_owned(), "v".to_owned())]).unwrap();
        core.tag(&at("key"), TagChange::Replace(tags), None).await.unwrap();
        fill.entry(Space::Object, key, entry).await.unwrap();
        assert_eq!(drives[2].list_shards().unwrap(), shards);
        core.close().await;
    }
}
