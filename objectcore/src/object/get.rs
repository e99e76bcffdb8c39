//! Head, get and list: reads never wait for writers.
//!
//! - G1: a read sees one version, whole, whatever is written meanwhile: small objects are read at once, the
//!   files of large ones are pinned (`pins.rs`).
//! - G2: an error in the stream means that the rest cannot be had; a stream never ends short.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinHandle;

use super::key;
use super::list::{Step, Walk};
use super::pins::Pin;
use super::shards::{FileShards, InlineShards, ShardFiles};
use super::value::{Object, Stored, Tag};
use crate::bucket::unreadable;
use crate::core::{ObjectCore, Set};
use crate::erasure::layout::Blob;
use crate::erasure::window::{ShardSet, TooFewShards, Window};
use crate::name::{BucketName, ObjectName};
use crate::set::{Entry, Space};
use crate::types::{GetRange, ListOptions, ListPage, ObjectBody, ObjectInfo, ReadError, StorageError};

/// Stripes read in one hop to the blocking pool. The first hop reads one, so that the first byte
/// leaves early.
const STRIPES_PER_HOP: usize = 2;

/// How often a small object is read again when it is overwritten meanwhile.
const TRIES_MAX: usize = 1000;
const OVERTAKEN_PAUSE: Duration = Duration::from_millis(1);

enum SmallRead {
    Done(ObjectBody),
    /// It was overwritten by a large one meanwhile.
    NowLarge(Bytes, Entry, Object),
}

impl ObjectCore {
    /// What is known about an object.
    pub async fn head(&self, at: &ObjectName) -> Result<ObjectInfo, ReadError> {
        let (_, _, object) = self.find(at)?;
        Ok(object.info(at.key.clone()))
    }

    /// Reads an object, or a range of it.
    pub async fn get(&self, at: &ObjectName, range: Option<GetRange>) -> Result<ObjectBody, ReadError> {
        let (key, entry, object) = self.find(at)?;
        let set = Arc::clone(self.set_of(at));
        match &object.tail.stored {
            Stored::Empty | Stored::Inline(_) => {
                match self.get_small(&set, at, (key, entry, object), range).await? {
                    SmallRead::Done(body) => Ok(body),
                    SmallRead::NowLarge(key, entry, object) => {
                        self.get_large(set, at, (key, entry, object), range).await
                    }
                }
            }
            Stored::Files(_) => self.get_large(set, at, (key, entry, object), range).await,
        }
    }

    fn find(&self, at: &ObjectName) -> Result<(Bytes, Entry, Object), ReadError> {
        let key = key::object(at);
        let Some(entry) = self.set_of(at).log.get(Space::Object, &key)? else {
            return Err(match self.inner.buckets.get(&at.bucket) {
                Some(_) => ReadError::NoSuchKey,
                None => ReadError::NoSuchBucket,
            });
        };
        let object = Object::decode(&entry.value).map_err(unreadable)?;
        Ok((key, entry, object))
    }

    async fn get_small(
        &self,
        set: &Set,
        at: &ObjectName,
        (mut key, mut entry, mut object): (Bytes, Entry, Object),
        range: Option<GetRange>,
    ) -> Result<SmallRead, ReadError> {
        let mut last = StorageError::Busy;
        for _ in 0..TRIES_MAX {
            if !object.tail.files().is_empty() {
                return Ok(SmallRead::NowLarge(key, entry, object));
            }
            let range = resolve(&object, range)?;
            set.applied(&entry).await;
            let read = self.read_inline(set, (&key, &entry, &object), &range);
            let (now_key, now, then) = match read {
                Ok(chunks) => {
                    let info = object.info(at.key.clone());
                    let chunks = stream::iter(chunks.into_iter().map(Ok)).boxed();
                    return Ok(SmallRead::Done(ObjectBody { info, range, chunks }));
                }
                // Shards are read by sequence number: they go when the object is overwritten, drive
                // after drive.
                Err(error) => match self.find(at)? {
                    found if found.1.seq != entry.seq => found,
                    found if set.log.is_overtaken(Space::Object, &key, &entry) => {
                        tokio::time::sleep(OVERTAKEN_PAUSE).await;
                        last = error;
                        found
                    }
                    _ => return Err(error.into()),
                },
            };
            (key, entry, object) = (now_key, now, then);
        }
        Err(last.into())
    }

    fn read_inline(
        &self,
        set: &Set,
        (key, entry, object): (&Bytes, &Entry, &Object),
        range: &Range<u64>,
    ) -> Result<Vec<Bytes>, StorageError> {
        let mut chunks = Vec::new();
        if let (Stored::Inline(blob), false) = (&object.tail.stored, range.is_empty()) {
            let mut source = InlineShards::new(set, blob, (Space::Object, key, entry));
            let mut window = Window::new(&set.codec, blob, 0, &mut source);
            let read = window.read(range.start as usize..range.end as usize, &mut chunks);
            let bad = window.bad();
            if !bad.is_empty() && !set.log.is_overtaken(Space::Object, key, entry) {
                self.report(set, key, (blob, bad));
            }
            read.map_err(damaged)?;
        }
        Ok(chunks)
    }

    async fn get_large(
        &self,
        set: Arc<Set>,
        at: &ObjectName,
        (key, mut entry, mut object): (Bytes, Entry, Object),
        range: Option<GetRange>,
    ) -> Result<ObjectBody, ReadError> {
        // Pin, then look again: a version still there after the pin cannot be removed under it.
        let pin = loop {
            let pin = self.inner.healer.pins.pin(object.tail.version, &self.inner.removals);
            let (_, now, then) = self.find(at)?;
            if now.seq == entry.seq {
                break pin;
            }
            (entry, object) = (now, then);
            if object.tail.files().is_empty() {
                return match self.get_small(&set, at, (key, entry, object), range).await? {
                    SmallRead::Done(body) => Ok(body),
                    // Small, large, small, large between four lookups: let the caller try again.
                    SmallRead::NowLarge(..) => Err(StorageError::Busy.into()),
                };
            }
        };
        let range = resolve(&object, range)?;
        let info = object.info(at.key.clone());
        let reader = FileReader {
            core: self.clone(),
            set,
            key,
            pieces: pieces(&object, &range),
            open: None,
            _pin: pin,
        };
        let (reader, first) = hop(reader, 1).await?;
        Ok(ObjectBody { info, range, chunks: flow(reader, first).map_err(ReadError::from).boxed() })
    }

    /// Queues a repair of what a read found missing on drives that should have it.
    fn report(&self, set: &Set, key: &Bytes, (blob, bad): (&Blob, ShardSet)) {
        let lost = (0..blob.coding.geometry.total())
            .any(|shard| bad.contains(shard) && set.is_online(blob.slot(shard)));
        if lost {
            metrics::counter!("tarn_reads_degraded_total").increment(1);
            self.inner.healer.repairs.push(set.number, Space::Object, key.clone());
        }
    }

    /// One page of a bucket's keys.
    pub async fn list(&self, bucket: &BucketName, options: &ListOptions) -> Result<ListPage, ReadError> {
        if self.inner.buckets.get(bucket).is_none() {
            return Err(ReadError::NoSuchBucket);
        }
        let (core, bucket, options) = (self.clone(), bucket.clone(), options.clone());
        let listed = tokio::task::spawn_blocking(move || core.list_blocking(&bucket, &options)).await;
        Ok(listed.map_err(|_| StorageError::Closing)??)
    }

    fn list_blocking(&self, bucket: &BucketName, options: &ListOptions) -> Result<ListPage, StorageError> {
        let (mut walk, mut step) = Walk::new(bucket, options);
        while let Step::Read { from, limit } = step {
            let entries = self.scan_all(Space::Object, &from, limit)?;
            step = walk.take(&entries, limit).map_err(unreadable)?;
        }
        Ok(walk.finish())
    }
}

fn damaged(error: TooFewShards) -> StorageError {
    StorageError::Damaged { intact: error.intact, needed: error.needed }
}

/// The bytes a read asks for.
fn resolve(object: &Object, range: Option<GetRange>) -> Result<Range<u64>, ReadError> {
    let size = object.head.size;
    let invalid = ReadError::InvalidRange { size };
    match range {
        None => Ok(0..size),
        Some(GetRange::Bounded(start, end)) if start < size && start <= end => {
            Ok(start..end.saturating_add(1).min(size))
        }
        Some(GetRange::From(start)) if start < size => Ok(start..size),
        Some(GetRange::Suffix(length)) if length > 0 && size > 0 => Ok(size - length.min(size)..size),
        Some(GetRange::Part(number)) => part(object, number).ok_or(invalid),
        Some(GetRange::Bounded(..) | GetRange::From(_) | GetRange::Suffix(_)) => Err(invalid),
    }
}

fn part(object: &Object, number: u16) -> Option<Range<u64>> {
    match object.head.tag {
        Tag::Md5(_) => (number == 1).then_some(0..object.head.size),
        Tag::Parts(..) => {
            let mut start = 0;
            for extent in object.tail.files() {
                let end = start + extent.blob.size;
                if extent.number == number {
                    return Some(start..end);
                }
                start = end;
            }
            None
        }
    }
}

/// A range of one stripe of one blob.
struct Piece {
    blob: Blob,
    stripe: u64,
    bytes: Range<usize>,
}

/// The pieces that make up `range`, in order.
fn pieces(object: &Object, range: &Range<u64>) -> impl Iterator<Item = Piece> + Send + use<> {
    let range = range.clone();
    let mut start = 0;
    let mut spans = Vec::new();
    for extent in object.tail.files() {
        let end = start + extent.blob.size;
        if start < range.end && range.start < end {
            spans.push((extent.blob, range.start.max(start) - start..range.end.min(end) - start));
        }
        start = end;
    }
    spans.into_iter().flat_map(|(blob, span)| {
        let full = u64::from(blob.coding.stripe_bytes);
        (span.start / full..span.end.div_ceil(full)).map(move |stripe| {
            let base = stripe * full;
            let bytes = span.start.max(base) - base..span.end.min(base + full) - base;
            Piece { blob, stripe, bytes: bytes.start as usize..bytes.end as usize }
        })
    })
}

/// A large object being read.
struct FileReader<P> {
    core: ObjectCore,
    set: Arc<Set>,
    key: Bytes,
    pieces: P,
    open: Option<ShardFiles>,
    _pin: Pin,
}

impl<P: Iterator<Item = Piece>> FileReader<P> {
    /// Blocking. The bytes of the next `count` pieces; none at the end.
    fn read(&mut self, count: usize) -> Result<Vec<Bytes>, StorageError> {
        let mut out = Vec::new();
        for _ in 0..count {
            let Some(piece) = self.pieces.next() else { break };
            let files = match self.open.take() {
                Some(files) if files.blob().id == piece.blob.id => self.open.insert(files),
                Some(_) | None => self.open.insert(ShardFiles::new(piece.blob)),
            };
            let mut source = FileShards { set: &self.set, files };
            let mut window = Window::new(&self.set.codec, &piece.blob, piece.stripe, &mut source);
            let read = window.read(piece.bytes, &mut out);
            let mut bad = window.bad();
            bad.extend(files.bad_headers());
            if !bad.is_empty() {
                self.core.report(&self.set, &self.key, (&piece.blob, bad));
            }
            read.map_err(damaged)?;
        }
        Ok(out)
    }
}

async fn hop<P: Iterator<Item = Piece> + Send + 'static>(
    mut reader: FileReader<P>,
    count: usize,
) -> Result<(FileReader<P>, Vec<Bytes>), StorageError> {
    let read = tokio::task::spawn_blocking(move || reader.read(count).map(|bytes| (reader, bytes)));
    read.await.map_err(|_| StorageError::Closing)?
}

type Ahead<P> = JoinHandle<Result<(FileReader<P>, Vec<Bytes>), StorageError>>;

/// The bytes of `first` and all that follow; the next hop runs while one is sent.
fn flow<P: Iterator<Item = Piece> + Send + 'static>(
    reader: FileReader<P>,
    first: Vec<Bytes>,
) -> impl futures::Stream<Item = Result<Bytes, StorageError>> + Send {
    struct State<P> {
        ready: VecDeque<Bytes>,
        ahead: Option<Ahead<P>>,
    }
    let read_on = |reader| tokio::spawn(hop(reader, STRIPES_PER_HOP));
    let state = State { ready: first.into(), ahead: Some(read_on(reader)) };
    stream::try_unfold(state, move |mut state| async move {
        loop {
            if let Some(bytes) = state.ready.pop_front() {
                return Ok(Some((bytes, state)));
            }
            let Some(ahead) = state.ahead.take() else { return Ok(None) };
            let (reader, bytes) = ahead.await.map_err(|_| StorageError::Closing)??;
            if bytes.is_empty() {
                return Ok(None);
            }
            state.ready = bytes.into();
            state.ahead = Some(read_on(reader));
        }
    })
}
