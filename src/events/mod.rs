//! Change events as they leave the server: a stream that clients read.
//!
//! - V1: every event of the log that passes a reader's filter and rights is sent, in order, at least once; a reader
//!   goes on from the id of the last one it has.
//! - V2: a reader sees only what it may read at that moment; one whose rights end, or whose key is gone or was made anew,
//!   is sent no more.
//! - V3: nobody who reads, or does not read, makes a commit wait.
//!
//! What an event is, is decided in the catalog.

mod filter;
mod reader;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use axum::body::Body;
use tarn_catalog::Catalog;
use tarn_catalog::events::{Position, RecordError};
use tokio::sync::{Semaphore, watch};

pub(crate) use self::filter::Filter;
pub(crate) use self::reader::Reader;
use self::stream::Streaming;

/// Streams that are open at a time.
const STREAMS_MAX: usize = 64;

/// Gives streams of events.
pub(crate) struct Events {
    catalog: Catalog,
    /// The `source` of every event: this deployment.
    source: Arc<str>,
    streams: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

/// What a stream does at the end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtEnd {
    /// Waits for more.
    Wait,
    /// Ends.
    End,
}

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// With what comes from now on.
    Now,
    /// With the oldest event that is retained.
    Oldest,
    /// Behind a position.
    After(Position),
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error("{STREAMS_MAX} streams of events are open")]
    TooMany,
    #[error("position {after} lies behind the end of the log, which is {end}")]
    Ahead { after: Position, end: u64 },
    #[error(
        "events through {after} are asked to be skipped, and the log is retained from record {oldest} on: {} \
         is the oldest position to go on from",
        oldest - 1
    )]
    Gone { after: Position, oldest: u64 },
    #[error("the catalog log could not be read")]
    Unreadable(#[source] RecordError),
}

impl Events {
    /// Streams the changes of `catalog` until `stop` turns true.
    pub(crate) fn new(catalog: Catalog, source: Arc<str>, stop: watch::Receiver<bool>) -> Self {
        Self { catalog, source, streams: Arc::new(Semaphore::new(STREAMS_MAX)), stop }
    }

    /// Opens a stream as the body of an answer: server-sent events.
    pub(crate) async fn stream(
        &self,
        begin: Begin,
        filter: Filter,
        reader: Reader,
        at_end: AtEnd,
    ) -> Result<Body, StreamError> {
        let slot = self.streams.clone().try_acquire_owned().map_err(|_| StreamError::TooMany)?;
        let after = self.position(begin).await?;
        let streaming = Streaming::new(
            self.catalog.follow(after),
            (filter, reader),
            self.source.clone(),
            at_end,
            (self.stop.clone(), slot),
        );
        Ok(streaming.into_body())
    }

    async fn position(&self, begin: Begin) -> Result<Position, StreamError> {
        let end = *self.catalog.watch().borrow();
        let oldest = || async { self.catalog.oldest_record().await.map_err(StreamError::Unreadable) };
        match begin {
            Begin::Now => Ok(Position::Record(end)),
            Begin::Oldest => {
                let oldest = oldest().await?;
                Ok(Position::Record(tarn_catalog::Seq(oldest.0.saturating_sub(1))))
            }
            Begin::After(after) if after.seq() > end => Err(StreamError::Ahead { after, end: end.0 }),
            Begin::After(after) => {
                let oldest = oldest().await?;
                if after.next_record() < oldest {
                    return Err(StreamError::Gone { after, oldest: oldest.0 });
                }
                Ok(after)
            }
        }
    }
}
