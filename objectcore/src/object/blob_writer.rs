//! Writes a blob to the shard files of a set, stripe by stripe.
//!
//! - W1: nothing has a name before [`BlobWriter::finish`]; dropped before that, nothing stays.
//! - W2: `finish` answers when the shard files are durable on at least the write quorum of the set. When it
//!   fails, files may have their names on some drives; none gets one later, but on a drive that hangs.
//! - W3: a drive that fails a write is taken out; the blob goes on without it while the quorum lasts.
//! - W4: so it does without a drive that hangs, once that is out. The thread that is held by it is left behind; another
//!   writes on, and what either wrote before is not written again.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use tokio::task::JoinSet;

use super::in_flight::Writing;
use crate::core::Set;
use crate::drive::{ShardWriter, is_shortage};
use crate::erasure::encode::encode_stripe;
use crate::erasure::header;
use crate::erasure::layout::{Blob, BlobId, Coding};
use crate::set::ended;
use crate::types::StorageError;

/// A blob being written.
pub(crate) struct BlobWriter {
    lanes: Arc<Lanes>,
    id: BlobId,
    coding: Coding,
    size: u64,
    stripes: u64,
    writing: Writing,
}

/// The shard files of a blob, one for each slot.
struct Lanes {
    set: Arc<Set>,
    lanes: Vec<Lane>,
    full: AtomicBool,
    /// The process or the machine lacked something.
    short: AtomicBool,
}

#[derive(Default)]
struct Lane {
    /// Held while the drive works.
    file: Mutex<LaneFile>,
    /// Its drive hangs and is out (W4).
    left: AtomicBool,
}

#[derive(Default)]
struct LaneFile {
    /// `None` before it is begun, and where the drive cannot take it.
    writer: Option<Box<dyn ShardWriter>>,
    begun: bool,
    /// The stripe and the piece of it that come next.
    next: (u64, usize),
}

/// A blob whose shard files are durable.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) blob: Blob,
    /// Held until the commit that names the blob, or keeps it from being named, was answered.
    pub(crate) writing: Writing,
    /// Drives are missing it: it must be repaired.
    pub(crate) short: bool,
}

impl BlobWriter {
    pub(crate) fn new(set: Arc<Set>, id: BlobId) -> Self {
        let coding = set.log.coding();
        let writing = set.in_flight.begin(id);
        let lanes = (0..coding.geometry.total()).map(|_| Lane::default()).collect();
        let lanes =
            Arc::new(Lanes { set, lanes, full: AtomicBool::new(false), short: AtomicBool::new(false) });
        Self { lanes, id, coding, size: 0, stripes: 0, writing }
    }

    pub(crate) fn coding(&self) -> &Coding {
        &self.coding
    }

    pub(crate) fn id(&self) -> BlobId {
        self.id
    }

    fn blob(&self) -> Blob {
        Blob { id: self.id, size: self.size, coding: self.coding }
    }

    /// Encodes and writes the next stripe: `bytes` of it, padded to whole shards. All stripes but the last are full.
    pub(crate) async fn write_stripe(
        mut self,
        bytes: usize,
        padded: Arc<Vec<u8>>,
    ) -> Result<Self, StorageError> {
        let (blob, stripe) = (self.blob(), self.stripes);
        let mut stalls = self.lanes.set.log.stalls();
        let begin = || {
            let (lanes, padded) = (Arc::clone(&self.lanes), Arc::clone(&padded));
            tokio::task::spawn_blocking(move || lanes.write_stripe(&blob, stripe, &padded))
        };
        let log = self.lanes.set.log.clone();
        let mut permit = log.write_permit().await?;
        let mut writing = begin();
        let healthy = loop {
            tokio::select! {
                biased;
                written = &mut writing => break written.map_err(ended)?,
                _ = stalls.changed() => if self.lanes.leave_hanging() {
                    drop(permit);
                    permit = log.write_permit().await?;
                    writing = begin();
                },
            }
        };
        drop(permit);
        self.lanes.quorum(healthy)?;
        self.stripes += 1;
        self.size += bytes as u64;
        Ok(self)
    }

    /// Makes the blob durable (W2). A blob of no bytes has no files.
    pub(crate) async fn finish(self) -> Result<Finished, StorageError> {
        let (blob, lanes) = (self.blob(), &self.lanes);
        let mut stalls = lanes.set.log.stalls();
        let _permit = lanes.set.log.write_permit().await?;
        let mut syncs = JoinSet::new();
        let mut waiting = Vec::new();
        for (slot, lane) in lanes.lanes.iter().enumerate() {
            if let Some(writer) = lane.usable().and_then(|mut file| file.writer.take()) {
                waiting.push(slot);
                syncs.spawn_blocking(move || (slot, writer.finish()));
            }
        }
        let (mut durable, mut lost) = (0, false);
        while !waiting.is_empty() {
            tokio::select! {
                biased;
                synced = syncs.join_next() => {
                    match synced {
                        Some(Ok((slot, result))) => {
                            waiting.retain(|other| *other != slot);
                            durable += lanes.keep(slot, result).map_or(0, |()| 1);
                        }
                        Some(Err(_)) => lost = true,
                        None => break,
                    }
                }
                _ = stalls.changed() => waiting.retain(|slot| lanes.set.takes_writes(*slot)),
            }
        }
        // What is left hangs in drives that are out (W4).
        syncs.detach_all();
        if lost {
            return Err(StorageError::Closing);
        }
        if blob.size > 0 {
            lanes.quorum(durable)?;
        }
        let short = blob.size > 0 && durable < blob.coding.geometry.total();
        Ok(Finished { blob, short, writing: self.writing })
    }
}

impl Lane {
    /// The file, unless its drive hangs. Waits for who writes it now.
    fn usable(&self) -> Option<MutexGuard<'_, LaneFile>> {
        match self.left.load(Ordering::Acquire) {
            true => None,
            false => Some(self.file.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl Lanes {
    /// Blocking. Answers how many files hold the stripe.
    fn write_stripe(&self, blob: &Blob, stripe: u64, padded: &[u8]) -> usize {
        for slot in 0..self.lanes.len() {
            self.begin(slot, blob);
        }
        let mut pieces = vec![0; self.lanes.len()];
        encode_stripe(&self.set.codec, (blob.id, &blob.coding), stripe, padded, |shard, piece| {
            let slot = blob.slot(shard);
            self.write(slot, (stripe, pieces[slot]), piece);
            pieces[slot] += 1;
        });
        let holds = |lane: &&Lane| lane.usable().is_some_and(|file| file.writer.is_some());
        self.lanes.iter().filter(holds).count()
    }

    /// Begins the file with its header, once.
    fn begin(&self, slot: usize, blob: &Blob) {
        let Some(mut file) = self.lanes[slot].usable() else { return };
        if file.begun {
            return;
        }
        file.begun = true;
        if !self.set.takes_writes(slot) {
            return;
        }
        let created = self.set.log.slots()[slot].create_shard(blob.id.number()).and_then(|mut writer| {
            writer.write(&header::encode(blob.id, &blob.coding, blob.shard_on(slot)))?;
            Ok(writer)
        });
        file.writer = self.keep(slot, created);
    }

    /// Writes a piece of a stripe, once (W4).
    fn write(&self, slot: usize, (stripe, number): (u64, usize), piece: &[u8]) {
        let Some(mut file) = self.lanes[slot].usable() else { return };
        if (stripe, number) < file.next {
            return;
        }
        let Some(mut writer) = file.writer.take() else { return };
        let written = writer.write(piece);
        file.writer = self.keep(slot, written.map(|()| writer));
        file.next = (stripe, number + 1);
    }

    /// Takes the drive out unless it is merely full, or the process lacks something (W3).
    fn keep<T>(&self, slot: usize, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                self.full.store(true, Ordering::Release);
                None
            }
            Err(error) if is_shortage(&error) => {
                self.short.store(true, Ordering::Release);
                None
            }
            Err(error) => {
                self.set.log.slots()[slot].fail(&format!("a shard file could not be written: {error}"));
                None
            }
        }
    }

    /// Leaves the files that are held by drives that are out (W4); answers whether there were any.
    fn leave_hanging(&self) -> bool {
        let mut any = false;
        for (slot, lane) in self.lanes.iter().enumerate() {
            let held = matches!(lane.file.try_lock(), Err(TryLockError::WouldBlock));
            if held && !self.set.takes_writes(slot) {
                any |= !lane.left.swap(true, Ordering::AcqRel);
            }
        }
        any
    }

    fn quorum(&self, healthy: usize) -> Result<(), StorageError> {
        let needed = self.set.write_quorum();
        match healthy >= needed {
            _ if self.full.load(Ordering::Acquire) => Err(StorageError::Full),
            _ if self.short.load(Ordering::Acquire) => Err(StorageError::Busy),
            true => Ok(()),
            false => Err(StorageError::TooFewDrives { healthy, needed }),
        }
    }
}
