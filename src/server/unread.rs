//! Request bodies that an answer left unread.
//!
//! A refusal may come before the body was read: a condition fails, a right is missing. The next request on the
//! connection would then begin in the middle of that body, so HTTP/1 must close it; closed with bytes unread, the
//! system resets it, and the client may lose the very answer. Therefore:
//!
//! - R1: what is left is read and thrown away, up to [`DRAINED_BYTES_MAX`]; the connection stays.
//! - R2: beyond that, or where the client still waits for `100 Continue`, the answer says `Connection: close`:
//!   a client that did not read it would send its next request into a closing connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Request, Version, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;

/// The most that is read only to be thrown away.
const DRAINED_BYTES_MAX: u64 = 4 << 20;

/// Keeps hold of a body that is given away.
pub(crate) struct Unread {
    body: Arc<Mutex<Watched>>,
    waits_for_continue: bool,
}

struct Watched {
    body: Body,
    begun: bool,
}

/// Watches the body of `request`, where it has one and leaving it unread would matter.
pub(crate) fn watch(request: Request<Body>) -> (Request<Body>, Option<Unread>) {
    if request.body().is_end_stream() || request.version() > Version::HTTP_11 {
        return (request, None);
    }
    let waits_for_continue = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let body = Arc::new(Mutex::new(Watched { body, begun: false }));
    let given = Body::new(Given(body.clone()));
    (Request::from_parts(head, given), Some(Unread { body, waits_for_continue }))
}

impl Unread {
    /// Reads what `response` left unread (R1), or announces the end of the connection (R2).
    pub(crate) async fn settle(self, response: &mut Response) {
        let left = match Arc::try_unwrap(self.body) {
            Ok(watched) => watched.into_inner().unwrap_or_else(PoisonError::into_inner),
            // Someone still reads it: its end cannot be waited for here.
            Err(shared) => {
                if !shared.lock().unwrap_or_else(PoisonError::into_inner).body.is_end_stream() {
                    close(response);
                }
                return;
            }
        };
        let never_sent = self.waits_for_continue && !left.begun;
        if !left.body.is_end_stream() && (never_sent || drain(left.body).await.is_err()) {
            close(response);
        }
    }
}

fn close(response: &mut Response) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// More is left than is worth reading, or the connection broke.
struct NotDrained;

async fn drain(mut body: Body) -> Result<(), NotDrained> {
    let mut left = DRAINED_BYTES_MAX;
    if body.size_hint().lower() > left {
        return Err(NotDrained);
    }
    while let Some(frame) = body.frame().await {
        let length = frame.map_err(|_| NotDrained)?.data_ref().map_or(0, |data| data.len() as u64);
        left = left.checked_sub(length).ok_or(NotDrained)?;
    }
    Ok(())
}

/// The body as the fronts get it.
struct Given(Arc<Mutex<Watched>>);

impl HttpBody for Given {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.begun = true;
        Pin::new(&mut watched.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    /// What the answer says about the connection after a request of `bytes`, of which `read` frames were read.
    async fn connection(bytes: usize, read: usize, headers: &[(&str, &str)]) -> Option<String> {
        let frames = [(); 2].map(|()| Ok::<_, std::io::Error>(Bytes::from(vec![0; bytes / 2])));
        let mut request = Request::put("/").body(Body::from_stream(stream::iter(frames))).unwrap();
        for (name, value) in headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        let (request, unread) = watch(request);
        let mut body = request.into_body();
        for _ in 0..read {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        let mut response = Response::new(Body::empty());
        unread.unwrap().settle(&mut response).await;
        response.headers().get(header::CONNECTION).map(|value| value.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn a_small_rest_is_read_and_the_connection_stays() {
        assert_eq!(connection(1000, 0, &[]).await, None);
        assert_eq!(connection(1000, 1, &[]).await, None);
        assert_eq!(connection(1000, 2, &[]).await, None);
    }

    #[tokio::test]
    async fn a_large_rest_or_a_client_that_waits_ends_the_connection() {
        let large = 2 * (DRAINED_BYTES_MAX as usize) + 2;
        assert_eq!(connection(large, 0, &[]).await.as_deref(), Some("close"));
        assert_eq!(connection(1000, 0, &[("expect", "100-continue")]).await.as_deref(), Some("close"));
        assert_eq!(connection(1000, 1, &[("expect", "100-continue")]).await, None);
    }

    #[tokio::test]
    async fn a_request_without_a_body_is_not_watched() {
        let (_, unread) = watch(Request::get("/").body(Body::empty()).unwrap());
        assert!(unread.is_none());
    }

    #[tokio::test]
    async fn a_body_that_is_still_being_read_ends_the_connection() {
        let (request, unread) = watch(Request::put("/").body(Body::from("abc")).unwrap());
        let mut response = Response::new(Body::empty());
        unread.unwrap().settle(&mut response).await;
        assert!(response.headers().contains_key(header::CONNECTION));
        drop(request);
    }
}
