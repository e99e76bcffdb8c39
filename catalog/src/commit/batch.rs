//! What the bodies of records mean: postcard of a list of commits. A checkpoint's is the state's own form.
//!
//! A change of these bytes is a change of the record's or checkpoint's version (docs/FORMAT.md).

use bytes::Bytes;

use crate::log::{Checkpoint, Recovered, Seq};
use crate::state::{CatalogState, Commit, InvalidCheckpoint};

/// A body passed its checksum and is still not what this program reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the checkpoint at {seq} cannot be read")]
    Checkpoint {
        seq: Seq,
        #[source]
        source: InvalidCheckpoint,
    },
    #[error("the body of record {seq} cannot be read")]
    Record {
        seq: Seq,
        #[source]
        source: postcard::Error,
    },
}

/// The body of a record, made commit by commit so that its length is known while it grows.
#[derive(Debug, Default)]
pub(crate) struct Body {
    commits: usize,
    bytes: Vec<u8>,
}

impl Body {
    pub(crate) fn push(&mut self, commit: &Commit) {
        // Plain structs into memory: there is nothing that could fail.
        self.bytes =
            postcard::to_extend(commit, std::mem::take(&mut self.bytes)).expect("a commit is serializable");
        self.commits += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commits == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Postcard of the list: its length, then the commits.
    pub(crate) fn finish(self) -> Bytes {
        let head = postcard::to_extend(&self.commits, Vec::with_capacity(self.bytes.len() + 10));
        let mut bytes = head.expect("a number is serializable");
        bytes.extend_from_slice(&self.bytes);
        bytes.into()
    }
}

/// The commits of a record.
pub(crate) fn commits(seq: Seq, body: &Bytes) -> Result<Vec<Commit>, BodyError> {
    postcard::from_bytes(body).map_err(|source| BodyError::Record { seq, source })
}

/// When the commits of a record were made: all at one time. `None` of a body without any.
pub(crate) fn time(body: &Bytes) -> Option<i64> {
    let (count, rest) = postcard::take_from_bytes::<u64>(body).ok()?;
    let (at, _) = postcard::take_from_bytes::<i64>(rest).ok()?;
    (count > 0).then_some(at)
}

/// The state after everything that was recovered.
pub(crate) fn replay(recovered: &Recovered) -> Result<CatalogState, BodyError> {
    replay_from(None, recovered.checkpoint.as_ref(), &recovered.batches)
}

/// The state after these batches, which follow `state`, else the checkpoint, else nothing.
pub(crate) fn replay_from(
    state: Option<CatalogState>,
    checkpoint: Option<&Checkpoint>,
    batches: &[(Seq, Bytes)],
) -> Result<CatalogState, BodyError> {
    let mut state = match (state, checkpoint) {
        (Some(state), _) => state,
        (None, Some(checkpoint)) => CatalogState::decode_checkpoint(&checkpoint.body)
            .map_err(|source| BodyError::Checkpoint { seq: checkpoint.seq, source })?,
        (None, None) => CatalogState::default(),
    };
    for (seq, body) in batches {
        for commit in &commits(*seq, body)? {
            state.apply(commit);
        }
    }
    Ok(state)
}
