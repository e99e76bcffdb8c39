//! Users, groups, service accounts and named policies: documents of the catalog's log.
//!
//! A user is an access key with policies of its own and of its groups. A service account is an access key of a user or
//! of root, and may be held to less by a policy of its own.
//!
//! - U1: all access keys are documents of one kind, so that an id is taken once, whatever it is.
//! - U2: users, groups and service accounts carry an id of their birth. What refers to them refers to that: one made
//!   anew under an old name inherits no service account, no session and no member.
//! - U3: every request asks what is there now: who is disabled or deleted is refused at the next one.
//!
//! Who may change what is asked by the admin API; what a user may do is decided in `policy`.

mod document;
mod error;
mod groups;
mod keys;
mod policies;
mod service_accounts;
#[cfg(test)]
mod tests;
mod users;
mod write;

use std::sync::Arc;

use tarn_catalog::Catalog;

pub(crate) use self::document::{
    GROUP_KIND, Group, Holder, KEY_KIND, KeyDocument, POLICY_KIND, PolicyDocument, Reference, ServiceAccount,
};
pub use self::document::{Status, User};
pub use self::error::DirectoryError;
pub(crate) use self::groups::ListedGroup;
pub(crate) use self::keys::{KeyError, ListedKey};
pub(crate) use self::policies::ListedPolicy;
pub(crate) use self::service_accounts::{ListedServiceAccount, NewServiceAccount};
pub(crate) use self::users::{ListedUser, NewUser};

/// The most policies attached to one user or group.
const ATTACHED_MAX: usize = 32;
/// The most groups of one user.
const GROUPS_OF_USER_MAX: usize = 32;
/// The most groups.
const GROUPS_MAX: usize = 1_000;
/// The most kept policies.
const POLICIES_MAX: usize = 1_000;
/// The most service accounts of one user: none can use up the keys of all.
const SERVICE_ACCOUNTS_OF_USER_MAX: usize = 256;
/// The most access keys: those with grants of their own, users and service accounts.
const KEYS_MAX: usize = 100_000;

/// Changes everything there is to identities but the root key.
pub struct Directory {
    catalog: Catalog,
    /// The root key's id, which nobody else may have.
    root: String,
    /// The most access keys of all kinds.
    keys_max: usize,
}

/// Whether a thing is added to a list or taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    Remove,
}

impl Directory {
    /// Keeps everything in `catalog`.
    pub fn new(catalog: Catalog, root: &str) -> Self {
        Self { catalog, root: root.into(), keys_max: KEYS_MAX }
    }
}

/// Adds a policy's name to a list or takes it off. Already so is done.
fn changed(list: &mut Vec<Arc<str>>, name: &str, change: Change) -> Result<(), DirectoryError> {
    match (change, list.iter().position(|known| **known == *name)) {
        (Change::Add, None) if list.len() >= ATTACHED_MAX => {
            Err(DirectoryError::Full { most: ATTACHED_MAX, of: "policies of one user or group" })
        }
        (Change::Add, None) => {
            list.push(name.into());
            Ok(())
        }
        (Change::Remove, Some(place)) => {
            list.remove(place);
            Ok(())
        }
        (Change::Add, Some(_)) | (Change::Remove, None) => Ok(()),
    }
}

/// Checks the name of a group or policy.
fn check_name(name: &str) -> Result<(), DirectoryError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.@+=".contains(&b);
    let named = (1..=128).contains(&name.len()) && name.bytes().all(good);
    if named { Ok(()) } else { Err(DirectoryError::Name(name.into())) }
}
