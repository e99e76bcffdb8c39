//! Forged tokens, by the class of attack: algorithms, issuers, keys and signatures.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use ring::hmac;
use serde_json::json;

use super::super::*;
use super::issuer::{NOW, Signing, TestIssuer, base64url};
use super::{World, once, open};

#[tokio::test]
async fn a_token_of_each_kind_of_key_verifies() {
    let world = World::new().await;
    for key in [&world.rsa, &world.p256, &world.ed25519] {
        let verified = world.issuers.verify(&key.token(&world.issuer.claims()), NOW).await;
        let verified = verified.unwrap_or_else(|error| panic!("{}: {error:?}", key.algorithm()));
        assert_eq!(&*verified.identity.id, "idp:alice");
        assert_eq!(verified.identity.policies, ["readonly"]);
        assert_eq!((verified.subject.as_str(), verified.audience.as_str()), ("alice", "tarn"));
        assert_eq!(verified.identity.expires, NOW + 660);
    }
}

#[tokio::test]
async fn cve_2026_33322_no_algorithm_and_a_shared_secret_are_refused() {
    let world = World::new().await;
    let good = world.rsa.token(&world.issuer.claims());
    let parts: Vec<&str> = good.split('.').collect();
    for name in ["none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS1", "ES256K", "rs256"] {
        let header = base64url(json!({"alg": name, "kid": "r"}).to_string());
        for signature in ["", parts[2]] {
            let forged = format!("{header}.{}.{signature}", parts[1]);
            assert_eq!(world.flaw(&forged).await, Flaw::Algorithm, "{name}");
        }
    }
    // The public key as the secret of an HMAC, in the forms that libraries take it.
    let jwk = world.rsa.jwk();
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    for secret in [modulus.as_slice(), jwk.to_string().as_bytes(), jwk["n"].as_str().unwrap().as_bytes()] {
        let signed = format!("{}.{}", base64url(json!({"alg": "HS256", "kid": "r"}).to_string()), parts[1]);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        assert_eq!(world.flaw(&format!("{signed}.{}", base64url(tag))).await, Flaw::Algorithm);
        // And under the name of the algorithm that the key is for.
        let signed = format!("{}.{}", parts[0], parts[1]);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        assert_eq!(world.flaw(&format!("{signed}.{}", base64url(tag))).await, Flaw::Signature);
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_configured_or_not_of_the_keys_kind_is_refused() {
    let world = World::new().await;
    let claims = world.issuer.claims().to_string();
    let pss = world.rsa.token_of(r#"{"alg":"PS256","kid":"r"}"#, &claims);
    assert_eq!(world.flaw(&pss).await, Flaw::Algorithm);
    let mut provider = world.issuer.provider();
    provider.algorithms.push(Algorithm::Ps256);
    let wider = Issuers::open(vec![provider.clone()], once()).unwrap();
    assert!(wider.verify(&pss, NOW).await.is_ok());
    // One key, and the other padding than it was signed with.
    let parts: Vec<&str> = pss.split('.').collect();
    let crossed = world.rsa.token_of(r#"{"alg":"RS256","kid":"r"}"#, &claims);
    let crossed = format!("{}.{}.{}", parts[0], parts[1], crossed.rsplit_once('.').unwrap().1);
    assert_eq!(wider.verify(&crossed, NOW).await, Err(TokenError::Invalid(Flaw::Signature)));
    // A key that says which algorithm it is for is for no other.
    let mut only = world.rsa.jwk();
    only["alg"] = "RS256".into();
    world.issuer.set(|answers| answers.keys = vec![only]);
    let bound = Issuers::open(vec![provider], once()).unwrap();
    assert_eq!(bound.verify(&pss, NOW).await, Err(TokenError::Invalid(Flaw::Key)));
    assert!(bound.verify(&world.rsa.token(&world.issuer.claims()), NOW).await.is_ok());
    // An algorithm of another kind of key under this key's name.
    let other = world.p256.token_of(r#"{"alg":"ES256","kid":"r"}"#, &claims);
    assert_eq!(world.flaw(&other).await, Flaw::Key);
}

#[tokio::test]
async fn cve_2026_27478_only_a_configured_issuer_is_asked_and_only_its_own_keys_count() {
    let world = World::new().await;
    let evil_key = Signing::p256("p");
    let evil = TestIssuer::start(&[&evil_key]).await;
    // The attacker's own issuer, with a key that is there.
    assert_eq!(world.flaw(&evil_key.token(&evil.claims())).await, Flaw::Issuer);
    assert!(evil.asked().is_empty(), "nothing is fetched for an issuer that is not configured");
    // The configured issuer's name, signed by the attacker's key of the same name.
    assert_eq!(world.flaw(&evil_key.token(&world.issuer.claims())).await, Flaw::Signature);
    // Two configured issuers do not speak for each other.
    let mut second = evil.provider();
    second.name = "second".into();
    let both = Issuers::open(vec![world.issuer.provider(), second], once()).unwrap();
    assert_eq!(both.verify(&evil_key.token(&evil.claims()), NOW).await.unwrap().issuer, evil.url);
    let crossed = both.verify(&evil_key.token(&world.issuer.claims()), NOW).await;
    assert_eq!(crossed, Err(TokenError::Invalid(Flaw::Signature)));
    for issuer in ["", "/", "//", "HTTP", "?", "#", "/../", "/.well-known/openid-configuration"] {
        let near = world.p256.token(&world.claims(json!({"iss": format!("{}{issuer}x", world.issuer.url)})));
        assert_eq!(world.flaw(&near).await, Flaw::Issuer, "{issuer}");
    }
}

#[tokio::test]
async fn an_issuer_with_a_slash_more_is_another() {
    let world = World::new().await;
    let slash = world.p256.token(&world.claims(json!({"iss": format!("{}/", world.issuer.url)})));
    assert_eq!(world.flaw(&slash).await, Flaw::Issuer);
    // Configured with the slash it is that one, and the one without is not.
    let issuer = format!("{}/", world.issuer.url);
    world.issuer.set(|answers| answers.issuer = Some(issuer.clone()));
    let slashed = Issuers::open(vec![super::issuer::provider("idp", &issuer)], once()).unwrap();
    assert!(slashed.verify(&slash, NOW).await.is_ok());
    let plain = world.p256.token(&world.issuer.claims());
    assert_eq!(slashed.verify(&plain, NOW).await, Err(TokenError::Invalid(Flaw::Issuer)));
}

#[tokio::test]
async fn ghsa_5qfg_keys_and_addresses_in_the_header_are_not_looked_at() {
    let world = World::new().await;
    let evil_key = Signing::p256("p");
    let evil = TestIssuer::start(&[&evil_key]).await;
    let url = format!("{}/keys", evil.url);
    for (name, value) in [
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("jwk", evil_key.jwk()),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("abc")),
    ] {
        let header = json!({"alg": "ES256", "kid": "p", name: value}).to_string();
        let forged = evil_key.token_of(&header, &world.issuer.claims().to_string());
        assert_eq!(world.flaw(&forged).await, Flaw::Signature, "{name}");
        let genuine = world.p256.token_of(&header, &world.issuer.claims().to_string());
        assert!(world.issuers.verify(&genuine, NOW).await.is_ok(), "{name}");
    }
    assert!(evil.asked().is_empty());
}

#[tokio::test]
async fn the_name_of_a_key_is_no_path_no_address_and_no_query() {
    let world = World::new().await;
    let before = world.issuers.verify(&world.p256.token(&world.issuer.claims()), NOW).await;
    assert!(before.is_ok());
    let asked = world.issuer.asked();
    for kid in [
        "../../../../dev/null",
        "/etc/passwd",
        "http://127.0.0.1:1/keys",
        "p' OR '1'='1",
        "p\0",
        "P",
        "",
        "p/../p",
        "%70",
    ] {
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        let token = world.p256.token_of(&header, &world.issuer.claims().to_string());
        assert_eq!(world.flaw(&token).await, Flaw::Key, "{kid}");
    }
    let long = json!({"alg": "ES256", "kid": "p".repeat(257)}).to_string();
    let token = world.p256.token_of(&long, &world.issuer.claims().to_string());
    assert!(matches!(world.flaw(&token).await, Flaw::Malformed(_)));
    let number = world.p256.token_of(r#"{"alg":"ES256","kid":7}"#, &world.issuer.claims().to_string());
    assert!(matches!(world.flaw(&number).await, Flaw::Malformed(_)));
    assert_eq!(world.issuer.asked(), asked);
}

#[tokio::test]
async fn a_token_that_names_no_key_is_tried_only_where_there_is_no_choice() {
    let world = World::new().await;
    let claims = world.issuer.claims().to_string();
    let nameless = world.p256.token_of(r#"{"alg":"ES256"}"#, &claims);
    assert!(world.issuers.verify(&nameless, NOW).await.is_ok());
    let second = Signing::p256("q").jwk();
    world.issuer.set(|answers| answers.keys.push(second));
    let two = open(&world.issuer, once());
    assert_eq!(two.verify(&nameless, NOW).await, Err(TokenError::Invalid(Flaw::Key)));
}

#[tokio::test]
async fn a_changed_missing_or_empty_signature_is_refused() {
    let world = World::new().await;
    for key in [&world.rsa, &world.p256, &world.ed25519] {
        let good = key.token(&world.issuer.claims());
        let parts: Vec<&str> = good.split('.').collect();
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        let with = |signature: &[u8]| format!("{}.{}.{}", parts[0], parts[1], base64url(signature));
        let mut flipped = signature.clone();
        flipped[0] ^= 1;
        // CVE-2022-21449: of zeros.
        let zeros = vec![0; signature.len()];
        for bad in [&[][..], &signature[1..], &[&signature[..], &[0]].concat(), &flipped, &zeros] {
            assert_eq!(world.flaw(&with(bad)).await, Flaw::Signature);
        }
        let admin = base64url(world.claims(json!({"policy": "admin"})).to_string());
        let forged = format!("{}.{admin}.{}", parts[0], parts[2]);
        assert_eq!(world.flaw(&forged).await, Flaw::Signature);
        let padded = format!("{good}=");
        assert!(matches!(world.flaw(&padded).await, Flaw::Malformed(_)));
    }
}

#[tokio::test]
async fn weak_secret_and_foreign_keys_of_a_set_are_passed_over() {
    let key = Signing::p256("p");
    let issuer = TestIssuer::start(&[&key]).await;
    let small = json!({"kty": "RSA", "kid": "r", "n": base64url([255; 128]), "e": "AQAB"});
    let shared = json!({"kty": "oct", "kid": "s", "k": base64url("secret"), "alg": "HS256"});
    let other_use = json!({"kty": "EC", "crv": "P-256", "kid": "x", "use": "enc", "x": "", "y": ""});
    issuer.set(|answers| answers.keys.extend([small, shared, other_use, json!("text"), json!(null)]));
    let issuers = open(&issuer, once());
    assert!(issuers.verify(&key.token(&issuer.claims()), NOW).await.is_ok());
    let claims = issuer.claims();
    let weak = Signing::rsa("r").token(&claims);
    assert_eq!(issuers.verify(&weak, NOW).await, Err(TokenError::Invalid(Flaw::Key)));
    let header = Header { kid: Some("s".into()), ..Header::new(jsonwebtoken::Algorithm::HS256) };
    drop(crate::identity::oauth::Tokens::new(&[1; 32]));
    let shared = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(b"secret")).unwrap();
    assert_eq!(issuers.verify(&shared, NOW).await, Err(TokenError::Invalid(Flaw::Algorithm)));
}
