//! The bounded queue before the writer. A request that does not fit is refused before any effect.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::outcome::{CommitError, Committed, Silence};
use crate::log::PutId;
use crate::state::{Request, RequestKey};

/// What the writer is sent.
pub(crate) enum Message {
    Commit(Box<Waiting>),
    /// Finish what came before and stop.
    Close,
}

/// A request and who waits for its answer.
pub(crate) struct Waiting {
    pub(crate) request: Request,
    pub(crate) key: Option<RequestKey>,
    /// Who asks.
    pub(crate) by: Arc<str>,
    answer: oneshot::Sender<Result<Committed, CommitError>>,
}

impl Waiting {
    /// A caller that has gone away is not told; what was done stays done.
    pub(crate) fn answer(self, result: Result<Committed, CommitError>) {
        let _ = self.answer.send(result);
    }
}

#[derive(Clone)]
pub(crate) struct Queue {
    sender: mpsc::Sender<Message>,
    retry_after: Duration,
}

impl Queue {
    pub(crate) fn new(requests_max: usize, retry_after: Duration) -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(requests_max);
        (Self { sender, retry_after }, receiver)
    }

    pub(crate) async fn commit(
        &self,
        request: Request,
        key: Option<RequestKey>,
        by: Arc<str>,
    ) -> Result<Committed, CommitError> {
        let (answer, answered) = oneshot::channel();
        match self.sender.try_send(Message::Commit(Box::new(Waiting { request, key, by, answer }))) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                return Err(CommitError::Busy { retry_after: self.retry_after });
            }
        }
        // The writer died with the request in its hands: what it did is not known.
        answered.await.unwrap_or(Err(CommitError::Unknown {
            put_id: PutId(uuid::Uuid::nil()),
            why: Silence::ReplyLost,
        }))
    }

    pub(crate) async fn close(&self) {
        // A writer that has stopped already needs no message.
        let _ = self.sender.send(Message::Close).await;
    }
}
