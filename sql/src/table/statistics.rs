//! What manifests say of files together: by it the engine orders joins.

use datafusion::arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use tarn_catalog::manifests::{ContentFile, Value};
use tarn_catalog::metadata::types::PrimitiveType;
use tarn_inventory::rows::TableRows;

/// Whether the rows counted are all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    All,
    /// Some are deleted.
    AtMost,
}

/// Over all columns of the table, as `schema` shows them.
pub(super) fn of(files: &[&ContentFile], table: &TableRows, schema: &SchemaRef, rows: Rows) -> Statistics {
    let sum = |of: &dyn Fn(&ContentFile) -> Option<i64>| {
        let all = files.iter().map(|file| of(file).and_then(|number| usize::try_from(number).ok()));
        all.sum::<Option<usize>>()
    };
    let inexact = |number: Option<usize>| number.map_or(Precision::Absent, Precision::Inexact);
    let column = |column: usize| {
        let (id, of) = (table.field_id(column), schema.field(column).data_type());
        let bound = |of_file: &dyn Fn(&ContentFile) -> Option<ScalarValue>, is_better: fn(&_, &_) -> bool| {
            // A file of nulls alone has no bounds, and takes none away.
            let has_values = |file: &&&ContentFile| {
                file.value_count(id).is_none() || file.value_count(id) != file.null_count(id)
            };
            let mut bounds = files.iter().filter(has_values).map(|file| of_file(file));
            let first = bounds.next()??;
            bounds.try_fold(first, |best, other| {
                let other = other?;
                Some(if is_better(&other, &best) { other } else { best })
            })
        };
        let least = |file: &ContentFile| scalar(of, file.lower_bound(id)?);
        let most = |file: &ContentFile| scalar(of, file.upper_bound(id)?);
        let known = |value: Option<ScalarValue>| value.map_or(Precision::Absent, Precision::Inexact);
        ColumnStatistics {
            null_count: inexact(sum(&|file| file.null_count(id))),
            min_value: known(bound(&least, |this, best| this < best)),
            max_value: known(bound(&most, |this, best| this > best)),
            ..ColumnStatistics::new_unknown()
        }
    };
    let count = sum(&|file| Some(file.record_count));
    Statistics {
        num_rows: match rows {
            Rows::All => count.map_or(Precision::Absent, Precision::Exact),
            Rows::AtMost => inexact(count),
        },
        total_byte_size: inexact(sum(&|file| Some(file.size_bytes))),
        column_statistics: (0..schema.fields().len()).map(column).collect(),
    }
}

/// A bound of a number or a moment. Others are cut short by many writers, and order no joins.
fn scalar(of: &DataType, bytes: &[u8]) -> Option<ScalarValue> {
    let integer = |of: PrimitiveType| match Value::from_bound(&of, bytes)? {
        Value::Integer(number) => Some(number),
        _other => None,
    };
    let real = || match Value::from_bound(&PrimitiveType::Double, bytes)? {
        Value::Real(number) if number.is_finite() => Some(number),
        _other => None,
    };
    Some(match of {
        DataType::Int32 => ScalarValue::Int32(Some(i32::try_from(integer(PrimitiveType::Int)?).ok()?)),
        DataType::Int64 => ScalarValue::Int64(Some(integer(PrimitiveType::Long)?)),
        DataType::Date32 => ScalarValue::Date32(Some(i32::try_from(integer(PrimitiveType::Date)?).ok()?)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            ScalarValue::TimestampMicrosecond(Some(integer(PrimitiveType::Timestamp)?), zone.clone())
        }
        DataType::Float32 => ScalarValue::Float32(Some(real()? as f32)),
        DataType::Float64 => ScalarValue::Float64(Some(real()?)),
        DataType::Decimal128(precision, scale) => {
            let of = PrimitiveType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? };
            let Value::Decimal(unscaled) = Value::from_bound(&of, bytes)? else { return None };
            ScalarValue::Decimal128(Some(unscaled), *precision, *scale)
        }
        _not_told => return None,
    })
}
