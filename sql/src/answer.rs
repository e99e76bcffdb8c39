//! An answer as it is computed (Q3).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use futures::{FutureExt as _, Stream};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::{Bound, Limits, QueryError};

/// The rows of an answer. The first error ends it; dropping it ends the query.
pub struct Answer {
    schema: SchemaRef,
    batches: Batches,
    deadline: Pin<Box<Sleep>>,
    time: Duration,
    is_over: bool,
}

/// Where they come from.
pub(crate) struct Batches {
    pub(crate) batches: mpsc::Receiver<Result<RecordBatch, QueryError>>,
    pub(crate) task: AbortOnDropHandle<()>,
}

impl Answer {
    pub(crate) fn new(schema: SchemaRef, batches: Batches, (began, time): (Instant, Duration)) -> Self {
        let left = time.saturating_sub(began.elapsed());
        // The clock of who takes the answer: the threads that compute may all be busy.
        let deadline = Box::pin(tokio::time::sleep(left));
        Self { schema, batches, deadline, time, is_over: false }
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Stream for Answer {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if self.deadline.poll_unpin(context).is_ready() {
            self.is_over = true;
            return Poll::Ready(Some(Err(Bound::Time(self.time).into())));
        }
        match ready!(self.batches.batches.poll_recv(context)) {
            Some(batch) => {
                self.is_over = batch.is_err();
                Poll::Ready(Some(batch))
            }
            None => {
                let ended = ready!(self.batches.task.poll_unpin(context));
                self.is_over = true;
                Poll::Ready(ended.err().map(|error| {
                    Err(QueryError::Failed("the query ended in a defect".into(), Some(error.into())))
                }))
            }
        }
    }
}

/// What an answer took so far.
pub(crate) struct Tally {
    limits: Limits,
    rows: u64,
    bytes: u64,
}

impl Tally {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, rows: 0, bytes: 0 }
    }

    /// Lets a batch pass if the answer stays within its limits with it.
    pub(crate) fn count(&mut self, batch: RecordBatch) -> Result<RecordBatch, QueryError> {
        self.rows += batch.num_rows() as u64;
        self.bytes += size_bytes(&batch)?;
        if self.rows > self.limits.rows {
            return Err(Bound::Rows(self.limits.rows).into());
        }
        if self.bytes > self.limits.bytes {
            return Err(Bound::Bytes(self.limits.bytes).into());
        }
        Ok(batch)
    }
}

/// What the rows of a batch take: a batch may be a small part of what it holds on to.
fn size_bytes(batch: &RecordBatch) -> Result<u64, QueryError> {
    let sizes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size());
    sizes
        .map(|size| size.map(|bytes| bytes as u64).map_err(|error| DataFusionError::from(error).into()))
        .sum()
}
