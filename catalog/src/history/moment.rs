//! When: a position of the log, or a time. As text `position:123` and RFC 3339, such as `2026-11-21T04:00:00Z`.

use jiff::Timestamp;

use crate::log::Seq;

/// A point in the history of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// After this record of the catalog log.
    Position(Seq),
    /// Milliseconds since 1970.
    Time(i64),
}

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no moment: position:123 or a time such as 2026-11-21T04:00:00Z is expected")]
pub struct InvalidMoment(String);

const POSITION: &str = "position:";

impl std::str::FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        let invalid = || InvalidMoment(text.chars().take(100).collect());
        if let Some(number) = text.strip_prefix(POSITION) {
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            return number
                .parse()
                .ok()
                .filter(|_| digits)
                .map(|seq| Self::Position(Seq(seq)))
                .ok_or_else(invalid);
        }
        // In a path or query the plus of an offset is read as a space.
        let time: Timestamp = text.replace(' ', "+").parse().map_err(|_| invalid())?;
        Ok(Self::Time(time.as_millisecond()))
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Position(seq) => write!(formatter, "{POSITION}{seq}"),
            Self::Time(at) => formatter.write_str(&time(*at)),
        }
    }
}

/// Milliseconds since 1970 as RFC 3339; as a number where that has none.
pub(super) fn time(at: i64) -> String {
    Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Moment, InvalidMoment> {
        text.parse()
    }

    #[test]
    fn positions_and_times_are_read_as_they_are_written() {
        assert_eq!(read("position:123"), Ok(Moment::Position(Seq(123))));
        assert_eq!(read("1970-01-01T00:00:01.5Z"), Ok(Moment::Time(1500)));
        assert_eq!(read("1970-01-01T01:00:01+01:00"), Ok(Moment::Time(1000)));
        assert_eq!(read("1970-01-01T01:00:01 01:00"), Ok(Moment::Time(1000)));
        for text in ["position:7", "2026-11-21T04:00:00Z"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "7", "position:", "position:+7", "position:-1", "position:x", "yesterday", "2026-11-21"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
