//! Only who may do it passes (A1).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tarn_catalog::Catalog;
use tarn_catalog::rest::author;
use tarn_openapi::access::{Action, Ask, Principal, Resource, Sender};
use tarn_sharing::access::Access;
use tarn_sharing::directory as shares;

use super::error::Failure;
use crate::identity::key::Owner;
use crate::identity::{Directory, KeySharers};
use crate::server::{Asker, Program};

/// Who sent the request. Each handler asks it for the right to do what it does, before it does or tells anything.
pub(super) struct Caller {
    pub(super) principal: Principal,
    pub(super) sender: Option<Sender>,
    program: Arc<Program>,
}

impl Caller {
    /// Refuses who may not do this.
    pub(super) fn may(&self, action: Action) -> Result<(), Failure> {
        self.may_on(action, Resource::Server)
    }

    /// The catalog, whose history names the caller.
    pub(super) fn catalog(&self) -> Catalog {
        self.program.catalog.by(author(&self.principal))
    }

    /// What changes users, groups, policies and service accounts, in the caller's name.
    pub(super) fn directory(&self) -> Directory {
        Directory::new(self.catalog(), self.program.identity.keyring().root_id())
    }

    /// What changes shares and recipients, in the caller's name.
    pub(super) fn sharing(&self) -> shares::Directory {
        shares::Directory::new(self.catalog(), self.program.sharing.buckets.clone())
    }

    /// The caller, as queries ask for its rights.
    pub(super) fn asker(&self) -> Arc<Asker> {
        let (principal, sender) = (self.principal.clone(), self.sender.clone());
        Arc::new(Asker { principal, sender, grants: self.program.grants.clone() })
    }

    /// What makes tokens of recipients.
    pub(super) fn access(&self) -> &Access {
        &self.program.sharing.access
    }

    /// What knows who shares.
    pub(super) fn sharers(&self) -> &KeySharers {
        &self.program.sharing.sharers
    }

    /// Refuses who may not do this there.
    pub(super) fn may_on(&self, action: Action, resource: Resource<'_>) -> Result<(), Failure> {
        let ask = Ask::new(action, resource).sent_by(self.sender.as_ref());
        self.program.authorize.authorize(&self.principal, ask).map_err(|_| Failure::Denied)
    }

    /// Refuses who may do neither.
    pub(super) fn may_either(&self, one: Action, other: Action) -> Result<(), Failure> {
        self.may(one).or_else(|_| self.may(other))
    }

    /// Refuses who may not attach and detach policies. It has two names; a deny of either counts.
    pub(super) fn may_associate(&self) -> Result<(), Failure> {
        let names = [Action::AttachUserOrGroupPolicy, Action::UpdatePolicyAssociation];
        names.into_iter().try_for_each(|name| self.not_denied(name))?;
        self.may_either(names[0], names[1])
    }

    /// Refuses who may not do to `user` what makes its rights one's own. A user may do it to itself unless that is
    /// denied; others must also be allowed to hand out policies.
    pub(super) fn may_as(&self, action: Action, user: &str) -> Result<(), Failure> {
        if self.user().as_deref() != Some(user) {
            self.may(action)?;
            return self.may_associate();
        }
        self.not_denied(action)
    }

    /// Refuses who is forbidden this.
    pub(super) fn not_denied(&self, action: Action) -> Result<(), Failure> {
        let ask = Ask::new(action, Resource::Server).sent_by(self.sender.as_ref());
        if self.program.grants.denies(&self.principal, ask) { Err(Failure::Denied) } else { Ok(()) }
    }

    /// The user whose own key signed.
    pub(super) fn user(&self) -> Option<Arc<str>> {
        let key = self.program.identity.keyring().of(&self.principal)?;
        match &key.owner {
            Owner::User(_) => Some(key.id.clone()),
            Owner::Root | Owner::Granted(_) | Owner::ServiceAccount(_) => None,
        }
    }

    /// Refuses sessions and service accounts, which are held to less than whom they act for: what they could make or
    /// change might be held to more.
    pub(super) fn acts_for_itself(&self) -> Result<(), Failure> {
        let key = self.program.identity.keyring().of(&self.principal).ok_or(Failure::Denied)?;
        match &key.owner {
            Owner::Root | Owner::User(_) | Owner::Granted(_) => Ok(()),
            Owner::ServiceAccount(_) => Err(Failure::Denied),
        }
    }
}

impl FromRequestParts<Arc<Program>> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, program: &Arc<Program>) -> Result<Self, Self::Rejection> {
        let principal = parts.extensions.get::<Principal>().cloned().unwrap_or(Principal::Anonymous);
        let sender = parts.extensions.get::<Sender>().cloned();
        Ok(Self { principal, sender, program: program.clone() })
    }
}
