//! What sorts of columns there are, and what types literals and casts have.

use crate::table::{Column, DataType};

/// Metadata of a column whose texts have an order of their own, and of one whose texts are filled up with spaces.
const COLLATIONS: &str = "__COLLATIONS";
const CHAR: &str = "__CHAR_VARCHAR_TYPE_STRING";

/// The values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer {
        bits: u32,
    },
    Decimal {
        scale: u32,
    },
    Real,
    Text,
    Date,
    /// Microseconds in UTC.
    Instant,
    /// Microseconds without a time zone.
    Local,
    /// Values that are not compared here.
    Opaque,
}

/// The type of a literal, or one that a column is cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Boolean,
    Integer { bits: u32 },
    Real,
    Text,
    Date,
    Instant,
    Local,
}

impl Kind {
    pub(super) fn of(column: &Column) -> Self {
        let DataType::Primitive(name) = &column.data_type else { return Self::Opaque };
        match name.as_str() {
            "boolean" => Self::Boolean,
            "byte" => Self::Integer { bits: 8 },
            "short" => Self::Integer { bits: 16 },
            "integer" => Self::Integer { bits: 32 },
            "long" => Self::Integer { bits: 64 },
            "float" | "double" => Self::Real,
            "string" if is_plain_text(column) => Self::Text,
            "date" => Self::Date,
            "timestamp" => Self::Instant,
            "timestamp_ntz" => Self::Local,
            other => decimal_scale(other).map_or(Self::Opaque, |scale| Self::Decimal { scale }),
        }
    }
}

fn is_plain_text(column: &Column) -> bool {
    let of_char = column.metadata.get(CHAR).and_then(serde_json::Value::as_str);
    !column.metadata.contains_key(COLLATIONS)
        && !of_char.is_some_and(|name| name.contains("char(") && !name.contains("varchar("))
}

/// The scale of `decimal(precision,scale)`.
fn decimal_scale(name: &str) -> Option<u32> {
    let inside = name.strip_prefix("decimal")?.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (precision, scale) = inside.split_once(',')?;
    let (precision, scale): (u32, u32) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    (scale <= precision && precision <= 38).then_some(scale)
}

/// Least and greatest integers of so many bits.
pub(super) fn integers(bits: u32) -> (i128, i128) {
    let most = 1_i128 << (bits - 1);
    (-most, most - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_an_order_of_their_own_are_not_compared() {
        let mut column = Column::new("a", DataType::primitive("string"), true);
        assert_eq!(Kind::of(&column), Kind::Text);
        column.metadata.insert(CHAR.into(), "varchar(5)".into());
        assert_eq!(Kind::of(&column), Kind::Text);
        column.metadata.insert(CHAR.into(), "char(5)".into());
        assert_eq!(Kind::of(&column), Kind::Opaque);
        column.metadata.remove(CHAR);
        column.metadata.insert(COLLATIONS.into(), serde_json::json!({"a": "spark.UTF8_LCASE"}));
        assert_eq!(Kind::of(&column), Kind::Opaque);
        let kind = |name: &str| Kind::of(&Column::new("a", DataType::primitive(name), true));
        assert_eq!(kind("decimal(10, 2)"), Kind::Decimal { scale: 2 });
        assert_eq!(
            (kind("decimal(2,10)"), kind("binary"), kind("void")),
            (Kind::Opaque, Kind::Opaque, Kind::Opaque)
        );
        assert_eq!(integers(8), (-128, 127));
    }
}
