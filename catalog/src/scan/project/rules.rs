//! Tests of columns as tests of what the partition transforms make of them.

use super::super::bind::Test;
use super::super::transform::{apply, first_chars};
use super::super::value::Value;
use crate::metadata::transform::Transform;
use crate::metadata::types::PrimitiveType;

/// From tests of a column of type `of` to tests of what `transform` makes of it.
pub(super) struct Projection<'a> {
    pub(super) transform: &'a Transform,
    pub(super) of: &'a PrimitiveType,
}

impl Projection<'_> {
    /// Holds for what is made of every value that passes `test`.
    pub(super) fn inclusive(&self, test: &Test) -> Option<Test> {
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

    /// Where it holds, every value it is made of passes `test`.
    pub(super) fn strict(&self, test: &Test) -> Option<Test> {
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
