//! May the caller do this? Asked before the domain is, so that a refusal tells nothing of what
//! exists.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tarn_openapi::access::{Action, Ask, Principal, Resource, Sender};

use super::Front;
use super::error::{Failure, Kind};
use super::path::Place;

/// Who sent the request. A request without a principal is anonymous.
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    sender: Option<Sender>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let principal = parts.extensions.get::<Principal>().cloned().unwrap_or(Principal::Anonymous);
        Ok(Self { principal, sender: parts.extensions.get::<Sender>().cloned() })
    }
}

impl Front {
    /// May this stranger send a body at all? The known are asked once their body says what it wants.
    pub(crate) fn allow_to_send(&self, principal: Option<&Principal>) -> Result<(), Failure> {
        match principal {
            Some(Principal::Root | Principal::AccessKey(_) | Principal::Session(_) | Principal::Web(_)) => {
                Ok(())
            }
            Some(Principal::Anonymous) | None => {
                let nobody = Caller { principal: Principal::Anonymous, sender: None };
                self.allow(&nobody, Action::GetConfig, Resource::Server)
            }
        }
    }

    pub(crate) fn allow(
        &self,
        caller: &Caller,
        action: Action,
        resource: Resource<'_>,
    ) -> Result<(), Failure> {
        let ask = Ask::new(action, resource).sent_by(caller.sender.as_ref());
        match (self.authorize.authorize(&caller.principal, ask), &caller.principal) {
            (Ok(()), _) => Ok(()),
            (Err(_denied), Principal::Anonymous) => {
                Err(Failure::new(Kind::NotAuthorized, "the request carries no credentials"))
            }
            (
                Err(denied),
                Principal::Root | Principal::AccessKey(_) | Principal::Session(_) | Principal::Web(_),
            ) => Err(Failure::new(Kind::Forbidden, denied.to_string())),
        }
    }

    pub(crate) fn allow_namespace(
        &self,
        caller: &Caller,
        action: Action,
        place: &Place,
    ) -> Result<(), Failure> {
        self.allow(caller, action, Resource::Namespace(&place.warehouse, &place.levels))
    }

    pub(crate) fn allow_view(&self, caller: &Caller, action: Action, place: &Place) -> Result<(), Failure> {
        self.allow(caller, action, Resource::View(&place.warehouse, &place.levels, &place.name))
    }

    pub(crate) fn allow_table(&self, caller: &Caller, action: Action, place: &Place) -> Result<(), Failure> {
        self.allow(caller, action, Resource::Table(&place.warehouse, &place.levels, &place.name))
    }
}
