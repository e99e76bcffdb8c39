//! The commit of an object: the one moment at which it changes.
//!
//! - O1: the record of an object is committed only after its shard files are durable.
//! - O2: a condition is decided by the committer of the set, together with the write: `If-Match` becomes
//!   "the entry still has the sequence number at which its tag was compared".
//! - O3: what a commit replaced is condemned; of a write refused for certain, what it wrote is. After an
//!   unknown outcome nothing is.

use bytes::Bytes;

use super::blob_writer::Finished;
use super::in_flight::Writing;
use super::receive::Kept;
use super::removal::Condemned;
use super::value::{Extent, Object, Stored, decode_head};
use crate::bucket::{BucketState, Gate, unreadable};
use crate::core::{ObjectCore, Set, now};
use crate::erasure::layout::BlobId;
use crate::journal::{self, Making};
use crate::set::{CommitError, Committed, Draft, Entry, Expect, Space, told};
use crate::types::{PutIf, StorageError, WriteError};

/// How often a condition is weighed again when the object changes meanwhile.
const TRIES_MAX: usize = 64;

/// Bytes that are durable, or travel with the record.
pub(crate) struct Durable {
    pub(crate) stored: Stored,
    pub(crate) inline: Option<Vec<Bytes>>,
    /// A drive lacks a shard: repair after the commit.
    pub(crate) short: bool,
    /// Held until the commit was answered: the sweep spares what it names.
    pub(crate) writing: Option<Writing>,
}

impl ObjectCore {
    /// Makes the bytes of a body durable (O1). Where that fails no record was sent that could name them, and what
    /// got its name on some drives is condemned.
    pub(crate) async fn make_durable(
        &self,
        set: &Set,
        kept: Kept,
        number: u16,
    ) -> Result<Durable, StorageError> {
        Ok(match kept {
            Kept::Empty => Durable { stored: Stored::Empty, inline: None, short: false, writing: None },
            Kept::Inline { blob, shards } => {
                let stored = Stored::Inline(blob);
                Durable { stored, inline: Some(shards), short: false, writing: None }
            }
            Kept::Files(writer) => {
                let id = writer.id();
                let finished = writer.finish().await;
                let Finished { blob, short, writing } =
                    finished.inspect_err(|_| self.condemn(set, id, vec![id]))?;
                let extent = Extent { number, blob, checksum: None };
                Durable { stored: Stored::Files(vec![extent]), inline: None, short, writing: Some(writing) }
            }
        })
    }

    /// Commits `draft`, which makes `change` of the object `key`, under the condition `when`. Where the bucket is watched
    /// the draft tells of it too.
    pub(crate) async fn commit_object(
        &self,
        set: &Set,
        bucket: &BucketState,
        (key, when): (&Bytes, &PutIf),
        mut draft: Draft,
        change: Making<'_>,
    ) -> Result<Committed, Refused> {
        let gate = bucket.hold().await.map_err(|_| Refused::NoSuchBucket)?;
        self.tell(*gate, &mut draft, key, change);
        let mut found = match when {
            PutIf::Match(_) => set.log.entry(Space::Object, key).await?,
            PutIf::Always | PutIf::Absent | PutIf::Exists => None,
        };
        for _ in 0..TRIES_MAX {
            let mut draft = draft.clone();
            draft.expect.push((Space::Object, key.clone(), expect(when, found.as_ref())?));
            match set.log.commit(draft).await {
                Ok(committed) => return Ok(committed),
                Err(CommitError::Storage(error)) => return Err(error.into()),
                Err(CommitError::Changed { space: Space::Object, found: now, .. }) => found = now,
                Err(CommitError::Changed { .. }) => return Err(Refused::Elsewhere),
            }
            // With a tag, the next round compares it with what is there now.
            if !matches!(when, PutIf::Match(_)) {
                return Err(Refused::Precondition { exists: found.is_some() });
            }
        }
        Err(StorageError::Busy.into())
    }

    /// Where the bucket is watched `draft` tells of its change too. It is committed while the gate is held.
    pub(crate) fn tell(&self, gate: Gate, draft: &mut Draft, key: &Bytes, change: Making<'_>) {
        if gate.watched {
            draft.ops.push(told(journal::encode(key, change, now(), self.origin())));
        }
    }

    /// Condemns the shard files of an object's entry that is gone.
    pub(crate) fn condemn_entry(&self, set: &Set, gone: Option<&Entry>) {
        let Some(entry) = gone else { return };
        // An entry this build cannot read keeps its files: better an orphan than a loss.
        let Ok(object) = Object::decode(&entry.value) else { return };
        let blobs = object.tail.files().iter().map(|extent| extent.blob.id).collect();
        self.condemn(set, object.tail.version, blobs);
    }

    /// Condemns what a refused write left, unless its outcome is unknown (O3).
    pub(crate) fn condemn_refused(&self, set: &Set, version: BlobId, stored: &Stored, why: &Refused) {
        if let (true, Stored::Files(extents)) = (why.is_certain(), stored) {
            self.condemn(set, version, extents.iter().map(|extent| extent.blob.id).collect());
        }
    }

    pub(crate) fn condemn(&self, set: &Set, version: BlobId, blobs: Vec<BlobId>) {
        self.inner.removals.push(Condemned { version, set: set.number, blobs });
    }
}

/// Why a commit had no effect (or none that is known).
#[derive(Debug)]
pub(crate) enum Refused {
    NoSuchBucket,
    Precondition {
        exists: bool,
    },
    /// An entry other than the object's is not as expected.
    Elsewhere,
    Storage(StorageError),
}

impl Refused {
    /// Whether it is known that nothing took effect.
    fn is_certain(&self) -> bool {
        match self {
            Self::Storage(StorageError::Unknown | StorageError::Io { .. }) => false,
            Self::Storage(
                StorageError::Full
                | StorageError::TooFewDrives { .. }
                | StorageError::Damaged { .. }
                | StorageError::Busy
                | StorageError::Closing,
            )
            | Self::NoSuchBucket
            | Self::Precondition { .. }
            | Self::Elsewhere => true,
        }
    }
}

impl From<StorageError> for Refused {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<Refused> for WriteError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoSuchBucket => Self::NoSuchBucket,
            Refused::Precondition { exists } => Self::Precondition { exists },
            Refused::Elsewhere => Self::Storage(StorageError::Busy),
            Refused::Storage(error) => Self::Storage(error),
        }
    }
}

/// The condition as the committer checks it (O2).
fn expect(when: &PutIf, found: Option<&Entry>) -> Result<Expect, Refused> {
    match when {
        PutIf::Always => Ok(Expect::Any),
        PutIf::Absent => Ok(Expect::Absent),
        PutIf::Exists => Ok(Expect::Present),
        PutIf::Match(tag) => {
            let Some(entry) = found else { return Err(Refused::Precondition { exists: false }) };
            let head = decode_head(&entry.value).map_err(unreadable)?;
            match head.tag.text() == *tag {
                true => Ok(Expect::Seq(entry.seq)),
                false => Err(Refused::Precondition { exists: true }),
            }
        }
    }
}
