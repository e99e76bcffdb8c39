//! Packs: objects in the server's own bucket with the records of deletion vectors made for readers.
//!
//! A pack is byte 1, Delta's version, and records one after the other. Its key is
//! `sharing/vectors/<table's uuid>/<SHA-256 of its content, in hex>`: what it holds never changes.
//!
//! - V1: a pack is there as long as a URL of it counts. It is at most [`REUSED_AGE_MAX`] old when a version is told with it,
//!   that version is kept for at most [`crate::cache::KEPT_MAX`], its URLs count for at most [`URL_AGE_MAX`] more, and only packs
//!   older than [`PACK_AGE_MIN`] are removed.
//! - V3: the same records in the same order make the same packs, whatever was made before.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};
use sha2::{Digest as _, Sha256};
use tokio::sync::RwLock;
use uuid::Uuid;

use super::record::vector_bytes;
use crate::cache::KEPT_MAX;
use crate::table::{Deletes, OWN_BUCKET, Place, TableError};

/// Packs older than this are removed.
pub const PACK_AGE_MIN: Duration = Duration::from_hours(7 * 24);
/// The URL of a file counts for no longer than this.
pub const URL_AGE_MAX: Duration = Duration::from_hours(12);
/// A pack older than this is written again before a version is told with it. The rest of a day is for loading the version.
pub const REUSED_AGE_MAX: Duration = Duration::from_hours(4);
/// Loading a version takes no longer than this.
const LOAD_TIME_MAX: Duration = Duration::from_hours(8);

const _: () = assert!(
    REUSED_AGE_MAX.as_secs() + LOAD_TIME_MAX.as_secs() + KEPT_MAX.as_secs() + URL_AGE_MAX.as_secs()
        <= PACK_AGE_MIN.as_secs(),
    "V1"
);

/// Where packs lie in the own bucket.
pub(crate) const PREFIX: &str = "sharing/vectors";
/// Delta's version of files with deletion vectors.
const VERSION: u8 = 1;
/// A pack is no longer, unless it holds one record only: some readers get it whole for each vector in it.
const PACK_BYTES_MAX: usize = 64 << 10;

/// Where the vector of a data file lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    key: Arc<str>,
    file_size: u64,
    offset: u32,
    size: u32,
    cardinality: u64,
}

impl Placed {
    /// As a data file has it.
    pub fn deletes(&self) -> Deletes<'_> {
        Deletes {
            at: Place { bucket: OWN_BUCKET, key: &self.key },
            file_size: self.file_size,
            offset: self.offset,
            size: self.size,
            cardinality: self.cardinality,
        }
    }
}

/// Packs in their store.
pub(super) struct Packs {
    store: Arc<dyn ObjectStore>,
    /// Held shared to write a pack, alone to look at its age and remove it: none is removed that was just written again.
    removal: RwLock<()>,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Packs that were removed.
    pub packs: u64,
    /// Their bytes.
    pub size_bytes: u64,
}

/// A pack that is being filled.
pub(super) struct OpenPack {
    prefix: String,
    bytes: Vec<u8>,
    /// Offset, length and cardinality of each vector.
    vectors: Vec<(u32, u32, u64)>,
}

impl OpenPack {
    pub(super) fn new(table: Uuid) -> Self {
        Self { prefix: format!("{PREFIX}/{table}"), bytes: vec![VERSION], vectors: Vec::new() }
    }

    /// Whether a record of this length still belongs in it. An empty pack takes any.
    pub(super) fn takes(&self, record_bytes: usize) -> bool {
        self.vectors.is_empty() || self.bytes.len() + record_bytes <= PACK_BYTES_MAX
    }

    /// Adds a record.
    pub(super) fn push(&mut self, record: &[u8], cardinality: u64) {
        // Both are below 65 MiB.
        self.vectors.push((self.bytes.len() as u32, vector_bytes(record), cardinality));
        self.bytes.extend_from_slice(record);
    }

    /// Whether a data file is the last of its pack, by its location: so most packs stay what they are when a few data
    /// files come and go.
    pub(super) fn ends_with(location: &str) -> bool {
        Sha256::digest(location.as_bytes())[0] == 0
    }

    /// The vectors in the order they were pushed, with their pack's content and key; nothing for an empty one.
    fn seal(&mut self) -> (Vec<u8>, Vec<Placed>) {
        let bytes = std::mem::replace(&mut self.bytes, vec![VERSION]);
        let key: Arc<str> = format!("{}/{}", self.prefix, hex::encode(Sha256::digest(&bytes))).into();
        let placed = |(offset, size, cardinality)| Placed {
            key: key.clone(),
            file_size: bytes.len() as u64,
            offset,
            size,
            cardinality,
        };
        let placed = self.vectors.drain(..).map(placed).collect();
        (bytes, placed)
    }
}

impl Packs {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, removal: RwLock::new(()) }
    }

    /// Makes the pack durable (V1) and empties it. Where its vectors lie, in the order they were pushed.
    pub(super) async fn write(&self, pack: &mut OpenPack, now_ms: i64) -> Result<Vec<Placed>, TableError> {
        let (bytes, placed) = pack.seal();
        let Some(first) = placed.first() else { return Ok(placed) };
        let key = Path::from(&*first.key);
        let _no_removal = self.removal.read().await;
        let payload = PutPayload::from(bytes);
        match self.store.put_opts(&key, payload.clone(), PutMode::Create.into()).await {
            Ok(_) => return Ok(placed),
            Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
        let there = self.store.head(&key).await.map_err(failed)?;
        if age(&there, now_ms) > REUSED_AGE_MAX {
            self.store.put(&key, payload).await.map_err(failed)?;
        }
        Ok(placed)
    }

    /// Removes packs that no URL may be for any more (V1).
    pub(super) async fn sweep(&self, now_ms: i64) -> Result<Swept, object_store::Error> {
        let mut swept = Swept::default();
        let mut packs = self.store.list(Some(&Path::from(PREFIX)));
        while let Some(pack) = packs.try_next().await? {
            if age(&pack, now_ms) <= PACK_AGE_MIN {
                continue;
            }
            let _no_writes = self.removal.write().await;
            match self.store.head(&pack.location).await {
                Ok(there) if age(&there, now_ms) > PACK_AGE_MIN => {}
                Ok(_) | Err(object_store::Error::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            }
            self.store.delete(&pack.location).await?;
            swept.packs += 1;
            swept.size_bytes += pack.size;
        }
        Ok(swept)
    }
}

/// How long ago an object was written.
fn age(object: &object_store::ObjectMeta, now_ms: i64) -> Duration {
    let written_ms = object.last_modified.timestamp_millis();
    Duration::from_millis(now_ms.saturating_sub(written_ms).max(0) as u64)
}

fn failed(error: object_store::Error) -> TableError {
    TableError::Store(Box::new(error))
}
