//! Types of Iceberg as Delta writes them (Delta protocol, "Schema Serialization Format").

use tarn_catalog::metadata::types::PrimitiveType;

use crate::table::Feature;

/// What Delta calls a type; `None` where no reader of Delta reads the values that Iceberg writes for it.
///
/// `fixed`, `uuid` and `time` have physical types that readers refuse to cast, nanoseconds would be cut, and the rest
/// Delta does not have.
pub(super) fn delta_name(of: &PrimitiveType) -> Option<String> {
    let name = match of {
        PrimitiveType::Boolean => "boolean",
        PrimitiveType::Int => "integer",
        PrimitiveType::Long => "long",
        PrimitiveType::Float => "float",
        PrimitiveType::Double => "double",
        PrimitiveType::Decimal { precision, scale } => return Some(format!("decimal({precision},{scale})")),
        PrimitiveType::Date => "date",
        PrimitiveType::Timestamp => "timestamp_ntz",
        PrimitiveType::Timestamptz => "timestamp",
        PrimitiveType::String => "string",
        PrimitiveType::Binary => "binary",
        PrimitiveType::Variant => "variant",
        PrimitiveType::Time
        | PrimitiveType::TimestampNs
        | PrimitiveType::TimestamptzNs
        | PrimitiveType::Uuid
        | PrimitiveType::Fixed(_)
        | PrimitiveType::Unknown
        | PrimitiveType::Geometry(_)
        | PrimitiveType::Geography { .. } => return None,
    };
    Some(name.to_owned())
}

/// What a reader must support to read the type.
pub(super) fn feature(of: &PrimitiveType) -> Option<Feature> {
    match of {
        PrimitiveType::Timestamp => Some(Feature::TimestampNtz),
        PrimitiveType::Variant => Some(Feature::VariantType),
        PrimitiveType::Boolean
        | PrimitiveType::Int
        | PrimitiveType::Long
        | PrimitiveType::Float
        | PrimitiveType::Double
        | PrimitiveType::Decimal { .. }
        | PrimitiveType::Date
        | PrimitiveType::Time
        | PrimitiveType::Timestamptz
        | PrimitiveType::TimestampNs
        | PrimitiveType::TimestamptzNs
        | PrimitiveType::String
        | PrimitiveType::Uuid
        | PrimitiveType::Fixed(_)
        | PrimitiveType::Binary
        | PrimitiveType::Unknown
        | PrimitiveType::Geometry(_)
        | PrimitiveType::Geography { .. } => None,
    }
}
