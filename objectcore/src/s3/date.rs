//! Dates as HTTP and S3's XML write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

use crate::types::Millis;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Year, month (1 to 12) and day of a day counted from 1970-01-01 (Howard Hinnant's
/// `civil_from_days`). Written out because a listing formats a thousand dates a page.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn push_number(text: &mut String, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = (number / 10_u64.pow(place) % 10) as u8;
        text.push(char::from(b'0' + digit));
    }
}

fn push_clock(text: &mut String, seconds_of_day: u64) {
    push_number(text, seconds_of_day / 3600, 2);
    text.push(':');
    push_number(text, seconds_of_day / 60 % 60, 2);
    text.push(':');
    push_number(text, seconds_of_day % 60, 2);
}

/// Appends `2026-11-21T00:22:12.000Z`.
pub(crate) fn push_iso(text: &mut String, at: Millis) {
    let (seconds, millis) = (at.0 / 1000, at.0 % 1000);
    let (year, month, day) = civil(seconds / 86_400);
    push_number(text, year, 4);
    text.push('-');
    push_number(text, month, 2);
    text.push('-');
    push_number(text, day, 2);
    text.push('T');
    push_clock(text, seconds % 86_400);
    text.push('.');
    push_number(text, millis, 3);
    text.push('Z');
}

/// `Sat, 21 Nov 2026 00:22:12 GMT`.
pub(crate) fn http(at: Millis) -> String {
    let seconds = at.0 / 1000;
    let days = seconds / 86_400;
    let (year, month, day) = civil(days);
    let mut text = String::with_capacity(29);
    text.push_str(DAYS[(days % 7) as usize]);
    text.push_str(", ");
    push_number(&mut text, day, 2);
    text.push(' ');
    text.push_str(MONTHS[(month - 1) as usize]);
    text.push(' ');
    push_number(&mut text, year, 4);
    text.push(' ');
    push_clock(&mut text, seconds % 86_400);
    text.push_str(" GMT");
    text
}

/// Seconds since the epoch of a date in one of HTTP's three forms or ISO 8601; `None` for
/// anything else (a condition with such a date is ignored, RFC 9110 section 13.1.3).
pub(crate) fn parse_seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let civil = |format| {
        strtime::parse(format, text)
            .and_then(|parsed| parsed.to_datetime())
            .and_then(|date: DateTime| date.to_zoned(TimeZone::UTC))
            .map(|zoned| zoned.timestamp())
    };
    let timestamp = rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .or_else(|_| text.parse::<Timestamp>())
        .or_else(|_| civil("%A, %d-%b-%y %H:%M:%S GMT"))
        .or_else(|_| civil("%a %b %e %H:%M:%S %Y"))
        .ok()?;
    u64::try_from(timestamp.as_second()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn iso(at: Millis) -> String {
        let mut text = String::new();
        push_iso(&mut text, at);
        text
    }

    #[test]
    fn dates_are_written_as_clients_expect() {
        let at = Millis(1_795_220_532_007);
        assert_eq!(http(at), "Sat, 21 Nov 2026 00:22:12 GMT");
        assert_eq!(iso(at), "2026-11-21T00:22:12.007Z");
        assert_eq!(http(Millis(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn all_forms_of_a_date_are_read() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(parse_seconds(text), Some(784_111_777), "{text}");
        }
        assert_eq!(parse_seconds("yesterday"), None);
        assert_eq!(parse_seconds("Wed, 31 Dec 1969 00:00:00 GMT"), None);
    }

    proptest! {
        #[test]
        fn dates_agree_with_jiff(seconds in 0_u64..253_402_300_799, millis in 0_u64..1000) {
            let timestamp = Timestamp::from_second(seconds.cast_signed()).unwrap();
            let printed = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp).unwrap();
            prop_assert_eq!(http(Millis(seconds * 1000 + millis)), printed);
            let text = iso(Millis(seconds * 1000 + millis));
            prop_assert_eq!(text.parse::<Timestamp>().unwrap().as_millisecond().cast_unsigned(), seconds * 1000 + millis);
        }
    }
}
