//! Tokens of an issuer that is configured, and that must not count all the same: by their form, their use, their times.

use proptest::prelude::*;
use serde_json::json;

use super::super::*;
use super::World;
use super::issuer::{NOW, Signing, claims, provider};

#[tokio::test]
async fn what_has_not_three_parts_of_json_is_no_token() {
    let world = World::new().await;
    let good = world.p256.token(&world.issuer.claims());
    let five = format!("{good}.a.b");
    let unsigned = good.rsplit_once('.').unwrap().0.to_owned();
    for junk in ["", ".", "..", "...", "a.b.c", "e30.e30.", "\u{e9}.\u{e9}.\u{e9}", &five, &unsigned] {
        let outcome = world.issuers.verify(junk, NOW).await;
        assert!(matches!(outcome, Err(TokenError::Invalid(_))), "{junk}: {outcome:?}");
    }
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let claims = format!(r#"{{"iss":"{}","a":{deep}}}"#, world.issuer.url);
    let token = world.p256.token_of(r#"{"alg":"ES256","kid":"p"}"#, &claims);
    assert!(matches!(world.flaw(&token).await, Flaw::Malformed(_)));
}

#[tokio::test]
async fn a_token_beyond_every_size_is_refused_before_it_is_read() {
    let world = World::new().await;
    let long = world.p256.token(&world.claims(json!({"more": "x".repeat(token::TOKEN_BYTES_MAX)})));
    assert_eq!(world.flaw(&long).await, Flaw::TooLong);
    assert_eq!(world.flaw(&"x".repeat(token::TOKEN_BYTES_MAX + 1)).await, Flaw::TooLong);
}

#[tokio::test]
async fn a_header_or_claims_that_name_a_thing_twice_are_refused() {
    let world = World::new().await;
    let claims = world.issuer.claims().to_string();
    for header in [
        r#"{"alg":"none","alg":"ES256","kid":"p"}"#,
        r#"{"alg":"ES256","kid":"x","kid":"p"}"#,
        r#"{"alg":"ES256","typ":"JWT","typ":"JWT"}"#,
    ] {
        let flaw = world.flaw(&world.p256.token_of(header, &claims)).await;
        assert!(matches!(flaw, Flaw::Malformed(_)), "{header}: {flaw:?}");
    }
    for twice in [
        format!(r#""iss":"{}""#, world.issuer.url),
        r#""aud":"other""#.to_owned(),
        format!(r#""exp":{}"#, NOW + 9999),
        r#""sub":"root""#.to_owned(),
        r#""policy":"admin""#.to_owned(),
        r#""\u0070olicy":"admin""#.to_owned(),
    ] {
        let claims = format!("{},{twice}}}", claims.strip_suffix('}').unwrap());
        let token = world.p256.token_of(r#"{"alg":"ES256","kid":"p"}"#, &claims);
        let flaw = world.flaw(&token).await;
        assert!(matches!(flaw, Flaw::Malformed(_)), "{twice}: {flaw:?}");
    }
}

#[tokio::test]
async fn tokens_for_another_use_are_refused() {
    let world = World::new().await;
    let claims = world.issuer.claims().to_string();
    let with = |typ: &str| {
        world.p256.token_of(&json!({"alg": "ES256", "kid": "p", "typ": typ}).to_string(), &claims)
    };
    for typ in [
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "application/secevent+jwt",
        "JWE",
        "",
        "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
    ] {
        assert_eq!(world.flaw(&with(typ)).await, Flaw::Type, "{typ}");
    }
    for typ in ["JWT", "jwt", "at+jwt", "application/at+JWT"] {
        assert!(world.issuers.verify(&with(typ), NOW).await.is_ok(), "{typ}");
    }
    let header = r#"{"alg":"ES256","kid":"p","crit":["exp"]}"#;
    assert!(matches!(world.flaw(&world.p256.token_of(header, &claims)).await, Flaw::Malformed(_)));
    for kind in ["cnf", "events"] {
        let refused = world.outcome(json!({kind: {"jkt": "x"}})).await.unwrap_err();
        assert_eq!(refused, TokenError::Rejected(Rejection::Kind(kind)));
    }
}

#[tokio::test]
async fn cve_2025_32963_the_audience_must_be_there_and_ours() {
    let world = World::new().await;
    for aud in [json!("other"), json!(["other"]), json!([]), json!("Tarn"), json!("tarn/"), json!("")] {
        let refused = world.outcome(json!({"aud": aud})).await.unwrap_err();
        assert_eq!(refused, TokenError::Rejected(Rejection::Audience), "{aud}");
    }
    let malformed = TokenError::Rejected(Rejection::Claim("aud".into()));
    for aud in [json!(null), json!(1), json!({"tarn": "tarn"}), json!(["tarn", 1]), json!([["tarn"]])] {
        assert_eq!(world.outcome(json!({"aud": aud})).await.unwrap_err(), malformed, "{aud}");
    }
    for aud in [json!("tarn"), json!(["account", "tarn"])] {
        assert_eq!(world.outcome(json!({"aud": aud})).await.unwrap().audience, "tarn");
    }
}

#[tokio::test]
async fn a_token_has_an_end_and_is_good_only_between_its_times() {
    let world = World::new().await;
    let malformed = |claim: &str| TokenError::Rejected(Rejection::Claim(claim.into()));
    for exp in [json!(null), json!("1900000000"), json!({"a": 1}), json!(true)] {
        assert_eq!(world.outcome(json!({"exp": exp})).await.unwrap_err(), malformed("exp"), "{exp}");
    }
    let future = TokenError::Invalid(Flaw::NotYet);
    for (change, outcome) in [
        (json!({"exp": NOW - 59}), None),
        (json!({"exp": NOW - 60}), Some(TokenError::Expired)),
        (json!({"exp": 0}), Some(TokenError::Expired)),
        (json!({"exp": -1}), Some(TokenError::Expired)),
        (json!({"exp": 1e300}), None),
        (json!({"exp": NOW as f64 + 0.5}), None),
        (json!({"nbf": NOW + 60}), None),
        (json!({"nbf": NOW + 61}), Some(future.clone())),
        (json!({"iat": NOW + 61}), Some(future.clone())),
        (json!({"iat": NOW + 61, "nbf": 0}), Some(future)),
        (json!({"iat": "now"}), Some(malformed("iat"))),
        (json!({"iat": null}), None),
    ] {
        assert_eq!(world.outcome(change.clone()).await.err(), outcome, "{change}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_token_keys_and_claims_or_refused(text in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(token::Unverified::read(&text).is_err());
        let parts = format!("{0}.{0}.{0}", super::issuer::base64url(&bytes));
        prop_assert!(token::Unverified::read(&parts).is_err());
        prop_assert!(jwk::Keys::read(&bytes).is_err());
        prop_assert!(super::super::claims::identify(&bytes, &provider("idp", "https://id.example"), NOW).is_err());
    }

    /// Also the letters that decode to the same bytes: a token has one spelling.
    #[test]
    fn a_token_with_any_letter_changed_is_refused(at in any::<prop::sample::Index>(), letter in "[A-Za-z0-9_.-]") {
        let key = Signing::ed25519("e");
        let good = key.token(&claims("https://id.example"));
        let at = at.index(good.len());
        prop_assume!(good[at..=at] != letter);
        let changed = format!("{}{letter}{}", &good[..at], &good[at + 1..]);
        let document = json!({"keys": [key.jwk()]}).to_string();
        let keys = jwk::Keys::read(document.as_bytes()).unwrap();
        if let Ok(read) = token::Unverified::read(&changed) {
            let mut fitting = keys.fitting(read.kid.as_deref(), read.algorithm);
            prop_assert!(!fitting.any(|key| key.verifies(read.algorithm, read.signed, &read.signature)));
        }
    }
}
