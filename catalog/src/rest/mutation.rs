//! What every route that changes something takes: where, who, the body, and the idempotency key.
//!
//! The key is a UUIDv7 of 36 characters. It stands for one request: its hash covers the caller, the method, the
//! path with its query, and the body as it came.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};
use tarn_openapi::access::Principal;
use tokio::sync::OwnedSemaphorePermit;
use uuid::{Uuid, Variant};

use super::Front;
use super::access::Caller;
use super::body::{FromBody, admit, read};
use super::error::{Failure, Kind};
use super::path::Place;
use crate::Catalog;
use crate::state::{Request as Change, RequestKey};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const KEY_CHARS: usize = 36;
const KEY_VERSION: usize = 7;

/// A request that changes something.
pub(crate) struct Mutation<B> {
    pub(crate) front: Arc<Front>,
    pub(crate) caller: Caller,
    pub(crate) place: Place,
    pub(crate) headers: HeaderMap,
    pub(crate) key: Option<RequestKey>,
    pub(crate) body: B,
    /// Given back when the request is answered, or when its body is no longer held.
    pub(crate) admitted: Option<OwnedSemaphorePermit>,
}

impl<B: FromBody> FromRequest<Arc<Front>> for Mutation<B> {
    type Rejection = Failure;

    async fn from_request(request: Request, front: &Arc<Front>) -> Result<Self, Failure> {
        let (admitted, bytes_max) = match B::BYTES_MAX {
            0 => (None, 0),
            bytes_max => (Some(admit(&request, front, bytes_max)?), bytes_max),
        };
        let (mut parts, body) = request.into_parts();
        let Ok(caller) = Caller::from_request_parts(&mut parts, front).await;
        let place = Place::from_request_parts(&mut parts, front).await?;
        let key = key(&parts.headers)?;
        let bytes = if bytes_max == 0 { Bytes::new() } else { read(body, bytes_max).await? };
        let key = key.map(|key| RequestKey {
            key,
            request: hash(&parts, &bytes),
            lifetime_ms: i64::try_from(front.catalog.reply_lifetime().as_millis()).unwrap_or(i64::MAX),
        });
        let front = front.clone();
        let body = B::from_body(bytes)?;
        Ok(Self { front, caller, place, headers: parts.headers, key, body, admitted })
    }
}

fn key(headers: &HeaderMap) -> Result<Option<Uuid>, Failure> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().ok().filter(|text| text.len() == KEY_CHARS);
    let key = key.and_then(|text| Uuid::try_parse(text).ok());
    let key = key.filter(|key| key.get_version_num() == KEY_VERSION && key.get_variant() == Variant::RFC4122);
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key)),
        (Some(_) | None, Some(_) | None) => {
            Err(Failure::bad_request("Idempotency-Key is not a UUIDv7 of 36 characters"))
        }
    }
}

fn hash(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let principal = parts.extensions.get::<Principal>().unwrap_or(&Principal::Anonymous);
    let (kind, id) = owner(principal);
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    for part in [kind, id, parts.method.as_str(), target] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(body);
    hash.finalize().into()
}

/// Who asks. A session is renewed while a client tries again: what counts is whom it acts for.
fn owner(principal: &Principal) -> (&'static str, &str) {
    match principal.behind() {
        // What is behind a session is none.
        Principal::Anonymous | Principal::Session(_) => ("anonymous", ""),
        Principal::Root => ("root", ""),
        Principal::AccessKey(id) => ("key", id),
        Principal::Web(identity) => ("web", &identity.id),
    }
}

/// Who asks, as the history of the catalog names them.
pub fn author(principal: &Principal) -> Arc<str> {
    match owner(principal) {
        (kind, "") => kind.into(),
        (kind, id) => format!("{kind}:{id}").into(),
    }
}

impl Front {
    /// The catalog, whose history names the caller.
    pub(crate) fn catalog_for(&self, caller: &Caller) -> Catalog {
        self.catalog.by(author(&caller.principal))
    }

    /// The failure, kept with the key where it would be the same again as long as nothing changes.
    pub(crate) async fn refuse(&self, key: Option<RequestKey>, failure: Failure) -> Failure {
        let Some(refusal) = key.and_then(|_| failure.kind.refusal()) else { return failure };
        let message = failure.message.as_str().into();
        match self.catalog.commit_once(Change::Refuse { refusal, message }, key).await {
            Ok(_) => Failure::new(Kind::Internal, "a refusal was answered with success"),
            Err(error) => error.into(),
        }
    }
}
