//! Only administrators pass (A1).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tarn_openapi::access::{Action, Principal, Resource};

use super::error::Failure;
use crate::server::Program;

/// Proof that the sender may administer. Each handler takes it first.
pub(super) struct Administrator;

impl FromRequestParts<Arc<Program>> for Administrator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, program: &Arc<Program>) -> Result<Self, Failure> {
        let principal = parts.extensions.get::<Principal>().unwrap_or(&Principal::Anonymous);
        match program.authorize.authorize(principal, Action::Admin, Resource::Server) {
            Ok(()) => Ok(Self),
            Err(_) => Err(Failure::Denied),
        }
    }
}
