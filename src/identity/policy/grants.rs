//! Who may do what: finds the policies and grants of whoever asks, and decides by them.
//!
//! - G1: nothing of a decision is kept: rights that were taken away are gone for the next request.
//! - G2: a session may do what both its restriction and its parent may. No session and no key of another reaches
//!   further than whom it acts for, in what concerns its own account too.

use std::sync::Arc;

use tarn_openapi::access::{Action, Ask, Authorize, Denied, Principal, Resource, Restriction, Session};

use super::super::key::{Grant, Owner, Policy};
use super::super::keyring::Keyring;
use super::decide::{Decision, decide};
use super::facts::{Facts, Who};
use super::parsed::Parsed;
use super::web;

/// Decides by what the catalog keeps at that moment.
pub struct Grants {
    keyring: Arc<Keyring>,
    /// Inline policies by their text.
    inline: Parsed<Arc<str>>,
}

/// One of the rules a decision rests on; all must allow.
#[derive(Debug)]
pub(crate) struct Step<'s> {
    /// Whose rule it is, such as `session policy`.
    pub(crate) of: &'static str,
    pub(crate) decision: Decision<'s>,
}

/// Is told every step of a decision.
pub(super) type Trail<'t> = &'t mut dyn FnMut(Step<'_>);

impl Grants {
    /// Looks grants up in `keyring`.
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring, inline: Parsed::default() }
    }

    /// Whether `principal` may do it, telling `trail` why.
    pub(crate) fn evaluate(&self, principal: &Principal, ask: Ask<'_>, trail: Trail<'_>) -> bool {
        match principal {
            Principal::Anonymous => step(trail, "anonymous", Decision::NotAllowed),
            Principal::Root => step(trail, "root", Decision::everything("root")),
            Principal::Session(session) => {
                self.within(session, ask, trail) && self.evaluate(&session.parent, ask, trail)
            }
            Principal::Web(identity) => web::evaluate(identity, ask, trail),
            Principal::AccessKey(id) => match self.keyring.find(id).as_deref().map(|key| &key.owner) {
                None => step(trail, "deleted key", Decision::NotAllowed),
                Some(Owner::Root) => step(trail, "root", Decision::everything("root")),
                Some(Owner::Granted(grant)) => step(trail, "access key", check(grant, ask)),
            },
        }
    }

    /// Whether a session's own restriction lets it.
    fn within(&self, session: &Session, ask: Ask<'_>, trail: Trail<'_>) -> bool {
        match &session.restriction {
            Restriction::Prefixes(prefixes) => {
                let inside = prefixes.iter().any(|prefix| prefix.allows(ask.action, ask.resource));
                let decision = if inside { Decision::everything("prefixes") } else { Decision::NotAllowed };
                step(trail, "session prefixes", decision)
            }
            Restriction::Policy(text) => self.inline_allows("session policy", text, session, ask, trail),
        }
    }

    fn inline_allows(
        &self,
        of: &'static str,
        text: &Arc<str>,
        session: &Session,
        ask: Ask<'_>,
        trail: Trail<'_>,
    ) -> bool {
        // It was read when the session began; one that cannot be read allows nothing.
        let Some(policy) = self.inline.get(text, text) else { return step(trail, of, Decision::NotAllowed) };
        let who = self.who(session);
        let facts = Facts::new(ask, &who, None);
        step(trail, of, decide([(of, &*policy)], &facts))
    }

    /// Who acts in a session: by name the user behind it.
    fn who(&self, session: &Session) -> Who {
        let mut holder = &session.parent;
        while let Principal::Session(outer) = holder {
            holder = &outer.parent;
        }
        let username = self.keyring.of(holder).map(|key| key.id.to_string());
        let claims = web::claims(holder);
        Who { username, user_id: Some(session.id.to_string()), kind: "AssumedRole", claims, ..Who::default() }
    }
}

pub(super) fn step(trail: Trail<'_>, of: &'static str, decision: Decision<'_>) -> bool {
    let allowed = matches!(decision, Decision::Allowed(_));
    trail(Step { of, decision });
    allowed
}

impl Authorize for Grants {
    fn authorize(&self, principal: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        // Refusals tell their sender nothing; the log tells which rule it was.
        let mut trail = |Step { of, decision }: Step<'_>| match decision {
            Decision::Allowed(_) => {}
            Decision::Denied(_) | Decision::NotAllowed => {
                tracing::debug!(action = ask.action.name(), of, ?decision, "not allowed");
            }
        };
        if self.evaluate(principal, ask, &mut trail) { Ok(()) } else { Err(Denied) }
    }
}

pub(super) fn check(grant: &Grant, ask: Ask<'_>) -> Decision<'static> {
    let name = match grant.policy {
        Policy::Admin => "admin",
        Policy::ReadWrite => "readwrite",
        Policy::ReadOnly => "readonly",
    };
    // Narrower credentials of one's own are no new right.
    let own = matches!(ask.action, Action::AssumeRole | Action::GetSessionToken);
    if own || (policy_allows(grant.policy, ask.action) && place_allows(grant, ask.action, ask.resource)) {
        Decision::everything(name)
    } else {
        Decision::NotAllowed
    }
}

fn policy_allows(policy: Policy, action: Action) -> bool {
    let (family, verb) = action.name().split_once(':').unwrap_or_default();
    let data = matches!(family, "s3" | "s3tables");
    match policy {
        Policy::Admin => true,
        Policy::ReadWrite => data,
        // The parts of an upload concern who writes; what a reader measured is told by who may read.
        Policy::ReadOnly => match action {
            Action::ListMultipartUploadParts => false,
            Action::TableMetrics => true,
            _ => data && (verb.starts_with("Get") || verb.starts_with("List")),
        },
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

    fn may(grant: &Grant, action: Action, resource: Resource<'_>) -> bool {
        matches!(check(grant, Ask::new(action, resource)), Decision::Allowed(_))
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
        let root = super::super::super::key::AccessKey::root(
            "root",
            super::super::super::secret::Secret::new("s".repeat(8)),
        );
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
        assert!(!may(&grant(Policy::ReadWrite, None), Action::ServerInfo, Resource::Server));
        assert!(may(&grant(Policy::Admin, None), Action::ServerInfo, Resource::Server));
        let root = super::super::super::key::AccessKey::root(
            "root",
            super::super::super::secret::Secret::new("s".repeat(8)),
        );
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
