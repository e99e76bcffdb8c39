//! Checks a signature.
//!
//! - V1: a request counts as signed only when the HMAC over its canonical form equals the one sent,
//!   compared in constant time.
//! - V2: `host` and every `x-amz-*` header of the request are covered by the signature.
//! - V3: a signature is good for 15 minutes around its date; a presigned one from its date for the
//!   time it names, at most 7 days.
//!
//! Only decides; reading the body is `body/`, who may do what is `policy.rs`.

use http::request::Parts;
use ring::hmac;
use subtle::ConstantTimeEq as _;

use super::super::error::AuthError;
use super::super::secret::Secret;
use super::canonical::{self, Canonical};
use super::presented::{Place, Presented};
use super::signing_key::SigningKeys;

/// How far the clocks may be apart, in seconds.
pub(crate) const SKEW_SECONDS_MAX: i64 = 15 * 60;
/// How long a presigned URL may be good, in seconds.
pub(crate) const EXPIRES_SECONDS_MAX: i64 = 7 * 24 * 60 * 60;

/// What the signatures of chunks continue from.
#[derive(Clone)]
pub(crate) struct Seed {
    pub(crate) key: hmac::Key,
    pub(crate) date: String,
    pub(crate) scope: String,
    pub(crate) signature: [u8; 32],
}

/// Checks the time (V3) before anything is computed.
pub(crate) fn check_time(presented: &Presented, now: i64) -> Result<(), AuthError> {
    let signed = presented.date.seconds;
    match presented.place {
        Place::Header if (now - signed).abs() > SKEW_SECONDS_MAX => Err(AuthError::Skewed),
        Place::Header => Ok(()),
        Place::Query { expires_seconds } => {
            if !(1..=EXPIRES_SECONDS_MAX).contains(&expires_seconds) {
                return Err(AuthError::MalformedQuery("X-Amz-Expires must be 1 to 604800 seconds"));
            }
            if signed - now > SKEW_SECONDS_MAX {
                return Err(AuthError::Skewed);
            }
            if now > signed + expires_seconds { Err(AuthError::Expired) } else { Ok(()) }
        }
    }
}

/// Checks that a request whose payload text is known is signed with `secret` (V1, V2).
pub(crate) fn check_signature(
    presented: &Presented,
    request: &Parts,
    secret: &Secret,
    keys: &SigningKeys,
) -> Result<Seed, AuthError> {
    check_coverage(presented, request)?;
    let host = host(request);
    let headers = canonical::headers(&request.headers, host, &presented.signed_headers);
    let canonical = Canonical {
        method: request.method.as_str(),
        query: canonical::query(request.uri.query().unwrap_or_default()),
        headers: headers.ok_or(AuthError::SignatureMismatch)?,
        signed_headers: &presented.signed_headers,
        payload: &presented.payload_text,
    };
    let signing = keys.get(secret, &presented.credential);
    let scope = presented.credential.scope();
    let date = &presented.date.text;
    let (first, second) = canonical::paths(presented.credential.service, request.uri.path());
    for path in std::iter::once(first).chain(second) {
        let signature = sign(&signing, date, &scope, canonical.hash(&path));
        if bool::from(signature.ct_eq(&presented.signature)) {
            keys.keep(secret, &presented.credential, &signing);
            return Ok(Seed { key: signing, date: date.clone(), scope, signature });
        }
    }
    Err(AuthError::SignatureMismatch)
}

/// The HMAC over the string to sign.
pub(crate) fn sign(key: &hmac::Key, date: &str, scope: &str, canonical: [u8; 32]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for text in ["AWS4-HMAC-SHA256\n", date, "\n", scope, "\n", &hex::encode(canonical)] {
        context.update(text.as_bytes());
    }
    tag(context)
}

/// The HMAC as an array.
pub(crate) fn tag(context: hmac::Context) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.sign().as_ref());
    bytes
}

/// The request's host with its port, as the client named it.
pub(crate) fn host(request: &Parts) -> Option<&str> {
    match request.headers.get(http::header::HOST) {
        Some(host) => host.to_str().ok(),
        None => request.uri.authority().map(|authority| authority.as_str()),
    }
}

/// Checks what can be seen before the body: that the signature covers what it must (V2), and that the headers it
/// names are there.
pub(crate) fn check_headers(presented: &Presented, request: &Parts) -> Result<(), AuthError> {
    check_coverage(presented, request)?;
    let headers = canonical::headers(&request.headers, host(request), &presented.signed_headers);
    headers.map(|_| ()).ok_or(AuthError::SignatureMismatch)
}

/// V2. A presigned URL says what the body's hash is in its query, so that header is not asked of it.
fn check_coverage(presented: &Presented, request: &Parts) -> Result<(), AuthError> {
    for name in request.headers.keys() {
        let name = name.as_str();
        let free = name == "x-amz-content-sha256" && presented.place != Place::Header;
        let covered = || presented.signed_headers.split(';').any(|signed| signed == name);
        if name.starts_with("x-amz-") && !free && !covered() {
            return Err(AuthError::Unsigned(name.into()));
        }
    }
    Ok(())
}
