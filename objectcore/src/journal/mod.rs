//! What changed in watched buckets, in order, until it is forgotten.
//!
//! - C1: a change is durable in the same moment as the write it tells of, whole or not at all: it is part of its
//!   commit. It stays until it is forgotten, whatever happens to the object.
//! - C2: the changes of a set have ascending sequences, and a key is always in the same set.
//! - C3: once a sequence was told, no change with a lower one appears later (`set/outbox.rs`).
//!
//! A bucket that is not watched costs nothing. One that is takes room on the drives until its changes are forgotten,
//! though no one asks for them. Healing and compaction change no object.

use std::net::IpAddr;
use std::sync::Arc;

use tarn_openapi::access::Principal;
use tarn_openapi::request::RequestId;
use tokio::sync::Mutex;

use crate::bucket::unreadable;
use crate::core::{ObjectCore, Set};
use crate::scan::ScanTag;
use crate::set::{Reach, Seq};
use crate::types::{Attributes, ChecksumAlgorithm, Millis, StorageError};

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use value::{Making, encode};

/// Who makes the changes of a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who asks.
    pub principal: Principal,
    /// Where from.
    pub address: Option<IpAddr>,
    /// The request, where it has an id.
    pub request: Option<RequestId>,
}

/// One change of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// Its place among the changes of its set.
    pub sequence: u64,
    /// When it was.
    pub at: Millis,
    /// What it is.
    pub changed: Changed,
    /// Who made it; `None`: the server itself.
    pub by: Option<ChangedBy>,
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It was written, whole.
    Created(ObjectState),
    /// What is said of it changed, not its bytes.
    Updated(ObjectState),
    /// It is gone.
    Deleted,
}

/// An object after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectState {
    /// Its size in bytes.
    pub size: u64,
    /// When it was last changed.
    pub modified: Millis,
    /// Its entity tag.
    pub tag: ScanTag,
    /// The algorithm of its checksum.
    pub checksum: Option<ChecksumAlgorithm>,
    /// What clients said of it.
    pub attributes: Attributes,
}

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedBy {
    /// The access key, or the holder of a token; of a session who is behind it.
    pub requester: String,
    /// The address the request came from.
    pub address: Option<IpAddr>,
    /// The request's id; empty: it had none.
    pub request: String,
}

/// What is known of a set's changes since it was opened. Held by who forgets.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Those that waited then are counted.
    counted: bool,
    /// Nothing that was forgotten is left on the drives.
    clean: bool,
}

impl Known {
    async fn count(&mut self, set: &Set) -> Result<(), StorageError> {
        if !self.counted {
            set.log.count_changes().await?;
            self.counted = true;
        }
        Ok(())
    }
}

/// Counts the changes that wait as a set is opened.
pub(crate) async fn count(set: Arc<Set>) {
    if let Err(error) = set.outbox.0.lock().await.count(&set).await {
        tracing::warn!(set.number = set.number, %error, "the changes that wait are not counted yet");
    }
}

impl ObjectCore {
    /// How many sets there are. It never changes.
    pub fn sets(&self) -> usize {
        self.inner.sets.len()
    }

    /// Changes in watched buckets of a set behind the sequence `after`, in order: at least `limit` of them if there are
    /// so many, and all of the last sequence.
    pub async fn changes(&self, set: usize, after: u64, limit: usize) -> Result<Vec<Change>, StorageError> {
        let Some(set) = self.inner.sets.get(set) else { return Ok(Vec::new()) };
        let rows = set.log.changes(Seq(after), limit).await?;
        rows.into_iter().map(|(seq, value)| value::decode(seq, &value).map_err(unreadable)).collect()
    }

    /// Forgets the changes of a set up to the sequence `through`. Slow, so that others come first. When it fails some
    /// may be forgotten; none comes back.
    pub async fn forget_changes(&self, set: usize, through: u64) -> Result<(), StorageError> {
        let Some(set) = self.inner.sets.get(set) else { return Ok(()) };
        let mut known = set.outbox.0.lock().await;
        known.count(set).await?;
        let reach = if known.clean { Reach::New } else { Reach::All };
        known.clean = false;
        set.log.forget(Seq(through), reach).await?;
        known.clean = true;
        Ok(())
    }
}
