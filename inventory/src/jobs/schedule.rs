//! When a job runs. A new or changed definition runs at once, then as its schedule says, in UTC.
//!
//! Periods count from when the definition was last changed, so they do not drift. What was missed while the server was
//! down is run once, not as often as it was missed.

use chrono::DateTime;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::{Span, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The longest cron expression, in bytes.
const CRON_BYTES_MAX: usize = 256;

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Once.
    Once,
    /// Each hour.
    Hourly,
    /// Each day.
    Daily,
    /// Each week.
    Weekly,
    /// Each month.
    Monthly,
    /// Each year.
    Yearly,
    /// By a cron expression of five fields, in UTC.
    Cron(String),
}

/// A cron expression that is none, or one that never comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{expression}' is no schedule: {message}")]
pub struct InvalidCron {
    expression: String,
    message: String,
}

impl Schedule {
    /// Refuses a cron expression that cannot be read or never comes.
    pub fn check(&self) -> Result<(), InvalidCron> {
        let Self::Cron(expression) = self else { return Ok(()) };
        let invalid = |message: String| InvalidCron {
            expression: expression.chars().take(CRON_BYTES_MAX).collect(),
            message,
        };
        if expression.len() > CRON_BYTES_MAX {
            return Err(invalid(format!("a cron expression has at most {CRON_BYTES_MAX} bytes")));
        }
        let cron = parse(expression).map_err(|message| {
            invalid(format!("{message}; five fields: minute, hour, day of month, month, day of week"))
        })?;
        match cron.find_next_occurrence(&DateTime::UNIX_EPOCH, false) {
            Ok(_) => Ok(()),
            Err(_) => Err(invalid("no moment matches it".into())),
        }
    }

    /// The first time behind `after_ms` of a definition that was last changed at `changed_ms`. `None`: never again.
    pub fn next(&self, changed_ms: i64, after_ms: i64) -> Option<i64> {
        match self {
            Self::Once => None,
            Self::Hourly => Some(period(changed_ms, after_ms, HOUR_MS)),
            Self::Daily => Some(period(changed_ms, after_ms, DAY_MS)),
            Self::Weekly => Some(period(changed_ms, after_ms, 7 * DAY_MS)),
            Self::Monthly => months(changed_ms, after_ms, 1),
            Self::Yearly => months(changed_ms, after_ms, 12),
            Self::Cron(expression) => {
                let after = DateTime::from_timestamp_millis(after_ms)?;
                let next = parse(expression).ok()?.find_next_occurrence(&after, false).ok()?;
                Some(next.timestamp_millis())
            }
        }
    }
}

fn parse(expression: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(expression).map_err(|error| error.to_string())
}

fn period(changed_ms: i64, after_ms: i64, length_ms: i64) -> i64 {
    let gone = after_ms.saturating_sub(changed_ms).max(0) / length_ms;
    changed_ms.saturating_add((gone + 1).saturating_mul(length_ms))
}

/// Counted from the change, so that the 31st comes again after a shorter month.
fn months(changed_ms: i64, after_ms: i64, each: i64) -> Option<i64> {
    let utc = |ms| Some(Timestamp::from_millisecond(ms).ok()?.to_zoned(TimeZone::UTC));
    let (changed, after) = (utc(changed_ms)?, utc(after_ms)?);
    let years = i64::from(after.year()) - i64::from(changed.year());
    let between = years * 12 + i64::from(after.month()) - i64::from(changed.month());
    let mut count = (between / each).max(1);
    loop {
        let next = changed.checked_add(Span::new().try_months(count * each).ok()?).ok()?;
        let next_ms = next.timestamp().as_millisecond();
        if next_ms > after_ms {
            return Some(next_ms);
        }
        count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn periods_count_from_the_change_and_missed_ones_come_once() {
        let changed = ms("2026-01-31T10:30:00Z");
        for (schedule, after, next) in [
            (Schedule::Hourly, "2026-01-31T10:30:00Z", "2026-01-31T11:30:00Z"),
            (Schedule::Hourly, "2026-03-01T00:00:00Z", "2026-03-01T00:30:00Z"),
            (Schedule::Daily, "2026-01-31T10:30:04Z", "2026-02-01T10:30:00Z"),
            (Schedule::Weekly, "2026-02-07T10:30:00Z", "2026-02-14T10:30:00Z"),
            (Schedule::Monthly, "2026-01-31T10:30:00Z", "2026-02-28T10:30:00Z"),
            (Schedule::Monthly, "2026-02-28T10:30:00Z", "2026-03-31T10:30:00Z"),
            (Schedule::Yearly, "2026-02-01T00:00:00Z", "2027-01-31T10:30:00Z"),
            (Schedule::Cron("15 4 * * MON".into()), "2026-02-02T04:15:00Z", "2026-02-09T04:15:00Z"),
        ] {
            assert_eq!(schedule.next(changed, ms(after)), Some(ms(next)), "{schedule:?} after {after}");
        }
        assert_eq!(Schedule::Once.next(changed, changed), None);
    }

    #[test]
    fn a_cron_expression_that_is_none_or_never_comes_is_refused() {
        for wrong in ["", "* * * *", "61 * * * *", "* * * * * *", "0 0 30 2 *", "never"] {
            let error = Schedule::Cron(wrong.into()).check().unwrap_err();
            assert!(error.to_string().contains("is no schedule"), "{error}");
        }
        Schedule::Cron("*/5 0-4 * JAN-MAR 1,3".into()).check().unwrap();
        assert!(Schedule::Cron("*".repeat(300)).check().is_err());
    }
}
