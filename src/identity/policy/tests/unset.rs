//! Variables without a value.

use proptest::prelude::*;
use serde_json::{Value, json};
use tarn_openapi::access::{Action, Resource};

use super::Question;

const KEY: Resource<'_> = Resource::Object("b", "red/k");

/// A statement about reading, under an allow of everything when it is a deny.
fn decide(effect: &str, rest: Value) -> &'static str {
    let mut question = Question::default();
    question.who.claims.clear();
    let mut statement = json!({"Effect": effect, "Action": "s3:GetObject"});
    for (name, value) in rest.as_object().unwrap() {
        statement[name] = value.clone();
    }
    let everything = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    let statements = if effect == "Deny" { json!([everything, statement]) } else { json!([statement]) };
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    question.decide(&policy, Action::GetObject, KEY)
}

#[test]
fn a_variable_without_a_value_widens_nothing() {
    let team = "arn:aws:s3:::b/${jwt:team}/*";
    let other = "arn:aws:s3:::c/${jwt:team}/*";
    let when = |operator: &str, value: &str| json!({"Resource": "*", "Condition": {operator: {"aws:username": value}}});
    for (rest, allow, deny) in [
        (json!({"Resource": team}), "not allowed", "denied"),
        (json!({"Resource": other}), "not allowed", "allowed"),
        (json!({"NotResource": team}), "not allowed", "denied"),
        (json!({"NotResource": other}), "allowed", "denied"),
        (when("StringEquals", "${jwt:team}"), "not allowed", "denied"),
        (when("StringNotEquals", "${jwt:team}"), "not allowed", "denied"),
        (when("StringEqualsIgnoreCase", "A${jwt:team}"), "not allowed", "denied"),
        (when("StringNotEqualsIgnoreCase", "A${jwt:team}"), "not allowed", "denied"),
        (when("StringLike", "a*${jwt:team}"), "not allowed", "denied"),
        (when("StringNotLike", "a*${jwt:team}"), "not allowed", "denied"),
        (when("ForAllValues:StringNotEquals", "${jwt:team}"), "not allowed", "denied"),
        (when("StringNotEquals", "bob-${jwt:team}"), "allowed", "denied"),
        (when("StringEquals", "${jwt:team, 'alice'}"), "allowed", "denied"),
    ] {
        assert_eq!(decide("Allow", rest.clone()), allow, "{rest}");
        assert_eq!(decide("Deny", rest.clone()), deny, "{rest}");
    }
}

fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("/".to_owned()),
        Just("*".to_owned()),
        Just("?".to_owned()),
        Just("${jwt:team}".to_owned()),
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn statement() -> impl Strategy<Value = Value> {
    let operator = prop_oneof![
        Just("StringEquals"),
        Just("StringNotEquals"),
        Just("StringLike"),
        Just("StringNotLike"),
        Just("StringNotEqualsIgnoreCase"),
        Just("ForAllValues:StringNotLike"),
        Just("ForAnyValue:StringLikeIfExists"),
    ];
    let condition = prop::option::of((operator, prop::collection::vec(text(), 1..3)));
    (any::<bool>(), any::<bool>(), prop::collection::vec(text(), 1..3), condition).prop_map(
        |(allow, not, resources, condition)| {
            let arns: Vec<String> = resources.iter().map(|text| format!("arn:aws:s3:::{text}")).collect();
            let mut statement = json!({"Effect": if allow { "Allow" } else { "Deny" }, "Action": "s3:*"});
            statement[if not { "NotResource" } else { "Resource" }] = json!(arns);
            if let Some((operator, values)) = condition {
                statement["Condition"] = json!({operator: {"aws:groups": values}});
            }
            statement
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_is_allowed_without_a_value_is_allowed_with_any(
        statements in prop::collection::vec(statement(), 1..4),
        groups in prop::collection::vec("[ab/]{0,3}", 0..3),
        key in "[ab/]{1,4}",
        value in "[ab/*]{0,3}",
    ) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let mut question = Question::default();
        question.who.groups = groups;
        question.who.claims.clear();
        let object = Resource::Object("a", &key);
        if question.decide(&policy, Action::GetObject, object) == "allowed" {
            question.who.claims.insert("team".into(), vec![value]);
            prop_assert_eq!(question.decide(&policy, Action::GetObject, object), "allowed", "{}", policy);
        }
    }
}
