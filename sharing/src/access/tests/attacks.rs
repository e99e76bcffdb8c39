//! Tokens that are not this server's, or not as it made them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::{any, prop_assert_eq, proptest};
use ring::hmac;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::jwt::{self, Flaw, Holder, Proved, Unverified};
use super::super::keys::{KeysDocument, SigningKeys};
use super::NOW;

const SEED: [u8; 32] = [7; 32];

fn keys_of(deployment: u128, seed: [u8; 32]) -> SigningKeys {
    let document = KeysDocument::first(Uuid::from_u128(deployment), &seed, NOW);
    SigningKeys::open(&serde_json::to_string(&document).unwrap()).ok().unwrap()
}

fn ours() -> SigningKeys {
    keys_of(1, SEED)
}

fn holder() -> Holder {
    Holder { recipient: Uuid::from_u128(8), token: Uuid::from_u128(9), expires_ms: NOW + 3_600_000 }
}

fn made() -> String {
    jwt::sign(&ours(), holder(), NOW).to_string()
}

fn proved(token: &str) -> Result<Proved, Flaw> {
    Unverified::read(token)?.prove(&ours(), NOW)
}

fn parts(token: &str) -> [String; 3] {
    token.split('.').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap()
}

fn map(part: &str) -> Map<String, Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Signed by our key, whatever it says.
fn signed(header: &str, claims: &str) -> String {
    let front = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = ours().signing().sign(front.as_bytes());
    format!("{front}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Our own token with one claim or header parameter changed, and signed again.
fn changed(part: usize, name: &str, value: Value) -> String {
    let parts = parts(&made());
    let mut texts = [map(&parts[0]), map(&parts[1])];
    match value {
        Value::Null => drop(texts[part].remove(name)),
        value => drop(texts[part].insert(name.into(), value)),
    }
    let [header, claims] = texts.map(|text| serde_json::to_string(&text).unwrap());
    signed(&header, &claims)
}

#[test]
fn a_token_says_whom_it_is_for_and_verifies() {
    let proved = proved(&made()).unwrap();
    assert_eq!((proved.claims.sub, proved.claims.jti), (Uuid::from_u128(8), Uuid::from_u128(9)));
    assert_eq!((proved.claims.exp, proved.key), (NOW / 1_000 + 3_600, 1));
    let [header, claims, _] = parts(&made());
    assert_eq!(Value::Object(map(&header)), json!({"alg": "EdDSA", "kid": "1", "typ": "JWT"}));
    let expected = json!({
        "iss": "tarn:00000000-0000-0000-0000-000000000001",
        "aud": "tarn-sharing:00000000-0000-0000-0000-000000000001",
        "sub": "00000000-0000-0000-0000-000000000008",
        "jti": "00000000-0000-0000-0000-000000000009",
        "iat": NOW / 1_000,
        "exp": NOW / 1_000 + 3_600,
    });
    assert_eq!(Value::Object(map(&claims)), expected);
}

#[test]
fn no_algorithm_and_a_shared_secret_are_refused() {
    let [_, claims, signature] = parts(&made());
    for alg in
        ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "RS256", "PS256", "ES256", "ES384", "eddsa"]
    {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","kid":"1","typ":"JWT"}}"#));
        for tag in ["", "AAAA", &signature] {
            let refused = proved(&format!("{header}.{claims}.{tag}")).unwrap_err();
            assert_eq!(refused, Flaw::Algorithm, "{alg} {tag}");
        }
    }
    assert_eq!(proved(&changed(0, "alg", Value::Null)).unwrap_err(), Flaw::Malformed(NOT_OUR_HEADER));
}

const NOT_OUR_HEADER: &str = "its header is not one of this server's";
const NOT_OUR_CLAIMS: &str = "its claims are not those of this server";

/// The public key is known to everybody; as a secret of HMAC it signs nothing.
#[test]
fn a_token_signed_with_the_public_key_as_a_secret_is_refused() {
    let public = URL_SAFE_NO_PAD.decode(ours().jwks(NOW)["keys"][0]["x"].as_str().unwrap()).unwrap();
    let [_, claims, _] = parts(&made());
    for alg in ["HS256", "EdDSA"] {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","kid":"1","typ":"JWT"}}"#));
        let front = format!("{header}.{claims}");
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), front.as_bytes());
        assert!(proved(&format!("{front}.{}", URL_SAFE_NO_PAD.encode(tag))).is_err());
    }
}

#[test]
fn a_token_of_another_deployment_or_key_is_refused() {
    let other = jwt::sign(&keys_of(1, [8; 32]), holder(), NOW);
    assert_eq!(proved(&other).unwrap_err(), Flaw::Signature);
    // The same key in another deployment.
    let other = jwt::sign(&keys_of(2, SEED), holder(), NOW);
    assert_eq!(proved(&other).unwrap_err(), Flaw::Issuer);
    for kid in ["0", "2", "01", "1 ", "", "../1", "%31"] {
        assert_eq!(proved(&changed(0, "kid", json!(kid))).unwrap_err(), Flaw::Key, "{kid}");
    }
    for (claim, flaw) in [("iss", Flaw::Issuer), ("aud", Flaw::Audience)] {
        for other in ["tarn", "tarn-sharing:00000000-0000-0000-0000-000000000002", ""] {
            assert_eq!(proved(&changed(1, claim, json!(other))).unwrap_err(), flaw, "{claim} {other}");
        }
        let several = json!(["tarn-sharing:00000000-0000-0000-0000-000000000001", "tarn/iceberg"]);
        assert!(proved(&changed(1, claim, several)).is_err());
    }
}

#[test]
fn headers_and_claims_have_what_this_server_writes_and_nothing_else() {
    for parameter in ["jku", "jwk", "x5u", "x5c", "crit", "cty", "zip", "b64", "KID"] {
        let refused = proved(&changed(0, parameter, json!("x"))).unwrap_err();
        assert_eq!(refused, Flaw::Malformed(NOT_OUR_HEADER), "{parameter}");
    }
    for kind in ["at+jwt", "logout+jwt", "JOSE", "jwt"] {
        let refused = proved(&changed(0, "typ", json!(kind))).unwrap_err();
        assert_eq!(refused, Flaw::Malformed("its type is not JWT"), "{kind}");
    }
    for claim in ["cnf", "nbf", "scope", "name"] {
        let refused = proved(&changed(1, claim, json!(1))).unwrap_err();
        assert_eq!(refused, Flaw::Malformed(NOT_OUR_CLAIMS), "{claim}");
    }
    for claim in ["sub", "jti", "exp", "iat", "aud"] {
        let refused = proved(&changed(1, claim, Value::Null)).unwrap_err();
        assert_eq!(refused, Flaw::Malformed(NOT_OUR_CLAIMS), "{claim}");
    }
    for (claim, value) in
        [("exp", json!("9999999999")), ("exp", json!(1e30)), ("sub", json!("*")), ("jti", json!(["a"]))]
    {
        let refused = proved(&changed(1, claim, value)).unwrap_err();
        assert_eq!(refused, Flaw::Malformed(NOT_OUR_CLAIMS), "{claim}");
    }
}

#[test]
fn a_header_or_claims_that_name_a_thing_twice_are_refused() {
    let [header, claims, _] = parts(&made())
        .map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap_or_default());
    assert!(proved(&signed(&header, &claims)).is_ok());
    for twice in [
        r#"{"alg":"none","alg":"EdDSA","kid":"1","typ":"JWT"}"#,
        r#"{"alg":"EdDSA","kid":"2","kid":"1","typ":"JWT"}"#,
        r#"{"alg":"EdDSA","kid":"1","typ":"JWT","typ":"JWT"}"#,
    ] {
        assert_eq!(proved(&signed(twice, &claims)).unwrap_err(), Flaw::Malformed(NOT_OUR_HEADER), "{twice}");
    }
    for name in ["aud", "sub", "jti", "exp", "iat"] {
        let twice = claims.replacen('{', &format!("{{\"{name}\":\"a\","), 1);
        assert_eq!(proved(&signed(&header, &twice)).unwrap_err(), Flaw::Malformed(NOT_OUR_CLAIMS), "{name}");
    }
    let twice = claims.replacen('{', "{\"iss\":\"https://other.example\",", 1);
    assert_eq!(proved(&signed(&header, &twice)).unwrap_err(), Flaw::Malformed("its claims name no issuer"));
}

#[test]
fn a_token_that_lasts_longer_than_a_year_or_begins_in_the_future_is_refused() {
    let seconds = NOW / 1_000;
    for (claim, value, fits) in [
        ("iat", seconds + 60, true),
        ("iat", seconds + 61, false),
        ("exp", seconds + 365 * 86_400, true),
        ("exp", seconds + 366 * 86_400, false),
        ("exp", i64::MAX, false),
        ("iat", i64::MIN, false),
        ("iat", i64::MAX, false),
    ] {
        let judged = proved(&changed(1, claim, json!(value)));
        assert_eq!(judged.is_ok(), fits, "{claim} {value}");
        assert!(fits || judged == Err(Flaw::Times));
    }
}

#[test]
fn a_long_token_is_refused_before_its_signature_is_looked_at() {
    let [header, claims, _] = parts(&made());
    let long = |bytes: usize| {
        let front = format!("{header}.{claims}.");
        let rest = bytes - front.len();
        // No text of base64 has one letter more than a multiple of four.
        format!("{front}{}", "A".repeat(if rest % 4 == 1 { rest - 1 } else { rest }))
    };
    assert_eq!(proved(&long(8 * 1024)).unwrap_err(), Flaw::Signature);
    for bytes in [8 * 1024 + 4, 20_000, 20_004, 1 << 20] {
        assert_eq!(proved(&long(bytes)).unwrap_err(), Flaw::TooLong, "{bytes}");
    }
}

proptest! {
    #[test]
    fn a_token_with_any_letter_changed_is_refused(at in any::<proptest::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let token = made();
        let at = at.index(token.len());
        let mut altered = token.clone();
        altered.replace_range(at..=at, &to);
        prop_assert_eq!(proved(&altered).is_ok(), altered == token);
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text in any::<String>()) {
        prop_assert_eq!(proved(&text).is_ok(), false);
    }
}
