//! Those who make jobs, and what they may do at that moment: told from others as those who share are.

use tarn_inventory::jobs::{Author, Rights};
use tarn_openapi::access::{Action, Principal, Resource, Sender};
use tarn_sharing::directory::Sharer;

use super::KeySharers;
use super::sharers::itself;

impl KeySharers {
    /// Who makes a job when `principal` does. `None` for a session and for who has no key of this server: a job runs with
    /// all rights of its author, and those a session has may be fewer.
    pub(crate) fn author(&self, principal: &Principal) -> Option<Author> {
        match principal {
            Principal::Root | Principal::AccessKey(_) => {
                let Sharer { key, fingerprint } = self.sharer(principal)?;
                Some(Author { key, fingerprint })
            }
            Principal::Anonymous | Principal::Web(_) | Principal::Session(_) => None,
        }
    }

    /// Who an author is now, and where it asks from; `None` when it is no longer who it was.
    pub(crate) fn acting(&self, author: &Author) -> Option<(Principal, Sender)> {
        let Author { key, fingerprint } = author.clone();
        Some((self.principal(&Sharer { key, fingerprint })?, itself()))
    }
}

impl Rights for KeySharers {
    fn may(&self, author: &Author, action: Action, resource: Resource<'_>) -> bool {
        let Author { key, fingerprint } = author.clone();
        let principal = self.principal(&Sharer { key, fingerprint });
        principal.is_some_and(|principal| self.allows(&principal, &[(action, resource)]))
    }
}
