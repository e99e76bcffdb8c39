//! A predicate: conditions, and how they are joined.

use super::condition::Comparison;
use super::facts::{Facts, Known};
use super::outcome::Outcomes;

/// A predicate, or a part of one.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// What may come to these, in every file (P2).
    Fixed(Outcomes),
    IsNull {
        column: usize,
    },
    Compare {
        column: usize,
        comparison: Comparison,
    },
    BeginsWith {
        column: usize,
        prefix: String,
    },
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// Whether it comes to one of `truth`; never null.
    Is {
        truth: Outcomes,
        of: Box<Node>,
    },
}

impl Node {
    /// What it may come to for the rows of a file.
    pub(super) fn outcomes(&self, facts: &Facts<'_>) -> Outcomes {
        match self {
            Self::Fixed(outcomes) => *outcomes,
            Self::IsNull { column } => all(facts.of_column(*column), is_null),
            Self::Compare { column, comparison } => {
                all(facts.of_column(*column), |known| comparison.outcomes(known))
            }
            Self::BeginsWith { column, prefix } => {
                all(facts.of_column(*column), |known| begins_with(known, prefix))
            }
            Self::And(parts) => join(parts, facts, Outcomes::TRUE, Outcomes::FALSE, Outcomes::and),
            Self::Or(parts) => join(parts, facts, Outcomes::FALSE, Outcomes::TRUE, Outcomes::or),
            Self::Not(part) => !part.outcomes(facts),
            Self::Is { truth, of } => {
                let outcomes = of.outcomes(facts);
                Outcomes::of(outcomes.meets(*truth), !truth.has(outcomes))
            }
        }
    }

    pub(super) fn not(self) -> Self {
        Self::Not(Box::new(self))
    }
}

/// What all statements about a column allow. Without any, everything.
fn all<'a>(known: &[Known<'a>], outcomes: impl Fn(&Known<'a>) -> Outcomes) -> Outcomes {
    known.iter().fold(Outcomes::ANY, |so_far, known| so_far.and_also(outcomes(known)))
}

fn join(
    parts: &[Node],
    facts: &Facts<'_>,
    of_none: Outcomes,
    decides: Outcomes,
    with: impl Fn(Outcomes, Outcomes) -> Outcomes,
) -> Outcomes {
    let mut joined = of_none;
    for part in parts {
        joined = with(joined, part.outcomes(facts));
        if joined == decides {
            break;
        }
    }
    joined
}

fn is_null(known: &Known<'_>) -> Outcomes {
    match known {
        Known::Nulls => Outcomes::TRUE,
        Known::Values { nulls, .. } => Outcomes::of(*nulls, true),
        Known::Bucket { .. } => Outcomes::FALSE,
    }
}

fn begins_with(known: &Known<'_>, prefix: &str) -> Outcomes {
    match known {
        Known::Nulls => Outcomes::NULL,
        Known::Values { range, nulls, nan: _ } => {
            let outcomes = range.begins_with(prefix);
            if *nulls { outcomes.or_those_of(Outcomes::NULL) } else { outcomes }
        }
        Known::Bucket { .. } => Outcomes::of(true, true),
    }
}
