//! Reading a JSON body: admitted, bounded, verified, and every failure in the error envelope.
//!
//! Bodies being read or worked on count against one budget of bytes before they are read, so a crowd
//! of large commits is refused with 503 while nothing was done, and memory stays bounded.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tarn_openapi::access::Principal;
use tarn_openapi::request::BodyRejected;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Front;
use super::error::{Failure, Kind};

/// The longest body of a commit or a transaction.
pub(crate) const COMMIT_BYTES_MAX: usize = 32 << 20;
/// The longest body of everything else.
const SMALL_BYTES_MAX: usize = 4 << 20;
/// Bodies that are in work at a time, in bytes.
const BUDGET_BYTES: usize = 128 << 20;
/// What a caller is told to wait when the budget is spent.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A JSON body of at most 4 MiB.
pub(crate) struct Json<T>(pub(crate) T);

/// The query; what is wrong with it goes to the caller in the envelope.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Front>> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, front: &Arc<Front>) -> Result<Self, Failure> {
        match axum::extract::Query::<T>::from_request_parts(parts, front).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(error) => Err(Failure::bad_request(error.body_text())),
        }
    }
}

/// A body of at most 32 MiB, not parsed yet.
pub(crate) struct LargeBody(pub(crate) Bytes);

/// No body; one that is sent is not read.
pub(crate) struct NoBody;

/// What a route makes of its body.
pub(crate) trait FromBody: Sized {
    /// The longest body that is read; 0 reads none.
    const BYTES_MAX: usize;

    fn from_body(bytes: Bytes) -> Result<Self, Failure>;
}

impl<T: DeserializeOwned> FromBody for Json<T> {
    const BYTES_MAX: usize = SMALL_BYTES_MAX;

    fn from_body(bytes: Bytes) -> Result<Self, Failure> {
        parse(&bytes).map(Self)
    }
}

impl FromBody for LargeBody {
    const BYTES_MAX: usize = COMMIT_BYTES_MAX;

    fn from_body(bytes: Bytes) -> Result<Self, Failure> {
        Ok(Self(bytes))
    }
}

impl FromBody for NoBody {
    const BYTES_MAX: usize = 0;

    fn from_body(_: Bytes) -> Result<Self, Failure> {
        Ok(Self)
    }
}

/// The budget of bytes, counted in KiB.
pub(crate) fn budget() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(BUDGET_BYTES >> 10))
}

impl<T: DeserializeOwned> FromRequest<Arc<Front>> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, front: &Arc<Front>) -> Result<Self, Failure> {
        let _admitted = admit(&request, front, SMALL_BYTES_MAX)?;
        parse(&read(request.into_body(), SMALL_BYTES_MAX).await?).map(Self)
    }
}

/// The JSON in `bytes`; what is wrong with it goes to the caller.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    // serde takes an array for a struct, field by field; the specification does not.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Failure::bad_request("the body is not a JSON object"));
    }
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::bad_request(format!("the body is not what this route takes: {error}")))
}

/// Takes the body's length from the budget. A stranger's body is not read at all.
pub(crate) fn admit(request: &Request, front: &Front, limit: usize) -> Result<OwnedSemaphorePermit, Failure> {
    front.allow_to_send(request.extensions().get::<Principal>())?;
    let said = request.body().size_hint().exact().unwrap_or(limit as u64);
    if said > limit as u64 {
        return Err(too_long(limit));
    }
    let kib = (said >> 10) as u32 + 1;
    front
        .bodies
        .clone()
        .try_acquire_many_owned(kib)
        .map_err(|_full| Failure::unavailable("too many large requests are in work", RETRY_AFTER))
}

fn too_long(limit: usize) -> Failure {
    Failure::new(Kind::TooLarge, format!("the body is longer than {limit} bytes"))
}

pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Failure> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(failure(error.as_ref(), limit)),
    }
}

fn failure(error: &(dyn std::error::Error + 'static), limit: usize) -> Failure {
    if error.is::<LengthLimitError>() {
        return too_long(limit);
    }
    let Some(rejected) = BodyRejected::find(error) else {
        return Failure::bad_request("the body ended before it was complete");
    };
    let kind = match rejected {
        BodyRejected::Signature => Kind::Forbidden,
        BodyRejected::TooLarge => Kind::TooLarge,
        BodyRejected::Sha256Mismatch | BodyRejected::Malformed(_) | BodyRejected::Incomplete => {
            Kind::BadRequest
        }
    };
    Failure::new(kind, rejected.to_string())
}
