//! The request's time, as `x-amz-date` (`yyyymmddThhmmssZ`) or an HTTP `Date` tells it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time in both forms: as it is signed, and in seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AmzDate {
    pub(crate) text: String,
    pub(crate) seconds: i64,
}

impl AmzDate {
    /// Reads `yyyymmddThhmmssZ`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |from: usize, to: usize| {
            let digits = &bytes[from..to];
            digits
                .iter()
                .all(u8::is_ascii_digit)
                .then(|| digits.iter().fold(0i16, |sum, digit| sum * 10 + i16::from(digit - b'0')))
        };
        let small = |from: usize| number(from, from + 2).and_then(|value| i8::try_from(value).ok());
        let time = DateTime::new(number(0, 4)?, small(4)?, small(6)?, small(9)?, small(11)?, small(13)?, 0);
        let seconds = time.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
        Some(Self { text: text.into(), seconds })
    }

    /// Reads an HTTP date (`Fri, 24 May 2013 00:00:00 GMT`).
    pub(crate) fn parse_http(text: &str) -> Option<Self> {
        let time = jiff::fmt::rfc2822::parse(text).ok()?;
        Self::from_seconds(time.timestamp().as_second())
    }

    /// The time that is `seconds` after the Unix epoch.
    pub(crate) fn from_seconds(seconds: i64) -> Option<Self> {
        let time = jiff::Timestamp::from_second(seconds).ok()?;
        Some(Self { text: time.strftime("%Y%m%dT%H%M%SZ").to_string(), seconds })
    }

    /// The day, as the credential scope has it.
    pub(crate) fn day(&self) -> &str {
        &self.text[..8]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_date_tell_the_same_time() {
        let basic = AmzDate::parse("20130524T000000Z").unwrap();
        assert_eq!(basic.seconds, 1_369_353_600);
        assert_eq!(AmzDate::parse_http("Fri, 24 May 2013 00:00:00 GMT"), Some(basic.clone()));
        assert_eq!(AmzDate::from_seconds(basic.seconds), Some(basic));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in
            ["", "20130524", "20131324T000000Z", "2013-5-24T00000Z", "20130524T250000Z", "+0130524T000000Z"]
        {
            assert_eq!(AmzDate::parse(bad), None, "{bad}");
        }
        assert_eq!(AmzDate::parse_http("yesterday"), None);
    }
}
