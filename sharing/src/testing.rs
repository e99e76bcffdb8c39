//! What tests of several modules share: files as Iceberg's writers make them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};

/// A field of a file, with its id.
pub(crate) fn field(name: &str, of: DataType, id: i32) -> Field {
    let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
    Field::new(name, of, true).with_metadata(id)
}

/// A Parquet file of these columns.
pub(crate) fn parquet(columns: Vec<(Field, ArrayRef)>) -> Vec<u8> {
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// The columns of a file of position deletes: locations of data files, and rows of them.
pub(crate) fn position_deletes(rows: impl Iterator<Item = (String, i64)>) -> Vec<(Field, ArrayRef)> {
    let (paths, positions): (Vec<String>, Vec<i64>) = rows.unzip();
    vec![
        (field("file_path", DataType::Utf8, 2_147_483_546), Arc::new(StringArray::from(paths))),
        (field("pos", DataType::Int64, 2_147_483_545), Arc::new(Int64Array::from(positions))),
    ]
}
