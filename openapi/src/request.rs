//! What the listener attaches to every request before a front sees it.

use std::sync::Arc;

/// The id of one request, as answered in `x-amz-request-id` and written in every log line of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(pub Arc<str>);

impl std::fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How the request was authenticated, for what depends on it: response header overrides are
/// allowed only on signed requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authenticated {
    /// Nothing was presented.
    Anonymous,
    /// A SigV4 signature in the `Authorization` header.
    SignedHeader,
    /// A SigV4 signature in the query (a presigned URL).
    SignedQuery,
    /// A bearer token.
    Bearer,
}

/// Why the body of an authenticated request was refused while it was being read. The identity
/// layer yields it as the error of the body; a front finds it as the error's source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyRejected {
    /// A chunk's signature, or that of the trailers, is not the one the bytes call for.
    #[error("the signature of a chunk does not match")]
    Signature,
    /// The bytes do not have the SHA-256 that `x-amz-content-sha256` announced.
    #[error("the body does not match x-amz-content-sha256")]
    Sha256Mismatch,
    /// The chunk framing is broken.
    #[error("the chunk framing is broken: {0}")]
    Malformed(String),
    /// The body ended before its announced length.
    #[error("the body ended before its announced length")]
    Incomplete,
    /// The body is longer than announced or allowed.
    #[error("the body is longer than announced or allowed")]
    TooLarge,
}

impl BodyRejected {
    /// The rejection in the chain of sources of `error`, if that is what it is.
    pub fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_is_found_behind_the_errors_that_carry_it() {
        let carried = axum::Error::new(axum::Error::new(BodyRejected::Signature));
        assert_eq!(BodyRejected::find(&carried), Some(&BodyRejected::Signature));
        assert_eq!(BodyRejected::find(&std::io::Error::other("another")), None);
    }
}
