//! The catalog log: objects `log/<seq>` made with put-if-absent, checkpoints, and a trim boundary.
//!
//! - L1: `append` answers success only after its record is durable under its sequence number, is
//!   ours by its put-id, and lies above the trim boundary (B2).
//! - L2: sequence numbers are dense and every record carries the hash of the one before it; replay
//!   refuses a gap, a foreign record and a damaged one.
//! - L3: one writer. Opening appends a fence record; a writer that finds a foreign record where it
//!   wanted to append has been fenced and never appends again.
//! - L4: an append whose answer was lost stays pending. No other append starts before it is
//!   settled by its put-id, so the record after it never depends on a guess.
//!
//! The log knows no catalog: bodies are bytes (`commit/batch.rs`).

mod boundary;
mod checkpoint;
mod past;
mod record;
mod recovery;
mod retention;
mod store;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod trim;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use self::boundary::Boundary;
pub(crate) use self::checkpoint::Checkpoint;
pub(crate) use self::past::{Oldest, Past, PastError};
use self::record::{Record, RecordError, RecordHash, RecordKind};
pub(crate) use self::recovery::{OpenLogError, Recovered};
pub(crate) use self::retention::Retention;
pub use self::store::IsRefusal;
use self::store::PutError;
pub(crate) use self::store::{Store, in_time, patience};
pub(crate) use self::trim::Trimmer;

const FOLDER: &str = "log";

/// A position in the catalog log. The first record is 1; 0 is the empty catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first record.
    pub const ZERO: Self = Self(0);

    fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// 20 digits, so that names order as numbers do.
    fn name(self) -> String {
        format!("{:020}", self.0)
    }

    fn parse(name: &str) -> Option<Self> {
        (name.len() == 20).then(|| name.parse().ok().map(Self))?
    }
}

impl std::fmt::Display for Seq {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The id of one append. It decides whose record is found after an answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PutId(pub uuid::Uuid);

impl std::fmt::Display for PutId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// How long an append tries to learn its outcome before it says `Unknown`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From the first put to `Unknown`.
    pub(crate) deadline: Duration,
    /// Between two tries; doubles with each, up to a second.
    pub(crate) backoff: Duration,
}

/// The log could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the store failed")]
    Store(#[source] object_store::Error),
    #[error("the trim boundary is damaged or of another version")]
    Boundary,
    #[error("record {seq} is missing although later ones exist")]
    Missing { seq: Seq },
    #[error("record {seq} is damaged")]
    Damaged {
        seq: Seq,
        #[source]
        source: RecordError,
    },
    #[error("record {seq} does not follow the record before it")]
    Chain { seq: Seq },
}

/// Why an append did not answer success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    /// Another writer holds this sequence number (L3). Nothing of ours happened.
    #[error("another writer took the log over at record {seq}")]
    Taken { seq: Seq },
    /// The record landed where records are deleted already (B2). Nothing of ours happened.
    #[error("the log is trimmed through {boundary}: another writer has gone on")]
    Trimmed { boundary: Seq },
    /// The store said that it did nothing.
    #[error("the store refused the record")]
    Refused(#[source] object_store::Error),
    /// It may have happened or may yet happen (L4).
    #[error("the outcome of append {put_id} is not known")]
    Unknown {
        put_id: PutId,
        #[source]
        source: object_store::Error,
    },
}

/// One try of an append.
enum Try {
    Landed,
    Fenced(AppendError),
    Refused(object_store::Error),
    Unknown(object_store::Error),
}

/// The last record that is durable: what the next one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) seq: Seq,
    pub(crate) hash: RecordHash,
}

struct Pending {
    seq: Seq,
    put_id: PutId,
    bytes: Bytes,
    /// A put may have reached the store: from then on a refusal is no proof.
    sent: bool,
}

/// The writer's end of the log.
pub(crate) struct Log {
    store: Store,
    tail: Tail,
    pending: Option<Pending>,
    patience: Patience,
}

impl Log {
    /// A reader of what was.
    pub(crate) fn past(&self) -> Past {
        Past::new(self.store.clone())
    }

    /// The last durable record.
    pub(crate) fn tail(&self) -> Tail {
        self.tail
    }

    /// Appends one record. On `Unknown` the append stays pending: call `settle` (L4).
    pub(crate) async fn append(&mut self, put_id: PutId, body: Bytes) -> Result<Seq, AppendError> {
        self.append_kind(RecordKind::Batch, put_id, body).await
    }

    async fn append_kind(
        &mut self,
        kind: RecordKind,
        put_id: PutId,
        body: Bytes,
    ) -> Result<Seq, AppendError> {
        assert!(self.pending.is_none(), "an append starts only after the one before it is settled");
        let seq = self.tail.seq.next();
        let bytes = Record { kind, seq, put_id, previous: self.tail.hash, body }.encode();
        self.pending = Some(Pending { seq, put_id, bytes, sent: false });
        self.settle().await
    }

    /// Learns the outcome of the pending append, by trying the same put again and looking whose
    /// record is there. `Unknown` again leaves it pending.
    pub(crate) async fn settle(&mut self) -> Result<Seq, AppendError> {
        let Some(mut pending) = self.pending.take() else { return Ok(self.tail.seq) };
        let deadline = Instant::now() + self.patience.deadline;
        let mut backoff = self.patience.backoff;
        loop {
            let source = match self.attempt(&pending).await {
                Try::Landed => {
                    self.tail = Tail { seq: pending.seq, hash: RecordHash::of(&pending.bytes) };
                    return Ok(pending.seq);
                }
                Try::Fenced(error) => return Err(error),
                Try::Refused(source) if !pending.sent => return Err(AppendError::Refused(source)),
                Try::Refused(source) | Try::Unknown(source) => source,
            };
            pending.sent = true;
            if Instant::now() + backoff >= deadline {
                let put_id = pending.put_id;
                self.pending = Some(pending);
                return Err(AppendError::Unknown { put_id, source });
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(Duration::from_secs(1));
        }
    }

    async fn attempt(&self, pending: &Pending) -> Try {
        let key = key(pending.seq);
        match self.store.create(&key, pending.bytes.clone()).await {
            Ok(_version) => self.confirm(pending).await,
            Err(PutError::Changed) => match self.store.read(&key).await {
                Ok(Some((found, _version))) => match Record::decode(&found) {
                    Ok(record) if record.put_id == pending.put_id => self.confirm(pending).await,
                    Ok(_) | Err(_) => Try::Fenced(AppendError::Taken { seq: pending.seq }),
                },
                // Only a trim removes records. Above the boundary the store refused for a record that it does not
                // show: whose it is, and whether it stays, is not known.
                Ok(None) => match self.confirm(pending).await {
                    Try::Landed => Try::Unknown(object_store::Error::Generic {
                        store: "catalog log",
                        source: format!("{key} is taken and cannot be read").into(),
                    }),
                    other @ (Try::Fenced(_) | Try::Refused(_) | Try::Unknown(_)) => other,
                },
                Err(source) => Try::Unknown(source),
            },
            Err(PutError::Refused(source)) => Try::Refused(source),
            Err(PutError::Unknown(source)) => Try::Unknown(source),
        }
    }

    /// B2: our record is there; it counts only above the boundary read now.
    async fn confirm(&self, pending: &Pending) -> Try {
        match Boundary::read(&self.store).await {
            Ok(boundary) if boundary.through < pending.seq => Try::Landed,
            Ok(boundary) => Try::Fenced(AppendError::Trimmed { boundary: boundary.through }),
            Err(ReadError::Store(source)) => Try::Unknown(source),
            Err(error) => {
                Try::Unknown(object_store::Error::Generic { store: "catalog log", source: error.into() })
            }
        }
    }
}

fn key(seq: Seq) -> String {
    format!("{FOLDER}/{}", seq.name())
}
