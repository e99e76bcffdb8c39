//! Literals, as far as they mean the same to every reader.

use super::kind::{Kind, Type, integers};
use super::number::Number;
use super::time::{DAY_US, MILLISECOND_US, Moment, ZONE_US, Zone, parse_date, parse_moment};
use super::value::{Between, Value, around};

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Boolean(bool),
    Number(Number),
    /// Finite.
    Real(f64),
    Text(String),
    /// Days since 1970.
    Date(i64),
    /// Microseconds since 1970 in UTC, as far as they are known.
    Instant {
        low: i128,
        high: i128,
    },
    /// Microseconds since 1970 without a time zone, as far as they are known.
    Local {
        low: i128,
        high: i128,
    },
}

/// Whether times are told as finely as they were meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finesse {
    /// They are.
    Full,
    /// Up to a millisecond is lost.
    Milliseconds,
}

/// How a literal is compared with a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Compared {
    pub(super) with: Between,
    pub(super) sort: Sort,
}

/// What the column's values are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// What they are.
    Same,
    /// Real numbers, rounded.
    Real,
    /// Midnights of dates.
    Midnights,
    /// What they are; but readers may agree on equality only.
    Equality,
}

impl Literal {
    /// What a text says as a type; `None` where readers may differ about it.
    pub(super) fn parse(text: &str, as_type: Type, finesse: Finesse) -> Option<Self> {
        match as_type {
            Type::Boolean if text.eq_ignore_ascii_case("true") => Some(Self::Boolean(true)),
            Type::Boolean if text.eq_ignore_ascii_case("false") => Some(Self::Boolean(false)),
            Type::Boolean => None,
            Type::Integer { bits } => Self::Number(parse_integer(text)?).cast(Type::Integer { bits }),
            Type::Real => text.parse::<f64>().ok().filter(|real| real.is_finite()).map(Self::Real),
            Type::Text => Some(Self::Text(text.to_owned())),
            Type::Date => parse_date(text).map(Self::Date),
            Type::Instant => Some(instant(moment(text)?, finesse)),
            Type::Local => {
                let moment = moment(text).filter(|moment| moment.zone == Zone::Unknown)?;
                let (low, high) = span(moment, finesse);
                Some(Self::Local { low, high })
            }
        }
    }

    /// Cast to a type; `None` where readers may differ about it.
    pub(super) fn cast(self, to: Type) -> Option<Self> {
        match (self, to) {
            (Self::Null, _) => Some(Self::Null),
            (Self::Text(text), to) => Self::parse(&text, to, Finesse::Full),
            (Self::Number(number), Type::Integer { bits }) => {
                let (least, most) = integers(bits);
                number
                    .to_whole()
                    .filter(|whole| (least..=most).contains(whole))
                    .map(Number::whole)
                    .map(Self::Number)
            }
            (Self::Number(number), Type::Real) => Some(Self::Real(number.near())),
            (Self::Date(days), Type::Instant) => {
                let (low, high) = zoned(midnight(days), midnight(days));
                Some(Self::Instant { low, high })
            }
            (same @ Self::Boolean(_), Type::Boolean)
            | (same @ Self::Real(_), Type::Real)
            | (same @ Self::Date(_), Type::Date)
            | (same @ Self::Instant { .. }, Type::Instant)
            | (same @ Self::Local { .. }, Type::Local) => Some(same),
            (
                Self::Boolean(_)
                | Self::Number(_)
                | Self::Real(_)
                | Self::Date(_)
                | Self::Instant { .. }
                | Self::Local { .. },
                _other,
            ) => None,
        }
    }

    /// The number with the other sign.
    pub(super) fn negated(self) -> Option<Self> {
        match self {
            Self::Number(number) => number.negated().map(Self::Number),
            Self::Real(real) => Some(Self::Real(-real)),
            Self::Null
            | Self::Boolean(_)
            | Self::Text(_)
            | Self::Date(_)
            | Self::Instant { .. }
            | Self::Local { .. } => None,
        }
    }

    /// How it is compared with values of a kind; `None` where readers may differ about it. Null has no answer here.
    pub(super) fn compared_with(&self, kind: Kind) -> Option<Compared> {
        let same = |with| Some(Compared { with, sort: Sort::Same });
        let whole = |low, high| Between::numbers(low, high);
        match (kind, self) {
            (Kind::Boolean, Self::Boolean(is)) => same(whole(i128::from(*is), i128::from(*is))),
            (Kind::Integer { .. } | Kind::Decimal { .. }, Self::Number(number)) => {
                same(Between::point(Value::Number(*number)))
            }
            (Kind::Integer { .. } | Kind::Decimal { .. } | Kind::Real, Self::Real(real)) => {
                Some(reals(*real))
            }
            (Kind::Real, Self::Number(number)) => Some(reals(number.near())),
            // As texts, `'05'` and 5 differ, and 10 comes before 9.
            (Kind::Integer { .. }, Self::Text(text)) => {
                let number = parse_integer(text)?;
                Some(Compared { with: Between::point(Value::Number(number)), sort: Sort::Equality })
            }
            (Kind::Text, Self::Text(text)) => same(Between::point(Value::Text(text.clone().into()))),
            (Kind::Date, Self::Date(days)) => same(whole((*days).into(), (*days).into())),
            (Kind::Date, Self::Text(text)) => Self::Date(parse_date(text)?).compared_with(kind),
            (Kind::Date, Self::Instant { low, high } | Self::Local { low, high }) => {
                let (low, high) = zoned(*low, *high);
                Some(Compared { with: whole(low, high), sort: Sort::Midnights })
            }
            (Kind::Instant, Self::Instant { low, high }) | (Kind::Local, Self::Local { low, high }) => {
                same(whole(*low, *high))
            }
            (Kind::Instant, Self::Local { low, high }) | (Kind::Local, Self::Instant { low, high }) => {
                let (low, high) = zoned(*low, *high);
                same(whole(low, high))
            }
            (Kind::Instant, Self::Date(days)) => {
                let (low, high) = zoned(midnight(*days), midnight(*days));
                same(whole(low, high))
            }
            (Kind::Local, Self::Date(days)) => same(whole(midnight(*days), midnight(*days))),
            (Kind::Instant | Kind::Local, Self::Text(text)) => of_text(text)?.compared_with(kind),
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
}

/// What a text is as a time.
fn of_text(text: &str) -> Option<Literal> {
    if let Some(days) = parse_date(text) {
        return Some(Literal::Date(days));
    }
    let moment = moment(text)?;
    match moment.zone {
        Zone::Known => Some(instant(moment, Finesse::Full)),
        Zone::Unknown => {
            let (low, high) = span(moment, Finesse::Full);
            Some(Literal::Local { low, high })
        }
    }
}

fn instant(moment: Moment, finesse: Finesse) -> Literal {
    let (low, high) = span(moment, finesse);
    let (low, high) = match moment.zone {
        Zone::Known => (low, high),
        Zone::Unknown => zoned(low, high),
    };
    Literal::Instant { low, high }
}

fn moment(text: &str) -> Option<Moment> {
    match parse_date(text) {
        Some(days) => {
            Some(Moment { micros: midnight(days), zone: Zone::Unknown, milliseconds: true, more: false })
        }
        None => parse_moment(text),
    }
}

/// What a time may have been meant as, in microseconds.
fn span(moment: Moment, finesse: Finesse) -> (i128, i128) {
    match finesse {
        Finesse::Milliseconds if moment.milliseconds => {
            (moment.micros - MILLISECOND_US, moment.micros + MILLISECOND_US)
        }
        Finesse::Milliseconds | Finesse::Full => (moment.micros, moment.micros + i128::from(moment.more)),
    }
}

/// The same in any time zone.
fn zoned(low: i128, high: i128) -> (i128, i128) {
    (low - ZONE_US, high + ZONE_US)
}

fn midnight(days: i64) -> i128 {
    i128::from(days) * DAY_US
}

fn reals(real: f64) -> Compared {
    let (low, high) = around(real);
    Compared { with: Between { low: Value::Real(low), high: Value::Real(high) }, sort: Sort::Real }
}

/// A sign and digits, and nothing else.
pub(super) fn parse_integer(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| Number::parse(text))?
}
