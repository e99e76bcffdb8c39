//! Keys with grants of their own, and sessions.

use std::sync::Arc;

use tarn_openapi::access::{
    Action, Ask, Authorize as _, Denied, Prefix, PrefixAccess, Principal, Resource, Restriction, Session,
};

use super::super::super::key::{AccessKey, Grant, Policy};
use super::super::super::keyring::Keyring;
use super::super::super::secret::Secret;
use super::super::grants::{Grants, granted};

fn grant(policy: Policy, buckets: Option<&[&str]>) -> Grant {
    let buckets = buckets.map(|names| names.iter().map(|&name| name.to_owned()).collect());
    Grant { policy, buckets }
}

fn may(grant: &Grant, action: Action, resource: Resource<'_>) -> bool {
    granted(grant, Ask::new(action, resource))
}

#[test]
fn read_only_keys_change_nothing() {
    let grant = grant(Policy::ReadOnly, None);
    let object = Resource::Object("b", "k");
    assert!(may(&grant, Action::GetObject, object));
    assert!(may(&grant, Action::TableMetrics, Resource::Table("b", &[], "t")));
    assert!(!may(&grant, Action::ListMultipartUploadParts, object));
    for action in [Action::PutObject, Action::CreateBucket, Action::CreateTable, Action::CreateUser] {
        assert!(!may(&grant, action, object), "{action:?}");
    }
}

#[test]
fn a_key_with_a_list_of_buckets_reaches_no_other() {
    let grant = grant(Policy::ReadWrite, Some(&["b"]));
    assert!(may(&grant, Action::PutObject, Resource::Object("b", "k")));
    assert!(!may(&grant, Action::GetObject, Resource::Object("c", "k")));
    assert!(!may(&grant, Action::UpdateTableMetadataLocation, Resource::Table("c", &[], "t")));
    assert!(!may(&grant, Action::ListAllMyBuckets, Resource::Server));
    assert!(may(&grant, Action::GetConfig, Resource::Server));
}

#[test]
fn a_session_may_do_what_both_its_parent_and_its_restriction_allow() {
    let root = AccessKey::root("root", Secret::new("s".repeat(8)));
    let grants = Grants::new(Arc::new(Keyring::new(root)));
    let below = |parent: Principal, path: &str| {
        let prefix = Prefix::new("b", path, PrefixAccess::ReadWrite).unwrap();
        let restriction = Restriction::Prefixes([prefix].into());
        Principal::Session(Arc::new(Session {
            id: "s".into(),
            parent,
            restriction,
            expires: 0,
            ticket: None,
        }))
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
    let session =
        Session { id: "s".into(), parent: Principal::Root, restriction: policy, expires: 0, ticket: None };
    assert!(!may(&Principal::Session(Arc::new(session)), "t1/f"));
}

#[test]
fn only_admins_administer_and_nobody_is_nothing() {
    assert!(!may(&grant(Policy::ReadWrite, None), Action::ServerInfo, Resource::Server));
    assert!(may(&grant(Policy::Admin, None), Action::ServerInfo, Resource::Server));
    let root = AccessKey::root("root", Secret::new("s".repeat(8)));
    let grants = Grants::new(Arc::new(Keyring::new(root)));
    for principal in [Principal::Anonymous, Principal::AccessKey("gone".into())] {
        assert_eq!(grants.authorize(&principal, Ask::new(Action::GetObject, Resource::Server)), Err(Denied));
    }
    assert_eq!(grants.authorize(&Principal::Root, Ask::new(Action::ServerInfo, Resource::Server)), Ok(()));
}
