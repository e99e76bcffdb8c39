//! What a row filter says of the values of one partition spec.
//!
//! - Q2: an inclusive test holds for every partition with a matching row; where a strict one holds,
//!   every row of the partition matches.
//!
//! From both follow the manifests to skip and the residual of a partition: what is still to be
//! tested on its rows.

mod rules;

use std::sync::Arc;

use self::rules::Projection;
use super::bind::{Bound, BoundFilter, Test};
use super::filter::Expr;
use super::transform::result_type;
use super::value::Value;
use crate::metadata::PartitionSpec;
use crate::metadata::transform::Transform;
use crate::metadata::types::PrimitiveType;

/// A row filter seen from a partition spec.
#[derive(Debug)]
pub(crate) struct SpecFilter {
    expr: Expr<Projected>,
}

/// A predicate on rows and the tests of partition fields that follow from it.
#[derive(Debug)]
struct Projected {
    bound: Arc<Bound>,
    /// All hold where a row matches.
    inclusive: Vec<FieldTest>,
    /// Where one holds, all rows match.
    strict: Vec<FieldTest>,
}

#[derive(Debug)]
struct FieldTest {
    /// The position of the field in the spec.
    position: usize,
    test: Test,
}

/// What a manifest list says of one partition field of a manifest.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FieldSummary {
    pub(crate) contains_null: bool,
    pub(crate) contains_nan: Option<bool>,
    /// `None`: all values are null or NaN. The inner `None`: a bound that cannot be read.
    pub(crate) bounds: Option<(Option<Value>, Option<Value>)>,
}

impl SpecFilter {
    /// Projects `filter` on `spec`; `source` gives the type of a column the spec was made for.
    pub(crate) fn new(
        filter: &BoundFilter,
        spec: &PartitionSpec,
        source: &dyn Fn(i32) -> Option<PrimitiveType>,
    ) -> Self {
        Self { expr: project(filter, spec, source) }
    }

    /// Whether a partition within these summaries may hold a matching row. Without a summary of each
    /// field nothing is known.
    pub(crate) fn may_match_summaries(&self, summaries: &[FieldSummary]) -> bool {
        may_match(&self.expr, summaries)
    }

    /// What is left to test on the rows of the partition with these values, given in the order of
    /// the spec's fields.
    pub(crate) fn residual(&self, partition: &[(PrimitiveType, Option<Value>)]) -> BoundFilter {
        residual(&self.expr, partition)
    }
}

fn project(
    filter: &BoundFilter,
    spec: &PartitionSpec,
    source: &dyn Fn(i32) -> Option<PrimitiveType>,
) -> Expr<Projected> {
    let inner = |expr| Box::new(project(expr, spec, source));
    match filter {
        Expr::True => Expr::True,
        Expr::False => Expr::False,
        Expr::Not(expr) => Expr::Not(inner(expr)),
        Expr::And(left, right) => Expr::And(inner(left), inner(right)),
        Expr::Or(left, right) => Expr::Or(inner(left), inner(right)),
        Expr::Predicate(bound) => Expr::Predicate(project_predicate(bound, spec, source)),
    }
}

fn project_predicate(
    bound: &Arc<Bound>,
    spec: &PartitionSpec,
    source: &dyn Fn(i32) -> Option<PrimitiveType>,
) -> Projected {
    let mut projected = Projected { bound: bound.clone(), inclusive: Vec::new(), strict: Vec::new() };
    for (position, field) in spec.fields.iter().enumerate() {
        if field.source_ids != [bound.column.id] || source(bound.column.id).is_none() {
            continue;
        }
        let (inclusive, strict) = if field.transform == bound.transform {
            // Void makes null of everything: its values tell nothing.
            let same = (field.transform != Transform::Void).then(|| bound.test.clone());
            (same.clone(), same)
        } else if bound.transform == Transform::Identity {
            let on = Projection { transform: &field.transform, of: &bound.column.of };
            (on.inclusive(&bound.test), on.strict(&bound.test))
        } else {
            (None, None)
        };
        projected.inclusive.extend(inclusive.map(|test| FieldTest { position, test }));
        projected.strict.extend(strict.map(|test| FieldTest { position, test }));
    }
    projected
}

fn may_match(expr: &Expr<Projected>, summaries: &[FieldSummary]) -> bool {
    match expr {
        Expr::True | Expr::Not(_) => true,
        Expr::False => false,
        Expr::And(left, right) => may_match(left, summaries) && may_match(right, summaries),
        Expr::Or(left, right) => may_match(left, summaries) || may_match(right, summaries),
        Expr::Predicate(projected) => projected
            .inclusive
            .iter()
            .all(|field| summaries.get(field.position).is_none_or(|summary| summary.may_match(&field.test))),
    }
}

fn residual(expr: &Expr<Projected>, partition: &[(PrimitiveType, Option<Value>)]) -> BoundFilter {
    let value = |field: &FieldTest| partition.get(field.position).map(|(_, value)| value.as_ref());
    match expr {
        Expr::True => Expr::True,
        Expr::False => Expr::False,
        // Binding leaves no NOT (bind.rs).
        Expr::Not(expr) => Expr::Not(Box::new(residual(expr, partition))),
        Expr::And(left, right) => residual(left, partition).and(residual(right, partition)),
        Expr::Or(left, right) => residual(left, partition).or(residual(right, partition)),
        Expr::Predicate(projected) => {
            let holds = |field: &FieldTest| value(field).and_then(|value| field.test.holds(value));
            if projected.inclusive.iter().any(|field| holds(field) == Some(false)) {
                Expr::False
            } else if projected.strict.iter().any(|field| holds(field) == Some(true)) {
                Expr::True
            } else {
                Expr::Predicate(projected.bound.clone())
            }
        }
    }
}

/// The type of a partition field's values; `None` when its transform is not known or its source gone.
pub(crate) fn field_type(
    transform: &Transform,
    source_ids: &[i32],
    source: &dyn Fn(i32) -> Option<PrimitiveType>,
) -> Option<PrimitiveType> {
    let [id] = source_ids else { return None };
    result_type(transform, &source(*id)?)
}
