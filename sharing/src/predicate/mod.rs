//! Predicates: which files of a version may hold rows that a reader asks for.
//!
//! - P1: a file is left out only if no row of it can match, whoever evaluates the predicate: where readers differ (rounding,
//!   NaN, time zones, quoting), a row counts as matching if it matches for any of them (D2).
//! - P2: what is not understood may come to anything. It never makes the rest of a predicate say more.
//! - P3: a file counts for a limit only if each of its rows matches, for every reader.
//!
//! Hints are parsed (`sql`, `json`) and bound to columns (`binder`, `column`, `literal`) as conditions (`condition`,
//! `node`). For each file, what is known of the columns (`facts`, `stats`, `hidden`) decides what each condition may come
//! to (`outcome`). Nothing here reads anything.

mod binder;
mod column;
mod condition;
mod facts;
mod hidden;
mod ignored;
mod json;
mod kind;
mod limit;
mod literal;
mod node;
mod number;
mod outcome;
mod sql;
mod stats;
#[cfg(test)]
mod tests;
mod time;
mod value;

pub use ignored::{Ignored, Why};
pub use limit::Limit;

use crate::table::{DataFile, HiddenField, Metadata};
use binder::Binder;
use column::{Column, Columns};
use facts::Facts;
use node::Node;
use outcome::Outcomes;

/// Hints that are told of as not followed.
const IGNORED_MAX: usize = 16;

/// What a reader asks for, bound to the columns of a version.
#[derive(Debug, Clone)]
pub struct Predicate {
    root: Node,
    columns: Vec<Column>,
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
    /// not followed: the first of them.
    pub fn of_hints(
        sql: &[String],
        json: Option<&str>,
        metadata: &Metadata,
        hidden: &[HiddenField],
    ) -> (Option<Self>, Vec<Ignored>) {
        let mut binder = Binder::new(Columns::new(metadata, hidden));
        let mut ignored = Vec::new();
        let mut parts = Vec::new();
        let mut bind = |hint: &str, bind: fn(&str, &mut Binder<'_>) -> Result<Node, Why>| {
            let bound = bind(hint, &mut binder);
            let of_a_part = binder.take_why();
            let why = bound.as_ref().err().copied().or(of_a_part);
            if let Some(why) = why.filter(|_| ignored.len() < IGNORED_MAX) {
                ignored.push(Ignored::new(hint, why));
            }
            parts.push(bound.unwrap_or(Node::Fixed(Outcomes::ANY)));
        };
        sql.iter().for_each(|hint| bind(hint, sql::bind));
        json.into_iter().for_each(|hint| bind(hint, json::bind));
        let predicate = Self { root: Node::And(parts), columns: binder.columns.into_named() };
        let none = sql.is_empty() && json.is_none();
        ((!none).then_some(predicate), ignored)
    }

    /// Which rows of a file of the version match.
    pub fn fit(&self, file: &DataFile<'_>) -> Fit {
        match self.root.outcomes(&Facts::of(&self.columns, file)) {
            Outcomes::TRUE => Fit::Every,
            outcomes if outcomes.has(Outcomes::TRUE) => Fit::Some,
            _never_true => Fit::None,
        }
    }

    /// Whether a file of the version must be told.
    pub fn keeps(&self, file: &DataFile<'_>) -> bool {
        self.fit(file) != Fit::None
    }
}
