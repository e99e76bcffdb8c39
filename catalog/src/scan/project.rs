//! What a row filter says of the values of one partition spec.
//!
//! - Q2: an inclusive test holds for every partition with a matching row; where a strict one holds,
//!   every row of the partition matches.
//!
//! From both follow the manifests to skip and the residual of a partition: what is still to be
//! tested on its rows.

use std::sync::Arc;

use super::bind::{Bound, BoundFilter, Test};
use super::filter::Expr;
use super::transform::{apply, first_chars, result_type};
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

/// From tests of a column of type `of` to tests of what `transform` makes of it.
struct Projection<'a> {
    transform: &'a Transform,
    of: &'a PrimitiveType,
}

impl Projection<'_> {
    fn inclusive(&self, test: &Test) -> Option<Test> {
        match self.transform {
            Transform::Bucket(_) => match test {
                Test::IsNull | Test::NotNull => Some(test.clone()),
                Test::Eq(value) => self.of_value(value).map(Test::Eq),
                Test::In(values) => self.of_values(values).map(Test::In),
                _unordered => None,
            },
            Transform::Truncate(width) => self.truncate_inclusive(*width, test),
            Transform::Year | Transform::Month | Transform::Day | Transform::Hour => {
                let projected = self.monotonic_inclusive(test)?;
                Some(with_early_writers(projected))
            }
            Transform::Identity | Transform::Void | Transform::Other(_) => None,
        }
    }

    fn strict(&self, test: &Test) -> Option<Test> {
        match self.transform {
            Transform::Bucket(_) => match test {
                Test::IsNull | Test::NotNull => Some(test.clone()),
                Test::NotEq(value) => self.of_value(value).map(Test::NotEq),
                Test::NotIn(values) => self.of_values(values).map(Test::NotIn),
                _unordered => None,
            },
            Transform::Truncate(width) => self.truncate_strict(*width, test),
            Transform::Year | Transform::Month | Transform::Day | Transform::Hour => {
                let projected = self.monotonic_strict(test)?;
                Some(strict_with_early_writers(projected))
            }
            Transform::Identity | Transform::Void | Transform::Other(_) => None,
        }
    }

    /// The transform never goes down where the value goes up.
    fn monotonic_inclusive(&self, test: &Test) -> Option<Test> {
        match test {
            Test::IsNull | Test::NotNull => Some(test.clone()),
            Test::Lt(value) => self.of_value(&before(value)?).map(Test::LtEq),
            Test::LtEq(value) => self.of_value(value).map(Test::LtEq),
            Test::Gt(value) => self.of_value(&after(value)?).map(Test::GtEq),
            Test::GtEq(value) => self.of_value(value).map(Test::GtEq),
            Test::Eq(value) => self.of_value(value).map(Test::Eq),
            Test::In(values) => self.of_values(values).map(Test::In),
            Test::IsNan
            | Test::NotNan
            | Test::NotEq(_)
            | Test::NotIn(_)
            | Test::StartsWith(_)
            | Test::NotStartsWith(_) => None,
        }
    }

    fn monotonic_strict(&self, test: &Test) -> Option<Test> {
        match test {
            Test::IsNull | Test::NotNull => Some(test.clone()),
            Test::Lt(value) => self.of_value(value).map(Test::Lt),
            Test::LtEq(value) => self.of_value(&after(value)?).map(Test::Lt),
            Test::Gt(value) => self.of_value(value).map(Test::Gt),
            Test::GtEq(value) => self.of_value(&before(value)?).map(Test::Gt),
            Test::NotEq(value) => self.of_value(value).map(Test::NotEq),
            Test::NotIn(values) => self.of_values(values).map(Test::NotIn),
            Test::IsNan
            | Test::NotNan
            | Test::Eq(_)
            | Test::In(_)
            | Test::StartsWith(_)
            | Test::NotStartsWith(_) => None,
        }
    }

    fn truncate_inclusive(&self, width: u32, test: &Test) -> Option<Test> {
        match test {
            Test::Lt(value) if value.raw().is_some() => self.of_value(value).map(Test::LtEq),
            Test::Gt(value) if value.raw().is_some() => self.of_value(value).map(Test::GtEq),
            Test::StartsWith(prefix) => match length(prefix, width) {
                Length::Shorter => Some(test.clone()),
                Length::Same | Length::Longer => self.of_value(prefix).map(Test::Eq),
            },
            Test::NotStartsWith(prefix) => match length(prefix, width) {
                Length::Shorter => Some(test.clone()),
                Length::Same => Some(Test::NotEq(prefix.clone())),
                Length::Longer => None,
            },
            other => self.monotonic_inclusive(other),
        }
    }

    fn truncate_strict(&self, width: u32, test: &Test) -> Option<Test> {
        match test {
            // What comes after a text or before it has no name; the truncated text serves as well.
            Test::LtEq(value) if value.raw().is_some() => self.of_value(value).map(Test::Lt),
            Test::GtEq(value) if value.raw().is_some() => self.of_value(value).map(Test::Gt),
            Test::StartsWith(prefix) => match length(prefix, width) {
                Length::Shorter => Some(test.clone()),
                Length::Same => Some(Test::Eq(prefix.clone())),
                Length::Longer => None,
            },
            Test::NotStartsWith(prefix) => match length(prefix, width) {
                Length::Shorter => Some(test.clone()),
                Length::Same | Length::Longer => self.of_value(prefix).map(Test::NotEq),
            },
            other => self.monotonic_strict(other),
        }
    }

    fn of_value(&self, value: &Value) -> Option<Value> {
        apply(self.transform, self.of, value)
    }

    fn of_values(&self, values: &[Value]) -> Option<Vec<Value>> {
        let projected = values.iter().map(|value| self.of_value(value)).collect::<Option<Vec<_>>>()?;
        Some(sorted(projected))
    }
}

fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by(Value::rank);
    values.dedup_by(|this, that| this.rank(that).is_eq());
    values
}

/// The next value of a type whose values can be counted.
fn after(value: &Value) -> Option<Value> {
    match value {
        Value::Integer(number) => number.checked_add(1).map(Value::Integer),
        Value::Decimal(number) => number.checked_add(1).map(Value::Decimal),
        Value::Boolean(_) | Value::Real(_) | Value::Text(_) | Value::Uuid(_) | Value::Bytes(_) => None,
    }
}

fn before(value: &Value) -> Option<Value> {
    match value {
        Value::Integer(number) => number.checked_sub(1).map(Value::Integer),
        Value::Decimal(number) => number.checked_sub(1).map(Value::Decimal),
        Value::Boolean(_) | Value::Real(_) | Value::Text(_) | Value::Uuid(_) | Value::Bytes(_) => None,
    }
}

/// A prefix beside the width of a truncation.
enum Length {
    Shorter,
    Same,
    Longer,
}

fn length(prefix: &Value, width: u32) -> Length {
    let width = width as usize;
    let (fits, fills) = match prefix {
        // Truncation counts characters.
        Value::Text(text) => {
            (first_chars(text, width).len() == text.len(), text.chars().nth(width - 1).is_some())
        }
        Value::Bytes(bytes) => (bytes.len() <= width, bytes.len() >= width),
        Value::Boolean(_) | Value::Integer(_) | Value::Real(_) | Value::Decimal(_) | Value::Uuid(_) => {
            (false, true)
        }
    };
    match (fits, fills) {
        (true, false) => Length::Shorter,
        (true, true) => Length::Same,
        (false, _) => Length::Longer,
    }
}

/// Java writers up to Iceberg 0.10 gave moments before 1970 a partition value one too high; files of
/// theirs must be found too.
fn with_early_writers(test: Test) -> Test {
    let raised = |value: &Value| match value {
        Value::Integer(number) if *number < 0 => Some(Value::Integer(number + 1)),
        _not_before_1970 => None,
    };
    match test {
        Test::LtEq(value) => Test::LtEq(raised(&value).unwrap_or(value)),
        Test::Eq(value) => match raised(&value) {
            Some(raised) => Test::In(sorted(vec![value, raised])),
            None => Test::Eq(value),
        },
        Test::In(values) => {
            let both = values.iter().filter_map(raised).chain(values.iter().cloned()).collect();
            Test::In(sorted(both))
        }
        other => other,
    }
}

/// The same for strict tests: a value one too high proves less.
fn strict_with_early_writers(test: Test) -> Test {
    let raised = |value: &Value, up_to: i64| match value {
        Value::Integer(number) if *number <= up_to => Some(Value::Integer(number + 1)),
        _not_before_1970 => None,
    };
    match test {
        Test::Gt(value) => Test::Gt(raised(&value, 0).unwrap_or(value)),
        Test::NotEq(value) => match raised(&value, -1) {
            Some(raised) => Test::NotIn(sorted(vec![value, raised])),
            None => Test::NotEq(value),
        },
        Test::NotIn(values) => {
            let high = values.iter().filter_map(|value| raised(value, -1));
            Test::NotIn(sorted(high.chain(values.iter().cloned()).collect()))
        }
        other => other,
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
