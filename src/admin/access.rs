//! Only who may do it passes (A1).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tarn_catalog::Catalog;
use tarn_catalog::rest::author;
use tarn_openapi::access::{Action, Ask, Principal, Resource, Sender};

use super::error::Failure;
use crate::server::Program;

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

    /// Refuses who may not do this there.
    pub(super) fn may_on(&self, action: Action, resource: Resource<'_>) -> Result<(), Failure> {
        let ask = Ask::new(action, resource).sent_by(self.sender.as_ref());
        self.program.authorize.authorize(&self.principal, ask).map_err(|_| Failure::Denied)
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
