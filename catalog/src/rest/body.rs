//! Reading a JSON body: bounded, verified, and every failure in the error envelope.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tarn_openapi::request::BodyRejected;

use super::Front;
use super::error::{Failure, Kind};

/// The longest body of a commit or a transaction.
pub(crate) const COMMIT_BYTES_MAX: usize = 32 << 20;
/// The longest body of everything else.
const SMALL_BYTES_MAX: usize = 4 << 20;

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

/// The bytes of a body of at most 32 MiB.
pub(crate) struct LargeBody(pub(crate) Bytes);

impl<T: DeserializeOwned> FromRequest<Arc<Front>> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _front: &Arc<Front>) -> Result<Self, Failure> {
        parse(&read(request.into_body(), SMALL_BYTES_MAX).await?).map(Self)
    }
}

impl FromRequest<Arc<Front>> for LargeBody {
    type Rejection = Failure;

    async fn from_request(request: Request, _front: &Arc<Front>) -> Result<Self, Failure> {
        read(request.into_body(), COMMIT_BYTES_MAX).await.map(Self)
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

async fn read(body: Body, limit: usize) -> Result<Bytes, Failure> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(failure(error.as_ref(), limit)),
    }
}

fn failure(error: &(dyn std::error::Error + 'static), limit: usize) -> Failure {
    if error.is::<LengthLimitError>() {
        return Failure::new(Kind::TooLarge, format!("the body is longer than {limit} bytes"));
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
