//! Tokens of identity providers: which recipient they speak of. Pure, but for the trait that verifies them.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::known::KnownRecipient;
use crate::directory::{Status, Token, TokenKind};

/// The most groups that are looked through.
const GROUPS_MAX: usize = 1_000;

/// Why a provider's token was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForeignRefusal {
    /// It is no token of that issuer, or for nobody here.
    #[error("the token is not valid")]
    Invalid,
    /// It is past its time.
    #[error("the token has expired")]
    Expired,
    /// The issuer's keys cannot be had now.
    #[error("the keys of the token's issuer cannot be had now; try again")]
    Unavailable,
}

/// Verifies tokens of configured identity providers. The binary implements it; only configured issuers are ever asked.
#[async_trait]
pub trait ForeignTokens: Send + Sync + 'static {
    /// The claims of `token`, when `issuer` is configured and signed it, it names one of `audiences`, and is good at
    /// `now_s`, in seconds since 1970.
    async fn verify(
        &self,
        token: &str,
        issuer: &str,
        audiences: &[String],
        now_s: i64,
    ) -> Result<Map<String, Value>, ForeignRefusal>;
}

/// Audiences that a token of `issuer` may name.
pub(super) fn audiences(candidates: &[Arc<KnownRecipient>], issuer: &str, now_ms: i64) -> Vec<String> {
    let policies = candidates.iter().flat_map(|known| policies(known, issuer, now_ms));
    let mut audiences: Vec<String> = policies.flat_map(|(_, policy)| policy.audiences.to_vec()).collect();
    audiences.sort_unstable();
    audiences.dedup();
    audiences
}

/// More than one recipient takes the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The one recipient that takes a token with these claims, and by which of its tokens.
pub(super) fn recipient(
    candidates: &[Arc<KnownRecipient>],
    issuer: &str,
    claims: &Map<String, Value>,
    now_ms: i64,
) -> Result<Option<(Arc<KnownRecipient>, Token)>, Ambiguous> {
    let mut found = None;
    for known in candidates {
        let mut policies = policies(known, issuer, now_ms);
        let Some((token, _)) = policies.find(|(_, policy)| policy.takes(claims)) else { continue };
        if found.is_some() {
            return Err(Ambiguous);
        }
        found = Some((known.clone(), token.clone()));
    }
    Ok(found)
}

struct Policy<'a> {
    audiences: &'a [String],
    subject_claim: &'a str,
    subject: &'a str,
}

/// The policies of an enabled recipient that count.
fn policies<'a>(
    known: &'a KnownRecipient,
    issuer: &'a str,
    now_ms: i64,
) -> impl Iterator<Item = (&'a Token, Policy<'a>)> {
    let counts = known.recipient.status == Status::Enabled;
    let tokens = known.recipient.tokens.iter().filter(move |token| counts && now_ms < token.expires_ms);
    tokens.filter_map(move |token| match &token.kind {
        TokenKind::Federated { issuer: theirs, audiences, subject_claim, subject } if theirs == issuer => {
            Some((token, Policy { audiences, subject_claim, subject }))
        }
        TokenKind::Federated { .. } | TokenKind::Bearer { .. } | TokenKind::Client { .. } => None,
    })
}

impl Policy<'_> {
    fn takes(&self, claims: &Map<String, Value>) -> bool {
        let ours = |audience: &str| self.audiences.iter().any(|known| known == audience);
        let audience = match claims.get("aud") {
            Some(Value::String(one)) => ours(one),
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).any(ours),
            _ => false,
        };
        let subject = match (self.subject_claim, claims.get(self.subject_claim)) {
            // An empty subject would be said by whoever has none.
            _ if self.subject.is_empty() => false,
            ("sub" | "oid" | "azp", Some(Value::String(subject))) => subject == self.subject,
            ("groups", Some(Value::Array(groups))) => {
                groups.iter().take(GROUPS_MAX).any(|group| group.as_str() == Some(self.subject))
            }
            _ => false,
        };
        audience && subject
    }
}
