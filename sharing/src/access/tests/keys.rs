use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tarn_catalog::state::Expect;

use super::super::keys::{KEY_ID, KEY_KIND, KEYS_MAX, SigningKeys};
use super::super::{IssueError, KeyError, Refusal, TOKEN_LIFETIME_MS_MAX, Withdraw};
use super::{DAY, HOUR, NOW, World, world};

fn document(world: &World) -> Value {
    serde_json::from_str(&world.catalog.get_document(KEY_KIND, KEY_ID).unwrap().json).unwrap()
}

fn kids(world: &World, now_ms: i64) -> Vec<String> {
    let jwks = world.access.jwks(now_ms).unwrap();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_first_key_is_made_once_however_many_ask() {
    let world = world().await;
    let before = document(&world);
    let issued = (0..8).map(|_| world.access.issue_bearer(world.recipient.id, NOW + DAY, NOW));
    for issued in futures::future::join_all(issued).await {
        issued.unwrap();
    }
    assert_eq!(document(&world), before);
    let jwks = world.access.jwks(NOW).unwrap();
    let key = &jwks["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    assert_eq!(key.as_object().unwrap().len(), 6, "nothing of it is secret: {key}");
    let seed = before["keys"][0]["seed"].as_str().unwrap();
    assert!(!jwks.to_string().contains(seed));
}

#[tokio::test]
async fn an_old_key_verifies_until_its_last_token_has_ended() {
    let world = world().await;
    let (token, long) = {
        let issued = world.access.issue_bearer(world.recipient.id, NOW + TOKEN_LIFETIME_MS_MAX, NOW);
        issued.await.unwrap()
    };
    let mut recipient = world.recipient.clone();
    recipient.tokens.push(token);
    world.put(&recipient).await;
    let number = world.access.rotate_signing_key(Withdraw::WhenTokensEnd, NOW).await.unwrap();
    assert_eq!((number, kids(&world, NOW)), (2, vec!["1".to_owned(), "2".to_owned()]));
    let end = NOW + TOKEN_LIFETIME_MS_MAX;
    assert!(world.reads(&long, end - 1).await.is_ok());
    assert!(world.reads(&long, end).await.is_err());
    assert_eq!(kids(&world, end), ["2"]);
    // The next rotation forgets it.
    world.access.rotate_signing_key(Withdraw::WhenTokensEnd, end).await.unwrap();
    assert_eq!(document(&world)["keys"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_withdrawn_key_is_gone_at_once_and_its_number_never_comes_back() {
    let world = world().await;
    let number = world.access.rotate_signing_key(Withdraw::Now, NOW).await.unwrap();
    assert_eq!((number, kids(&world, NOW)), (2, vec!["2".to_owned()]));
    assert_eq!(world.reader(NOW).await.unwrap_err(), Refusal::Invalid);
    let (token, jwt) = world.access.issue_bearer(world.recipient.id, NOW + DAY, NOW).await.unwrap();
    let mut recipient = world.recipient.clone();
    recipient.tokens.push(token);
    world.put(&recipient).await;
    assert_eq!(world.reads(&jwt, NOW).await.unwrap().key, 2);
    assert_eq!(world.access.rotate_signing_key(Withdraw::Now, NOW).await.unwrap(), 3);
}

#[tokio::test]
async fn no_more_keys_are_kept_than_the_limit_until_the_old_ones_are_withdrawn() {
    let world = world().await;
    for _ in 1..KEYS_MAX {
        world.access.rotate_signing_key(Withdraw::WhenTokensEnd, NOW).await.unwrap();
    }
    let refused = world.access.rotate_signing_key(Withdraw::WhenTokensEnd, NOW).await;
    assert!(matches!(refused, Err(KeyError::TooMany)));
    world.access.rotate_signing_key(Withdraw::Now, NOW).await.unwrap();
    assert_eq!(kids(&world, NOW).len(), 1);
}

#[tokio::test]
async fn a_token_lasts_for_a_year_at_most_and_ends_in_the_future() {
    let world = world().await;
    let id = world.recipient.id;
    for ends in [NOW, NOW - 1, NOW + TOKEN_LIFETIME_MS_MAX + 1, i64::MAX, i64::MIN] {
        assert!(
            matches!(world.access.issue_bearer(id, ends, NOW).await, Err(IssueError::Lifetime)),
            "{ends}"
        );
        assert!(matches!(world.access.issue_client_secret(ends, NOW), Err(IssueError::Lifetime)), "{ends}");
        assert!(matches!(world.access.issue_link(ends, NOW + HOUR, NOW), Err(IssueError::Lifetime)));
        assert!(matches!(world.access.issue_link(NOW + HOUR, ends, NOW), Err(IssueError::Lifetime)));
    }
}

#[tokio::test]
async fn damaged_keys_let_nobody_in_and_are_not_made_anew() {
    let world = world().await;
    let whole = document(&world);
    let mut damaged = vec!["{}".to_owned(), "[]".into(), String::new(), "{\"keys\":[]}".into()];
    let damage =
        [("seed", json!(URL_SAFE_NO_PAD.encode([9; 32]))), ("number", json!(0)), ("number", json!(9))];
    for (name, value) in damage.into_iter().chain([("public", json!("AAAA")), ("seed", Value::Null)]) {
        let mut other = whole.clone();
        other["keys"][0][name] = value;
        damaged.push(other.to_string());
    }
    for json in damaged {
        world.catalog.put_document(KEY_KIND, KEY_ID, &json, Expect::Any).await.unwrap();
        assert_eq!(world.reader(NOW).await.unwrap_err(), Refusal::Unavailable, "{json}");
        let issued = world.access.issue_bearer(world.recipient.id, NOW + DAY, NOW).await;
        assert!(matches!(issued, Err(IssueError::Keys(KeyError::Damaged))), "{json}");
    }
    world.catalog.put_document(KEY_KIND, KEY_ID, &whole.to_string(), Expect::Any).await.unwrap();
    assert!(world.reader(NOW).await.is_ok());
}

/// A key that this server never makes, and verifies by when there is one.
#[tokio::test]
async fn a_key_on_p256_verifies_es256_and_nothing_else() {
    let world = world().await;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &SystemRandom::new())
            .unwrap();
    let public = URL_SAFE_NO_PAD.encode(pair.public_key());
    let mut kept = document(&world);
    kept["next"] = json!(4);
    kept["keys"][0]["number"] = json!(3);
    let other = json!({"number": 2, "kind": "p256", "public": public, "created-ms": NOW});
    kept["keys"].as_array_mut().unwrap().insert(0, other);
    world.catalog.put_document(KEY_KIND, KEY_ID, &kept.to_string(), Expect::Any).await.unwrap();
    assert!(SigningKeys::open(&kept.to_string()).is_ok());

    let claims = world.jwt.split('.').nth(1).unwrap();
    let signed = |alg: &str, kid: &str| {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"JWT"}}"#));
        let front = format!("{header}.{claims}");
        let tag = pair.sign(&SystemRandom::new(), front.as_bytes()).unwrap();
        format!("{front}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    assert_eq!(world.reads(&signed("ES256", "2"), NOW).await.unwrap().key, 2);
    for (alg, kid) in [("EdDSA", "2"), ("ES256", "3"), ("EdDSA", "3"), ("HS256", "2")] {
        assert_eq!(world.reads(&signed(alg, kid), NOW).await.unwrap_err(), Refusal::Invalid, "{alg} {kid}");
    }
    assert_eq!(world.access.jwks(NOW).unwrap()["keys"][0]["crv"], json!("P-256"));
}
