//! Who sent a request, and what it may read.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use http::{HeaderMap, header};
use serde_json::Value;
use tarn_catalog::state::CatalogState;
use tarn_openapi::access::Sender;
use uuid::Uuid;

use super::foreign::{self, Ambiguous, ForeignRefusal};
use super::jwt::{Flaw, Unverified};
use super::known::KnownRecipient;
use super::{Access, Ticket};
use crate::directory::{Grant, Recipient, Share, SharedTable, Status, Token, TokenKind, lower};

/// Who reads. Good for one request: what it may is asked for with it.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The recipient.
    pub recipient: Arc<Recipient>,
    /// The id of the token it came with.
    pub token: Uuid,
    /// When that ends, in milliseconds since 1970. No URL may last longer.
    pub token_expires_ms: i64,
    /// The number of this server's key that signed what it showed; 0 where another issuer did.
    pub key: u32,
    /// Where it came from, when that is known.
    pub address: Option<IpAddr>,
}

/// A share that a reader may read.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The share.
    pub share: Arc<Share>,
    /// What lets it.
    pub grant: Grant,
}

/// Why a request is not taken. The front maps each to the wire once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 401: no token was sent.
    #[error("a bearer token is required")]
    Missing,
    /// 401: the token is none, or no more. Its sender is told no reason; the log is.
    #[error("the token is not valid")]
    Invalid,
    /// 401: the token is past its time.
    #[error("the token has expired")]
    Expired,
    /// 403: it may not come from there.
    #[error("the recipient may not come from this address")]
    Address,
    /// 429: too many requests.
    #[error("too many requests; try again in {retry_after_s} s")]
    Rate {
        /// What to wait, in seconds: at least 1.
        retry_after_s: u64,
    },
    /// 503: it cannot be told now whether the token is valid.
    #[error("the token cannot be checked now; try again")]
    Unavailable,
}

/// Why a token does not count. For the log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("{0}")]
    Flaw(Flaw),
    #[error("there is no such recipient, or it has no such token")]
    Gone,
    #[error("the recipient is disabled")]
    Disabled,
    #[error("it names several recipients")]
    Ambiguous,
    #[error("it is past its time")]
    Expired,
    #[error("it cannot be checked now")]
    Unavailable,
}

/// Where a token was found.
struct Shown {
    known: Arc<KnownRecipient>,
    token: Uuid,
    expires_ms: i64,
    key: u32,
}

impl Access {
    /// Who sent a request with this token (without its scheme, see [`bearer`]).
    pub async fn reader(
        &self,
        bearer: Option<&str>,
        sender: &Sender,
        now_ms: i64,
    ) -> Result<Reader, Refusal> {
        let admitted = self.admit(bearer, sender.address, now_ms).await;
        if let Err(refusal) = &admitted {
            metrics::counter!("tarn_sharing_refused_total", "reason" => refusal.reason()).increment(1);
        }
        admitted
    }

    async fn admit(
        &self,
        bearer: Option<&str>,
        address: Option<IpAddr>,
        now_ms: i64,
    ) -> Result<Reader, Refusal> {
        let bearer = bearer.ok_or(Refusal::Missing)?;
        let shown = self.identify(bearer, now_ms).await.map_err(|unfit| {
            tracing::info!(reason = %unfit, "a token of a recipient was refused");
            unfit.refusal()
        })?;
        let recipient = &shown.known.recipient;
        if !shown.known.may_come_from(address) {
            tracing::info!(recipient.id = %recipient.id, ?address, "a recipient came from elsewhere");
            return Err(Refusal::Address);
        }
        let per_second = recipient.requests_per_second.unwrap_or(self.rates.per_token);
        let mut buckets = self.rates.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = buckets.take(shown.token, per_second, now_ms);
        taken.map_err(|many| Refusal::Rate { retry_after_s: many.wait_ms.div_ceil(1_000).max(1) })?;
        Ok(Reader {
            recipient: recipient.clone(),
            token: shown.token,
            token_expires_ms: shown.expires_ms,
            key: shown.key,
            address,
        })
    }

    async fn identify(&self, bearer: &str, now_ms: i64) -> Result<Shown, Unfit> {
        let token = Unverified::read(bearer).map_err(Unfit::Flaw)?;
        let state = self.catalog.snapshot();
        let keys = self.keys.of(&state).map_err(|_| {
            tracing::error!("the signing keys of sharing are damaged");
            Unfit::Unavailable
        })?;
        match keys {
            Some(keys) if keys.issuer() == token.issuer => {
                let proved = token.prove(&keys, now_ms).map_err(Unfit::Flaw)?;
                let ends_ms = proved.claims.exp.saturating_mul(1_000);
                if now_ms >= ends_ms {
                    return Err(Unfit::Expired);
                }
                let known = self.known.recipient(&state, proved.claims.sub).ok_or(Unfit::Gone)?;
                let held = known.recipient.tokens.iter().find(|held| held.id == proved.claims.jti);
                let expires_ms = own(held.ok_or(Unfit::Gone)?, now_ms)?.min(ends_ms);
                enabled(&known)?;
                Ok(Shown { token: proved.claims.jti, key: proved.key, known, expires_ms })
            }
            Some(_) | None => self.identify_foreign(bearer, &token.issuer, now_ms).await,
        }
    }

    async fn identify_foreign(&self, token: &str, issuer: &str, now_ms: i64) -> Result<Shown, Unfit> {
        let foreign = self.foreign.as_ref().ok_or(Unfit::Flaw(Flaw::Issuer))?;
        let candidates = self.known.federated(&self.catalog.snapshot(), issuer);
        let audiences = foreign::audiences(&candidates, issuer, now_ms);
        if audiences.is_empty() {
            return Err(Unfit::Flaw(Flaw::Issuer));
        }
        let verified = foreign.verify(token, issuer, &audiences, now_ms.div_euclid(1_000)).await;
        let claims = verified.map_err(|refusal| match refusal {
            ForeignRefusal::Invalid => Unfit::Flaw(Flaw::Signature),
            ForeignRefusal::Expired => Unfit::Expired,
            ForeignRefusal::Unavailable => Unfit::Unavailable,
        })?;
        // That took a while: only what is granted now counts.
        let candidates = self.known.federated(&self.catalog.snapshot(), issuer);
        let found = foreign::recipient(&candidates, issuer, &claims, now_ms);
        let (known, token) = found.map_err(|Ambiguous| Unfit::Ambiguous)?.ok_or(Unfit::Gone)?;
        let ends_ms = claims.get("exp").and_then(Value::as_f64).ok_or(Unfit::Flaw(Flaw::Times))?;
        let ends_ms = (ends_ms * 1_000.0) as i64;
        // A provider's clock may be off, but a token that has ended here gives no URL that lasts.
        if now_ms >= ends_ms {
            return Err(Unfit::Expired);
        }
        Ok(Shown { token: token.id, key: 0, known, expires_ms: token.expires_ms.min(ends_ms) })
    }

    /// What a reader may read, in order of the shares' names.
    pub fn shares(&self, reader: &Reader) -> Vec<Granted> {
        let state = self.catalog.snapshot();
        let grants = reader.recipient.grants.iter();
        grants.filter_map(|(name, grant)| self.granted(&state, name, grant)).collect()
    }

    /// The share of this name, whose case does not count, when the reader may read it.
    pub fn share(&self, reader: &Reader, name: &str) -> Option<Granted> {
        let name = lower(name);
        let grant = reader.recipient.grants.get(&name)?;
        self.granted(&self.catalog.snapshot(), &name, grant)
    }

    /// A grant counts for the share it was given for, not for another of its name (G1).
    fn granted(&self, state: &CatalogState, name: &str, grant: &Grant) -> Option<Granted> {
        let known = self.known.share(state, name)?;
        (known.share.id == grant.share).then(|| Granted { share: known.share.clone(), grant: grant.clone() })
    }
}

impl Reader {
    /// What the URLs of a table's files stand on.
    pub fn ticket(&self, grant: &Grant, table: &SharedTable) -> Ticket {
        Ticket {
            recipient: self.recipient.id,
            token: self.token,
            key: self.key,
            grant: grant.id,
            table: table.id,
        }
    }
}

/// When a token that this server signed ends, if it is one.
fn own(token: &Token, now_ms: i64) -> Result<i64, Unfit> {
    match &token.kind {
        // Nothing was signed for it yet.
        TokenKind::Bearer { activation: Some(_), .. } | TokenKind::Federated { .. } => Err(Unfit::Gone),
        TokenKind::Bearer { activation: None, .. } | TokenKind::Client { .. } => {
            if now_ms < token.expires_ms { Ok(token.expires_ms) } else { Err(Unfit::Expired) }
        }
    }
}

fn enabled(known: &KnownRecipient) -> Result<(), Unfit> {
    match known.recipient.status {
        Status::Enabled => Ok(()),
        Status::Disabled => Err(Unfit::Disabled),
    }
}

impl Unfit {
    fn refusal(self) -> Refusal {
        match self {
            Unfit::Flaw(_) | Unfit::Gone | Unfit::Disabled | Unfit::Ambiguous => Refusal::Invalid,
            Unfit::Expired => Refusal::Expired,
            Unfit::Unavailable => Refusal::Unavailable,
        }
    }
}

impl Refusal {
    fn reason(self) -> &'static str {
        match self {
            Refusal::Missing => "missing",
            Refusal::Invalid => "invalid",
            Refusal::Expired => "expired",
            Refusal::Address => "address",
            Refusal::Rate { .. } => "rate",
            Refusal::Unavailable => "unavailable",
        }
    }
}

/// The token of the one `Authorization` header, when it is a bearer's.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
