//! Values in JSON: literals of filters to values, values of partitions and residuals to JSON
//! (REST specification, `PrimitiveTypeValue`).
//!
//! Clients send dates, times and timestamps also as numbers: days and microseconds.

use serde_json::Value as Json;

use super::civil;
use super::value::Value;
use crate::metadata::types::PrimitiveType;

/// A literal of a filter, as a value of the column it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Value(Value),
    /// Above every value of the type.
    Above,
    /// Below every value of the type.
    Below,
}

/// Reads `json` as a value of type `of`; `None` when it is none.
pub(crate) fn read(of: &PrimitiveType, json: &Json) -> Option<Literal> {
    let text = json.as_str();
    let value = match of {
        PrimitiveType::Boolean => Value::Boolean(json.as_bool()?),
        PrimitiveType::Int => return integer(json, i32::MIN.into(), i32::MAX.into()),
        PrimitiveType::Long => return integer(json, i64::MIN, i64::MAX),
        PrimitiveType::Date => match text {
            Some(text) => return in_range(civil::parse_date(text)?.into(), i32::MIN.into(), i32::MAX.into()),
            None => return integer(json, i32::MIN.into(), i32::MAX.into()),
        },
        PrimitiveType::Time => match text {
            Some(text) => Value::Integer(exactly(civil::parse_time(text)?, 1000)? as i64),
            None => return integer(json, i64::MIN, i64::MAX),
        },
        PrimitiveType::Timestamp => return timestamp(json, 1000, false),
        PrimitiveType::Timestamptz => return timestamp(json, 1000, true),
        PrimitiveType::TimestampNs => return timestamp(json, 1, false),
        PrimitiveType::TimestamptzNs => return timestamp(json, 1, true),
        // Adding zero makes the negative zero the positive one: they are equal.
        PrimitiveType::Float => Value::Real(f64::from(json.as_f64()? as f32) + 0.0),
        PrimitiveType::Double => Value::Real(json.as_f64()? + 0.0),
        PrimitiveType::Decimal { scale, .. } => match json {
            Json::Number(number) => Value::Decimal(decimal(&number.to_string(), *scale)?),
            other => Value::Decimal(decimal(other.as_str()?, *scale)?),
        },
        PrimitiveType::String => Value::Text(text?.into()),
        PrimitiveType::Uuid => Value::Uuid(*uuid::Uuid::try_parse(text?).ok()?.as_bytes()),
        PrimitiveType::Fixed(length) => {
            let bytes = hex::decode(text?).ok().filter(|bytes| bytes.len() == *length as usize)?;
            Value::Bytes(bytes.into())
        }
        PrimitiveType::Binary => Value::Bytes(hex::decode(text?).ok()?.into()),
        PrimitiveType::Unknown
        | PrimitiveType::Variant
        | PrimitiveType::Geometry(_)
        | PrimitiveType::Geography { .. } => return None,
    };
    Some(Literal::Value(value))
}

fn integer(json: &Json, min: i64, max: i64) -> Option<Literal> {
    if let Some(number) = json.as_i64() {
        return in_range(number.into(), min, max);
    }
    if let Some(number) = json.as_u64() {
        return in_range(number.into(), min, max);
    }
    let number = json.as_f64()?;
    // A float holds every whole number up to 2^53, and an i128 all that may be compared here.
    (number.fract() == 0.0).then_some(()).and_then(|()| in_range(number as i128, min, max))
}

fn in_range(number: i128, min: i64, max: i64) -> Option<Literal> {
    Some(match number {
        number if number > max.into() => Literal::Above,
        number if number < min.into() => Literal::Below,
        number => Literal::Value(Value::Integer(number as i64)),
    })
}

/// A timestamp whose unit is that many nanoseconds. Text must name a zone exactly if the type has one.
fn timestamp(json: &Json, unit_ns: i128, with_zone: bool) -> Option<Literal> {
    let Some(text) = json.as_str() else {
        let Literal::Value(Value::Integer(micros)) = integer(json, i64::MIN, i64::MAX)? else {
            return integer(json, i64::MIN, i64::MAX);
        };
        return in_range(i128::from(micros) * (1000 / unit_ns), i64::MIN, i64::MAX);
    };
    let (nanos, has_zone) = civil::parse_timestamp(text)?;
    if has_zone != with_zone {
        return None;
    }
    in_range(exactly(nanos, unit_ns)?, i64::MIN, i64::MAX)
}

/// `number / unit`, if nothing is lost.
fn exactly(number: i128, unit: i128) -> Option<i128> {
    (number.rem_euclid(unit) == 0).then(|| number.div_euclid(unit))
}

/// The unscaled number of a decimal; `None` if it has more digits after the point than `scale`.
fn decimal(text: &str, scale: u8) -> Option<i128> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, i32::from(exponent.parse::<i16>().ok()?)),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: String = [whole, fraction].concat();
    let bare = digits.strip_prefix(['-', '+']).unwrap_or(&digits);
    if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unscaled: i128 = digits.parse().ok()?;
    let shift = i32::from(scale) + exponent - i32::try_from(fraction.len()).ok()?;
    let factor = 10_i128.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 { unscaled.checked_mul(factor) } else { exactly(unscaled, factor) }
}

/// The JSON of a value of type `of`.
pub(crate) fn write(of: &PrimitiveType, value: &Value) -> Json {
    match value {
        Value::Boolean(value) => Json::from(*value),
        Value::Integer(number) => match of {
            PrimitiveType::Date => civil::write_date(*number).into(),
            PrimitiveType::Time => civil::write_time(*number).into(),
            PrimitiveType::Timestamp => civil::write_timestamp(*number, 1_000_000).into(),
            PrimitiveType::Timestamptz => (civil::write_timestamp(*number, 1_000_000) + "+00:00").into(),
            PrimitiveType::TimestampNs => civil::write_timestamp(*number, 1_000_000_000).into(),
            PrimitiveType::TimestamptzNs => {
                (civil::write_timestamp(*number, 1_000_000_000) + "+00:00").into()
            }
            PrimitiveType::Boolean
            | PrimitiveType::Int
            | PrimitiveType::Long
            | PrimitiveType::Float
            | PrimitiveType::Double
            | PrimitiveType::Decimal { .. }
            | PrimitiveType::String
            | PrimitiveType::Uuid
            | PrimitiveType::Fixed(_)
            | PrimitiveType::Binary
            | PrimitiveType::Unknown
            | PrimitiveType::Variant
            | PrimitiveType::Geometry(_)
            | PrimitiveType::Geography { .. } => (*number).into(),
        },
        // JSON has no number for NaN and the infinities; Java reads these words.
        Value::Real(number) if number.is_nan() => "NaN".into(),
        Value::Real(number) if number.is_infinite() => {
            if *number > 0.0 {
                "Infinity".into()
            } else {
                "-Infinity".into()
            }
        }
        Value::Real(number) if *of == PrimitiveType::Float => shortest_f32(*number),
        Value::Real(number) => (*number).into(),
        Value::Decimal(unscaled) => {
            let scale = match of {
                PrimitiveType::Decimal { scale, .. } => usize::from(*scale),
                _no_decimal => 0,
            };
            write_decimal(*unscaled, scale).into()
        }
        Value::Text(text) => text.to_string().into(),
        Value::Uuid(bytes) => uuid::Uuid::from_bytes(*bytes).to_string().into(),
        Value::Bytes(bytes) => hex::encode_upper(bytes).into(),
    }
}

/// The number with the digits its float needs, not those of the double it became.
fn shortest_f32(number: f64) -> Json {
    let shortest: f64 = (number as f32).to_string().parse().unwrap_or(number);
    shortest.into()
}

fn write_decimal(unscaled: i128, scale: usize) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decimal_type(scale: u8) -> PrimitiveType {
        PrimitiveType::Decimal { precision: 20, scale }
    }

    #[test]
    fn literals_of_every_type_are_read_and_written_again() {
        for (of, text) in [
            (PrimitiveType::Boolean, json!(true)),
            (PrimitiveType::Int, json!(-7)),
            (PrimitiveType::Long, json!(i64::MAX)),
            (PrimitiveType::Float, json!(0.1)),
            (PrimitiveType::Double, json!(0.1)),
            (decimal_type(4), json!("123.4500")),
            (decimal_type(4), json!("-0.0001")),
            (decimal_type(0), json!("2")),
            (PrimitiveType::Date, json!("2007-12-03")),
            (PrimitiveType::Time, json!("22:31:08.123456")),
            (PrimitiveType::Timestamp, json!("2007-12-03T10:15:30.123456")),
            (PrimitiveType::Timestamptz, json!("2007-12-03T10:15:30.123456+00:00")),
            (PrimitiveType::TimestampNs, json!("2007-12-03T10:15:30.123456789")),
            (PrimitiveType::TimestamptzNs, json!("2007-12-03T10:15:30.123456789+00:00")),
            (PrimitiveType::String, json!("a\"b")),
            (PrimitiveType::Uuid, json!("eb26bdb1-a1d8-4aa6-990e-da940875492c")),
            (PrimitiveType::Fixed(3), json!("78797A")),
            (PrimitiveType::Binary, json!("78797A")),
        ] {
            let Some(Literal::Value(value)) = read(&of, &text) else { panic!("{of} {text}") };
            assert_eq!(write(&of, &value), text, "{of}");
        }
    }

    #[test]
    fn numbers_stand_for_days_and_microseconds() {
        let integer = |number| Some(Literal::Value(Value::Integer(number)));
        assert_eq!(read(&PrimitiveType::Date, &json!(13850)), integer(13850));
        assert_eq!(read(&PrimitiveType::Timestamptz, &json!(5)), integer(5));
        assert_eq!(read(&PrimitiveType::TimestampNs, &json!(5)), integer(5000));
        assert_eq!(read(&decimal_type(2), &json!(1.5)), Some(Literal::Value(Value::Decimal(150))));
        assert_eq!(read(&decimal_type(2), &json!("1.5E+1")), Some(Literal::Value(Value::Decimal(1500))));
    }

    #[test]
    fn what_is_outside_a_type_is_above_or_below_it() {
        assert_eq!(read(&PrimitiveType::Int, &json!(3_000_000_000_i64)), Some(Literal::Above));
        assert_eq!(read(&PrimitiveType::Int, &json!(-3_000_000_000_i64)), Some(Literal::Below));
        assert_eq!(read(&PrimitiveType::Long, &json!(u64::MAX)), Some(Literal::Above));
        assert_eq!(read(&PrimitiveType::Long, &json!(-1e30)), Some(Literal::Below));
    }

    #[test]
    fn what_is_no_value_of_the_type_is_refused() {
        for (of, text) in [
            (PrimitiveType::Boolean, json!(1)),
            (PrimitiveType::Int, json!(1.5)),
            (PrimitiveType::Int, json!("1")),
            (PrimitiveType::Int, json!(null)),
            (decimal_type(1), json!("1.25")),
            (decimal_type(1), json!("x")),
            (decimal_type(1), json!("1e999999999")),
            (PrimitiveType::Timestamp, json!("2007-12-03T10:15:30Z")),
            (PrimitiveType::Timestamptz, json!("2007-12-03T10:15:30")),
            (PrimitiveType::Timestamp, json!("2007-12-03T10:15:30.1234567")),
            (PrimitiveType::Fixed(2), json!("78797A")),
            (PrimitiveType::Binary, json!("7")),
            (PrimitiveType::Variant, json!("x")),
        ] {
            assert_eq!(read(&of, &text), None, "{of} {text}");
        }
    }
}
