//! Which operations are under way on a drive, and since when.
//!
//! A call into a drive that hangs cannot be taken back, so it is entered here before it begins, whoever makes
//! it. `set/stalls.rs` looks at the oldest and decides what a long one means.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Drive, DriveSpace, ShardReader, ShardWriter, is_shortage};

/// The operations whose beginning is known. More may be under way: when as many as this hang, those tell enough.
const CELLS: usize = 64;

/// The operations under way on one drive and its index.
pub(crate) struct Watch {
    base: Instant,
    /// When an operation began, in microseconds since `base` and never 0; 0 in a free cell.
    began: [AtomicU64; CELLS],
    under_way: AtomicUsize,
    /// A read failed that neither a missing file nor a shortage explains.
    read_failed: AtomicBool,
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Watch({} under way)", self.under_way.load(Ordering::Relaxed))
    }
}

/// An operation under way; it ends when this is dropped.
pub(crate) struct Entered<'a> {
    watch: &'a Watch,
    cell: Option<usize>,
}

impl Watch {
    pub(crate) fn new() -> Arc<Self> {
        let began = std::array::from_fn(|_| AtomicU64::new(0));
        Arc::new(Self {
            base: Instant::now(),
            began,
            under_way: AtomicUsize::new(0),
            read_failed: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_micros()).unwrap_or(u64::MAX - 1) + 1
    }

    /// Begins an operation.
    pub(crate) fn enter(&self) -> Entered<'_> {
        let now = self.now();
        self.under_way.fetch_add(1, Ordering::AcqRel);
        let take = |cell: &AtomicU64| {
            cell.load(Ordering::Relaxed) == 0
                && cell.compare_exchange(0, now, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        Entered { watch: self, cell: self.began.iter().position(take) }
    }

    /// Whether a read failed since the drive was opened: it may hold what it did not answer.
    pub(crate) fn read_failed(&self) -> bool {
        self.read_failed.load(Ordering::Acquire)
    }

    fn note_read<T>(&self, read: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &read
            && !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
            && !is_shortage(error)
        {
            self.read_failed.store(true, Ordering::Release);
            metrics::counter!("tarn_drive_read_errors_total").increment(1);
        }
        read
    }

    /// How long the oldest operation under way has taken so far.
    pub(crate) fn oldest(&self) -> Option<Duration> {
        let began = self.began.iter().map(|cell| cell.load(Ordering::Acquire)).filter(|began| *began != 0);
        began.min().map(|began| Duration::from_micros(self.now().saturating_sub(began)))
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(cell) = self.cell {
            self.watch.began[cell].store(0, Ordering::Release);
        }
        self.watch.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A drive whose every operation is entered in its watch.
#[derive(Debug)]
pub(crate) struct WatchedDrive {
    drive: Arc<dyn Drive>,
    watch: Arc<Watch>,
}

impl WatchedDrive {
    pub(crate) fn over(drive: Arc<dyn Drive>, watch: Arc<Watch>) -> Arc<dyn Drive> {
        Arc::new(Self { drive, watch })
    }
}

impl Drive for WatchedDrive {
    fn label(&self) -> &str {
        self.drive.label()
    }

    fn reopen(&self) -> io::Result<Arc<dyn Drive>> {
        self.drive.reopen()
    }

    fn space(&self) -> io::Result<DriveSpace> {
        let _entered = self.watch.enter();
        self.drive.space()
    }

    fn read_format(&self) -> io::Result<Option<Vec<u8>>> {
        let _entered = self.watch.enter();
        self.drive.read_format()
    }

    fn write_format(&self, bytes: &[u8]) -> io::Result<()> {
        let _entered = self.watch.enter();
        self.drive.write_format(bytes)
    }

    fn segments(&self) -> io::Result<Vec<u64>> {
        let _entered = self.watch.enter();
        self.drive.segments()
    }

    fn create_segment(&self, segment: u64, reserve_bytes: u64) -> io::Result<()> {
        let _entered = self.watch.enter();
        self.drive.create_segment(segment, reserve_bytes)
    }

    fn segment_len(&self, segment: u64) -> io::Result<u64> {
        let _entered = self.watch.enter();
        self.drive.segment_len(segment)
    }

    fn append(&self, segment: u64, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let _entered = self.watch.enter();
        self.drive.append(segment, offset, bytes)
    }

    fn sync(&self, segment: u64) -> io::Result<()> {
        let _entered = self.watch.enter();
        self.drive.sync(segment)
    }

    fn truncate(&self, segment: u64, len: u64) -> io::Result<()> {
        let _entered = self.watch.enter();
        self.drive.truncate(segment, len)
    }

    fn remove_segment(&self, segment: u64) -> io::Result<()> {
        let _entered = self.watch.enter();
        self.drive.remove_segment(segment)
    }

    fn read_at(&self, segment: u64, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let _entered = self.watch.enter();
        self.watch.note_read(self.drive.read_at(segment, offset, buffer))
    }

    fn create_shard(&self, id: u128) -> io::Result<Box<dyn ShardWriter>> {
        let _entered = self.watch.enter();
        let writer = self.drive.create_shard(id)?;
        Ok(Box::new(WatchedWriter { writer, watch: Arc::clone(&self.watch) }))
    }

    fn open_shard(&self, id: u128) -> io::Result<Box<dyn ShardReader>> {
        let _entered = self.watch.enter();
        let reader = self.watch.note_read(self.drive.open_shard(id))?;
        Ok(Box::new(WatchedReader { reader, watch: Arc::clone(&self.watch) }))
    }

    fn remove_shard(&self, id: u128) -> io::Result<()> {
        let _entered = self.watch.enter();
        self.drive.remove_shard(id)
    }

    fn list_shards(&self) -> io::Result<Vec<u128>> {
        let _entered = self.watch.enter();
        self.drive.list_shards()
    }

    fn index_path(&self) -> Option<PathBuf> {
        self.drive.index_path()
    }

    fn before_index(&self) {
        self.drive.before_index();
    }
}

struct WatchedWriter {
    writer: Box<dyn ShardWriter>,
    watch: Arc<Watch>,
}

impl ShardWriter for WatchedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let _entered = self.watch.enter();
        self.writer.write(bytes)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let Self { writer, watch } = *self;
        let _entered = watch.enter();
        writer.finish()
    }
}

struct WatchedReader {
    reader: Box<dyn ShardReader>,
    watch: Arc<Watch>,
}

impl ShardReader for WatchedReader {
    fn len_bytes(&self) -> u64 {
        self.reader.len_bytes()
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let _entered = self.watch.enter();
        self.watch.note_read(self.reader.read_exact_at(offset, buffer))
    }

    fn read_cached_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        let _entered = self.watch.enter();
        self.watch.note_read(self.reader.read_cached_at(offset, buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_operation_is_known_until_it_ends() {
        let watch = Watch::new();
        assert_eq!(watch.oldest(), None);
        let first = watch.enter();
        let many: Vec<Entered<'_>> = (0..2 * CELLS).map(|_| watch.enter()).collect();
        assert!(watch.oldest().is_some());
        drop(first);
        assert!(watch.oldest().is_some());
        drop(many);
        assert_eq!(watch.oldest(), None);
        assert_eq!(watch.under_way.load(Ordering::Relaxed), 0);
    }
}
