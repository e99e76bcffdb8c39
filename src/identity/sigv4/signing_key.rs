//! The signing key of a day, region and service, and a cache of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use ring::hmac;

use super::super::secret::Secret;
use super::credential::Credential;

/// The most keys kept. A region is free text of the client, so the cache must have an end; a full
/// one starts anew.
const KEYS_MAX: usize = 1024;

/// Derives the key: four HMACs over the secret (AWS, "Derive a signing key").
pub(crate) fn derive(secret: &str, date: &str, region: &str, service: &str) -> hmac::Key {
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    for part in [date, region, service, "aws4_request"] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    key
}

/// Signing keys that verified a request before. One counts only for the secret it was derived from, so that
/// a key made anew under an old id does not verify by the old secret.
#[derive(Default)]
pub(crate) struct SigningKeys {
    keys: Mutex<HashMap<String, Derived>>,
}

struct Derived {
    secret: Secret,
    key: hmac::Key,
}

impl SigningKeys {
    fn name(credential: &Credential) -> String {
        format!("{}\n{}", credential.access_key, credential.scope())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Derived>> {
        // A panic while it was held leaves the map whole: it is only looked up and inserted into.
        self.keys.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The key from the cache, or a fresh one.
    pub(crate) fn get(&self, secret: &Secret, credential: &Credential) -> hmac::Key {
        let name = Self::name(credential);
        if let Some(derived) = self.lock().get(&name)
            && derived.secret.matches(secret.expose())
        {
            return derived.key.clone();
        }
        let Credential { date, region, service, .. } = credential;
        derive(secret.expose(), date, region, service.name())
    }

    /// Keeps a key that verified a request. Others are not kept: a flood of wrong signatures must not
    /// push the good ones out.
    pub(crate) fn keep(&self, secret: &Secret, credential: &Credential, signing: &hmac::Key) {
        let name = Self::name(credential);
        let mut keys = self.lock();
        if keys.get(&name).is_some_and(|derived| derived.secret.matches(secret.expose())) {
            return;
        }
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        keys.insert(name, Derived { secret: secret.clone(), key: signing.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signing_key_of_an_old_secret_is_not_used_for_the_new_one() {
        let credential = Credential::parse("k/20130524/r/s3/aws4_request").unwrap();
        let [old, new] = ["the-old-secret", "another-secret"].map(|text| Secret::new(text.into()));
        let keys = SigningKeys::default();
        let sign = |key: &hmac::Key| hmac::sign(key, b"x").as_ref().to_vec();
        let first = keys.get(&old, &credential);
        keys.keep(&old, &credential, &first);
        assert_ne!(sign(&keys.get(&new, &credential)), sign(&first));
        assert_eq!(sign(&keys.get(&old, &credential)), sign(&first));
    }
}
