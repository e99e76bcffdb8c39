//! Rows deleted by position: position delete files and deletion vectors.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{Array as _, Int64Array, StringArray};
use crc_fast::CrcAlgorithm::Crc32IsoHdlc;
use futures::TryStreamExt as _;
use iceberg::spec::DataFileFormat;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use roaring::RoaringTreemap;

use super::live::{DeleteKey, Live};
use super::stored::StoredFile;
use super::{Compact, CompactError, POSITIONS_MAX, Stop, VECTOR_BYTES_MAX};
use crate::files::Files;

/// What the deletion vector of a Puffin file begins with, after its length.
const MAGIC: [u8; 4] = [0xd1, 0xd3, 0x39, 0x64];

/// Rows deleted in data files by position delete files.
#[derive(Default)]
pub(super) struct Positions {
    /// Ascending, each once, by data file.
    pub(super) rows: HashMap<String, Vec<u64>>,
    /// The delete files that told them, by data file.
    pub(super) told_by: HashMap<String, HashSet<DeleteKey>>,
}

impl Compact<'_> {
    /// Reads position delete files. `wanted` holds the delete files that apply, by data file.
    pub(super) async fn positions(
        &self,
        wanted: &HashMap<String, HashSet<DeleteKey>>,
        deletes: &HashMap<DeleteKey, Live>,
    ) -> Result<Positions, CompactError> {
        let (mut found, mut held) = (Positions::default(), 0);
        for (key, delete) in deletes {
            let location = delete.path();
            if delete.file().file_format() != DataFileFormat::Parquet {
                return Err(CompactError::Unfit(format!("delete file {location} is not Parquet")));
            }
            let take = |path: &str, position: u64| {
                if !wanted.get(path).is_some_and(|keys| keys.contains(key)) {
                    return true;
                }
                held += 1;
                found.rows.entry(path.to_owned()).or_default().push(position);
                let told_by = found.told_by.entry(path.to_owned()).or_default();
                if !told_by.contains(key) {
                    told_by.insert(key.clone());
                }
                held <= POSITIONS_MAX
            };
            if !each(self.files, location, delete.file().file_size_in_bytes(), take).await? {
                let message = format!("the table has more than {POSITIONS_MAX} position deletes");
                return Err(CompactError::Unfit(message));
            }
        }
        for positions in found.rows.values_mut() {
            positions.sort_unstable();
            positions.dedup();
        }
        Ok(found)
    }

    /// The data files that a file of position deletes names.
    pub(super) async fn paths(&self, delete: &Live) -> Result<HashSet<String>, CompactError> {
        let mut paths = HashSet::new();
        let take = |path: &str, _position: u64| {
            if !paths.contains(path) {
                paths.insert(path.to_owned());
            }
            true
        };
        each(self.files, delete.path(), delete.file().file_size_in_bytes(), take).await?;
        Ok(paths)
    }

    /// The rows that a deletion vector tells.
    pub(super) async fn vector(&self, vector: &Live) -> Result<Vec<u64>, Stop> {
        let file = vector.file();
        let range = file.content_offset().zip(file.content_size_in_bytes());
        self::vector(self.files, vector.path(), range, file.record_count()).await
    }
}

/// The `count` rows that a deletion vector tells, which lies at `range`: where it begins, and its length, in bytes.
pub(super) async fn vector(
    files: &Files,
    location: &str,
    range: Option<(i64, i64)>,
    count: u64,
) -> Result<Vec<u64>, Stop> {
    const BROKEN: Stop = Stop::Unfit("under a deletion vector that cannot be read");
    let range = range.and_then(|(at, size)| Some((u64::try_from(at).ok()?, u64::try_from(size).ok()?)));
    let (at, size) = range.ok_or(BROKEN)?;
    if size > VECTOR_BYTES_MAX {
        return Err(Stop::Unfit("under a deletion vector longer than 64 MiB"));
    }
    let bytes = files.range(location, at..at.saturating_add(size)).await?;
    let rows = decode(&bytes).ok_or(BROKEN)?;
    if rows.len() != count {
        return Err(BROKEN);
    }
    if rows.len() > POSITIONS_MAX as u64 {
        return Err(Stop::Unfit("under a deletion vector of more than 16,000,000 rows"));
    }
    Ok(rows.iter().collect())
}

/// Hands out each row that a file of position deletes tells until it is told to stop; answers whether that were all.
pub(super) async fn each(
    files: &Arc<Files>,
    location: &str,
    size_bytes: u64,
    mut take: impl FnMut(&str, u64) -> bool,
) -> Result<bool, CompactError> {
    let (file, metadata) = StoredFile::new(files, location, size_bytes).open().await?;
    let mut rows = ParquetRecordBatchStreamBuilder::new_with_metadata(file, metadata).build()?;
    while let Some(batch) = rows.try_next().await? {
        for (path, position) in pairs(&batch).ok_or_else(|| malformed(location))? {
            if !take(path, position) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// A blob of type `deletion-vector-v1` (Puffin spec).
fn decode(blob: &[u8]) -> Option<RoaringTreemap> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let (body, sum) = rest.split_last_chunk::<4>()?;
    let (magic, mut bitmaps) = body.split_first_chunk::<4>()?;
    let is_whole = u32::from_be_bytes(*length) as usize == body.len()
        && *magic == MAGIC
        && u64::from(u32::from_be_bytes(*sum)) == crc_fast::checksum(Crc32IsoHdlc, body);
    if !is_whole {
        return None;
    }
    let rows = RoaringTreemap::deserialize_from(&mut bitmaps).ok()?;
    bitmaps.is_empty().then_some(rows)
}

/// The rows of a position delete file: which file, which row. `None` when it has other columns.
fn pairs(batch: &arrow_array::RecordBatch) -> Option<Vec<(&str, u64)>> {
    let paths = batch.column_by_name("file_path")?.as_any().downcast_ref::<StringArray>()?;
    let rows = batch.column_by_name("pos")?.as_any().downcast_ref::<Int64Array>()?;
    if paths.null_count() > 0 || rows.null_count() > 0 {
        return None;
    }
    let pairs = paths.iter().zip(rows.iter());
    pairs.map(|(path, row)| Some((path?, u64::try_from(row?).ok()?))).collect()
}

fn malformed(path: &str) -> CompactError {
    CompactError::Unfit(format!("{path} is not a file of position deletes"))
}

/// What [`decode`] reads.
#[cfg(test)]
pub(super) fn encode(rows: &[u64]) -> bytes::Bytes {
    let mut body = MAGIC.to_vec();
    rows.iter().copied().collect::<RoaringTreemap>().serialize_into(&mut body).unwrap();
    let mut blob = (body.len() as u32).to_be_bytes().to_vec();
    blob.extend_from_slice(&body);
    blob.extend_from_slice(&(crc_fast::checksum(Crc32IsoHdlc, &body) as u32).to_be_bytes());
    blob.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_vector_is_read_and_a_damaged_one_is_refused() {
        let rows: RoaringTreemap = [0, 7, 1 << 20, (1 << 33) + 5].into_iter().collect();
        let whole = encode(&rows.iter().collect::<Vec<_>>()).to_vec();
        assert_eq!(decode(&whole), Some(rows));
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged), None, "byte {at}");
            assert_eq!(decode(&whole[..at]), None, "cut at {at}");
        }
    }
}
