//! Vends credentials to the catalog: sessions within the files of a table.

use std::sync::Arc;

use http::HeaderValue;
use tarn_openapi::access::{Principal, Restriction, TableFiles};
use tarn_openapi::vend::{Credentials, SignOrder, Vend, VendError};

use super::super::sigv4::payload::UNSIGNED;
use super::super::sigv4::sign::Signer;
use super::super::sigv4::verify::SKEW_SECONDS_MAX;
use super::{IssueError, Order, Sessions, Use};

/// Vends sessions of one lifetime.
pub struct Vendor {
    sessions: Arc<Sessions>,
    lifetime_seconds: i64,
}

impl Vendor {
    /// Vends credentials that are good for `lifetime_seconds`.
    pub fn new(sessions: Arc<Sessions>, lifetime_seconds: i64) -> Self {
        assert!(lifetime_seconds > 0, "a lifetime is checked where settings are read");
        Self { sessions, lifetime_seconds }
    }
}

impl Vend for Vendor {
    fn vend(
        &self,
        principal: &Principal,
        files: Arc<TableFiles>,
        now: i64,
    ) -> Result<Credentials, VendError> {
        let order = Order {
            parent: principal.clone(),
            restriction: Restriction::Files(files),
            lifetime_seconds: self.lifetime_seconds,
            purpose: Use::Signing,
            ticket: None,
        };
        let made = self.sessions.issue(order, now).map_err(vend_error)?;
        Ok(Credentials {
            id: made.id,
            secret: made.secret.expose().to_owned(),
            token: made.token.expose().to_owned(),
            expires_ms: made.expires.saturating_mul(1000),
        })
    }

    fn sign(
        &self,
        principal: &Principal,
        files: Arc<TableFiles>,
        order: &SignOrder<'_>,
        now: i64,
    ) -> Result<Vec<(String, String)>, VendError> {
        let restriction = Restriction::Files(files);
        let parent = principal.clone();
        let order_of = Order {
            parent,
            restriction,
            lifetime_seconds: SKEW_SECONDS_MAX,
            purpose: Use::Signing,
            ticket: None,
        };
        let made = self.sessions.issue(order_of, now).map_err(vend_error)?;
        let mut request = http::Request::builder().method(order.method).uri(order.uri);
        request = request.header("x-amz-security-token", made.token.expose());
        let mut payload = UNSIGNED;
        for (name, value) in order.headers.iter().filter(|(name, _)| name.starts_with("x-amz-")) {
            match name.as_str() {
                "x-amz-content-sha256" => payload = value,
                // Made here.
                "x-amz-date" | "x-amz-security-token" => {}
                _ => request = request.header(name, value),
            }
        }
        let (mut parts, ()) = request.body(()).map_err(|_| VendError::Unsignable)?.into_parts();
        let signer = Signer::s3(&made.id, made.secret, order.region);
        signer.sign_as(&mut parts, payload, now).ok_or(VendError::Unsignable)?;
        // What the client sends itself is not told again: some clients would send it twice.
        let sent = |name: &str| order.headers.iter().any(|(sent, _)| sent == name && name != "x-amz-date");
        let added = parts.headers.iter().filter(|(name, _)| !sent(name.as_str()));
        Ok(added.map(|(name, value)| (name.to_string(), text(value))).collect())
    }

    fn epoch(&self, principal: &Principal, now: i64) -> Option<String> {
        // Credentials begun in an epoch of half their lifetime have the other half before them when it ends.
        let half = self.lifetime_seconds / 2;
        // A session ends when it ends, whatever the lifetime here.
        let key = self.sessions.keyring.of(principal).filter(|_| half > 0)?;
        Some(format!("{}-{}", hex::encode(self.sessions.fingerprint(&key)), now.div_euclid(half)))
    }
}

fn vend_error(error: IssueError) -> VendError {
    match error {
        IssueError::NoParent => VendError::NoKey,
        IssueError::TooLarge => VendError::TooLong,
        IssueError::Random => VendError::Failed,
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use tarn_openapi::access::{PrefixAccess, Session};

    use super::super::super::key::AccessKey;
    use super::super::super::keyring::Keyring;
    use super::super::super::secret::Secret;
    use super::super::tests::files;
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn vendor(secret: &str) -> Vendor {
        let keyring = Keyring::new(AccessKey::root("root", Secret::new(secret.into())));
        Vendor::new(Arc::new(Sessions::new(&[7; 32], Arc::new(keyring))), 3600)
    }

    #[test]
    fn an_epoch_ends_half_a_lifetime_before_its_credentials_do_and_with_the_key() {
        let vendor_of = vendor("secret-1");
        let epoch = |at| vendor_of.epoch(&Principal::Root, at).unwrap();
        assert_eq!(epoch(NOW), epoch(NOW + 1799));
        assert_ne!(epoch(NOW), epoch(NOW + 1800));
        assert_ne!(Some(epoch(NOW)), vendor("secret-2").epoch(&Principal::Root, NOW));
        let restriction = Restriction::Files(files("t", PrefixAccess::Read));
        let session =
            Session { id: "s".into(), parent: Principal::Root, restriction, expires: NOW + 60, ticket: None };
        assert_eq!(vendor_of.epoch(&Principal::Session(session.into()), NOW), None);
    }

    #[test]
    fn credentials_do_not_print() {
        let files = files("t", PrefixAccess::Read);
        let made = vendor("secret-1").vend(&Principal::Root, files, NOW).unwrap();
        assert_eq!(made.expires_ms, (NOW + 3600) * 1000);
        let printed = format!("{made:?}");
        assert!(!printed.contains(&made.secret) && !printed.contains(&made.token), "{printed}");
    }
}
