//! The server's own secret, which tokens of every kind are made with: a document of the catalog, made once.
//! Each purpose derives keys of its own from it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use tarn_catalog::state::{Conflict, Expect};
use tarn_catalog::{Catalog, CommitError};
use zeroize::Zeroizing;

const KIND: &str = "token-secret";
const ID: &str = "bearer-v1";

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The system has no randomness to give.
    #[error("the system's random source failed")]
    Random,
    /// The kept secret cannot be read.
    #[error("the kept secret of the server is damaged")]
    Damaged,
    /// The catalog did not take it.
    #[error("the secret of the server could not be stored")]
    Commit(#[source] CommitError),
}

/// The kept secret, or a fresh one that is then kept.
pub async fn obtain(catalog: &Catalog) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    if let Some(kept) = kept(catalog)? {
        return Ok(kept);
    }
    let mut fresh = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(&mut *fresh).map_err(|_| SecretError::Random)?;
    let json = Zeroizing::new(format!("{{\"secret\":\"{}\"}}", STANDARD.encode(*fresh)));
    match catalog.put_document(KIND, ID, &json, Expect::Absent).await {
        Ok(_) => Ok(fresh),
        // Another node was first: its secret counts.
        Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => {
            kept(catalog)?.ok_or(SecretError::Damaged)
        }
        Err(error) => Err(SecretError::Commit(error)),
    }
}

fn kept(catalog: &Catalog) -> Result<Option<Zeroizing<[u8; 32]>>, SecretError> {
    let Some(document) = catalog.get_document(KIND, ID) else { return Ok(None) };
    let value: serde_json::Value = serde_json::from_str(&document.json).map_err(|_| SecretError::Damaged)?;
    let text = value["secret"].as_str().ok_or(SecretError::Damaged)?;
    let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| SecretError::Damaged)?);
    let secret = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| SecretError::Damaged)?;
    Ok(Some(Zeroizing::new(secret)))
}
