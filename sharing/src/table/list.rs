//! Lists of files, packed: files of one table have most of their text in common (D5).
//!
//! A chunk holds some hundred files, serialized and compressed. Reading one unpacks it and borrows from it, so a list of
//! a million files is walked with one chunk in memory.

use std::sync::Arc;

use super::{DataFile, TableError};

/// Files of a full chunk.
const CHUNK_FILES: usize = 512;
/// Bytes after which a chunk is full, however few its files are.
const CHUNK_BYTES: usize = 1 << 20;
/// The compression level: these lists are made once and read often, but made while a reader waits.
const LEVEL: i32 = 1;

/// Files in the order they were pushed. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct FileList {
    chunks: Arc<[Chunk]>,
    files: u64,
    size_bytes: u64,
    deletes: bool,
}

#[derive(Debug)]
struct Chunk {
    packed: Box<[u8]>,
    files: u32,
    unpacked_bytes: u32,
}

/// An unpacked chunk.
pub struct OpenChunk {
    bytes: Vec<u8>,
    files: u32,
}

/// Makes a list.
#[derive(Default)]
pub struct ListBuilder {
    chunks: Vec<Chunk>,
    open: Vec<u8>,
    open_files: u32,
    files: u64,
    size_bytes: u64,
    deletes: bool,
}

impl ListBuilder {
    /// Adds a file.
    pub fn push(&mut self, file: &DataFile<'_>) {
        let open = std::mem::take(&mut self.open);
        // What is serialized is numbers and texts: that cannot fail.
        self.open = postcard::to_extend(file, open).expect("a file always serializes");
        self.open_files += 1;
        self.files += 1;
        self.size_bytes += file.size;
        self.deletes |= file.deletes.is_some();
        if self.open_files as usize >= CHUNK_FILES || self.open.len() >= CHUNK_BYTES {
            self.seal();
        }
    }

    fn seal(&mut self) {
        if self.open_files == 0 {
            return;
        }
        // Compression into memory fails only when there is none.
        let packed = zstd::bulk::compress(&self.open, LEVEL).expect("memory to compress into");
        let unpacked_bytes = u32::try_from(self.open.len()).expect("one file is shorter than 4 GiB");
        self.chunks.push(Chunk { packed: packed.into(), files: self.open_files, unpacked_bytes });
        self.open.clear();
        self.open_files = 0;
    }

    /// How many files it has.
    pub fn len(&self) -> u64 {
        self.files
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.files == 0
    }

    /// The list.
    pub fn finish(mut self) -> FileList {
        self.seal();
        let Self { files, size_bytes, deletes, .. } = self;
        FileList { chunks: self.chunks.into(), files, size_bytes, deletes }
    }
}

impl FileList {
    /// How many files it has.
    pub fn len(&self) -> u64 {
        self.files
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.files == 0
    }

    /// Bytes of all its files together.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Whether any of its files has deleted rows.
    pub fn has_deletes(&self) -> bool {
        self.deletes
    }

    /// Bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.packed.len() + size_of::<Chunk>()).sum()
    }

    /// How many chunks it has.
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// The files of a chunk, in order; `None` behind the last.
    pub fn chunk(&self, at: usize) -> Option<OpenChunk> {
        let chunk = self.chunks.get(at)?;
        let bytes = zstd::bulk::decompress(&chunk.packed, chunk.unpacked_bytes as usize)
            .expect("what this process packed unpacks");
        Some(OpenChunk { bytes, files: chunk.files })
    }

    /// How many files a chunk has, without unpacking it.
    pub fn chunk_files(&self, at: usize) -> Option<u32> {
        self.chunks.get(at).map(|chunk| chunk.files)
    }

    /// Calls `each` with all files in order, until it fails.
    pub fn try_for_each(
        &self,
        mut each: impl FnMut(DataFile<'_>) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        (0..self.chunk_count())
            .filter_map(|at| self.chunk(at))
            .try_for_each(|chunk| chunk.files().try_for_each(&mut each))
    }
}

impl OpenChunk {
    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = DataFile<'_>> {
        let mut rest = self.bytes.as_slice();
        (0..self.files).map(move |_| {
            let (file, after) = postcard::take_from_bytes(rest).expect("what this process serialized reads");
            rest = after;
            file
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Deletes, Place};
    use super::*;

    #[test]
    fn a_list_holds_every_file_as_it_was_pushed() {
        let mut builder = ListBuilder::default();
        let keys: Vec<String> =
            (0..3 * CHUNK_FILES + 7).map(|number| format!("t/data/{number}.parquet")).collect();
        let file = |key| DataFile {
            at: Place { bucket: "main", key },
            size: 10,
            modified_ms: 5,
            partition_values: vec![("p", Some("x")), ("q", None)],
            stats: Some("{\"numRecords\":3}"),
            records: Some(3),
            hidden: vec![Some("7"), None],
            deletes: Some(Deletes {
                at: Place { bucket: super::super::OWN_BUCKET, key: "v" },
                file_size: 99,
                offset: 1,
                size: 40,
                cardinality: 2,
            }),
        };
        keys.iter().for_each(|key| builder.push(&file(key)));
        let list = builder.finish();
        assert_eq!((list.len(), list.size_bytes()), (keys.len() as u64, 10 * keys.len() as u64));
        assert!(list.has_deletes() && !FileList::default().has_deletes());
        let mut at = 0;
        let walked = list.try_for_each(|found| {
            assert_eq!((&found, found.live_records()), (&file(&keys[at]), Some(1)));
            at += 1;
            Ok(())
        });
        walked.unwrap();
        assert_eq!(at, keys.len());
    }
}
