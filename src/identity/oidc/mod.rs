//! Tokens of identity providers (OpenID Connect): who may issue them is configured, who they speak of is theirs to say.
//!
//! - J1: nothing a token says counts before its signature does, but for two things: its algorithm, which must be one that
//!   the provider is configured for, and its issuer, which picks a configured provider or none. No address in a token is
//!   ever asked: keys come from where the configuration says.
//! - J2: a key verifies only by the algorithms of its own kind, and never by a symmetric one; only the keys of the
//!   token's own issuer are tried.
//! - J3: a token has an end and an audience of ours. A header or claims that name a thing twice are no token.
//! - J4: who sends a token that does not verify is told only that; the log is told why.
//! - J5: keys go on to count while their provider cannot be reached, for a time with a name (`Pace::kept`), and no
//!   request makes the server ask a provider more often than `Pace::gap` says.

mod algorithm;
mod claims;
mod feed;
mod fetch;
mod foreign;
mod jwk;
mod provider;
#[cfg(test)]
pub(crate) mod tests;
mod token;

use std::sync::Arc;

use tarn_openapi::access::WebIdentity;
use tokio::task::JoinSet;

pub use self::algorithm::Algorithm;
pub use self::feed::Pace;
use self::feed::{Feed, Missing};
pub use self::fetch::OpenError;
pub use self::provider::{InvalidUrl, KeysAt, Policies, Provider, check_issuer, check_url};
use self::token::Unverified;

/// Why a token was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of a configured provider (J4).
    #[error("the token is not valid")]
    Invalid(Flaw),
    /// It is past its time.
    #[error("the token has expired")]
    Expired,
    /// It is genuine, and says what it may not or not what it must.
    #[error("the token is refused: {0}")]
    Rejected(Rejection),
    /// Its provider's keys cannot be had now.
    #[error("the keys of the token's issuer cannot be had now; try again")]
    Unavailable,
}

/// What makes a token invalid. For the log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is longer than any token.
    #[error("it is too long")]
    TooLong,
    /// It has not three parts in base64url, or one of them cannot be read.
    #[error("it cannot be read: {0}")]
    Malformed(&'static str),
    /// Its algorithm is unknown, symmetric, none, or not one that its provider is configured for.
    #[error("its algorithm is not allowed")]
    Algorithm,
    /// It is a token for another use.
    #[error("its type is not that of an access or identity token")]
    Type,
    /// Nobody configured its issuer.
    #[error("its issuer is not configured")]
    Issuer,
    /// Its issuer has no such key, or none of a kind that fits its algorithm.
    #[error("its issuer has no such key")]
    Key,
    /// Its signature is not that of its issuer.
    #[error("its signature does not verify")]
    Signature,
    /// It is not good yet.
    #[error("it was issued, or begins, in the future")]
    NotYet,
}

/// Why a genuine token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is for somebody else.
    #[error("its audience is not one of this server's")]
    Audience,
    /// A claim is missing or has another form than it must.
    #[error("its claim {0:?} is missing or not of the expected form")]
    Claim(String),
    /// Nothing gives its holder rights.
    #[error("it names no policy")]
    NoPolicy,
    /// It is good only together with a proof, or is no token to sign in with.
    #[error("its claim {0:?} makes it no bearer token")]
    Kind(&'static str),
}

/// What a genuine token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who it speaks of.
    pub identity: Arc<WebIdentity>,
    /// The subject, as the provider names it.
    pub subject: String,
    /// The audience of ours that it is for.
    pub audience: String,
    /// The provider's issuer URL.
    pub issuer: String,
}

/// The configured providers and their keys.
pub struct Issuers {
    known: Vec<Issuer>,
    /// They end with this.
    _feeding: JoinSet<()>,
}

struct Issuer {
    provider: Arc<Provider>,
    feed: Arc<Feed>,
}

impl Issuers {
    /// Begins to fetch the keys of `providers`, and again at `pace` for as long as this lives.
    pub fn open(providers: Vec<Provider>, pace: Pace) -> Result<Self, OpenError> {
        let mut feeding = JoinSet::new();
        let mut known = Vec::with_capacity(providers.len());
        for provider in providers.into_iter().map(Arc::new) {
            let source = fetch::Source::open(provider.clone(), pace)?;
            let feed = Arc::new(Feed::new(pace));
            feeding.spawn(feed.clone().keep(source));
            tracing::info!(
                provider = provider.name,
                issuer = provider.issuer,
                "tokens of an issuer are taken"
            );
            known.push(Issuer { provider, feed });
        }
        Ok(Self { known, _feeding: feeding })
    }

    /// The provider of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Provider> {
        self.known.iter().map(|issuer| &*issuer.provider).find(|provider| provider.name == name)
    }

    /// Checks a token at `now`, in seconds since the Unix epoch.
    pub(crate) async fn verify(&self, token: &str, now: i64) -> Result<Verified, TokenError> {
        let checked = self.check(token, now).await;
        if let Err(TokenError::Invalid(flaw)) = &checked {
            tracing::info!(reason = %flaw, "a token of an identity provider was refused");
        }
        checked
    }

    async fn check(&self, token: &str, now: i64) -> Result<Verified, TokenError> {
        let (token, provider) = self.signed(token).await?;
        claims::identify(&token.claims, provider, now)
    }

    /// A token that its issuer signed, and who that is. What it says is not yet to be believed.
    async fn signed<'t>(&self, token: &'t str) -> Result<(Unverified<'t>, &Provider), TokenError> {
        let token = Unverified::read(token).map_err(TokenError::Invalid)?;
        let issuer = self.known.iter().find(|issuer| issuer.provider.issuer == token.issuer);
        let Issuer { provider, feed } = issuer.ok_or(TokenError::Invalid(Flaw::Issuer))?;
        if !provider.algorithms.contains(&token.algorithm) {
            return Err(TokenError::Invalid(Flaw::Algorithm));
        }
        let fits = |keys: &jwk::Keys| keys.fitting(token.kid.as_deref(), token.algorithm).next().is_some();
        let keys = feed.keys(fits).await.map_err(|missing| match missing {
            Missing::Key => TokenError::Invalid(Flaw::Key),
            Missing::All => TokenError::Unavailable,
        })?;
        let verifies = keys
            .fitting(token.kid.as_deref(), token.algorithm)
            .any(|key| key.verifies(token.algorithm, token.signed, &token.signature));
        if !verifies {
            return Err(TokenError::Invalid(Flaw::Signature));
        }
        Ok((token, provider))
    }
}
