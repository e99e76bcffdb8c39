//! The files that are being written: filtering and encoding, pure computation away from the threads that serve.

use std::sync::Arc;

use md5::{Digest as _, Md5};

use super::checkpoint::{FileSet, Finished};
use super::encoder::{EncodeError, Encoder, Kind};
use super::filter::CompiledFilter;
use crate::scan::Objects;

/// Files of the same rows being written, one of each kind; none while no row came.
pub(super) struct Segment {
    kinds: Arc<[Kind]>,
    filter: Arc<CompiledFilter>,
    files: Vec<File>,
    rows: u64,
    selected: Vec<u32>,
}

struct File {
    encoder: Encoder,
    digest: Md5,
    bytes: u64,
}

/// What a batch brought.
pub(super) struct Step {
    pub(super) matched: u64,
    /// Bytes to append to each file; none when none are open.
    pub(super) chunks: Vec<Vec<u8>>,
    /// About how long the longest file is by now.
    pub(super) longest_bytes: u64,
}

/// Files that ended.
pub(super) struct Ended {
    pub(super) set: FileSet,
    /// The last bytes of each.
    pub(super) chunks: Vec<Vec<u8>>,
}

impl Segment {
    pub(super) fn new(kinds: Arc<[Kind]>, filter: Arc<CompiledFilter>) -> Self {
        Self { kinds, filter, files: Vec::new(), rows: 0, selected: Vec::new() }
    }

    /// Itself, for a while; what stays in its place has no files.
    pub(super) fn lend(&mut self) -> Self {
        let empty = Self::new(Arc::clone(&self.kinds), Arc::clone(&self.filter));
        std::mem::replace(self, empty)
    }

    /// Whether files are open.
    pub(super) fn is_open(&self) -> bool {
        !self.files.is_empty()
    }

    /// Writes what the filter lets through.
    pub(super) fn add(&mut self, objects: &Objects) -> Result<Step, EncodeError> {
        self.filter.select(objects, &mut self.selected);
        let matched = self.selected.len() as u64;
        if matched > 0 {
            if self.files.is_empty() {
                self.files = self.kinds.iter().map(File::begin).collect::<Result<_, _>>()?;
            }
            for file in &mut self.files {
                file.encoder.write(objects, &self.selected)?;
            }
            self.rows += matched;
        }
        let chunks = self.files.iter_mut().map(File::take).collect();
        let longest_bytes = self.files.iter().map(|file| file.bytes + file.encoder.open_bytes()).max();
        Ok(Step { matched, chunks, longest_bytes: longest_bytes.unwrap_or(0) })
    }

    /// Ends the files; the next row begins others.
    pub(super) fn end(&mut self) -> Result<Ended, EncodeError> {
        let (mut files, mut chunks) = (Vec::new(), Vec::new());
        for file in std::mem::take(&mut self.files) {
            let (finished, chunk) = file.end()?;
            files.push(finished);
            chunks.push(chunk);
        }
        Ok(Ended { set: FileSet { rows: std::mem::take(&mut self.rows), files }, chunks })
    }
}

impl File {
    fn begin(kind: &Kind) -> Result<Self, EncodeError> {
        Ok(Self { encoder: kind.begin()?, digest: Md5::new(), bytes: 0 })
    }

    fn take(&mut self) -> Vec<u8> {
        let chunk = self.encoder.take();
        self.digest.update(&chunk);
        self.bytes += chunk.len() as u64;
        chunk
    }

    fn end(self) -> Result<(Finished, Vec<u8>), EncodeError> {
        let Self { encoder, mut digest, bytes } = self;
        let chunk = encoder.finish()?;
        digest.update(&chunk);
        let md5 = hex::encode(digest.finalize());
        Ok((Finished(bytes + chunk.len() as u64, md5), chunk))
    }
}
