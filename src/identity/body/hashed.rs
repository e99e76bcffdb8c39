//! A body whose SHA-256 was signed: checked when it ends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use ring::digest;
use tarn_openapi::request::BodyRejected;

use super::rejection;
use crate::identity::sigv4::canonical::finish;

pub(crate) struct Hashed {
    inner: Body,
    /// `None` once the body has ended.
    hash: Option<digest::Context>,
    expected: [u8; 32],
}

impl Hashed {
    pub(crate) fn new(inner: Body, expected: [u8; 32]) -> Self {
        Self { inner, hash: Some(digest::Context::new(&digest::SHA256)), expected }
    }
}

impl http_body::Body for Hashed {
    type Data = Bytes;
    type Error = BodyRejected;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyRejected>>> {
        let this = self.get_mut();
        let Some(hash) = &mut this.hash else { return Poll::Ready(None) };
        match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    hash.update(data);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.hash = None;
                Poll::Ready(Some(Err(rejection(&error))))
            }
            None => {
                let right = this.hash.take().map(finish) == Some(this.expected);
                Poll::Ready((!right).then_some(Err(BodyRejected::Sha256Mismatch)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // Never before the hash was checked: a reader that asks must still poll once more.
        self.hash.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
