//! How a front that knows tables gets temporary credentials for their files: the [`Vend`] trait.

use std::fmt;
use std::sync::Arc;

use crate::access::{Prefix, Principal};

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
    /// The server cannot make any now.
    #[error("no credentials could be made")]
    Failed,
}

/// Makes temporary credentials. Whether the principal may have them is asked before.
pub trait Vend: Send + Sync + 'static {
    /// Credentials that act for `principal` below `prefixes` only, from `now` (seconds since the Unix epoch).
    fn vend(
        &self,
        principal: &Principal,
        prefixes: Arc<[Prefix]>,
        now: i64,
    ) -> Result<Credentials, VendError>;

    /// A text that is the same only while credentials vended to `principal` at any time when it was the same are
    /// good, and will be for at least half their lifetime. `None`: never reuse any.
    fn epoch(&self, principal: &Principal, now: i64) -> Option<String>;
}
