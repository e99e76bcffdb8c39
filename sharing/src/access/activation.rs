//! Activation links: who opens one gets the recipient's profile, once.
//!
//! - L1: a link's code is taken off by the commit that its use is answered after. Of two that use it at a time one gets a
//!   profile; where it is not known whether the commit was done, nobody does.
//! - L2: no token is signed for a link before it is used, so a link that nobody used lets nobody in.

use std::net::IpAddr;

use subtle::ConstantTimeEq as _;
use tarn_catalog::CommitError;
use tarn_catalog::state::{Conflict, Expect};
use zeroize::Zeroizing;

use super::Access;
use super::issue::sha256_hex;
use super::jwt::{self, Holder};
use super::signing::KeyError;
use crate::directory::{RECIPIENT_KIND, Recipient, Status, Token, TokenKind};

/// How often a use is tried again that another change of the recipient came before.
const TRIES_MAX: usize = 8;
/// The longest code that is looked at, in bytes.
const CODE_BYTES_MAX: usize = 64;

/// Why a link gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// There is none, it was used or taken back, or it ended: which one is not told.
    #[error("the link does not exist, was used already, or has ended")]
    Gone,
    /// Its recipient may not come from there.
    #[error("the recipient may not come from this address")]
    Address,
    /// Others changed the recipient again and again meanwhile. The link is good still.
    #[error("the recipient is being changed; try again")]
    Contended,
    /// There is nothing to sign with. The link is good still.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The catalog did not say that the link is used. It may be.
    #[error("the use of the link could not be stored")]
    Commit(#[source] CommitError),
}

impl Access {
    /// The profile that a link's code opens. The code is good no more when this returns one.
    pub async fn redeem(
        &self,
        code: &str,
        address: Option<IpAddr>,
        now_ms: i64,
    ) -> Result<Zeroizing<String>, RedeemError> {
        if code.is_empty() || code.len() > CODE_BYTES_MAX {
            return Err(RedeemError::Gone);
        }
        let hash = sha256_hex(code);
        for _ in 0..TRIES_MAX {
            let state = self.catalog.snapshot();
            let (id, known) = self.known.link(&state, &hash).ok_or(RedeemError::Gone)?;
            let document = state.document(RECIPIENT_KIND, &id).ok_or(RedeemError::Gone)?;
            let (used, token) = used(&known.recipient, &hash, now_ms).ok_or(RedeemError::Gone)?;
            if !known.may_come_from(address) {
                return Err(RedeemError::Address);
            }
            // Signed first: nothing can fail between the commit and the answer.
            let keys = self.keys(now_ms).await?;
            let holder = Holder { recipient: used.id, token: token.id, expires_ms: token.expires_ms };
            let jwt = jwt::sign(&keys, holder, now_ms);
            let json = serde_json::to_string(&used).expect("texts and numbers always become JSON");
            let expect = Expect::Revision(document.revision);
            match self.catalog.put_document(RECIPIENT_KIND, &id, &json, expect).await {
                Ok(_) => {
                    tracing::info!(recipient.id = %used.id, token.id = %token.id, "an activation link was used");
                    return Ok(self.endpoints.bearer_profile(&jwt, token.expires_ms));
                }
                Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {}
                Err(error) => return Err(RedeemError::Commit(error)),
            }
        }
        Err(RedeemError::Contended)
    }
}

/// The recipient with its link of this hash used, and the link's token; `None` when no link of it is good.
fn used(recipient: &Recipient, hash: &str, now_ms: i64) -> Option<(Recipient, Token)> {
    if recipient.status == Status::Disabled {
        return None;
    }
    let at =
        recipient.tokens.iter().position(|token| now_ms < token.expires_ms && opens(token, hash, now_ms))?;
    let mut used = recipient.clone();
    used.tokens[at].kind = TokenKind::Bearer { activation: None, activation_expires_ms: None };
    let token = used.tokens[at].clone();
    Some((used, token))
}

fn opens(token: &Token, hash: &str, now_ms: i64) -> bool {
    match &token.kind {
        TokenKind::Bearer { activation: Some(kept), activation_expires_ms: Some(ends) } => {
            bool::from(kept.as_bytes().ct_eq(hash.as_bytes())) && now_ms < *ends
        }
        TokenKind::Bearer { .. } | TokenKind::Client { .. } | TokenKind::Federated { .. } => false,
    }
}
