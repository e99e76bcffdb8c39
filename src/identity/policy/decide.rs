//! Decides by policies: an explicit deny wins, what nothing allows is not allowed. Pure.

use super::document::{Effect, Policy, ResourcePattern, Resources, Statement};
use super::facts::Facts;
use super::pattern::Unset;

/// What policies say to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision<'p> {
    /// A statement allows it and none denies it.
    Allowed(Citation<'p>),
    /// A statement denies it.
    Denied(Citation<'p>),
    /// No statement is about it.
    NotAllowed,
}

/// The statement a decision rests on, by the name of its policy, its place there from 0, and its `Sid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Citation<'p> {
    pub(crate) policy: &'p str,
    pub(crate) statement: usize,
    pub(crate) sid: Option<&'p str>,
}

impl Decision<'static> {
    /// A rule that is no statement allows it, such as being root.
    pub(crate) fn everything(rule: &'static str) -> Self {
        Decision::Allowed(Citation { policy: rule, statement: 0, sid: None })
    }
}

/// Decides by all of `policies`, each with its name.
pub(crate) fn decide<'p>(
    policies: impl IntoIterator<Item = (&'p str, &'p Policy)>,
    facts: &Facts<'_>,
) -> Decision<'p> {
    let mut decision = Decision::NotAllowed;
    for (name, policy) in policies {
        for (place, statement) in policy.statements.iter().enumerate() {
            // A second allow changes nothing: only a deny can.
            if statement.effect == Effect::Allow && decision != Decision::NotAllowed {
                continue;
            }
            if !statement.applies(facts) {
                continue;
            }
            let citation = Citation { policy: name, statement: place, sid: statement.sid.as_deref() };
            match statement.effect {
                Effect::Deny => return Decision::Denied(citation),
                Effect::Allow => decision = Decision::Allowed(citation),
            }
        }
    }
    decision
}

impl Statement {
    fn applies(&self, facts: &Facts<'_>) -> bool {
        // A variable without a value must not make an allow apply, nor keep a deny from it.
        let unset = match self.effect {
            Effect::Allow => Unset::Nothing,
            Effect::Deny => Unset::Anything,
        };
        self.names(facts.action())
            && self.resources.include(facts, unset)
            && self.conditions.iter().all(|condition| condition.holds(facts, unset))
    }
}

impl Resources {
    fn include(&self, facts: &Facts<'_>, unset: Unset) -> bool {
        let any = |patterns: &[ResourcePattern], unset| patterns.iter().any(|one| one.matches(facts, unset));
        match self {
            Resources::Unnamed => true,
            Resources::Only(patterns) => any(patterns, unset),
            Resources::AllBut(patterns) => !any(patterns, unset.negated()),
        }
    }
}

impl ResourcePattern {
    fn matches(&self, facts: &Facts<'_>, unset: Unset) -> bool {
        match self {
            ResourcePattern::Everything => true,
            ResourcePattern::S3(pattern) => {
                facts.s3().is_some_and(|resource| pattern.matches(resource, facts, unset))
            }
            ResourcePattern::Tables(pattern) => {
                facts.tables().iter().any(|resource| pattern.matches(resource, facts, unset))
            }
        }
    }
}
