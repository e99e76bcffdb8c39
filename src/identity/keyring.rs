//! Finds access keys by id: the root key of the configuration, and documents of the catalog.
//!
//! - K1: the catalog's documents are the one place where keys are kept, and each request asks what is there: a key that was
//!   deleted is gone for the next one. Only what a document says is kept read, by its id and revision.
//! - K2: the root key's id cannot be taken by a document.
//!
//! Keys are made, changed and deleted by the directory.

use std::sync::Arc;

use tarn_catalog::Catalog;
use tarn_catalog::state::CatalogState;
use tarn_openapi::access::Principal;

use super::directory::{Holder, KEY_KIND, KeyDocument, ServiceAccount, Status, User};
use super::key::{AccessKey, HeldAccount, Owner, Parent};
use super::parsed::Parsed;

/// All access keys of the server.
pub struct Keyring {
    root: Arc<AccessKey>,
    catalog: Option<Catalog>,
    read: Parsed<KeyDocument>,
}

impl Keyring {
    /// A keyring with the root key only.
    pub fn new(root: AccessKey) -> Self {
        Self { root: Arc::new(root), catalog: None, read: Parsed::default() }
    }

    /// A keyring with the root key and the keys of `catalog`.
    pub fn with_catalog(root: AccessKey, catalog: Catalog) -> Self {
        Self { root: Arc::new(root), catalog: Some(catalog), read: Parsed::default() }
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
        let document = self.read(state, id)?;
        let owner = match &document.holder {
            Holder::Grant(grant) => Owner::Granted(grant.clone()),
            Holder::User(user) => Owner::User(enabled(user)?),
            Holder::ServiceAccount(account) => Owner::ServiceAccount(self.held(state, account)?),
        };
        Some(Arc::new(AccessKey { id: id.into(), secret: document.secret.clone(), owner }))
    }

    /// A service account that counts: it and its user are enabled, and the user is the one it was made for.
    fn held(&self, state: &CatalogState, account: &ServiceAccount) -> Option<HeldAccount> {
        match account.status {
            Status::Enabled => {}
            Status::Disabled => return None,
        }
        let parent = match &account.parent {
            None => Parent::Root { name: self.root.id.clone() },
            Some(reference) => match &self.read(state, &reference.name)?.holder {
                Holder::User(user) if user.birth == reference.birth => {
                    Parent::User { name: reference.name.clone(), user: enabled(user)? }
                }
                Holder::User(_) | Holder::Grant(_) | Holder::ServiceAccount(_) => return None,
            },
        };
        Some(HeldAccount { birth: account.birth, parent, policy: account.policy.clone() })
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

    /// The document of an id, as `state` holds it.
    fn read(&self, state: &CatalogState, id: &str) -> Option<Arc<KeyDocument>> {
        let Some(document) = state.document(KEY_KIND, id) else {
            // Its secret is not kept for longer than it is known to be gone.
            self.read.forget(id);
            return None;
        };
        self.read.get(id, document.revision, || match serde_json::from_str(&document.json) {
            Ok(read) => Some(read),
            Err(error) => {
                tracing::error!(key.id = id, %error, "the document of an access key cannot be read");
                None
            }
        })
    }
}

fn enabled(user: &User) -> Option<User> {
    match user.status {
        Status::Enabled => Some(user.clone()),
        Status::Disabled => None,
    }
}
