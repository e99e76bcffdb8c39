//! What the form asks for, and who gets credentials.

use std::sync::Arc;

use tarn_openapi::access::{Action, Ask, Authorize as _, Principal, Resource};

use super::super::key::AccessKey;
use super::super::keyring::Keyring;
use super::super::oidc::{Issuers, Pace};
use super::super::policy::Grants;
use super::super::secret::Secret;
use super::super::session::{Sessions, Temporary, Use};
use super::order::Wanted;
use super::{Sts, StsError, is_sts};

const NOW: i64 = 1_800_000_000;

struct Server {
    sts: Sts,
    grants: Arc<Grants>,
}

fn server() -> Server {
    let keyring = Arc::new(Keyring::new(AccessKey::root("root", Secret::new("secret-of-root".into()))));
    let grants = Arc::new(Grants::new(keyring.clone()));
    let sessions = Arc::new(Sessions::new(&[7; 32], keyring));
    let issuers = Arc::new(Issuers::open(Vec::new(), Pace::default()).unwrap());
    Server { sts: Sts { sessions, authorize: grants.clone(), issuers }, grants }
}

fn read(fields: &[(&str, &str)]) -> Result<Wanted, StsError> {
    let mut all = vec![("Version".to_owned(), "2011-06-15".to_owned())];
    all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Wanted::read(all)
}

impl Server {
    fn ask(&self, who: &Principal, fields: &[(&str, &str)]) -> Result<Temporary, StsError> {
        self.sts.make(who, None, &read(fields)?, NOW)
    }

    fn opened(&self, made: &Temporary) -> Principal {
        let opened = self.sts.sessions.open(made.token.expose(), Use::Signing, None, NOW).unwrap();
        Principal::Session(opened.session)
    }

    fn may(&self, who: &Principal, action: Action, key: &str) -> bool {
        self.grants.authorize(who, Ask::new(action, Resource::Object("b", key))).is_ok()
    }
}

const READ_A: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["s3:GetObject","sts:*"],"Resource":"arn:aws:s3:::b/a/*"},
    {"Effect":"Allow","Action":"sts:*"}]}"#;

#[test]
fn an_inline_policy_narrows_a_session_and_every_session_made_with_it() {
    let server = server();
    let outer = server.ask(&Principal::Root, &[("Action", "AssumeRole"), ("Policy", READ_A)]).unwrap();
    assert_eq!(outer.expires, NOW + 3_600);
    let outer = server.opened(&outer);
    assert!(server.may(&outer, Action::GetObject, "a/k"));
    assert!(!server.may(&outer, Action::GetObject, "c/k") && !server.may(&outer, Action::PutObject, "a/k"));
    let inner = server.opened(&server.ask(&outer, &[("Action", "GetSessionToken")]).unwrap());
    assert!(server.may(&inner, Action::GetObject, "a/k") && !server.may(&inner, Action::GetObject, "c/k"));
}

#[test]
fn a_session_whose_policy_does_not_say_so_and_nobody_get_no_credentials() {
    let server = server();
    let policy = r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let made = server.ask(&Principal::Root, &[("Action", "AssumeRole"), ("Policy", policy)]).unwrap();
    let again = server.ask(&server.opened(&made), &[("Action", "AssumeRole")]);
    assert!(matches!(again, Err(StsError::Denied)));
    let nobody = server.ask(&Principal::Anonymous, &[("Action", "GetSessionToken")]);
    assert!(matches!(nobody, Err(StsError::Anonymous)));
}

#[test]
fn what_the_form_says_and_nobody_knows_is_refused() {
    assert!(matches!(read(&[("Action", "AssumeRol")]), Err(StsError::Action(_))));
    assert!(matches!(read(&[]), Err(StsError::Action(_))));
    assert!(matches!(read(&[("Action", "AssumeRoleWithSAML")]), Err(StsError::NotServed(_))));
    for field in [
        ("DurationSeconds", "899"),
        ("DurationSeconds", "43201"),
        ("DurationSeconds", "1h"),
        ("RoleSessionName", "a b"),
        ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/x"),
        ("SerialNumber", "1"),
        ("Version", "2011-06-15"),
    ] {
        assert!(matches!(read(&[("Action", "AssumeRole"), field]), Err(StsError::Parameter(_))), "{field:?}");
    }
    assert!(matches!(read(&[("Action", "AssumeRole"), ("Policy", "{}")]), Err(StsError::Policy(_))));
    assert!(matches!(
        read(&[("Action", "GetSessionToken"), ("Policy", READ_A)]),
        Err(StsError::Parameter(_))
    ));
}

#[test]
fn only_a_form_posted_to_the_root_is_for_sts() {
    let request = |method: &str, uri: &str, kind: &str| {
        http::Request::builder().method(method).uri(uri).header("content-type", kind).body(()).unwrap()
    };
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    assert!(is_sts(&request("POST", "/", form)));
    assert!(!is_sts(&request("POST", "/?delete", form)) && !is_sts(&request("POST", "/b", form)));
    assert!(!is_sts(&request("PUT", "/", form)) && !is_sts(&request("POST", "/", "multipart/form-data")));
}
