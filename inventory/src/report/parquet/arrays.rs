//! Columns of a batch, made of whole slices.

use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int8Array, Int64Array, MapArray, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType};

use crate::report::columns::Said;
use crate::report::text::{pairs_text, push_etag};
use crate::scan::{ChecksumAlgorithm, Objects};

/// The checksum algorithms, in the order of their numbers in a dictionary.
const ALGORITHMS: [ChecksumAlgorithm; 5] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
];

/// A column of few texts.
pub(super) fn dictionary_type() -> DataType {
    DataType::Dictionary(DataType::Int8.into(), DataType::Utf8.into())
}

/// One text, so many times, as the column's type has it.
pub(super) fn repeated(text: &str, of: &DataType, rows: usize) -> Result<ArrayRef, ArrowError> {
    if *of != dictionary_type() {
        return Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))));
    }
    let values = Arc::new(StringArray::from_iter_values([text]));
    Ok(Arc::new(DictionaryArray::<Int8Type>::try_new(Int8Array::from(vec![0; rows]), values)?))
}

/// Times as the column's type has them: milliseconds in reports, microseconds in tables.
pub(super) fn times_of(times_ms: impl Iterator<Item = i64>, of: &DataType) -> ArrayRef {
    if let DataType::Timestamp(_, zone) = of {
        let micros = TimestampMicrosecondArray::from_iter_values(times_ms.map(|ms| ms.saturating_mul(1000)));
        return Arc::new(micros.with_timezone_opt(zone.clone()));
    }
    Arc::new(Int64Array::from_iter_values(times_ms))
}

/// Texts that are made of slices of one buffer.
fn texts(ends: Vec<i32>, bytes: Vec<u8>) -> Result<StringArray, ArrowError> {
    StringArray::try_new(OffsetBuffer::new(ends.into()), bytes.into(), None)
}

pub(super) fn keys(objects: &Objects, rows: &[u32]) -> Result<StringArray, ArrowError> {
    let end = |bytes: usize| i32::try_from(bytes).map_err(|_| ArrowError::OffsetOverflowError(bytes));
    let mut ends = Vec::with_capacity(rows.len() + 1);
    ends.push(0);
    if rows.len() == objects.len() {
        end(objects.keys.len())?;
        ends.extend(objects.key_ends.iter().map(|&end| end as i32));
        return texts(ends, objects.keys.as_bytes().to_vec());
    }
    let mut bytes = Vec::new();
    for &row in rows {
        bytes.extend_from_slice(objects.key(row as usize).as_bytes());
        ends.push(end(bytes.len())?);
    }
    texts(ends, bytes)
}

pub(super) fn etags(objects: &Objects, rows: &[u32]) -> Result<StringArray, ArrowError> {
    let mut ends = Vec::with_capacity(rows.len() + 1);
    let mut bytes = Vec::with_capacity(rows.len() * 32);
    ends.push(0);
    for &row in rows {
        push_etag(&objects.etags[row as usize], &mut bytes);
        let end = i32::try_from(bytes.len()).map_err(|_| ArrowError::OffsetOverflowError(bytes.len()))?;
        ends.push(end);
    }
    texts(ends, bytes)
}

pub(super) fn checksums(objects: &Objects, rows: &[u32], of: &DataType) -> Result<ArrayRef, ArrowError> {
    let algorithms = rows.iter().map(|&row| objects.checksums[row as usize]);
    if *of != dictionary_type() {
        let names = algorithms.map(|algorithm| algorithm.map(ChecksumAlgorithm::name));
        return Ok(Arc::new(names.collect::<StringArray>()));
    }
    let number = |algorithm: ChecksumAlgorithm| match algorithm {
        ChecksumAlgorithm::Crc32 => 0,
        ChecksumAlgorithm::Crc32c => 1,
        ChecksumAlgorithm::Crc64Nvme => 2,
        ChecksumAlgorithm::Sha1 => 3,
        ChecksumAlgorithm::Sha256 => 4,
    };
    let numbers: Int8Array = algorithms.map(|algorithm| algorithm.map(number)).collect();
    let names = StringArray::from_iter_values(ALGORITHMS.map(ChecksumAlgorithm::name));
    Ok(Arc::new(DictionaryArray::try_new(numbers, Arc::new(names))?))
}

/// User metadata or tags: the text of a JSON object in reports, a map in tables.
pub(super) fn pairs(
    of: &DataType,
    said: Said,
    (objects, rows): (&Objects, &[u32]),
) -> Result<ArrayRef, ArrowError> {
    let told = |row: &u32| Some(said.of(objects, *row as usize)).filter(|pairs| !pairs.is_empty());
    let DataType::Map(entry, is_sorted) = of else {
        let texts = rows.iter().map(|row| told(row).map(pairs_text));
        return Ok(Arc::new(texts.collect::<StringArray>()));
    };
    let DataType::Struct(fields) = entry.data_type() else {
        return Err(ArrowError::SchemaError("the entries of a map are no struct".into()));
    };
    let all: Vec<&(String, String)> = rows.iter().filter_map(told).flatten().collect();
    let names = StringArray::from_iter_values(all.iter().map(|(name, _)| name));
    let values = StringArray::from_iter_values(all.iter().map(|(_, value)| value));
    let entries = StructArray::try_new(fields.clone(), vec![Arc::new(names), Arc::new(values)], None)?;
    let lengths = rows.iter().map(|row| told(row).map_or(0, <[_]>::len));
    let present = NullBuffer::from_iter(rows.iter().map(|row| told(row).is_some()));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(entry.clone(), offsets, entries, Some(present), *is_sorted)?))
}
