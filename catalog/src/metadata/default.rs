//! Default values of columns (table spec, "Default values" and "JSON single-value serialization").
//!
//! - DV1: what is read from a file has the JSON kind of its type: enough to keep it and write it back.
//! - DV2: what a commit adds is exactly a value of its type. No engine reads a table with a default that is
//!   not, so it would be lost to its users.

use serde_json::Value;

use super::object::InvalidMetadata;
use super::types::{Field, PrimitiveType, StructType, Type};
use crate::scan::{Literal, read_literal};

/// DV1: whether `default` has the JSON kind of a value of `field_type`.
pub(super) fn fits(field_type: &Type, default: &Value) -> bool {
    match field_type {
        Type::Struct(_) | Type::Map(_) => default.is_object(),
        Type::List(_) => default.is_array(),
        Type::Primitive(primitive) => match primitive {
            PrimitiveType::Boolean => default.is_boolean(),
            PrimitiveType::Int => default.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            PrimitiveType::Long => default.as_i64().is_some(),
            PrimitiveType::Float | PrimitiveType::Double => default.is_number(),
            PrimitiveType::Decimal { .. }
            | PrimitiveType::Date
            | PrimitiveType::Time
            | PrimitiveType::Timestamp
            | PrimitiveType::Timestamptz
            | PrimitiveType::TimestampNs
            | PrimitiveType::TimestamptzNs
            | PrimitiveType::String
            | PrimitiveType::Uuid
            | PrimitiveType::Fixed(_)
            | PrimitiveType::Binary => default.is_string(),
            // Only null is a default of these, and null reads as absent.
            PrimitiveType::Unknown
            | PrimitiveType::Variant
            | PrimitiveType::Geometry(_)
            | PrimitiveType::Geography { .. } => false,
        },
    }
}

/// DV2: refuses defaults that are not values of their types, at every level.
pub(super) fn check(columns: &StructType) -> Result<(), InvalidMetadata> {
    for field in &columns.fields {
        check_field(field)?;
    }
    Ok(())
}

fn check_field(field: &Field) -> Result<(), InvalidMetadata> {
    for default in [&field.initial_default, &field.write_default].into_iter().flatten() {
        if !is_value(&field.field_type, default) {
            let name = &field.name;
            return Err(InvalidMetadata::new(format!(
                "field '{name}': {default} is not a default of its type"
            )));
        }
    }
    check_type(&field.field_type)
}

fn check_type(field_type: &Type) -> Result<(), InvalidMetadata> {
    match field_type {
        Type::Primitive(_) => Ok(()),
        Type::Struct(fields) => check(fields),
        Type::List(list) => check_type(&list.element),
        Type::Map(map) => check_type(&map.key).and_then(|()| check_type(&map.value)),
    }
}

fn is_value(field_type: &Type, default: &Value) -> bool {
    let primitive = match field_type {
        // The parts of a struct have defaults of their own: it is there or it is not.
        Type::Struct(_) => return default.as_object().is_some_and(serde_json::Map::is_empty),
        // The specification names no default of a list or map but its JSON, and no engine sets one.
        Type::List(_) | Type::Map(_) => return true,
        Type::Primitive(primitive) => primitive,
    };
    let is_of_type = || matches!(read_literal(primitive, default), Some(Literal::Value(_)));
    let in_utc = || default.as_str().is_some_and(|text| text.ends_with("+00:00"));
    match primitive {
        PrimitiveType::Timestamptz | PrimitiveType::TimestamptzNs => in_utc() && is_of_type(),
        PrimitiveType::Decimal { precision, scale } => {
            default.as_str().is_some_and(|text| is_decimal(text, *precision, *scale))
        }
        PrimitiveType::Boolean
        | PrimitiveType::Int
        | PrimitiveType::Long
        | PrimitiveType::Float
        | PrimitiveType::Double
        | PrimitiveType::Date
        | PrimitiveType::Time
        | PrimitiveType::Timestamp
        | PrimitiveType::TimestampNs
        | PrimitiveType::String
        | PrimitiveType::Uuid
        | PrimitiveType::Fixed(_)
        | PrimitiveType::Binary => is_of_type(),
        PrimitiveType::Unknown
        | PrimitiveType::Variant
        | PrimitiveType::Geometry(_)
        | PrimitiveType::Geography { .. } => false,
    }
}

/// Exactly `scale` digits after the point, and not more than `precision` that count.
fn is_decimal(text: &str, precision: u8, scale: u8) -> bool {
    let bare = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = bare.split_once('.').unwrap_or((bare, ""));
    let are_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let counted = [whole, fraction].concat();
    !whole.is_empty()
        && are_digits(whole)
        && are_digits(fraction)
        && fraction.len() == usize::from(scale)
        && counted.trim_start_matches('0').len() <= usize::from(precision)
}
