//! Conditions: an operator, a key, and values of which one must match.
//!
//! Source: AWS IAM, "Condition operators" and "Multivalued context keys". A key that the request does not have fails a
//! condition, but not one with a negated operator (`StringNotEquals`), `...IfExists` or `ForAllValues`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tarn_openapi::network::Network;

use super::facts::{Facts, Values};
use super::key::Key;
use super::pattern::{Pattern, Unset, Variables, Wildcards};

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    quantifier: Quantifier,
    missing: Missing,
    sense: Sense,
    key: Key,
    operands: Operands,
}

/// How many of the request's values count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    /// No `For...`: any value matches; negated, none does.
    Plain,
    ForAll,
    ForAny,
}

/// What a missing key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    AsUsual,
    Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Is,
    IsNot,
}

/// What values are compared with. Any one is enough.
#[derive(Debug, Clone, PartialEq)]
enum Operands {
    Equal(Vec<Pattern>),
    EqualIgnoringCase(Vec<Pattern>),
    Like(Vec<Pattern>),
    Arn(Vec<Vec<Pattern>>),
    Numeric(Order, Vec<f64>),
    /// Seconds since the Unix epoch.
    Date(Order, Vec<i64>),
    Bool(Vec<bool>),
    Network(Vec<Network>),
    Binary(Vec<Vec<u8>>),
    /// The key must be absent (`true`) or there (`false`).
    Null(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Same,
    Below,
    BelowOrSame,
    Above,
    AboveOrSame,
}

/// The parts of an ARN; the last holds what is left, `:` included.
const ARN_PARTS: usize = 6;

impl Condition {
    /// Reads a condition. The error says what is wrong with it.
    pub(super) fn parse(
        operator: &str,
        key: &str,
        values: &[String],
        variables: Variables,
    ) -> Result<Self, String> {
        let known = Key::parse(key).ok_or_else(|| format!("there is no condition key {key:?}"))?;
        let (quantifier, rest) = match operator.split_once(':') {
            Some(("ForAllValues", rest)) => (Quantifier::ForAll, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::ForAny, rest),
            Some(_) => return Err(format!("there is no condition operator {operator:?}")),
            None => (Quantifier::Plain, operator),
        };
        let (missing, rest) = match rest.strip_suffix("IfExists") {
            Some(rest) => (Missing::Holds, rest),
            None => (Missing::AsUsual, rest),
        };
        if rest == "Null" && (quantifier, missing) != (Quantifier::Plain, Missing::AsUsual) {
            return Err(format!("there is no condition operator {operator:?}"));
        }
        let (sense, operands) = operands(rest, values, variables)?
            .ok_or_else(|| format!("there is no condition operator {operator:?}"))?;
        Ok(Self { quantifier, missing, sense, key: known, operands })
    }

    /// Whether it holds. `unset` is what a variable without a value matches in an operator that is not negated.
    pub(super) fn holds(&self, facts: &Facts<'_>, unset: Unset) -> bool {
        let values = facts.values(&self.key);
        let absent = matches!(values, Values::Absent);
        if let Operands::Null(wanted) = self.operands {
            return absent == wanted;
        }
        if absent {
            return match (self.missing, self.quantifier, self.sense) {
                (Missing::Holds, _, _) | (_, Quantifier::ForAll, _) => true,
                (Missing::AsUsual, Quantifier::ForAny, _) => false,
                (Missing::AsUsual, Quantifier::Plain, sense) => sense == Sense::IsNot,
            };
        }
        let negated = self.sense == Sense::IsNot;
        let unset = if negated { unset.negated() } else { unset };
        let mut values = values.iter();
        match self.quantifier {
            Quantifier::Plain => values.any(|value| self.operands.match_one(value, facts, unset)) != negated,
            Quantifier::ForAll => values.all(|value| self.operands.match_one(value, facts, unset) != negated),
            Quantifier::ForAny => values.any(|value| self.operands.match_one(value, facts, unset) != negated),
        }
    }
}

/// What the values of an operator mean; `None` when there is no such operator.
fn operands(
    operator: &str,
    values: &[String],
    variables: Variables,
) -> Result<Option<(Sense, Operands)>, String> {
    let texts = |wildcards| -> Result<Vec<Pattern>, String> {
        values.iter().map(|value| Pattern::parse(value, wildcards, variables)).collect()
    };
    let (is, is_not) = (Sense::Is, Sense::IsNot);
    Ok(Some(match operator {
        "StringEquals" => (is, Operands::Equal(texts(Wildcards::Literal)?)),
        "StringNotEquals" => (is_not, Operands::Equal(texts(Wildcards::Literal)?)),
        "StringEqualsIgnoreCase" => (is, Operands::EqualIgnoringCase(texts(Wildcards::Literal)?)),
        "StringNotEqualsIgnoreCase" => (is_not, Operands::EqualIgnoringCase(texts(Wildcards::Literal)?)),
        "StringLike" => (is, Operands::Like(texts(Wildcards::Meant)?)),
        "StringNotLike" => (is_not, Operands::Like(texts(Wildcards::Meant)?)),
        "ArnEquals" | "ArnLike" => (is, Operands::Arn(each(values, |text| arn(text, variables))?)),
        "ArnNotEquals" | "ArnNotLike" => (is_not, Operands::Arn(each(values, |text| arn(text, variables))?)),
        "NumericEquals" => (is, Operands::Numeric(Order::Same, numbers(values)?)),
        "NumericNotEquals" => (is_not, Operands::Numeric(Order::Same, numbers(values)?)),
        "NumericLessThan" => (is, Operands::Numeric(Order::Below, numbers(values)?)),
        "NumericLessThanEquals" => (is, Operands::Numeric(Order::BelowOrSame, numbers(values)?)),
        "NumericGreaterThan" => (is, Operands::Numeric(Order::Above, numbers(values)?)),
        "NumericGreaterThanEquals" => (is, Operands::Numeric(Order::AboveOrSame, numbers(values)?)),
        "DateEquals" => (is, Operands::Date(Order::Same, dates(values)?)),
        "DateNotEquals" => (is_not, Operands::Date(Order::Same, dates(values)?)),
        "DateLessThan" => (is, Operands::Date(Order::Below, dates(values)?)),
        "DateLessThanEquals" => (is, Operands::Date(Order::BelowOrSame, dates(values)?)),
        "DateGreaterThan" => (is, Operands::Date(Order::Above, dates(values)?)),
        "DateGreaterThanEquals" => (is, Operands::Date(Order::AboveOrSame, dates(values)?)),
        "Bool" => (is, Operands::Bool(each(values, boolean)?)),
        "IpAddress" => (is, Operands::Network(each(values, network)?)),
        "NotIpAddress" => (is_not, Operands::Network(each(values, network)?)),
        "BinaryEquals" => (is, Operands::Binary(each(values, binary)?)),
        "Null" => match values {
            [one] => (is, Operands::Null(boolean(one)?)),
            _ => return Err("Null takes one value".into()),
        },
        _ => return Ok(None),
    }))
}

fn each<T>(values: &[String], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    values.iter().map(|value| read(value)).collect()
}

fn arn(text: &str, variables: Variables) -> Result<Vec<Pattern>, String> {
    let parts = split_arn(text).ok_or_else(|| format!("{text:?} is not an ARN"))?;
    parts.into_iter().map(|part| Pattern::parse(part, Wildcards::Meant, variables)).collect()
}

fn split_arn(text: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = text.splitn(ARN_PARTS, ':').collect();
    (parts.len() == ARN_PARTS && parts[0] == "arn").then_some(parts)
}

fn numbers(values: &[String]) -> Result<Vec<f64>, String> {
    each(values, |text| number(text).ok_or_else(|| format!("{text:?} is not a number")))
}

fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

fn dates(values: &[String]) -> Result<Vec<i64>, String> {
    each(values, |text| {
        seconds(text).ok_or_else(|| format!("{text:?} is not a date (ISO 8601, or epoch seconds)"))
    })
}

/// Seconds since the Unix epoch of `2026-01-31T10:00:00Z`, `2026-01-31` or a number of seconds.
fn seconds(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_second());
    }
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10)?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

fn network(text: &str) -> Result<Network, String> {
    Network::parse(text).ok_or_else(|| format!("{text:?} is not an address or a range of addresses"))
}

fn binary(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|_| format!("{text:?} is not base64"))
}

impl Operands {
    /// Whether one value of the request matches any of these.
    fn match_one(&self, value: &str, facts: &Facts<'_>, unset: Unset) -> bool {
        match self {
            // Without wildcards, a pattern is the text itself.
            Operands::Equal(patterns) | Operands::Like(patterns) => {
                patterns.iter().any(|pattern| pattern.matches(value, facts, unset))
            }
            Operands::EqualIgnoringCase(patterns) => {
                patterns.iter().any(|pattern| pattern.matches_ignoring_case(value, facts, unset))
            }
            Operands::Arn(patterns) => split_arn(value).is_some_and(|parts| {
                patterns.iter().any(|pattern| {
                    pattern.iter().zip(&parts).all(|(pattern, part)| pattern.matches(part, facts, unset))
                })
            }),
            Operands::Numeric(order, numbers) => {
                number(value).is_some_and(|value| numbers.iter().any(|other| order.holds(&value, other)))
            }
            Operands::Date(order, dates) => {
                seconds(value).is_some_and(|value| dates.iter().any(|other| order.holds(&value, other)))
            }
            Operands::Bool(wanted) => boolean(value).is_ok_and(|value| wanted.contains(&value)),
            Operands::Network(networks) => {
                value.parse().is_ok_and(|address| networks.iter().any(|network| network.contains(address)))
            }
            Operands::Binary(texts) => STANDARD.decode(value).is_ok_and(|value| texts.contains(&value)),
            Operands::Null(_) => false,
        }
    }
}

impl Order {
    fn holds<T: PartialOrd>(self, one: &T, other: &T) -> bool {
        match self {
            Order::Same => one == other,
            Order::Below => one < other,
            Order::BelowOrSame => one <= other,
            Order::Above => one > other,
            Order::AboveOrSame => one >= other,
        }
    }
}
