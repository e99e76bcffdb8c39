//! Dates, times and timestamps as text (ISO 8601) and as the numbers Iceberg keeps.
//!
//! Every number a column can hold has a text: years beyond 9999 carry a sign, as in Java.

use std::fmt::Write as _;

pub(super) const MICROS_PER_DAY: i64 = 86_400_000_000;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_DAY: i128 = 86_400 * NANOS_PER_SECOND;

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that a leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of `days` since 1970-01-01.
pub(super) fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

pub(super) fn parse_date(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let mut parts = rest.splitn(3, '-');
    let year = digits(parts.next()?, 4..=10)? * sign;
    let (month, day) = (digits(parts.next()?, 2..=2)?, digits(parts.next()?, 2..=2)?);
    let days = days(year, month, day);
    (date(days) == (year, month, day)).then_some(days)
}

/// Nanoseconds of the day.
pub(super) fn parse_time(text: &str) -> Option<i128> {
    let mut parts = text.splitn(3, ':');
    let (hour, minute) = (digits(parts.next()?, 2..=2)?, digits(parts.next()?, 2..=2)?);
    let (second, nanos) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            None => (digits(seconds, 2..=2)?, 0),
            Some((whole, fraction)) => {
                let scale = 10_i64.pow(9_u32.checked_sub(fraction.len() as u32)?);
                (digits(whole, 2..=2)?, digits(fraction, 1..=9)? * scale)
            }
        },
    };
    let in_range = hour < 24 && minute < 60 && second < 60;
    in_range.then(|| i128::from(hour * 3600 + minute * 60 + second) * NANOS_PER_SECOND + i128::from(nanos))
}

/// Nanoseconds since 1970-01-01, in UTC where the text names a zone, and whether it does.
pub(super) fn parse_timestamp(text: &str) -> Option<(i128, bool)> {
    let at = text.find(['T', 't', ' '])?;
    let days = parse_date(&text[..at])?;
    let (time, offset_s) = split_zone(&text[at + 1..])?;
    let nanos = i128::from(days) * NANOS_PER_DAY + parse_time(time)?;
    let offset = i128::from(offset_s.unwrap_or(0)) * NANOS_PER_SECOND;
    Some((nanos - offset, offset_s.is_some()))
}

/// The time, and the seconds its zone is ahead of UTC.
fn split_zone(text: &str) -> Option<(&str, Option<i64>)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, Some(0)));
    }
    let Some(at) = text.find(['+', '-']) else { return Some((text, None)) };
    let sign = if text[at..].starts_with('-') { -1 } else { 1 };
    let offset = parse_time(&text[at + 1..])? / NANOS_PER_SECOND;
    Some((&text[..at], Some(sign * offset as i64)))
}

fn digits(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let fits = length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

pub(super) fn write_date(days: i64) -> String {
    let (year, month, day) = date(days);
    let sign = if year < 0 {
        "-"
    } else if year > 9999 {
        "+"
    } else {
        ""
    };
    format!("{sign}{:04}-{month:02}-{day:02}", year.abs())
}

/// `micros` of the day.
pub(super) fn write_time(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    format!("{:02}:{:02}:{:02}.{:06}", seconds / 3600, seconds / 60 % 60, seconds % 60, micros % 1_000_000)
}

/// The timestamp `ticks` since 1970, with `per_second` ticks a second and as many digits as that needs.
pub(super) fn write_timestamp(ticks: i64, per_second: i64) -> String {
    let per_day = 86_400 * per_second;
    let of_day = ticks.rem_euclid(per_day);
    let seconds = of_day / per_second;
    let width = per_second.ilog10() as usize;
    let mut text = write_date(ticks.div_euclid(per_day));
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "T{:02}:{:02}:{:02}.{:0width$}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        of_day % per_second
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_many_centuries_is_read_as_it_is_written() {
        for days in (-1_000_000..1_000_000).step_by(97).chain([i64::from(i32::MIN), i64::from(i32::MAX)]) {
            assert_eq!(parse_date(&write_date(days)), Some(days), "{}", write_date(days));
        }
        assert_eq!(write_date(0), "1970-01-01");
        assert_eq!(write_date(13_850), "2007-12-03");
        assert_eq!(write_date(-719_529), "-0001-12-31");
    }

    #[test]
    fn timestamps_are_read_with_and_without_zone() {
        let nanos = 1_196_676_930_123_456_789;
        assert_eq!(parse_timestamp("2007-12-03T10:15:30.123456789"), Some((nanos, false)));
        assert_eq!(parse_timestamp("2007-12-03T10:15:30.123456789+00:00"), Some((nanos, true)));
        assert_eq!(parse_timestamp("2007-12-03T11:15:30.123456789+01:00"), Some((nanos, true)));
        assert_eq!(parse_timestamp("2007-12-03T10:15Z"), Some((1_196_676_900_000_000_000, true)));
        assert_eq!(write_timestamp(1_196_676_930_123_456, 1_000_000), "2007-12-03T10:15:30.123456");
        assert_eq!(write_timestamp(-1, 1_000_000_000), "1969-12-31T23:59:59.999999999");
    }

    #[test]
    fn what_is_no_date_or_time_is_refused() {
        for text in ["", "2007-13-01", "2007-02-30", "07-02-01", "2007-2-1", "-", "2007-02-01x", "20070201"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        for text in ["24:00", "1:00", "10:60", "10:00:61", "10:00:00.", "10:00:00.1234567890"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
        for text in ["2007-12-03", "2007-12-03T", "2007-12-03T10:15+1", "T10:15"] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }
}
