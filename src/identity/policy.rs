//! What a principal may do. Default deny: what no line here allows is refused.

use std::sync::Arc;

use tarn_openapi::access::{Action, Ask, Authorize, Denied, Principal, Resource};

use super::key::{Grant, Owner, Policy};
use super::keyring::Keyring;

/// Decides by the key's grant as it is now, so that a deleted key loses its rights at once.
pub struct Grants {
    keyring: Arc<Keyring>,
}

impl Grants {
    /// Looks grants up in `keyring`.
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring }
    }
}

impl Authorize for Grants {
    fn authorize(&self, principal: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        match principal {
            Principal::Anonymous => Err(Denied),
            Principal::Root => Ok(()),
            Principal::Session(session) => {
                // A policy denies everything until it can be evaluated.
                let allowed = session.restriction.prefixes_allow(ask.action, ask.resource).unwrap_or(false);
                if allowed { self.authorize(&session.parent, ask) } else { Err(Denied) }
            }
            Principal::AccessKey(id) => match &self.keyring.find(id).ok_or(Denied)?.owner {
                Owner::Root => Ok(()),
                Owner::Granted(grant) => check(grant, ask.action, ask.resource),
            },
        }
    }
}

fn check(grant: &Grant, action: Action, resource: Resource<'_>) -> Result<(), Denied> {
    if policy_allows(grant.policy, action) && place_allows(grant, action, resource) {
        Ok(())
    } else {
        Err(Denied)
    }
}

fn policy_allows(policy: Policy, action: Action) -> bool {
    let (family, verb) = action.name().split_once(':').unwrap_or_default();
    let data = matches!(family, "s3" | "s3tables");
    match policy {
        Policy::Admin => true,
        Policy::ReadWrite => data,
        Policy::ReadOnly => data && (verb.starts_with("Get") || verb.starts_with("List")),
    }
}

/// A key with a list of buckets reaches only into those. Of the server as a whole it may read the catalog's
/// settings, not the list of all buckets.
fn place_allows(grant: &Grant, action: Action, resource: Resource<'_>) -> bool {
    match (&grant.buckets, resource.bucket()) {
        (None, _) => true,
        (Some(buckets), Some(bucket)) => buckets.contains(bucket),
        (Some(_), None) => action == Action::GetConfig,
    }
}

#[cfg(test)]
mod tests {
    use tarn_openapi::access::{Prefix, PrefixAccess, Restriction, Session};

    use super::*;

    fn grant(policy: Policy, buckets: Option<&[&str]>) -> Grant {
        let buckets = buckets.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        Grant { policy, buckets }
    }

    #[test]
    fn read_only_keys_change_nothing() {
        let grant = grant(Policy::ReadOnly, None);
        let object = Resource::Object("b", "k");
        assert_eq!(check(&grant, Action::GetObject, object), Ok(()));
        for action in [Action::PutObject, Action::CreateBucket, Action::CreateTable, Action::CreateUser] {
            assert_eq!(check(&grant, action, object), Err(Denied), "{action:?}");
        }
    }

    #[test]
    fn a_key_with_a_list_of_buckets_reaches_no_other() {
        let grant = grant(Policy::ReadWrite, Some(&["b"]));
        assert_eq!(check(&grant, Action::PutObject, Resource::Object("b", "k")), Ok(()));
        assert_eq!(check(&grant, Action::GetObject, Resource::Object("c", "k")), Err(Denied));
        assert_eq!(
            check(&grant, Action::UpdateTableMetadataLocation, Resource::Table("c", &[], "t")),
            Err(Denied)
        );
        assert_eq!(check(&grant, Action::ListAllMyBuckets, Resource::Server), Err(Denied));
        assert_eq!(check(&grant, Action::GetConfig, Resource::Server), Ok(()));
    }

    #[test]
    fn a_session_may_do_what_both_its_parent_and_its_restriction_allow() {
        let root =
            super::super::key::AccessKey::root("root", super::super::secret::Secret::new("s".repeat(8)));
        let grants = Grants::new(Arc::new(Keyring::new(root)));
        let below = |parent: Principal, path: &str| {
            let prefix = Prefix::new("b", path, PrefixAccess::ReadWrite).unwrap();
            let restriction = Restriction::Prefixes([prefix].into());
            Principal::Session(Arc::new(Session { id: "s".into(), parent, restriction, expires: 0 }))
        };
        let may = |principal: &Principal, key: &str| {
            grants.authorize(principal, Ask::new(Action::PutObject, Resource::Object("b", key))).is_ok()
        };
        let session = below(Principal::Root, "t1");
        assert!(may(&session, "t1/f") && !may(&session, "t10/f"));
        // A session of a session is inside both, and one whose parent is gone may do nothing.
        assert!(!may(&below(session.clone(), "t2"), "t2/f") && !may(&below(session.clone(), "t2"), "t1/f"));
        assert!(may(&below(session, "t1/data"), "t1/data/f"));
        assert!(!may(&below(Principal::AccessKey("gone".into()), "t1"), "t1/f"));
        let policy = Restriction::Policy("{}".into());
        let session = Session { id: "s".into(), parent: Principal::Root, restriction: policy, expires: 0 };
        assert!(!may(&Principal::Session(Arc::new(session)), "t1/f"));
    }

    #[test]
    fn only_admins_administer_and_nobody_is_nothing() {
        assert_eq!(check(&grant(Policy::ReadWrite, None), Action::ServerInfo, Resource::Server), Err(Denied));
        assert_eq!(check(&grant(Policy::Admin, None), Action::ServerInfo, Resource::Server), Ok(()));
        let root =
            super::super::key::AccessKey::root("root", super::super::secret::Secret::new("s".repeat(8)));
        let grants = Grants::new(Arc::new(Keyring::new(root)));
        for principal in [Principal::Anonymous, Principal::AccessKey("gone".into())] {
            assert_eq!(
                grants.authorize(&principal, Ask::new(Action::GetObject, Resource::Server)),
                Err(Denied)
            );
        }
        assert_eq!(
            grants.authorize(&Principal::Root, Ask::new(Action::ServerInfo, Resource::Server)),
            Ok(())
        );
    }
}
