//! Rows as batches of Arrow.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Int64Builder, StringBuilder, TimestampMillisecondBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMillisecondArray,
};
use arrow_schema::{ArrowError, SchemaRef};
use tarn_inventory::scan::Objects;

use super::columns::{Kind, Table};

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// None.
    Null,
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A moment in milliseconds since 1970.
    Moment(i64),
    /// True or false.
    Flag(bool),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u64> for Cell {
    /// What no 64 bits with a sign hold is told as the most they do.
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        (number as u64).into()
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Rows of one table, collected.
#[derive(Debug)]
pub struct Rows {
    builders: Vec<Builder>,
    rows: usize,
}

#[derive(Debug)]
enum Builder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Moment(TimestampMillisecondBuilder),
    Flag(BooleanBuilder),
}

impl Rows {
    /// None yet.
    pub fn of(table: &Table) -> Self {
        Self { builders: table.fields.iter().map(|field| Builder::of(field.kind)).collect(), rows: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds a row.
    ///
    /// # Panics
    /// When its cells are not those of the table's columns.
    pub fn push<const N: usize>(&mut self, row: [Cell; N]) {
        self.push_row(row.into());
    }

    pub(crate) fn push_row(&mut self, row: Vec<Cell>) {
        assert_eq!(row.len(), self.builders.len(), "a row has a cell for each column");
        for (builder, cell) in self.builders.iter_mut().zip(row) {
            builder.push(cell);
        }
        self.rows += 1;
    }

    /// The rows with these columns. `schema` is that of the columns.
    pub fn batch(self, projection: &[usize], schema: SchemaRef) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = self.builders.into_iter().map(Builder::finish).collect();
        let columns = projection.iter().map(|at| columns[*at].clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(schema, columns, &options)
    }
}

impl Builder {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Integer => Self::Integer(Int64Builder::new()),
            Kind::Moment => Self::Moment(TimestampMillisecondBuilder::new().with_timezone("UTC")),
            Kind::Flag => Self::Flag(BooleanBuilder::new()),
        }
    }

    fn push(&mut self, cell: Cell) {
        match (self, cell) {
            (Self::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (Self::Integer(builder), Cell::Integer(number)) => builder.append_value(number),
            (Self::Moment(builder), Cell::Moment(ms)) => builder.append_value(ms),
            (Self::Flag(builder), Cell::Flag(flag)) => builder.append_value(flag),
            (Self::Text(builder), Cell::Null) => builder.append_null(),
            (Self::Integer(builder), Cell::Null) => builder.append_null(),
            (Self::Moment(builder), Cell::Null) => builder.append_null(),
            (Self::Flag(builder), Cell::Null) => builder.append_null(),
            (builder, cell) => panic!("{cell:?} is not of the column's kind: {builder:?}"),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Integer(mut builder) => Arc::new(builder.finish()),
            Self::Moment(mut builder) => Arc::new(builder.finish()),
            Self::Flag(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// Moments of a column.
pub fn moments(ms: Vec<i64>) -> TimestampMillisecondArray {
    TimestampMillisecondArray::from(ms).with_timezone("UTC")
}

/// Objects of a bucket as rows of `objects` or `versions`, with these columns.
pub fn objects_batch(
    bucket: &str,
    objects: &Objects,
    projection: &[usize],
    schema: SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let rows = objects.len();
    let columns =
        projection.iter().map(|&at| object_column(bucket, objects, super::VERSIONS.fields[at].name));
    let columns: Vec<ArrayRef> = columns.collect();
    RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(rows)))
}

fn object_column(bucket: &str, objects: &Objects, name: &str) -> ArrayRef {
    let rows = objects.len();
    let of_attributes = |told: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
        // Empty unless they were read.
        let known = (0..rows).map(|at| if objects.attributes.is_empty() { None } else { told(at) });
        Arc::new(StringArray::from_iter(known))
    };
    match name {
        "bucket" => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(bucket, rows))),
        "key" => Arc::new(StringArray::from_iter_values((0..rows).map(|at| objects.key(at)))),
        "size" => Arc::new(Int64Array::from_iter_values(
            objects.sizes.iter().map(|size| i64::try_from(*size).unwrap_or(i64::MAX)),
        )),
        "last_modified" => Arc::new(moments(objects.modified_ms.clone())),
        "etag" => Arc::new(StringArray::from_iter_values(objects.etags.iter().map(ToString::to_string))),
        "is_multipart" => {
            Arc::new(BooleanArray::from_iter(objects.etags.iter().map(|etag| Some(etag.is_multipart))))
        }
        "checksum_algorithm" => {
            let names = objects.checksums.iter().map(|algorithm| algorithm.map(|found| found.name()));
            Arc::new(StringArray::from_iter(names))
        }
        "content_type" => of_attributes(&|at| objects.attributes[at].content_type.clone()),
        "user_metadata" => of_attributes(&|at| Some(json_text(&objects.attributes[at].user_metadata))),
        "tags" => of_attributes(&|at| {
            Some(&objects.attributes[at].tags).filter(|tags| !tags.is_empty()).map(|tags| json_text(tags))
        }),
        "version_id" => Arc::new(StringArray::from_iter_values(std::iter::repeat_n("null", rows))),
        "is_latest" => Arc::new(BooleanArray::from(vec![true; rows])),
        "is_delete_marker" => Arc::new(BooleanArray::from(vec![false; rows])),
        other => panic!("objects have no column {other}"),
    }
}

/// The text of a JSON object.
fn json_text(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
    serde_json::Value::Object(pairs.collect()).to_string()
}

#[cfg(test)]
mod tests {
    use tarn_inventory::scan::ETag;

    use super::super::{BUCKETS, VERSIONS};
    use super::*;

    #[test]
    fn rows_become_a_batch_of_the_columns_asked_for_and_none_still_counts() {
        let rows = || {
            let mut rows = Rows::of(&BUCKETS);
            rows.push(["photos".into(), Cell::Moment(7), true.into()]);
            rows.push(["logs".into(), Cell::Null, false.into()]);
            rows
        };
        let schema = Arc::new(BUCKETS.schema().project(&[2, 0]).unwrap());
        let batch = rows().batch(&[2, 0], schema).unwrap();
        assert_eq!((batch.num_rows(), batch.num_columns()), (2, 2));
        let schema = Arc::new(BUCKETS.schema().project(&[]).unwrap());
        assert_eq!(rows().batch(&[], schema).unwrap().num_rows(), 2);
    }

    #[test]
    fn objects_have_all_columns_of_versions_in_their_types() {
        let etag = ETag { digest: [1; 16], parts: None, is_multipart: false };
        let objects = Objects {
            keys: "ab".into(),
            key_ends: vec![1, 2],
            sizes: vec![3, u64::MAX],
            modified_ms: vec![5, 6],
            etags: vec![etag, etag],
            checksums: vec![None, None],
            attributes: Vec::new(),
        };
        let all: Vec<usize> = (0..VERSIONS.fields.len()).collect();
        let batch = objects_batch("photos", &objects, &all, VERSIONS.schema()).unwrap();
        assert_eq!(batch.num_rows(), 2);
        let none = objects_batch("photos", &objects, &[], Arc::new(VERSIONS.schema().project(&[]).unwrap()));
        assert_eq!(none.unwrap().num_rows(), 2);
    }
}
