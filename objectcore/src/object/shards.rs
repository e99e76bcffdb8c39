//! Where the shards of a blob are: inside log records, or in shard files.

use std::ops::Range;

use bytes::Bytes;

use crate::core::Set;
use crate::drive::{ShardReader, is_shortage};
use crate::erasure::header::{self, HEADER_BYTES};
use crate::erasure::layout::Blob;
use crate::erasure::window::{ShardSet, ShardSource};
use crate::set::{Entry, Located, Space};
use crate::types::StorageError;

/// The shards that travelled inside the records of an entry.
pub(crate) struct InlineShards<'a> {
    set: &'a Set,
    blob: &'a Blob,
    entry: (Space, &'a [u8], &'a Entry),
    known: Option<&'a Located>,
    read: Vec<Option<Option<Bytes>>>,
    short: bool,
}

impl<'a> InlineShards<'a> {
    pub(crate) fn new(set: &'a Set, blob: &'a Blob, entry: (Space, &'a [u8], &'a Entry)) -> Self {
        Self { set, blob, entry, known: None, read: vec![None; blob.coding.geometry.total()], short: false }
    }

    /// Where the entry was found a moment ago.
    pub(crate) fn known_at(self, known: Option<&'a Located>) -> Self {
        Self { known, ..self }
    }

    /// Whether a shard was not read because the process or the machine lacked something: nothing ails it.
    pub(crate) fn is_short(&self) -> bool {
        self.short
    }
}

impl ShardSource for InlineShards<'_> {
    fn read(&mut self, shard: usize, bytes: Range<u64>) -> Option<Bytes> {
        let slot = self.blob.slot(shard);
        let (space, key, entry) = self.entry;
        let stored = self.read[slot].get_or_insert_with(|| {
            // A drive being filled may hold the only shards of what was written since; hashes tell (W1).
            if !self.set.is_reachable(slot) {
                return None;
            }
            let read = self.set.log.read_inline(slot, space, key, entry.seq, self.known);
            self.short |= matches!(read, Err(StorageError::Busy));
            read.ok().flatten()
        });
        let stored = stored.as_ref()?;
        let whole = stored.len() as u64 == self.blob.stored_bytes();
        whole.then(|| stored.slice(bytes.start as usize..bytes.end as usize))
    }
}

/// The shard files of a blob. They stay open, so a removed blob can still be read.
pub(crate) struct ShardFiles {
    blob: Blob,
    files: Vec<File>,
    /// Shards whose header is damaged.
    bad_headers: ShardSet,
    from: Source,
    short: bool,
}

/// Where the bytes of shard files may be read from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Drive,
    /// The page cache: what is not there counts as a shortage.
    Memory,
}

enum File {
    Closed,
    Missing,
    Open(Box<dyn ShardReader>),
}

/// The shard files of a blob, and the set they are in.
pub(crate) struct FileShards<'a> {
    pub(crate) set: &'a Set,
    pub(crate) files: &'a mut ShardFiles,
}

impl ShardFiles {
    pub(crate) fn new(blob: Blob) -> Self {
        let files = (0..blob.coding.geometry.total()).map(|_| File::Closed).collect();
        Self { blob, files, bad_headers: ShardSet::default(), from: Source::Drive, short: false }
    }

    /// Files of which only what is in memory is read.
    pub(crate) fn cached(blob: Blob) -> Self {
        Self { from: Source::Memory, ..Self::new(blob) }
    }

    pub(crate) fn blob(&self) -> &Blob {
        &self.blob
    }

    /// Whether a file was not read for want of something: nothing ails it.
    pub(crate) fn is_short(&self) -> bool {
        self.short
    }

    pub(crate) fn bad_headers(&self) -> ShardSet {
        self.bad_headers
    }
}

impl ShardSource for FileShards<'_> {
    /// Blocking. The first run of a file is read together with its header, which is checked then.
    fn read(&mut self, shard: usize, bytes: Range<u64>) -> Option<Bytes> {
        let blob = self.files.blob;
        let slot = blob.slot(shard);
        let file = &mut self.files.files[slot];
        // Also with the file open: the drive may hang since.
        if !self.set.is_reachable(slot) {
            return None;
        }
        if let File::Closed = file {
            *file = match self.set.log.slots()[slot].open_shard(blob.id.number()) {
                Ok(reader) => File::Open(reader),
                Err(error) if is_shortage(&error) => {
                    self.files.short = true;
                    return None;
                }
                Err(_) => File::Missing,
            };
        }
        let File::Open(reader) = file else { return None };
        let before = if bytes.start == 0 { HEADER_BYTES as u64 } else { 0 };
        let mut buffer = self.set.buffers.take((bytes.end - bytes.start + before) as usize);
        let at = bytes.start + HEADER_BYTES as u64 - before;
        match self.files.from {
            Source::Drive => reader.read_exact_at(at, buffer.as_mut()).ok()?,
            Source::Memory => {
                let read = reader.read_cached_at(at, buffer.as_mut());
                self.files.short |= !matches!(read, Ok(true));
                read.ok().filter(|read| *read)?;
            }
        }
        let read = Bytes::from_owner(buffer);
        if before == 0 {
            return Some(read);
        }
        if read[..HEADER_BYTES] != header::encode(blob.id, &blob.coding, shard) {
            self.files.bad_headers.insert(shard);
        }
        Some(read.slice(HEADER_BYTES..))
    }
}
