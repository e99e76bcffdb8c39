//! Writes a blob to the shard files of a set, stripe by stripe.
//!
//! - W1: nothing has a name before [`BlobWriter::finish`]; dropped before that, nothing stays.
//! - W2: `finish` answers when the shard files are durable on at least the write quorum of the set. When it
//!   fails, files may have their names on some drives; none gets one later.
//! - W3: a drive that fails a write is taken out; the blob goes on without it while the quorum lasts.

use std::io;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::core::Set;
use crate::drive::ShardWriter;
use crate::erasure::encode::encode_stripe;
use crate::erasure::header;
use crate::erasure::layout::{Blob, BlobId, Coding};
use crate::types::StorageError;

/// A blob being written.
pub(crate) struct BlobWriter {
    set: Arc<Set>,
    id: BlobId,
    coding: Coding,
    size: u64,
    stripes: u64,
    /// One for each slot; `None` where the drive cannot take it.
    files: Vec<Option<Box<dyn ShardWriter>>>,
    full: bool,
}

/// A blob whose shard files are durable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished {
    pub(crate) blob: Blob,
    /// Drives are missing it: it must be repaired.
    pub(crate) short: bool,
}

impl BlobWriter {
    pub(crate) fn new(set: Arc<Set>, id: BlobId) -> Self {
        let coding = Coding::new(set.log.geometry());
        Self { set, id, coding, size: 0, stripes: 0, files: Vec::new(), full: false }
    }

    pub(crate) fn coding(&self) -> &Coding {
        &self.coding
    }

    /// Blocking. Encodes and writes the next stripe: `bytes` of it, padded to whole shards. All
    /// stripes but the last are full.
    pub(crate) fn write_stripe(&mut self, bytes: usize, padded: &[u8]) -> Result<(), StorageError> {
        if self.files.is_empty() {
            self.create()?;
        }
        let blob = self.blob();
        let (set, stripe) = (Arc::clone(&self.set), self.stripes);
        encode_stripe(&set.codec, (blob.id, &blob.coding), stripe, padded, |shard, piece| {
            self.write(blob.slot(shard), piece);
        });
        self.stripes += 1;
        self.size += bytes as u64;
        self.quorum(self.files.iter().flatten().count())
    }

    pub(crate) fn id(&self) -> BlobId {
        self.id
    }

    fn blob(&self) -> Blob {
        Blob { id: self.id, size: self.size, coding: self.coding }
    }

    fn create(&mut self) -> Result<(), StorageError> {
        let set = Arc::clone(&self.set);
        let blob = self.blob();
        for (slot, drive) in set.log.slots().iter().enumerate() {
            let file = match set.is_reachable(slot) {
                true => self.keep(slot, drive.create_shard(self.id.number())),
                false => None,
            };
            self.files.push(file);
            self.write(slot, &header::encode(self.id, &self.coding, blob.shard_on(slot)));
        }
        self.quorum(self.files.iter().flatten().count())
    }

    fn write(&mut self, slot: usize, piece: &[u8]) {
        let Some(mut file) = self.files[slot].take() else { return };
        let written = file.write(piece);
        self.files[slot] = self.keep(slot, written.map(|()| file));
    }

    /// Takes the drive out unless it is merely full (W3).
    fn keep<T>(&mut self, slot: usize, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                self.full = true;
                None
            }
            Err(error) => {
                self.set.log.slots()[slot].fail(&format!("a shard file could not be written: {error}"));
                None
            }
        }
    }

    fn quorum(&self, healthy: usize) -> Result<(), StorageError> {
        let needed = self.set.write_quorum();
        match healthy >= needed {
            _ if self.full => Err(StorageError::Full),
            true => Ok(()),
            false => Err(StorageError::TooFewDrives { healthy, needed }),
        }
    }

    /// Makes the blob durable (W2). A blob of no bytes has no files.
    pub(crate) async fn finish(mut self) -> Result<Finished, StorageError> {
        let blob = self.blob();
        let mut syncs = JoinSet::new();
        for (slot, file) in std::mem::take(&mut self.files).into_iter().enumerate() {
            if let Some(file) = file {
                syncs.spawn_blocking(move || (slot, file.finish()));
            }
        }
        let (mut durable, mut lost) = (0, false);
        while let Some(synced) = syncs.join_next().await {
            match synced {
                Ok((slot, result)) => durable += self.keep(slot, result).map_or(0, |()| 1),
                Err(_) => lost = true,
            }
        }
        if lost {
            return Err(StorageError::Closing);
        }
        if blob.size > 0 {
            self.quorum(durable)?;
        }
        Ok(Finished { blob, short: blob.size > 0 && durable < blob.coding.geometry.total() })
    }
}
