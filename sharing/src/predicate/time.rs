//! Dates and times as text, and as days and microseconds since 1970.

/// Microseconds of a day.
pub(super) const DAY_US: i128 = 86_400_000_000;
/// No time zone is further from UTC, in microseconds.
pub(super) const ZONE_US: i128 = 18 * 3_600_000_000;
/// Microseconds of a millisecond.
pub(super) const MILLISECOND_US: i128 = 1_000;

/// A time as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Whole microseconds since 1970, in UTC or, if `zone` is not known, there.
    pub(super) micros: i128,
    pub(super) zone: Zone,
    /// Whether the text ends at milliseconds or before: it may be cut.
    pub(super) milliseconds: bool,
    /// Whether there is more behind the microseconds.
    pub(super) more: bool,
}

/// Where a time is told for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// The text says.
    Known,
    /// The text does not say.
    Unknown,
}

/// Days since 1970 of `yyyy-MM-dd`.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let shape = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    let date: jiff::civil::Date = if shape { text.parse().ok()? } else { return None };
    Some(days(date))
}

/// A date and a time, with or without an offset from UTC.
pub(super) fn parse_moment(text: &str) -> Option<Moment> {
    const SHORTEST: usize = "yyyy-MM-ddTHH:mm".len();
    if text.len() < SHORTEST || !text.is_ascii() || text.as_bytes()[4] != b'-' || text.contains('[') {
        return None;
    }
    let (nanos, zone) = match text.parse::<jiff::Timestamp>() {
        Ok(instant) => (instant.as_nanosecond(), Zone::Known),
        Err(_no_offset) => (civil_nanos(text)?, Zone::Unknown),
    };
    let fraction = text.split_once('.').map_or("", |(_, behind)| behind);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    Some(Moment {
        micros: nanos.div_euclid(1000),
        zone,
        milliseconds: digits <= 3,
        more: nanos.rem_euclid(1000) != 0,
    })
}

/// Days since 1970 of the first day of a month, counted since 1970-01.
pub(super) fn month_start(months: i64) -> Option<i64> {
    let year = i16::try_from(months.div_euclid(12).checked_add(1970)?).ok()?;
    let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
    jiff::civil::Date::new(year, month, 1).ok().map(days)
}

fn civil_nanos(text: &str) -> Option<i128> {
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let time = civil.time();
    let seconds = (i128::from(time.hour()) * 60 + i128::from(time.minute())) * 60 + i128::from(time.second());
    let nanos = seconds * 1_000_000_000 + i128::from(time.subsec_nanosecond());
    Some(i128::from(days(civil.date())) * DAY_US * 1000 + nanos)
}

fn days(date: jiff::civil::Date) -> i64 {
    let since = date - jiff::civil::Date::constant(1970, 1, 1);
    i64::from(since.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_and_moments_are_microseconds() {
        assert_eq!((parse_date("1970-01-01"), parse_date("1969-12-31")), (Some(0), Some(-1)));
        assert_eq!(parse_date("2024-02-29"), Some(19_782));
        for text in
            ["2024-2-9", "20240229", "2023-02-29", "2024-02-29T00:00", "", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
        let moment = |text| parse_moment(text).unwrap();
        let known = |micros, milliseconds| Moment { micros, zone: Zone::Known, milliseconds, more: false };
        assert_eq!(moment("1970-01-01T00:00:01.5Z"), known(1_500_000, true));
        assert_eq!(moment("1970-01-01T01:00:00.000001+01:00"), known(1, false));
        let unknown = Moment { zone: Zone::Unknown, ..known(-1, false) };
        assert_eq!(moment("1969-12-31 23:59:59.999999"), unknown);
        assert!(moment("1970-01-01T00:00:00.0000001Z").more);
        for text in ["2024-01-01", "12:00:00", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00Z[UTC]", "x"] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
        assert_eq!((month_start(0), month_start(-1), month_start(1)), (Some(0), Some(-31), Some(31)));
        assert_eq!(month_start(i64::MAX), None);
    }
}
