//! Tests on single values, on summaries of manifests and on the metrics of files.
//!
//! - Q1: "may match" is false only when no row can match. What is not known may match.
//!
//! Whether NaN is above all numbers is the engine's to say: comparisons that would hold then are
//! never refused for a file that may hold NaN.

use std::cmp::Ordering;

use super::bind::{Bound, BoundFilter, Test};
use super::filter::Expr;
use super::manifest::ContentFile;
use super::project::FieldSummary;
use super::value::Value;
use crate::metadata::transform::Transform;
use crate::metadata::types::PrimitiveType;

impl Test {
    /// Whether the test holds for this value (`None` is null); `None` where that is not known.
    pub(crate) fn holds(&self, value: Option<&Value>) -> Option<bool> {
        let Some(value) = value else {
            return Some(match self {
                Test::IsNull | Test::NotNan | Test::NotEq(_) | Test::NotIn(_) | Test::NotStartsWith(_) => {
                    true
                }
                Test::NotNull
                | Test::IsNan
                | Test::Lt(_)
                | Test::LtEq(_)
                | Test::Gt(_)
                | Test::GtEq(_)
                | Test::Eq(_)
                | Test::StartsWith(_)
                | Test::In(_) => false,
            });
        };
        let order = |literal: &Value| value.order(literal);
        match self {
            Test::IsNull => Some(false),
            Test::NotNull => Some(true),
            Test::IsNan => Some(value.is_nan()),
            Test::NotNan => Some(!value.is_nan()),
            Test::Lt(literal) => order(literal).map(Ordering::is_lt),
            Test::LtEq(literal) => order(literal).map(Ordering::is_le),
            Test::Gt(literal) => order(literal).map(Ordering::is_gt),
            Test::GtEq(literal) => order(literal).map(Ordering::is_ge),
            Test::Eq(literal) => value.same(literal),
            Test::NotEq(literal) => value.same(literal).map(|same| !same),
            Test::StartsWith(prefix) => value.starts_with(prefix),
            Test::NotStartsWith(prefix) => value.starts_with(prefix).map(|starts| !starts),
            Test::In(literals) => contains(literals, value),
            Test::NotIn(literals) => contains(literals, value).map(|contains| !contains),
        }
    }
}

/// Whether sorted `literals` hold `value`; `None` for values of another type.
fn contains(literals: &[Value], value: &Value) -> Option<bool> {
    literals.first()?.same(value)?;
    Some(literals.binary_search_by(|literal| literal.rank(value)).is_ok())
}

/// What is known of the values of a column or partition field.
struct Range<'a> {
    may_be_null: bool,
    may_be_nan: bool,
    /// Whether a value that is neither null nor NaN may exist.
    may_be_value: bool,
    lower: Option<&'a Value>,
    upper: Option<&'a Value>,
}

impl Range<'_> {
    fn may_match(&self, test: &Test) -> bool {
        match test {
            Test::IsNull => self.may_be_null,
            Test::NotNull => self.may_be_nan || self.may_be_value,
            Test::IsNan => self.may_be_nan,
            Test::NotNan => self.may_be_null || self.may_be_value,
            Test::Lt(literal) => self.may_be_value && !self.starts_at(literal, Ordering::is_ge),
            Test::LtEq(literal) => self.may_be_value && !self.starts_at(literal, Ordering::is_gt),
            Test::Gt(literal) => self.may_be_above(|range| !range.ends_at(literal, Ordering::is_le)),
            Test::GtEq(literal) => self.may_be_above(|range| !range.ends_at(literal, Ordering::is_lt)),
            Test::Eq(literal) if literal.is_nan() => self.may_be_nan,
            Test::Eq(literal) => self.may_be_value && self.may_hold(literal),
            Test::In(literals) => self.may_be_value && self.may_hold_any(literals),
            Test::StartsWith(prefix) => self.may_be_value && self.may_start_with(prefix),
            Test::NotStartsWith(prefix) => {
                self.may_be_null || self.may_be_value && !self.all_start_with(prefix)
            }
            Test::NotEq(_) | Test::NotIn(_) => true,
        }
    }

    fn may_be_above(&self, value_may: impl Fn(&Self) -> bool) -> bool {
        self.may_be_nan || self.may_be_value && value_may(self)
    }

    /// Whether every value is known to lie so beside `literal`.
    fn starts_at(&self, literal: &Value, beside: fn(Ordering) -> bool) -> bool {
        self.lower.and_then(|lower| lower.order(literal)).is_some_and(beside)
    }

    fn ends_at(&self, literal: &Value, beside: fn(Ordering) -> bool) -> bool {
        self.upper.and_then(|upper| upper.order(literal)).is_some_and(beside)
    }

    fn may_hold(&self, literal: &Value) -> bool {
        // UUIDs have no order, but bounds that are one value are that value.
        if let (Some(lower), Some(upper)) = (self.lower, self.upper)
            && matches!(literal, Value::Uuid(_))
            && lower.same(upper) == Some(true)
        {
            return lower.same(literal) != Some(false);
        }
        !self.starts_at(literal, Ordering::is_gt) && !self.ends_at(literal, Ordering::is_lt)
    }

    /// `literals` are sorted.
    fn may_hold_any(&self, literals: &[Value]) -> bool {
        if matches!(literals.first(), Some(Value::Uuid(_))) {
            return literals.iter().any(|literal| self.may_hold(literal));
        }
        let below = |literal: &Value| self.starts_at(literal, Ordering::is_gt);
        literals[literals.partition_point(below)..]
            .first()
            .is_some_and(|first| !self.ends_at(first, Ordering::is_lt))
    }

    fn may_start_with(&self, prefix: &Value) -> bool {
        let Some(wanted) = prefix.raw() else { return true };
        let above =
            self.lower.and_then(|lower| lower.first_bytes(wanted.len())).is_some_and(|lower| lower > wanted);
        let below = self
            .upper
            .and_then(|upper| upper.first_bytes(wanted.len()))
            .is_some_and(|upper| upper < &wanted[..upper.len()]);
        !above && !below
    }

    fn all_start_with(&self, prefix: &Value) -> bool {
        let starts = |bound: Option<&Value>| bound.and_then(|bound| bound.starts_with(prefix)) == Some(true);
        starts(self.lower) && starts(self.upper)
    }
}

impl FieldSummary {
    /// Whether a partition of the manifest may pass the test.
    pub(crate) fn may_match(&self, test: &Test) -> bool {
        let (lower, upper) = match &self.bounds {
            Some((lower, upper)) => (lower.as_ref(), upper.as_ref()),
            None => (None, None),
        };
        let real = |bound: Option<&Value>| matches!(bound, None | Some(Value::Real(_)));
        let range = Range {
            may_be_null: self.contains_null,
            // Only floats have NaN, and what has no bounds may be nothing but NaN.
            may_be_nan: self.contains_nan.unwrap_or(real(lower)) && real(lower),
            may_be_value: self.bounds.is_some(),
            lower: lower.filter(|bound| !bound.is_nan()),
            upper: upper.filter(|bound| !bound.is_nan()),
        };
        range.may_match(test)
    }
}

/// Whether a row of `file` may pass `filter`, by its column metrics.
pub(crate) fn file_may_match(filter: &BoundFilter, file: &ContentFile) -> bool {
    file.record_count != 0 && may_match(filter, file)
}

fn may_match(filter: &BoundFilter, file: &ContentFile) -> bool {
    match filter {
        Expr::True | Expr::Not(_) => true,
        Expr::False => false,
        Expr::And(left, right) => may_match(left, file) && may_match(right, file),
        Expr::Or(left, right) => may_match(left, file) || may_match(right, file),
        Expr::Predicate(bound) => column_may_match(bound, file),
    }
}

fn column_may_match(bound: &Bound, file: &ContentFile) -> bool {
    let (id, of) = (bound.column.id, &bound.column.of);
    let is_real = matches!(of, PrimitiveType::Float | PrimitiveType::Double);
    let (values, nulls) = (file.value_count(id), file.null_count(id));
    let nans = if is_real { file.nan_count(id) } else { Some(0) };
    let all = |count: Option<i64>| matches!((values, count), (Some(values), Some(count)) if count >= values);
    let none_left = match (values, nulls, nans) {
        (Some(values), Some(nulls), Some(nans)) => nulls.saturating_add(nans) >= values,
        (_, _, _) => all(nulls) || all(nans),
    };
    let lower = file.lower_bound(id).and_then(|bytes| Value::from_bound(of, bytes));
    let upper = file.upper_bound(id).and_then(|bytes| Value::from_bound(of, bytes));
    let range = Range {
        may_be_null: nulls != Some(0),
        may_be_nan: is_real && nans != Some(0) && !all(nulls),
        may_be_value: !none_left,
        lower: lower.as_ref().filter(|bound| !bound.is_nan()),
        upper: upper.as_ref().filter(|bound| !bound.is_nan()),
    };
    match (&bound.transform, &bound.test) {
        (Transform::Identity, test) => range.may_match(test),
        // Null stays null, and only null becomes null.
        (
            Transform::Bucket(_)
            | Transform::Truncate(_)
            | Transform::Year
            | Transform::Month
            | Transform::Day
            | Transform::Hour,
            test @ (Test::IsNull | Test::NotNull),
        ) => range.may_match(test),
        (_transformed, _) => true,
    }
}
