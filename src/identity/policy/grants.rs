//! Who may do what: finds the policies and grants of whoever asks, and decides by them.
//!
//! - G1: nothing of a decision is kept: rights that were taken away are gone for the next request.
//! - G2: a session may do what both its restriction and its parent may (of a table's files: what its parent may with the
//!   table's data), and a service account what both its policy and
//!   its user may. None reaches further than whom it acts for, in what concerns its own account too.

use std::sync::Arc;

use tarn_catalog::state::{CatalogState, Namespace, TableIdent};
use tarn_openapi::access::{
    Action, Ask, Authorize, Denied, Family, Prefix, PrefixAccess, Presence, Principal, Resource, Restriction,
    Session, TableFiles,
};

use super::super::directory::User;
use super::super::key::{AccessKey, Grant, HeldAccount, Owner, Parent, Policy};
use super::super::keyring::Keyring;
use super::super::parsed::{self, Parsed};
use super::attached::{self, Attached, Found, Joined, Policies};
use super::decide::{Decision, decide};
use super::document::Policy as Document;
use super::facts::{Facts, Who};
use super::web;

/// Decides by what the catalog keeps at that moment.
pub struct Grants {
    keyring: Arc<Keyring>,
    policies: Policies,
    /// Inline policies by their text.
    inline: Parsed<Document>,
}

/// One of the rules a decision rests on; all must allow.
pub(crate) struct Step<'s> {
    /// Whose rule it is, such as `session policy`.
    pub(crate) of: &'static str,
    pub(crate) decision: Decision<'s>,
    /// The policies that were asked, and what they were told. None where the rule is no policy.
    pub(crate) asked: Option<(&'s [Attached], &'s Facts<'s>)>,
}

/// Is told every step of a decision.
pub(crate) type Trail<'t> = &'t mut dyn FnMut(Step<'_>);

/// What is asked, and what the catalog holds while it is answered.
#[derive(Clone, Copy)]
struct Matter<'a> {
    ask: Ask<'a>,
    state: Option<&'a CatalogState>,
}

impl Grants {
    /// Looks grants up in `keyring`.
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring, policies: Policies::new(), inline: Parsed::default() }
    }

    /// Whether `principal` may do it, telling `trail` why.
    pub(crate) fn evaluate(&self, principal: &Principal, ask: Ask<'_>, trail: Trail<'_>) -> bool {
        let state = self.keyring.state();
        self.principal_may(principal, Matter { ask, state: state.as_deref() }, trail)
    }

    /// Whether a rule forbids it: what a principal may do unless it is denied.
    pub(crate) fn denies(&self, principal: &Principal, ask: Ask<'_>) -> bool {
        let mut denied = false;
        self.evaluate(principal, ask, &mut |step| denied |= matches!(step.decision, Decision::Denied(_)));
        denied
    }

    fn principal_may(&self, principal: &Principal, matter: Matter<'_>, trail: Trail<'_>) -> bool {
        match principal {
            Principal::Anonymous => step(trail, "anonymous", Decision::NotAllowed),
            Principal::Root => step(trail, "root", Decision::everything("root")),
            Principal::Session(session) => self.session_may(session, matter, trail),
            Principal::Web(identity) => {
                let attached = self.policies.named(matter.state, &identity.policies);
                self.policies_allow("web identity", &attached, &web::who(identity), matter, trail)
            }
            Principal::AccessKey(id) => match self.keyring.find_in(matter.state, id) {
                None => step(trail, "deleted or disabled key", Decision::NotAllowed),
                Some(key) => self.key_may(&key, matter, trail),
            },
        }
    }

    fn key_may(&self, key: &AccessKey, matter: Matter<'_>, trail: Trail<'_>) -> bool {
        match &key.owner {
            Owner::Root => step(trail, "root", Decision::everything("root")),
            Owner::Granted(grant) => step(trail, "access key", check(grant, matter.ask)),
            Owner::User(user) => {
                let groups = self.groups_of(key, matter);
                self.user_may((user, &groups), &who(key, &groups), matter, trail)
            }
            Owner::ServiceAccount(account) => {
                let groups = self.groups_of(key, matter);
                let who = who(key, &groups);
                let held = account.policy.as_ref().is_none_or(|text| {
                    self.inline_allows("service account policy", text, &who, matter, trail)
                });
                let parent = match &account.parent {
                    Parent::Root { .. } => step(trail, "root", Decision::everything("root")),
                    Parent::User { user, .. } => self.user_may((user, &groups), &who, matter, trail),
                };
                held && parent
            }
        }
    }

    /// Both are asked whatever one says: who wants to know what is denied must hear of every denial.
    fn session_may(&self, session: &Session, matter: Matter<'_>, trail: Trail<'_>) -> bool {
        let inside = match &session.restriction {
            Restriction::Prefixes(prefixes) => inside(prefixes, matter, trail),
            Restriction::Policy(text) => {
                self.inline_allows("session policy", text, &self.who_acts(session, matter), matter, trail)
            }
            Restriction::Files(files) => return self.files_may(session, files, matter, trail),
        };
        let parent = self.principal_may(&session.parent, matter, trail);
        inside && parent
    }

    /// Whether a session of a table's files lets it: its parent may by its rights to objects, or by those to the table's
    /// data if no rule denies it those to objects.
    fn files_may(&self, session: &Session, files: &TableFiles, matter: Matter<'_>, trail: Trail<'_>) -> bool {
        let parent = &session.parent;
        if !inside(&files.prefixes, matter, trail) {
            return false;
        }
        let mut denied = false;
        let by_objects = self.principal_may(parent, matter, &mut |step| {
            if matches!(step.decision, Decision::Denied(_)) {
                denied = true;
                trail(step);
            }
        });
        if by_objects {
            return step(trail, "rights to objects", Decision::everything("rights to objects"));
        }
        let Some(access) = PrefixAccess::needed(matter.ask.action).filter(|_| !denied) else { return false };
        if !matter.state.is_some_and(|state| is_there(state, files)) {
            return step(trail, "the table is gone", Decision::NotAllowed);
        }
        let action = match access {
            PrefixAccess::Read => Action::GetTableData,
            PrefixAccess::ReadWrite => Action::PutTableData,
        };
        let table = Resource::Table(&files.warehouse, &files.levels, &files.name);
        let ask = Ask { action, resource: table, values: &[], ..matter.ask };
        self.principal_may(parent, Matter { ask, ..matter }, trail)
    }

    fn user_may(
        &self,
        (user, groups): (&User, &[Joined]),
        who: &Who,
        matter: Matter<'_>,
        trail: Trail<'_>,
    ) -> bool {
        let attached = self.policies.of(matter.state, user, groups);
        self.policies_allow("user", &attached, who, matter, trail)
    }

    /// Whether policies that count for somebody let it.
    fn policies_allow(
        &self,
        of: &'static str,
        attached: &[Attached],
        who: &Who,
        matter: Matter<'_>,
        trail: Trail<'_>,
    ) -> bool {
        let facts = Facts::new(matter.ask, who, None);
        let named = attached.iter().filter_map(|one| Some((&*one.name, one.policy()?)));
        let unread = attached.iter().any(|one| matches!(one.policy, Found::Unreadable));
        let decision = match decide(named, &facts) {
            Decision::Allowed(_) | Decision::NotAllowed if unread => Decision::NotAllowed,
            Decision::NotAllowed if is_own(matter.ask.action) => Decision::everything("own credentials"),
            decided => decided,
        };
        let allowed = matches!(decision, Decision::Allowed(_));
        trail(Step { of, decision, asked: Some((attached, &facts)) });
        allowed
    }

    fn inline_allows(
        &self,
        of: &'static str,
        text: &Arc<str>,
        who: &Who,
        matter: Matter<'_>,
        trail: Trail<'_>,
    ) -> bool {
        // It was read when it was given; one that cannot be read allows nothing.
        let policy = self.inline.get(text, parsed::ONLY, || attached::parse(text));
        let policy = policy.map_or(Found::Unreadable, Found::Policy);
        let attached = [Attached { name: of.into(), group: None, policy }];
        let facts = Facts::new(matter.ask, who, None);
        let decision = match attached[0].policy() {
            Some(policy) => decide([(of, policy)], &facts),
            None => Decision::NotAllowed,
        };
        let allowed = matches!(decision, Decision::Allowed(_));
        trail(Step { of, decision, asked: Some((&attached, &facts)) });
        allowed
    }

    /// Who acts in a session: by name the user behind it.
    fn who_acts(&self, session: &Session, matter: Matter<'_>) -> Who {
        let holder = session.parent.behind();
        let behind = match holder {
            Principal::Web(identity) => web::who(identity),
            Principal::Anonymous | Principal::Root | Principal::AccessKey(_) | Principal::Session(_) => {
                let key = self.keyring.of_in(matter.state, holder);
                key.map(|key| who(&key, &self.groups_of(&key, matter))).unwrap_or_default()
            }
        };
        Who { user_id: Some(session.id.to_string()), kind: "AssumedRole", ..behind }
    }

    /// The groups of the user that a key is of or belongs to.
    fn groups_of(&self, key: &AccessKey, matter: Matter<'_>) -> Vec<Joined> {
        match &key.owner {
            Owner::User(user)
            | Owner::ServiceAccount(HeldAccount { parent: Parent::User { user, .. }, .. }) => {
                self.policies.groups(matter.state, user)
            }
            Owner::Root
            | Owner::Granted(_)
            | Owner::ServiceAccount(HeldAccount { parent: Parent::Root { .. }, .. }) => Vec::new(),
        }
    }
}

/// Whether it is done to an object below one of these.
fn inside(prefixes: &[Prefix], matter: Matter<'_>, trail: Trail<'_>) -> bool {
    let ask = matter.ask;
    let inside = prefixes.iter().any(|prefix| prefix.allows(ask.action, ask.resource));
    let decision = if inside { Decision::everything("prefixes") } else { Decision::NotAllowed };
    step(trail, "session prefixes", decision)
}

/// Whether the table of these files is the one that has its name. One that was staged and is not committed yet is there
/// as long as no other has come to lie at its place.
fn is_there(state: &CatalogState, files: &TableFiles) -> bool {
    let namespace = Namespace::new(files.levels.to_vec()).ok();
    let ident = namespace.and_then(|levels| TableIdent::new(&*files.warehouse, levels, &*files.name).ok());
    let Some(ident) = ident else { return false };
    match (state.table(&ident), files.presence) {
        (Some(entry), _) => entry.uuid.as_u128() == files.uuid,
        (None, Presence::There) => false,
        (None, Presence::Staged) => !files.prefixes.iter().any(|prefix| {
            state.is_occupied(&format!("s3://{}/{}", prefix.bucket(), prefix.prefix().trim_end_matches('/')))
        }),
    }
}

/// Who acts with a key: the user it is or belongs to, who is in these groups.
fn who(key: &AccessKey, groups: &[Joined]) -> Who {
    let username = match &key.owner {
        Owner::Root | Owner::Granted(_) | Owner::User(_) => &key.id,
        Owner::ServiceAccount(HeldAccount {
            parent: Parent::User { name, .. } | Parent::Root { name },
            ..
        }) => name,
    };
    Who {
        username: Some(username.to_string()),
        user_id: Some(key.id.to_string()),
        kind: "User",
        groups: groups.iter().map(|joined| joined.name.to_string()).collect(),
        ..Who::default()
    }
}

/// Narrower credentials of one's own are no new right.
fn is_own(action: Action) -> bool {
    matches!(action, Action::AssumeRole | Action::AssumeRoleWithWebIdentity | Action::GetSessionToken)
}

fn step(trail: Trail<'_>, of: &'static str, decision: Decision<'_>) -> bool {
    let allowed = matches!(decision, Decision::Allowed(_));
    trail(Step { of, decision, asked: None });
    allowed
}

impl Authorize for Grants {
    fn authorize(&self, principal: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        // Refusals tell their sender nothing; the log tells which rule it was.
        let mut trail = |Step { of, decision, asked: _ }: Step<'_>| match decision {
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
    if is_own(ask.action)
        || (policy_allows(grant.policy, ask.action) && place_allows(grant, ask.action, ask.resource))
    {
        Decision::everything(name)
    } else {
        Decision::NotAllowed
    }
}

#[cfg(test)]
pub(super) fn granted(grant: &Grant, ask: Ask<'_>) -> bool {
    matches!(check(grant, ask), Decision::Allowed(_))
}

fn policy_allows(policy: Policy, action: Action) -> bool {
    let (_, verb) = action.name().split_once(':').unwrap_or_default();
    let data = matches!(action.family(), Family::S3 | Family::S3Tables);
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
