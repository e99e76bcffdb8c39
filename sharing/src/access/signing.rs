//! The signing keys in the catalog: made at their first use, rotated, read again when their document changed.

use std::sync::{Arc, Mutex, PoisonError};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;
use tarn_catalog::state::{CatalogState, Conflict, Expect};
use tarn_catalog::{Catalog, CommitError};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Access;
use super::keys::{Damaged, KEY_ID, KEY_KIND, KEYS_MAX, KeysDocument, SigningKeys, TooManyKeys, Withdraw};

/// How often a change is tried again that another one came before.
const TRIES_MAX: usize = 8;

/// Why there are no keys, or no new one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system has no randomness to give.
    #[error("the system's random source failed")]
    Random,
    /// What is kept cannot be read.
    #[error("the kept signing keys of sharing are damaged")]
    Damaged,
    /// As many keys verify as can.
    #[error("{KEYS_MAX} signing keys are in use; withdraw the old ones")]
    TooMany,
    /// Others changed them again and again meanwhile.
    #[error("the signing keys are being changed by others; try again")]
    Contended,
    /// The catalog did not take them.
    #[error("the signing keys of sharing could not be stored")]
    Commit(#[source] CommitError),
}

impl From<Damaged> for KeyError {
    fn from(_: Damaged) -> Self {
        KeyError::Damaged
    }
}

/// The keys as they were read last, and of which revision they are.
#[derive(Default)]
pub(super) struct KeyCache(Mutex<Option<(u64, Arc<SigningKeys>)>>);

impl KeyCache {
    /// The keys of a state; `None` before the first.
    pub(super) fn of(&self, state: &CatalogState) -> Result<Option<Arc<SigningKeys>>, Damaged> {
        let Some(document) = state.document(KEY_KIND, KEY_ID) else { return Ok(None) };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((revision, keys)) if *revision == document.revision => Ok(Some(keys.clone())),
            Some(_) | None => {
                let keys = Arc::new(SigningKeys::open(&document.json)?);
                *kept = Some((document.revision, keys.clone()));
                Ok(Some(keys))
            }
        }
    }
}

/// `N` bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, KeyError> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(&mut *bytes).map_err(|_| KeyError::Random)?;
    Ok(bytes)
}

impl Access {
    /// The keys, made now where there are none.
    pub(super) async fn keys(&self, now_ms: i64) -> Result<Arc<SigningKeys>, KeyError> {
        if let Some(keys) = self.keys.of(&self.catalog.snapshot())? {
            return Ok(keys);
        }
        let first = KeysDocument::first(Uuid::new_v4(), &*random()?, now_ms);
        match put(&self.catalog, &first, Expect::Absent).await {
            // Another one was first: its key counts.
            Ok(()) | Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {
                self.keys.of(&self.catalog.snapshot())?.ok_or(KeyError::Damaged)
            }
            Err(error) => Err(KeyError::Commit(error)),
        }
    }

    /// Makes a new key that signs from now on; its number.
    pub async fn rotate_signing_key(&self, withdraw: Withdraw, now_ms: i64) -> Result<u32, KeyError> {
        for _ in 0..TRIES_MAX {
            self.keys(now_ms).await?;
            let state = self.catalog.snapshot();
            let revision = state.document(KEY_KIND, KEY_ID).map(|document| document.revision);
            let current = self.keys.of(&state)?;
            let (Some(revision), Some(current)) = (revision, current) else { continue };
            let rotated = current.document().rotated(&*random()?, withdraw, now_ms);
            let rotated = rotated.map_err(|TooManyKeys| KeyError::TooMany)?;
            match put(&self.catalog, &rotated, Expect::Revision(revision)).await {
                Ok(()) => {
                    let number = rotated.signing_number();
                    tracing::info!(key.number = number, ?withdraw, "rotated the signing key of sharing");
                    return Ok(number);
                }
                Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {}
                Err(error) => return Err(KeyError::Commit(error)),
            }
        }
        Err(KeyError::Contended)
    }

    /// The public keys that tokens verify by (RFC 7517). Empty before the first token.
    pub fn jwks(&self, now_ms: i64) -> Result<Value, KeyError> {
        let keys = self.keys.of(&self.catalog.snapshot())?;
        Ok(keys.map_or_else(|| serde_json::json!({"keys": []}), |keys| keys.jwks(now_ms)))
    }
}

async fn put(catalog: &Catalog, keys: &KeysDocument, expect: Expect) -> Result<(), CommitError> {
    let json = Zeroizing::new(serde_json::to_string(keys).expect("texts and numbers always become JSON"));
    catalog.put_document(KEY_KIND, KEY_ID, &json, expect).await.map(|_| ())
}
