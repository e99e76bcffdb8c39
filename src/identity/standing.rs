//! Whether who began something long is still who they were.
//!
//! A request's key is checked when it comes. What goes on for hours must ask again: a key whose secret was renewed, or that
//! was deleted and made anew under its id, is another one, and what began with the old one ends.

use std::sync::Arc;

use tarn_openapi::access::Principal;

use super::key::AccessKey;
use super::keyring::Keyring;

/// The key behind a principal, as it was.
pub(crate) struct Standing {
    keyring: Arc<Keyring>,
    holder: Principal,
    key: Option<Arc<AccessKey>>,
}

impl Standing {
    /// That of `principal` now; of a session, that of whom it acts for.
    pub(crate) fn new(keyring: Arc<Keyring>, principal: &Principal) -> Self {
        let holder = principal.behind();
        let (holder, key) = (holder.clone(), keyring.of(holder));
        Self { keyring, holder, key }
    }

    /// Whether the key is there and the same. Who has none stands as long as their session does.
    pub(crate) fn holds(&self) -> bool {
        match (&self.holder, &self.key) {
            (Principal::Anonymous | Principal::Web(_), _) => true,
            (Principal::Root | Principal::AccessKey(_) | Principal::Session(_), Some(began)) => {
                self.keyring.of(&self.holder).is_some_and(|key| key.is_same(began))
            }
            (Principal::Root | Principal::AccessKey(_) | Principal::Session(_), None) => false,
        }
    }
}
