//! Reading the log behind the writer, for those who follow it.
//!
//! The writer knows no reader and waits for none: a reader reads records from the store, and one that falls behind the
//! retained log is told so. Memory: a reader holds one record at a time, which has 16 MiB and the largest commit at
//! most; [`CACHE_BYTES`] of them are kept for readers that stand close together.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::{Event, Position, events_of};
use crate::Catalog;
use crate::cache::ByteCache;
use crate::commit::batch;
use crate::log::{Past, PastError, Seq};
use crate::state::Commit;

/// Bytes of records, as they are in the log, that are kept in memory.
const CACHE_BYTES: usize = 8 << 20;
/// Records that are read at a time, all readers together.
const READS_AT_ONCE: usize = 4;

/// The commits of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its number.
    pub seq: Seq,
    /// What it holds; nothing, when a server only took the log over.
    pub commits: Vec<Commit>,
}

/// A record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is not in the retained log any more.
    #[error("the log is retained from record {oldest} on")]
    Gone {
        /// The oldest record that is there.
        oldest: Seq,
    },
    /// The store failed, or the record is damaged. Trying again may help.
    #[error("a record of the catalog log could not be read")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What readers of the log share.
pub(crate) struct Records {
    past: Past,
    cache: ByteCache<Seq, Arc<Record>>,
    reads: Semaphore,
}

impl Records {
    pub(crate) fn new(past: Past) -> Self {
        Self { past, cache: ByteCache::new(CACHE_BYTES), reads: Semaphore::new(READS_AT_ONCE) }
    }

    async fn read(&self, seq: Seq) -> Result<Arc<Record>, RecordError> {
        if let Some(record) = self.cache.get(&seq) {
            return Ok(record);
        }
        let _turn = self.reads.acquire().await.map_err(|closed| RecordError::Failed(closed.into()))?;
        // Whoever waited for the turn may find what another one has read.
        if let Some(record) = self.cache.get(&seq) {
            return Ok(record);
        }
        let read = self.past.bodies(seq, seq).await.map_err(|error| match error {
            PastError::Gone { oldest } => RecordError::Gone { oldest: Seq(oldest.0 + 1) },
            PastError::Read(source) => RecordError::Failed(source.into()),
        })?;
        // A fence has no body.
        let body = read.into_iter().find_map(|(_, body)| body);
        let commits = match &body {
            Some(body) => batch::commits(seq, body).map_err(|source| RecordError::Failed(source.into()))?,
            None => Vec::new(),
        };
        let record = Arc::new(Record { seq, commits });
        self.cache.insert(seq, record.clone(), body.map_or(0, |body| body.len()) + 64);
        Ok(record)
    }
}

impl Catalog {
    /// The record with this number. It must not lie behind [`Catalog::watch`].
    pub async fn record(&self, seq: Seq) -> Result<Arc<Record>, RecordError> {
        self.records().read(seq).await
    }

    /// The oldest record that is retained, or the one that comes next where there is none.
    pub async fn oldest_record(&self) -> Result<Seq, RecordError> {
        let oldest = self.records().past.oldest().await;
        // A state can be made again from there on; what came after it can be read.
        oldest.map(|oldest| Seq(oldest.seq.0 + 1)).map_err(|source| RecordError::Failed(source.into()))
    }

    /// Follows the events after `after`.
    pub fn follow(&self, after: Position) -> Follower {
        Follower { watch: self.watch(), catalog: self.clone(), at: after, record: None }
    }
}

/// Reads events in order, and waits for those to come.
pub struct Follower {
    catalog: Catalog,
    watch: watch::Receiver<Seq>,
    at: Position,
    /// The record that is being read, and the commit of it that comes next.
    record: Option<(Arc<Record>, usize)>,
}

/// A part of the log that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The events of one commit that lie ahead of where the reader stood; none is usual.
    pub events: Vec<Event>,
    /// Where the reader stands behind them.
    pub at: Position,
}

impl Follower {
    /// Where it stands.
    pub fn at(&self) -> Position {
        self.at
    }

    /// Goes on from `at` instead.
    pub fn seek(&mut self, at: Position) {
        self.at = at;
        self.record = None;
    }

    /// The next commit, or the end of a record; waits for one that is not there yet. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Result<Step, RecordError> {
        loop {
            let Some((record, number)) = self.record.take() else {
                let seq = self.at.next_record();
                // A closed channel: the catalog is gone, and nothing comes any more.
                if self.watch.wait_for(|tail| *tail >= seq).await.is_err() {
                    return std::future::pending().await;
                }
                let record = self.catalog.record(seq).await?;
                self.record = Some((record, 0));
                continue;
            };
            let Some(commit) = record.commits.get(number) else {
                self.at = Position::Record(record.seq);
                return Ok(Step { events: Vec::new(), at: self.at });
            };
            let mut events = events_of(record.seq, number as u32, commit);
            events.retain(|event| !self.at.covers(&event.id));
            self.record = Some((record, number + 1));
            if let Some(last) = events.last() {
                self.at = Position::Event(last.id);
                return Ok(Step { events, at: self.at });
            }
        }
    }

    /// Whether everything that is committed lies behind it.
    pub fn is_at_end(&self) -> bool {
        matches!(self.at, Position::Record(seq) if seq >= *self.watch.borrow())
    }
}
