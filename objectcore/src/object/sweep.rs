//! The sweep: what a crash, a write that failed midway or a drive that was away left behind and nothing names any more.
//! At the start, and again every `sweep_interval`.
//!
//! - E1: only shard files that were there before the entries are looked at are candidates, less those of writes under
//!   way (`in_flight.rs`). A write that ended in between is named by its entry; if its outcome is unknown the set
//!   takes no writes any more, and then nothing is swept.
//! - E2: parts are looked at before objects: a part that becomes an object's extent meanwhile is seen as one
//!   or the other.
//! - E3: a version that was removed and is still being read is not touched.
//!
//! It takes its time: it rests as long as it works.

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::removal::remove;
use super::value::{self, Object};
use crate::bucket::unreadable;
use crate::core::{ObjectCore, Set};
use crate::erasure::layout::BlobId;
use crate::multipart::upload_of_part;
use crate::set::{Space, Weight};
use crate::types::{StorageError, UploadId};

const PAGE: usize = 1000;
/// Blobs removed in one hop, and the pause after them.
const BATCH: usize = 16;
const PAUSE: Duration = Duration::from_millis(4);
/// The longest rest after a page of entries.
const REST_MAX: Duration = Duration::from_millis(100);

/// The shard files that are there now: the candidates (E1). Blocking.
pub(crate) fn candidates(set: &Set) -> HashSet<BlobId> {
    let mut found = HashSet::new();
    for slot in set.reachable() {
        match slot.list_shards() {
            Ok(ids) => found.extend(ids.into_iter().map(BlobId::from_number)),
            Err(error) => tracing::warn!(%error, "could not list shard files: orphans may stay"),
        }
    }
    found
}

/// Whether the sweep is over.
#[derive(Default)]
pub(crate) struct Swept(watch::Sender<bool>);

impl Swept {
    /// Waits until it is.
    #[cfg(test)]
    pub(crate) async fn settle(&self) {
        self.0.subscribe().wait_for(|over| *over).await.expect("the sender lives in self");
    }
}

/// Removes the candidates that nothing names, and the parts of uploads that are gone.
pub(crate) async fn run(core: ObjectCore, candidates: Vec<HashSet<BlobId>>) {
    let sets = Arc::clone(&core.inner.sets);
    for (set, candidates) in sets.iter().zip(candidates) {
        if let Err(error) = sweep(&core, set, candidates).await {
            tracing::warn!(set.number = set.number, %error, "could not sweep");
        }
    }
    core.inner.swept.0.send_replace(true);
    loop {
        tokio::time::sleep(core.inner.settings.sweep_interval).await;
        for set in sets.iter() {
            if let Err(error) = sweep_again(&core, set).await {
                tracing::warn!(set.number = set.number, %error, "could not sweep");
            }
        }
    }
}

/// Sweeps a set at work (E1).
pub(crate) async fn sweep_again(core: &ObjectCore, set: &Arc<Set>) -> Result<(), StorageError> {
    let listed = Arc::clone(set);
    let mut candidates = set.log.read(Weight::Long, move || Ok(candidates(&listed))).await?;
    set.in_flight.spare(&mut candidates);
    // Behind this, every write that ended before is decided.
    set.log.takes_writes().await?;
    sweep(core, set, candidates).await
}

async fn sweep(core: &ObjectCore, set: &Arc<Set>, candidates: HashSet<BlobId>) -> Result<(), StorageError> {
    let looked = Arc::clone(set);
    let gone = set.log.read(Weight::Long, move || uploads_gone(&looked)).await?;
    for upload in gone {
        core.sweep_parts(set, &upload).await?;
    }
    let scanned = Arc::clone(set);
    let mut orphans = set.log.read(Weight::Long, move || orphans(&scanned, candidates.clone())).await?;
    // In this order: what is taken from the one goes into the other.
    for waiting in core.inner.removals.waiting().into_iter().chain(core.inner.healer.pins.waiting()) {
        orphans.remove(&waiting);
    }
    if orphans.is_empty() {
        return Ok(());
    }
    tracing::info!(set.number = set.number, blobs = orphans.len(), "removing orphans");
    let orphans: Vec<BlobId> = orphans.into_iter().collect();
    for batch in orphans.chunks(BATCH) {
        let (from, batch) = (Arc::clone(set), batch.to_vec());
        let work = move || {
            remove(&from, &batch);
            Ok(())
        };
        set.log.read(Weight::Long, work).await?;
        tokio::time::sleep(PAUSE).await;
    }
    metrics::counter!("tarn_orphans_removed_total").increment(orphans.len() as u64);
    Ok(())
}

/// The uploads of which there are parts but no entry.
fn uploads_gone(set: &Set) -> Result<HashSet<UploadId>, StorageError> {
    let mut gone = HashSet::new();
    each(set, Space::Part, |key, _| {
        gone.extend(upload_of_part(key));
        Ok(())
    })?;
    if !gone.is_empty() {
        each(set, Space::Upload, |key, _| {
            let id = key.rsplit(|byte| *byte == 0).next().and_then(|id| std::str::from_utf8(id).ok());
            if let Some(id) = id {
                gone.remove(&UploadId(id.to_owned()));
            }
            Ok(())
        })?;
    }
    Ok(gone)
}

/// The candidates that no entry names (E2). Blocking.
fn orphans(set: &Set, mut candidates: HashSet<BlobId>) -> Result<HashSet<BlobId>, StorageError> {
    if candidates.is_empty() {
        return Ok(candidates);
    }
    each(set, Space::Part, |_, value| {
        let part: value::Part = value::decode(value).map_err(unreadable)?;
        candidates.remove(&part.blob.id);
        Ok(())
    })?;
    // An entry that cannot be read may name any of them: then nothing is an orphan.
    each(set, Space::Object, |_, value| {
        let object = Object::decode(value).map_err(unreadable)?;
        object.tail.files().iter().for_each(|extent| {
            candidates.remove(&extent.blob.id);
        });
        Ok(())
    })?;
    Ok(candidates)
}

fn each(
    set: &Set,
    space: Space,
    mut look: impl FnMut(&[u8], &[u8]) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let mut from = Bound::Unbounded;
    loop {
        let began = Instant::now();
        let page = set.log.scan(space, from, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        from = Bound::Excluded(last.clone());
        for (key, entry) in &page {
            look(key, &entry.value)?;
        }
        if set.log.is_closing() {
            return Err(StorageError::Closing);
        }
        std::thread::sleep(began.elapsed().min(REST_MAX));
    }
}
