//! The body as the fronts see it: framing removed, hash and signatures checked while it streams.
//!
//! - B1: the stream ends without an error only when all that was signed was right.
//! - B2: bytes pass through without a copy; nothing is kept but the rest of a frame.

mod chunked;
mod hashed;
mod unchunked;

#[cfg(test)]
mod tests;

use axum::body::Body;
use http::{HeaderMap, HeaderName};
use http_body::Body as _;
use tarn_openapi::request::BodyRejected;

use self::chunked::Decoder;
use self::hashed::Hashed;
use self::unchunked::Unchunked;
use super::error::AuthError;
use super::sigv4::canonical::sha256;
use super::sigv4::payload::{Chunked, Payload};
use super::sigv4::verify::Seed;

/// Wraps `body` as `payload` asks for.
pub(crate) fn wrap(payload: Payload, seed: Seed, headers: &HeaderMap, body: Body) -> Result<Body, AuthError> {
    match payload {
        Payload::Unsigned | Payload::Unstated => Ok(body),
        Payload::Sha256(hash) if body.is_end_stream() => {
            if hash == sha256(b"") {
                Ok(body)
            } else {
                Err(AuthError::Sha256Mismatch)
            }
        }
        Payload::Sha256(hash) => Ok(Body::new(Hashed::new(body, hash))),
        Payload::Chunked(kind) => {
            let length = decoded_length(headers)?;
            let decoder = Decoder::new(kind, seed, length, announced_trailers(kind, headers)?);
            Ok(Body::new(Unchunked::new(body, decoder)))
        }
    }
}

fn decoded_length(headers: &HeaderMap) -> Result<u64, AuthError> {
    let length = headers.get("x-amz-decoded-content-length").ok_or(AuthError::MissingLength)?;
    length.to_str().ok().and_then(|text| text.parse().ok()).ok_or(AuthError::MissingLength)
}

fn announced_trailers(kind: Chunked, headers: &HeaderMap) -> Result<Vec<HeaderName>, AuthError> {
    if !kind.has_trailer() {
        return Ok(Vec::new());
    }
    let values = headers.get_all("x-amz-trailer").iter();
    let names = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    names.map(|name| name.trim().parse().map_err(|_| AuthError::MalformedHeader("x-amz-trailer"))).collect()
}

/// The rejection that `error`, from the connection, means to a reader of the body.
fn rejection(error: &axum::Error) -> BodyRejected {
    BodyRejected::find(error).cloned().unwrap_or(BodyRejected::Incomplete)
}
