//! Bytes that are equal for equal values of columns only (E2).

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time64MicrosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use arrow_array::{
    Array as _, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringArray,
};
use arrow_schema::{DataType, TimeUnit};

const NANOS_PER_MILLI: i128 = 1_000_000;
const NANOS_PER_MICRO: i128 = 1000;
const NANOS_PER_DAY: i128 = 24 * 60 * 60 * 1_000_000_000;

/// A null.
const NULL: u8 = 0;
/// A text or bytes: length and content follow. Numbers are 1 and how many bytes follow.
const BYTES: u8 = u8::MAX;

/// What values are compared as. Types that are promoted to each other are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Real,
    /// Of this scale.
    Decimal(i8),
    /// Dates and timestamps.
    Instant,
    Time,
    /// Text too.
    Bytes,
}

/// A column of a batch.
pub(super) struct Column<'a> {
    pub(super) kind: Kind,
    values: Values<'a>,
    /// The column and the structs around it: null in one is null.
    nulls: Vec<&'a ArrayRef>,
}

enum Values<'a> {
    Boolean(&'a BooleanArray),
    Int8(&'a PrimitiveArray<Int8Type>),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    Float32(&'a PrimitiveArray<Float32Type>),
    Float64(&'a PrimitiveArray<Float64Type>),
    Date(&'a PrimitiveArray<Date32Type>),
    TimeMillis(&'a PrimitiveArray<Time32MillisecondType>),
    TimeMicros(&'a PrimitiveArray<Time64MicrosecondType>),
    Millis(&'a PrimitiveArray<TimestampMillisecondType>),
    Micros(&'a PrimitiveArray<TimestampMicrosecondType>),
    Nanos(&'a PrimitiveArray<TimestampNanosecondType>),
    Decimal(&'a PrimitiveArray<Decimal128Type>),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Fixed(&'a FixedSizeBinaryArray),
}

impl<'a> Column<'a> {
    /// `None` for a type that no key is made of. `around` are the structs around the column.
    pub(super) fn new(column: &'a ArrayRef, mut around: Vec<&'a ArrayRef>) -> Option<Self> {
        let (kind, values) = match column.data_type() {
            DataType::Boolean => (Kind::Boolean, Values::Boolean(column.as_boolean())),
            DataType::Int8 => (Kind::Integer, Values::Int8(column.as_primitive())),
            DataType::Int16 => (Kind::Integer, Values::Int16(column.as_primitive())),
            DataType::Int32 => (Kind::Integer, Values::Int32(column.as_primitive())),
            DataType::Int64 => (Kind::Integer, Values::Int64(column.as_primitive())),
            DataType::Float32 => (Kind::Real, Values::Float32(column.as_primitive())),
            DataType::Float64 => (Kind::Real, Values::Float64(column.as_primitive())),
            DataType::Date32 => (Kind::Instant, Values::Date(column.as_primitive())),
            DataType::Time32(TimeUnit::Millisecond) => {
                (Kind::Time, Values::TimeMillis(column.as_primitive()))
            }
            DataType::Time64(TimeUnit::Microsecond) => {
                (Kind::Time, Values::TimeMicros(column.as_primitive()))
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                (Kind::Instant, Values::Millis(column.as_primitive()))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                (Kind::Instant, Values::Micros(column.as_primitive()))
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                (Kind::Instant, Values::Nanos(column.as_primitive()))
            }
            DataType::Decimal128(_, scale) => (Kind::Decimal(*scale), Values::Decimal(column.as_primitive())),
            DataType::Utf8 => (Kind::Bytes, Values::Text(column.as_string())),
            DataType::Binary => (Kind::Bytes, Values::Bytes(column.as_binary())),
            DataType::FixedSizeBinary(_) => (Kind::Bytes, Values::Fixed(column.as_fixed_size_binary())),
            _other => return None,
        };
        around.push(column);
        around.retain(|array| array.null_count() > 0);
        Some(Self { kind, values, nulls: around })
    }

    /// Adds the value of a row to a key.
    pub(super) fn write(&self, row: usize, key: &mut Vec<u8>) {
        if self.nulls.iter().any(|array| array.is_null(row)) {
            return write_null(key);
        }
        match &self.values {
            Values::Boolean(values) => write_number(values.value(row).into(), key),
            Values::Int8(values) => write_number(values.value(row).into(), key),
            Values::Int16(values) => write_number(values.value(row).into(), key),
            Values::Int32(values) => write_number(values.value(row).into(), key),
            Values::Int64(values) => write_number(values.value(row).into(), key),
            Values::Float32(values) => write_real(values.value(row).into(), key),
            Values::Float64(values) => write_real(values.value(row), key),
            Values::Date(values) => write_number(i128::from(values.value(row)) * NANOS_PER_DAY, key),
            Values::TimeMillis(values) => write_number(i128::from(values.value(row)) * NANOS_PER_MILLI, key),
            Values::TimeMicros(values) => write_number(i128::from(values.value(row)) * NANOS_PER_MICRO, key),
            Values::Millis(values) => write_number(i128::from(values.value(row)) * NANOS_PER_MILLI, key),
            Values::Micros(values) => write_number(i128::from(values.value(row)) * NANOS_PER_MICRO, key),
            Values::Nanos(values) => write_number(values.value(row).into(), key),
            Values::Decimal(values) => write_number(values.value(row), key),
            Values::Text(values) => write_bytes(values.value(row).as_bytes(), key),
            Values::Bytes(values) => write_bytes(values.value(row), key),
            Values::Fixed(values) => write_bytes(values.value(row), key),
        }
    }
}

pub(super) fn write_null(key: &mut Vec<u8>) {
    key.push(NULL);
}

/// As few bytes as hold it.
pub(super) fn write_number(number: i128, key: &mut Vec<u8>) {
    let bytes = number.to_le_bytes();
    let sign = if number < 0 { 0xff } else { 0 };
    let mut length = bytes.iter().rposition(|&byte| byte != sign).map_or(0, |last| last + 1);
    if length > 0 && (bytes[length - 1] ^ sign) & 0x80 != 0 {
        length += 1;
    }
    // The sign of no bytes is not told: -1 has one.
    let length = if number == -1 { 1 } else { length };
    key.push(1 + length as u8);
    key.extend_from_slice(&bytes[..length]);
}

/// All NaN are one value, and the two zeros are two, as in Java's Float and Double.
pub(super) fn write_real(number: f64, key: &mut Vec<u8>) {
    let number = if number.is_nan() { f64::NAN } else { number };
    write_number(number.to_bits().into(), key);
}

pub(super) fn write_bytes(bytes: &[u8], key: &mut Vec<u8>) {
    key.push(BYTES);
    key.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    key.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use arrow_array::{Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array};
    use arrow_array::{TimestampMicrosecondArray, TimestampNanosecondArray};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn keys(column: ArrayRef) -> Vec<Vec<u8>> {
        let read = Column::new(&column, Vec::new()).unwrap();
        let key = |row| {
            let mut key = Vec::new();
            read.write(row, &mut key);
            key
        };
        (0..column.len()).map(key).collect()
    }

    #[test]
    fn a_promoted_value_has_the_key_it_had() {
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![Some(0), Some(-1), Some(i32::MIN), None]));
        let longs: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(0), Some(-1), Some(i32::MIN.into()), None]));
        assert_eq!(keys(ints), keys(longs));
        let floats: ArrayRef = Arc::new(Float32Array::from(vec![0.5, -0.0, f32::NAN, -f32::NAN]));
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![0.5, -0.0, f64::NAN, f64::NAN]));
        assert_eq!(keys(floats), keys(doubles));
        let days: ArrayRef = Arc::new(Date32Array::from(vec![-1, 0, 20_000]));
        let micros = [-1, 0, 20_000].map(|day| day * 86_400_000_000_i64);
        let nanos = micros.map(|micros| micros * 1000);
        assert_eq!(keys(days.clone()), keys(Arc::new(TimestampMicrosecondArray::from(micros.to_vec()))));
        assert_eq!(keys(days), keys(Arc::new(TimestampNanosecondArray::from(nanos.to_vec()))));
        let decimal = |precision| {
            let values = Decimal128Array::from(vec![125, -7]);
            Arc::new(values.with_precision_and_scale(precision, 2).unwrap()) as ArrayRef
        };
        assert_eq!(keys(decimal(9)), keys(decimal(30)));
    }

    #[test]
    fn zeros_of_two_signs_and_null_are_three_values() {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.0), Some(-0.0), None, Some(1.0)]));
        assert_eq!(keys(values).into_iter().collect::<HashSet<_>>().len(), 4);
    }

    proptest! {
        #[test]
        fn keys_are_equal_for_equal_values_only(left in any::<(i64, Vec<u8>)>(), right in any::<(i64, Vec<u8>)>()) {
            let key = |(number, bytes): &(i64, Vec<u8>)| {
                let mut key = Vec::new();
                write_number((*number).into(), &mut key);
                write_bytes(bytes, &mut key);
                write_null(&mut key);
                write_number((*number >> (bytes.len() % 64)).into(), &mut key);
                key
            };
            prop_assert_eq!(key(&left) == key(&right), left == right);
        }

        #[test]
        fn numbers_near_each_other_have_keys_of_their_own(number in any::<i128>(), shift in 0_u32..128) {
            let number = number >> shift;
            let keys: HashSet<Vec<u8>> = (-2..=2)
                .map(|step| {
                    let mut key = Vec::new();
                    write_number(number.wrapping_add(step), &mut key);
                    key
                })
                .collect();
            prop_assert_eq!(keys.len(), 5);
        }
    }
}
