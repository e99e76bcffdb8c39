//! Shares in the shapes of AIStor's admin API.
//!
//! A token of a share is a recipient with one grant and one bearer token: it is listed among the recipients, under a name
//! that its id follows from. Volumes are not shared here, and a token is told once, so its profile cannot be had later.

pub(in super::super) mod shapes;
pub(in super::super) mod shares;
pub(in super::super) mod tokens;

use tarn_sharing::directory::{Grant, Recipient, Share};

use super::super::access::Caller;

/// What the recipients of tokens are called, before the token's id.
const RECIPIENT_PREFIX: &str = "share-token.";

/// The recipients that are tokens of a share.
fn tokens_of(caller: &Caller, share: &Share) -> Vec<(Recipient, Grant)> {
    let mut found = caller.sharing().grantees(share);
    found.retain(|(recipient, _)| recipient.name.starts_with(RECIPIENT_PREFIX));
    found
}

fn rfc3339(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{moment:.3}")
}
