//! Users, groups and service accounts as decisions see them.

use std::sync::Arc;

use jiff::Timestamp;
use object_store::path::Path;
use tarn_catalog::state::{Change as CatalogChange, Expect};
use tarn_catalog::{Catalog, Settings, WarehouseStores};
use tarn_objectcore::ObjectCore;
use tarn_openapi::access::{
    Action, Ask, Authorize as _, Family, PrefixAccess, Principal, Resource, Restriction, Session, WebIdentity,
};

use super::super::error::AuthError;
use super::super::key::{AccessKey, Grant, Policy as GrantPolicy};
use super::super::keyring::Keyring;
use super::super::policy::{Grants, Outcome};
use super::super::secret::Secret;
use super::super::session::tests::files;
use super::super::session::{Order, Sessions, Temporary, Use};
use super::{
    Change, Directory, DirectoryError, KeyError, NewServiceAccount, NewUser, SERVICE_ACCOUNTS_OF_USER_MAX,
    Status,
};
use crate::stores::{Warehouses, system_store};

const NOW: i64 = 1_800_000_000;
const READ_B: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;

struct World {
    directory: Directory,
    keyring: Arc<Keyring>,
    grants: Grants,
    sessions: Sessions,
}

async fn world() -> World {
    let core = ObjectCore::in_memory(1).await;
    let stores: Arc<dyn WarehouseStores> = Arc::new(Warehouses::new(core.clone()));
    let log = system_store(&core).await.unwrap();
    let catalog = Catalog::open(log, Path::from("catalog"), stores, Settings::default()).await.unwrap();
    let root = AccessKey::root("root", Secret::new("secret-of-root".into()));
    let keyring = Arc::new(Keyring::with_catalog(root, catalog.clone()));
    World {
        directory: Directory::new(catalog, "root"),
        grants: Grants::new(keyring.clone()),
        sessions: Sessions::new(&[7; 32], keyring.clone()),
        keyring,
    }
}

fn at() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

impl World {
    async fn user(&self, name: &str, policies: &[&str], groups: &[&str]) {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let secret = Some(Secret::new("secret-of-a-user".into()));
        let new = NewUser { name: name.into(), secret, policies: texts(policies), groups: texts(groups) };
        self.directory.create_user(new, at()).await.unwrap();
    }

    async fn account(&self, parent: Option<&str>, policy: Option<&str>) -> Principal {
        let new = NewServiceAccount {
            id: None,
            parent: parent.map(str::to_owned),
            policy: policy.map(str::to_owned),
            description: None,
        };
        let (id, _) = self.directory.create_service_account(new, at()).await.unwrap();
        Principal::AccessKey(id.into())
    }

    fn may(&self, who: &Principal, action: Action, resource: Resource<'_>) -> bool {
        self.grants.authorize(who, Ask::new(action, resource)).is_ok()
    }

    fn reads(&self, who: &Principal, bucket: &str) -> bool {
        self.may(who, Action::GetObject, Resource::Object(bucket, "k"))
    }

    fn session(&self, parent: &Principal) -> Temporary {
        let everything = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
        let order = Order {
            parent: parent.clone(),
            restriction: Restriction::Policy(everything.into()),
            lifetime_seconds: 900,
            purpose: Use::Signing,
            ticket: None,
        };
        self.sessions.issue(order, NOW).unwrap()
    }

    fn open(&self, session: &Temporary) -> Result<Principal, AuthError> {
        let opened = self.sessions.open(session.token.expose(), Use::Signing, None, NOW)?;
        Ok(Principal::Session(opened.session))
    }
}

fn key(id: &str) -> Principal {
    Principal::AccessKey(id.into())
}

#[tokio::test]
async fn a_user_may_do_what_its_policies_and_those_of_its_groups_allow() {
    let world = world().await;
    world.directory.put_policy("read-b", READ_B, at()).await.unwrap();
    world.directory.create_group("staff", &["read-b".into()], at()).await.unwrap();
    world.user("alice", &[], &["staff"]).await;
    world.user("bob", &["readonly"], &[]).await;
    let (alice, bob) = (key("alice"), key("bob"));
    assert!(world.reads(&alice, "b") && !world.reads(&alice, "c"));
    assert!(world.reads(&bob, "b") && world.reads(&bob, "c"));
    // Rights to credentials of one's own need no policy.
    assert!(world.may(&alice, Action::AssumeRole, Resource::Server));
    assert!(!world.may(&alice, Action::ListUsers, Resource::Server));

    world.directory.change_user_policy("alice", "readonly", Change::Add).await.unwrap();
    assert!(world.reads(&alice, "c"));
    world.directory.change_user_policy("alice", "readonly", Change::Remove).await.unwrap();
    assert!(!world.reads(&alice, "c"));
    world.directory.set_group_status("staff", Status::Disabled).await.unwrap();
    assert!(!world.reads(&alice, "b"));
    world.directory.set_group_status("staff", Status::Enabled).await.unwrap();
    world.directory.change_member("staff", "alice", Change::Remove).await.unwrap();
    assert!(!world.reads(&alice, "b"));
    world.directory.change_member("staff", "bob", Change::Add).await.unwrap();
    assert_eq!(world.directory.group("staff").unwrap().members, ["bob"]);
}

#[tokio::test]
async fn a_deny_of_a_group_wins_over_an_allow_of_the_user() {
    let world = world().await;
    let deny =
        r#"{"Statement":[{"Effect":"Deny","Action":["s3:GetObject","sts:AssumeRole"],"Resource":"*"}]}"#;
    world.directory.put_policy("no-reads", deny, at()).await.unwrap();
    world.directory.create_group("guests", &["no-reads".into()], at()).await.unwrap();
    world.user("alice", &["consoleAdmin"], &["guests"]).await;
    assert!(!world.reads(&key("alice"), "b"));
    assert!(!world.may(&key("alice"), Action::AssumeRole, Resource::Server));
    assert!(world.may(&key("alice"), Action::PutObject, Resource::Object("b", "k")));
}

#[tokio::test]
async fn a_group_made_anew_under_an_old_name_has_no_member() {
    let world = world().await;
    world.directory.create_group("staff", &[], at()).await.unwrap();
    world.user("alice", &[], &["staff"]).await;
    let in_use = world.directory.delete_group("staff").await.unwrap_err();
    assert!(matches!(in_use, DirectoryError::InUse { by, .. } if by == "alice"));
    // As when a user joins at the moment the group is deleted.
    world.catalog().delete_document("group", "staff", Expect::Any).await.unwrap();
    world.directory.create_group("staff", &["readonly".into()], at()).await.unwrap();
    assert!(!world.reads(&key("alice"), "b"));
    assert!(world.directory.group("staff").unwrap().members.is_empty());
}

#[tokio::test]
async fn who_is_disabled_or_deleted_is_refused_with_its_sessions_and_service_accounts() {
    let world = world().await;
    world.user("alice", &["readonly"], &[]).await;
    let alice = key("alice");
    let account = world.account(Some("alice"), None).await;
    let (own, of_account) = (world.session(&alice), world.session(&account));
    let counts = |expected: bool| {
        for id in [&alice, &account] {
            assert_eq!(world.keyring.of(id).is_some(), expected);
            assert_eq!(world.reads(id, "b"), expected);
        }
        for session in [&own, &of_account] {
            assert_eq!(world.open(session).is_ok(), expected);
        }
    };
    counts(true);
    world.directory.set_user_status("alice", Status::Disabled).await.unwrap();
    counts(false);
    assert_eq!(world.open(&own).unwrap_err(), AuthError::UnknownKey);
    world.directory.set_user_status("alice", Status::Enabled).await.unwrap();
    counts(true);
    world.directory.delete_user("alice").await.unwrap();
    counts(false);
    assert!(world.directory.service_accounts(None, None, 10).is_empty());
}

#[tokio::test]
async fn cve_2024_43784_a_user_made_anew_with_the_same_secret_revives_nothing() {
    let world = world().await;
    world.user("alice", &["readonly"], &[]).await;
    let account = world.account(Some("alice"), None).await;
    let session = world.session(&key("alice"));
    world.directory.delete_user("alice").await.unwrap();
    // A service account that outlived its user, as a crash between the two deletions leaves it.
    world.user("alice", &["readonly"], &[]).await;
    let stale = world.account(Some("alice"), None).await;
    let catalog = world.catalog();
    catalog.delete_document("access-key", "alice", Expect::Any).await.unwrap();
    world.user("alice", &["readonly"], &[]).await;

    assert!(world.reads(&key("alice"), "b"));
    assert_eq!(world.open(&session).unwrap_err(), AuthError::UnknownKey);
    for old in [account, stale] {
        assert!(world.keyring.of(&old).is_none() && !world.reads(&old, "b"));
    }
}

#[tokio::test]
async fn a_new_secret_ends_what_was_made_with_the_old_one() {
    let world = world().await;
    world.user("alice", &["readonly"], &[]).await;
    let session = world.session(&key("alice"));
    let fresh = world.directory.renew_secret("alice").await.unwrap();
    assert!(world.keyring.find("alice").unwrap().secret.matches(fresh.expose()));
    assert_eq!(world.open(&session).unwrap_err(), AuthError::UnknownKey);
}

#[tokio::test]
async fn cve_2024_24747_a_service_account_of_root_is_held_to_its_policy_in_administration_too() {
    let world = world().await;
    let s3 = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::*"}]}"#;
    let held = world.account(None, Some(s3)).await;
    assert!(world.reads(&held, "b"));
    for &action in Action::ALL.iter().filter(|action| action.family() != Family::S3) {
        assert!(!world.may(&held, action, Resource::Server), "{action:?}");
    }
    // Without one it is root's right hand.
    let free = world.account(None, None).await;
    assert!(world.may(&free, Action::CreateUser, Resource::Server));
}

#[tokio::test]
async fn one_user_cannot_use_up_the_keys_of_all() {
    let world = world().await;
    world.user("alice", &[], &[]).await;
    world.user("bert", &[], &[]).await;
    for _ in 0..SERVICE_ACCOUNTS_OF_USER_MAX {
        world.account(Some("alice"), None).await;
    }
    let one_more =
        NewServiceAccount { id: None, parent: Some("alice".into()), policy: None, description: None };
    let refused = world.directory.create_service_account(one_more, at()).await;
    assert!(matches!(refused, Err(DirectoryError::Full { .. })), "{refused:?}");
    world.account(Some("bert"), None).await;
}

#[tokio::test]
async fn a_service_account_may_do_what_both_its_policy_and_its_user_may() {
    let world = world().await;
    let write_all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::*"}]}"#;
    world.directory.put_policy("read-b", READ_B, at()).await.unwrap();
    world.user("alice", &["read-b"], &[]).await;
    let wide = world.account(Some("alice"), Some(write_all)).await;
    assert!(world.reads(&wide, "b") && !world.reads(&wide, "c"));
    assert!(!world.may(&wide, Action::PutObject, Resource::Object("b", "k")));
    let own = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject",
        "Resource":"arn:aws:s3:::${aws:username}/*"}]}"#;
    world.directory.change_user_policy("alice", "readwrite", Change::Add).await.unwrap();
    let narrow = world.account(Some("alice"), Some(own)).await;
    assert!(world.reads(&narrow, "alice") && !world.reads(&narrow, "b"), "its user is who acts");
    // Credentials of its own are in its policy or not to be had, as for a session.
    assert!(!world.may(&narrow, Action::AssumeRole, Resource::Server));
    let session = world.open(&world.session(&narrow)).unwrap();
    assert!(world.reads(&session, "alice") && !world.reads(&session, "b"));
    // A policy that is taken away counts at once.
    let Principal::AccessKey(id) = &narrow else { panic!() };
    world.directory.set_service_account_policy(id, None).await.unwrap();
    assert!(world.reads(&narrow, "b") && world.reads(&session, "b"));
    world.directory.set_service_account_status(id, Status::Disabled).await.unwrap();
    assert!(!world.reads(&narrow, "b") && world.open(&world.session(&wide)).is_ok());
}

#[tokio::test]
async fn a_token_of_an_identity_provider_names_kept_policies_and_tells_them_its_claims() {
    let world = world().await;
    let of_team = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject",
        "Resource":"arn:aws:s3:::${jwt:team}/*"}]}"#;
    world.directory.put_policy("of-team", of_team, at()).await.unwrap();
    let identity = WebIdentity {
        id: "keycloak:alice".into(),
        policies: vec!["of-team".into(), "no-such".into()],
        claims: [("team".to_owned(), vec!["red".to_owned()])].into(),
        expires: i64::MAX,
    };
    let alice = Principal::Web(Arc::new(identity));
    assert!(world.reads(&alice, "red") && !world.reads(&alice, "blue"));
    world.directory.delete_policy("of-team").await.unwrap();
    assert!(!world.reads(&alice, "red"));
}

#[tokio::test]
async fn a_name_of_no_policy_allows_nothing_and_what_is_attached_is_not_deleted() {
    let world = world().await;
    world.directory.put_policy("read-b", READ_B, at()).await.unwrap();
    world.user("alice", &["read-b"], &[]).await;
    let in_use = world.directory.delete_policy("read-b").await.unwrap_err();
    assert!(matches!(in_use, DirectoryError::InUse { by, .. } if by == "alice"));
    // As when it is attached at the moment it is deleted.
    let catalog = world.catalog();
    catalog.delete_document("policy", "read-b", Expect::Any).await.unwrap();
    assert!(!world.reads(&key("alice"), "b"));
    // One put anew counts as what it says now, not as what was read before.
    let other = READ_B.replace(":b/", ":c/");
    world.directory.put_policy("read-b", &other, at()).await.unwrap();
    assert!(!world.reads(&key("alice"), "b") && world.reads(&key("alice"), "c"));
    world.directory.put_policy("read-b", READ_B, at()).await.unwrap();
    assert!(world.reads(&key("alice"), "b") && !world.reads(&key("alice"), "c"));
    world.directory.change_user_policy("alice", "read-b", Change::Remove).await.unwrap();
    world.directory.delete_policy("read-b").await.unwrap();
    for name in ["readonly", "consoleAdmin"] {
        assert!(matches!(world.directory.delete_policy(name).await, Err(DirectoryError::BuiltIn(_))));
        assert!(matches!(
            world.directory.put_policy(name, READ_B, at()).await,
            Err(DirectoryError::BuiltIn(_))
        ));
    }
}

#[tokio::test]
async fn cve_2023_27589_the_id_of_root_and_ids_that_are_taken_cannot_be_had() {
    let world = world().await;
    world.user("alice", &[], &[]).await;
    let grant = || Grant { policy: GrantPolicy::Admin, buckets: None };
    let made = world.directory.create_key(Some("robot".into()), grant(), at()).await.unwrap();
    for taken in ["root", "alice", "robot"] {
        let user = NewUser { name: taken.into(), secret: None, policies: Vec::new(), groups: Vec::new() };
        assert!(matches!(world.directory.create_user(user, at()).await, Err(DirectoryError::Exists(_))));
        let account =
            NewServiceAccount { id: Some(taken.into()), parent: None, policy: None, description: None };
        let refused = world.directory.create_service_account(account, at()).await;
        assert!(matches!(refused, Err(DirectoryError::Exists(_))), "{taken}");
        let refused = world.directory.create_key(Some(taken.into()), grant(), at()).await;
        assert!(matches!(refused, Err(KeyError::Exists(_))), "{taken}");
    }
    // Each is deleted as what it is.
    assert!(matches!(world.directory.delete_key("alice").await, Err(KeyError::Missing(_))));
    assert!(matches!(world.directory.delete_user("robot").await, Err(DirectoryError::Missing { .. })));
    assert_eq!(world.directory.users(None, 10).len(), 1);
    assert_eq!(world.directory.keys().len(), 1);
    assert_eq!(&*made.id, "robot");
}

#[tokio::test]
async fn a_key_with_a_grant_counts_among_the_keys_there_may_be() {
    let mut world = world().await;
    world.directory.keys_max = 2;
    let grant = || Grant { policy: GrantPolicy::ReadOnly, buckets: None };
    world.user("alice", &[], &[]).await;
    world.directory.create_key(None, grant(), at()).await.unwrap();
    let full = world.directory.create_key(Some("third".into()), grant(), at()).await;
    assert!(matches!(full, Err(KeyError::Directory(DirectoryError::Full { most: 2, .. }))), "{full:?}");
    let account = NewServiceAccount { id: None, parent: None, policy: None, description: None };
    let full = world.directory.create_service_account(account, at()).await;
    assert!(matches!(full, Err(DirectoryError::Full { most: 2, .. })), "{full:?}");
    assert!(world.keyring.find("third").is_none());
    world.directory.delete_user("alice").await.unwrap();
    world.directory.create_key(Some("third".into()), grant(), at()).await.unwrap();
}

#[tokio::test]
async fn who_makes_and_deletes_a_key_is_noted() {
    let world = world().await;
    let catalog = world.catalog();
    let directory = Directory::new(catalog.by("key:carol"), "root");
    let author = async || {
        let newest = *catalog.watch().borrow();
        let record = catalog.record(newest).await.unwrap();
        let notes =
            record.commits.iter().flat_map(|commit| &commit.changes).filter_map(|change| match change {
                CatalogChange::Note(note) => Some(note.by.to_string()),
                _other => None,
            });
        notes.collect::<Vec<_>>()
    };
    let grant = Grant { policy: GrantPolicy::ReadOnly, buckets: None };
    directory.create_key(Some("robot".into()), grant, at()).await.unwrap();
    assert_eq!(author().await, ["key:carol"]);
    directory.delete_key("robot").await.unwrap();
    assert_eq!(author().await, ["key:carol"]);
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_none_and_can_be_deleted() {
    let world = world().await;
    let catalog = world.catalog();
    let grant = Grant { policy: GrantPolicy::Admin, buckets: None };
    world.directory.create_key(Some("robot".into()), grant, at()).await.unwrap();
    assert!(world.reads(&key("robot"), "b"));
    catalog.put_document("access-key", "robot", "{}", Expect::Any).await.unwrap();
    assert!(!world.reads(&key("robot"), "b") && world.keyring.find("robot").is_none());
    world.directory.delete_key("robot").await.unwrap();
    assert!(matches!(world.directory.delete_key("robot").await, Err(KeyError::Missing(_))));
}

#[tokio::test]
async fn lists_end_where_they_are_told_to_and_go_on_behind_it() {
    let world = world().await;
    for name in ["ann", "ben", "cas"] {
        world.user(name, &[], &[]).await;
        world.account(Some(name), None).await;
    }
    let names = |after, most| -> Vec<String> {
        world.directory.users(after, most).into_iter().map(|user| user.name).collect()
    };
    assert_eq!(names(None, 2), ["ann", "ben"]);
    assert_eq!(names(Some("ben"), 2), ["cas"]);
    let of_ben = world.directory.service_accounts(Some("ben"), None, 10);
    assert_eq!(of_ben.len(), 1);
    assert_eq!(of_ben[0].parent.as_deref(), Some("ben"));
}

impl World {
    /// To change documents behind the directory's back.
    fn catalog(&self) -> &Catalog {
        &self.directory.catalog
    }
}

#[tokio::test]
async fn why_tells_the_statement_that_decided_and_every_policy_with_its_group() {
    let world = world().await;
    let named = READ_B.replace("{\"Effect\"", "{\"Sid\":\"ReadB\",\"Effect\"");
    world.directory.put_policy("read-b", &named, at()).await.unwrap();
    let deny = r#"{"Statement":[{"Effect":"Deny","Action":"s3:Put*","Resource":"*"},
        {"Effect":"Deny","Action":"s3:Delete*","Resource":"*"}]}"#;
    world.directory.put_policy("no-writes", deny, at()).await.unwrap();
    world.directory.create_group("staff", &["read-b".into(), "no-writes".into()], at()).await.unwrap();
    world.user("alice", &["writeonly"], &["staff"]).await;
    let alice = key("alice");
    let object = Resource::Object("b", "k");
    let why = |who: &Principal, action| world.grants.explain(who, Ask::new(action, object));

    let read = why(&alice, Action::GetObject);
    let by = read.by.unwrap();
    assert_eq!((read.allowed, by.policy.as_str(), by.statement), (true, "read-b", 0));
    assert_eq!((by.group.as_deref(), by.sid.as_deref()), (Some("staff"), Some("ReadB")));
    let looked: Vec<_> =
        read.rules[0].policies.iter().map(|one| (one.policy.as_str(), one.outcome)).collect();
    let none = Outcome::NotAllowed;
    assert_eq!(looked, [("writeonly", none), ("read-b", Outcome::Allowed), ("no-writes", none)]);

    let write = why(&alice, Action::PutObject);
    let by = write.by.unwrap();
    assert_eq!((write.allowed, write.outcome), (false, Outcome::Denied));
    assert_eq!((by.policy.as_str(), by.statement), ("no-writes", 0));
    assert_eq!(write.rules[0].policies[0].outcome, Outcome::Allowed, "what writeonly says alone");
    let delete = why(&alice, Action::DeleteObject);
    assert_eq!((delete.outcome, delete.by.unwrap().statement), (Outcome::Denied, 1));
    let other = why(&alice, Action::GetObjectTagging);
    assert_eq!((other.allowed, other.outcome, other.by), (false, Outcome::NotAllowed, None));

    let account = world.account(Some("alice"), Some(READ_B)).await;
    let read = why(&account, Action::GetObject);
    let rules: Vec<_> = read.rules.iter().map(|rule| (rule.rule, rule.outcome)).collect();
    let allowed = Outcome::Allowed;
    assert_eq!(rules, [("service account policy", allowed), ("user", allowed)]);
    let write = why(&account, Action::PutObject);
    assert_eq!((write.outcome, write.rules[0].outcome), (Outcome::Denied, Outcome::NotAllowed));
    let root = why(&Principal::Root, Action::PutObject);
    assert_eq!((root.allowed, root.rules[0].rule, root.by), (true, "root", None));
    world.catalog().delete_document("policy", "read-b", Expect::Any).await.unwrap();
    let read = why(&alice, Action::GetObject);
    assert_eq!((read.allowed, read.rules[0].policies[1].outcome), (false, Outcome::Missing));
}

const DATA_OF_T: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
    "Action":["s3tables:GetTableData","s3tables:PutTableData"],"Resource":"arn:aws:s3tables:::bucket/lake/table/ns/t"}]}"#;

impl World {
    fn vended(&self, parent: &Principal, access: PrefixAccess) -> Principal {
        let order = Order {
            parent: parent.clone(),
            restriction: Restriction::Files(files("ns/t", access)),
            lifetime_seconds: 900,
            purpose: Use::Signing,
            ticket: None,
        };
        self.open(&self.sessions.issue(order, NOW).unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_right_to_the_data_of_a_table_opens_its_files_and_no_others_until_it_ends() {
    let world = world().await;
    world.directory.put_policy("data-of-t", DATA_OF_T, at()).await.unwrap();
    world.user("alice", &["data-of-t"], &[]).await;
    let alice = key("alice");
    let vended = world.vended(&alice, PrefixAccess::ReadWrite);
    let may = |who: &Principal, action, key| world.may(who, action, Resource::Object("b", key));
    assert!(may(&vended, Action::GetObject, "ns/t/f") && may(&vended, Action::PutObject, "ns/t/f"));
    assert!(!may(&alice, Action::GetObject, "ns/t/f"), "by herself she has no right to objects");
    assert!(!may(&vended, Action::GetObject, "ns/t2/f") && !may(&vended, Action::GetObject, "ns/t"));
    let listing = Resource::Listing("b", "ns/t/");
    assert!(world.may(&vended, Action::ListBucket, listing));
    assert!(!world.may(&vended, Action::ListBucket, Resource::Listing("b", "ns/")));
    assert!(!world.may(&vended, Action::GetTableData, Resource::Server));
    // What denies the objects counts.
    let deny = r#"{"Statement":[{"Effect":"Deny","Action":"s3:Put*","Resource":"*"}]}"#;
    world.directory.put_policy("no-puts", deny, at()).await.unwrap();
    world.directory.change_user_policy("alice", "no-puts", Change::Add).await.unwrap();
    assert!(may(&vended, Action::GetObject, "ns/t/f") && !may(&vended, Action::PutObject, "ns/t/f"));
    // And the right is asked for each time.
    let read = DATA_OF_T.replace(",\"s3tables:PutTableData\"", "");
    world.directory.put_policy("data-of-t", &read, at()).await.unwrap();
    world.directory.change_user_policy("alice", "no-puts", Change::Remove).await.unwrap();
    assert!(may(&vended, Action::GetObject, "ns/t/f") && !may(&vended, Action::PutObject, "ns/t/f"));
    world.directory.change_user_policy("alice", "data-of-t", Change::Remove).await.unwrap();
    assert!(!may(&vended, Action::GetObject, "ns/t/f"));
}

#[tokio::test]
async fn cve_2021_21362_credentials_vended_to_read_do_not_upload_whatever_their_parent_may() {
    let world = world().await;
    world.directory.put_policy("data-of-t", DATA_OF_T, at()).await.unwrap();
    world.user("alice", &["data-of-t", "readwrite"], &[]).await;
    for parent in [key("alice"), Principal::Root] {
        let reader = world.vended(&parent, PrefixAccess::Read);
        let object = Resource::Object("b", "ns/t/f");
        assert!(world.may(&reader, Action::GetObject, object));
        for action in [
            Action::PutObject,
            Action::PutObjectAcl,
            Action::DeleteObject,
            Action::AbortMultipartUpload,
            Action::ListMultipartUploadParts,
        ] {
            assert!(!world.may(&reader, action, object), "{action:?}");
        }
    }
}

#[tokio::test]
async fn cve_2021_41137_what_a_session_or_service_account_is_held_to_holds_what_is_vended_to_it() {
    let world = world().await;
    world.directory.put_policy("data-of-t", DATA_OF_T, at()).await.unwrap();
    world.user("alice", &["data-of-t", "readwrite"], &[]).await;
    let object = Resource::Object("b", "ns/t/f");
    for (policy, read, write) in [
        (READ_B, true, false),
        (DATA_OF_T, true, true),
        (
            r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::c/*"}]}"#,
            false,
            false,
        ),
        (
            r#"{"Statement":[{"Effect":"Allow","Action":"s3tables:*","Resource":"*"},
                {"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}"#,
            false,
            true,
        ),
    ] {
        let account = world.account(Some("alice"), Some(policy)).await;
        let session = Session {
            id: "TEMP".into(),
            parent: key("alice"),
            restriction: Restriction::Policy(policy.into()),
            expires: i64::MAX,
            ticket: None,
        };
        for held in [account, Principal::Session(Arc::new(session))] {
            let vended = world.vended(&held, PrefixAccess::ReadWrite);
            let found = (
                world.may(&vended, Action::GetObject, object),
                world.may(&vended, Action::PutObject, object),
            );
            assert_eq!(found, (read, write), "{policy}");
        }
    }
}

#[tokio::test]
async fn a_policy_or_group_that_cannot_be_read_might_deny_so_nothing_is_allowed() {
    let world = world().await;
    world.directory.put_policy("read-b", READ_B, at()).await.unwrap();
    world.directory.create_group("staff", &["readonly".into()], at()).await.unwrap();
    world.user("alice", &["readwrite", "read-b"], &["staff"]).await;
    let alice = key("alice");
    assert!(world.reads(&alice, "b"));
    let newer = r#"{"text":"{\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"s3:Newer\",\"Resource\":\"*\"}]}","updated":"x"}"#;
    for (kind, id, json) in
        [("policy", "read-b", newer), ("policy", "read-b", "{}"), ("group", "staff", "{}")]
    {
        let kept = world.catalog().get_document(kind, id).unwrap();
        world.catalog().put_document(kind, id, json, Expect::Any).await.unwrap();
        assert!(!world.reads(&alice, "b"), "{kind} {json}");
        assert!(!world.may(&alice, Action::AssumeRole, Resource::Server));
        let why = world.grants.explain(&alice, Ask::new(Action::GetObject, Resource::Object("b", "k")));
        assert!(why.rules[0].policies.iter().any(|one| one.outcome == Outcome::Unreadable), "{why:?}");
        world.catalog().put_document(kind, id, &kept.json, Expect::Any).await.unwrap();
        assert!(world.reads(&alice, "b"));
    }
}
