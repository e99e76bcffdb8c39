//! Recovery: the newest readable checkpoint, the records after it, then a fence.
//!
//! Only names after the checkpoint are listed. The listing need not be complete at its end: the
//! fence is put-if-absent at the first free number, and whatever stands there is read and replayed
//! first (L3).

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

use super::record::{Record, RecordHash, RecordKind};
use super::trim::Trimmer;
use super::{
    AppendError, Boundary, Checkpoint, FOLDER, Log, Patience, PutId, ReadError, Seq, Store, Tail, key,
};

/// Records read at a time.
const READS_AT_ONCE: usize = 64;

/// What the log held when it was opened.
pub(crate) struct Recovered {
    /// Where replay begins; `None` begins with the empty catalog.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Every batch after the checkpoint, in order.
    pub(crate) batches: Vec<(Seq, Bytes)>,
}

/// The log could not be opened for writing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenLogError {
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    #[error("no checkpoint is readable and the records before {boundary} are trimmed")]
    NoCheckpoint { boundary: Seq },
    #[error("the fence record could not be appended")]
    Fence(#[source] AppendError),
}

impl Log {
    /// Reads the log and takes it over: every earlier writer is fenced when this returns.
    pub(crate) async fn open(
        store: Store,
        fence: PutId,
        patience: Patience,
    ) -> Result<(Self, Trimmer, Recovered), OpenLogError> {
        let boundary = Boundary::read(&store).await?;
        let listed = Checkpoint::list(&store).await.map_err(ReadError::Store)?;
        let mut checkpoints = listed.iter().map(|listed| listed.seq).collect();
        let checkpoint = newest_readable(&store, &mut checkpoints).await?;
        let mut tail = match &checkpoint {
            Some(found) => Tail { seq: found.seq, hash: found.hash },
            None if boundary.through > Seq::ZERO => {
                return Err(OpenLogError::NoCheckpoint { boundary: boundary.through });
            }
            None => Tail { seq: Seq::ZERO, hash: RecordHash::NONE },
        };
        let mut batches = Vec::new();
        replay_listed(&store, &mut tail, &mut batches).await?;
        let mut log = Self { store: store.clone(), tail, pending: None, patience };
        loop {
            match log.append_kind(RecordKind::Fence, fence, Bytes::new()).await {
                Ok(_seq) => break,
                Err(AppendError::Taken { seq }) => {
                    let record = read_record(&store, seq).await?;
                    follow(record, &mut log.tail, &mut batches)?;
                }
                Err(error) => return Err(OpenLogError::Fence(error)),
            }
        }
        let trimmer = Trimmer::new(store, boundary, checkpoints);
        Ok((log, trimmer, Recovered { checkpoint, batches }))
    }
}

/// The newest checkpoint that is whole; damaged ones after it leave the list, so that they do not
/// count as kept.
async fn newest_readable(store: &Store, checkpoints: &mut Vec<Seq>) -> Result<Option<Checkpoint>, ReadError> {
    while let Some(&seq) = checkpoints.last() {
        if let Some(found) = Checkpoint::read(store, seq).await? {
            return Ok(Some(found));
        }
        tracing::error!(seq = seq.0, "a checkpoint is damaged, the one before it is used");
        checkpoints.pop();
    }
    Ok(None)
}

async fn replay_listed(
    store: &Store,
    tail: &mut Tail,
    batches: &mut Vec<(Seq, Bytes)>,
) -> Result<(), ReadError> {
    let after = if tail.seq == Seq::ZERO { String::new() } else { tail.seq.name() };
    let names = store.names_after(FOLDER, &after).await.map_err(ReadError::Store)?;
    let seqs: Vec<Seq> = names.iter().filter_map(|name| Seq::parse(name)).collect();
    let mut records = futures::stream::iter(seqs)
        .map(|seq| async move { read_record(store, seq).await })
        .buffered(READS_AT_ONCE);
    while let Some(record) = records.try_next().await? {
        follow(record, tail, batches)?;
    }
    Ok(())
}

async fn read_record(store: &Store, seq: Seq) -> Result<(Record, RecordHash), ReadError> {
    let (bytes, _version) =
        store.read(&key(seq)).await.map_err(ReadError::Store)?.ok_or(ReadError::Missing { seq })?;
    let record = Record::decode(&bytes).map_err(|source| ReadError::Damaged { seq, source })?;
    if record.seq != seq {
        return Err(ReadError::Chain { seq });
    }
    Ok((record, RecordHash::of(&bytes)))
}

/// L2: takes the record when it is the next one.
fn follow(
    (record, hash): (Record, RecordHash),
    tail: &mut Tail,
    batches: &mut Vec<(Seq, Bytes)>,
) -> Result<(), ReadError> {
    let expected = tail.seq.next();
    if record.seq > expected {
        return Err(ReadError::Missing { seq: expected });
    }
    if record.seq < expected || record.previous != tail.hash {
        return Err(ReadError::Chain { seq: record.seq });
    }
    *tail = Tail { seq: record.seq, hash };
    match record.kind {
        RecordKind::Batch => batches.push((record.seq, record.body)),
        RecordKind::Fence => {}
    }
    Ok(())
}
