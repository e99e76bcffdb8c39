//! Which delete files apply to a data file (table spec, "Scan Planning").
//!
//! - A deletion vector applies to the data file it references, from its sequence number back.
//! - A position delete file applies to the file it references, or to the files of its partition
//!   within its bounds, from its sequence number back; not where a deletion vector does.
//! - An equality delete file applies to older files of its partition; of an unpartitioned spec, to
//!   older files of the whole table.

use std::collections::HashMap;
use std::sync::Arc;

use super::manifest::{Content, ContentFile, Manifest};
use super::partition::{Partition, PartitionKey};

/// The field of position delete files that holds paths (table spec, "Reserved Field IDs").
const PATH_FIELD: i32 = 2_147_483_546;

/// A delete file of a snapshot.
pub struct DeleteFile {
    manifest: Arc<Manifest>,
    entry: usize,
    /// The partition it deletes in.
    pub partition: Arc<Partition>,
    sequence_number: i64,
}

impl DeleteFile {
    /// What its manifest says of it.
    pub fn file(&self) -> &ContentFile {
        &self.manifest.entries[self.entry].file
    }

    /// Its sequence number, its own or inherited.
    pub fn sequence_number(&self) -> i64 {
        self.sequence_number
    }
}

/// The delete files of a snapshot, by what they apply to.
#[derive(Default)]
pub struct DeleteIndex {
    files: Vec<DeleteFile>,
    vectors: HashMap<Box<str>, Vec<u32>>,
    by_path: HashMap<Box<str>, Vec<u32>>,
    positions: HashMap<PartitionKey, Vec<u32>>,
    equality: HashMap<PartitionKey, Vec<u32>>,
    equality_everywhere: Vec<u32>,
}

impl DeleteIndex {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The delete file at a position of [`DeleteIndex::of`].
    pub fn file(&self, at: u32) -> &DeleteFile {
        &self.files[at as usize]
    }

    /// All delete files, by the positions of [`DeleteIndex::of`].
    pub fn files(&self) -> impl Iterator<Item = (u32, &DeleteFile)> {
        (0..).zip(&self.files)
    }

    /// What a delete file takes in memory beside its manifest, in bytes, roughly.
    pub const ENTRY_BYTES: usize = 256;

    /// Adds the file of an entry; `sequence_number` is the one it has or inherits.
    pub fn add(
        &mut self,
        manifest: &Arc<Manifest>,
        entry: usize,
        partition: &Arc<Partition>,
        sequence_number: i64,
    ) {
        let at = self.files.len() as u32;
        let file = &manifest.entries[entry].file;
        match file.content {
            Content::Data => return,
            Content::PositionDeletes => match (&file.referenced_data_file, exact_path(file)) {
                (Some(path), _) if &*file.format == "puffin" => push(&mut self.vectors, path.clone(), at),
                (Some(path), _) => push(&mut self.by_path, path.clone(), at),
                (None, Some(path)) => push(&mut self.by_path, path.into(), at),
                (None, None) => push(&mut self.positions, partition.key.clone(), at),
            },
            Content::EqualityDeletes if partition.is_whole_table => self.equality_everywhere.push(at),
            Content::EqualityDeletes => push(&mut self.equality, partition.key.clone(), at),
        }
        let (manifest, partition) = (manifest.clone(), partition.clone());
        self.files.push(DeleteFile { manifest, entry, partition, sequence_number });
    }

    /// The delete files that apply to the data file at `path`, in a fixed order.
    pub fn of(&self, path: &str, key: &PartitionKey, sequence_number: i64) -> Vec<u32> {
        let mut found = Vec::new();
        let from = |at: &&u32| self.file(**at).sequence_number >= sequence_number;
        let after = |at: &&u32| self.file(**at).sequence_number > sequence_number;
        let listed =
            |map: &'_ HashMap<PartitionKey, Vec<u32>>| map.get(key).map_or(&[][..], Vec::as_slice).to_vec();
        found.extend(self.vectors.get(path).into_iter().flatten().filter(from));
        if found.is_empty() {
            found.extend(self.by_path.get(path).into_iter().flatten().filter(from));
            let in_partition = listed(&self.positions);
            found
                .extend(in_partition.iter().filter(from).filter(|at| may_name(self.file(**at).file(), path)));
        }
        found.extend(self.equality_everywhere.iter().filter(after));
        found.extend(listed(&self.equality).iter().filter(after));
        found
    }
}

fn push<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<u32>>, key: K, at: u32) {
    map.entry(key).or_default().push(at);
}

/// The one path that a position delete file names: bounds that are cut short are never equal.
fn exact_path(file: &ContentFile) -> Option<&str> {
    let (lower, upper) = (file.lower_bound(PATH_FIELD)?, file.upper_bound(PATH_FIELD)?);
    if lower == upper { std::str::from_utf8(lower).ok() } else { None }
}

/// Whether `path` lies within the bounds of the paths a position delete file names.
fn may_name(file: &ContentFile, path: &str) -> bool {
    let path = path.as_bytes();
    file.lower_bound(PATH_FIELD).is_none_or(|lower| lower <= path)
        && file.upper_bound(PATH_FIELD).is_none_or(|upper| path <= upper)
}
