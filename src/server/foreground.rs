//! The S3 requests in flight: what jobs give way to.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tarn_inventory::jobs::Foreground;

/// Counts requests from their first byte to the last of their answer.
#[derive(Default)]
pub(crate) struct InFlight {
    now: AtomicUsize,
    begun: AtomicU64,
}

/// A request in flight.
pub(crate) struct Flight(Arc<InFlight>);

impl InFlight {
    pub(crate) fn begin(self: &Arc<Self>) -> Flight {
        self.now.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        Flight(self.clone())
    }
}

impl Foreground for InFlight {
    fn in_flight(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Flight {
    /// Lasts until the answer is sent.
    pub(crate) fn until_sent(self, response: Response) -> Response {
        if response.body().is_end_stream() {
            return response;
        }
        response.map(|body| Body::new(Sent { body, _flight: self }))
    }
}

struct Sent {
    body: Body,
    _flight: Flight,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_request_is_in_flight_until_its_answer_is_sent() {
        let requests = Arc::new(InFlight::default());
        let answer = requests.begin().until_sent(Response::new(Body::from("abc")));
        assert_eq!((requests.in_flight(), answer.body().size_hint().exact()), (1, Some(3)));
        let sent = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!((requests.in_flight(), &*sent), (0, &b"abc"[..]));
        let empty = requests.begin().until_sent(Response::new(Body::empty()));
        assert_eq!(requests.in_flight(), 0);
        drop(empty);
        drop(requests.begin().until_sent(Response::new(Body::from("abc"))));
        assert_eq!(requests.in_flight(), 0, "a client that went away waits for nothing");
    }
}
