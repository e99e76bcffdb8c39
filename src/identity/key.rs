//! Access keys: an id, a secret, and what the key may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::{Rng as _, SeedableRng as _};
use ring::hmac;
use serde::{Deserialize, Serialize};
use tarn_openapi::access::Principal;
use uuid::Uuid;

use super::directory::User;
use super::secret::Secret;

/// What a key may do, before its list of buckets narrows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Policy {
    /// Everything, keys and status included.
    Admin,
    /// Everything but administration.
    ReadWrite,
    /// Read objects, list, read tables.
    ReadOnly,
}

/// What a key may do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What.
    pub policy: Policy,
    /// In which buckets (warehouses); `None` is everywhere.
    pub buckets: Option<BTreeSet<String>>,
}

/// An access key that can sign requests.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// The public id.
    pub id: Arc<str>,
    /// The secret.
    pub secret: Secret,
    /// Who it makes the sender.
    pub owner: Owner,
}

/// Who signs with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The root user of the configuration: may do everything.
    Root,
    /// A key made through the admin API with a grant of its own.
    Granted(Grant),
    /// A user.
    User(User),
    /// A service account.
    ServiceAccount(HeldAccount),
}

/// A service account with whom it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAccount {
    pub(crate) birth: Uuid,
    pub(crate) parent: Parent,
    /// A policy in JSON that it is held to.
    pub(crate) policy: Option<Arc<str>>,
}

/// Whom a service account belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parent {
    Root { name: Arc<str> },
    User { name: Arc<str>, user: User },
}

impl AccessKey {
    /// The root key.
    pub fn root(id: &str, secret: Secret) -> Self {
        Self { id: id.into(), secret, owner: Owner::Root }
    }

    /// Who sends a request signed with this key.
    pub fn principal(&self) -> Principal {
        match &self.owner {
            Owner::Root => Principal::Root,
            Owner::Granted(_) | Owner::User(_) | Owner::ServiceAccount(_) => {
                Principal::AccessKey(self.id.clone())
            }
        }
    }

    /// The id of its birth; a key with a grant of its own has a secret that nobody chose, and needs none.
    fn birth(&self) -> Option<Uuid> {
        match &self.owner {
            Owner::Root | Owner::Granted(_) => None,
            Owner::User(user) => Some(user.birth),
            Owner::ServiceAccount(account) => Some(account.birth),
        }
    }

    /// Whether it is the same key, not one made anew under its id or of another secret.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.secret.matches(other.secret.expose()) && self.birth() == other.birth()
    }

    /// What tells this key from one made anew under its id, of the same secret too, without telling the secret.
    pub(crate) fn fingerprint(&self, keyed: &hmac::Key) -> [u8; 16] {
        let birth = self.birth();
        let parts = [self.id.as_bytes(), self.secret.expose().as_bytes()];
        digest(keyed, parts.into_iter().chain(birth.as_ref().map(|birth| &birth.as_bytes()[..])))
    }

    /// What tells whose key this is from one made anew under its id. It outlives a new secret where there is a birth.
    pub(crate) fn mark(&self, keyed: &hmac::Key) -> [u8; 16] {
        let birth = self.birth();
        let secret = self.secret.expose().as_bytes();
        let own = birth.as_ref().map_or(secret, |birth| &birth.as_bytes()[..]);
        digest(keyed, [self.id.as_bytes(), own])
    }
}

fn digest<'p>(keyed: &hmac::Key, parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; 16] {
    let mut context = hmac::Context::with_key(keyed);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&context.sign().as_ref()[..16]);
    digest
}

/// Why a text cannot be an access key id or secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The id breaks the rule.
    #[error("an access key id has 3 to 128 of a-z, A-Z, 0-9, '-', '_', '.'")]
    Id,
    /// The secret breaks the rule.
    #[error("a secret key has 8 to 128 printable ASCII characters and no space")]
    Secret,
}

/// Checks an access key id.
pub fn check_id(id: &str) -> Result<(), InvalidKey> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if (3..=128).contains(&id.len()) && id.bytes().all(good) { Ok(()) } else { Err(InvalidKey::Id) }
}

/// Checks a secret.
pub fn check_secret(secret: &str) -> Result<(), InvalidKey> {
    let good = (8..=128).contains(&secret.len()) && secret.bytes().all(|b| b.is_ascii_graphic());
    if good { Ok(()) } else { Err(InvalidKey::Secret) }
}

/// A fresh id and secret (100 and 238 bits), from the operating system's random source.
pub fn generate() -> (String, Secret) {
    const ID: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut source = rand::rngs::StdRng::from_os_rng();
    let mut text = |alphabet: &[u8], length: usize| -> String {
        (0..length).map(|_| char::from(alphabet[source.random_range(0..alphabet.len())])).collect()
    };
    (text(ID, 20), Secret::new(text(SECRET, 40)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_pass_the_checks_and_differ() {
        let (first, second) = (generate(), generate());
        assert_ne!(first.0, second.0);
        assert_ne!(first.1.expose(), second.1.expose());
        assert_eq!(check_id(&first.0), Ok(()));
        assert_eq!(check_secret(first.1.expose()), Ok(()));
    }

    #[test]
    fn ids_and_secrets_out_of_the_rules_are_refused() {
        for bad in ["", "ab", "a/b/c", "a b c", "a,b=c", &"a".repeat(129)] {
            assert_eq!(check_id(bad), Err(InvalidKey::Id), "{bad}");
        }
        for bad in ["", "short", "with space here", "tab\tinside", &"a".repeat(129)] {
            assert_eq!(check_secret(bad), Err(InvalidKey::Secret), "{bad}");
        }
    }
}
