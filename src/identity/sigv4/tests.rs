//! AWS's published examples ("Signature calculations", S3 API reference), and what must be refused.

use http::{Method, Request, request::Parts};
use proptest::prelude::*;

use super::canonical::sha256;
use super::credential::Service;
use super::date::AmzDate;
use super::payload::{EMPTY_SHA256, Payload, UNSIGNED};
use super::presented::{self, Presented};
use super::sign::Signer;
use super::signing_key::SigningKeys;
use super::verify::{self, EXPIRES_SECONDS_MAX, SKEW_SECONDS_MAX};
use crate::identity::error::AuthError;
use crate::identity::key::AccessKey;
use crate::identity::secret::Secret;

pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const HOST: &str = "examplebucket.s3.amazonaws.com";

pub(crate) fn now() -> i64 {
    AmzDate::parse("20130524T000000Z").unwrap().seconds
}

pub(crate) fn example_key() -> AccessKey {
    AccessKey::root(ID, Secret::new(SECRET.into()))
}

pub(crate) fn signer() -> Signer {
    Signer::s3(ID, Secret::new(SECRET.into()), "us-east-1")
}

pub(crate) fn parts(method: Method, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// Reads and checks a request as the middleware does.
pub(crate) fn check(request: &Parts, now: i64) -> Result<Presented, AuthError> {
    let authorization = request.headers.get("authorization").map(|value| value.to_str().unwrap());
    let presented = match authorization {
        Some(authorization) => presented::from_header(authorization, &request.headers)?,
        None => presented::from_query(request.uri.query().unwrap_or_default())?,
    };
    verify::check_time(&presented, now)?;
    verify::check_signature(&presented, request, &example_key().secret, &SigningKeys::default())?;
    Ok(presented)
}

fn authorization(signed_headers: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={ID}/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed_headers},Signature={signature}"
    )
}

fn get(uri: &str, signature: &str) -> Parts {
    let authorization = authorization("host;x-amz-content-sha256;x-amz-date", signature);
    let headers = [
        ("host", HOST),
        ("x-amz-content-sha256", EMPTY_SHA256),
        ("x-amz-date", "20130524T000000Z"),
        ("authorization", authorization.as_str()),
    ];
    parts(Method::GET, uri, &headers)
}

#[test]
fn the_published_get_object_example_verifies() {
    let authorization = authorization(
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
    let headers = [
        ("host", HOST),
        ("range", "bytes=0-9"),
        ("x-amz-content-sha256", EMPTY_SHA256),
        ("x-amz-date", "20130524T000000Z"),
        ("authorization", authorization.as_str()),
    ];
    assert!(check(&parts(Method::GET, "/test.txt", &headers), now()).is_ok());
}

#[test]
fn the_published_put_object_example_verifies() {
    let authorization = authorization(
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    let hash = hex::encode(sha256(b"Welcome to Amazon S3."));
    let headers = [
        ("host", HOST),
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-content-sha256", hash.as_str()),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("authorization", authorization.as_str()),
    ];
    assert!(check(&parts(Method::PUT, "/test$file.text", &headers), now()).is_ok());
}

#[test]
fn the_published_bucket_examples_verify() {
    let lifecycle = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
    let list = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    assert!(check(&get("/?lifecycle", lifecycle), now()).is_ok());
    assert!(check(&get("/?max-keys=2&prefix=J", list), now()).is_ok());
    assert_eq!(check(&get("/?max-keys=3&prefix=J", list), now()).unwrap_err(), AuthError::SignatureMismatch);
}

const PRESIGNED: &str = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
    &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

#[test]
fn the_published_presigned_example_verifies_until_it_expires() {
    let request = parts(Method::GET, PRESIGNED, &[("host", HOST)]);
    assert_eq!(check(&request, now()).unwrap().payload, Payload::Unsigned);
    assert!(check(&request, now() + 86_400).is_ok());
    assert_eq!(check(&request, now() + 86_401).unwrap_err(), AuthError::Expired);
    assert_eq!(check(&request, now() - SKEW_SECONDS_MAX - 1).unwrap_err(), AuthError::Skewed);
    let other_method = parts(Method::PUT, PRESIGNED, &[("host", HOST)]);
    assert_eq!(check(&other_method, now()).unwrap_err(), AuthError::SignatureMismatch);
}

#[test]
fn a_presigned_url_of_more_than_a_week_is_refused() {
    let mut request = parts(Method::GET, "/b/k", &[("host", HOST)]);
    signer().presign(&mut request, EXPIRES_SECONDS_MAX + 1, now()).unwrap();
    assert!(matches!(check(&request, now()), Err(AuthError::MalformedQuery(_))));
    let mut request = parts(Method::GET, "/b/k?partNumber=1", &[("host", HOST)]);
    signer().presign(&mut request, EXPIRES_SECONDS_MAX, now()).unwrap();
    assert!(check(&request, now()).is_ok());
}

#[test]
fn a_header_that_changes_the_meaning_must_be_signed() {
    let mut request = parts(Method::PUT, "/b/k", &[("host", HOST)]);
    signer().sign(&mut request, b"", now());
    request.headers.insert("x-amz-copy-source", "/secret/key".parse().unwrap());
    assert_eq!(check(&request, now()).unwrap_err(), AuthError::Unsigned("x-amz-copy-source".into()));
    let mut request = parts(Method::PUT, "/b/k", &[("host", HOST)]);
    signer().presign(&mut request, 60, now()).unwrap();
    request.headers.insert("x-amz-acl", "public-read".parse().unwrap());
    assert_eq!(check(&request, now()).unwrap_err(), AuthError::Unsigned("x-amz-acl".into()));
}

#[test]
fn host_must_be_signed_and_keeps_its_port() {
    let text = authorization("x-amz-content-sha256;x-amz-date", &"0".repeat(64));
    let headers =
        [("x-amz-content-sha256", UNSIGNED), ("x-amz-date", "20130524T000000Z"), ("authorization", &text)];
    let refused = check(&parts(Method::GET, "/", &headers), now()).unwrap_err();
    assert_eq!(refused, AuthError::MalformedHeader("host must be a signed header"));
    let mut request = parts(Method::GET, "/", &[("host", "127.0.0.1:9000")]);
    signer().sign(&mut request, b"", now());
    assert!(check(&request, now()).is_ok());
    request.headers.insert("host", "127.0.0.1".parse().unwrap());
    assert_eq!(check(&request, now()).unwrap_err(), AuthError::SignatureMismatch);
}

#[test]
fn cve_2025_68671_a_request_outside_the_clock_skew_is_refused() {
    let mut request = parts(Method::GET, "/", &[("host", HOST)]);
    signer().sign(&mut request, b"", now());
    for skew in [SKEW_SECONDS_MAX, -SKEW_SECONDS_MAX] {
        assert!(check(&request, now() + skew).is_ok());
        assert_eq!(check(&request, now() + skew + skew.signum()).unwrap_err(), AuthError::Skewed);
    }
}

#[test]
fn every_served_scope_verifies_with_its_own_path_rule() {
    let services = [
        Service::S3,
        Service::S3Express,
        Service::S3Tables,
        Service::Sts,
        Service::ExecuteApi,
        Service::Glue,
    ];
    for service in services {
        let signer = Signer { service, ..signer() };
        let mut request = parts(Method::GET, "/_iceberg/v1/namespaces/a%1Fb?x=%2F", &[("host", HOST)]);
        signer.sign(&mut request, b"", now());
        assert!(check(&request, now()).is_ok(), "{}", service.name());
    }
}

#[test]
fn a_signature_for_one_key_does_not_open_its_encoded_twin() {
    let mut request = parts(Method::GET, "/b/a%252525", &[("host", HOST)]);
    signer().sign(&mut request, b"", now());
    assert!(check(&request, now()).is_ok());
    for twin in ["/b/a%2525", "/b/a%25252525", "/b/a%25"] {
        request.uri = twin.parse().unwrap();
        assert_eq!(check(&request, now()).unwrap_err(), AuthError::SignatureMismatch, "{twin}");
    }
}

#[test]
fn other_mechanisms_are_named_as_such() {
    for text in [
        "AWS AKID:c2lnbmF0dXJl",
        "AWS4-ECDSA-P256-SHA256 Credential=a",
        "Basic YTpi",
        "AWS4-HMAC-SHA256x a=b",
    ] {
        let refused = presented::from_header(text, &http::HeaderMap::new()).unwrap_err();
        assert_eq!(refused, AuthError::UnsupportedMechanism, "{text}");
    }
}

proptest! {
    #[test]
    fn reading_an_authorization_header_never_panics(
        text in "(AWS4-HMAC-SHA256 )?(Credential=|SignedHeaders=|Signature=|[a-z/;,= ]|\\PC){0,30}",
        date in "\\PC{0,20}",
        hash in "\\PC{0,70}",
    ) {
        let mut headers = http::HeaderMap::new();
        if let (Ok(date), Ok(hash)) = (date.parse(), hash.parse()) {
            headers.insert("x-amz-date", date);
            headers.insert("x-amz-content-sha256", hash);
        }
        let _ = presented::from_header(&text, &headers);
    }

    #[test]
    fn reading_a_presigned_query_never_panics(query in "(X-Amz-(Algorithm|Credential|Date|Expires|Signature)=|[%&=+0-9A-Fa-z/]){0,60}") {
        let _ = presented::from_query(&query);
        let _ = super::canonical::query(&query);
    }

    #[test]
    fn what_is_signed_verifies_and_what_is_changed_does_not(
        path in "/[a-zA-Z0-9._~ /+=%$-]{0,40}",
        change in 0usize..40,
    ) {
        let encoded = percent_encoding::utf8_percent_encode(&path, percent_encoding::CONTROLS).to_string();
        let encoded = encoded.replace(' ', "%20");
        let Ok(uri) = encoded.parse::<http::Uri>() else { return Ok(()) };
        let mut request = parts(Method::GET, "/", &[("host", HOST)]);
        request.uri = uri;
        signer().sign(&mut request, b"", now());
        prop_assert!(check(&request, now()).is_ok());
        let mut signature = request.headers["authorization"].to_str().unwrap().as_bytes().to_vec();
        let at = signature.len() - 1 - change;
        signature[at] = if signature[at] == b'0' { b'1' } else { b'0' };
        request.headers.insert("authorization", http::HeaderValue::from_bytes(&signature).unwrap());
        prop_assert_eq!(check(&request, now()).unwrap_err(), AuthError::SignatureMismatch);
    }
}
