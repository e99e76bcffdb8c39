//! Partition transforms applied to values (table spec, "Partition Transforms").

use super::civil;
use super::hash::{hash_of_bytes, hash_of_decimal, hash_of_integer, hash_of_text};
use super::value::Value;
use crate::metadata::transform::Transform;
use crate::metadata::types::PrimitiveType;

/// The type of what `transform` makes of a `source`; `None` for transforms not known.
pub(crate) fn result_type(transform: &Transform, source: &PrimitiveType) -> Option<PrimitiveType> {
    match transform {
        Transform::Identity | Transform::Truncate(_) | Transform::Void => Some(source.clone()),
        Transform::Bucket(_) | Transform::Year | Transform::Month | Transform::Hour => {
            Some(PrimitiveType::Int)
        }
        Transform::Day => Some(PrimitiveType::Date),
        Transform::Other(_) => None,
    }
}

/// What `transform` makes of `value`, which is one of type `source`; `None` for null, and where
/// there is no such value.
pub(crate) fn apply(transform: &Transform, source: &PrimitiveType, value: &Value) -> Option<Value> {
    match transform {
        Transform::Identity => Some(value.clone()),
        Transform::Void | Transform::Other(_) => None,
        Transform::Bucket(count) => {
            let hash = hash(source, value)? & 0x7fff_ffff;
            Some(Value::Integer(i64::from(hash % count)))
        }
        Transform::Truncate(width) => truncate(*width, value),
        Transform::Year => {
            time_unit(source, value).map(|(days, _)| Value::Integer(civil::date(days).0 - 1970))
        }
        Transform::Month => time_unit(source, value).map(|(days, _)| {
            let (year, month, _) = civil::date(days);
            Value::Integer((year - 1970) * 12 + month - 1)
        }),
        Transform::Day => time_unit(source, value).map(|(days, _)| Value::Integer(days)),
        Transform::Hour => time_unit(source, value).map(|(_, hours)| Value::Integer(hours)),
    }
}

/// Whole days and hours since 1970.
fn time_unit(source: &PrimitiveType, value: &Value) -> Option<(i64, i64)> {
    let Value::Integer(number) = value else { return None };
    let per_hour = match source {
        PrimitiveType::Date => return Some((*number, number.checked_mul(24)?)),
        PrimitiveType::Timestamp | PrimitiveType::Timestamptz => 3_600_000_000,
        PrimitiveType::TimestampNs | PrimitiveType::TimestamptzNs => 3_600_000_000_000,
        _no_time => return None,
    };
    Some((number.div_euclid(per_hour * 24), number.div_euclid(per_hour)))
}

fn truncate(width: u32, value: &Value) -> Option<Value> {
    match value {
        Value::Integer(number) => number.checked_sub(number.rem_euclid(i64::from(width))).map(Value::Integer),
        Value::Decimal(number) => {
            number.checked_sub(number.rem_euclid(i128::from(width))).map(Value::Decimal)
        }
        Value::Text(text) => Some(Value::Text(first_chars(text, width as usize).into())),
        Value::Bytes(bytes) => Some(Value::Bytes(bytes[..bytes.len().min(width as usize)].into())),
        Value::Boolean(_) | Value::Real(_) | Value::Uuid(_) => None,
    }
}

pub(super) fn first_chars(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end])
}

/// The hash of a value (table spec, Appendix B).
fn hash(source: &PrimitiveType, value: &Value) -> Option<u32> {
    match value {
        Value::Integer(number) => {
            let nanos = matches!(source, PrimitiveType::TimestampNs | PrimitiveType::TimestamptzNs);
            let number = if nanos { number.div_euclid(1000) } else { *number };
            Some(hash_of_integer(number))
        }
        Value::Decimal(unscaled) => Some(hash_of_decimal(*unscaled)),
        Value::Text(text) => Some(hash_of_text(text)),
        Value::Uuid(bytes) => Some(hash_of_bytes(bytes)),
        Value::Bytes(bytes) => Some(hash_of_bytes(bytes)),
        Value::Boolean(_) | Value::Real(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table spec, Appendix B: "32-bit Hash Requirements".
    #[test]
    fn hashes_are_those_of_the_specification() {
        let uuid = uuid::Uuid::try_parse("f79c3e09-677c-4bbd-a479-3f349cb785e7").unwrap();
        for (of, value, expected) in [
            (PrimitiveType::Int, Value::Integer(34), 2_017_239_379_i32),
            (PrimitiveType::Decimal { precision: 9, scale: 2 }, Value::Decimal(1420), -500_754_589),
            (PrimitiveType::Date, Value::Integer(17_486), -653_330_422),
            (PrimitiveType::Time, Value::Integer(81_068_000_000), -662_762_989),
            (PrimitiveType::Timestamp, Value::Integer(1_510_871_468_000_000), -2_047_944_441),
            (PrimitiveType::Timestamp, Value::Integer(1_510_871_468_000_001), -1_207_196_810),
            (PrimitiveType::TimestampNs, Value::Integer(1_510_871_468_000_001_001), -1_207_196_810),
            (PrimitiveType::String, Value::Text("iceberg".into()), 1_210_000_089),
            (PrimitiveType::Uuid, Value::Uuid(*uuid.as_bytes()), 1_488_055_340),
            (PrimitiveType::Binary, Value::Bytes([0, 1, 2, 3].into()), -188_683_207),
        ] {
            assert_eq!(hash(&of, &value), Some(expected as u32), "{of}");
        }
    }

    #[test]
    fn values_before_1970_go_down_and_text_is_cut_by_characters() {
        let timestamp = PrimitiveType::Timestamp;
        for (transform, expected) in
            [(Transform::Year, -1), (Transform::Month, -1), (Transform::Day, -1), (Transform::Hour, -1)]
        {
            assert_eq!(apply(&transform, &timestamp, &Value::Integer(-1)), Some(Value::Integer(expected)));
        }
        let truncate = Transform::Truncate(10);
        assert_eq!(apply(&truncate, &PrimitiveType::Int, &Value::Integer(-1)), Some(Value::Integer(-10)));
        assert_eq!(
            apply(&Transform::Truncate(2), &PrimitiveType::String, &Value::Text("\u{e9}\u{e9}\u{e9}".into())),
            Some(Value::Text("\u{e9}\u{e9}".into()))
        );
    }
}
