//! Why somebody may do something or not: every rule that was asked, every policy that was looked at. It is the decision
//! itself that tells, so that the answer is what happens.

use serde::Serialize;
use tarn_openapi::access::{Ask, Principal};

use super::attached::{Attached, Found};
use super::decide::{Citation, Decision, decide};
use super::facts::Facts;
use super::grants::{Grants, Step};

/// What a rule or policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Allowed,
    /// A statement denies it.
    Denied,
    /// No statement is about it.
    NotAllowed,
    /// There is no such policy: it allows nothing.
    Missing,
    /// The policy or group cannot be read: as long as it is attached nothing is allowed.
    Unreadable,
}

/// A decision with its reasons.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Explanation {
    pub(crate) allowed: bool,
    /// What the rule that decided said. All must allow; a denial decides before what merely is not allowed.
    pub(crate) outcome: Outcome,
    /// The statement that decided; absent where no statement did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<Cited>,
    /// The rules in the order they were asked.
    pub(crate) rules: Vec<Rule>,
}

/// A rule that was asked.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Rule {
    /// Whose it is: `user`, `service account policy`, `access key`, `root`, ...
    pub(crate) rule: &'static str,
    pub(crate) outcome: Outcome,
    /// The policies it looked at.
    pub(crate) policies: Vec<LookedAt>,
}

/// A policy that was looked at, and what it says alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct LookedAt {
    pub(crate) policy: String,
    /// The group it is attached to; absent when it is the user's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    pub(crate) outcome: Outcome,
    /// The statement it rests on, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) statement: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
}

/// The statement that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Cited {
    pub(crate) policy: String,
    /// The group the policy is attached to; absent when it is the user's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    /// From 0.
    pub(crate) statement: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
}

impl Grants {
    /// Why `principal` may or may not.
    pub(crate) fn explain(&self, principal: &Principal, ask: Ask<'_>) -> Explanation {
        let mut rules: Vec<Rule> = Vec::new();
        let allowed = self.evaluate(principal, ask, &mut |step| rules.push(Rule::of(&step)));
        let first = |outcome| rules.iter().find(|rule| rule.outcome == outcome);
        let decided = first(Outcome::Denied).or_else(|| first(Outcome::NotAllowed)).or(rules.last());
        let outcome = decided.map_or(Outcome::NotAllowed, |rule| rule.outcome);
        let by = decided.and_then(Rule::decided_by);
        Explanation { allowed, outcome, by, rules }
    }
}

impl Rule {
    fn of(step: &Step<'_>) -> Self {
        let asked = step
            .asked
            .into_iter()
            .flat_map(|(attached, facts)| attached.iter().map(move |one| LookedAt::new(one, facts)));
        Self { rule: step.of, outcome: outcome(&step.decision).0, policies: asked.collect() }
    }

    /// The statement of the first policy that says what the rule does: a policy that denies decides alone.
    fn decided_by(&self) -> Option<Cited> {
        let found = self.policies.iter().find(|one| one.outcome == self.outcome)?;
        let LookedAt { policy, group, outcome: _, statement, sid } = found.clone();
        Some(Cited { policy, group, statement: statement?, sid })
    }
}

impl LookedAt {
    fn new(attached: &Attached, facts: &Facts<'_>) -> Self {
        let (outcome, cited) = match &attached.policy {
            Found::Policy(policy) => {
                let (outcome, cited) = outcome(&decide([("", &**policy)], facts));
                (outcome, cited.map(|cited| (cited.statement, cited.sid.map(str::to_owned))))
            }
            Found::Missing => (Outcome::Missing, None),
            Found::Unreadable => (Outcome::Unreadable, None),
        };
        let (statement, sid) = cited.map_or((None, None), |(statement, sid)| (Some(statement), sid));
        let group = attached.group.as_ref().map(ToString::to_string);
        Self { policy: attached.name.to_string(), group, outcome, statement, sid }
    }
}

fn outcome<'p>(decision: &Decision<'p>) -> (Outcome, Option<Citation<'p>>) {
    match decision {
        Decision::Allowed(cited) => (Outcome::Allowed, Some(*cited)),
        Decision::Denied(cited) => (Outcome::Denied, Some(*cited)),
        Decision::NotAllowed => (Outcome::NotAllowed, None),
    }
}
