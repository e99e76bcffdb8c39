//! The middleware as a front behind it sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::{Extension, Router, middleware};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream;
use http::{Request, StatusCode, request::Parts};
use http_body_util::BodyExt as _;
use tarn_objectcore::Memory;
use tarn_openapi::access::{Prefix, PrefixAccess, Principal, Restriction};
use tarn_openapi::request::Authenticated;
use tarn_openapi::vend::{SignOrder, Vend as _};
use tower::ServiceExt as _;

use super::key::AccessKey;
use super::session::tests::files;
use super::session::{Order, Temporary, Use, Vendor};
use super::sigv4::canonical::sha256;
use super::sigv4::credential::Service;
use super::sigv4::payload::UNSIGNED;
use super::sigv4::sign::Signer;
use super::{Identity, Keyring, Secret, Sessions, authenticate, oauth};

const ID: &str = "test-root";
const SECRET: &str = "test-root-secret";
const HOST: &str = "127.0.0.1:9000";

/// Answers who sent the request and how many bytes came.
async fn front(
    Extension(who): Extension<Principal>,
    Extension(how): Extension<Authenticated>,
    body: Body,
) -> (StatusCode, String) {
    match body.collect().await {
        Ok(body) => (StatusCode::OK, format!("{who:?} {how:?} {}", body.to_bytes().len())),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    }
}

fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::new(AccessKey::root(ID, Secret::new(SECRET.into()))))
}

fn sessions() -> Arc<Sessions> {
    Arc::new(Sessions::new(&[2; 32], keyring()))
}

fn program() -> Router {
    let keyring = keyring();
    program_within(keyring, Arc::new(Memory::new(64 << 20, Duration::from_secs(5))))
}

fn program_within(keyring: Arc<Keyring>, memory: Arc<Memory>) -> Router {
    let tokens = oauth::Tokens::new(&[1; 32]);
    let identity = Arc::new(Identity::new(keyring, Some(tokens), Some(sessions()), memory));
    let authenticated = middleware::from_fn_with_state(identity.clone(), authenticate);
    Router::new().fallback(front).layer(authenticated).merge(oauth::router(identity))
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn signer(service: Service) -> Signer {
    Signer { service, ..Signer::s3(ID, Secret::new(SECRET.into()), "any-region") }
}

fn unsigned(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(path).header("host", HOST);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

async fn send(parts: Parts, body: impl Into<Bytes>) -> (StatusCode, String) {
    let response = program().oneshot(Request::from_parts(parts, Body::from(body.into()))).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_signed_request_reaches_its_front_with_its_principal_and_body() {
    let mut parts = unsigned("PUT", "/bucket/key", &[]);
    signer(Service::S3).sign(&mut parts, b"hello", now());
    assert_eq!(send(parts, "hello").await, (StatusCode::OK, "Root SignedHeader 5".into()));
    let mut parts = unsigned("GET", "/bucket/key", &[]);
    signer(Service::S3).presign(&mut parts, 60, now()).unwrap();
    assert_eq!(send(parts, "").await.1, "Root SignedQuery 0");
    assert_eq!(send(unsigned("GET", "/bucket/key", &[]), "").await.1, "Anonymous Anonymous 0");
}

/// Java's signer moves an OAuth token that it finds in the way to this header.
#[tokio::test]
async fn an_oauth_token_beside_a_signature_changes_nothing() {
    let mut parts = unsigned("GET", "/_iceberg/v1/config", &[("original-authorization", "Bearer whatever")]);
    signer(Service::S3).sign(&mut parts, b"", now());
    assert_eq!(send(parts, "").await, (StatusCode::OK, "Root SignedHeader 0".into()));
}

#[tokio::test]
async fn another_body_than_the_signed_one_is_refused() {
    let mut parts = unsigned("PUT", "/bucket/key", &[]);
    signer(Service::S3).sign(&mut parts, b"hello", now());
    let (status, text) = send(parts.clone(), "hellO").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("x-amz-content-sha256"), "{text}");
    let (status, text) = send(parts, "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("<Code>XAmzContentSHA256Mismatch</Code>"), "{text}");
}

#[tokio::test]
async fn other_services_sign_the_body_without_its_hash_in_a_header_or_with_it_in_base64() {
    let body = br#"{"namespace":["a"]}"#;
    let path = "/_iceberg/v1/main/namespaces/a%1Fb";
    let hash = sha256(body);
    let mut parts = unsigned("POST", path, &[]);
    signer(Service::S3Tables).sign(&mut parts, body, now());
    // Signed again without the header, as botocore does.
    let absent = resign(&parts, &hex::encode(hash), None);
    assert_eq!(send(absent.clone(), &body[..]).await, (StatusCode::OK, "Root SignedHeader 19".into()));
    assert_eq!(send(absent, "other").await.0, StatusCode::UNAUTHORIZED);
    // As the Java Iceberg client does: base64 in the header, hexadecimal in what is signed.
    let base64 = resign(&parts, &hex::encode(hash), Some(&STANDARD.encode(hash)));
    assert_eq!(send(base64.clone(), &body[..]).await.0, StatusCode::OK);
    assert_eq!(send(base64, "other").await.0, StatusCode::BAD_REQUEST);
}

/// Signs `parts` for `s3tables` with `payload` in the canonical request and `header` in its header.
fn resign(parts: &Parts, payload: &str, header: Option<&str>) -> Parts {
    use super::sigv4::canonical::{self, Canonical};
    use super::sigv4::signing_key::derive;
    let mut parts = parts.clone();
    parts.headers.remove("authorization");
    parts.headers.remove("x-amz-content-sha256");
    let mut signed_headers = "host;x-amz-date";
    if let Some(header) = header {
        parts.headers.insert("x-amz-content-sha256", header.parse().unwrap());
        signed_headers = "host;x-amz-content-sha256;x-amz-date";
    }
    let date = parts.headers["x-amz-date"].to_str().unwrap().to_owned();
    let canonical = Canonical {
        method: parts.method.as_str(),
        query: String::new(),
        headers: canonical::headers(&parts.headers, Some(HOST), signed_headers).unwrap(),
        signed_headers,
        payload,
    };
    let scope = format!("{}/any-region/s3tables/aws4_request", &date[..8]);
    let key = derive(SECRET, &date[..8], "any-region", "s3tables");
    let hash = canonical.hash(&canonical::paths(Service::S3Tables, parts.uri.path()).0);
    let signature = hex::encode(super::sigv4::verify::sign(&key, &date, &scope, hash));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ID}/{scope}, SignedHeaders={signed_headers}, Signature={signature}"
    );
    parts.headers.insert("authorization", authorization.parse().unwrap());
    parts
}

async fn refusal(parts: Parts) -> String {
    let (status, text) = send(parts, "body").await;
    assert!(status.is_client_error(), "{status} {text}");
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map(|(code, _)| code.to_owned()).unwrap_or(text)
}

#[tokio::test]
async fn cve_2026_41145_credentials_in_the_query_do_not_mix_with_chunked_bodies_or_a_header() {
    let streaming = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    let path = format!("/b/k?X-Amz-Content-Sha256={streaming}");
    let mut parts = unsigned("PUT", &path, &[]);
    signer(Service::S3).presign(&mut parts, 60, now()).unwrap();
    assert_eq!(refusal(parts).await, "AuthorizationQueryParametersError");
    let mut parts = unsigned("PUT", "/b/k", &[]);
    signer(Service::S3).presign(&mut parts, 60, now()).unwrap();
    let mut signed = unsigned("PUT", "/b/k", &[]);
    signer(Service::S3).sign_as(&mut signed, UNSIGNED, now()).unwrap();
    parts.headers = signed.headers;
    assert_eq!(refusal(parts).await, "InvalidRequest");
}

#[tokio::test]
async fn cve_2026_40344_an_unsigned_trailer_still_needs_a_signed_request() {
    let headers = [("x-amz-decoded-content-length", "5")];
    let mut parts = unsigned("PUT", "/b/k", &headers);
    signer(Service::S3).sign_as(&mut parts, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", now()).unwrap();
    let good = send(parts.clone(), "5\r\nhello\r\n0\r\n\r\n").await;
    assert_eq!(good, (StatusCode::OK, "Root SignedHeader 5".into()));
    let signed = parts.headers["authorization"].to_str().unwrap().to_owned();
    let forged = signed[..signed.len() - 64].to_owned() + &"0".repeat(64);
    parts.headers.insert("authorization", forged.parse().unwrap());
    assert_eq!(refusal(parts).await, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn each_refusal_has_its_own_code() {
    let sign = |headers: &[(&str, &str)], seconds: i64| {
        let mut parts = unsigned("PUT", "/b/k", headers);
        signer(Service::S3).sign(&mut parts, b"body", now() + seconds);
        parts
    };
    assert_eq!(refusal(sign(&[], -3600)).await, "RequestTimeTooSkewed");
    assert_eq!(refusal(sign(&[("x-amz-security-token", "t")], 0)).await, "InvalidToken");
    let mut unknown = unsigned("PUT", "/b/k", &[]);
    Signer::s3("nobody", Secret::new(SECRET.into()), "r").sign(&mut unknown, b"body", now());
    assert_eq!(refusal(unknown).await, "InvalidAccessKeyId");
    let mut wrong = unsigned("PUT", "/b/k", &[]);
    Signer::s3(ID, Secret::new("another-secret".into()), "r").sign(&mut wrong, b"body", now());
    assert_eq!(refusal(wrong).await, "SignatureDoesNotMatch");
    let mut unsigned_header = sign(&[], 0);
    unsigned_header.headers.insert("x-amz-copy-source", "/a/b".parse().unwrap());
    assert_eq!(refusal(unsigned_header).await, "AccessDenied");
    let mut no_hash = sign(&[], 0);
    no_hash.headers.remove("x-amz-content-sha256");
    assert_eq!(refusal(no_hash.clone()).await, "InvalidRequest");
    // S3's own words: they are what people search for.
    let (_, text) = send(no_hash, "body").await;
    assert!(text.contains("Missing required header for this request: x-amz-content-sha256"), "{text}");
    for (header, code) in [
        ("AWS AKID:c2ln", "InvalidRequest"),
        ("Bearer token", "InvalidRequest"),
        ("AWS4-HMAC-SHA256 nonsense", "AuthorizationHeaderMalformed"),
    ] {
        assert_eq!(refusal(unsigned("PUT", "/b/k", &[("authorization", header)])).await, code, "{header}");
    }
    assert_eq!(
        refusal(unsigned("GET", "/b/k?AWSAccessKeyId=a&Signature=b&Expires=1", &[])).await,
        "InvalidRequest"
    );
    let mut no_length = unsigned("PUT", "/b/k", &[]);
    signer(Service::S3).sign_as(&mut no_length, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", now()).unwrap();
    assert_eq!(refusal(no_length).await, "MissingContentLength");
}

#[tokio::test]
async fn refusals_speak_the_protocol_of_the_path() {
    for (path, mark) in [
        ("/_iceberg/v1/config", "\"type\":\"NotAuthorizedException\""),
        ("/iceberg/v1/config", "\"type\":\"NotAuthorizedException\""),
        ("/_admin/v1/keys", "\"code\":\"AccessDenied\""),
    ] {
        let (status, text) = send(unsigned("GET", path, &[]), "").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(text.contains(mark), "{text}");
    }
    assert_eq!(send(unsigned("GET", "/_metrics", &[]), "").await.1, "Anonymous Anonymous 0");
}

async fn token(form: &str, headers: &[(&str, &str)]) -> (StatusCode, serde_json::Value) {
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let headers = [&kind[..], headers].concat();
    let (status, text) = send(unsigned("POST", "/_iceberg/v1/oauth/tokens", &headers), form.to_owned()).await;
    (status, serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn a_token_is_issued_to_a_key_and_its_secret_and_opens_the_catalog_only() {
    let form = format!("grant_type=client_credentials&client_id={ID}&client_secret={SECRET}&scope=catalog");
    let basic = format!("Basic {}", STANDARD.encode(format!("{ID}:{SECRET}")));
    for (form, headers) in
        [(form.as_str(), &[][..]), ("grant_type=client_credentials", &[("authorization", basic.as_str())])]
    {
        let (status, answer) = token(form, headers).await;
        assert_eq!((status, &answer["token_type"]), (StatusCode::OK, &"bearer".into()));
        let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
        let headers = [("authorization", bearer.as_str())];
        assert_eq!(send(unsigned("GET", "/_iceberg/v1/x", &headers), "").await.1, "Root Bearer 0");
        assert_eq!(send(unsigned("GET", "/bucket", &headers), "").await.0, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_token_is_refused_with_the_error_of_oauth() {
    let cases = [
        ("grant_type=client_credentials&client_id=test-root&client_secret=wrong", 401, "invalid_client"),
        (
            "grant_type=client_credentials&client_id=nobody&client_secret=test-root-secret",
            401,
            "invalid_client",
        ),
        ("grant_type=client_credentials", 401, "invalid_client"),
        ("grant_type=password&username=a&password=b", 400, "unsupported_grant_type"),
        ("", 400, "unsupported_grant_type"),
    ];
    for (form, status, error) in cases {
        let (found, answer) = token(form, &[]).await;
        assert_eq!((found.as_u16(), &answer["error"]), (status, &error.into()), "{form}");
    }
}

/// Credentials of root for `b/t/`, that began `age_seconds` ago and last a minute.
fn temporary(purpose: Use, age_seconds: i64) -> Temporary {
    let prefix = Prefix::new("b", "t", PrefixAccess::Read).unwrap();
    let restriction = Restriction::Prefixes([prefix].into());
    let order = Order { parent: Principal::Root, restriction, lifetime_seconds: 60, purpose, ticket: None };
    sessions().issue(order, now() - age_seconds).unwrap()
}

fn signed_by(credentials: &Temporary, token: &str) -> Parts {
    let mut parts = unsigned("PUT", "/b/t/k", &[("x-amz-security-token", token)]);
    Signer::s3(&credentials.id, credentials.secret.clone(), "r").sign(&mut parts, b"body", now());
    parts
}

#[tokio::test]
async fn temporary_credentials_sign_in_the_header_and_in_the_query() {
    let credentials = temporary(Use::Signing, 0);
    let token = credentials.token.expose();
    let (status, text) = send(signed_by(&credentials, token), "body").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.starts_with("Session(") && text.ends_with("SignedHeader 4"), "{text}");
    let mut parts = unsigned("GET", &format!("/b/t/k?X-Amz-Security-Token={token}"), &[]);
    let signer = Signer::s3(&credentials.id, credentials.secret.clone(), "r");
    signer.presign(&mut parts, 60, now()).unwrap();
    let (status, text) = send(parts, "").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.starts_with("Session(") && text.ends_with("SignedQuery 0"), "{text}");
}

#[tokio::test]
async fn a_token_counts_only_whole_in_time_signed_and_beside_its_own_key() {
    let credentials = temporary(Use::Signing, 0);
    let token = credentials.token.expose();
    let mut changed = token.to_owned().into_bytes();
    changed[40] = if changed[40] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    assert_eq!(refusal(signed_by(&credentials, &changed)).await, "InvalidToken");
    let expired = temporary(Use::Signing, 60);
    assert_eq!(refusal(signed_by(&expired, expired.token.expose())).await, "ExpiredToken");
    // The token of one session beside the key of another, or beside a key of the keyring.
    let other = temporary(Use::Signing, 0);
    assert_eq!(refusal(signed_by(&other, token)).await, "InvalidToken");
    let mut kept = unsigned("PUT", "/b/t/k", &[("x-amz-security-token", token)]);
    signer(Service::S3).sign(&mut kept, b"body", now());
    assert_eq!(refusal(kept).await, "InvalidToken");
    // A token without the secret, not signed, in both places, without a signature, and left out.
    let forged = Temporary { secret: Secret::new("0".repeat(40)), ..temporary(Use::Signing, 0) };
    assert_eq!(refusal(signed_by(&forged, forged.token.expose())).await, "SignatureDoesNotMatch");
    let mut unsigned_token = unsigned("PUT", "/b/t/k", &[]);
    let with = Signer::s3(&credentials.id, credentials.secret.clone(), "r");
    with.sign(&mut unsigned_token, b"body", now());
    assert_eq!(refusal(unsigned_token.clone()).await, "InvalidAccessKeyId");
    unsigned_token.headers.insert("x-amz-security-token", token.parse().unwrap());
    assert_eq!(refusal(unsigned_token).await, "AccessDenied");
    let mut twice = unsigned("GET", &format!("/b/t/k?X-Amz-Security-Token={token}"), &[]);
    with.presign(&mut twice, 60, now()).unwrap();
    let mut moved = twice.clone();
    twice.headers.insert("x-amz-security-token", token.parse().unwrap());
    assert_eq!(refusal(twice).await, "InvalidToken");
    let query = moved.uri.to_string().replace(token, other.token.expose());
    moved.uri = query.parse().unwrap();
    assert_eq!(refusal(moved).await, "InvalidToken");
    assert_eq!(refusal(unsigned("GET", "/b/t/k", &[("x-amz-security-token", token)])).await, "InvalidToken");
}

#[tokio::test]
async fn a_request_signed_for_a_client_verifies_with_what_it_was_signed_for_only() {
    let vendor = Vendor::new(sessions(), 3600);
    let files = files("t", PrefixAccess::ReadWrite);
    let client =
        [("x-amz-checksum-mode", "ENABLED"), ("x-amz-content-sha256", UNSIGNED), ("range", "bytes=0-1")];
    let headers = client.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let uri = format!("http://{HOST}/b/t/a%20b?partNumber=1").parse().unwrap();
    let order = SignOrder { method: &http::Method::GET, uri: &uri, region: "r", headers: &headers };
    let added = vendor.sign(&Principal::Root, files, &order, now()).unwrap();
    let names: Vec<&str> = added.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.contains(&"x-amz-content-sha256"), "what the client sends is not told again: {names:?}");
    let signed = |path: &str, range: &str| {
        let mut parts = unsigned("GET", path, &client);
        parts.headers.insert("range", range.parse().unwrap());
        for (name, value) in &added {
            let name: http::HeaderName = name.parse().unwrap();
            parts.headers.insert(name, value.parse().unwrap());
        }
        parts
    };
    // Clients reuse the signature of a read for other ranges of the file.
    let (status, text) = send(signed("/b/t/a%20b?partNumber=1", "bytes=5-9"), "").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.starts_with("Session("), "{text}");
    assert_eq!(refusal(signed("/b/t/c?partNumber=1", "bytes=0-1")).await, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_token_is_a_bearer_token_of_the_catalog_only_when_it_was_made_for_that() {
    let bearer = |credentials: &Temporary| format!("Bearer {}", credentials.token.expose());
    let made = temporary(Use::Bearer, 0);
    let catalog = |text: &str| unsigned("GET", "/_iceberg/v1/x", &[("authorization", text)]);
    let (status, text) = send(catalog(&bearer(&made)), "").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.starts_with("Session(") && text.ends_with("Bearer 0"), "{text}");
    assert_eq!(send(catalog(&bearer(&temporary(Use::Signing, 0))), "").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(catalog(&bearer(&temporary(Use::Bearer, 60))), "").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(refusal(signed_by(&made, made.token.expose())).await, "InvalidToken");
    let text = bearer(&made);
    let admin = unsigned("GET", "/_admin/v1/keys", &[("authorization", text.as_str())]);
    assert_eq!(send(admin, "").await.0, StatusCode::UNAUTHORIZED);
}

/// A request whose body must be read to check its signature.
fn unstated() -> Parts {
    let mut parts = unsigned("POST", "/_iceberg/v1/x", &[]);
    signer(Service::S3Tables).sign(&mut parts, b"body", now());
    resign(&parts, &hex::encode(sha256(b"body")), None)
}

#[tokio::test]
async fn no_byte_is_read_for_a_request_whose_headers_are_refused() {
    let date = |seconds: i64| jiff::Timestamp::from_second(now() + seconds).unwrap();
    let mut skewed = unstated();
    let text = date(-3600).strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = text[..8].to_owned();
    skewed.headers.insert("x-amz-date", text.parse().unwrap());
    let changed = |from: &str, to: &str, parts: &Parts| {
        let mut parts = parts.clone();
        let authorization = parts.headers["authorization"].to_str().unwrap().replace(from, to);
        parts.headers.insert("authorization", authorization.parse().unwrap());
        parts
    };
    let today = unstated().headers["x-amz-date"].to_str().unwrap()[..8].to_owned();
    let mut uncovered = unstated();
    uncovered.headers.insert("x-amz-meta-a", "1".parse().unwrap());
    for parts in [
        changed(&format!("/{today}/"), &format!("/{day}/"), &skewed),
        changed(ID, "NOBODY", &unstated()),
        changed("host;x-amz-date", "host;x-amz-date;x-missing", &unstated()),
        uncovered,
    ] {
        let read = Arc::new(AtomicBool::new(false));
        let seen = read.clone();
        let body = stream::poll_fn(move |_| {
            seen.store(true, Ordering::SeqCst);
            Poll::Ready(Some(Ok::<_, std::io::Error>(Bytes::from_static(b"body"))))
        });
        let answer = program().oneshot(Request::from_parts(parts, Body::from_stream(body))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(!read.load(Ordering::SeqCst), "the body was read");
    }
}

#[tokio::test]
async fn a_body_that_must_be_buffered_takes_its_share_of_the_memory_or_is_told_to_come_again() {
    let memory = Arc::new(Memory::new(1 << 20, Duration::ZERO));
    let program = program_within(keyring(), memory.clone());
    let send = async || {
        let request = Request::from_parts(unstated(), Body::from("body"));
        program.clone().oneshot(request).await.unwrap()
    };
    let all = memory.share(1 << 20).await.unwrap();
    let answer = send().await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    drop(all);
    assert_eq!(send().await.status(), StatusCode::OK);
    // Nothing of it stays taken.
    memory.share(1 << 20).await.unwrap();
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"body")));
    let request = Request::from_parts(unstated(), Body::from_stream(endless));
    assert_eq!(program.clone().oneshot(request).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
}
