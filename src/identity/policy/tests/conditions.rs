//! Operators, keys and variables.

use tarn_openapi::access::{Action, Resource};

use super::{Question, when};

#[test]
fn operators_compare_as_their_names_say() {
    let values = vec![("s3:max-keys", "50"), ("s3:delimiter", "/")];
    let question = Question { values, ..Question::default() };
    for (condition, holds) in [
        (r#"{"StringEquals":{"aws:username":"alice"}}"#, true),
        (r#"{"StringEquals":{"aws:username":["bob","alice"]}}"#, true),
        (r#"{"StringEquals":{"AWS:UserName":"alice"}}"#, true),
        (r#"{"StringEquals":{"aws:username":"Alice"}}"#, false),
        (r#"{"StringEquals":{"aws:username":"al*"}}"#, false),
        (r#"{"StringNotEquals":{"aws:username":["bob","alice"]}}"#, false),
        (r#"{"StringNotEquals":{"aws:username":"bob"}}"#, true),
        (r#"{"StringEqualsIgnoreCase":{"aws:username":"ALICE"}}"#, true),
        (r#"{"StringNotEqualsIgnoreCase":{"aws:username":"ALICE"}}"#, false),
        (r#"{"StringLike":{"aws:username":"al*"}}"#, true),
        (r#"{"StringLike":{"aws:username":"al?"}}"#, false),
        (r#"{"StringNotLike":{"aws:username":"al*"}}"#, false),
        (r#"{"NumericEquals":{"s3:max-keys":50}}"#, true),
        (r#"{"NumericEquals":{"s3:max-keys":"50.0"}}"#, true),
        (r#"{"NumericNotEquals":{"s3:max-keys":"50"}}"#, false),
        (r#"{"NumericLessThan":{"s3:max-keys":"50"}}"#, false),
        (r#"{"NumericLessThanEquals":{"s3:max-keys":"50"}}"#, true),
        (r#"{"NumericGreaterThan":{"s3:max-keys":["90","49"]}}"#, true),
        (r#"{"NumericGreaterThanEquals":{"s3:max-keys":"51"}}"#, false),
        (r#"{"NumericLessThan":{"s3:delimiter":"50"}}"#, false),
        (r#"{"DateGreaterThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}}"#, true),
        (r#"{"DateLessThan":{"aws:CurrentTime":"2027-01-01"}}"#, false),
        (r#"{"DateLessThan":{"aws:EpochTime":"1800000001"}}"#, true),
        (r#"{"DateEquals":{"aws:CurrentTime":"2027-01-15T09:00:00+01:00"}}"#, true),
        (r#"{"NumericLessThan":{"aws:EpochTime":"1800000001"}}"#, true),
        (r#"{"Bool":{"aws:SecureTransport":false}}"#, true),
        (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, false),
        (r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, true),
        (r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.9"]}}"#, true),
        (r#"{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.9"]}}"#, false),
        (r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, true),
        (r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam:::user/al*"}}"#, true),
        (r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}"#, true),
        (r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:i*:user/alice::"}}"#, false),
        (r#"{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam:::user/bob"}}"#, true),
        (r#"{"BinaryEquals":{"aws:username":"YWxpY2U="}}"#, false),
        (r#"{"Null":{"aws:username":"false"}}"#, true),
        (r#"{"Null":{"aws:Referer":"true"}}"#, true),
        (r#"{"Null":{"aws:username":true}}"#, false),
        (r#"{"StringEquals":{"aws:PrincipalType":"User","aws:UserAgent":"tests/1"}}"#, true),
        (r#"{"StringEquals":{"aws:PrincipalType":"User","aws:UserAgent":"tests/2"}}"#, false),
        (r#"{"StringEquals":{"aws:username":"alice"},"Bool":{"aws:SecureTransport":true}}"#, false),
        (r#"{"StringEquals":{"jwt:team":"red"}}"#, true),
        (r#"{"StringEquals":{"jwt:Team":"red"}}"#, false),
    ] {
        assert_eq!(question.holds(condition), holds, "{condition}");
    }
}

#[test]
fn binary_values_are_compared_decoded() {
    let mut question = Question::default();
    question.who.username = Some("YWxpY2U=".into());
    assert!(question.holds(r#"{"BinaryEquals":{"aws:username":"YWxpY2U="}}"#));
    assert!(!question.holds(r#"{"BinaryEquals":{"aws:username":"Ym9i"}}"#));
}

#[test]
fn a_missing_key_fails_a_condition_unless_it_is_negated_or_says_if_exists() {
    let question = Question::default();
    for (condition, holds) in [
        (r#"{"StringEquals":{"aws:Referer":"a"}}"#, false),
        (r#"{"StringNotEquals":{"aws:Referer":"a"}}"#, true),
        (r#"{"StringLike":{"aws:Referer":"*"}}"#, false),
        (r#"{"StringLikeIfExists":{"aws:Referer":"a"}}"#, true),
        (r#"{"StringEqualsIfExists":{"aws:username":"bob"}}"#, false),
        (r#"{"NumericLessThan":{"s3:max-keys":"5"}}"#, false),
        (r#"{"NumericLessThanIfExists":{"s3:max-keys":"5"}}"#, true),
        (r#"{"ForAllValues:StringEquals":{"aws:Referer":"a"}}"#, true),
        (r#"{"ForAnyValue:StringEquals":{"aws:Referer":"a"}}"#, false),
        (r#"{"ForAnyValue:StringNotEquals":{"aws:Referer":"a"}}"#, false),
        (r#"{"ForAnyValue:StringEqualsIfExists":{"aws:Referer":"a"}}"#, true),
    ] {
        assert_eq!(question.holds(condition), holds, "{condition}");
    }
}

#[test]
fn ghsa_v9cp_all_and_any_values_are_negated_value_by_value() {
    let question = Question::default();
    // The groups are staff and night.
    for (condition, holds) in [
        (r#"{"ForAllValues:StringEquals":{"aws:groups":["staff","night","day"]}}"#, true),
        (r#"{"ForAllValues:StringEquals":{"aws:groups":["staff"]}}"#, false),
        (r#"{"ForAnyValue:StringEquals":{"aws:groups":["staff"]}}"#, true),
        (r#"{"ForAnyValue:StringEquals":{"aws:groups":["day"]}}"#, false),
        (r#"{"ForAllValues:StringNotEquals":{"aws:groups":["staff"]}}"#, false),
        (r#"{"ForAllValues:StringNotEquals":{"aws:groups":["day"]}}"#, true),
        (r#"{"ForAnyValue:StringNotEquals":{"aws:groups":["staff"]}}"#, true),
        (r#"{"ForAnyValue:StringNotEquals":{"aws:groups":["staff","night"]}}"#, false),
        (r#"{"ForAllValues:StringNotLike":{"aws:groups":["st*"]}}"#, false),
        (r#"{"ForAnyValue:StringLike":{"aws:groups":["st*"]}}"#, true),
    ] {
        assert_eq!(question.holds(condition), holds, "{condition}");
    }
}

#[test]
fn variables_stand_for_their_text_and_never_for_a_pattern() {
    let mut question = Question::default();
    let home = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*",
        "Resource":"arn:aws:s3:::b/home/${aws:username}/*"}}"#;
    let mut may = |name: Option<&str>, key: &str| {
        question.who.username = name.map(str::to_owned);
        question.decide(home, Action::GetObject, Resource::Object("b", key)) == "allowed"
    };
    assert!(may(Some("alice"), "home/alice/k") && !may(Some("alice"), "home/bob/k"));
    assert!(!may(Some("*"), "home/bob/k") && may(Some("*"), "home/*/k"));
    assert!(!may(Some("?lice"), "home/alice/k"));
    assert!(!may(None, "home//k"), "a variable without a value matches nothing");

    let mut question = Question::default();
    for (condition, holds) in [
        (r#"{"StringEquals":{"aws:userid":"${aws:username}"}}"#, true),
        (r#"{"StringLike":{"aws:username":"${aws:Referer, 'al'}*"}}"#, true),
        (r#"{"StringLike":{"aws:username":"${aws:Referer}*"}}"#, false),
        (r#"{"StringLike":{"aws:username":"${*}"}}"#, false),
        (r#"{"StringEquals":{"jwt:team":"${jwt:team}"}}"#, true),
        (r#"{"StringEquals":{"aws:groups":"${aws:groups}"}}"#, false),
    ] {
        assert_eq!(question.holds(condition), holds, "{condition}");
    }
    question.who.username = Some("a*?$".into());
    assert!(question.holds(r#"{"StringLike":{"aws:username":"a${*}${?}${$}"}}"#));
    assert!(question.holds(r#"{"StringEquals":{"aws:username":"a${*}${?}${$}"}}"#));
}

#[test]
fn listings_are_limited_by_prefix_and_namespaces_by_name() {
    let question = Question::default();
    let prefix = when(r#"{"StringLike":{"s3:prefix":["","home/","home/${aws:username}/*"]}}"#);
    for (asked, allowed) in
        [("", true), ("home/", true), ("home/alice/x", true), ("home/bob/x", false), ("home", false)]
    {
        let decided = question.decide(&prefix, Action::ListBucket, Resource::Listing("b", asked));
        assert_eq!(decided == "allowed", allowed, "{asked}");
    }
    let namespace = when(r#"{"StringEquals":{"s3tables:namespace":"a.b","s3tables:tableName":"t"}}"#);
    let may = |levels: &[&str], name: &str| {
        let levels: Vec<String> = levels.iter().map(|&level| level.to_owned()).collect();
        question.decide(&namespace, Action::GetTable, Resource::Table("w", &levels, name)) == "allowed"
    };
    assert!(may(&["a", "b"], "t") && !may(&["a", "b"], "u") && !may(&["a"], "t") && !may(&["a.b"], "t"));
}
