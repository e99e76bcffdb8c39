//! A drive that is a directory:
//!
//! ```text
//! format.json            who this drive is
//! lock                   held while a process has the drive open
//! log/<16 hex>.log       segments
//! shard/<2 hex>/<32 hex> shard files, by the first byte of the id
//! tmp/                   files without a name yet; emptied at open
//! index/                 the index of the log (a cache)
//! ```
//!
//! Log segments go through the page cache. Shard files are written with `O_DIRECT` where the file system
//! takes it, which is several times faster for large ones and leaves the cache to readers.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Advice, FallocateFlags, FlockOperation, OFlags};
use rustix::io::{Errno, ReadWriteFlags};

use super::{Drive, DriveSpace, ShardReader, ShardWriter, failed_sync};

/// How many segments stay open for reading.
const OPEN_SEGMENTS_MAX: usize = 64;
/// The unit of `O_DIRECT`: addresses, offsets and lengths are multiples of it.
const DIRECT_ALIGN: usize = 4096;
/// How much of a shard is gathered before it is written.
const DIRECT_BUFFER_BYTES: usize = 256 * 1024;

/// A drive in a directory of a file system.
pub struct FileDrive {
    root: PathBuf,
    label: String,
    /// Held for the life of the drive so that no second process opens it.
    lock: Arc<File>,
    /// Whether a file system is mounted at `root`: without it the directory is not the drive.
    mounted: bool,
    open: Mutex<HashMap<u64, Arc<File>>>,
    temporary: AtomicU64,
}

impl std::fmt::Debug for FileDrive {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FileDrive({})", self.label)
    }
}

impl FileDrive {
    /// Opens the drive in `root`, which is created if it is not there. `WouldBlock` means another process
    /// has it open.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let lock = lock_file(root)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Self::prepare(root, Arc::new(lock))
    }

    fn prepare(root: &Path, lock: Arc<File>) -> io::Result<Self> {
        for folder in ["log", "tmp", "shard"] {
            fs::create_dir_all(root.join(folder))?;
        }
        for shelf in 0..=255u8 {
            let path = root.join("shard").join(format!("{shelf:02x}"));
            if !path.exists() {
                fs::create_dir(path)?;
            }
        }
        for left in fs::read_dir(root.join("tmp"))? {
            fs::remove_file(left?.path())?;
        }
        // What a killed process left in the caches is made durable before anyone decides on it.
        sync_dir(&root.join("log"))?;
        sync_dir(&root.join("shard"))?;
        sync_dir(root)?;
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
        Ok(Self {
            label: root.display().to_string(),
            mounted: is_mounted(root)?,
            root: root.to_owned(),
            lock,
            open: Mutex::new(HashMap::new()),
            temporary: AtomicU64::new(0),
        })
    }

    fn segment_path(&self, segment: u64) -> PathBuf {
        self.root.join("log").join(format!("{segment:016x}.log"))
    }

    fn shelf(&self, id: u128) -> PathBuf {
        self.root.join("shard").join(format!("{:02x}", id >> 120))
    }

    fn shard_path(&self, id: u128) -> PathBuf {
        self.shelf(id).join(format!("{id:032x}"))
    }

    fn temporary_path(&self) -> PathBuf {
        self.root.join("tmp").join(format!("{:016x}", self.temporary.fetch_add(1, Ordering::Relaxed)))
    }

    fn handle(&self, segment: u64) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&segment) {
            return Ok(file.clone());
        }
        let file = Arc::new(OpenOptions::new().read(true).write(true).open(self.segment_path(segment))?);
        if open.len() >= OPEN_SEGMENTS_MAX
            && let Some(&oldest) = open.keys().min()
        {
            open.remove(&oldest);
        }
        open.insert(segment, file.clone());
        Ok(file)
    }

    fn forget(&self, segment: u64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&segment);
    }
}

fn lock_file(root: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(root.join("lock"))
}

/// Whether a file system of its own begins at `root`.
fn is_mounted(root: &Path) -> io::Result<bool> {
    let root = root.canonicalize()?;
    let Some(parent) = root.parent() else { return Ok(true) };
    Ok(fs::metadata(parent)?.dev() != fs::metadata(&root)?.dev())
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all().map_err(failed_sync)
}

impl Drive for FileDrive {
    fn label(&self) -> &str {
        &self.label
    }

    fn reopen(&self) -> io::Result<Arc<dyn Drive>> {
        // An empty directory where the drive was mounted is not a blank drive.
        if self.mounted && !is_mounted(&self.root)? {
            return Err(io::Error::other("nothing is mounted there"));
        }
        let lock = lock_file(&self.root)?;
        let (held, now) = (self.lock.metadata()?, lock.metadata()?);
        let lock = if (held.dev(), held.ino()) == (now.dev(), now.ino()) {
            Arc::clone(&self.lock)
        } else {
            rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            Arc::new(lock)
        };
        let drive = Self::prepare(&self.root, lock)?;
        for segment in drive.segments()? {
            // After a failed sync the cache may hold, as clean, what the drive does not.
            rustix::fs::fadvise(&*drive.handle(segment)?, 0, None, Advice::DontNeed)?;
        }
        Ok(Arc::new(drive))
    }

    fn space(&self) -> io::Result<DriveSpace> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(DriveSpace {
            free_bytes: stat.f_bavail * stat.f_frsize,
            total_bytes: stat.f_blocks * stat.f_frsize,
        })
    }

    fn read_format(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.root.join("format.json")) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_format(&self, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.temporary_path();
        fs::write(&temporary, bytes)?;
        File::open(&temporary)?.sync_all().map_err(failed_sync)?;
        fs::rename(&temporary, self.root.join("format.json"))?;
        sync_dir(&self.root)
    }

    fn segments(&self) -> io::Result<Vec<u64>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(self.root.join("log"))? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".log"));
            if let Some(Ok(number)) = number.map(|digits| u64::from_str_radix(digits, 16)) {
                segments.push(number);
            }
        }
        segments.sort_unstable();
        Ok(segments)
    }

    fn create_segment(&self, segment: u64, reserve_bytes: u64) -> io::Result<()> {
        let path = self.segment_path(segment);
        // Opened before there is anything to undo.
        let folder = File::open(self.root.join("log"))?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        match rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, reserve_bytes.max(1)) {
            Ok(()) => {}
            // Not every file system can set room aside; the reserve of the set then has to do.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
            Err(error) => {
                drop(file);
                fs::remove_file(&path)?;
                return Err(error.into());
            }
        }
        file.sync_all().map_err(failed_sync)?;
        folder.sync_all().map_err(failed_sync)?;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(segment, Arc::new(file));
        Ok(())
    }

    fn segment_len(&self, segment: u64) -> io::Result<u64> {
        Ok(self.handle(segment)?.metadata()?.len())
    }

    fn append(&self, segment: u64, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.handle(segment)?.write_all_at(bytes, offset)
    }

    fn sync(&self, segment: u64) -> io::Result<()> {
        self.handle(segment).and_then(|file| file.sync_data()).map_err(failed_sync)
    }

    fn truncate(&self, segment: u64, len: u64) -> io::Result<()> {
        let file = self.handle(segment)?;
        file.set_len(len)?;
        file.sync_all().map_err(failed_sync)
    }

    fn remove_segment(&self, segment: u64) -> io::Result<()> {
        self.forget(segment);
        remove_if_there(&self.segment_path(segment))?;
        sync_dir(&self.root.join("log"))
    }

    fn read_at(&self, segment: u64, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.handle(segment)?.read_exact_at(buffer, offset)
    }

    fn create_shard(&self, id: u128) -> io::Result<Box<dyn ShardWriter>> {
        let temporary = self.temporary_path();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let direct = options.clone().custom_flags(OFlags::DIRECT.bits() as i32).open(&temporary);
        let (file, direct) = match direct {
            Ok(file) => (file, true),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                remove_if_there(&temporary)?;
                (options.open(&temporary)?, false)
            }
            Err(error) => return Err(error),
        };
        Ok(Box::new(FileShardWriter {
            file,
            buffer: AlignedBuffer::new(),
            written: 0,
            direct,
            unnamed: Some(temporary),
            name: self.shard_path(id),
            shelf: self.shelf(id),
        }))
    }

    fn open_shard(&self, id: u128) -> io::Result<Box<dyn ShardReader>> {
        let file = File::open(self.shard_path(id))?;
        let len = file.metadata()?.len();
        Ok(Box::new(FileShardReader { file, len }))
    }

    fn remove_shard(&self, id: u128) -> io::Result<()> {
        remove_if_there(&self.shard_path(id))
    }

    fn list_shards(&self) -> io::Result<Vec<u128>> {
        let mut ids = Vec::new();
        for shelf in fs::read_dir(self.root.join("shard"))? {
            for entry in fs::read_dir(shelf?.path())? {
                let name = entry?.file_name();
                if let Some(Ok(id)) = name.to_str().map(|digits| u128::from_str_radix(digits, 16)) {
                    ids.push(id);
                }
            }
        }
        Ok(ids)
    }

    fn index_path(&self) -> Option<PathBuf> {
        Some(self.root.join("index"))
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Bytes whose first is aligned for `O_DIRECT`.
struct AlignedBuffer {
    bytes: Vec<u8>,
    start: usize,
    filled: usize,
}

impl AlignedBuffer {
    fn new() -> Self {
        let bytes = vec![0; DIRECT_BUFFER_BYTES + DIRECT_ALIGN];
        let start = bytes.as_ptr().align_offset(DIRECT_ALIGN);
        Self { bytes, start, filled: 0 }
    }

    /// Takes as much of `bytes` as fits; answers how much.
    fn fill(&mut self, bytes: &[u8]) -> usize {
        let take = bytes.len().min(DIRECT_BUFFER_BYTES - self.filled);
        let at = self.start + self.filled;
        self.bytes[at..at + take].copy_from_slice(&bytes[..take]);
        self.filled += take;
        take
    }

    /// The filled bytes, padded with zeros to the unit of `O_DIRECT`.
    fn padded(&mut self) -> &[u8] {
        let padded = self.filled.next_multiple_of(DIRECT_ALIGN);
        self.bytes[self.start + self.filled..self.start + padded].fill(0);
        &self.bytes[self.start..self.start + padded]
    }
}

struct FileShardWriter {
    file: File,
    buffer: AlignedBuffer,
    /// Bytes already in the file.
    written: u64,
    direct: bool,
    /// The temporary file; `None` once it has its name.
    unnamed: Option<PathBuf>,
    name: PathBuf,
    shelf: PathBuf,
}

impl FileShardWriter {
    fn flush(&mut self) -> io::Result<()> {
        let filled = self.buffer.filled;
        if filled == 0 {
            return Ok(());
        }
        let written = self.written;
        let padded = self.buffer.padded();
        if let Err(error) = self.file.write_all_at(padded, written) {
            // Some file systems take the flag at open and refuse the write.
            if !self.direct || error.kind() != io::ErrorKind::InvalidInput {
                return Err(error);
            }
            let path = self.unnamed.as_ref().expect("a shard is flushed before it has its name");
            self.file = OpenOptions::new().write(true).open(path)?;
            self.direct = false;
            self.file.write_all_at(self.buffer.padded(), written)?;
        }
        self.written += filled as u64;
        self.buffer.filled = 0;
        Ok(())
    }
}

impl ShardWriter for FileShardWriter {
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.buffer.fill(bytes);
            bytes = &bytes[taken..];
            if self.buffer.filled == DIRECT_BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush()?;
        self.file.set_len(self.written)?;
        self.file.sync_all().map_err(failed_sync)?;
        if let Some(temporary) = self.unnamed.take() {
            fs::rename(temporary, &self.name)?;
        }
        sync_dir(&self.shelf)
    }
}

impl Drop for FileShardWriter {
    fn drop(&mut self) {
        if let Some(temporary) = self.unnamed.take() {
            // A leftover is harmless: `tmp/` is emptied at open.
            let _ = fs::remove_file(temporary);
        }
    }
}

struct FileShardReader {
    file: File,
    len: u64,
}

impl ShardReader for FileShardReader {
    fn len_bytes(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn read_cached_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        let wanted = buffer.len();
        let mut parts = [IoSliceMut::new(buffer)];
        // A part in memory counts as none; file systems that cannot tell refuse the flag.
        match rustix::io::preadv2(&self.file, &mut parts, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => Ok(read == wanted),
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
