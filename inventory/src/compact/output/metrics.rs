//! Sizes, counts and bounds of the columns of a data file (table spec, "Data File Fields").

use std::collections::HashMap;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_schema::{DataType, Fields};
use iceberg::spec::{Datum, PrimitiveType, Schema};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;

use crate::compact::columns::id;

/// What is known of columns, by field id.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) sizes: HashMap<i32, u64>,
    pub(crate) values: HashMap<i32, u64>,
    pub(crate) nulls: HashMap<i32, u64>,
    pub(crate) lower: HashMap<i32, Datum>,
    pub(crate) upper: HashMap<i32, Datum>,
}

/// The metrics of a file. Of columns in lists and maps only sizes are told: their counts are not of rows.
pub(crate) fn of(metadata: &ParquetMetaData, schema: &Schema) -> Result<Metrics, iceberg::Error> {
    let mut metrics = Metrics::default();
    let mut unbounded = Vec::new();
    for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let about = chunk.column_descr().self_type().get_basic_info();
        if !about.has_id() {
            continue;
        }
        let id = about.id();
        *metrics.sizes.entry(id).or_default() += chunk.compressed_size().unsigned_abs();
        if chunk.column_descr().max_rep_level() > 0 {
            continue;
        }
        *metrics.values.entry(id).or_default() += chunk.num_values().unsigned_abs();
        let Some(statistics) = chunk.statistics() else {
            unbounded.push(id);
            continue;
        };
        if let Some(nulls) = statistics.null_count_opt() {
            *metrics.nulls.entry(id).or_default() += nulls;
        }
        let of = schema.field_by_id(id).and_then(|field| field.field_type.as_primitive_type());
        match of.map(|of| bounds(of, statistics)).transpose()?.flatten() {
            Some((lower, upper)) => metrics.widen(id, lower, upper),
            None if is_null_only(chunk, statistics) => {}
            None => unbounded.push(id),
        }
    }
    // A part without bounds leaves the whole without.
    for id in unbounded {
        metrics.lower.remove(&id);
        metrics.upper.remove(&id);
    }
    Ok(metrics)
}

fn is_null_only(chunk: &ColumnChunkMetaData, statistics: &Statistics) -> bool {
    statistics.null_count_opt() == Some(chunk.num_values().unsigned_abs())
}

impl Metrics {
    fn widen(&mut self, id: i32, lower: Datum, upper: Datum) {
        let low = self.lower.entry(id).or_insert_with(|| lower.clone());
        if lower < *low {
            *low = lower;
        }
        let high = self.upper.entry(id).or_insert_with(|| upper.clone());
        if upper > *high {
            *high = upper;
        }
    }
}

/// The bounds that statistics tell; `None` for what they do not, and for UUIDs, whose order writers disagree on.
fn bounds(of: &PrimitiveType, statistics: &Statistics) -> Result<Option<(Datum, Datum)>, iceberg::Error> {
    let (Some(min), Some(max)) = (statistics.min_bytes_opt(), statistics.max_bytes_opt()) else {
        return Ok(None);
    };
    let datum = |bytes: &[u8]| match (of, statistics) {
        (PrimitiveType::Uuid, _) => Ok(None),
        (PrimitiveType::Decimal { .. }, Statistics::Int32(_) | Statistics::Int64(_)) => {
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            Datum::try_from_bytes(&reversed, of.clone()).map(Some)
        }
        (PrimitiveType::String, _) if std::str::from_utf8(bytes).is_err() => Ok(None),
        (_, _) => Datum::try_from_bytes(bytes, of.clone()).map(Some),
    };
    Ok(datum(min)?.zip(datum(max)?))
}

/// Adds the NaN of columns that are not in lists or maps.
pub(super) fn count_nans(columns: &[ArrayRef], fields: &Fields, counts: &mut HashMap<i32, u64>) {
    for (column, field) in columns.iter().zip(fields) {
        let nans = match field.data_type() {
            DataType::Float32 => {
                let values = column.as_primitive::<Float32Type>();
                values.iter().flatten().filter(|value| value.is_nan()).count()
            }
            DataType::Float64 => {
                let values = column.as_primitive::<Float64Type>();
                values.iter().flatten().filter(|value| value.is_nan()).count()
            }
            DataType::Struct(inner) => {
                count_nans(column.as_struct().columns(), inner, counts);
                continue;
            }
            _other => continue,
        };
        if let Some(id) = id(field) {
            *counts.entry(id).or_default() += nans as u64;
        }
    }
}
