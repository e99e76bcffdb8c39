//! Temporary credentials: an access key id, a secret, and a token that tells all there is to know of them.
//!
//! The server keeps nothing of a session: the client brings its token with each request.
//!
//! - Z1: a token opens only if this server sealed it, all of it, and it tells its holder nothing (`seal.rs`).
//!   Id and secret follow from the token, so neither can be paired with another.
//! - Z2: a session is good until its time, and only while the key of its parent exists with the secret it had
//!   when the session began: a key made anew under an old id revives no session.
//!   That of a provider's token is good while its provider is configured, with that issuer.
//!   One that stands on a ticket is good while its maker says so, wherever it is used, and so are sessions made of it.
//! - Z3: a session of a session is inside both, and ends no later.
//!
//! What a session may do is decided where every principal's rights are (`policy`), at each request.

mod claims;
mod seal;
#[cfg(test)]
pub(super) mod tests;
mod vend;
mod web;

use std::net::IpAddr;
use std::sync::Arc;

use ring::hmac;
use subtle::ConstantTimeEq as _;
use tarn_openapi::access::{Principal, Restriction, Session};

use self::claims::{Claims, Parent};
use self::seal::Seal;
pub use self::vend::Vendor;
use super::error::AuthError;
use super::key::AccessKey;
use super::keyring::Keyring;
use super::oidc::Issuers;
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
    /// What they stand on beside the parent's key; asked of [`Tickets`] whenever they are used.
    pub ticket: Option<Arc<str>>,
}

/// Knows what sessions stand on that others than the holder of a key were given.
pub trait Tickets: Send + Sync + 'static {
    /// Whether it is still there, for who asks from `address` at `now` (seconds since the Unix epoch).
    fn stands(&self, ticket: &str, address: Option<IpAddr>, now: i64) -> bool;
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
    /// Nobody, or the key or the identity provider is gone, or the parent session is over.
    #[error("the parent of the session has no access key and no identity provider")]
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
    issuers: Option<Arc<Issuers>>,
    tickets: Option<Arc<dyn Tickets>>,
}

impl Sessions {
    /// Seals with keys derived from `secret`, which stays the same over restarts.
    pub fn new(secret: &[u8; 32], keyring: Arc<Keyring>) -> Self {
        let seal = Seal::new(secret);
        Self { fingerprints: seal.fingerprints(), seal, keyring, issuers: None, tickets: None }
    }

    /// With sessions of the holders of tokens of `issuers`.
    pub fn with_issuers(self, issuers: Arc<Issuers>) -> Self {
        Self { issuers: Some(issuers), ..self }
    }

    /// With sessions that stand on tickets.
    pub fn with_tickets(self, tickets: Arc<dyn Tickets>) -> Self {
        Self { tickets: Some(tickets), ..self }
    }

    /// Makes credentials that begin at `now` (seconds since the Unix epoch).
    pub fn issue(&self, order: Order, now: i64) -> Result<Temporary, IssueError> {
        let Order { parent, restriction, lifetime_seconds, purpose, mut ticket } = order;
        let mut restrictions = vec![restriction];
        let mut expires = now.saturating_add(lifetime_seconds);
        for outer in parent.sessions() {
            restrictions.push(outer.restriction.clone());
            match (&ticket, &outer.ticket) {
                (None, Some(_)) => ticket.clone_from(&outer.ticket),
                (_, None) => {}
                // One cannot stand for the other.
                (Some(_), Some(_)) => return Err(IssueError::NoParent),
            }
            expires = expires.min(outer.expires);
        }
        restrictions.reverse();
        let holder = parent.behind();
        if let Principal::Web(identity) = holder {
            expires = expires.min(identity.expires);
        }
        let parent = self.parent(holder).filter(|_| expires > now).ok_or(IssueError::NoParent)?;
        if restrictions.len() > RESTRICTIONS_MAX {
            return Err(IssueError::TooLarge);
        }
        let claims = Claims::new(parent, &restrictions, purpose, (now, expires), ticket);
        let sealed = self.seal.seal(&claims.encode().ok_or(IssueError::TooLarge)?)?;
        if sealed.token.expose().len() > TOKEN_BYTES_MAX {
            return Err(IssueError::TooLarge);
        }
        Ok(Temporary { id: sealed.id, secret: sealed.secret, token: sealed.token, expires })
    }

    /// The session of a token that is good at `now` for `purpose`, for who presents it from `address`.
    pub(crate) fn open(
        &self,
        token: &str,
        purpose: Use,
        address: Option<IpAddr>,
        now: i64,
    ) -> Result<Opened, AuthError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::SecurityToken);
        }
        let opened = self.seal.open(token).ok_or(AuthError::SecurityToken)?;
        let mut claims = Claims::decode(&opened.claims).ok_or(AuthError::SecurityToken)?;
        if claims.purpose() != purpose {
            return Err(AuthError::SecurityToken);
        }
        if now >= claims.expires {
            return Err(AuthError::ExpiredToken);
        }
        let ticket = claims.ticket.take();
        if let Some(ticket) = &ticket {
            let tickets = self.tickets.as_ref().ok_or(AuthError::SecurityToken)?;
            tickets.stands(ticket, address, now).then_some(()).ok_or(AuthError::ExpiredToken)?;
        }
        let parent = claims.parent().ok_or(AuthError::SecurityToken)?;
        let mut parent = self.alive(parent, claims.expires).ok_or(AuthError::UnknownKey)?;
        let id: Arc<str> = opened.id.into();
        let restrictions = claims.restrictions().ok_or(AuthError::SecurityToken)?;
        let mut innermost = None;
        for restriction in restrictions {
            let (id, ticket) = (id.clone(), ticket.clone());
            let session = Arc::new(Session { id, parent, restriction, expires: claims.expires, ticket });
            parent = Principal::Session(session.clone());
            innermost = Some(session);
        }
        let session = innermost.ok_or(AuthError::SecurityToken)?;
        Ok(Opened { session, secret: opened.secret })
    }

    /// How a token names whom a session acts for. `None` when nobody here stands behind them.
    fn parent(&self, holder: &Principal) -> Option<Parent> {
        match holder {
            Principal::Root | Principal::AccessKey(_) => {
                let key = self.keyring.of(holder)?;
                Some(Parent::Key { id: (*key.id).into(), fingerprint: self.fingerprint(&key) })
            }
            Principal::Web(identity) => web::told(identity, self.issuers.as_deref()?).map(Parent::Web),
            Principal::Anonymous | Principal::Session(_) => None,
        }
    }

    /// Whom a token names, if they are still there (Z2).
    fn alive(&self, parent: Parent, expires: i64) -> Option<Principal> {
        match parent {
            Parent::Key { id, fingerprint } => {
                let key = self.keyring.find(&id)?;
                bool::from(self.fingerprint(&key).ct_eq(&fingerprint)).then(|| key.principal())
            }
            Parent::Web(told) => web::alive(told, expires, self.issuers.as_deref()?),
        }
    }

    fn fingerprint(&self, key: &AccessKey) -> [u8; 16] {
        key.fingerprint(&self.fingerprints)
    }
}
