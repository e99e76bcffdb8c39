//! Request bodies on their way in.
//!
//! - B1: the checksum the client claims is compared before the commit, in [`Body::seal`]: after
//!   the last chunk and the trailers, never earlier.
//! - B2: a body that was not read to its end is not sealed: an error of the identity layer may be
//!   the very last thing the body says.
//! - B3: nothing is collected but XML, and that up to a limit.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body as HttpBody;
use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use md5::{Digest as _, Md5};
use tarn_openapi::request::BodyRejected;

use crate::types::{Body, BodyError, Checksum, ChecksumAlgorithm};

use super::checksum::{self, Claim, Hasher};
use super::error::{Code, S3Error, digest};
use super::headers;

/// The largest object one PUT makes, and the largest part.
pub(crate) const PUT_BYTES_MAX: u64 = 5 << 30;

/// The announced size of the body that a put carries.
pub(crate) fn announced_size(headers: &HeaderMap) -> Result<u64, S3Error> {
    let name = if headers.contains_key(headers::DECODED_LENGTH) {
        headers::DECODED_LENGTH
    } else {
        header::CONTENT_LENGTH
    };
    let Some(text) = headers::text(headers, &name)? else {
        return Err(S3Error::new(
            Code::MissingContentLength,
            "You must provide the Content-Length HTTP header.",
        ));
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(size) if digits && size <= PUT_BYTES_MAX => Ok(size),
        _ if digits => Err(S3Error::too_large(PUT_BYTES_MAX).with("ProposedSize", text)),
        Ok(_) | Err(_) => Err(S3Error::argument(name.as_str(), text, "The length is not a number.")),
    }
}

/// What is computed while a body passes.
struct Passing {
    /// The checksum that is kept.
    kept: Hasher,
    /// The claimed one, where it is of another algorithm.
    other: Option<Hasher>,
    claim: Claim,
    trailers: Option<HeaderMap>,
    ended: bool,
    /// The claimed checksum, once it was found right.
    verified: Option<Checksum>,
}

/// Tells after the commit which claimed checksum was verified.
#[derive(Clone)]
pub(crate) struct Receipt(Arc<Mutex<Passing>>);

impl Receipt {
    /// The checksum the client claimed and the bytes have.
    pub(crate) fn verified(&self) -> Option<Checksum> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).verified.clone()
    }
}

/// Makes the core's body of an HTTP body: checks `claim`, keeps a checksum of `keep`.
pub(crate) fn receive(body: HttpBody, claim: Claim, keep: ChecksumAlgorithm) -> (Body, Receipt) {
    let other = claim.algorithm().filter(|&claimed| claimed != keep).map(Hasher::new);
    let kept = Hasher::new(keep);
    let passing = Passing { kept, other, claim, trailers: None, ended: false, verified: None };
    let passing = Arc::new(Mutex::new(passing));
    let sealing = Arc::clone(&passing);
    let seal = move || sealing.lock().unwrap_or_else(PoisonError::into_inner).seal();
    let received = metrics::counter!("tarn_s3_received_bytes");
    let chunks = Incoming { body, passing: Arc::clone(&passing), received };
    (Body { chunks: Box::pin(chunks), seal: Box::new(seal) }, Receipt(passing))
}

impl Passing {
    fn update(&mut self, bytes: &[u8]) {
        self.kept.update(bytes);
        if let Some(other) = &mut self.other {
            other.update(bytes);
        }
    }

    /// Compares the claim (B1) and yields the checksum to keep.
    fn seal(&mut self) -> Result<Option<Checksum>, BodyError> {
        if !self.ended {
            return Err(BodyError::Incomplete);
        }
        let unused = Hasher::new(checksum::DEFAULT);
        let kept = std::mem::replace(&mut self.kept, unused).finish();
        let claimed = self.other.take().map_or_else(|| kept.clone(), Hasher::finish);
        let expected = match &self.claim {
            Claim::None => return Ok(Some(kept)),
            Claim::Value(_, value) => value.clone(),
            Claim::Trailer(algorithm) => self.trailer_value(*algorithm)?,
        };
        if claimed.value != expected {
            return Err(BodyError::Mismatch(checksum::name(claimed.algorithm)));
        }
        self.verified = Some(claimed);
        Ok(Some(kept))
    }

    fn trailer_value(&self, algorithm: ChecksumAlgorithm) -> Result<Vec<u8>, BodyError> {
        let name = checksum::header(algorithm);
        let value = self.trailers.as_ref().and_then(|trailers| trailers.get(&name));
        value
            .and_then(|value| value.to_str().ok())
            .and_then(|text| checksum::parse_value(algorithm, text))
            .ok_or(BodyError::Mismatch(digest::TRAILER))
    }
}

struct Incoming {
    body: HttpBody,
    passing: Arc<Mutex<Passing>>,
    received: metrics::Counter,
}

impl Stream for Incoming {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            let mut passing = self.passing.lock().unwrap_or_else(PoisonError::into_inner);
            match frame {
                None => {
                    passing.ended = true;
                    return Poll::Ready(None);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(refused(&error)))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => {
                        passing.update(&data);
                        drop(passing);
                        self.received.increment(data.len() as u64);
                        return Poll::Ready(Some(Ok(data)));
                    }
                    Err(frame) => passing.trailers = frame.into_trailers().ok().or(passing.trailers.take()),
                },
            }
        }
    }
}

/// What an error of the HTTP body means.
fn refused(error: &axum::Error) -> BodyError {
    match BodyRejected::find(error) {
        Some(BodyRejected::Signature) => BodyError::Mismatch(digest::SIGNATURE),
        Some(BodyRejected::Sha256Mismatch) => BodyError::Mismatch(digest::CONTENT_SHA256),
        Some(BodyRejected::Malformed(what)) => BodyError::Malformed(what.clone()),
        Some(BodyRejected::TooLarge) => BodyError::TooLarge { limit_bytes: PUT_BYTES_MAX },
        // Any other error comes from the connection: the client went away.
        Some(BodyRejected::Incomplete) | None => BodyError::Incomplete,
    }
}

/// Collects a body of at most `limit_bytes` and verifies its checksums.
pub(crate) async fn collect(
    headers: &HeaderMap,
    body: HttpBody,
    limit_bytes: usize,
) -> Result<Bytes, S3Error> {
    let content_md5 = checksum::content_md5(headers)?;
    let claim = Claim::parse(headers)?;
    let (collected, trailers) = collect_frames(body, limit_bytes).await?;
    if content_md5.is_some_and(|md5| md5[..] != Md5::digest(&collected)[..]) {
        return Err(BodyError::Mismatch(digest::CONTENT_MD5).into());
    }
    if let Some(algorithm) = claim.algorithm() {
        let mut kept = Hasher::new(algorithm);
        kept.update(&collected);
        Passing { kept, other: None, claim, trailers, ended: true, verified: None }.seal()?;
    }
    Ok(collected)
}

/// Collects a body of at most `limit_bytes` where the headers' checksums speak of something else.
pub(crate) async fn collect_unchecked(body: HttpBody, limit_bytes: usize) -> Result<Bytes, S3Error> {
    Ok(collect_frames(body, limit_bytes).await?.0)
}

async fn collect_frames(
    mut body: HttpBody,
    limit_bytes: usize,
) -> Result<(Bytes, Option<HeaderMap>), S3Error> {
    let too_long = || {
        S3Error::new(Code::MaxMessageLengthExceeded, "Your request was too big.")
            .with("MaxMessageLengthBytes", limit_bytes.to_string())
    };
    if body.size_hint().lower() > limit_bytes as u64 {
        return Err(too_long());
    }
    let mut trailers = None;
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| S3Error::from(refused(&error)))?.into_data() {
            Ok(data) if collected.len() + data.len() > limit_bytes => return Err(too_long()),
            Ok(data) => collected.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((collected.freeze(), trailers))
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, TryStreamExt as _, stream};
    use http::HeaderValue;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    fn body(frames: Vec<Result<Frame<Bytes>, BodyRejected>>) -> HttpBody {
        HttpBody::new(StreamBody::new(stream::iter(frames)))
    }

    fn data(text: &'static str) -> Result<Frame<Bytes>, BodyRejected> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    fn trailer(name: &'static str, value: &'static str) -> Result<Frame<Bytes>, BodyRejected> {
        Ok(Frame::trailers(
            [(http::HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect(),
        ))
    }

    async fn run(body: HttpBody, claim: Claim) -> Result<Option<Checksum>, Code> {
        let (body, _receipt) = receive(body, claim, checksum::DEFAULT);
        let code = |error: BodyError| S3Error::from(error).code;
        body.chunks.try_collect::<Vec<_>>().await.map_err(code)?;
        (body.seal)().map_err(code)
    }

    const CRC32: ChecksumAlgorithm = ChecksumAlgorithm::Crc32;

    #[tokio::test]
    async fn a_checksum_in_a_trailer_is_compared_and_another_one_is_kept() {
        let frames = || vec![data("12345"), data("6789"), trailer("x-amz-checksum-crc32", "y/Q5Jg==")];
        let (taken, receipt) = receive(body(frames()), Claim::Trailer(CRC32), checksum::DEFAULT);
        taken.chunks.try_collect::<Vec<_>>().await.unwrap();
        let kept = (taken.seal)().unwrap().unwrap();
        assert_eq!(hex::encode(kept.value), "ae8b14860a799888");
        assert_eq!(hex::encode(receipt.verified().unwrap().value), "cbf43926");
    }

    #[tokio::test]
    async fn a_wrong_missing_or_broken_checksum_is_refused() {
        let wrong = vec![data("12345"), trailer("x-amz-checksum-crc32", "y/Q5Jg==")];
        assert_eq!(run(body(wrong), Claim::Trailer(CRC32)).await, Err(Code::BadDigest));
        assert_eq!(run(body(vec![data("1")]), Claim::Trailer(CRC32)).await, Err(Code::MalformedTrailerError));
        let broken = vec![data("1"), trailer("x-amz-checksum-crc32", "?")];
        assert_eq!(run(body(broken), Claim::Trailer(CRC32)).await, Err(Code::MalformedTrailerError));
        let value = Claim::Value(CRC32, vec![0; 4]);
        assert_eq!(run(body(vec![data("1")]), value).await, Err(Code::BadDigest));
    }

    #[tokio::test]
    async fn what_the_identity_layer_refuses_keeps_its_code() {
        for (rejected, code) in [
            (BodyRejected::Signature, Code::SignatureDoesNotMatch),
            (BodyRejected::Sha256Mismatch, Code::XAmzContentSHA256Mismatch),
            (BodyRejected::Malformed("x".into()), Code::InvalidRequest),
            (BodyRejected::Incomplete, Code::IncompleteBody),
            (BodyRejected::TooLarge, Code::EntityTooLarge),
        ] {
            assert_eq!(run(body(vec![data("1"), Err(rejected)]), Claim::None).await, Err(code));
        }
    }

    #[tokio::test]
    async fn a_body_not_read_to_its_end_is_not_sealed() {
        let (mut taken, _receipt) = receive(body(vec![data("1")]), Claim::None, checksum::DEFAULT);
        taken.chunks.next().await.unwrap().unwrap();
        assert!(matches!((taken.seal)(), Err(BodyError::Incomplete)));
    }

    #[tokio::test]
    async fn a_collected_body_has_a_limit_and_its_digests_are_compared() {
        let headers = |pairs: &[(http::HeaderName, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
        };
        let collect = async |pairs: &[_], text: &'static str, limit| {
            collect(&headers(pairs), body(vec![data(text)]), limit).await.map_err(|error| error.code)
        };
        assert_eq!(collect(&[], "123", 3).await, Ok(Bytes::from_static(b"123")));
        assert_eq!(collect(&[], "1234", 3).await, Err(Code::MaxMessageLengthExceeded));
        let md5 = (headers::CONTENT_MD5, "JfnnlDI7RTiF9RgfG2JNCw==");
        assert_eq!(
            collect(std::slice::from_ref(&md5), "123456789", 9).await,
            Ok(Bytes::from_static(b"123456789"))
        );
        assert_eq!(collect(&[md5], "12345678", 9).await, Err(Code::BadDigest));
        assert_eq!(collect(&[(headers::CONTENT_MD5, "xx")], "1", 9).await, Err(Code::InvalidDigest));
        let crc = (checksum::header(CRC32), "y/Q5Jg==");
        assert!(collect(std::slice::from_ref(&crc), "123456789", 9).await.is_ok());
        assert_eq!(collect(&[crc], "1", 9).await, Err(Code::BadDigest));
    }

    #[test]
    fn the_decoded_length_counts_before_the_length() {
        let size = |pairs: &[(http::HeaderName, &'static str)]| {
            let headers: HeaderMap =
                pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
            announced_size(&headers).map_err(|error| error.code)
        };
        assert_eq!(size(&[(header::CONTENT_LENGTH, "7")]), Ok(7));
        assert_eq!(size(&[(header::CONTENT_LENGTH, "99"), (headers::DECODED_LENGTH, "7")]), Ok(7));
        assert_eq!(size(&[]), Err(Code::MissingContentLength));
        assert_eq!(size(&[(headers::DECODED_LENGTH, "x")]), Err(Code::InvalidArgument));
        assert_eq!(size(&[(headers::DECODED_LENGTH, "-1")]), Err(Code::InvalidArgument));
        assert_eq!(size(&[(header::CONTENT_LENGTH, "5368709120")]), Ok(PUT_BYTES_MAX));
        assert_eq!(size(&[(header::CONTENT_LENGTH, "5368709121")]), Err(Code::EntityTooLarge));
        assert_eq!(size(&[(headers::DECODED_LENGTH, "99999999999999999999")]), Err(Code::EntityTooLarge));
    }
}
