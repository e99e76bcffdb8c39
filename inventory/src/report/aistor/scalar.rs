//! Words, sizes, durations and times in definitions.

use serde_saphyr::{Location, Spanned};

use super::Refused;

/// A text of a definition and where it stands.
pub(crate) type Text = Spanned<String>;

pub(crate) fn refused(at: Location, message: String) -> Refused {
    let known = at != Location::UNKNOWN;
    Refused { line: known.then(|| at.line()), column: known.then(|| at.column()), message }
}

/// Refuses a value of `name`.
pub(crate) fn wrong(text: &Text, name: &str, allowed: &str) -> Refused {
    refused(text.referenced, format!("{name} cannot be {:?}; allowed: {allowed}", shown(&text.value)))
}

/// So much of a value as an error repeats.
fn shown(value: &str) -> String {
    value.chars().take(64).collect()
}

/// One of a few words; the first where nothing is said.
pub(crate) fn choice<T: Copy>(
    text: Option<&Text>,
    name: &str,
    words: &[(&str, T)],
    absent: T,
) -> Result<T, Refused> {
    let Some(text) = text else { return Ok(absent) };
    let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        wrong(text, name, &words.join(", "))
    })
}

/// A size in bytes: a number with or without a unit.
pub(crate) fn size(text: &Text, name: &str) -> Result<u64, Refused> {
    const UNITS: [(&str, u64); 16] = [
        ("", 1),
        ("b", 1),
        ("k", 1000),
        ("kb", 1000),
        ("kib", 1 << 10),
        ("m", 1_000_000),
        ("mb", 1_000_000),
        ("mib", 1 << 20),
        ("g", 1_000_000_000),
        ("gb", 1_000_000_000),
        ("gib", 1 << 30),
        ("t", 1_000_000_000_000),
        ("tb", 1_000_000_000_000),
        ("tib", 1 << 40),
        ("pb", 1_000_000_000_000_000),
        ("pib", 1 << 50),
    ];
    let bytes = || {
        let (number, unit) = split(text.value.trim());
        let unit = unit.trim().to_ascii_lowercase();
        let (_, factor) = UNITS.iter().find(|(known, _)| *known == unit)?;
        number.parse::<u64>().ok()?.checked_mul(*factor)
    };
    bytes().ok_or_else(|| wrong(text, name, "a whole number of bytes, or with a unit as 100MiB or 5GB"))
}

/// A count.
pub(crate) fn count(text: &Text, name: &str) -> Result<u64, Refused> {
    text.value.parse().map_err(|_| wrong(text, name, "a whole number from 0"))
}

/// A number.
pub(super) fn number(text: &Text, name: &str) -> Result<f64, Refused> {
    let number = text.value.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| wrong(text, name, "a number"))
}

/// A duration in milliseconds: whole numbers with units, as `90d` or `1d12h`.
pub(crate) fn duration_ms(text: &Text, name: &str) -> Result<i64, Refused> {
    const UNITS: [(&str, i64); 7] = [
        ("ms", 1),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("w", 7 * 86_400_000),
        ("y", 365 * 86_400_000),
    ];
    let millis = || {
        let (mut rest, mut sum) = (text.value.trim(), 0_i64);
        while !rest.is_empty() {
            let (number, behind) = split(rest);
            let end = behind.find(|character: char| character.is_ascii_digit()).unwrap_or(behind.len());
            let (unit, behind) = behind.split_at(end);
            let (_, factor) = UNITS.iter().find(|(known, _)| *known == unit)?;
            sum = sum.checked_add(number.parse::<i64>().ok()?.checked_mul(*factor)?)?;
            rest = behind;
        }
        Some(sum).filter(|_| !text.value.trim().is_empty())
    };
    millis()
        .ok_or_else(|| wrong(text, name, "whole numbers with units ms, s, m, h, d, w, y, as 90d or 1d12h"))
}

/// A time in milliseconds since 1970.
pub(crate) fn time_ms(text: &Text, name: &str) -> Result<i64, Refused> {
    let value = text.value.trim();
    let date = || {
        let date = value.parse::<jiff::civil::Date>().ok().filter(|_| value.len() == "2026-11-21".len())?;
        Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    let time = value.parse::<jiff::Timestamp>().ok().or_else(date);
    let allowed = "a time as 2026-11-21T08:00:00Z or a date as 2026-11-21";
    time.map(|time| time.as_millisecond()).ok_or_else(|| wrong(text, name, allowed))
}

/// The digits at the begin, and what is behind them.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}
