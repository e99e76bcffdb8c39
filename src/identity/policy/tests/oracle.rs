//! The engine against a slow and obvious evaluator that reads the JSON again for every question.

use proptest::prelude::*;
use serde_json::{Value, json};
use tarn_openapi::access::{Action, Resource};

use super::Question;

/// `*` and `?` by trying everything.
fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skipped| like(rest, &text[skipped..])),
        Some(('?', rest)) => !text.is_empty() && like(rest, &text[1..]),
        Some((first, rest)) => text.first() == Some(first) && like(rest, &text[1..]),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    like(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

/// The texts of a field that holds one or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().map(|text| text.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

fn names(statement: &Value, field: &str, text: &str, fold: fn(&str) -> String) -> bool {
    let any = |list: &Value| texts(list).iter().any(|pattern| matches(&fold(pattern), &fold(text)));
    match (statement.get(field), statement.get(format!("Not{field}"))) {
        (Some(list), _) => any(list),
        (None, Some(list)) => !any(list),
        (None, None) => true,
    }
}

fn condition_holds(operator: &str, wanted: &Value, found: &[String]) -> bool {
    let (quantifier, operator) = match operator.split_once(':') {
        Some((quantifier, operator)) => (quantifier, operator),
        None => ("", operator),
    };
    let (if_exists, operator) = match operator.strip_suffix("IfExists") {
        Some(operator) => (true, operator),
        None => (false, operator),
    };
    let wanted = texts(wanted);
    if operator == "Null" {
        return found.is_empty() == (wanted[0] == "true");
    }
    if if_exists && found.is_empty() {
        return true;
    }
    let one = |value: &String| match operator {
        "StringEquals" => wanted.iter().any(|text| text == value),
        "StringNotEquals" => wanted.iter().all(|text| text != value),
        "StringLike" => wanted.iter().any(|text| matches(text, value)),
        "StringNotLike" => wanted.iter().all(|text| !matches(text, value)),
        other => panic!("{other}"),
    };
    match quantifier {
        "ForAllValues" => found.iter().all(one),
        "ForAnyValue" => found.iter().any(one),
        _ if operator.starts_with("StringNot") => found.iter().all(one),
        _ => found.iter().any(one),
    }
}

fn decide(policy: &Value, action: &str, arn: &str, found: &dyn Fn(&str) -> Vec<String>) -> &'static str {
    let applies = |statement: &&Value| {
        let conditions = statement.get("Condition").and_then(Value::as_object);
        names(statement, "Action", action, |text| text.to_ascii_lowercase())
            && names(statement, "Resource", arn, str::to_owned)
            && conditions.into_iter().flatten().all(|(operator, keys)| {
                let mut keys = keys.as_object().unwrap().iter();
                keys.all(|(key, wanted)| condition_holds(operator, wanted, &found(key)))
            })
    };
    let statements: Vec<&Value> = policy["Statement"].as_array().unwrap().iter().filter(applies).collect();
    if statements.iter().any(|statement| statement["Effect"] == "Deny") {
        "denied"
    } else if statements.is_empty() {
        "not allowed"
    } else {
        "allowed"
    }
}

fn statement() -> impl Strategy<Value = Value> {
    let action = prop_oneof![
        Just("s3:GetObject"),
        Just("s3:Get*"),
        Just("s3:*"),
        Just("*"),
        Just("S3:PUTobject"),
        Just("s3:?etObject")
    ];
    let actions = prop::collection::vec(action, 1..3);
    let resources = prop::collection::vec("[ab*?/]{1,6}", 1..3);
    let operator = prop_oneof![
        Just("StringEquals"),
        Just("StringNotEquals"),
        Just("StringLike"),
        Just("StringNotLike"),
    ];
    let operator =
        (prop_oneof![Just(""), Just("ForAllValues:"), Just("ForAnyValue:")], operator, any::<bool>())
            .prop_map(|(quantifier, operator, if_exists)| {
                format!("{quantifier}{operator}{}", if if_exists { "IfExists" } else { "" })
            });
    let values = prop::collection::vec("[ab*?]{0,3}", 1..3);
    let key = prop_oneof![Just("aws:username"), Just("aws:groups"), Just("jwt:team")];
    let condition = prop::option::of((operator, key, values));
    let null = prop::option::of(any::<bool>());
    (any::<bool>(), any::<bool>(), any::<bool>(), actions, resources, condition, null).prop_map(
        |(allow, not_action, not_resource, actions, resources, condition, null)| {
            let arns: Vec<String> = resources.iter().map(|text| format!("arn:aws:s3:::{text}")).collect();
            let mut statement = json!({"Effect": if allow { "Allow" } else { "Deny" }});
            statement[if not_action { "NotAction" } else { "Action" }] = json!(actions);
            statement[if not_resource { "NotResource" } else { "Resource" }] = json!(arns);
            let mut conditions = json!({});
            if let Some((operator, key, values)) = condition {
                conditions[operator][key] = json!(values);
            }
            if let Some(null) = null {
                conditions["Null"]["aws:username"] = json!(null.to_string());
            }
            statement["Condition"] = conditions;
            statement
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_engine_decides_as_the_slow_evaluator_does(
        statements in prop::collection::vec(statement(), 1..4),
        (username, groups, team) in (
            prop::option::of("[ab*]{0,3}"),
            prop::collection::vec("[ab]{0,3}", 0..3),
            prop::collection::vec("[ab]{0,3}", 0..3),
        ),
        key in "[ab/]{1,5}",
        write in any::<bool>(),
    ) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements});
        let mut question = Question::default();
        question.who.username = username.clone();
        question.who.groups = groups.clone();
        question.who.claims = [("team".to_owned(), team.clone())].into();
        let found = |name: &str| match name {
            "aws:username" => username.clone().into_iter().collect(),
            "aws:groups" => groups.clone(),
            _ => team.clone(),
        };
        let (action, name) =
            if write { (Action::PutObject, "s3:PutObject") } else { (Action::GetObject, "s3:GetObject") };
        let slow = decide(&policy, name, &format!("arn:aws:s3:::a/{key}"), &found);
        let text = policy.to_string();
        prop_assert_eq!(question.decide(&text, action, Resource::Object("a", &key)), slow, "{}", text);
    }
}
