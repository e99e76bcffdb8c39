//! One value as an array of its type.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float32Array, Float64Array,
    Int32Array, Int64Array, LargeBinaryArray, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use iceberg::spec::{Literal, PrimitiveLiteral, PrimitiveType, Type};

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// How Arrow spells the zone of timestamps with one.
const UTC: &str = "+00:00";

/// An array of this one value, which may be of a type that was promoted to `of`; `None` if it is no value of it.
pub(in crate::compact) fn constant(literal: &Literal, of: &Type) -> Option<ArrayRef> {
    let (Literal::Primitive(literal), Type::Primitive(of)) = (literal, of) else { return None };
    let array: ArrayRef = match (promoted(literal, of)?, of) {
        (PrimitiveLiteral::Boolean(value), PrimitiveType::Boolean) => {
            Arc::new(BooleanArray::from(vec![value]))
        }
        (PrimitiveLiteral::Int(value), PrimitiveType::Int) => Arc::new(Int32Array::from(vec![value])),
        (PrimitiveLiteral::Int(value), PrimitiveType::Date) => Arc::new(Date32Array::from(vec![value])),
        (PrimitiveLiteral::Long(value), PrimitiveType::Long) => Arc::new(Int64Array::from(vec![value])),
        (PrimitiveLiteral::Long(value), PrimitiveType::Time) => {
            Arc::new(Time64MicrosecondArray::from(vec![value]))
        }
        (PrimitiveLiteral::Long(value), PrimitiveType::Timestamp) => {
            Arc::new(TimestampMicrosecondArray::from(vec![value]))
        }
        (PrimitiveLiteral::Long(value), PrimitiveType::Timestamptz) => {
            Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone(UTC))
        }
        (PrimitiveLiteral::Long(value), PrimitiveType::TimestampNs) => {
            Arc::new(TimestampNanosecondArray::from(vec![value]))
        }
        (PrimitiveLiteral::Long(value), PrimitiveType::TimestamptzNs) => {
            Arc::new(TimestampNanosecondArray::from(vec![value]).with_timezone(UTC))
        }
        (PrimitiveLiteral::Float(value), PrimitiveType::Float) => Arc::new(Float32Array::from(vec![value.0])),
        (PrimitiveLiteral::Double(value), PrimitiveType::Double) => {
            Arc::new(Float64Array::from(vec![value.0]))
        }
        (PrimitiveLiteral::String(value), PrimitiveType::String) => Arc::new(StringArray::from(vec![value])),
        (PrimitiveLiteral::Binary(value), PrimitiveType::Binary) => {
            Arc::new(LargeBinaryArray::from_vec(vec![&value[..]]))
        }
        (PrimitiveLiteral::Binary(value), PrimitiveType::Fixed(length)) if value.len() as u64 == *length => {
            Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::once(value)).ok()?)
        }
        (PrimitiveLiteral::UInt128(value), PrimitiveType::Uuid) => {
            Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::once(value.to_be_bytes())).ok()?)
        }
        (PrimitiveLiteral::Int128(value), PrimitiveType::Decimal { precision, scale }) => {
            let (precision, scale) = (u8::try_from(*precision).ok()?, i8::try_from(*scale).ok()?);
            Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).ok()?)
        }
        (_other, _of) => return None,
    };
    Some(array)
}

/// The value after the promotions of its type (table spec, "Schema Evolution"); `None` if it is no value of `of`.
pub(in crate::compact) fn promoted(
    literal: &PrimitiveLiteral,
    of: &PrimitiveType,
) -> Option<PrimitiveLiteral> {
    match (literal, of) {
        (PrimitiveLiteral::Int(value), PrimitiveType::Long) => Some(PrimitiveLiteral::Long((*value).into())),
        (PrimitiveLiteral::Float(value), PrimitiveType::Double) => {
            Some(PrimitiveLiteral::Double(f64::from(value.0).into()))
        }
        (PrimitiveLiteral::Int(days), PrimitiveType::Timestamp) => {
            Some(PrimitiveLiteral::Long(i64::from(*days) * MICROS_PER_DAY))
        }
        (PrimitiveLiteral::Int(days), PrimitiveType::TimestampNs) => {
            let micros = i64::from(*days) * MICROS_PER_DAY;
            Some(PrimitiveLiteral::Long(micros.checked_mul(1000)?))
        }
        (literal, of) => of.compatible(literal).then(|| literal.clone()),
    }
}
