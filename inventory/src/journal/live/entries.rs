//! Rows of an inventory as they are read back.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, BooleanArray, MapArray, RecordBatch, StringArray};
use arrow_schema::DataType;

use crate::journal::State;
use crate::journal::columns::KEY_COLUMN;
use crate::scan::{ChecksumAlgorithm, ETag, ObjectAttributes, Objects};

/// An object of an inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::journal) struct Entry {
    pub(in crate::journal) key: String,
    /// Of its last change; of one that a scan told, zeros.
    pub(in crate::journal) sequence_number: String,
    pub(in crate::journal) state: State,
}

/// What rows of a file cannot be read as.
#[derive(Debug, thiserror::Error)]
#[error("column {0} is not as the server made it")]
pub(in crate::journal) struct Unread(&'static str);

/// The objects of a scan.
pub(in crate::journal) fn scanned(objects: &Objects, sequence_number: &str) -> Vec<Entry> {
    let entry = |row: usize| Entry {
        key: objects.key(row).to_owned(),
        sequence_number: sequence_number.to_owned(),
        state: State {
            size: objects.sizes[row],
            modified_ms: objects.modified_ms[row],
            etag: objects.etags[row],
            checksum: objects.checksums[row],
            attributes: objects.attributes.get(row).cloned().unwrap_or_default(),
        },
    };
    (0..objects.len()).map(entry).collect()
}

/// The rows of a file.
pub(in crate::journal) fn entries(batch: &RecordBatch) -> Result<Vec<Entry>, Unread> {
    let (keys, numbers) = (texts(batch, KEY_COLUMN)?, texts(batch, "sequence_number")?);
    let (tags, checksums) = (texts(batch, "e_tag")?, texts(batch, "checksum_algorithm")?);
    let sizes = column(batch, "size")?.as_primitive_opt::<Int64Type>().ok_or(Unread("size"))?;
    let modified = column(batch, "last_modified_date")?;
    let modified = match modified.data_type() {
        DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, _) => {
            modified.as_primitive::<TimestampMicrosecondType>()
        }
        _other => return Err(Unread("last_modified_date")),
    };
    let multipart: &BooleanArray =
        column(batch, "is_multipart")?.as_boolean_opt().ok_or(Unread("is_multipart"))?;
    let (object_tags, user_metadata) = (maps(batch, "object_tags")?, maps(batch, "user_metadata")?);
    let mut all = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let etag = etag(tags.value(row), multipart.value(row)).ok_or(Unread("e_tag"))?;
        let checksum = (!checksums.is_null(row)).then(|| checksums.value(row));
        all.push(Entry {
            key: keys.value(row).to_owned(),
            sequence_number: numbers.value(row).to_owned(),
            state: State {
                size: sizes.value(row).max(0).unsigned_abs(),
                modified_ms: modified.value(row).div_euclid(1000),
                etag,
                checksum: checksum.map(algorithm).transpose()?,
                attributes: ObjectAttributes {
                    content_type: None,
                    user_metadata: pairs(user_metadata, row),
                    tags: pairs(object_tags, row),
                },
            },
        });
    }
    Ok(all)
}

/// Whether a row says of an object what it is.
pub(in crate::journal) fn is_same(row: &State, object: &State) -> bool {
    let said = |state: &State| (state.size, state.modified_ms, state.etag, state.checksum);
    said(row) == said(object)
        && row.attributes.user_metadata == object.attributes.user_metadata
        && row.attributes.tags == object.attributes.tags
}

fn column<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a arrow_array::ArrayRef, Unread> {
    batch.column_by_name(name).ok_or(Unread(name))
}

fn texts<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a StringArray, Unread> {
    column(batch, name)?.as_string_opt::<i32>().ok_or(Unread(name))
}

fn maps<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a MapArray, Unread> {
    let map = column(batch, name)?.as_map_opt().ok_or(Unread(name))?;
    let are_texts = [map.keys(), map.values()].iter().all(|side| *side.data_type() == DataType::Utf8);
    if are_texts { Ok(map) } else { Err(Unread(name)) }
}

fn pairs(map: &MapArray, row: usize) -> Vec<(String, String)> {
    if map.is_null(row) {
        return Vec::new();
    }
    let entries = map.value(row);
    let (names, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    (0..entries.len()).map(|at| (names.value(at).to_owned(), values.value(at).to_owned())).collect()
}

fn algorithm(name: &str) -> Result<ChecksumAlgorithm, Unread> {
    use ChecksumAlgorithm as Of;
    let all = [Of::Crc32, Of::Crc32c, Of::Crc64Nvme, Of::Sha1, Of::Sha256];
    all.into_iter().find(|algorithm| algorithm.name() == name).ok_or(Unread("checksum_algorithm"))
}

fn etag(text: &str, is_multipart: bool) -> Option<ETag> {
    let (digest, parts) = match text.split_once('-') {
        Some((digest, parts)) => (digest, Some(parts.parse().ok()?)),
        None => (text, None),
    };
    let digest = hex::decode(digest).ok()?.try_into().ok()?;
    Some(ETag { digest, parts, is_multipart })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_checksums_are_read_as_they_are_told() {
        for parts in [None, Some(1), Some(10_000)] {
            let tag = ETag { digest: [0xa7; 16], parts, is_multipart: parts.is_some() };
            assert_eq!(etag(&tag.to_string(), tag.is_multipart), Some(tag));
        }
        assert_eq!(etag("no tag", false), None);
        assert_eq!(algorithm("SHA256").unwrap(), ChecksumAlgorithm::Sha256);
        assert!(algorithm("MD4").is_err());
    }
}
