//! Where a provider's token counts, and where each other kind of token does: in one place.

use axum::body::Body;
use axum::{Extension, Router, middleware};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tarn_objectcore::Memory;
use tarn_openapi::access::{Action, Ask, Authorize as _, Principal, Resource, Restriction};
use tower::ServiceExt as _;

use super::super::super::key::AccessKey;
use super::super::super::session::{Order, Use};
use super::super::super::sigv4::sign::Signer;
use super::super::super::sts::{self, Sts};
use super::super::super::{Grants, Identity, Keyring, Secret, Sessions, authenticate, oauth};
use super::super::*;
use super::issuer::{Signing, TestIssuer};
use super::{once, open};

const SECRET: &[u8; 32] = &[3; 32];
/// What tests configure, in seconds.
const LEEWAY: i64 = 60;
const ROOT: (&str, &str) = ("test-root", "test-root-secret");

struct Server {
    issuer: TestIssuer,
    key: Signing,
    program: Router,
    sessions: Arc<Sessions>,
    grants: Arc<Grants>,
}

async fn who(Extension(who): Extension<Principal>) -> String {
    format!("{who:?}")
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Server {
    async fn start() -> Self {
        let key = Signing::p256("p");
        let issuer = TestIssuer::start(&[&key]).await;
        Self::beside(issuer, key)
    }

    /// A server that takes the tokens of `issuer`, which are signed by `key`.
    fn beside(issuer: TestIssuer, key: Signing) -> Self {
        let issuers = Arc::new(open(&issuer, once()));
        let root = AccessKey::root(ROOT.0, Secret::new(ROOT.1.into()));
        let keyring = Arc::new(Keyring::new(root));
        let sessions = Arc::new(Sessions::new(SECRET, keyring.clone()).with_issuers(issuers.clone()));
        let grants = Arc::new(Grants::new(keyring.clone()));
        let memory = Arc::new(Memory::new(64 << 20, std::time::Duration::from_secs(5)));
        let identity =
            Identity::new(keyring, Some(oauth::Tokens::new(SECRET)), Some(sessions.clone()), memory);
        let identity = Arc::new(identity.with_issuers(issuers.clone()));
        let sts =
            sts::router(Arc::new(Sts { sessions: sessions.clone(), authorize: grants.clone(), issuers }));
        let program = Router::new().fallback(who).merge(sts);
        let authenticated = middleware::from_fn_with_state(identity.clone(), authenticate);
        let program = program.layer(authenticated).merge(oauth::router(identity));
        Self { issuer, key, program, sessions, grants }
    }

    /// A token that is good now, with claims of its own.
    fn token(&self, change: Value) -> String {
        let mut claims = self.issuer.claims();
        (claims["exp"], claims["iat"]) = ((now() + 600).into(), now().into());
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.key.token(&claims)
    }

    async fn send(&self, request: http::request::Builder, body: String) -> (StatusCode, String) {
        let answer = self.program.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn bearer(&self, path: &str, token: &str) -> (StatusCode, String) {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request, String::new()).await
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, body.join("&")).await
    }

    async fn assume(&self, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let common = [("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15")];
        self.form("/", &[&common[..], fields].concat()).await
    }

    async fn exchange(&self, token: &str) -> (StatusCode, Value) {
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        let (status, body) = self.form("/_iceberg/v1/oauth/tokens", &fields).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    /// Whose a token of temporary credentials is.
    fn holder(&self, token: &str, purpose: Use) -> Principal {
        Principal::Session(self.sessions.open(token, purpose, None, now()).unwrap().session)
    }

    fn may(&self, who: &Principal, action: Action, key: &str) -> bool {
        self.grants.authorize(who, Ask::new(action, Resource::Object("b", key))).is_ok()
    }
}

fn element<'x>(xml: &'x str, name: &str) -> &'x str {
    let inside =
        xml.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    inside.map(|(inside, _)| inside).unwrap_or_else(|| panic!("{name}: {xml}"))
}

const EMPTY: fn() -> Value = || serde_json::json!({});

#[tokio::test]
async fn a_providers_token_opens_the_catalog_and_nothing_else() {
    let server = Server::start().await;
    let token = server.token(EMPTY());
    let (status, text) = server.bearer("/_iceberg/v1/config", &token).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.starts_with("Web(") && text.contains("idp:alice"), "{text}");
    let (status, text) = server.bearer("/bucket/key", &token).await;
    assert_eq!((status, element(&text, "Code")), (StatusCode::BAD_REQUEST, "InvalidRequest"));
    for path in ["/_admin/v1/keys", "/_metrics"] {
        assert_eq!(server.bearer(path, &token).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_refused_bearer_token_is_told_no_more_than_that() {
    let server = Server::start().await;
    let forged = Signing::p256("p").token(&server.issuer.claims());
    let unknown = server.key.token(&super::issuer::claims("http://127.0.0.1:1"));
    let other = server.token(serde_json::json!({"aud": "other"}));
    let mut answers = Vec::new();
    for token in ["a.b.c", &forged, &unknown, &other] {
        let (status, text) = server.bearer("/_iceberg/v1/config", token).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(text.contains("NotAuthorizedException"), "{text}");
        answers.push(text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let expired = server.token(serde_json::json!({"exp": now() - 3600}));
    assert_eq!(server.bearer("/_iceberg/v1/config", &expired).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_provider_whose_keys_cannot_be_had_is_an_outage_and_no_refusal() {
    let key = Signing::p256("p");
    let issuer = TestIssuer::start(&[&key]).await;
    issuer.set(|answers| answers.down = true);
    let server = Server::beside(issuer, key);
    let token = server.token(EMPTY());
    let (status, text) = server.bearer("/_iceberg/v1/config", &token).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("ServiceUnavailableException"), "{text}");
    let (status, xml) = server.assume(&[("WebIdentityToken", &token)]).await;
    assert_eq!((status, element(&xml, "Code")), (StatusCode::BAD_REQUEST, "IDPCommunicationError"));
    let (status, refused) = server.exchange(&token).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused["error"], "temporarily_unavailable");
    // A token that no provider could make good is refused all the same.
    assert_eq!(server.bearer("/_iceberg/v1/config", "a.b.c").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_web_identity_gets_credentials_that_its_policies_and_its_inline_policy_hold() {
    let server = Server::start().await;
    let token = server.token(serde_json::json!({"policy": "readwrite", "team": "red"}));
    let (status, xml) = server.assume(&[("WebIdentityToken", &token), ("RoleSessionName", "job")]).await;
    assert_eq!(status, StatusCode::OK, "{xml}");
    assert_eq!(element(&xml, "SubjectFromWebIdentityToken"), "alice");
    assert_eq!((element(&xml, "Audience"), element(&xml, "Provider")), ("tarn", server.issuer.url.as_str()));
    assert!(element(&xml, "Arn").ends_with("/job"));
    let holder = server.holder(element(&xml, "SessionToken"), Use::Signing);
    assert!(server.may(&holder, Action::PutObject, "k") && !server.may(&holder, Action::ServerInfo, "k"));
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*",
        "Resource":"arn:aws:s3:::b/${jwt:team}/*","Condition":{"StringEquals":{"jwt:sub":"alice"}}}]}"#;
    let (_, xml) = server.assume(&[("WebIdentityToken", &token), ("Policy", policy)]).await;
    let holder = server.holder(element(&xml, "SessionToken"), Use::Signing);
    assert!(server.may(&holder, Action::PutObject, "red/k"));
    assert!(!server.may(&holder, Action::PutObject, "blue/k"));
    // A session of it stays inside, and cannot have more than the token's policies by a wider inline policy.
    let wide = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let reader = server.token(EMPTY());
    let (_, xml) = server.assume(&[("WebIdentityToken", &reader), ("Policy", wide)]).await;
    let holder = server.holder(element(&xml, "SessionToken"), Use::Signing);
    assert!(server.may(&holder, Action::GetObject, "k") && !server.may(&holder, Action::PutObject, "k"));
}

#[tokio::test]
async fn credentials_end_with_the_token_they_were_given_for() {
    let server = Server::start().await;
    let token = server.token(serde_json::json!({"exp": now() + 300}));
    let (_, xml) = server.assume(&[("WebIdentityToken", &token), ("DurationSeconds", "43200")]).await;
    let Principal::Session(session) = server.holder(element(&xml, "SessionToken"), Use::Signing) else {
        panic!()
    };
    assert!(session.expires <= now() + 300 + LEEWAY);
    let order = Order {
        parent: Principal::Session(session),
        restriction: Restriction::Policy("{}".into()),
        lifetime_seconds: 3600,
        purpose: Use::Signing,
        ticket: None,
    };
    assert!(server.sessions.issue(order, now()).unwrap().expires <= now() + 300 + LEEWAY);
}

#[tokio::test]
async fn a_session_ends_when_its_provider_is_not_configured_any_more() {
    let server = Server::start().await;
    let (_, xml) = server.assume(&[("WebIdentityToken", &server.token(EMPTY()))]).await;
    let token = element(&xml, "SessionToken");
    let keyring = || Arc::new(Keyring::new(AccessKey::root(ROOT.0, Secret::new(ROOT.1.into()))));
    let with = |providers| {
        let issuers = Arc::new(Issuers::open(providers, once()).unwrap());
        Sessions::new(SECRET, keyring()).with_issuers(issuers).open(token, Use::Signing, None, now())
    };
    assert!(with(vec![server.issuer.provider()]).is_ok());
    assert!(
        with(Vec::new()).is_err()
            && Sessions::new(SECRET, keyring()).open(token, Use::Signing, None, now()).is_err()
    );
    // The same name for another issuer is another provider.
    assert!(with(vec![super::issuer::provider("idp", "https://id.example")]).is_err());
    // Policies that the configuration gives are those it gives now.
    let fixed = Provider { policies: Policies::Fixed(vec!["writer".into()]), ..server.issuer.provider() };
    let session = with(vec![fixed]).unwrap().session;
    let Principal::Web(identity) = &session.parent else { panic!("{session:?}") };
    assert_eq!(identity.policies, ["writer"]);
}

#[tokio::test]
async fn refused_web_identities_are_told_in_the_codes_of_sts() {
    let server = Server::start().await;
    let long: Vec<String> = (0..4000u32).map(|at| format!("{:x}", at.wrapping_mul(2_654_435_761))).collect();
    for (token, code) in [
        ("a.b.c".to_owned(), "InvalidIdentityToken"),
        (Signing::p256("p").token(&server.issuer.claims()), "InvalidIdentityToken"),
        (server.token(serde_json::json!({"nbf": now() + 600})), "InvalidIdentityToken"),
        (server.token(serde_json::json!({"exp": now() - 600})), "ExpiredTokenException"),
        (server.token(serde_json::json!({"aud": "other"})), "IDPRejectedClaim"),
        (server.token(serde_json::json!({"policy": ""})), "IDPRejectedClaim"),
        (server.token(serde_json::json!({"groups": long[..400]})), "PackedPolicyTooLarge"),
    ] {
        let (status, xml) = server.assume(&[("WebIdentityToken", &token)]).await;
        assert!(status.is_client_error());
        assert_eq!(element(&xml, "Code"), code, "{xml}");
    }
    let good = server.token(EMPTY());
    for (fields, code) in [
        (vec![], "ValidationError"),
        (vec![("WebIdentityToken", good.as_str()), ("DurationSeconds", "899")], "ValidationError"),
        (vec![("WebIdentityToken", good.as_str()), ("ProviderId", "www.amazon.com")], "ValidationError"),
        (vec![("WebIdentityToken", good.as_str()), ("Policy", "{}")], "MalformedPolicyDocument"),
    ] {
        assert_eq!(element(&server.assume(&fields).await.1, "Code"), code);
    }
    // The other operations take no token in place of a signature.
    let fields = [("Action", "AssumeRole"), ("Version", "2011-06-15"), ("WebIdentityToken", good.as_str())];
    assert_eq!(element(&server.form("/", &fields).await.1, "Code"), "ValidationError");
}

#[tokio::test]
async fn a_token_is_exchanged_for_one_of_the_catalog_that_ends_no_later() {
    let server = Server::start().await;
    let (status, given) = server.exchange(&server.token(serde_json::json!({"exp": now() + 300}))).await;
    assert_eq!(status, StatusCode::OK, "{given}");
    assert!(given["expires_in"].as_i64().unwrap() <= 300 + LEEWAY && given["token_type"] == "bearer");
    let token = given["access_token"].as_str().unwrap();
    assert_eq!(server.bearer("/_iceberg/v1/config", token).await.0, StatusCode::OK);
    let holder = server.holder(token, Use::Bearer);
    assert!(server.may(&holder, Action::GetObject, "k") && !server.may(&holder, Action::PutObject, "k"));
    let (status, refused) = server.exchange("a.b.c").await;
    assert_eq!((status, refused["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_request")));
}

/// Tokens of every kind that there is, in every place where one is taken.
#[tokio::test]
async fn a_token_of_one_kind_is_refused_wherever_another_is_taken() {
    let server = Server::start().await;
    let of_session = |purpose| {
        let restriction = Restriction::Policy("{}".into());
        let order =
            Order { parent: Principal::Root, restriction, lifetime_seconds: 900, purpose, ticket: None };
        server.sessions.issue(order, now()).unwrap()
    };
    let (signing, bearer) = (of_session(Use::Signing), of_session(Use::Bearer));
    let client = [("grant_type", "client_credentials"), ("client_id", ROOT.0), ("client_secret", ROOT.1)];
    let (_, issued) = server.form("/_iceberg/v1/oauth/tokens", &client).await;
    let issued: Value = serde_json::from_str(&issued).unwrap();
    let issued = issued["access_token"].as_str().unwrap().to_owned();
    let kinds = [
        ("own bearer token", issued, (true, false, false)),
        ("session that signs", signing.token.expose().to_owned(), (false, true, false)),
        ("session as a bearer", bearer.token.expose().to_owned(), (true, false, false)),
        ("provider's token", server.token(EMPTY()), (true, false, true)),
    ];
    for (kind, token, (catalog, signature, web)) in kinds {
        let taken = server.bearer("/_iceberg/v1/config", &token).await.0 == StatusCode::OK;
        assert_eq!(taken, catalog, "{kind} at the catalog");
        let mut parts =
            Request::get("/b/k").header("host", "127.0.0.1:9000").body(()).unwrap().into_parts().0;
        parts.headers.insert("x-amz-security-token", token.parse().unwrap());
        let signer = Signer::s3(&signing.id, Secret::new(signing.secret.expose().into()), "r");
        signer.sign(&mut parts, b"", now());
        let answer = server.program.clone().oneshot(Request::from_parts(parts, Body::empty())).await.unwrap();
        assert_eq!(answer.status() == StatusCode::OK, signature, "{kind} beside a signature");
        let given = server.assume(&[("WebIdentityToken", &token)]).await.0 == StatusCode::OK;
        assert_eq!(given, web, "{kind} as a web identity");
        assert_eq!(server.exchange(&token).await.0 == StatusCode::OK, web, "{kind} in an exchange");
    }
}
