//! Signs requests, as a client does: for the command line, and for the tests of the verifier.

use http::request::Parts;
use http::{HeaderName, HeaderValue};

use super::super::secret::Secret;
use super::canonical::{self, Canonical};
use super::credential::{Credential, Service};
use super::date::AmzDate;
use super::payload::UNSIGNED;
use super::signing_key::derive;
use super::verify::{self, host, sign};

/// Who signs, and in which scope.
pub struct Signer {
    pub(crate) access_key: String,
    pub(crate) secret: Secret,
    pub(crate) region: String,
    pub(crate) service: Service,
}

impl Signer {
    /// Signs for S3, which the admin API takes too.
    pub fn s3(access_key: &str, secret: Secret, region: &str) -> Self {
        Self { access_key: access_key.into(), secret, region: region.into(), service: Service::S3 }
    }

    /// Adds `x-amz-date`, `x-amz-content-sha256` (of `body`) and `Authorization`. Every header already
    /// there is signed. `now` is in seconds since the Unix epoch.
    pub fn sign(&self, request: &mut Parts, body: &[u8], now: i64) {
        let payload = hex::encode(canonical::sha256(body));
        self.sign_as(request, &payload, now);
    }

    /// The same with the value of `x-amz-content-sha256` given. Returns what chunks continue from.
    pub(crate) fn sign_as(&self, request: &mut Parts, payload: &str, now: i64) -> Option<verify::Seed> {
        let date = AmzDate::from_seconds(now)?;
        insert(request, "x-amz-date", &date.text);
        insert(request, "x-amz-content-sha256", payload);
        let mut names: Vec<&str> = request.headers.keys().map(HeaderName::as_str).collect();
        names.push("host");
        names.sort_unstable();
        names.dedup();
        let signed_headers = names.join(";");
        let credential = self.credential(&date);
        let signature = self.signature(request, &credential, &date, &signed_headers, payload)?;
        let (id, scope) = (&credential.access_key, credential.scope());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={signed_headers}, Signature={}",
            hex::encode(signature)
        );
        insert(request, "authorization", &authorization);
        let key = derive(self.secret.expose(), date.day(), &self.region, self.service.name());
        Some(verify::Seed { key, date: date.text, scope, signature })
    }

    /// Makes the request's URI a presigned one, good for `expires_seconds`.
    pub fn presign(&self, request: &mut Parts, expires_seconds: i64, now: i64) -> Option<()> {
        let date = AmzDate::from_seconds(now)?;
        let credential = self.credential(&date);
        let named = format!("{}/{}", credential.access_key, credential.scope()).replace('/', "%2F");
        let path = request.uri.path();
        let query = request.uri.query().map(|query| format!("{query}&")).unwrap_or_default();
        let text = &date.text;
        let target = format!(
            "{path}?{query}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={named}&X-Amz-Date={text}\
             &X-Amz-Expires={expires_seconds}&X-Amz-SignedHeaders=host"
        );
        request.uri = replace_target(&request.uri, &target)?;
        let signature = self.signature(request, &credential, &date, "host", UNSIGNED)?;
        let signature = hex::encode(signature);
        request.uri = replace_target(&request.uri, &format!("{target}&X-Amz-Signature={signature}"))?;
        Some(())
    }

    fn credential(&self, date: &AmzDate) -> Credential {
        Credential {
            access_key: self.access_key.clone(),
            date: date.day().into(),
            region: self.region.clone(),
            service: self.service,
        }
    }

    fn signature(
        &self,
        request: &Parts,
        credential: &Credential,
        date: &AmzDate,
        signed_headers: &str,
        payload: &str,
    ) -> Option<[u8; 32]> {
        let canonical = Canonical {
            method: request.method.as_str(),
            query: canonical::query(request.uri.query().unwrap_or_default()),
            headers: canonical::headers(&request.headers, host(request), signed_headers)?,
            signed_headers,
            payload,
        };
        let (path, _) = canonical::paths(self.service, request.uri.path());
        let key = derive(self.secret.expose(), date.day(), &self.region, self.service.name());
        Some(sign(&key, &date.text, &credential.scope(), canonical.hash(&path)))
    }
}

fn insert(request: &mut Parts, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        request.headers.insert(name, value);
    }
}

fn replace_target(uri: &http::Uri, target: &str) -> Option<http::Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().ok()?);
    http::Uri::from_parts(parts).ok()
}
