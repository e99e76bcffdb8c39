//! Values of columns and partitions, as filters, bounds and partition tuples hold them.

use std::cmp::Ordering;

use super::civil::MICROS_PER_DAY;
use crate::metadata::types::PrimitiveType;

/// A value; its type stands beside it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// boolean.
    Boolean(bool),
    /// int and long; date in days, time in microseconds, timestamps in their unit.
    Integer(i64),
    /// float and double.
    Real(f64),
    /// Unscaled.
    Decimal(i128),
    /// string.
    Text(Box<str>),
    /// uuid.
    Uuid([u8; 16]),
    /// fixed and binary.
    Bytes(Box<[u8]>),
}

impl Value {
    /// How two values of one type compare. `None` where writers disagree on the order (UUIDs: by
    /// signed halves or by bytes), and for values of different types. NaN is above everything, and
    /// the two zeros are equal, as in the engines.
    pub(crate) fn order(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Boolean(this), Value::Boolean(that)) => Some(this.cmp(that)),
            (Value::Integer(this), Value::Integer(that)) => Some(this.cmp(that)),
            (Value::Real(this), Value::Real(that)) => Some(order_reals(*this, *that)),
            (Value::Decimal(this), Value::Decimal(that)) => Some(this.cmp(that)),
            (Value::Text(this), Value::Text(that)) => Some(this.cmp(that)),
            (Value::Bytes(this), Value::Bytes(that)) => Some(this.cmp(that)),
            (Value::Uuid(this), Value::Uuid(that)) => (this == that).then_some(Ordering::Equal),
            _different_types => None,
        }
    }

    /// Whether two values are the same; `None` for values of different types.
    pub(crate) fn same(&self, other: &Value) -> Option<bool> {
        match (self, other) {
            (Value::Uuid(this), Value::Uuid(that)) => Some(this == that),
            (this, that) => this.order(that).map(Ordering::is_eq),
        }
    }

    /// A total order of values of one type, to sort and search by; only it orders UUIDs.
    pub(crate) fn rank(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Uuid(this), Value::Uuid(that)) => this.cmp(that),
            (this, that) => this.order(that).unwrap_or(Ordering::Equal),
        }
    }

    pub(crate) fn is_nan(&self) -> bool {
        matches!(self, Value::Real(number) if number.is_nan())
    }

    /// Whether text or bytes begin with `prefix`; `None` for everything else.
    pub(crate) fn starts_with(&self, prefix: &Value) -> Option<bool> {
        match (self, prefix) {
            (Value::Text(this), Value::Text(prefix)) => Some(this.starts_with(&**prefix)),
            (Value::Bytes(this), Value::Bytes(prefix)) => Some(this.starts_with(prefix)),
            _neither => None,
        }
    }

    /// The first bytes of text or bytes, at most `length`.
    pub(crate) fn first_bytes(&self, length: usize) -> Option<&[u8]> {
        let bytes = self.raw()?;
        Some(&bytes[..length.min(bytes.len())])
    }

    pub(crate) fn raw(&self) -> Option<&[u8]> {
        match self {
            Value::Text(text) => Some(text.as_bytes()),
            Value::Bytes(bytes) => Some(bytes),
            Value::Boolean(_) | Value::Integer(_) | Value::Real(_) | Value::Decimal(_) | Value::Uuid(_) => {
                None
            }
        }
    }

    /// A bound in its binary form (table spec, Appendix D). Forms of types that were promoted since
    /// are read too; `None` for what is no value of `of`, which says nothing of the column.
    pub fn from_bound(of: &PrimitiveType, bytes: &[u8]) -> Option<Value> {
        match of {
            PrimitiveType::Boolean => Some(Value::Boolean(*bytes.first()? != 0)),
            PrimitiveType::Int | PrimitiveType::Long | PrimitiveType::Date | PrimitiveType::Time => {
                integer(bytes).map(Value::Integer)
            }
            PrimitiveType::Timestamp | PrimitiveType::Timestamptz => match bytes.len() {
                // It was a date when the file was written.
                4 => integer(bytes)?.checked_mul(MICROS_PER_DAY).map(Value::Integer),
                _ => integer(bytes).map(Value::Integer),
            },
            PrimitiveType::TimestampNs | PrimitiveType::TimestamptzNs => match bytes.len() {
                4 => integer(bytes)?.checked_mul(MICROS_PER_DAY)?.checked_mul(1000).map(Value::Integer),
                _ => integer(bytes).map(Value::Integer),
            },
            PrimitiveType::Float | PrimitiveType::Double => match bytes.len() {
                4 => Some(Value::Real(f32::from_le_bytes(bytes.try_into().ok()?).into())),
                _ => Some(Value::Real(f64::from_le_bytes(bytes.try_into().ok()?))),
            },
            PrimitiveType::Decimal { .. } => unscaled(bytes).map(Value::Decimal),
            PrimitiveType::String => Some(Value::Text(std::str::from_utf8(bytes).ok()?.into())),
            PrimitiveType::Uuid => bytes.try_into().ok().map(Value::Uuid),
            PrimitiveType::Fixed(_) | PrimitiveType::Binary => Some(Value::Bytes(bytes.into())),
            PrimitiveType::Unknown
            | PrimitiveType::Variant
            | PrimitiveType::Geometry(_)
            | PrimitiveType::Geography { .. } => None,
        }
    }

    /// The value as one of type `of`, where a file spelled it differently; `None` if it is none.
    pub fn as_type(&self, of: &PrimitiveType) -> Option<Value> {
        match (self, of) {
            (Value::Boolean(_), PrimitiveType::Boolean)
            | (Value::Real(_), PrimitiveType::Float | PrimitiveType::Double)
            | (Value::Decimal(_), PrimitiveType::Decimal { .. })
            | (Value::Text(_), PrimitiveType::String)
            | (Value::Uuid(_), PrimitiveType::Uuid)
            | (Value::Bytes(_), PrimitiveType::Fixed(_) | PrimitiveType::Binary)
            | (
                Value::Integer(_),
                PrimitiveType::Int
                | PrimitiveType::Long
                | PrimitiveType::Date
                | PrimitiveType::Time
                | PrimitiveType::Timestamp
                | PrimitiveType::Timestamptz
                | PrimitiveType::TimestampNs
                | PrimitiveType::TimestamptzNs,
            ) => Some(self.clone()),
            (Value::Bytes(bytes), PrimitiveType::Decimal { .. }) => unscaled(bytes).map(Value::Decimal),
            (Value::Bytes(bytes), PrimitiveType::Uuid) => bytes.as_ref().try_into().ok().map(Value::Uuid),
            (Value::Uuid(bytes), PrimitiveType::Fixed(16)) => Some(Value::Bytes(bytes.as_slice().into())),
            (Value::Text(text), PrimitiveType::Uuid) => {
                uuid::Uuid::try_parse(text).ok().map(|uuid| Value::Uuid(*uuid.as_bytes()))
            }
            _no_value_of_it => None,
        }
    }

    /// Bytes that are equal for equal values of one type only.
    pub(crate) fn write_key(&self, out: &mut Vec<u8>) {
        match self {
            Value::Boolean(value) => out.push(u8::from(*value)),
            Value::Integer(value) => out.extend_from_slice(&value.to_be_bytes()),
            // The writers tell the two zeros apart where partitions are compared.
            Value::Real(value) => out.extend_from_slice(&value.to_bits().to_be_bytes()),
            Value::Decimal(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::Uuid(value) => out.extend_from_slice(value),
            Value::Text(_) | Value::Bytes(_) => {
                let bytes = self.raw().unwrap_or_default();
                out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }

    /// What the value takes in memory beside itself, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.raw().map_or(0, <[u8]>::len)
    }
}

fn order_reals(this: f64, that: f64) -> Ordering {
    this.partial_cmp(&that).unwrap_or_else(|| this.is_nan().cmp(&that.is_nan()))
}

fn integer(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        4 => Some(i32::from_le_bytes(bytes.try_into().ok()?).into()),
        _ => Some(i64::from_le_bytes(bytes.try_into().ok()?)),
    }
}

/// A big-endian two's complement number of at most 16 bytes.
pub(super) fn unscaled(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    if bytes.len() > 16 {
        return None;
    }
    let mut full = [if first & 0x80 == 0 { 0 } else { 0xff }; 16];
    full[16 - bytes.len()..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(full))
}
