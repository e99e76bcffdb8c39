//! A body in `aws-chunked` framing, seen without it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame};
use tarn_openapi::request::BodyRejected;

use super::chunked::{Decoder, Step};
use super::rejection;

pub(crate) struct Unchunked {
    inner: Body,
    decoder: Decoder,
    /// Bytes received and not yet decoded.
    input: BytesMut,
    ended: bool,
}

impl Unchunked {
    pub(crate) fn new(inner: Body, decoder: Decoder) -> Self {
        Self { inner, decoder, input: BytesMut::new(), ended: false }
    }

    fn next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BodyRejected>> {
        loop {
            match self.decoder.step(&mut self.input)? {
                Step::Data(data) => return Poll::Ready(Ok(Some(Frame::data(data)))),
                Step::End(trailers) if trailers.is_empty() => {}
                Step::End(trailers) => return Poll::Ready(Ok(Some(Frame::trailers(trailers)))),
                Step::More => match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                    Some(Ok(frame)) => {
                        let Ok(data) = frame.into_data() else { continue };
                        self.take(data);
                    }
                    Some(Err(error)) => return Poll::Ready(Err(rejection(&error))),
                    None => return Poll::Ready(self.finish()),
                },
            }
        }
    }

    /// Without a copy when nothing is left of the frame before, which is the usual case.
    fn take(&mut self, data: Bytes) {
        if self.input.is_empty() {
            self.input = BytesMut::from(data);
        } else {
            self.input.extend_from_slice(&data);
        }
    }

    fn finish(&mut self) -> Result<Option<Frame<Bytes>>, BodyRejected> {
        self.ended = true;
        match self.decoder.finish()? {
            Step::End(trailers) if !trailers.is_empty() => Ok(Some(Frame::trailers(trailers))),
            Step::End(_) | Step::More | Step::Data(_) => Ok(None),
        }
    }
}

impl http_body::Body for Unchunked {
    type Data = Bytes;
    type Error = BodyRejected;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyRejected>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.next(context));
        if next.is_err() {
            self.ended = true;
        }
        Poll::Ready(next.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
