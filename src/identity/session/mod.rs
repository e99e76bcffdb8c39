//! Temporary credentials: an access key id, a secret, and a token that tells all there is to know of them.
//!
//! The server keeps nothing of a session: the client brings its token with each request.
//!
//! - Z1: a token opens only if this server sealed it, all of it, and it tells its holder nothing (`seal.rs`).
//!   Id and secret follow from the token, so neither can be paired with another.
//! - Z2: a session is good until its time, and only while the key of its parent exists with the secret it had
//!   when the session began: a key made anew under an old id revives no session.
//! - Z3: a session of a session is inside both, and ends no later.
//!
//! What a session may do is decided where every principal's rights are (`policy`), at each request.

mod claims;
mod seal;
#[cfg(test)]
mod tests;
mod vend;

use std::sync::Arc;

use ring::hmac;
use subtle::ConstantTimeEq as _;
use tarn_openapi::access::{Principal, Restriction, Session};

use self::claims::Claims;
use self::seal::Seal;
pub use self::vend::Vendor;
use super::error::AuthError;
use super::key::AccessKey;
use super::keyring::Keyring;
use super::secret::Secret;

/// The longest token, in bytes: it travels in a header or in the query of a presigned URL.
pub const TOKEN_BYTES_MAX: usize = 2 * 1024;
/// How many sessions may be inside one another.
const RESTRICTIONS_MAX: usize = 4;

/// How a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Beside a signature made with the secret.
    Signing,
    /// Alone, as a bearer token of the catalog. It signs nothing: a presigned URL carries its token in the
    /// clear, and whoever was given the URL would hold the whole session.
    Bearer,
}

/// What credentials are asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// Whom they act for.
    pub parent: Principal,
    /// What they may do of what the parent may.
    pub restriction: Restriction,
    /// How long they are good, in seconds.
    pub lifetime_seconds: i64,
    /// How the token is presented.
    pub purpose: Use,
}

/// Temporary credentials as they are given out.
#[derive(Debug)]
pub struct Temporary {
    /// The access key id.
    pub id: String,
    /// The secret key.
    pub secret: Secret,
    /// The session token.
    pub token: Secret,
    /// When they end, in seconds since the Unix epoch.
    pub expires: i64,
}

/// Why credentials were not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// Nobody, or the key is gone, or the parent session is over.
    #[error("the parent of the session has no access key")]
    NoParent,
    /// The token would be longer than [`TOKEN_BYTES_MAX`], or sessions lie too deep in one another.
    #[error("the session's restrictions are too long for a token")]
    TooLarge,
    /// The system has no randomness to give.
    #[error("the system's random source failed")]
    Random,
}

/// A session that a token opened, with the secret its requests are signed by.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) session: Arc<Session>,
    pub(crate) secret: Secret,
}

/// Makes and opens temporary credentials.
pub struct Sessions {
    seal: Seal,
    fingerprints: hmac::Key,
    keyring: Arc<Keyring>,
}

impl Sessions {
    /// Seals with keys derived from `secret`, which stays the same over restarts.
    pub fn new(secret: &[u8; 32], keyring: Arc<Keyring>) -> Self {
        let seal = Seal::new(secret);
        Self { fingerprints: seal.fingerprints(), seal, keyring }
    }

    /// Makes credentials that begin at `now` (seconds since the Unix epoch).
    pub fn issue(&self, order: Order, now: i64) -> Result<Temporary, IssueError> {
        let Order { parent, restriction, lifetime_seconds, purpose } = order;
        let mut restrictions = vec![restriction];
        let mut expires = now.saturating_add(lifetime_seconds);
        let mut holder = &parent;
        while let Principal::Session(outer) = holder {
            restrictions.push(outer.restriction.clone());
            expires = expires.min(outer.expires);
            holder = &outer.parent;
        }
        restrictions.reverse();
        let key = self.keyring.of(holder).filter(|_| expires > now).ok_or(IssueError::NoParent)?;
        if restrictions.len() > RESTRICTIONS_MAX {
            return Err(IssueError::TooLarge);
        }
        let claims = Claims::new(&key.id, self.fingerprint(&key), &restrictions, purpose, (now, expires));
        let sealed = self.seal.seal(&claims.encode().ok_or(IssueError::TooLarge)?)?;
        if sealed.token.expose().len() > TOKEN_BYTES_MAX {
            return Err(IssueError::TooLarge);
        }
        Ok(Temporary { id: sealed.id, secret: sealed.secret, token: sealed.token, expires })
    }

    /// The session of a token that is good at `now` for `purpose`.
    pub(crate) fn open(&self, token: &str, purpose: Use, now: i64) -> Result<Opened, AuthError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::SecurityToken);
        }
        let opened = self.seal.open(token).ok_or(AuthError::SecurityToken)?;
        let claims = Claims::decode(&opened.claims).ok_or(AuthError::SecurityToken)?;
        if claims.purpose() != purpose {
            return Err(AuthError::SecurityToken);
        }
        if now >= claims.expires {
            return Err(AuthError::ExpiredToken);
        }
        let key = self.keyring.find(&claims.key).ok_or(AuthError::UnknownKey)?;
        if !bool::from(self.fingerprint(&key).ct_eq(&claims.fingerprint)) {
            return Err(AuthError::UnknownKey);
        }
        let id: Arc<str> = opened.id.into();
        let restrictions = claims.restrictions().ok_or(AuthError::SecurityToken)?;
        let mut innermost = None;
        let mut parent = key.principal();
        for restriction in restrictions {
            let session = Arc::new(Session { id: id.clone(), parent, restriction, expires: claims.expires });
            parent = Principal::Session(session.clone());
            innermost = Some(session);
        }
        let session = innermost.ok_or(AuthError::SecurityToken)?;
        Ok(Opened { session, secret: opened.secret })
    }

    fn fingerprint(&self, key: &AccessKey) -> [u8; 16] {
        key.fingerprint(&self.fingerprints)
    }
}
