//! Times in requests.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::Failure;

/// The longest text that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 64;

/// Milliseconds since 1970 of the parameter `name`: ISO 8601 with `Z` or an offset, or `yyyy-mm-dd hh:mm:ss` in UTC, as
/// old clients write it.
pub fn timestamp_ms(name: &str, text: &str) -> Result<i64, Failure> {
    let text = text.trim();
    let short = (text.len() <= TEXT_BYTES_MAX).then_some(text);
    let read = short.and_then(|text| text.parse::<Timestamp>().ok().or_else(|| in_utc(text)));
    read.map(Timestamp::as_millisecond).ok_or_else(|| {
        let shown: String = text.chars().take(TEXT_BYTES_MAX).collect();
        Failure::invalid(format!(
            "Invalid {name}: '{shown}' is no timestamp. Expected the format yyyy-MM-ddTHH:mm:ssZ"
        ))
    })
}

/// A time without a zone. A day alone is none: which moment of it is meant is anyone's guess.
fn in_utc(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.contains(':').then(|| text.parse().ok())??;
    Offset::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_clients_write() {
        for (text, ms) in [
            ("2022-01-01T00:00:00Z", 1_640_995_200_000),
            ("2022-01-01T00:00:00.123Z", 1_640_995_200_123),
            ("2022-01-01T01:00:00+01:00", 1_640_995_200_000),
            ("2022-01-01 00:00:00", 1_640_995_200_000),
            ("2022-01-01 00:00:00.5", 1_640_995_200_500),
            (" 1969-12-31T23:59:59Z ", -1000),
        ] {
            assert_eq!(timestamp_ms("timestamp", text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_by_the_name_of_its_parameter() {
        let long = "1".repeat(1 << 16);
        for text in
            ["", "now", "2022-01-01", "2022-13-01T00:00:00Z", "1640995200000", "99999-01-01T00:00:00Z", &long]
        {
            let failure = timestamp_ms("startingTimestamp", text).unwrap_err();
            assert!(failure.message.starts_with("Invalid startingTimestamp: '"), "{}", failure.message);
            assert!(failure.message.len() < 200);
        }
    }
}
