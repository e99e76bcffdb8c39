//! Head, get and list: reads never wait for writers.
//!
//! - G1: a read sees one version, whole, whatever is written meanwhile: small objects are read at once, the
//!   files of large ones are pinned (`pins.rs`).
//! - G2: an error in the stream means that the rest cannot be had; a stream never ends short.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::flow::{FileReader, damaged};
use super::key;
use super::list::{Step, Walk};
use super::shards::InlineShards;
use super::value::{Object, Stored, Tag};
use crate::bucket::unreadable;
use crate::core::{ObjectCore, Set};
use crate::erasure::layout::Blob;
use crate::erasure::window::{ShardSet, Window};
use crate::memory::read_bytes;
use crate::name::{BucketName, ObjectName};
use crate::set::{Entry, Space, Weight};
use crate::types::{GetRange, ListOptions, ListPage, ObjectBody, ObjectInfo, ReadError, StorageError};

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
        let (_, _, object) = self.find(at).await?;
        Ok(object.info(at.key.clone()))
    }

    /// Reads an object, or a range of it.
    pub async fn get(&self, at: &ObjectName, range: Option<GetRange>) -> Result<ObjectBody, ReadError> {
        let (key, entry, object) = self.find(at).await?;
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

    async fn find(&self, at: &ObjectName) -> Result<(Bytes, Entry, Object), ReadError> {
        let key = key::object(at);
        let Some(entry) = self.set_of(at).log.entry(Space::Object, &key).await? else {
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
        set: &Arc<Set>,
        at: &ObjectName,
        (mut key, mut entry, mut object): (Bytes, Entry, Object),
        range: Option<GetRange>,
    ) -> Result<SmallRead, ReadError> {
        let mut last = StorageError::Busy;
        let share = self.admit(object.head.size).await?;
        for _ in 0..TRIES_MAX {
            if !object.tail.files().is_empty() {
                return Ok(SmallRead::NowLarge(key, entry, object));
            }
            let range = resolve(&object, range)?;
            set.applied(&entry).await;
            let read = self.read_inline(set, (&key, &entry, &object), &range).await;
            let (now_key, now, then) = match read {
                Ok(chunks) => {
                    let info = object.info(at.key.clone());
                    let held = stream::iter(chunks).map(move |bytes| {
                        let _held = &share;
                        Ok(bytes)
                    });
                    let chunks = held.boxed();
                    return Ok(SmallRead::Done(ObjectBody { info, range, chunks }));
                }
                // Shards are read by sequence number: they go when the object is overwritten, drive
                // after drive.
                Err(error) => match self.find(at).await? {
                    found if found.1.seq != entry.seq => found,
                    found if is_overtaken(set, &key, &entry).await? => {
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

    async fn read_inline(
        &self,
        set: &Arc<Set>,
        (key, entry, object): (&Bytes, &Entry, &Object),
        range: &Range<u64>,
    ) -> Result<Vec<Bytes>, StorageError> {
        let (Stored::Inline(blob), false) = (&object.tail.stored, range.is_empty()) else {
            return Ok(Vec::new());
        };
        let (core, on, key, entry) = (self.clone(), Arc::clone(set), key.clone(), entry.clone());
        let (blob, range) = (*blob, range.start as usize..range.end as usize);
        let read = move || {
            let mut chunks = Vec::new();
            let mut source = InlineShards::new(&on, &blob, (Space::Object, &key, &entry));
            let mut window = Window::new(&on.codec, &blob, 0, &mut source);
            let read = window.read(range.clone(), &mut chunks);
            let bad = window.bad();
            if source.is_short() {
                return read.map(|()| chunks).map_err(|_| StorageError::Busy);
            }
            if !bad.is_empty() && !on.log.is_overtaken(Space::Object, &key, &entry) {
                core.report(&on, &key, (&blob, bad));
            }
            read.map(|()| chunks).map_err(damaged)
        };
        set.log.read(Weight::Short, read).await
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
            let (_, now, then) = self.find(at).await?;
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
        let share = self.admit(read_bytes(range.end - range.start)).await?;
        let reader = FileReader::new((self.clone(), set, key), &object, &range, pin);
        let chunks = reader.start(share).await?.map_err(ReadError::from).boxed();
        Ok(ObjectBody { info, range, chunks })
    }

    /// Queues a repair of what a read found missing on drives that should have it.
    pub(super) fn report(&self, set: &Set, key: &Bytes, (blob, bad): (&Blob, ShardSet)) {
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
        let list = move || core.list_blocking(&bucket, &options);
        Ok(self.inner.sets[0].log.read(Weight::Long, list).await?)
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

async fn is_overtaken(set: &Arc<Set>, key: &Bytes, entry: &Entry) -> Result<bool, StorageError> {
    let (on, key, entry) = (Arc::clone(set), key.clone(), entry.clone());
    set.log.read(Weight::Short, move || Ok(on.log.is_overtaken(Space::Object, &key, &entry))).await
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
        Tag::Md5(_) | Tag::Version(_) => (number == 1).then_some(0..object.head.size),
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
