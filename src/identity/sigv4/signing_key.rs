//! The signing key of a day, region and service, and a cache of them.

use std::collections::HashMap;
use std::sync::Mutex;

use ring::hmac;

use super::super::key::AccessKey;
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

/// Signing keys that verified a request before. Named by the access key's revision too, so a name
/// never changes its meaning.
#[derive(Default)]
pub(crate) struct SigningKeys {
    keys: Mutex<HashMap<String, hmac::Key>>,
}

impl SigningKeys {
    fn name(key: &AccessKey, credential: &Credential) -> String {
        format!("{}\n{}\n{}", key.id, key.revision, credential.scope())
    }

    /// The key from the cache, or a fresh one.
    pub(crate) fn get(&self, key: &AccessKey, credential: &Credential) -> hmac::Key {
        let name = Self::name(key, credential);
        let kept = self.keys.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&name).cloned();
        kept.unwrap_or_else(|| {
            let Credential { date, region, service, .. } = credential;
            derive(key.secret.expose(), date, region, service.name())
        })
    }

    /// Keeps a key that verified a request. Others are not kept: a flood of wrong signatures must not
    /// push the good ones out.
    pub(crate) fn keep(&self, key: &AccessKey, credential: &Credential, signing: &hmac::Key) {
        let mut keys = self.keys.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let name = Self::name(key, credential);
        if keys.contains_key(&name) {
            return;
        }
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        keys.insert(name, signing.clone());
    }
}
