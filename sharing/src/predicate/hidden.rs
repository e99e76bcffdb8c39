//! What the value of a hidden partition field tells of its column (Iceberg table spec, "Partition Transforms").

use super::facts::{Known, exactly, values};
use super::kind::Kind;
use super::number::Number;
use super::time::{DAY_US, month_start, parse_date};
use super::value::{End, High, Range, Value};
use crate::table::Transform;

/// Microseconds of an hour.
const HOUR_US: i128 = 3_600_000_000;

/// What `value` tells, that is not null; `None` where nothing follows.
pub(super) fn known(kind: Kind, transform: Transform, field: usize, value: &str) -> Option<Known<'_>> {
    match transform {
        Transform::Identity => exactly(kind, value).map(values),
        Transform::Bucket(_) => value.parse().ok().map(|bucket| Known::Bucket { field, bucket }),
        Transform::Truncate(width) => truncated(kind, width, value).map(values),
        Transform::Year => {
            let start = |years: i64| Some(i128::from(month_start(years.checked_mul(12)?)?) * DAY_US);
            time(kind, value.parse().ok()?, start)
        }
        Transform::Month => {
            time(kind, value.parse().ok()?, |months| Some(i128::from(month_start(months)?) * DAY_US))
        }
        Transform::Day => {
            let days = value.parse().ok().or_else(|| parse_date(value))?;
            time(kind, days, |days| Some(i128::from(days) * DAY_US))
        }
        Transform::Hour => time(kind, value.parse().ok()?, |hours| Some(i128::from(hours) * HOUR_US)),
    }
}

/// The times of a period, whose start is in microseconds since 1970.
fn time(kind: Kind, period: i64, start: impl Fn(i64) -> Option<i128>) -> Option<Known<'static>> {
    // Old writers rounded times before 1970 up.
    let first = if period <= 0 { period.checked_sub(1)? } else { period };
    let (low, behind) = (start(first)?, start(period.checked_add(1)?)?);
    let numbers = |low, high| Some(values(Range::numbers(Number::whole(low), Number::whole(high))));
    match kind {
        Kind::Date => numbers(low.div_euclid(DAY_US), (behind - 1).div_euclid(DAY_US)),
        Kind::Instant | Kind::Local => numbers(low, behind - 1),
        Kind::Boolean
        | Kind::Integer { .. }
        | Kind::Decimal { .. }
        | Kind::Real
        | Kind::Text
        | Kind::Opaque => None,
    }
}

fn truncated(kind: Kind, width: u32, value: &str) -> Option<Range<'_>> {
    let width = i128::from(width.max(1));
    match kind {
        Kind::Integer { .. } => {
            let low = Number::parse(value)?.to_whole()?;
            let high = low.checked_add(width - 1)?;
            // The least integers of a type wrap around to its end.
            let wrapped = [i32::MAX.into(), i64::MAX.into()].iter().any(|most| (low..high).contains(most));
            (!wrapped).then(|| Range::numbers(Number::whole(low), Number::whole(high)))
        }
        Kind::Decimal { scale } => {
            let low = Number::parse(value)?;
            Some(Range::numbers(low, low.plus(Number::scaled(width - 1, scale)?)?))
        }
        Kind::Text => {
            let text = Value::Text(value.into());
            let whole = (value.chars().count() as i128) < width;
            let end = if whole { End::Exact } else { End::Prefix };
            Some(Range { low: Some(text.clone()), high: Some(High { value: text, end }) })
        }
        Kind::Boolean | Kind::Real | Kind::Date | Kind::Instant | Kind::Local | Kind::Opaque => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(transform: Transform, value: &str) -> Option<(i128, i128)> {
        match known(Kind::Date, transform, 0, value)? {
            Known::Values { range, .. } => {
                let whole = |value| match value {
                    Value::Number(number) => Number::to_whole(number).unwrap(),
                    Value::Real(_) | Value::Text(_) => panic!("{value:?}"),
                };
                Some((whole(range.low?), whole(range.high?.value)))
            }
            Known::Nulls | Known::Bucket { .. } => None,
        }
    }

    #[test]
    fn a_period_holds_its_days_and_before_1970_those_of_the_one_before() {
        assert_eq!(days(Transform::Year, "54"), Some((19_723, 20_088)));
        assert_eq!(days(Transform::Month, "1"), Some((31, 58)));
        assert_eq!(days(Transform::Day, "7"), Some((7, 7)));
        assert_eq!(days(Transform::Day, "1970-01-08"), Some((7, 7)));
        assert_eq!(days(Transform::Day, "-7"), Some((-8, -7)));
        assert_eq!(days(Transform::Year, "0"), Some((-365, 364)));
        assert_eq!(days(Transform::Year, &i64::MAX.to_string()), None);
        assert_eq!(days(Transform::Hour, "x"), None);
    }

    #[test]
    fn truncated_integers_that_wrapped_tell_nothing() {
        let integers = |value| truncated(Kind::Integer { bits: 64 }, 10, value);
        assert_eq!(integers("-10"), Some(Range::numbers(Number::whole(-10), Number::whole(-1))));
        assert_eq!((integers("2147483646"), integers("9223372036854775806")), (None, None));
    }
}
