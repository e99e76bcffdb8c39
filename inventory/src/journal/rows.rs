//! Rows of both tables as columns of Arrow. A column that somebody added is empty.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Int64Array, MapArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};

use super::changes::{Change, Changed, Origin, State};
use super::columns::{DAY_COLUMN, KEY_COLUMN};
use crate::scan::ChecksumAlgorithm;

/// A row to write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) sequence_number: &'a str,
    /// The object; `None`: it is gone.
    pub(super) state: Option<&'a State>,
    /// The change it tells, in a journal.
    pub(super) change: Option<&'a Change>,
}

impl<'a> Row<'a> {
    /// What a journal tells of a change.
    pub(super) fn of_change(change: &'a Change, sequence_number: &'a str) -> Self {
        let state = match &change.changed {
            Changed::Created(state) | Changed::Updated(state) => Some(state),
            Changed::Deleted => None,
        };
        Self { bucket: &change.bucket, key: &change.key, sequence_number, state, change: Some(change) }
    }

    fn origin(&self) -> Option<&'a Origin> {
        self.change?.origin.as_ref()
    }
}

/// The rows as a batch of a table with this schema.
pub(super) fn batch(schema: &SchemaRef, rows: &[Row<'_>]) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().map(|field| column(field, rows));
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

fn column(field: &Field, rows: &[Row<'_>]) -> Result<ArrayRef, ArrowError> {
    let of_state = |what: &'static str| texts(rows, move |row| row.state.map(|_| what));
    Ok(match field.name().as_str() {
        "bucket" => texts(rows, |row| Some(row.bucket)),
        KEY_COLUMN => texts(rows, |row| Some(row.key)),
        "sequence_number" => texts(rows, |row| Some(row.sequence_number)),
        "record_type" => texts(rows, |row| row.change.map(|change| record_type(&change.changed))),
        DAY_COLUMN => times(field, rows, |row| row.change.map(|change| change.at_ms)),
        "is_delete_marker" => flags(rows, |_| Some(false)),
        "size" => numbers(rows, |row| row.state.map(|state| state.size)),
        "last_modified_date" => times(field, rows, |row| row.state.map(|state| state.modified_ms)),
        "e_tag" => texts(rows, |row| row.state.map(|state| state.etag.to_string())),
        "storage_class" => of_state("STANDARD"),
        "is_multipart" => flags(rows, |row| row.state.map(|state| state.etag.is_multipart)),
        "encryption_status" => of_state("NOT-SSE"),
        "is_bucket_key_enabled" => flags(rows, |row| row.state.map(|_| false)),
        "checksum_algorithm" => texts(rows, |row| row.state?.checksum.map(ChecksumAlgorithm::name)),
        "object_tags" => maps(field, rows, |row| row.state.map(|state| &*state.attributes.tags))?,
        "user_metadata" => maps(field, rows, |row| row.state.map(|state| &*state.attributes.user_metadata))?,
        "requester" => texts(rows, |row| row.origin().map(|origin| &*origin.requester)),
        "source_ip_address" => texts(rows, |row| {
            row.origin().map(|origin| &*origin.source_ip).filter(|address| !address.is_empty())
        }),
        "request_id" => texts(rows, |row| row.origin().map(|origin| &*origin.request_id)),
        _other => new_null_array(field.data_type(), rows.len()),
    })
}

/// The names S3 has.
fn record_type(changed: &Changed) -> &'static str {
    match changed {
        Changed::Created(_) => "CREATE",
        Changed::Updated(_) => "UPDATE_METADATA",
        Changed::Deleted => "DELETE",
    }
}

fn texts<'a, T: AsRef<str>>(rows: &[Row<'a>], of: impl Fn(&Row<'a>) -> Option<T>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<StringArray>())
}

fn flags(rows: &[Row<'_>], of: impl Fn(&Row<'_>) -> Option<bool>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<BooleanArray>())
}

fn numbers(rows: &[Row<'_>], of: impl Fn(&Row<'_>) -> Option<u64>) -> ArrayRef {
    let fit = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Arc::new(rows.iter().map(|row| of(row).map(fit)).collect::<Int64Array>())
}

fn times(field: &Field, rows: &[Row<'_>], of: impl Fn(&Row<'_>) -> Option<i64>) -> ArrayRef {
    let micros = rows.iter().map(|row| of(row).map(|ms| ms.saturating_mul(1000)));
    let micros = micros.collect::<TimestampMicrosecondArray>();
    match field.data_type() {
        DataType::Timestamp(_, zone) => Arc::new(micros.with_timezone_opt(zone.clone())),
        _other => Arc::new(micros),
    }
}

fn maps<'a>(
    field: &Field,
    rows: &[Row<'a>],
    of: impl Fn(&Row<'a>) -> Option<&'a [(String, String)]>,
) -> Result<ArrayRef, ArrowError> {
    let DataType::Map(entry, is_sorted) = field.data_type() else {
        return Err(ArrowError::SchemaError(format!("column {} is no map", field.name())));
    };
    let DataType::Struct(fields) = entry.data_type() else {
        return Err(ArrowError::SchemaError("the entries of a map are no struct".into()));
    };
    let told = |row: &Row<'a>| of(row).filter(|pairs| !pairs.is_empty());
    let all: Vec<&(String, String)> = rows.iter().filter_map(told).flatten().collect();
    let names = StringArray::from_iter_values(all.iter().map(|(name, _)| name));
    let values = StringArray::from_iter_values(all.iter().map(|(_, value)| value));
    let entries = StructArray::try_new(fields.clone(), vec![Arc::new(names), Arc::new(values)], None)?;
    let lengths = rows.iter().map(|row| told(row).map_or(0, <[_]>::len));
    let present = NullBuffer::from_iter(rows.iter().map(|row| told(row).is_some()));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(entry.clone(), offsets, entries, Some(present), *is_sorted)?))
}
