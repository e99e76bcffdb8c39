//! One test for each known fault of other servers that a policy engine can have.

use std::sync::Arc;

use tarn_openapi::access::{Action, Ask, Authorize as _, Principal, Resource, Restriction, Session};

use super::super::super::key::AccessKey;
use super::super::super::keyring::Keyring;
use super::super::super::secret::Secret;
use super::super::grants::Grants;
use super::{Question, one, when};

fn grants() -> Grants {
    let root = AccessKey::root("root", Secret::new("secret-of-root".into()));
    Grants::new(Arc::new(Keyring::new(root)))
}

fn session(parent: Principal, policy: &str) -> Principal {
    let restriction = Restriction::Policy(policy.into());
    Principal::Session(Arc::new(Session {
        id: "TEMP".into(),
        parent,
        restriction,
        expires: i64::MAX,
        ticket: None,
    }))
}

#[test]
fn cve_2026_42810_a_star_in_a_name_widens_nothing() {
    let question = Question::default();
    let levels = ["*".to_owned()];
    let policy = one("Allow", "s3tables:*", "arn:aws:s3tables:::bucket/w/table/*/t");
    let star = Resource::Table("w", &levels, "t");
    assert_eq!(question.decide(&policy, Action::GetTable, star), "allowed");
    let exact = one("Allow", "s3tables:*", "arn:aws:s3tables:::bucket/w/table/sales/t");
    assert_eq!(question.decide(&exact, Action::GetTable, star), "not allowed");
}

#[test]
fn cve_2025_62506_a_session_policy_binds_what_concerns_the_own_account_too() {
    let grants = grants();
    let bound = session(Principal::Root, &one("Allow", "s3:GetObject", "arn:aws:s3:::b/*"));
    let may = |who: &Principal, action, resource| grants.authorize(who, Ask::new(action, resource)).is_ok();
    assert!(may(&bound, Action::GetObject, Resource::Object("b", "k")));
    for action in [Action::CreateServiceAccount, Action::AssumeRole, Action::CreateUser, Action::ServerInfo] {
        assert!(!may(&bound, action, Resource::Server), "{action:?}");
    }
}

#[test]
fn cve_2021_41137_the_policy_of_a_session_is_applied_to_everything() {
    let grants = grants();
    for &action in Action::ALL {
        let nothing = session(Principal::Root, &one("Deny", "*", "*"));
        for resource in [Resource::Server, Resource::Bucket("b"), Resource::Object("b", "k")] {
            assert!(grants.authorize(&nothing, Ask::new(action, resource)).is_err(), "{action:?}");
        }
    }
}

#[test]
fn cve_2021_21362_credentials_to_read_do_not_upload() {
    let grants = grants();
    let reader = session(Principal::Root, &one("Allow", "s3:GetObject", "*"));
    let object = Resource::Object("b", "k");
    for action in
        [Action::PutObject, Action::AbortMultipartUpload, Action::DeleteObject, Action::PutObjectAcl]
    {
        assert!(grants.authorize(&reader, Ask::new(action, object)).is_err(), "{action:?}");
    }
}

#[test]
fn cve_2023_25812_a_deny_of_bypassing_governance_wins() {
    let question = Question::default();
    let policy = r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},
        {"Effect":"Deny","Action":"s3:BypassGovernanceRetention","Resource":"*"}]}"#;
    let object = Resource::Object("b", "k");
    assert_eq!(question.decide(policy, Action::BypassGovernanceRetention, object), "denied");
    assert_eq!(question.decide(policy, Action::DeleteObjectVersion, object), "allowed");
}

#[test]
fn ghsa_6r96_a_header_is_no_condition_value() {
    // Only keys this server fills in itself exist; one that a header could fill in is refused.
    for key in ["s3:authType", "aws:x-forwarded-for", "x-amz-meta-a", "s3:signatureversion", "ldap:user"] {
        let policy = when(&format!(r#"{{"StringEquals":{{"{key}":"a"}}}}"#));
        assert!(super::super::document::Policy::parse(&policy).is_err(), "{key}");
    }
}

#[test]
fn a_session_policy_that_cannot_be_read_allows_nothing() {
    let grants = grants();
    for text in ["", "{}", "null", r#"{"Statement":[]}"#] {
        let broken = session(Principal::Root, text);
        assert!(grants.authorize(&broken, Ask::new(Action::GetObject, Resource::Object("b", "k"))).is_err());
    }
}

#[test]
fn sessions_of_sessions_are_inside_both() {
    let grants = grants();
    let outer = session(Principal::Root, &one("Allow", "s3:*", "arn:aws:s3:::b/*"));
    let inner = session(outer, &one("Allow", "*", "*"));
    let may =
        |bucket| grants.authorize(&inner, Ask::new(Action::GetObject, Resource::Object(bucket, "k"))).is_ok();
    assert!(may("b") && !may("c"));
}
