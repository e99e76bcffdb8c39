//! Bytes that are equal for equal values of columns only (E2).

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use crate::compact::schema::Columns;

/// The columns of a batch that make up its keys.
pub(super) struct Keys<'a>(Vec<&'a ArrayRef>);

impl<'a> Keys<'a> {
    /// `None` when a column is not there, or of a type that keys are not made of.
    pub(super) fn new(batch: &'a RecordBatch, columns: &Columns, ids: &[i32]) -> Option<Self> {
        let column =
            |&id: &i32| batch.columns().get(columns.place(id)?).filter(|column| value(column, 0).is_some());
        match batch.num_rows() {
            0 => Some(Self(Vec::new())),
            _rows => ids.iter().map(column).collect::<Option<Vec<_>>>().map(Self),
        }
    }

    /// The key of a row.
    pub(super) fn write(&self, row: usize, key: &mut Vec<u8>) {
        key.clear();
        for column in &self.0 {
            match column.is_valid(row).then(|| value(column, row)).flatten() {
                None => key.push(0),
                Some(value) => {
                    key.push(1);
                    key.extend_from_slice(&(value.as_ref().len() as u32).to_le_bytes());
                    key.extend_from_slice(value.as_ref());
                }
            }
        }
    }
}

/// The bytes of a value.
enum Value<'a> {
    Short([u8; 16]),
    Long(&'a [u8]),
}

impl AsRef<[u8]> for Value<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => bytes,
        }
    }
}

/// The value of a row, whatever stands there when it is null. `None` for columns of other types.
fn value(column: &ArrayRef, row: usize) -> Option<Value<'_>> {
    let number = |number: i128| Some(Value::Short(number.to_le_bytes()));
    match column.data_type() {
        DataType::Boolean => number(column.as_boolean().value(row).into()),
        DataType::Int32 => number(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => number(column.as_primitive::<Int64Type>().value(row).into()),
        // All NaN are one value, and the two zeros are two, as in Java's Float and Double.
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            number(if value.is_nan() { f32::NAN } else { value }.to_bits().into())
        }
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            number(if value.is_nan() { f64::NAN } else { value }.to_bits().into())
        }
        DataType::Date32 => number(column.as_primitive::<Date32Type>().value(row).into()),
        DataType::Time64(TimeUnit::Microsecond) => {
            number(column.as_primitive::<Time64MicrosecondType>().value(row).into())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            number(column.as_primitive::<TimestampMicrosecondType>().value(row).into())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            number(column.as_primitive::<TimestampNanosecondType>().value(row).into())
        }
        DataType::Decimal128(..) => number(column.as_primitive::<Decimal128Type>().value(row)),
        DataType::Utf8 => Some(Value::Long(column.as_string::<i32>().value(row).as_bytes())),
        DataType::LargeBinary => Some(Value::Long(column.as_binary::<i64>().value(row))),
        DataType::FixedSizeBinary(_) => Some(Value::Long(column.as_fixed_size_binary().value(row))),
        _other => None,
    }
}
