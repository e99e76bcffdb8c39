//! What a recipient shows: tokens, secrets of clients and federation policies, as they are kept in its document. Making
//! them is `access`.

use url::Url;
use uuid::Uuid;

use super::limits::{
    AUDIENCES_MAX, GRACE_MS_MAX, NEVER_MS, TOKEN_LIFETIME_MS, TOKEN_LIFETIME_MS_MAX, TOKENS_OF_RECIPIENT_MAX,
};
use super::recipients::check_text;
use super::tables::check_comment;
use super::{Directory, DirectoryError, Named, Recipient, Token, TokenKind};

/// Claims that may tell who a token of an identity provider speaks of.
const SUBJECT_CLAIMS: [&str; 4] = ["sub", "oid", "azp", "groups"];

/// Whom of an identity provider a federation policy lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    /// The provider's issuer URL.
    pub issuer: String,
    /// Accepted audiences; one must be named by the token.
    pub audiences: Vec<String>,
    /// The claim that tells who it is: `sub`, `oid`, `azp` or `groups`.
    pub subject_claim: String,
    /// What it must say.
    pub subject: String,
}

/// Which of a recipient's tokens a rotation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// Bearer tokens, activation links among them.
    Bearer,
    /// Secrets of clients.
    Client,
}

/// When a token ends that is made now and lasts as asked, in milliseconds since 1970.
pub fn token_end(lifetime_ms: Option<i64>, now_ms: i64) -> Result<i64, DirectoryError> {
    let lifetime = lifetime_ms.unwrap_or(TOKEN_LIFETIME_MS);
    if (1..=TOKEN_LIFETIME_MS_MAX).contains(&lifetime) {
        return Ok(now_ms.saturating_add(lifetime));
    }
    Err(DirectoryError::Invalid("a token ends in the future, and in 365 days at the latest".into()))
}

impl Federation {
    /// The policy as it is kept. It has an end only if it is given one.
    pub fn token(self, id: Uuid, lifetime_ms: Option<i64>, now_ms: i64) -> Result<Token, DirectoryError> {
        let Self { issuer, audiences, subject_claim, subject } = self;
        check_text("an issuer", &issuer)?;
        if !Url::parse(&issuer).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host()) {
            return Err(DirectoryError::Invalid(format!("{issuer:?} is no URL of an issuer")));
        }
        if !(1..=AUDIENCES_MAX).contains(&audiences.len()) {
            return Err(DirectoryError::Invalid(format!(
                "a federation policy has 1 to {AUDIENCES_MAX} audiences"
            )));
        }
        audiences.iter().try_for_each(|audience| check_text("an audience", audience))?;
        check_text("a subject", &subject)?;
        if !SUBJECT_CLAIMS.contains(&&*subject_claim) {
            let message = format!("the claim of a subject is one of {}", SUBJECT_CLAIMS.join(", "));
            return Err(DirectoryError::Invalid(message));
        }
        let expires_ms = match lifetime_ms {
            None => NEVER_MS,
            Some(lifetime) => token_end(Some(lifetime), now_ms)?,
        };
        let kind = TokenKind::Federated { issuer, audiences, subject_claim, subject };
        Ok(Token { id, kind, comment: None, created_ms: now_ms, expires_ms })
    }
}

impl Directory {
    /// Adds a token to the recipient that was born as `recipient`: it was made for that one.
    pub async fn add_token(
        &self,
        (name, recipient): (&str, Uuid),
        token: Token,
        now_ms: i64,
    ) -> Result<Recipient, DirectoryError> {
        check_comment(token.comment.as_deref())?;
        let added = self.update::<Recipient, ()>(name, |there| {
            there.expect_born_as(recipient)?;
            there.add_token(token.clone(), now_ms)
        });
        Ok(added.await?.0)
    }

    /// Ends a token.
    pub async fn revoke_token(&self, name: &str, id: Uuid) -> Result<Recipient, DirectoryError> {
        let revoked = self.update::<Recipient, ()>(name, |recipient| {
            let before = recipient.tokens.len();
            recipient.tokens.retain(|token| token.id != id);
            let gone = recipient.tokens.len() < before;
            gone.then_some(()).ok_or_else(|| DirectoryError::NoToken(id.to_string()))
        });
        Ok(revoked.await?.0)
    }

    /// Adds a token; the others of its sort end `grace_ms` from now at the latest.
    pub async fn rotate_tokens(
        &self,
        (name, recipient): (&str, Uuid),
        token: Token,
        (rotated, grace_ms): (Rotated, i64),
        now_ms: i64,
    ) -> Result<Recipient, DirectoryError> {
        check_comment(token.comment.as_deref())?;
        if !(0..=GRACE_MS_MAX).contains(&grace_ms) {
            return Err(DirectoryError::Invalid("old tokens last at most 90 days more".into()));
        }
        let added = self.update::<Recipient, ()>(name, |there| {
            there.expect_born_as(recipient)?;
            there.end_tokens(rotated, now_ms.saturating_add(grace_ms));
            there.add_token(token.clone(), now_ms)
        });
        Ok(added.await?.0)
    }
}

impl Recipient {
    fn expect_born_as(&self, id: Uuid) -> Result<(), DirectoryError> {
        let missing = || DirectoryError::Missing { named: Named::Recipient, name: self.name.clone() };
        (self.id == id).then_some(()).ok_or_else(missing)
    }

    /// Adds a token; those that have ended leave, and those whose link ended before it was used.
    pub(super) fn add_token(&mut self, token: Token, now_ms: i64) -> Result<(), DirectoryError> {
        self.tokens.retain(|token| token.expires_ms > now_ms && !token.link_ended(now_ms));
        if self.tokens.len() >= TOKENS_OF_RECIPIENT_MAX {
            return Err(DirectoryError::Full {
                most: TOKENS_OF_RECIPIENT_MAX,
                of: "tokens of one recipient",
            });
        }
        self.tokens.push(token);
        Ok(())
    }

    /// Tokens of a sort end at `end_ms` at the latest, and links that were not used with them.
    pub(super) fn end_tokens(&mut self, rotated: Rotated, end_ms: i64) {
        for token in &mut self.tokens {
            let meant = match (&mut token.kind, rotated) {
                (TokenKind::Bearer { activation_expires_ms, .. }, Rotated::Bearer) => {
                    *activation_expires_ms = activation_expires_ms.map(|ends| ends.min(end_ms));
                    true
                }
                (TokenKind::Client { .. }, Rotated::Client) => true,
                (TokenKind::Bearer { .. } | TokenKind::Federated { .. }, Rotated::Client)
                | (TokenKind::Client { .. } | TokenKind::Federated { .. }, Rotated::Bearer) => false,
            };
            if meant {
                token.expires_ms = token.expires_ms.min(end_ms);
            }
        }
    }
}

impl Token {
    /// Whether it would be made by a link that has ended.
    fn link_ended(&self, now_ms: i64) -> bool {
        match &self.kind {
            TokenKind::Bearer { activation: Some(_), activation_expires_ms } => {
                activation_expires_ms.is_some_and(|ends| ends <= now_ms)
            }
            TokenKind::Bearer { activation: None, .. }
            | TokenKind::Client { .. }
            | TokenKind::Federated { .. } => false,
        }
    }
}
