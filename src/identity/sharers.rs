//! Those who share tables: who they are, and what they may read at that moment.
//!
//! A sharer is root or the holder of an access key, told again by what it was born with: a key made anew under an old id
//! has shared nothing. A new secret of a user is no other user. Rights are those of the key now, without any session.
//!
//! Policies are asked without an address, as the server itself reads: what a statement allows to some addresses only it
//! allows no sharer.

use std::sync::Arc;

use ring::{hkdf, hmac};
use subtle::ConstantTimeEq as _;
use tarn_catalog::state::{Namespace, TableIdent};
use tarn_objectcore::name::BucketName;
use tarn_openapi::access::{Action, Ask, Authorize, Principal, Resource, Sender, Transport};
use tarn_sharing::Sharers;
use tarn_sharing::directory::{Sharer, Source};

use super::keyring::Keyring;
use super::policy::Grants;

/// Sharers by the keys of this server.
pub struct KeySharers {
    keyring: Arc<Keyring>,
    grants: Arc<Grants>,
    marks: hmac::Key,
}

impl KeySharers {
    /// Tells sharers by marks made with a key derived from `secret`, which stays the same over restarts.
    pub fn new(secret: &[u8; 32], keyring: Arc<Keyring>, grants: Arc<Grants>) -> Self {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"tarn sharers v1").extract(secret);
        let key = prk.expand(&[b"mark"], hkdf::HKDF_SHA256).map(|okm| {
            let mut bytes = [0; 32];
            okm.fill(&mut bytes).expect("HKDF fills what it was asked for");
            hmac::Key::new(hmac::HMAC_SHA256, &bytes)
        });
        Self { keyring, grants, marks: key.expect("HKDF gives 32 bytes") }
    }

    /// Who shares what `principal` does: who holds the key, of a session too. `None` where there is no key of this server
    /// behind it.
    pub fn sharer(&self, principal: &Principal) -> Option<Sharer> {
        match principal.behind() {
            Principal::Root => Some(Sharer { key: None, fingerprint: None }),
            Principal::AccessKey(id) => {
                let mark = self.keyring.find(id)?.mark(&self.marks);
                Some(Sharer { key: Some(id.to_string()), fingerprint: Some(hex::encode(mark)) })
            }
            Principal::Anonymous | Principal::Web(_) | Principal::Session(_) => None,
        }
    }

    /// Who `by` is now, if it is still who it was.
    pub(crate) fn principal(&self, by: &Sharer) -> Option<Principal> {
        let Some(id) = &by.key else { return Some(Principal::Root) };
        let key = self.keyring.find(id)?;
        let mark = hex::encode(key.mark(&self.marks));
        let same =
            by.fingerprint.as_ref().is_some_and(|was| bool::from(was.as_bytes().ct_eq(mark.as_bytes())));
        same.then(|| key.principal())
    }

    pub(super) fn allows(&self, principal: &Principal, asked: &[(Action, Resource<'_>)]) -> bool {
        let sender = itself();
        asked.iter().all(|(action, resource)| {
            let ask = Ask::new(*action, *resource).sent_by(Some(&sender));
            self.grants.authorize(principal, ask).is_ok()
        })
    }

    /// Whether a rule denies it the files of a table: that counts against a right to the table's data, as it does where
    /// credentials are made for the table.
    fn is_denied_files(&self, principal: &Principal, source: &Source) -> bool {
        self.place(source).is_some_and(|(bucket, below)| self.is_denied(principal, &bucket, &below))
    }

    fn is_denied(&self, principal: &Principal, bucket: &str, key: &str) -> bool {
        let sender = itself();
        let ask = Ask::new(Action::GetObject, Resource::Object(bucket, key)).sent_by(Some(&sender));
        self.grants.denies(principal, ask)
    }

    /// Where the files of an Iceberg table lie: the bucket, and what keys begin with.
    fn place(&self, source: &Source) -> Option<(String, String)> {
        let Source::Iceberg { warehouse, namespace, table } = source else { return None };
        let levels = Namespace::new(namespace.clone()).ok()?;
        let ident = TableIdent::new(&**warehouse, levels, &**table).ok()?;
        let state = self.keyring.state()?;
        let (bucket, path) = state.table(&ident)?.location.strip_prefix("s3://")?.split_once('/')?;
        Some((bucket.to_owned(), format!("{}/", path.trim_end_matches('/'))))
    }
}

/// What policies see of a sharer: no address. No byte of it goes over a wire.
pub(super) fn itself() -> Sender {
    let at_seconds = jiff::Timestamp::now().as_second();
    Sender { at_seconds, transport: Transport::Encrypted, ..Sender::default() }
}

/// Calls `ask` with all that who reads `source` must be allowed. `None` for what nobody reads: the system's own bucket.
pub(crate) fn with_rights<T>(source: &Source, ask: impl FnOnce(&[(Action, Resource<'_>)]) -> T) -> Option<T> {
    match source {
        Source::Iceberg { warehouse, namespace, table } => {
            Some(ask(&[(Action::GetTableData, Resource::Table(warehouse, namespace, table))]))
        }
        Source::Delta { bucket, prefix } => {
            BucketName::new(bucket).ok()?;
            let log = format!("{prefix}_delta_log/");
            Some(ask(&[
                (Action::ListBucket, Resource::Listing(bucket, prefix)),
                (Action::GetObject, Resource::Object(bucket, prefix)),
                (Action::GetObject, Resource::Object(bucket, &log)),
            ]))
        }
    }
}

impl Sharers for KeySharers {
    fn may_read(&self, by: &Sharer, source: &Source) -> bool {
        let Some(principal) = self.principal(by) else { return false };
        let may = with_rights(source, |asked| self.allows(&principal, asked)).unwrap_or(false);
        may && !self.is_denied_files(&principal, source)
    }

    fn may_read_object(&self, by: &Sharer, bucket: &str, key: &str) -> bool {
        let Some(principal) = self.principal(by) else { return false };
        BucketName::new(bucket).is_ok()
            && self.allows(&principal, &[(Action::GetObject, Resource::Object(bucket, key))])
    }

    fn may_send(&self, by: &Sharer, source: &Source, bucket: &str, key: &str) -> bool {
        let own = self.place(source).is_some_and(|(own, below)| own == bucket && key.starts_with(&below));
        if !own {
            return self.may_read_object(by, bucket, key);
        }
        self.principal(by).is_some_and(|principal| !self.is_denied(&principal, bucket, key))
    }
}

#[cfg(test)]
mod tests {
    use object_store::path::Path;
    use tarn_catalog::{Catalog, Settings, WarehouseStores};
    use tarn_objectcore::ObjectCore;
    use tarn_openapi::access::{Restriction, Session, WebIdentity};

    use super::super::directory::NewUser;
    use super::super::key::{AccessKey, Grant, Policy};
    use super::super::secret::Secret;
    use super::super::{Change, Directory};
    use super::*;
    use crate::stores::{Warehouses, system_store};

    struct World {
        directory: Directory,
        sharers: KeySharers,
    }

    async fn world() -> World {
        let core = ObjectCore::in_memory(1).await;
        let stores: Arc<dyn WarehouseStores> = Arc::new(Warehouses::new(core.clone()));
        let log = system_store(&core).await.unwrap();
        let catalog = Catalog::open(log, Path::from("catalog"), stores, Settings::default()).await.unwrap();
        let root = AccessKey::root("root", Secret::new("secret-of-root".into()));
        let keyring = Arc::new(Keyring::with_catalog(root, catalog.clone()));
        let sharers = KeySharers::new(&[7; 32], keyring.clone(), Arc::new(Grants::new(keyring)));
        World { directory: Directory::new(catalog, "root"), sharers }
    }

    impl World {
        async fn user(&self, policies: &[&str]) -> Sharer {
            let policies = policies.iter().map(|name| (*name).to_owned()).collect();
            let secret = Some(Secret::new("secret-of-a-user".into()));
            let new = NewUser { name: "alice".into(), secret, policies, groups: Vec::new() };
            self.directory.create_user(new, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
            self.sharers.sharer(&Principal::AccessKey("alice".into())).unwrap()
        }
    }

    fn iceberg() -> Source {
        let namespace = vec!["ns".into()];
        Source::Iceberg { warehouse: "lake".into(), namespace, table: "orders".into() }
    }

    fn delta(bucket: &str) -> Source {
        Source::Delta { bucket: bucket.into(), prefix: "tables/orders/".into() }
    }

    #[tokio::test]
    async fn a_file_outside_its_table_takes_the_right_to_that_object() {
        let world = world().await;
        let alice = world.user(&["tablesReadOnly"]).await;
        // The table is not there, so no place is its own.
        assert!(!world.sharers.may_send(&alice, &iceberg(), "lake", "elsewhere/file"));
        assert!(!world.sharers.may_send(&alice, &delta("data"), "data", "tables/orders2/file"));
        world.directory.change_user_policy("alice", "readonly", Change::Add).await.unwrap();
        assert!(world.sharers.may_send(&alice, &iceberg(), "lake", "elsewhere/file"));
        assert!(world.sharers.may_send(&alice, &delta("data"), "data", "tables/orders2/file"));
        world.directory.change_user_policy("alice", "readonly", Change::Remove).await.unwrap();
        assert!(!world.sharers.may_send(&alice, &iceberg(), "lake", "elsewhere/file"));
    }

    #[tokio::test]
    async fn a_sharer_may_read_what_its_policies_allow_now() {
        let world = world().await;
        let alice = world.user(&["tablesReadOnly"]).await;
        assert!(
            world.sharers.may_read(&alice, &iceberg()) && !world.sharers.may_read(&alice, &delta("data"))
        );
        world.directory.change_user_policy("alice", "readonly", Change::Add).await.unwrap();
        assert!(world.sharers.may_read(&alice, &delta("data")));
        assert!(world.sharers.may_read_object(&alice, "data", "elsewhere/file"));
        for policy in ["readonly", "tablesReadOnly"] {
            world.directory.change_user_policy("alice", policy, Change::Remove).await.unwrap();
        }
        assert!(
            !world.sharers.may_read(&alice, &iceberg()) && !world.sharers.may_read(&alice, &delta("data"))
        );
    }

    #[tokio::test]
    async fn a_user_made_anew_under_an_old_name_shares_nothing_of_the_old_one() {
        let world = world().await;
        let alice = world.user(&["readonly"]).await;
        world.directory.renew_secret("alice").await.unwrap();
        assert!(world.sharers.may_read(&alice, &iceberg()), "a new secret is no other user");
        world.directory.delete_user("alice").await.unwrap();
        assert!(!world.sharers.may_read(&alice, &iceberg()));
        let anew = world.user(&["readonly"]).await;
        assert!(!world.sharers.may_read(&alice, &iceberg()) && world.sharers.may_read(&anew, &iceberg()));
    }

    #[tokio::test]
    async fn a_key_with_a_grant_made_anew_under_an_old_id_shares_nothing_of_the_old_one() {
        let world = world().await;
        let grant = Grant { policy: Policy::ReadOnly, buckets: None };
        let make =
            || world.directory.create_key(Some("loader".into()), grant.clone(), jiff::Timestamp::UNIX_EPOCH);
        let principal = make().await.unwrap().principal();
        let sharer = world.sharers.sharer(&principal).unwrap();
        assert!(world.sharers.may_read(&sharer, &iceberg()));
        world.directory.delete_key("loader").await.unwrap();
        make().await.unwrap();
        assert!(!world.sharers.may_read(&sharer, &iceberg()));
    }

    #[tokio::test]
    async fn a_session_shares_as_the_key_behind_it_and_who_has_none_shares_nothing() {
        let world = world().await;
        let alice = world.user(&["readonly"]).await;
        let of = |parent| {
            let restriction = Restriction::Policy("{}".into());
            Principal::Session(Arc::new(Session {
                id: "s".into(),
                parent,
                restriction,
                expires: i64::MAX,
                ticket: None,
            }))
        };
        let inner = of(of(Principal::AccessKey("alice".into())));
        assert_eq!(world.sharers.sharer(&inner), Some(alice));
        let web = WebIdentity {
            id: "idp:bob".into(),
            policies: vec!["readonly".into()],
            claims: Default::default(),
            expires: i64::MAX,
        };
        for nobody in [Principal::Anonymous, of(Principal::Web(Arc::new(web)))] {
            assert_eq!(world.sharers.sharer(&nobody), None);
        }
    }

    #[tokio::test]
    async fn nobody_shares_the_systems_own_bucket() {
        let world = world().await;
        let root = world.sharers.sharer(&Principal::Root).unwrap();
        assert!(
            world.sharers.may_read(&root, &delta("data"))
                && world.sharers.may_read_object(&root, "data", "k")
        );
        assert!(!world.sharers.may_read(&root, &delta(".tarn")));
        assert!(!world.sharers.may_read_object(&root, ".tarn", "catalog/log"));
    }
}
