//! Values as Delta writes them: in partition values, and in statistics.

use std::fmt::Write as _;

use tarn_catalog::manifests::Value;
use tarn_catalog::metadata::types::PrimitiveType;

/// Years that every reader parses.
const YEARS: std::ops::RangeInclusive<i16> = 1..=9999;
/// Bytes of a text's bound in statistics. A lower bound is cut to it, for the beginning of a bound is one too; a longer
/// upper bound is left out.
const BOUND_BYTES_MAX: usize = 256;
/// Microseconds of a millisecond.
const MICROS: i64 = 1000;

/// Which end of a range a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Lower,
    Upper,
}

/// Whether partition values of the type have one text that every reader takes as that value.
pub(super) fn has_partition_text(of: &PrimitiveType) -> bool {
    match of {
        PrimitiveType::Boolean
        | PrimitiveType::Int
        | PrimitiveType::Long
        | PrimitiveType::Decimal { .. }
        | PrimitiveType::Date
        | PrimitiveType::String => true,
        // Floats have NaN and two zeros, timestamps are read in the reader's zone by some, and the rest has no text.
        PrimitiveType::Float
        | PrimitiveType::Double
        | PrimitiveType::Time
        | PrimitiveType::Timestamp
        | PrimitiveType::Timestamptz
        | PrimitiveType::TimestampNs
        | PrimitiveType::TimestamptzNs
        | PrimitiveType::Uuid
        | PrimitiveType::Fixed(_)
        | PrimitiveType::Binary
        | PrimitiveType::Unknown
        | PrimitiveType::Variant
        | PrimitiveType::Geometry(_)
        | PrimitiveType::Geography { .. } => false,
    }
}

/// The text of a partition value (Delta protocol, "Partition Value Serialization"); `None` where it has none. The empty
/// text is one of them: Delta takes it for null.
pub(super) fn partition_text(of: &PrimitiveType, value: &Value) -> Option<String> {
    match (of, value) {
        (PrimitiveType::Boolean, Value::Boolean(value)) => Some(value.to_string()),
        (PrimitiveType::Int, Value::Integer(number)) => i32::try_from(*number).ok().map(|n| n.to_string()),
        (PrimitiveType::Long, Value::Integer(number)) => Some(number.to_string()),
        (PrimitiveType::Date, Value::Integer(days)) => date(*days),
        (PrimitiveType::Decimal { scale, .. }, Value::Decimal(unscaled)) => Some(decimal(*unscaled, *scale)),
        (PrimitiveType::String, Value::Text(text)) if !text.is_empty() => Some(text.to_string()),
        (_, _) => None,
    }
}

/// Writes a bound of statistics as JSON; says whether there was one to write.
pub(super) fn write_bound(out: &mut String, of: &PrimitiveType, bytes: &[u8], bound: Bound) -> bool {
    let Some(value) = Value::from_bound(of, bytes) else { return false };
    let text = match (of, value) {
        (PrimitiveType::Int, Value::Integer(number)) => i32::try_from(number).ok().map(|n| n.to_string()),
        (PrimitiveType::Long, Value::Integer(number)) => Some(number.to_string()),
        (PrimitiveType::Float | PrimitiveType::Double, Value::Real(number)) => {
            number.is_finite().then(|| format!("{number:?}"))
        }
        (PrimitiveType::Decimal { precision, scale }, Value::Decimal(unscaled)) => {
            let fits = unscaled.unsigned_abs().checked_ilog10().is_none_or(|log| log < u32::from(*precision));
            fits.then(|| decimal(unscaled, *scale))
        }
        (PrimitiveType::Date, Value::Integer(days)) => date(days).map(|date| format!("\"{date}\"")),
        (PrimitiveType::Timestamp, Value::Integer(micros)) => {
            instant(micros, bound).map(|text| format!("\"{text}\""))
        }
        (PrimitiveType::Timestamptz, Value::Integer(micros)) => {
            instant(micros, bound).map(|text| format!("\"{text}Z\""))
        }
        (PrimitiveType::String, Value::Text(text)) => text_bound(&text, bound),
        // Delta skips no files by the others.
        (_, _) => None,
    };
    text.is_some_and(|text| {
        out.push_str(&text);
        true
    })
}

fn date(days: i64) -> Option<String> {
    let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    YEARS.contains(&date.year()).then(|| date.to_string())
}

/// To the millisecond: down for a lower bound, up for an upper.
fn instant(micros: i64, bound: Bound) -> Option<String> {
    let ms = match bound {
        Bound::Lower => micros.div_euclid(MICROS),
        Bound::Upper => micros.checked_add(MICROS - 1)?.div_euclid(MICROS),
    };
    let at = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::from_millisecond(ms).ok()?);
    YEARS.contains(&at.year()).then(|| {
        let (date, time, ms) = (at.date(), at.time(), at.millisecond());
        format!("{date}T{:02}:{:02}:{:02}.{ms:03}", time.hour(), time.minute(), time.second())
    })
}

fn decimal(unscaled: i128, scale: u8) -> String {
    let (sign, scale) = (if unscaled < 0 { "-" } else { "" }, usize::from(scale));
    let digits = unscaled.unsigned_abs().to_string();
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let mut text = format!("{sign}{whole}");
    if scale > 0 {
        // Writing to a string does not fail.
        let _ = write!(text, ".{fraction}");
    }
    text
}

fn text_bound(text: &str, bound: Bound) -> Option<String> {
    let told = match bound {
        Bound::Lower => &text[..text.floor_char_boundary(BOUND_BYTES_MAX)],
        Bound::Upper if text.len() <= BOUND_BYTES_MAX => text,
        Bound::Upper => return None,
    };
    serde_json::to_string(told).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(of: &PrimitiveType, bytes: &[u8], bound: Bound) -> Option<String> {
        let mut out = String::new();
        write_bound(&mut out, of, bytes, bound).then_some(out)
    }

    #[test]
    fn partition_values_are_written_as_delta_reads_them() {
        let decimal = PrimitiveType::Decimal { precision: 9, scale: 2 };
        let cases = [
            (PrimitiveType::Boolean, Value::Boolean(true), Some("true")),
            (PrimitiveType::Int, Value::Integer(-7), Some("-7")),
            (PrimitiveType::Int, Value::Integer(1 << 40), None),
            (PrimitiveType::Long, Value::Integer(1 << 40), Some("1099511627776")),
            (PrimitiveType::Date, Value::Integer(0), Some("1970-01-01")),
            (PrimitiveType::Date, Value::Integer(-1), Some("1969-12-31")),
            (PrimitiveType::Date, Value::Integer(i64::from(i32::MAX)), None),
            (decimal.clone(), Value::Decimal(-5), Some("-0.05")),
            (decimal.clone(), Value::Decimal(12345), Some("123.45")),
            (PrimitiveType::Decimal { precision: 9, scale: 0 }, Value::Decimal(12), Some("12")),
            (PrimitiveType::String, Value::Text("a/b=c".into()), Some("a/b=c")),
            (PrimitiveType::String, Value::Text("".into()), None),
            (PrimitiveType::Double, Value::Real(1.0), None),
        ];
        for (of, value, told) in cases {
            assert_eq!(partition_text(&of, &value).as_deref(), told, "{of} {value:?}");
        }
    }

    #[test]
    fn bounds_of_timestamps_are_widened_to_milliseconds() {
        let micros = |micros: i64| micros.to_le_bytes();
        let at = micros(1_196_676_930_123_456);
        let lower = bound(&PrimitiveType::Timestamptz, &at, Bound::Lower);
        assert_eq!(lower.as_deref(), Some("\"2007-12-03T10:15:30.123Z\""));
        let upper = bound(&PrimitiveType::Timestamptz, &at, Bound::Upper);
        assert_eq!(upper.as_deref(), Some("\"2007-12-03T10:15:30.124Z\""));
        let before = bound(&PrimitiveType::Timestamp, &micros(-1), Bound::Lower);
        assert_eq!(before.as_deref(), Some("\"1969-12-31T23:59:59.999\""));
        let exact = bound(&PrimitiveType::Timestamp, &micros(2_000), Bound::Upper);
        assert_eq!(exact.as_deref(), Some("\"1970-01-01T00:00:00.002\""));
        assert_eq!(bound(&PrimitiveType::Timestamp, &micros(i64::MAX), Bound::Upper), None);
        // It was a date when the file was written.
        let date = bound(&PrimitiveType::Timestamp, &1_i32.to_le_bytes(), Bound::Lower);
        assert_eq!(date.as_deref(), Some("\"1970-01-02T00:00:00.000\""));
    }

    #[test]
    fn bounds_are_read_by_the_type_they_were_written_with() {
        let long = bound(&PrimitiveType::Long, &(-3_i32).to_le_bytes(), Bound::Lower);
        assert_eq!(long.as_deref(), Some("-3"));
        let double = bound(&PrimitiveType::Double, &0.5_f32.to_le_bytes(), Bound::Upper);
        assert_eq!(double.as_deref(), Some("0.5"));
        assert_eq!(bound(&PrimitiveType::Double, &f64::INFINITY.to_le_bytes(), Bound::Upper), None);
        let decimal = PrimitiveType::Decimal { precision: 4, scale: 1 };
        assert_eq!(bound(&decimal, &[0xff, 0x85], Bound::Lower).as_deref(), Some("-12.3"));
        assert_eq!(bound(&decimal, &[0x7f, 0xff], Bound::Upper), None);
        assert_eq!(bound(&PrimitiveType::Long, &[1, 2], Bound::Lower), None);
        assert_eq!(bound(&PrimitiveType::Uuid, &[0; 16], Bound::Lower), None);
        assert_eq!(bound(&PrimitiveType::Boolean, &[1], Bound::Lower), None);
    }

    #[test]
    fn a_long_lower_bound_is_cut_between_characters_and_a_long_upper_bound_left_out() {
        let text = "\u{e9}".repeat(BOUND_BYTES_MAX);
        let lower = bound(&PrimitiveType::String, text.as_bytes(), Bound::Lower).unwrap();
        assert_eq!(lower.len(), BOUND_BYTES_MAX + 2);
        assert_eq!(bound(&PrimitiveType::String, text.as_bytes(), Bound::Upper), None);
        let quoted = bound(&PrimitiveType::String, b"a\"b", Bound::Upper);
        assert_eq!(quoted.as_deref(), Some(r#""a\"b""#));
    }
}
