//! Conditions on one column, and what they may come to in a file.

use tarn_catalog::hash::{hash_of_decimal, hash_of_integer, hash_of_text};

use super::column::Column;
use super::facts::Known;
use super::kind::{Kind, Type, integers};
use super::literal::{Literal, Sort};
use super::number::Number;
use super::outcome::Outcomes;
use super::time::{DAY_US, ZONE_US};
use super::value::{Between, End, High, Op, Range, Value, around};
use crate::table::Transform;

/// A comparison of a column with a literal.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    op: Op,
    with: Between,
    reading: Reading,
    trust: Trust,
    /// The literal's buckets, by the position of their hidden field.
    buckets: Vec<(usize, i64)>,
}

/// What the column's values are turned into before they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Same,
    /// Integers between these; readers differ about others.
    Within(i128, i128),
    /// Real numbers, rounded.
    Real,
    /// From days to microseconds.
    Midnights,
    /// From microseconds to days, in a time zone that may be this far from UTC.
    Days {
        zone_us: i128,
    },
}

/// Which answers follow from a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Both,
    /// That it may be true: it may be false, whatever is compared.
    True,
}

impl Comparison {
    /// `column op literal`, the column cast where `cast` says so; `None` where readers may differ about the answer.
    pub(super) fn new(column: &Column, cast: Option<Type>, op: Op, literal: &Literal) -> Option<Self> {
        let (kind, cast) = cast_of(column.kind, cast)?;
        let compared = literal.compared_with(kind)?;
        let (reading, trust) = match (compared.sort, cast) {
            (Sort::Same, cast) => (cast, Trust::Both),
            (Sort::Real, Reading::Same | Reading::Real) => (Reading::Real, Trust::Both),
            (Sort::Midnights, Reading::Same) => (Reading::Midnights, Trust::Both),
            (Sort::Equality, Reading::Same) if op == Op::Equal => (Reading::Same, Trust::True),
            (Sort::Real | Sort::Midnights | Sort::Equality, _other) => return None,
        };
        let with = match reading {
            // Which midnights are meant depends on the reader.
            Reading::Midnights if compared.sort == Sort::Same => zoned(compared.with),
            Reading::Same
            | Reading::Within(..)
            | Reading::Real
            | Reading::Midnights
            | Reading::Days { .. } => compared.with,
        };
        let buckets = match (op, reading) {
            (Op::Equal, Reading::Same) => buckets(column, &with),
            _no_bucket_decides => Vec::new(),
        };
        Some(Self { op, with, reading, trust, buckets })
    }

    /// What it may come to.
    pub(super) fn outcomes(&self, known: &Known<'_>) -> Outcomes {
        match known {
            Known::Nulls => Outcomes::NULL,
            Known::Bucket { field, bucket } => {
                let other = self.buckets.iter().any(|(of, is)| of == field && is != bucket);
                Outcomes::of(!other, true)
            }
            Known::Values { range, nulls, nan } => {
                let mut outcomes = match self.read(range) {
                    Some(range) => range.compare(self.op, &self.with),
                    None => Outcomes::ANY,
                };
                if self.trust == Trust::True {
                    outcomes = outcomes.or_those_of(Outcomes::FALSE);
                }
                if *nan {
                    outcomes = outcomes.or_those_of(self.op.of_nan());
                }
                if *nulls { outcomes.or_those_of(Outcomes::NULL) } else { outcomes }
            }
        }
    }

    /// The range of what is compared; `None` where readers may differ about it.
    fn read<'a>(&self, range: &Range<'a>) -> Option<Range<'a>> {
        match self.reading {
            Reading::Same => Some(range.clone()),
            Reading::Within(least, most) => {
                let within =
                    |value: &Value<'_>| whole(value).is_some_and(|number| (least..=most).contains(&number));
                let low = range.low.as_ref().is_some_and(within);
                let high = range.high.as_ref().is_some_and(|high| within(&high.value));
                (low && high).then(|| range.clone())
            }
            Reading::Real => Some(map(
                range,
                |value| real(value).map(|(low, _)| low),
                |value| real(value).map(|(_, high)| high),
            )),
            Reading::Midnights => {
                let midnight = |value: &Value<'_>| number(whole(value)?.checked_mul(DAY_US)?);
                Some(map(range, midnight, midnight))
            }
            Reading::Days { zone_us } => {
                let day =
                    |value: &Value<'_>, zone_us: i128| number((whole(value)? + zone_us).div_euclid(DAY_US));
                Some(map(range, |value| day(value, -zone_us), |value| day(value, zone_us)))
            }
        }
    }
}

/// Whether a column's being null is its cast's being null too.
pub(super) fn keeps_nulls(kind: Kind, cast: Option<Type>) -> bool {
    cast.is_none()
        || matches!(cast_of(kind, cast), Some((_, reading)) if !matches!(reading, Reading::Within(..)))
}

/// What a cast makes of values of a kind.
fn cast_of(kind: Kind, cast: Option<Type>) -> Option<(Kind, Reading)> {
    let Some(cast) = cast else { return Some((kind, Reading::Same)) };
    match (kind, cast) {
        (Kind::Integer { bits }, Type::Integer { bits: to }) => {
            let (least, most) = integers(to);
            Some((kind, if to >= bits { Reading::Same } else { Reading::Within(least, most) }))
        }
        (Kind::Integer { .. } | Kind::Decimal { .. } | Kind::Real, Type::Real) => {
            Some((Kind::Real, Reading::Real))
        }
        (Kind::Boolean, Type::Boolean)
        | (Kind::Text, Type::Text)
        | (Kind::Date, Type::Date)
        | (Kind::Instant, Type::Instant)
        | (Kind::Local, Type::Local | Type::Instant) => Some((kind, Reading::Same)),
        (Kind::Date, Type::Instant) => Some((Kind::Instant, Reading::Midnights)),
        (Kind::Instant, Type::Date) => Some((Kind::Date, Reading::Days { zone_us: ZONE_US })),
        (Kind::Local, Type::Date) => Some((Kind::Date, Reading::Days { zone_us: 0 })),
        (
            Kind::Boolean
            | Kind::Integer { .. }
            | Kind::Decimal { .. }
            | Kind::Real
            | Kind::Text
            | Kind::Date
            | Kind::Instant
            | Kind::Local
            | Kind::Opaque,
            _other,
        ) => None,
    }
}

/// The buckets of a literal that is known exactly and that the column can hold.
fn buckets(column: &Column, with: &Between) -> Vec<(usize, i64)> {
    if with.low != with.high {
        return Vec::new();
    }
    let hash = match (&with.low, column.kind) {
        (Value::Number(number), Kind::Decimal { scale }) => number.at_scale(scale).map(hash_of_decimal),
        (Value::Number(number), Kind::Integer { .. } | Kind::Date | Kind::Instant | Kind::Local) => {
            number.to_whole().and_then(|whole| i64::try_from(whole).ok()).map(hash_of_integer)
        }
        (Value::Text(text), Kind::Text) => Some(hash_of_text(text)),
        (Value::Number(_) | Value::Real(_) | Value::Text(_), _no_bucket) => None,
    };
    let Some(hash) = hash else { return Vec::new() };
    let bucket = |(field, transform): &(usize, Transform)| match transform {
        Transform::Bucket(0) => None,
        Transform::Bucket(count) => Some((*field, i64::from((hash & 0x7fff_ffff) % count))),
        Transform::Identity
        | Transform::Year
        | Transform::Month
        | Transform::Day
        | Transform::Hour
        | Transform::Truncate(_) => None,
    };
    column.hidden.iter().filter_map(bucket).collect()
}

fn zoned(with: Between) -> Between {
    match (whole(&with.low), whole(&with.high)) {
        (Some(low), Some(high)) => Between::numbers(low - ZONE_US, high + ZONE_US),
        _no_times => with,
    }
}

fn whole(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Number(number) => number.to_whole(),
        Value::Real(_) | Value::Text(_) => None,
    }
}

fn number(number: i128) -> Option<Value<'static>> {
    Some(Value::Number(Number::whole(number)))
}

fn real(value: &Value<'_>) -> Option<(Value<'static>, Value<'static>)> {
    let (low, high) = match value {
        Value::Number(number) => around(number.near()),
        Value::Real(real) => around(*real),
        Value::Text(_) => return None,
    };
    Some((Value::Real(low), Value::Real(high)))
}

/// A range of other values; their order is that of the old ones.
fn map(
    range: &Range<'_>,
    low: impl Fn(&Value<'_>) -> Option<Value<'static>>,
    high: impl Fn(&Value<'_>) -> Option<Value<'static>>,
) -> Range<'static> {
    Range {
        low: range.low.as_ref().and_then(low),
        high: range
            .high
            .as_ref()
            .and_then(|bound| high(&bound.value))
            .map(|value| High { value, end: End::Exact }),
    }
}
