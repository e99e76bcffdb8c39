//! What claims mean.

use serde_json::{Value, json};

use super::super::claims::identify;
use super::super::*;
use super::issuer::{NOW, claims, provider};

const ISSUER: &str = "https://id.example";

fn with(change: Value) -> String {
    let mut all = claims(ISSUER);
    for (name, value) in change.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.to_string()
}

fn read(change: Value, provider: &Provider) -> Result<Verified, TokenError> {
    identify(with(change).as_bytes(), provider, NOW)
}

#[test]
fn policies_are_a_list_or_a_text_with_commas_and_nothing_else() {
    let idp = provider("idp", ISSUER);
    for (policy, names) in [
        (json!("readonly"), &["readonly"][..]),
        (json!(" a, b ,,c"), &["a", "b", "c"]),
        (json!(["a", "b"]), &["a", "b"]),
        (json!([]), &[]),
        (json!(""), &[]),
    ] {
        assert_eq!(read(json!({"policy": policy}), &idp).unwrap().identity.policies, names, "{policy}");
    }
    let wrong = TokenError::Rejected(Rejection::Claim("policy".into()));
    let many: Vec<String> = (0..101).map(|at| at.to_string()).collect();
    for policy in
        [json!(1), json!(null), json!({"a": "b"}), json!(["a", 1]), json!("a\nb"), json!([""]), json!(many)]
    {
        assert_eq!(read(json!({"policy": policy}), &idp).unwrap_err(), wrong, "{policy}");
    }
}

#[test]
fn fixed_policies_count_whatever_a_token_says() {
    let idp = Provider { policies: Policies::Fixed(vec!["readonly".into()]), ..provider("idp", ISSUER) };
    let identity = read(json!({"policy": "admin"}), &idp).unwrap().identity;
    assert_eq!(identity.policies, ["readonly"]);
}

#[test]
fn the_subject_is_a_text_of_the_configured_claim() {
    let idp = Provider { subject_claim: "email".into(), ..provider("idp", ISSUER) };
    assert_eq!(&*read(json!({"email": "a@b:c"}), &idp).unwrap().identity.id, "idp:a@b:c");
    let wrong = TokenError::Rejected(Rejection::Claim("email".into()));
    for email in [json!(""), json!(7), json!(["a"]), json!("a\u{0}"), json!("a".repeat(257))] {
        assert_eq!(read(json!({"email": email}), &idp).unwrap_err(), wrong, "{email}");
    }
    assert_eq!(read(json!({}), &idp).unwrap_err(), wrong);
}

#[test]
fn conditions_see_values_and_lists_of_values_and_nothing_deeper() {
    let change =
        json!({"groups": ["a", "b"], "level": 3, "ok": true, "deep": {"a": 1}, "lists": [["a"]], "no": null});
    let identity = read(change.clone(), &provider("idp", ISSUER)).unwrap().identity;
    assert_eq!(identity.claims["groups"], ["a", "b"]);
    assert_eq!(
        (&identity.claims["level"][..], &identity.claims["ok"][..]),
        (&["3".into()][..], &["true".into()][..])
    );
    for absent in ["deep", "lists", "no"] {
        assert!(!identity.claims.contains_key(absent), "{absent}");
    }
    let some = Provider { claims: vec!["groups".into()], ..provider("idp", ISSUER) };
    let identity = read(change, &some).unwrap().identity;
    assert_eq!(identity.claims.keys().collect::<Vec<_>>(), ["groups"]);
}

#[test]
fn what_it_gives_ends_with_it_or_as_long_after_as_is_configured() {
    let idp = provider("idp", ISSUER);
    assert_eq!(read(json!({}), &idp).unwrap().identity.expires, NOW + 660);
    let longer = Provider { outlive_seconds: 3600, ..idp };
    assert_eq!(read(json!({}), &longer).unwrap().identity.expires, NOW + 4260);
    assert_eq!(read(json!({"exp": u64::MAX}), &longer).unwrap().identity.expires, i64::MAX);
}
