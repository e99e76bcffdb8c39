//! The rows of a data file, read as plainly as can be.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::bench::{Cell, Column, Seen};

const ROW_ID: i32 = 2_147_483_540;
const CHANGED: i32 = 2_147_483_539;

/// The rows of a file as the columns say, with the row id and the last change that they inherit.
pub(super) fn read_rows(
    bytes: Bytes,
    columns: &[Column],
    first_row_id: Option<i64>,
    sequence: i64,
) -> Vec<Seen> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let (mut rows, mut position) = (Vec::new(), 0);
    for batch in reader {
        let batch = batch.unwrap();
        let schema = batch.schema();
        let column = |id: i32| {
            let has = |field: &arrow_schema::Field| {
                field.metadata().get(PARQUET_FIELD_ID_META_KEY) == Some(&id.to_string())
            };
            let at = schema.fields().iter().position(|field| has(field));
            at.map(|at| batch.column(at))
        };
        for row in 0..batch.num_rows() {
            let of = |one: &Column| match (column(one.id), one.default) {
                (Some(array), _) => cell(array, row),
                (None, Some(default)) => Cell::Int(default),
                (None, None) => Cell::Null,
            };
            let own = |id: i32| match column(id).map(|array| cell(array, row)) {
                Some(Cell::Int(value)) => Some(value),
                Some(Cell::Null | Cell::Text(_)) | None => None,
            };
            let cells = columns.iter().map(of).collect();
            let lineage = first_row_id
                .map(|first| (own(ROW_ID).unwrap_or(first + position), own(CHANGED).unwrap_or(sequence)));
            rows.push((cells, lineage.map(|(id, _)| id), lineage.map(|(_, changed)| changed)));
            position += 1;
        }
    }
    rows
}

pub(super) fn cell(array: &ArrayRef, row: usize) -> Cell {
    match array.data_type() {
        _any if array.is_null(row) => Cell::Null,
        DataType::Int32 => Cell::Int(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
        _text => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
    }
}
