//! Heal: shards that are missing or damaged are made again from the others.
//!
//! - H1: what is written is rebuilt from blocks whose hashes hold, so a repair never spreads damage.
//! - H2: a repair writes shards of the version that is current, while it is pinned; so it never brings back what
//!   was removed. (Another entry of the same version has other tags and the same shard files.)
//!
//! What has too few intact shards is left as it is and logged: nothing is deleted here.

pub(crate) mod fill;
pub(crate) mod rejoin;
mod repairs;
pub(crate) mod schedule;
pub(crate) mod scrub;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

pub(crate) use repairs::Repairs;

use crate::bucket::unreadable;
use crate::core::Set;
use crate::erasure::header;
use crate::erasure::layout::{Blob, BlobId};
use crate::erasure::window::{ShardSet, TooFewShards, Window};
use crate::object::pins::{Pin, Pins};
use crate::object::removal::Removals;
use crate::object::shards::{FileShards, InlineShards, ShardFiles};
use crate::object::value::{self, Object, Stored};
use crate::set::{CommitError, Entry, Space, Weight};
use crate::types::StorageError;

/// How fast shards are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Full,
    /// At most so many bytes are read each second.
    Gentle {
        bytes_per_second: u64,
    },
}

impl Pace {
    /// How long to rest after `bytes` were read in `took`.
    fn rest(self, bytes: u64, took: Duration) -> Duration {
        match self {
            Self::Full => Duration::ZERO,
            Self::Gentle { bytes_per_second } => {
                let should = bytes as f64 / bytes_per_second.max(1) as f64;
                Duration::try_from_secs_f64(should).unwrap_or(Duration::MAX).saturating_sub(took)
            }
        }
    }
}

/// Hands the repair requests of a set on, until the set is closed.
pub(crate) async fn forward(set: Arc<Set>, repairs: Arc<Repairs>) {
    let Some(mut requests) = set.log.take_repairs() else { return };
    while let Some(request) = requests.recv().await {
        repairs.push(set.number, request.space, request.key);
    }
}

/// What repairs need of the core.
#[derive(Clone)]
pub(crate) struct Healer {
    pub(crate) sets: Arc<[Arc<Set>]>,
    pub(crate) pins: Arc<Pins>,
    pub(crate) removals: Arc<Removals>,
    pub(crate) repairs: Arc<Repairs>,
}

impl Healer {
    /// Repairs what is pushed, until it is dropped.
    pub(crate) async fn run(self) {
        loop {
            let ailing = self.repairs.next().await;
            let set = &self.sets[ailing.set];
            match self.repair(set, (ailing.space, &ailing.key), Pace::Full).await {
                Ok(0) => self.repairs.forgive(ailing.set, ailing.space, &ailing.key),
                Ok(shards) => {
                    self.repairs.forgive(ailing.set, ailing.space, &ailing.key);
                    metrics::counter!("tarn_shards_repaired_total").increment(shards as u64);
                    tracing::info!(set.number = ailing.set, shards, "repaired an entry");
                }
                Err(error) => {
                    if let StorageError::Damaged { .. } = error {
                        self.repairs.fail(ailing.clone());
                    }
                    metrics::counter!("tarn_repairs_failed_total").increment(1);
                    tracing::warn!(set.number = ailing.set, %error, "could not repair an entry");
                }
            }
            self.repairs.done();
        }
    }

    /// Checks all shards of an entry and makes the bad ones again; returns how many.
    pub(crate) async fn repair(
        &self,
        set: &Arc<Set>,
        (space, key): (Space, &Bytes),
        pace: Pace,
    ) -> Result<usize, StorageError> {
        let Some(entry) = set.log.entry(space, key).await? else { return Ok(0) };
        set.applied(&entry).await;
        let repaired = self.repair_shards(set, (space, key, &entry), pace).await?;
        Ok(repaired + self.repair_records(set, (space, key, &entry)).await?)
    }

    /// Writes the record again on drives that lost it, where it carries no shard.
    async fn repair_records(
        &self,
        set: &Set,
        (space, key, entry): (Space, &Bytes, &Entry),
    ) -> Result<usize, StorageError> {
        if entry.inline {
            return Ok(0);
        }
        let mut repaired = 0;
        for slot in (0..set.log.slots().len()).filter(|slot| set.is_online(*slot)) {
            if holds(set, slot, (space, key, entry)).await? {
                continue;
            }
            match set.log.refill(slot, space, key, entry, None).await {
                Ok(()) => repaired += 1,
                Err(CommitError::Changed { .. }) => return Ok(repaired),
                Err(CommitError::Storage(error)) => return Err(error),
            }
        }
        Ok(repaired)
    }

    async fn repair_shards(
        &self,
        set: &Arc<Set>,
        (space, key, entry): (Space, &Bytes, &Entry),
        pace: Pace,
    ) -> Result<usize, StorageError> {
        match Ills::of(space, entry)? {
            Ills::Nothing => Ok(0),
            Ills::Inline(blob) => {
                let began = Instant::now();
                let repaired = self.repair_inline(set, (space, key, entry), &blob).await;
                let bytes = blob.stored_bytes() * blob.coding.geometry.total() as u64;
                tokio::time::sleep(pace.rest(bytes, began.elapsed())).await;
                repaired
            }
            Ills::Files { version, blobs } => {
                let Some(pin) = self.pin(set, (space, key), version).await? else {
                    return Ok(0);
                };
                let on = Arc::clone(set);
                let repair = move || {
                    let _pin: &Pin = &pin;
                    blobs.iter().try_fold(0, |sum, blob| Ok(sum + repair_files(&on, blob, pace)?))
                };
                set.log.read(Weight::Long, repair).await
            }
        }
    }

    /// Pins a version; `None` when the key no longer holds it (H2).
    pub(crate) async fn pin(
        &self,
        set: &Set,
        (space, key): (Space, &Bytes),
        version: BlobId,
    ) -> Result<Option<Pin>, StorageError> {
        let pin = self.pins.pin(version, &self.removals);
        let Some(now) = set.log.entry(space, key).await? else { return Ok(None) };
        Ok(match Ills::of(space, &now)? {
            Ills::Files { version: current, .. } if current == version => Some(pin),
            Ills::Files { .. } | Ills::Inline(_) | Ills::Nothing => None,
        })
    }

    async fn repair_inline(
        &self,
        set: &Arc<Set>,
        (space, key, entry): (Space, &Bytes, &Entry),
        blob: &Blob,
    ) -> Result<usize, StorageError> {
        let restored = restored_inline(set, (space, key, entry), blob, None).await?;
        let mut repaired = 0;
        for (shard, bytes) in restored {
            let slot = blob.slot(shard);
            if !set.is_online(slot) {
                continue;
            }
            match set.log.refill(slot, space, key, entry, Some(Bytes::from(bytes))).await {
                Ok(()) => repaired += 1,
                // Overwritten meanwhile: there is nothing to repair any more.
                Err(CommitError::Changed { .. }) => return Ok(repaired),
                Err(CommitError::Storage(error)) => return Err(error),
            }
        }
        Ok(repaired)
    }
}

/// Whether a drive holds this entry, as [`crate::set::ErasureSet::holds`].
pub(crate) async fn holds(
    set: &Set,
    slot: usize,
    (space, key, entry): (Space, &Bytes, &Entry),
) -> Result<bool, StorageError> {
    let (log, key, entry) = (set.log.clone(), key.clone(), entry.clone());
    set.log.read(Weight::Short, move || log.holds(slot, space, &key, &entry)).await
}

/// As [`restore_inline`], from asynchronous code.
pub(crate) async fn restored_inline(
    set: &Arc<Set>,
    (space, key, entry): (Space, &Bytes, &Entry),
    blob: &Blob,
    wanted: Option<ShardSet>,
) -> Result<Vec<(usize, Vec<u8>)>, StorageError> {
    let (on, key, entry, blob) = (Arc::clone(set), key.clone(), entry.clone(), *blob);
    set.log.read(Weight::Long, move || restore_inline(&on, (space, &key, &entry), &blob, wanted)).await
}

/// Blocking. The stored shards `wanted` of an inline blob, or else those that are missing or damaged.
fn restore_inline(
    set: &Set,
    (space, key, entry): (Space, &Bytes, &Entry),
    blob: &Blob,
    wanted: Option<ShardSet>,
) -> Result<Vec<(usize, Vec<u8>)>, StorageError> {
    let mut source = InlineShards::new(set, blob, (space, key, entry));
    let mut window = Window::new(&set.codec, blob, 0, &mut source);
    let wanted = wanted.unwrap_or_else(|| {
        window.check_all();
        window.bad()
    });
    let restored = window.restore(wanted).map_err(too_few);
    if source.is_short() { Err(StorageError::Busy) } else { restored }
}

/// What of an entry can ail: its shards.
pub(crate) enum Ills {
    Nothing,
    Inline(Blob),
    Files { version: BlobId, blobs: Vec<Blob> },
}

impl Ills {
    pub(crate) fn of(space: Space, entry: &Entry) -> Result<Self, StorageError> {
        Ok(match space {
            Space::Object => {
                let object = Object::decode(&entry.value).map_err(unreadable)?;
                match object.tail.stored {
                    Stored::Empty => Self::Nothing,
                    Stored::Inline(blob) => Self::Inline(blob),
                    Stored::Files(extents) => Self::Files {
                        version: object.tail.version,
                        blobs: extents.iter().map(|extent| extent.blob).collect(),
                    },
                }
            }
            Space::Part => {
                let part: value::Part = value::decode(&entry.value).map_err(unreadable)?;
                Self::Files { version: part.blob.id, blobs: vec![part.blob] }
            }
            Space::Bucket | Space::Upload | Space::System | Space::Journal => Self::Nothing,
        })
    }
}

fn too_few(error: TooFewShards) -> StorageError {
    StorageError::Damaged { intact: error.intact, needed: error.needed }
}

/// Blocking. Checks every shard file of a blob on drives that should have it and makes the bad ones
/// again.
fn repair_files(set: &Set, blob: &Blob, pace: Pace) -> Result<usize, StorageError> {
    let bad = check_files(set, blob, pace)?;
    let mut wanted = ShardSet::default();
    (0..blob.coding.geometry.total())
        .filter(|shard| bad.contains(*shard) && set.is_online(blob.slot(*shard)))
        .for_each(|shard| wanted.insert(shard));
    rebuild_files(set, blob, wanted)
}

/// Blocking. The shards of a blob with any missing or damaged block or header.
pub(crate) fn check_files(set: &Set, blob: &Blob, pace: Pace) -> Result<ShardSet, StorageError> {
    let mut files = ShardFiles::new(*blob);
    let mut bad = ShardSet::default();
    let bytes = blob.stored_bytes() / blob.stripes().max(1) * blob.coding.geometry.total() as u64;
    for stripe in 0..blob.stripes() {
        if set.log.is_closing() {
            return Err(StorageError::Closing);
        }
        let began = Instant::now();
        let mut source = FileShards { set, files: &mut files };
        let mut window = Window::new(&set.codec, blob, stripe, &mut source);
        window.check_all();
        bad.extend(window.bad());
        metrics::counter!("tarn_shards_checked_bytes").increment(bytes);
        std::thread::sleep(pace.rest(bytes, began.elapsed()));
    }
    bad.extend(files.bad_headers());
    if files.is_short() { Err(StorageError::Busy) } else { Ok(bad) }
}

/// Blocking. Writes the shard files `wanted` again, each durable under its name or not at all.
pub(crate) fn rebuild_files(set: &Set, blob: &Blob, wanted: ShardSet) -> Result<usize, StorageError> {
    if wanted.is_empty() || blob.size == 0 {
        return Ok(0);
    }
    let io = |source| StorageError::Io { context: "a shard file cannot be written again".to_owned(), source };
    let mut writers = Vec::new();
    for shard in (0..blob.coding.geometry.total()).filter(|shard| wanted.contains(*shard)) {
        let mut writer = set.log.slots()[blob.slot(shard)].create_shard(blob.id.number()).map_err(io)?;
        writer.write(&header::encode(blob.id, &blob.coding, shard)).map_err(io)?;
        writers.push(writer);
    }
    let mut files = ShardFiles::new(*blob);
    for stripe in 0..blob.stripes() {
        if set.log.is_closing() {
            return Err(StorageError::Closing);
        }
        let mut source = FileShards { set, files: &mut files };
        let mut window = Window::new(&set.codec, blob, stripe, &mut source);
        let restored = window.restore(wanted).map_err(too_few);
        let restored = if files.is_short() { Err(StorageError::Busy) } else { restored }?;
        for (writer, (_, bytes)) in writers.iter_mut().zip(restored) {
            writer.write(&bytes).map_err(io)?;
        }
    }
    let count = writers.len();
    for writer in writers {
        writer.finish().map_err(io)?;
    }
    Ok(count)
}

#[cfg(test)]
mod hang_tests;
#[cfg(test)]
mod loss_tests;
#[cfg(test)]
mod rejoin_tests;
#[cfg(test)]
mod shortage_tests;
#[cfg(test)]
mod tests;
