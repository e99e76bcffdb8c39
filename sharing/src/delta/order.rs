//! The order of a version's files.
//!
//! - O1: it depends on nothing but the files. A replay gives them in another order as soon as the log has another
//!   checkpoint, and pages of one answer must fit together whenever each is asked for.

use sha2::{Digest as _, Sha256};

use crate::table::{DataFile, FileList, ListBuilder, OpenChunk, TableError};

/// Files that are put in order in memory at once, about.
const FILES_AT_ONCE: u64 = 50_000;

/// The same files in their order (O1).
pub(super) fn ordered(list: FileList) -> Result<FileList, TableError> {
    ordered_by(list, FILES_AT_ONCE)
}

/// With so many at once: files are dealt into shares by a hash of their keys, and each share is put in the order of keys.
fn ordered_by(list: FileList, files_at_once: u64) -> Result<FileList, TableError> {
    let mut ordered = ListBuilder::default();
    let shares = usize::try_from(list.len().div_ceil(files_at_once)).expect("fewer than files in memory");
    if shares < 2 {
        push_sorted(&list, &mut ordered);
        return Ok(ordered.finish());
    }
    let mut builders: Vec<ListBuilder> = (0..shares).map(|_| ListBuilder::default()).collect();
    list.try_for_each(|file| {
        builders[share_of(&file, shares)].push(&file);
        Ok(())
    })?;
    drop(list);
    for builder in builders {
        push_sorted(&builder.finish(), &mut ordered);
    }
    Ok(ordered.finish())
}

fn share_of(file: &DataFile<'_>, shares: usize) -> usize {
    let hash: [u8; 32] = Sha256::digest(file.at.key.as_bytes()).into();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) as usize % shares
}

fn push_sorted(list: &FileList, ordered: &mut ListBuilder) {
    let chunks: Vec<OpenChunk> = (0..list.chunk_count()).filter_map(|at| list.chunk(at)).collect();
    let mut files: Vec<DataFile<'_>> = chunks.iter().flat_map(OpenChunk::files).collect();
    files.sort_unstable_by(|left, right| left.at.key.cmp(right.at.key));
    files.iter().for_each(|file| ordered.push(file));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Place;

    fn list_of(numbers: impl Iterator<Item = u32>) -> FileList {
        let mut builder = ListBuilder::default();
        for number in numbers {
            let key = format!("t/{number:05}.parquet");
            builder.push(&DataFile {
                at: Place { bucket: "main", key: &key },
                size: number.into(),
                modified_ms: 0,
                partition_values: vec![("p", Some("x"))],
                stats: None,
                records: Some(1),
                hidden: Vec::new(),
                deletes: None,
            });
        }
        builder.finish()
    }

    fn sizes(list: &FileList) -> Vec<u64> {
        let mut sizes = Vec::new();
        list.try_for_each(|file| {
            sizes.push(file.size);
            Ok(())
        })
        .unwrap();
        sizes
    }

    #[test]
    fn files_have_one_order_however_the_log_gives_them() {
        for at_once in [10_000, 700, 3] {
            let there = ordered_by(list_of(0..2_000), at_once).unwrap();
            let back = ordered_by(list_of((0..2_000).rev()), at_once).unwrap();
            assert_eq!(sizes(&there), sizes(&back));
            let mut all = sizes(&there);
            all.sort_unstable();
            assert_eq!(all, (0..2_000).collect::<Vec<u64>>());
        }
        assert!(ordered(FileList::default()).unwrap().is_empty());
    }
}
