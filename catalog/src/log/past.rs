//! Reading what the log keeps of the past, beside the writer.
//!
//! - H1: what is read is a checkpoint and every record after it up to a position, each following the hash of the one
//!   before; nothing is guessed.
//! - H2: a trim may go on meanwhile. What it takes away is told as [`PastError::Gone`], never as damage.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

use super::record::{Record, RecordHash, RecordKind};
use super::{Boundary, Checkpoint, ReadError, Seq, Store, Tail, key};

/// Records read at a time.
const READS_AT_ONCE: usize = 16;

/// A reader of the log's past. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Past {
    store: Store,
}

/// Where a state can be made again from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Oldest {
    pub(crate) seq: Seq,
    /// No later than this the state was that of `seq`, by the store's clock; `None`: the log is whole.
    pub(crate) written_ms: Option<i64>,
}

/// What a position is made from: the state, and the batches after it.
pub(crate) struct Basis {
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) batches: Vec<(Seq, Bytes)>,
}

/// Why the past could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PastError {
    /// It is older than what is kept.
    #[error("the log is kept from position {oldest} on")]
    Gone { oldest: Seq },
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Past {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// The oldest position whose state can be made.
    pub(crate) async fn oldest(&self) -> Result<Oldest, ReadError> {
        let boundary = Boundary::read(&self.store).await?.through;
        if boundary == Seq::ZERO {
            return Ok(Oldest { seq: Seq::ZERO, written_ms: None });
        }
        let listed = Checkpoint::list(&self.store).await.map_err(ReadError::Store)?;
        let first = listed.iter().find(|listed| listed.seq >= boundary);
        let first = first.ok_or(ReadError::Missing { seq: boundary })?;
        Ok(Oldest { seq: first.seq, written_ms: Some(first.written_ms) })
    }

    /// What the state at `position` is made from. `held` is a position whose state is there already: where no newer
    /// checkpoint lies before `position`, only the batches after it are read.
    pub(crate) async fn basis(&self, position: Seq, held: Option<Seq>) -> Result<Basis, PastError> {
        let boundary = Boundary::read(&self.store).await?.through;
        let listed = Checkpoint::list(&self.store).await.map_err(ReadError::Store)?;
        let usable = listed.iter().rev().map(|listed| listed.seq);
        let usable: Vec<Seq> = usable.filter(|&seq| seq >= boundary && seq <= position).collect();
        let oldest = listed.iter().map(|listed| listed.seq).find(|&seq| seq >= boundary);
        let gone = || PastError::Gone { oldest: oldest.unwrap_or(boundary) };
        let mut tail = None;
        let mut checkpoint = None;
        if let Some(held) = held.filter(|held| usable.first().is_none_or(|newest| held >= newest)) {
            let before = self.record(held).await?.map(|(_, hash)| hash);
            // Its record may be trimmed while its state is still in memory.
            tail = before.map(|hash| Tail { seq: held, hash });
        }
        for seq in usable {
            if tail.is_some() {
                break;
            }
            match Checkpoint::read(&self.store, seq).await? {
                Some(found) => {
                    tail = Some(Tail { seq, hash: found.hash });
                    checkpoint = Some(found);
                }
                None => tracing::error!(seq = seq.0, "a checkpoint is damaged, the one before it is used"),
            }
        }
        let mut tail = match tail {
            Some(tail) => tail,
            None if boundary == Seq::ZERO => Tail { seq: Seq::ZERO, hash: RecordHash::NONE },
            None => return Err(gone()),
        };
        let mut batches = Vec::new();
        let wanted = (tail.seq.0 + 1..=position.0).map(Seq);
        let mut records = futures::stream::iter(wanted)
            .map(|seq| async move { (seq, self.record(seq).await) })
            .buffered(READS_AT_ONCE);
        while let Some((seq, found)) = records.next().await {
            let Some((record, hash)) = found? else { return Err(self.missing(seq).await?) };
            if record.previous != tail.hash {
                return Err(ReadError::Chain { seq }.into());
            }
            tail = Tail { seq, hash };
            match record.kind {
                RecordKind::Batch => batches.push((seq, record.body)),
                RecordKind::Fence => {}
            }
        }
        Ok(Basis { checkpoint, batches })
    }

    /// The bodies of the records from `first` to `last`, in order; `None` stands for a fence.
    pub(crate) async fn bodies(&self, first: Seq, last: Seq) -> Result<Vec<(Seq, Option<Bytes>)>, PastError> {
        let read = |seq| async move {
            match self.record(seq).await? {
                Some((record, _)) => Ok((seq, body(record))),
                None => Err(self.missing(seq).await?),
            }
        };
        futures::stream::iter((first.0..=last.0).map(Seq))
            .map(read)
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await
    }

    /// H2.
    async fn missing(&self, seq: Seq) -> Result<PastError, ReadError> {
        let oldest = self.oldest().await?.seq;
        Ok(if seq <= oldest { PastError::Gone { oldest } } else { ReadError::Missing { seq }.into() })
    }

    async fn record(&self, seq: Seq) -> Result<Option<(Record, RecordHash)>, ReadError> {
        let Some((bytes, _)) = self.store.read(&key(seq)).await.map_err(ReadError::Store)? else {
            return Ok(None);
        };
        let record = Record::decode(&bytes).map_err(|source| ReadError::Damaged { seq, source })?;
        if record.seq != seq {
            return Err(ReadError::Chain { seq });
        }
        Ok(Some((record, RecordHash::of(&bytes))))
    }
}

fn body(record: Record) -> Option<Bytes> {
    match record.kind {
        RecordKind::Batch => Some(record.body),
        RecordKind::Fence => None,
    }
}
