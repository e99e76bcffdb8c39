//! Values in the order of a column, and ranges of them.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::number::Number;
use super::outcome::Outcomes;

/// A value. Booleans are 0 and 1, dates are days and times microseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Number(Number),
    /// Finite.
    Real(f64),
    Text(Cow<'a, str>),
}

/// The values of a column, nulls and NaN aside. What is not known is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Range<'a> {
    /// No value is less.
    pub(super) low: Option<Value<'a>>,
    pub(super) high: Option<High<'a>>,
}

/// No value is greater.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct High<'a> {
    pub(super) value: Value<'a>,
    pub(super) end: End,
}

/// What a greatest text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// There is none greater.
    Exact,
    /// It may be cut: texts that begin with it are not greater.
    Prefix,
}

/// A comparison, with the column on the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A literal, as far as it is known: between the two, both included.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Between {
    pub(super) low: Value<'static>,
    pub(super) high: Value<'static>,
}

impl Value<'_> {
    /// `None` for values of different sorts.
    pub(super) fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Value::Number(b)) => Some(a.cmp(b)),
            (Self::Real(a), Value::Real(b)) => a.partial_cmp(b),
            (Self::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Number(_) | Self::Real(_) | Self::Text(_), _other_sort) => None,
        }
    }
}

impl<'a> Range<'a> {
    /// The one value.
    pub(super) fn point(value: Value<'a>) -> Self {
        Self { low: Some(value.clone()), high: Some(High { value, end: End::Exact }) }
    }

    /// Between two numbers, both included.
    pub(super) fn numbers(low: Number, high: Number) -> Self {
        let high = High { value: Value::Number(high), end: End::Exact };
        Self { low: Some(Value::Number(low)), high: Some(high) }
    }

    /// Itself, or nothing known where it has no value: such bounds are wrong.
    pub(super) fn if_sound(self) -> Self {
        let (Some(low), Some(high)) = (&self.low, &self.high) else { return self };
        if matches!(high.order(low), Some(Ordering::Equal | Ordering::Greater)) {
            self
        } else {
            Self::default()
        }
    }

    /// What `value op literal` may come to, for the values of the range.
    pub(super) fn compare(&self, op: Op, literal: &Between) -> Outcomes {
        // Of bounds that are not known, or not of this sort, nothing follows.
        let low_to = |value: &Value<'_>| self.low.as_ref().and_then(|low| low.order(value));
        let high_to = |value: &Value<'_>| self.high.as_ref().and_then(|high| high.order(value));
        let some_less = low_to(&literal.high) != Some(Ordering::Greater)
            && low_to(&literal.high) != Some(Ordering::Equal);
        let some_less_or_equal = low_to(&literal.high) != Some(Ordering::Greater);
        let some_greater = !matches!(high_to(&literal.low), Some(Ordering::Less | Ordering::Equal));
        let some_greater_or_equal = high_to(&literal.low) != Some(Ordering::Less);
        match op {
            Op::Less => Outcomes::of(some_less, some_greater_or_equal),
            Op::LessOrEqual => Outcomes::of(some_less_or_equal, some_greater),
            Op::Greater => Outcomes::of(some_greater, some_less_or_equal),
            Op::GreaterOrEqual => Outcomes::of(some_greater_or_equal, some_less),
            Op::Equal => {
                let one_literal = literal.low.order(&literal.high) == Some(Ordering::Equal);
                let all_equal = one_literal && !some_less && !some_greater;
                Outcomes::of(some_less_or_equal && some_greater_or_equal, !all_equal)
            }
        }
    }

    /// What `value LIKE 'prefix%'` may come to. It may be false, whatever is known.
    pub(super) fn begins_with(&self, prefix: &str) -> Outcomes {
        let text = Value::Text(Cow::Borrowed(prefix));
        let below = match &self.low {
            Some(Value::Text(low)) => low.as_bytes() <= prefix.as_bytes() || low.starts_with(prefix),
            Some(Value::Number(_) | Value::Real(_)) | None => true,
        };
        let above = self.high.as_ref().and_then(|high| high.order(&text)) != Some(Ordering::Less);
        Outcomes::of(below && above, true)
    }
}

impl High<'_> {
    /// Against the greatest value there may be.
    fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self.end, &self.value, other) {
            (End::Prefix, Value::Text(high), Value::Text(other)) if other.starts_with(&**high) => {
                Some(Ordering::Greater)
            }
            (End::Prefix | End::Exact, value, other) => value.order(other),
        }
    }
}

impl Between {
    /// The one value.
    pub(super) fn point(value: Value<'static>) -> Self {
        Self { low: value.clone(), high: value }
    }

    pub(super) fn numbers(low: i128, high: i128) -> Self {
        Self { low: Value::Number(Number::whole(low)), high: Value::Number(Number::whole(high)) }
    }
}

impl Op {
    /// The same with the column on the other side.
    pub(super) fn flipped(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// What a NaN on the left may come to: readers put it above all numbers, or beside them.
    pub(super) fn of_nan(self) -> Outcomes {
        match self {
            Self::Equal | Self::Less | Self::LessOrEqual => Outcomes::FALSE,
            Self::Greater | Self::GreaterOrEqual => Outcomes::of(true, true),
        }
    }
}

/// Some may hold `value` as a double, some as a float: it lies between these for all of them. Zero is both zeros.
pub(super) fn around(value: f64) -> (f64, f64) {
    let float = value as f32;
    (float.next_down().next_down().into(), float.next_up().next_up().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    fn literal(text: &str) -> Between {
        Between::point(Value::Text(text.to_owned().into()))
    }

    #[test]
    fn a_text_that_may_be_cut_bounds_no_text_that_begins_with_it() {
        let cut = High { value: text("abc"), end: End::Prefix };
        let range = Range { low: Some(text("aa")), high: Some(cut) };
        assert!(range.compare(Op::Equal, &literal("abcd")).has(Outcomes::TRUE));
        assert!(range.compare(Op::Greater, &literal("abcd")).has(Outcomes::TRUE));
        assert_eq!(range.compare(Op::Equal, &literal("abd")), Outcomes::FALSE);
        assert_eq!(range.compare(Op::LessOrEqual, &literal("abd")), Outcomes::TRUE);
        assert!(range.begins_with("abcde").has(Outcomes::TRUE));
        assert!(!range.begins_with("abd").has(Outcomes::TRUE));
        assert!(!range.begins_with("a9").has(Outcomes::TRUE));
        assert!(range.begins_with("a").has(Outcomes::TRUE));
    }

    #[test]
    fn bounds_in_the_wrong_order_are_not_believed() {
        let range = Range::numbers(Number::whole(5), Number::whole(3));
        assert_eq!(range.if_sound(), Range::default());
        let range = Range::numbers(Number::whole(5), Number::whole(5));
        assert_eq!(range.clone().if_sound(), range);
        assert_eq!(range.compare(Op::Equal, &Between::numbers(5, 5)), Outcomes::TRUE);
        assert_eq!(range.compare(Op::Equal, &Between::numbers(4, 6)), Outcomes::of(true, true));
    }
}
