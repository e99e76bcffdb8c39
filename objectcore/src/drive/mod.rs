//! A drive: one directory (or its simulation) that keeps a log, shard files and `format.json`.
//!
//! Every promise of durability the object core makes reduces to this trait:
//!
//! - D1: after [`Drive::sync`] answers, every byte appended to the segment before is there after a crash.
//! - D2: after [`Drive::create_segment`], [`Drive::truncate`], [`Drive::remove_segment`],
//!   [`Drive::write_format`] and [`ShardWriter::finish`] answer, their effect is there after a crash.
//! - D3: `write_format` and `finish` replace or create the whole file or leave things as they were.
//! - D4: an error says nothing about what took effect. The caller takes the drive out, unless [`is_shortage`] says that
//!   it is not the drive's fault. A failed sync never counts as a shortage, whatever its cause.
//!
//! All calls block. What the bytes mean is decided in `log/` and `set/`, not here.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

mod file;
mod sim;
#[cfg(test)]
mod suite;
mod watch;

pub use file::FileDrive;
pub use sim::{Fault, Hang, Kept, SimDrive};
pub(crate) use watch::{Watch, WatchedDrive};

/// The room on a drive, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriveSpace {
    /// What can still be written.
    pub free_bytes: u64,
    /// All there is.
    pub total_bytes: u64,
}

/// Whether the process or the machine lacked something (open files, memory): the drive itself is well.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN))
}

/// The error of a sync: never a shortage and never "full", for what was to be durable may be lost.
pub(crate) fn failed_sync(error: io::Error) -> io::Error {
    io::Error::other(error)
}

/// File-level operations on one drive.
pub trait Drive: fmt::Debug + Send + Sync + 'static {
    /// What logs and the status call this drive: its path.
    fn label(&self) -> &str;
    /// Opens the drive anew, as a restart would: what a failure left in memory is read again from the drive. No one
    /// uses the one before any more.
    fn reopen(&self) -> io::Result<Arc<dyn Drive>>;
    /// The room left.
    fn space(&self) -> io::Result<DriveSpace>;

    /// The bytes of `format.json`, `None` on a blank drive.
    fn read_format(&self) -> io::Result<Option<Vec<u8>>>;
    /// Replaces `format.json` (D2, D3).
    fn write_format(&self, bytes: &[u8]) -> io::Result<()>;

    /// The log's segments, ascending.
    fn segments(&self) -> io::Result<Vec<u64>>;
    /// Creates an empty segment (D2) with `reserve_bytes` set aside where the file system can do that. An
    /// error of kind `StorageFull`, or a shortage, leaves no segment behind.
    fn create_segment(&self, segment: u64, reserve_bytes: u64) -> io::Result<()>;
    /// The segment's length in bytes.
    fn segment_len(&self, segment: u64) -> io::Result<u64>;
    /// Writes `bytes` at `offset`, which is the segment's end.
    fn append(&self, segment: u64, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything appended durable (D1).
    fn sync(&self, segment: u64) -> io::Result<()>;
    /// Cuts the segment to `len` bytes (D2).
    fn truncate(&self, segment: u64, len: u64) -> io::Result<()>;
    /// Removes a segment (D2). One that is not there is no error.
    fn remove_segment(&self, segment: u64) -> io::Result<()>;
    /// Fills `buffer` from `offset`; an end before that is an error.
    fn read_at(&self, segment: u64, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Begins a shard file. It has a name only after [`ShardWriter::finish`].
    fn create_shard(&self, id: u128) -> io::Result<Box<dyn ShardWriter>>;
    /// Opens a shard file; not there is `NotFound`.
    fn open_shard(&self, id: u128) -> io::Result<Box<dyn ShardReader>>;
    /// Removes a shard file. One that is not there is no error.
    fn remove_shard(&self, id: u128) -> io::Result<()>;
    /// The ids of all shard files, in no order.
    fn list_shards(&self) -> io::Result<Vec<u128>>;

    /// Where the index of the log lies; `None` keeps it in memory.
    fn index_path(&self) -> Option<PathBuf>;
    /// Called before an index in memory is read or changed: a simulated drive can hang there.
    fn before_index(&self) {}
}

/// A shard file being written. Dropped before `finish`, nothing of it stays.
pub trait ShardWriter: Send {
    /// Appends `bytes`.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the file durable under its name (D2, D3).
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A shard file open for reading. It stays readable after it is removed.
pub trait ShardReader: Send + Sync {
    /// The file's length in bytes.
    fn len_bytes(&self) -> u64;
    /// Fills `buffer` from `offset`; an end before that is an error.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// As `read_exact_at`, from memory alone: `false` when the drive would have to be asked. Never hangs.
    fn read_cached_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool>;
}
