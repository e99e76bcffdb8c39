//! A connection that is closed when no byte moves in either direction for a time, unless a request says that it works.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// What the requests of one connection work on, in silence.
#[derive(Debug, Clone, Default)]
pub(crate) struct AtWork(Arc<Mutex<Works>>);

#[derive(Debug, Default)]
struct Works {
    running: Vec<(u64, Instant)>,
    next: u64,
    /// When the last one ended.
    ended: Option<Instant>,
}

/// A work; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Work {
    works: AtWork,
    number: u64,
}

impl AtWork {
    /// Work that ends by then: the connection is not idle meanwhile.
    pub(crate) fn until(&self, end: Instant) -> Work {
        let mut works = self.lock();
        works.next += 1;
        let number = works.next;
        works.running.push((number, end));
        Work { works: self.clone(), number }
    }

    /// When the connection was, or will be, idle again.
    fn idle_from(&self) -> Option<Instant> {
        let works = self.lock();
        works.running.iter().map(|(_, end)| *end).chain(works.ended).max()
    }

    fn lock(&self) -> MutexGuard<'_, Works> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut works = self.works.lock();
        works.running.retain(|(number, _)| *number != self.number);
        works.ended = Some(Instant::now());
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AtWork {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

pub(crate) struct IdleTimeout {
    stream: TcpStream,
    limit: Duration,
    at_work: AtWork,
    /// The last time a byte moved.
    moved: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl IdleTimeout {
    pub(crate) fn new(stream: TcpStream, limit: Duration, at_work: AtWork) -> Self {
        Self { stream, limit, at_work, moved: Instant::now(), alarm: Box::pin(sleep(limit)) }
    }

    /// Notes progress, or checks the alarm when there is none. The alarm is moved only when it rings: a
    /// timer operation for every read and write would cost more than the read.
    fn watch<T>(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.moved = Instant::now();
            return poll;
        }
        while self.alarm.as_mut().poll(context).is_ready() {
            let from = self.at_work.idle_from().map_or(self.moved, |from| from.max(self.moved));
            let (now, end) = (Instant::now(), from + self.limit);
            if end <= now {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            // Work may end before it has to, and does not ring.
            self.alarm.as_mut().reset(end.min(now + self.limit));
        }
        Poll::Pending
    }
}

impl AsyncRead for IdleTimeout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(context, into);
        self.watch(context, poll)
    }
}

impl AsyncWrite for IdleTimeout {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_at_work_is_not_idle_until_the_work_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (limit, at_work) = (Duration::from_millis(20), AtWork::default());
        let work = at_work.until(Instant::now() + Duration::from_secs(3600));
        let mut connection = IdleTimeout::new(stream, limit, at_work);
        let mut byte = [0];
        let waited = tokio::time::timeout(limit * 10, connection.read(&mut byte)).await;
        assert!(waited.is_err(), "it was closed at work: {waited:?}");
        drop(work);
        let waited = connection.read(&mut byte).await;
        assert_eq!(waited.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
