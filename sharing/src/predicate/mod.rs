//! Predicates: which files of a version may hold rows that a reader asks for.
//!
//! - P1: a file is left out only if no row of it can match, whoever evaluates the predicate: where readers differ (rounding,
//!   NaN, time zones, quoting), a row counts as matching if it matches for any of them (D2).
//! - P2: what is not understood may come to anything. It never makes the rest of a predicate say more.
//! - P3: a file counts for a limit only if each of its rows matches, for every reader.
//!
//! Hints are parsed (`sql`, `json`) and bound to columns (`column`, `condition`). For each file, what is known of the
//! columns (`facts`) decides what each condition may come to (`outcome`). Nothing here reads anything.

mod ignored;
mod limit;
mod outcome;

pub use ignored::{Ignored, Why};
pub use limit::Limit;

use crate::table::{DataFile, HiddenField, Metadata};
use outcome::Outcomes;

/// What a reader asks for, bound to the columns of a version.
#[derive(Debug, Clone)]
pub struct Predicate {
    outcomes: Outcomes,
}

/// Which rows of a file match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// None: the file may be left out.
    None,
    /// Some may.
    Some,
    /// Every live one.
    Every,
}

impl Predicate {
    /// What `predicateHints` and `jsonPredicateHints` ask for together, of a version with `metadata` and
    /// [`hidden`](crate::table::TableVersion::hidden) fields; `None` without hints. And which hints, or parts of them, are
    /// not followed.
    pub fn of_hints(
        sql: &[String],
        json: Option<&str>,
        metadata: &Metadata,
        hidden: &[HiddenField],
    ) -> (Option<Self>, Vec<Ignored>) {
        let _columns = (metadata, hidden);
        let ignored: Vec<_> =
            sql.iter().map(String::as_str).chain(json).map(|hint| Ignored::new(hint, Why::Unknown)).collect();
        ((!ignored.is_empty()).then_some(Self { outcomes: Outcomes::ANY }), ignored)
    }

    /// Which rows of a file of the version match.
    pub fn fit(&self, _file: &DataFile<'_>) -> Fit {
        Fit::of(self.outcomes)
    }

    /// Whether a file of the version must be told.
    pub fn keeps(&self, file: &DataFile<'_>) -> bool {
        self.fit(file) != Fit::None
    }
}

impl Fit {
    fn of(outcomes: Outcomes) -> Self {
        match outcomes {
            Outcomes::TRUE => Self::Every,
            _ if outcomes.has(Outcomes::TRUE) => Self::Some,
            _ => Self::None,
        }
    }
}
