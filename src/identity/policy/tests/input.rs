//! What is no policy is refused, with its place.

use proptest::prelude::*;
use tarn_openapi::access::{Action, Resource};

use super::super::document::{DOCUMENT_BYTES_MAX, Policy};
use super::{Question, one};

fn problem(text: &str) -> String {
    Policy::parse(text).map(|_| ()).expect_err(text).to_string()
}

#[test]
fn what_is_not_known_is_an_error_with_its_place() {
    let statement = |rest: &str| {
        format!(r#"{{"Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":"*"{rest}}}]}}"#)
    };
    for (text, place) in [
        ("", "line 1 column 0"),
        ("{\n  \"Version\": }", "line 2 column 14"),
        (r#"{"Statement":[],"Statement":[]}"#, "\"Statement\" is given twice"),
        ("[]", "policy: it is a list"),
        ("{}", "policy: it has no Statement"),
        (r#"{"Statement":[]}"#, "Statement: a policy has 1 to"),
        (r#"{"Version":"2013-01-01","Statement":[]}"#, "Version: there is no version"),
        (r#"{"Statements":[]}"#, "Statements: policies have no such field"),
        (&statement(r#","Actions":"s3:*""#), "Statement[0].Actions: statements have no such field"),
        (&statement(r#","NotAction":"s3:*""#), "Statement[0].NotAction: a statement has Action or NotAction"),
        (&statement(r#","NotResource":"*""#), "Statement[0].NotResource"),
        (&statement(r#","Principal":"*""#), "Statement[0].Principal: only policies of buckets"),
        (
            &statement(r#","Condition":{"StringEqual":{"aws:username":"a"}}"#),
            "StringEqual.aws:username: there is no condition operator",
        ),
        (
            &statement(r#","Condition":{"ForSomeValues:StringEquals":{"aws:username":"a"}}"#),
            "no condition operator",
        ),
        (&statement(r#","Condition":{"NullIfExists":{"aws:username":"true"}}"#), "no condition operator"),
        (&statement(r#","Condition":{"StringEquals":{"aws:user":"a"}}"#), "no condition key \"aws:user\""),
        (&statement(r#","Condition":{"StringEquals":{"aws:username":[]}}"#), "a list has 1 to"),
        (&statement(r#","Condition":{"StringEquals":{"aws:username":null}}"#), "it is null"),
        (&statement(r#","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/40"}}"#), "is not an address"),
        (&statement(r#","Condition":{"NumericEquals":{"s3:max-keys":"NaN"}}"#), "is not a number"),
        (&statement(r#","Condition":{"DateLessThan":{"aws:CurrentTime":"tomorrow"}}"#), "is not a date"),
        (&statement(r#","Condition":{"Bool":{"aws:SecureTransport":"yes"}}"#), "neither true nor false"),
        (&statement(r#","Condition":{"ArnLike":{"aws:PrincipalArn":"alice"}}"#), "is not an ARN"),
        (&statement(r#","Condition":{"BinaryEquals":{"aws:username":"%"}}"#), "is not base64"),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObjct","Resource":"*"}}"#,
            "Statement[0].Action: this server has no action",
        ),
        (r#"{"Statement":{"Effect":"allow","Action":"s3:*","Resource":"*"}}"#, "neither Allow nor Deny"),
        (r#"{"Statement":{"Action":"s3:*","Resource":"*"}}"#, "it has no Effect"),
        (r#"{"Statement":{"Effect":"Allow","Resource":"*"}}"#, "neither Action nor NotAction"),
        (r#"{"Statement":{"Effect":"Allow","Action":"s3:*"}}"#, "neither Resource nor NotResource"),
        (r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"b/*"}}"#, "neither * nor an ARN"),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}"}}"#,
            "needs \"Version\"",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:user}"}}"#,
            "there is no variable",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username"}}"#,
            "without its end",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username, x}"}}"#,
            "single quotes",
        ),
        (
            r#"{"Statement":[{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
            "Statement[1].Sid",
        ),
    ] {
        let found = problem(text);
        assert!(found.contains(place), "{text}\n{found}\n{place}");
    }
}

#[test]
fn policies_have_limits() {
    let long = one("Allow", "s3:*", &format!("arn:aws:s3:::{}", "a".repeat(DOCUMENT_BYTES_MAX)));
    assert!(problem(&long).contains("at most 20480 bytes"));
    let wide = one("Allow", "s3:*", &format!("arn:aws:s3:::{}", "a".repeat(3000)));
    assert!(problem(&wide).contains("at most 2048 bytes"));
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(problem(&deep).contains("recursion"));
    let statement = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
    assert!(
        problem(&format!(r#"{{"Statement":[{}]}}"#, vec![statement; 101].join(","))).contains("1 to 100")
    );
    let resources = vec!["\"*\""; 501].join(",");
    let many = format!(r#"{{"Statement":{{"Effect":"Allow","Action":"s3:*","Resource":[{resources}]}}}}"#);
    assert!(problem(&many).contains("1 to 500 entries"));
}

#[test]
fn a_pattern_of_many_stars_is_matched_without_going_back() {
    let question = Question::default();
    let pattern = format!("arn:aws:s3:::{}b", "*a".repeat(900));
    let key = "a".repeat(1000);
    let decided = question.decide(
        &one("Allow", "s3:GetObject", &pattern),
        Action::GetObject,
        Resource::Object("b", &key),
    );
    assert_eq!(decided, "not allowed");
    // Going back over 900 stars would not end.
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_an_error(text in ".{0,200}") {
        let _outcome = Policy::parse(&text);
    }

    #[test]
    fn anything_shaped_like_a_policy_is_read_or_refused(
        action in "[a-z:*?A-Z]{0,20}",
        resource in "(arn:aws:s3:::)?[a-z*?/${}:,' ]{0,30}",
        operator in "(ForAllValues:)?(String|Numeric|Null|Bool|Date|Arn)(Equals|Like)?(IfExists)?",
        value in ".{0,10}",
    ) {
        let text = serde_json::json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": action, "Resource": resource,
            "Condition": {operator: {"aws:username": value}}}});
        if let Ok(policy) = Policy::parse(&text.to_string()) {
            let question = Question::default();
            let _ = policy;
            question.decide(&text.to_string(), Action::GetObject, Resource::Object("b", "k"));
        }
    }
}
