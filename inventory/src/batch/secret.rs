//! What a batch must be told and nobody may read again: it is kept sealed, and left out where a batch is shown.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What stands in a text in the place of a secret. Put back, it means the one that was put before.
pub(super) const KEPT: &str = "(kept)";

/// A secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Secret {
    /// As it was given: never kept so.
    Given(String),
    /// As only this server can open it, for that one use.
    Sealed(String),
    /// Left out: the one that was put before.
    Kept,
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Given(_) => "Given(..)",
            Self::Sealed(_) => "Sealed(..)",
            Self::Kept => "Kept",
        })
    }
}

impl Secret {
    /// As a text says it.
    pub(super) fn written(text: &str) -> Self {
        if text == KEPT { Self::Kept } else { Self::Given(text.to_owned()) }
    }
}

/// A secret of a batch, and all that it may be used for: it opens for nothing else.
pub(super) struct Used<'a> {
    pub(super) purpose: String,
    /// Where it stands in the batch.
    pub(super) at: &'static str,
    pub(super) secret: &'a mut Secret,
}

/// The text of a batch without its secrets. They may stand there in other words than they are, with escapes: the caller
/// reads the result again.
pub(super) fn without(text: &str, secrets: &[Used<'_>]) -> String {
    let given = secrets.iter().filter_map(|used| match &*used.secret {
        Secret::Given(secret) => Some(&**secret),
        Secret::Sealed(_) | Secret::Kept => None,
    });
    let mut given: Vec<&str> = given.collect();
    // One may be part of another.
    given.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    given.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_in_no_debug_text() {
        assert!(!format!("{:?}", Secret::Given("hunter2".into())).contains("hunter2"));
        assert!(!format!("{:?}", Secret::Sealed("hunter2".into())).contains("hunter2"));
    }
}
