//! The policies of a user, as they are at that moment.

use std::collections::HashMap;
use std::sync::Arc;

use tarn_catalog::state::CatalogState;

use super::super::directory::{GROUP_KIND, Group, POLICY_KIND, PolicyDocument, Status, User};
use super::super::parsed::Parsed;
use super::builtin;
use super::document::Policy;

/// A policy by its name.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) name: Arc<str>,
    /// The group it is attached to; none is the user.
    pub(crate) group: Option<Arc<str>>,
    pub(crate) policy: Found,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Policy(Arc<Policy>),
    /// No policy: it allows nothing.
    Missing,
    /// It is there and cannot be read. What it denies is not known, so whom it is attached to may do nothing.
    Unreadable,
}

impl Attached {
    /// The policy, where it can be read.
    pub(super) fn policy(&self) -> Option<&Policy> {
        match &self.policy {
            Found::Policy(policy) => Some(policy),
            Found::Missing | Found::Unreadable => None,
        }
    }
}

/// A group that a user is in and that counts.
pub(super) struct Joined {
    pub(super) name: Arc<str>,
    /// None of one that cannot be read.
    group: Option<Arc<Group>>,
}

/// Finds policies and groups by name.
pub(super) struct Policies {
    built_in: HashMap<&'static str, Arc<Policy>>,
    kept: Parsed<Policy>,
    groups: Parsed<Group>,
}

impl Policies {
    pub(super) fn new() -> Self {
        let parsed = builtin::POLICIES.iter().map(|(name, text)| {
            (*name, Arc::new(Policy::parse(text).expect("what is built in can be read")))
        });
        Self { built_in: parsed.collect(), kept: Parsed::default(), groups: Parsed::default() }
    }

    /// The policy of a name, as `state` holds it.
    pub(super) fn find(&self, state: Option<&CatalogState>, name: &Arc<str>) -> Found {
        if let Some(policy) = self.built_in.get(&**name) {
            return Found::Policy(policy.clone());
        }
        let Some(document) = state.and_then(|state| state.document(POLICY_KIND, name)) else {
            return Found::Missing;
        };
        let read = self.kept.get(name, document.revision, || {
            let kept = serde_json::from_str::<PolicyDocument>(&document.json);
            let text = kept.map_err(|error| unreadable(POLICY_KIND, name, &error)).ok()?.text;
            parse(&text)
        });
        read.map_or(Found::Unreadable, Found::Policy)
    }

    /// The policies of these names.
    pub(super) fn named(&self, state: Option<&CatalogState>, names: &[String]) -> Vec<Attached> {
        let names = names.iter().map(|name| Arc::from(name.as_str()));
        names.map(|name| Attached { policy: self.find(state, &name), name, group: None }).collect()
    }

    /// The groups a user is in that count.
    pub(super) fn groups(&self, state: Option<&CatalogState>, user: &User) -> Vec<Joined> {
        let Some(state) = state else { return Vec::new() };
        let joined = user.groups.iter().filter_map(|reference| {
            let name = &reference.name;
            let document = state.document(GROUP_KIND, name)?;
            let group = self.groups.get(name, document.revision, || {
                serde_json::from_str(&document.json)
                    .map_err(|error| unreadable(GROUP_KIND, name, &error))
                    .ok()
            });
            let counts = match &group {
                Some(group) => group.status == Status::Enabled && group.birth == reference.birth,
                None => true,
            };
            counts.then(|| Joined { name: name.clone(), group })
        });
        joined.collect()
    }

    /// The policies of a user: its own, then those of its groups.
    pub(super) fn of(&self, state: Option<&CatalogState>, user: &User, groups: &[Joined]) -> Vec<Attached> {
        let mut found = Vec::with_capacity(user.policies.len());
        let mut broken: Vec<Arc<str>> = Vec::new();
        let mut add = |names: &[Arc<str>], group: Option<&Arc<str>>| {
            found.extend(names.iter().map(|name| Attached {
                name: name.clone(),
                group: group.cloned(),
                policy: self.find(state, name),
            }));
        };
        add(&user.policies, None);
        for Joined { name, group } in groups {
            match group {
                Some(group) => add(&group.policies, Some(name)),
                None => broken.push(name.clone()),
            }
        }
        found.extend(broken.into_iter().map(|name| Attached {
            group: Some(name.clone()),
            name,
            policy: Found::Unreadable,
        }));
        found
    }
}

/// Reads a policy's text.
pub(super) fn parse(text: &str) -> Option<Policy> {
    let policy = Policy::parse(text);
    policy.map_err(|error| tracing::error!(%error, "a policy cannot be read and allows nothing")).ok()
}

fn unreadable(kind: &str, name: &str, error: &serde_json::Error) {
    tracing::error!(document.kind = kind, document.id = name, %error, "a document cannot be read");
}
