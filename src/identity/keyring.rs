//! Finds access keys by id: the root key of the configuration, and documents of the catalog.
//!
//! - K1: the catalog's documents are the one place where keys are kept. Nothing is cached, so a key that was
//!   deleted is gone for the next request.
//! - K2: the root key's id cannot be taken by a document.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tarn_catalog::state::{CatalogState, Conflict, Expect};
use tarn_catalog::{Catalog, CommitError};
use tarn_openapi::access::Principal;
use zeroize::Zeroizing;

use super::directory::{Holder, KEY_KIND, KeyDocument, ServiceAccount, Status, User};
use super::key::{self, AccessKey, Grant, HeldAccount, InvalidKey, Owner, Parent, Policy};

/// All access keys of the server.
pub struct Keyring {
    root: Arc<AccessKey>,
    catalog: Option<Catalog>,
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

    /// The id of the root key.
    pub(crate) fn root_id(&self) -> &str {
        &self.root.id
    }

    /// What the catalog holds now; `None` where no keys are kept.
    pub(crate) fn state(&self) -> Option<Arc<CatalogState>> {
        self.catalog.as_ref().map(Catalog::snapshot)
    }

    /// The key of this id, as it is now and if it counts: one of a user who is disabled, and one of a service account
    /// whose user is, is as none.
    pub fn find(&self, id: &str) -> Option<Arc<AccessKey>> {
        self.find_in(self.state().as_deref(), id)
    }

    /// The same, as `state` holds it.
    pub(crate) fn find_in(&self, state: Option<&CatalogState>, id: &str) -> Option<Arc<AccessKey>> {
        if *self.root.id == *id {
            return Some(self.root.clone());
        }
        let state = state?;
        let document = read(state, id)?;
        let owner = match document.holder {
            Holder::Grant(grant) => Owner::Granted(grant),
            Holder::User(user) => Owner::User(enabled(user)?),
            Holder::ServiceAccount(account) => Owner::ServiceAccount(self.held(state, account)?),
        };
        Some(Arc::new(AccessKey { id: id.into(), secret: document.secret, owner }))
    }

    /// A service account that counts: it and its user are enabled, and the user is the one it was made for.
    fn held(&self, state: &CatalogState, account: ServiceAccount) -> Option<HeldAccount> {
        match account.status {
            Status::Enabled => {}
            Status::Disabled => return None,
        }
        let parent = match account.parent {
            None => Parent::Root { name: self.root.id.clone() },
            Some(reference) => match read(state, &reference.name)?.holder {
                Holder::User(user) if user.birth == reference.birth => {
                    Parent::User { name: reference.name, user: enabled(user)? }
                }
                Holder::User(_) | Holder::Grant(_) | Holder::ServiceAccount(_) => return None,
            },
        };
        Some(HeldAccount { birth: account.birth, parent, policy: account.policy })
    }

    /// The key that signs for a principal, as it is now. A session and a web identity have none.
    pub fn of(&self, principal: &Principal) -> Option<Arc<AccessKey>> {
        self.of_in(self.state().as_deref(), principal)
    }

    /// The same, as `state` holds it.
    pub(crate) fn of_in(
        &self,
        state: Option<&CatalogState>,
        principal: &Principal,
    ) -> Option<Arc<AccessKey>> {
        match principal {
            Principal::Root => Some(self.root.clone()),
            Principal::AccessKey(id) => self.find_in(state, id),
            Principal::Anonymous | Principal::Session(_) | Principal::Web(_) => None,
        }
    }

    /// All keys with grants of their own, by id.
    pub fn list(&self) -> Vec<ListedKey> {
        let state = self.state();
        let ids = state.iter().flat_map(|state| state.documents(KEY_KIND, None).map(|(id, _)| id));
        let listed = ids.filter_map(|id| {
            let KeyDocument { secret: _, created, holder } = read(state.as_deref()?, id)?;
            match holder {
                Holder::Grant(Grant { policy, buckets }) => {
                    let buckets = buckets.map(|names| names.into_iter().collect());
                    Some(ListedKey { id: id.to_string(), policy, buckets, created })
                }
                Holder::User(_) | Holder::ServiceAccount(_) => None,
            }
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
        let holder = Holder::Grant(grant.clone());
        let document = KeyDocument { secret: secret.clone(), created: format!("{now:.0}"), holder };
        let json = serde_json::to_string(&document).expect("texts and lists always become JSON");
        let json = Zeroizing::new(json);
        match catalog.put_document(KEY_KIND, &id, &json, Expect::Absent).await {
            Ok(_) => Ok(AccessKey { id: id.into(), secret, owner: Owner::Granted(grant) }),
            Err(CommitError::Conflict(Conflict::DocumentChanged { .. })) => Err(KeyError::Exists(id)),
            Err(error) => Err(KeyError::Commit(error)),
        }
    }

    /// Deletes a key with a grant of its own. Its next request is refused.
    pub async fn delete(&self, id: &str) -> Result<(), KeyError> {
        let catalog = self.catalog.as_ref().ok_or(KeyError::Unkept)?;
        let kept = catalog.get_document(KEY_KIND, id).ok_or_else(|| KeyError::Missing(id.into()))?;
        match serde_json::from_str::<KeyDocument>(&kept.json).map(|document| document.holder) {
            Ok(Holder::User(_) | Holder::ServiceAccount(_)) => return Err(KeyError::Missing(id.into())),
            // One that cannot be read can be deleted.
            Ok(Holder::Grant(_)) | Err(_) => {}
        }
        match catalog.delete_document(KEY_KIND, id, Expect::Revision(kept.revision)).await {
            Ok(_) => Ok(()),
            // It was deleted meanwhile; if its id was taken again, by another key than was meant.
            Err(CommitError::Conflict(
                Conflict::NoSuchDocument { .. } | Conflict::DocumentChanged { .. },
            )) => Err(KeyError::Missing(id.into())),
            Err(error) => Err(KeyError::Commit(error)),
        }
    }
}

fn read(state: &CatalogState, id: &str) -> Option<KeyDocument> {
    match serde_json::from_str(&state.document(KEY_KIND, id)?.json) {
        Ok(document) => Some(document),
        Err(error) => {
            tracing::error!(key.id = id, %error, "the document of an access key cannot be read");
            None
        }
    }
}

fn enabled(user: User) -> Option<User> {
    match user.status {
        Status::Enabled => Some(user),
        Status::Disabled => None,
    }
}
