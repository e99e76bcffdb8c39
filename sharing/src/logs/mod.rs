//! Directories of Delta for versions of Iceberg tables: a log in the own bucket. The table's files stay where they are; in the
//! directory they have a second name, which the front of S3 knows for a link ([`LINK`]).
//!
//! A version has one log of one commit, and a directory of its own: whoever reads it finds that version and no other (D1).
//!
//! - L1: a log's key names the table, how it is told and the version (`place`): what lies there never changes.
//! - L2: a log is there whole or not at all: it is one object.
//! - L3: a log, and the packs of vectors that it names, are there as long as a session that reads them. It is at most
//!   [`REUSED_AGE_MAX`] old when a session for it begins, that lasts [`SESSION_MAX`] at most, and only logs older than
//!   [`LOG_AGE_MIN`] are removed. To packs, session and log are a URL (`vectors`, V1).
//! - L4: a log names no file that its readers' session does not open.
//!
//! That the data files stay is seen to by who asks for a log (`holds`).

mod place;
#[cfg(test)]
mod tests;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutPayload};
use tarn_openapi::access::Prefix;
use tokio::sync::{Mutex, RwLock};

use self::place::as_seen;
pub use self::place::{LINK, LogPlace, PREFIX};
use crate::delta::{files_of, head_of};
use crate::table::{Place, TableError, TableVersion};
use crate::vectors::URL_AGE_MAX;

/// A log older than this is written again before it is told of, from a version whose packs are there.
pub const REUSED_AGE_MAX: Duration = Duration::from_hours(4);
/// A session that reads a log lasts no longer.
pub const SESSION_MAX: Duration = Duration::from_hours(1);
/// Logs older than this are removed.
pub const LOG_AGE_MIN: Duration = Duration::from_hours(24);
/// Writing a log takes no longer.
const WRITE_TIME_MAX: Duration = Duration::from_hours(1);
/// The longest log. One of a million files takes about 1 GiB.
const LOG_BYTES_MAX: u64 = 4 << 30;
/// A longer log is written in parts of this many bytes.
const PART_BYTES: usize = 8 << 20;
/// So many logs are written at once, and each by one.
const WRITERS: usize = 16;

const _: () = assert!(
    REUSED_AGE_MAX.as_secs() + SESSION_MAX.as_secs() + WRITE_TIME_MAX.as_secs() <= LOG_AGE_MIN.as_secs()
        && WRITE_TIME_MAX.as_secs() + REUSED_AGE_MAX.as_secs() + SESSION_MAX.as_secs()
            <= URL_AGE_MAX.as_secs(),
    "L3"
);

/// Logs in their store.
pub struct Logs {
    store: Arc<dyn ObjectStore>,
    /// Held shared to write a log, alone to look at its age and remove it.
    removal: RwLock<()>,
    writing: [Mutex<()>; WRITERS],
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweptLogs {
    /// Logs that were removed.
    pub logs: u64,
    /// Their bytes.
    pub size_bytes: u64,
}

impl Logs {
    /// Logs in `own`, the store of [`crate::table::OWN_BUCKET`].
    pub fn new(own: Arc<dyn ObjectStore>) -> Self {
        Self { store: own, removal: RwLock::new(()), writing: std::array::from_fn(|_| Mutex::new(())) }
    }

    /// Makes the log of a version durable, where none is that may be told of (L3). `opened` are the places the session
    /// opens (L4); `load` gives the version and is only asked where the log must be written.
    pub async fn keep(
        &self,
        (place, version): (&LogPlace, i64),
        opened: &[Prefix],
        now_ms: i64,
        load: impl Future<Output = Result<Arc<TableVersion>, Arc<TableError>>> + Send,
    ) -> Result<(), Arc<TableError>> {
        let key = Path::from(place.key(version));
        if self.may_be_told(&key, now_ms).await? {
            return Ok(());
        }
        let mut hasher = DefaultHasher::new();
        key.as_ref().hash(&mut hasher);
        let _alone = self.writing[hasher.finish() as usize % WRITERS].lock().await;
        if self.may_be_told(&key, now_ms).await? {
            return Ok(());
        }
        let version = load.await?;
        let _no_removal = self.removal.read().await;
        self.write((place, &key), &version, opened).await.map_err(Arc::new)
    }

    async fn may_be_told(&self, key: &Path, now_ms: i64) -> Result<bool, Arc<TableError>> {
        match self.store.head(key).await {
            Ok(there) => Ok(age(&there, now_ms) <= REUSED_AGE_MAX),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(Arc::new(failed(error))),
        }
    }

    async fn write(
        &self,
        (place, key): (&LogPlace, &Path),
        version: &TableVersion,
        opened: &[Prefix],
    ) -> Result<(), TableError> {
        let mut writing =
            Writing { store: &*self.store, place, key, text: Vec::new(), parts: None, size_bytes: 0 };
        match writing.all(version, opened).await {
            Ok(()) => Ok(()),
            Err(error) => {
                writing.abort().await;
                Err(error)
            }
        }
    }

    /// Removes logs that no session may be for any more (L3). To be called about once an hour, and by one at a time.
    pub async fn sweep(&self, now_ms: i64) -> Result<SweptLogs, TableError> {
        let mut swept = SweptLogs::default();
        let mut logs = self.store.list(Some(&Path::from(PREFIX)));
        while let Some(log) = logs.try_next().await.map_err(failed)? {
            if age(&log, now_ms) <= LOG_AGE_MIN {
                continue;
            }
            let _no_writes = self.removal.write().await;
            match self.store.head(&log.location).await {
                Ok(there) if age(&there, now_ms) > LOG_AGE_MIN => {}
                Ok(_) | Err(object_store::Error::NotFound { .. }) => continue,
                Err(error) => return Err(failed(error)),
            }
            self.store.delete(&log.location).await.map_err(failed)?;
            swept.logs += 1;
            swept.size_bytes += log.size;
        }
        Ok(swept)
    }
}

/// A log on its way to the store.
struct Writing<'a> {
    store: &'a dyn ObjectStore,
    place: &'a LogPlace,
    key: &'a Path,
    /// What is not on its way yet.
    text: Vec<u8>,
    /// Where it goes, once it is longer than a part.
    parts: Option<Box<dyn MultipartUpload>>,
    size_bytes: u64,
}

impl Writing<'_> {
    async fn all(&mut self, version: &TableVersion, opened: &[Prefix]) -> Result<(), TableError> {
        self.push(head_of(version)).await?;
        for at in 0..version.files.chunk_count() {
            let Some(chunk) = version.files.chunk(at) else { break };
            let is_outside = |file: crate::table::DataFile<'_>| {
                let places = [Some(file.at), file.deletes.map(|deletes| deletes.at)];
                let mut seen = places.into_iter().flatten().map(as_seen);
                seen.any(|at| !opened.iter().any(|prefix| prefix.covers(at.bucket, at.key)))
            };
            if chunk.files().any(is_outside) {
                return Err(TableError::Unsupported(
                    "files of the table lie outside its location: it is read by the URLs of its files only"
                        .into(),
                ));
            }
            let vector_of = |at: Place<'_>| self.place.vector(version.version, at);
            let lines = files_of(&chunk, &LogPlace::path, &vector_of);
            drop(chunk);
            self.push(lines).await?;
        }
        let rest = PutPayload::from(std::mem::take(&mut self.text));
        match &mut self.parts {
            None => {
                self.store.put(self.key, rest).await.map_err(failed)?;
            }
            Some(parts) => {
                parts.put_part(rest).await.map_err(failed)?;
                parts.complete().await.map_err(failed)?;
            }
        }
        Ok(())
    }

    async fn push(&mut self, lines: Bytes) -> Result<(), TableError> {
        self.size_bytes += lines.len() as u64;
        if self.size_bytes > LOG_BYTES_MAX {
            let most = format!("{} GiB", LOG_BYTES_MAX >> 30);
            return Err(TableError::TooLarge { what: "the log of the table's files".into(), most });
        }
        self.text.extend_from_slice(&lines);
        // Parts have one length, but for the last, which may be no shorter than a byte.
        while self.text.len() > PART_BYTES {
            let rest = self.text.split_off(PART_BYTES);
            let part = std::mem::replace(&mut self.text, rest);
            let parts = match &mut self.parts {
                Some(parts) => parts,
                None => self.parts.insert(self.store.put_multipart(self.key).await.map_err(failed)?),
            };
            parts.put_part(part.into()).await.map_err(failed)?;
        }
        // Whoever writes a long log lets others in between.
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn abort(&mut self) {
        if let Some(parts) = &mut self.parts
            && let Err(error) = parts.abort().await
        {
            tracing::warn!(%error, "an unfinished log of a shared table could not be removed");
        }
    }
}

/// How long ago an object was written.
fn age(object: &ObjectMeta, now_ms: i64) -> Duration {
    let written_ms = object.last_modified.timestamp_millis();
    Duration::from_millis(now_ms.saturating_sub(written_ms).max(0) as u64)
}

fn failed(error: object_store::Error) -> TableError {
    TableError::Store(Box::new(error))
}
