use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::super::{ForeignRefusal, ForeignTokens, Refusal};
use super::{DAY, HOUR, NOW, World, grant, recipient, world_with};
use crate::directory::{Status, Token, TokenKind};

const ISSUER: &str = "https://id.example/tenant";

/// A provider that says of every token what it is set to, and keeps what it was asked.
struct Provider {
    says: Mutex<Result<Value, ForeignRefusal>>,
    asked: Mutex<Vec<(String, Vec<String>)>>,
}

#[async_trait]
impl ForeignTokens for Provider {
    async fn verify(
        &self,
        _: &str,
        issuer: &str,
        audiences: &[String],
        now_s: i64,
    ) -> Result<Map<String, Value>, ForeignRefusal> {
        assert_eq!(now_s, NOW / 1_000);
        self.asked.lock().unwrap().push((issuer.into(), audiences.to_vec()));
        self.says.lock().unwrap().clone().map(|says| says.as_object().unwrap().clone())
    }
}

impl Provider {
    fn says(&self, says: Result<Value, ForeignRefusal>) {
        *self.says.lock().unwrap() = says;
    }
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "shares", "sub": "alice", "oid": "0-1", "azp": "app", "groups": ["staff", "lake"],
        "exp": NOW / 1_000 + 600})
}

/// What a token of that issuer looks like before it is checked.
fn shown(issuer: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.AAAA", part(json!({"alg": "RS256"})), part(json!({"iss": issuer})))
}

fn policy(claim: &str, subject: &str) -> Token {
    let kind = TokenKind::Federated {
        issuer: ISSUER.into(),
        audiences: vec!["shares".into(), "other".into()],
        subject_claim: claim.into(),
        subject: subject.into(),
    };
    Token { id: uuid::Uuid::new_v4(), kind, comment: None, created_ms: NOW, expires_ms: NOW + DAY }
}

async fn federated(claim: &str, subject: &str) -> (World, Arc<Provider>) {
    let provider = Arc::new(Provider { says: Mutex::new(Ok(claims())), asked: Mutex::default() });
    let mut world = world_with(Some(provider.clone()), 1_000).await;
    world.recipient.tokens.push(policy(claim, subject));
    world.put(&world.recipient).await;
    (world, provider)
}

#[tokio::test]
async fn a_providers_token_lets_the_recipient_in_whose_policy_names_its_subject() {
    for (claim, subject) in [("sub", "alice"), ("oid", "0-1"), ("azp", "app"), ("groups", "lake")] {
        let (world, provider) = federated(claim, subject).await;
        let reader = world.reads(&shown(ISSUER), NOW).await.unwrap();
        assert_eq!((reader.token, reader.key), (world.recipient.tokens[1].id, 0));
        assert_eq!(reader.token_expires_ms, NOW + 600_000);
        let granted = world.access.share(&reader, "sales").unwrap();
        let ticket = reader.ticket(&granted.grant, &granted.share.schemas["eu"].tables["orders"]);
        assert!(world.access.still(&ticket, NOW, None).is_ok());
        let asked = provider.asked.lock().unwrap().clone();
        assert_eq!(asked, [(ISSUER.to_owned(), vec!["other".to_owned(), "shares".into()])]);
        // Without the policy neither a token nor a URL is good.
        let mut without = world.recipient.clone();
        without.tokens.pop();
        world.put(&without).await;
        assert_eq!(world.reads(&shown(ISSUER), NOW).await.unwrap_err(), Refusal::Invalid);
        assert!(world.access.still(&ticket, NOW, None).is_err());
    }
}

#[tokio::test]
async fn a_subject_or_audience_that_no_policy_names_is_refused() {
    for (claim, subject) in [
        ("sub", "Alice"),
        ("sub", ""),
        ("sub", "alic"),
        ("groups", "staff,lake"),
        ("email", "alice"),
        ("iss", ISSUER),
    ] {
        let (world, _) = federated(claim, subject).await;
        assert_eq!(
            world.reads(&shown(ISSUER), NOW).await.unwrap_err(),
            Refusal::Invalid,
            "{claim} {subject}"
        );
    }
    let (world, provider) = federated("sub", "alice").await;
    let changes = [
        json!({"aud": "tarn"}),
        json!({"aud": ["tarn"]}),
        json!({"aud": {"shares": 1}}),
        json!({"aud": null}),
        json!({"sub": ["alice"]}),
        json!({"sub": null}),
        json!({"exp": null}),
    ];
    for change in changes {
        let mut other = claims();
        other.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        provider.says(Ok(other));
        assert_eq!(world.reads(&shown(ISSUER), NOW).await.unwrap_err(), Refusal::Invalid, "{change}");
    }
    let mut several = claims();
    several["aud"] = json!(["tarn", "shares"]);
    provider.says(Ok(several));
    assert!(world.reads(&shown(ISSUER), NOW).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_no_policy_names_is_never_asked() {
    let (mut world, provider) = federated("sub", "alice").await;
    for issuer in ["https://id.example", "https://id.example/tenant/", "https://evil.example", ""] {
        assert_eq!(world.reads(&shown(issuer), NOW).await.unwrap_err(), Refusal::Invalid);
    }
    world.recipient.status = Status::Disabled;
    world.put(&world.recipient).await;
    assert_eq!(world.reads(&shown(ISSUER), NOW).await.unwrap_err(), Refusal::Invalid);
    world.recipient.status = Status::Enabled;
    world.recipient.tokens[1].expires_ms = NOW;
    world.put(&world.recipient).await;
    assert_eq!(world.reads(&shown(ISSUER), NOW).await.unwrap_err(), Refusal::Invalid);
    assert!(provider.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_token_that_two_recipients_would_take_is_refused() {
    let (world, _) = federated("groups", "lake").await;
    let mut other = recipient("Other");
    other.grants.insert("sales".into(), grant(&world.share));
    other.tokens.push(policy("sub", "alice"));
    world.put(&other).await;
    assert_eq!(world.reads(&shown(ISSUER), NOW).await.unwrap_err(), Refusal::Invalid);
    other.status = Status::Disabled;
    world.put(&other).await;
    assert_eq!(world.reads(&shown(ISSUER), NOW).await.unwrap().recipient.name, "Acme");
}

#[tokio::test]
async fn a_providers_refusal_is_told_as_what_it_is() {
    let (world, provider) = federated("sub", "alice").await;
    for (says, refusal) in [
        (ForeignRefusal::Invalid, Refusal::Invalid),
        (ForeignRefusal::Expired, Refusal::Expired),
        (ForeignRefusal::Unavailable, Refusal::Unavailable),
    ] {
        provider.says(Err(says));
        assert_eq!(world.reads(&shown(ISSUER), NOW).await.unwrap_err(), refusal);
    }
    // Within the leeway of a provider, but no URL could last.
    let mut ended = claims();
    ended["exp"] = json!(NOW / 1_000);
    provider.says(Ok(ended));
    assert_eq!(world.reads(&shown(ISSUER), NOW).await.unwrap_err(), Refusal::Expired);
}

#[tokio::test]
async fn no_provider_speaks_for_this_servers_own_tokens() {
    let (world, provider) = federated("sub", "alice").await;
    let own = super::super::jwt::Unverified::read(&world.jwt).ok().unwrap().issuer;
    let mut recipient = world.recipient.clone();
    let TokenKind::Federated { issuer, .. } = &mut recipient.tokens[1].kind else { panic!() };
    *issuer = own.clone();
    world.put(&recipient).await;
    assert_eq!(world.reads(&shown(&own), NOW).await.unwrap_err(), Refusal::Invalid);
    assert!(provider.asked.lock().unwrap().is_empty());
    assert!(world.reader(NOW + HOUR).await.is_ok());
}
