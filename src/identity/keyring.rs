//! Finds access keys by id.

use std::sync::Arc;

use super::key::AccessKey;

/// All access keys of the server.
pub struct Keyring {
    root: Arc<AccessKey>,
}

impl Keyring {
    /// A keyring with the root key only.
    pub fn new(root: AccessKey) -> Self {
        Self { root: Arc::new(root) }
    }

    /// The key of this id, as it is now.
    pub fn find(&self, id: &str) -> Option<Arc<AccessKey>> {
        (*self.root.id == *id).then(|| self.root.clone())
    }
}
