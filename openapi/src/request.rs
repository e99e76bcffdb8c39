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
