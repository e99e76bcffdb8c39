//! What policies mean.

mod conditions;
mod cves;
mod grants;
mod input;
mod oracle;
mod statements;
mod unset;

use std::net::IpAddr;

use tarn_openapi::access::{Action, Ask, Resource, Sender, Transport};

use super::decide::{Decision, decide};
use super::document::Policy;
use super::facts::{Facts, Who};

/// A question for tests, from a user called alice.
struct Question {
    who: Who,
    sender: Sender,
    values: Vec<(&'static str, &'static str)>,
    uuid: Option<String>,
}

impl Default for Question {
    fn default() -> Self {
        let who = Who {
            username: Some("alice".into()),
            user_id: Some("alice".into()),
            kind: "User",
            groups: vec!["staff".into(), "night".into()],
            claims: [("team".to_owned(), vec!["red".to_owned()])].into(),
        };
        let sender = Sender {
            address: Some(IpAddr::from([203, 0, 113, 9])),
            transport: Transport::Plain,
            at_seconds: 1_800_000_000,
            user_agent: Some("tests/1".parse().unwrap()),
            referer: None,
        };
        Self { who, sender, values: Vec::new(), uuid: None }
    }
}

impl Question {
    fn decide(&self, policy: &str, action: Action, resource: Resource<'_>) -> &'static str {
        let policy = Policy::parse(policy).unwrap_or_else(|error| panic!("{error}: {policy}"));
        let ask = Ask::new(action, resource).sent_by(Some(&self.sender)).with(&self.values);
        match decide([("p", &policy)], &Facts::new(ask, &self.who, self.uuid.clone())) {
            Decision::Allowed(_) => "allowed",
            Decision::Denied(_) => "denied",
            Decision::NotAllowed => "not allowed",
        }
    }

    /// Whether a condition holds, in a policy that allows reading `b/k` under it.
    fn holds(&self, condition: &str) -> bool {
        self.decide(&when(condition), Action::GetObject, Resource::Object("b", "k")) == "allowed"
    }
}

/// A policy that allows everything under a condition.
fn when(condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}}}"#
    )
}

/// A policy of one statement.
fn one(effect: &str, action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"{action}","Resource":"{resource}"}}]}}"#
    )
}
