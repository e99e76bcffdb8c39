//! Finds access keys by id: the root key of the configuration, and documents of the catalog.
//!
//! - K1: the catalog's documents are the one place where keys are kept. Nothing is cached, so a key that was
//!   deleted is gone for the next request.
//! - K2: the root key's id cannot be taken by a document.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tarn_catalog::state::{Conflict, Expect};
use tarn_catalog::{Catalog, CommitError};
use tarn_openapi::access::Principal;
use zeroize::Zeroizing;

use super::key::{self, AccessKey, Grant, InvalidKey, Owner, Policy};
use super::secret::Secret;

/// The kind of the documents that are access keys.
const KIND: &str = "access-key";

/// All access keys of the server.
pub struct Keyring {
    root: Arc<AccessKey>,
    catalog: Option<Catalog>,
}

/// An access key as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    secret: String,
    policy: Policy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    buckets: Option<Vec<String>>,
    /// RFC 3339.
    created: String,
}

/// A key without its secret, as it is listed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ListedKey {
    /// The id.
    pub id: String,
    /// What it may do.
    pub policy: Policy,
    /// Where; none is everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<String>>,
    /// When it was made (RFC 3339).
    pub created: String,
}

/// Why a key was not created or deleted.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The id or secret breaks the rules.
    #[error(transparent)]
    Invalid(#[from] InvalidKey),
    /// A key of this id exists.
    #[error("an access key {0:?} exists already")]
    Exists(String),
    /// There is none.
    #[error("there is no access key {0:?}")]
    Missing(String),
    /// Administrators reach everything, so a list of buckets makes no sense.
    #[error("a key with policy admin cannot be limited to buckets")]
    LimitedAdmin,
    /// There are no keys but the root key here.
    #[error("this server keeps no access keys")]
    Unkept,
    /// The catalog did not take it.
    #[error("the access key could not be stored")]
    Commit(#[source] CommitError),
}

impl Keyring {
    /// A keyring with the root key only.
    pub fn new(root: AccessKey) -> Self {
        Self { root: Arc::new(root), catalog: None }
    }

    /// A keyring with the root key and the keys of `catalog`.
    pub fn with_catalog(root: AccessKey, catalog: Catalog) -> Self {
        Self { root: Arc::new(root), catalog: Some(catalog) }
    }

    /// The key of this id, as it is now.
    pub fn find(&self, id: &str) -> Option<Arc<AccessKey>> {
        if *self.root.id == *id {
            return Some(self.root.clone());
        }
        let kept = self.catalog.as_ref()?.get_document(KIND, id)?;
        match serde_json::from_str::<Document>(&kept.json) {
            Ok(document) => Some(Arc::new(document.into_key(id))),
            Err(error) => {
                tracing::error!(key.id = id, %error, "the document of an access key cannot be read");
                None
            }
        }
    }

    /// The key that signs for a principal, as it is now. A session and a web identity have none.
    pub fn of(&self, principal: &Principal) -> Option<Arc<AccessKey>> {
        match principal {
            Principal::Root => Some(self.root.clone()),
            Principal::AccessKey(id) => self.find(id),
            Principal::Anonymous | Principal::Session(_) | Principal::Web(_) => None,
        }
    }

    /// All keys but the root key, by id.
    pub fn list(&self) -> Vec<ListedKey> {
        let documents = self.catalog.as_ref().map(|catalog| catalog.list_documents(KIND)).unwrap_or_default();
        let listed = documents.into_iter().filter_map(|(id, kept)| {
            let document = serde_json::from_str::<Document>(&kept.json).ok()?;
            let Document { policy, buckets, created, secret } = document;
            drop(Zeroizing::new(secret));
            Some(ListedKey { id: id.to_string(), policy, buckets, created })
        });
        listed.collect()
    }

    /// Makes a key with a generated secret, durable when this returns. `id` is generated when not given.
    pub async fn create(
        &self,
        id: Option<String>,
        grant: Grant,
        now: Timestamp,
    ) -> Result<AccessKey, KeyError> {
        let catalog = self.catalog.as_ref().ok_or(KeyError::Unkept)?;
        let (generated, secret) = key::generate();
        let id = id.unwrap_or(generated);
        key::check_id(&id)?;
        if grant.policy == Policy::Admin && grant.buckets.is_some() {
            return Err(KeyError::LimitedAdmin);
        }
        if *self.root.id == *id {
            return Err(KeyError::Exists(id));
        }
        let document = Document {
            secret: secret.expose().to_owned(),
            policy: grant.policy,
            buckets: grant.buckets.as_ref().map(|names| names.iter().cloned().collect()),
            created: format!("{now:.0}"),
        };
        let json = Zeroizing::new(serde_json::to_string(&document).unwrap_or_default());
        drop(Zeroizing::new(document.secret));
        match catalog.put_document(KIND, &id, &json, Expect::Absent).await {
            Ok(_) => Ok(AccessKey { id: id.into(), secret, owner: Owner::Granted(grant) }),
            Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => Err(KeyError::Exists(id)),
            Err(error) => Err(KeyError::Commit(error)),
        }
    }

    /// Deletes a key. Its next request is refused.
    pub async fn delete(&self, id: &str) -> Result<(), KeyError> {
        let catalog = self.catalog.as_ref().ok_or(KeyError::Unkept)?;
        match catalog.delete_document(KIND, id, Expect::Any).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict(Conflict::NoSuchDocument { .. })) => Err(KeyError::Missing(id.into())),
            Err(error) => Err(KeyError::Commit(error)),
        }
    }
}

impl Document {
    fn into_key(self, id: &str) -> AccessKey {
        let buckets = self.buckets.map(|names| names.into_iter().collect());
        let owner = Owner::Granted(Grant { policy: self.policy, buckets });
        AccessKey { id: id.into(), secret: Secret::new(self.secret), owner }
    }
}
