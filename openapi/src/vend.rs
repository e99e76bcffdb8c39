//! How a front that knows tables gets temporary credentials for their files: the [`Vend`] trait.

use std::fmt;
use std::sync::Arc;

use http::{Method, Uri};

use crate::access::{Principal, TableFiles};

/// Temporary credentials of the object store.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id.
    pub id: String,
    /// The secret key.
    pub secret: String,
    /// The session token.
    pub token: String,
    /// When they end, in milliseconds since the Unix epoch.
    pub expires_ms: i64,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credentials({}, redacted)", self.id)
    }
}

/// Why no credentials were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VendError {
    /// The principal has no key that could stand behind them.
    #[error("there is no access key to vend credentials of")]
    NoKey,
    /// The prefixes are too long for a token.
    #[error("the table's locations are too long for a credential")]
    TooLong,
    /// The request cannot be signed: a header or the URI is not one of HTTP.
    #[error("the request cannot be signed")]
    Unsignable,
    /// The server cannot make any now.
    #[error("no credentials could be made")]
    Failed,
}

/// A request to the object store that is to be signed.
#[derive(Debug, Clone, Copy)]
pub struct SignOrder<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its URI, with scheme and host.
    pub uri: &'a Uri,
    /// The region of the scope.
    pub region: &'a str,
    /// Its headers, names in lower case. Those of S3 (`x-amz-*`) are signed.
    pub headers: &'a [(String, String)],
}

/// Makes temporary credentials. Whether the principal may have them is asked before.
pub trait Vend: Send + Sync + 'static {
    /// Credentials that act for `principal` on `files` only, from `now` (seconds since the Unix epoch).
    fn vend(&self, principal: &Principal, files: Arc<TableFiles>, now: i64)
    -> Result<Credentials, VendError>;

    /// The headers to add to a request, so that it is signed with credentials of [`Vend::vend`], which last as
    /// long as a signature.
    fn sign(
        &self,
        principal: &Principal,
        files: Arc<TableFiles>,
        order: &SignOrder<'_>,
        now: i64,
    ) -> Result<Vec<(String, String)>, VendError>;

    /// A text that is the same only while credentials vended to `principal` at any time when it was the same are
    /// good, and will be for at least half their lifetime. `None`: never reuse any.
    fn epoch(&self, principal: &Principal, now: i64) -> Option<String>;
}
