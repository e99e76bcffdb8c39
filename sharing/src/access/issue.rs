//! What recipients are given: bearer tokens, client secrets and activation links. Each is shown once; what is kept is the
//! [`Token`], which says nothing that would let anybody in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Access;
use super::jwt::{self, Holder};
use super::keys::TOKEN_LIFETIME_MS_MAX;
use super::signing::{KeyError, random};
use crate::directory::{Token, TokenKind};

/// How long an activation link is good where nothing else is asked for, in milliseconds: 72 hours.
pub const ACTIVATION_LIFETIME_MS: i64 = 72 * 60 * 60 * 1_000;

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// It would have ended already, or lasts too long.
    #[error("a token ends in the future, and at most 365 days from now")]
    Lifetime,
    /// There is nothing to sign or to make a secret with.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

impl Access {
    /// A bearer token of the recipient born as `recipient`: what to keep of it in its document, and the JWT.
    pub async fn issue_bearer(
        &self,
        recipient: Uuid,
        expires_ms: i64,
        now_ms: i64,
    ) -> Result<(Token, Zeroizing<String>), IssueError> {
        check_lifetime(expires_ms, now_ms)?;
        let kind = TokenKind::Bearer { activation: None, activation_expires_ms: None };
        let token = token(kind, expires_ms, now_ms);
        let keys = self.keys(now_ms).await?;
        let jwt = jwt::sign(&keys, Holder { recipient, token: token.id, expires_ms }, now_ms);
        Ok((token, jwt))
    }

    /// A bearer token that is made when its link is opened: what to keep, and the link's code. The link ends at
    /// `link_expires_ms`, see [`ACTIVATION_LIFETIME_MS`].
    pub fn issue_link(
        &self,
        expires_ms: i64,
        link_expires_ms: i64,
        now_ms: i64,
    ) -> Result<(Token, Zeroizing<String>), IssueError> {
        check_lifetime(expires_ms, now_ms)?;
        check_lifetime(link_expires_ms, now_ms)?;
        let code = secret()?;
        let kind = TokenKind::Bearer {
            activation: Some(sha256_hex(&code)),
            activation_expires_ms: Some(link_expires_ms),
        };
        Ok((token(kind, expires_ms, now_ms), code))
    }

    /// A client for OAuth client credentials: what to keep, whose id is the client's, and the secret.
    pub fn issue_client_secret(
        &self,
        expires_ms: i64,
        now_ms: i64,
    ) -> Result<(Token, Zeroizing<String>), IssueError> {
        check_lifetime(expires_ms, now_ms)?;
        let secret = secret()?;
        let kind = TokenKind::Client { secret_sha256: sha256_hex(&secret) };
        Ok((token(kind, expires_ms, now_ms), secret))
    }
}

fn check_lifetime(expires_ms: i64, now_ms: i64) -> Result<(), IssueError> {
    let lasts = expires_ms.saturating_sub(now_ms);
    if (1..=TOKEN_LIFETIME_MS_MAX).contains(&lasts) { Ok(()) } else { Err(IssueError::Lifetime) }
}

fn token(kind: TokenKind, expires_ms: i64, now_ms: i64) -> Token {
    Token { id: Uuid::new_v4(), kind, comment: None, created_ms: now_ms, expires_ms }
}

/// 256 random bits as text.
fn secret() -> Result<Zeroizing<String>, KeyError> {
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*random::<32>()?)))
}

/// How codes and secrets are kept: they are random throughout, so one round of a fast hash hides them.
pub(super) fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
