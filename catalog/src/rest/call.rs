//! What a route that reads takes: the front, who asks, and where.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::Front;
use super::access::Caller;
use super::error::Failure;
use super::path::Place;

/// A request that reads, also of the past.
pub(crate) struct Call {
    pub(crate) front: Arc<Front>,
    pub(crate) caller: Caller,
    pub(crate) place: Place,
}

impl FromRequestParts<Arc<Front>> for Call {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, front: &Arc<Front>) -> Result<Self, Failure> {
        let Ok(caller) = Caller::from_request_parts(parts, front).await;
        let place = Place::read(parts, front).await?;
        Ok(Self { front: front.clone(), caller, place })
    }
}
