//! May the caller do this? Asked before the domain is, so that a refusal tells nothing of what
//! exists.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tarn_openapi::access::{Action, Principal, Resource};

use super::Front;
use super::error::{Failure, Kind};
use super::path::Place;

/// Who sent the request. A request without a principal is anonymous.
pub(crate) struct Caller(Principal);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Principal>().cloned().unwrap_or(Principal::Anonymous)))
    }
}

impl Front {
    /// May this stranger send a body at all? The known are asked once their body says what it wants.
    pub(crate) fn allow_to_send(&self, principal: Option<&Principal>) -> Result<(), Failure> {
        match principal {
            Some(Principal::Root | Principal::AccessKey(_) | Principal::Session(_)) => Ok(()),
            Some(Principal::Anonymous) | None => {
                self.allow(&Caller(Principal::Anonymous), Action::CatalogRead, Resource::Server)
            }
        }
    }

    pub(crate) fn allow(
        &self,
        caller: &Caller,
        action: Action,
        resource: Resource<'_>,
    ) -> Result<(), Failure> {
        match (self.authorize.authorize(&caller.0, action, resource), &caller.0) {
            (Ok(()), _) => Ok(()),
            (Err(_denied), Principal::Anonymous) => {
                Err(Failure::new(Kind::NotAuthorized, "the request carries no credentials"))
            }
            (Err(denied), Principal::Root | Principal::AccessKey(_) | Principal::Session(_)) => {
                Err(Failure::new(Kind::Forbidden, denied.to_string()))
            }
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

    pub(crate) fn allow_table(&self, caller: &Caller, action: Action, place: &Place) -> Result<(), Failure> {
        self.allow(caller, action, Resource::Table(&place.warehouse, &place.levels, &place.name))
    }
}
