//! Head, get and list: reads never wait for writers.
//!
//! - G1: a read sees one version, whole, whatever is written meanwhile: small objects are read at once, the
//!   files of large ones are pinned (`pins.rs`).
//! - G2: an error in the stream means that the rest cannot be had; a stream never ends short.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::flow::{FileReader, Piece, only_piece, read_cached};
use super::key;
use super::list::{Step, Walk};
use super::small::{Looked, Small, SmallRead};
use super::value::{Object, Tag};
use crate::bucket::unreadable;
use crate::core::{ObjectCore, Set};
use crate::erasure::layout::Blob;
use crate::erasure::window::ShardSet;
use crate::memory::{Share, read_bytes};
use crate::name::{BucketName, ObjectName};
use crate::set::{Entry, Space, Weight};
use crate::types::{GetRange, ListOptions, ListPage, ObjectBody, ObjectInfo, ReadError, StorageError};

/// The longest range of a large object that is read on a thread of the runtime, in bytes.
const SHORT_BYTES_MAX: usize = 128 << 10;

/// What became of a version that was looked up before.
enum Again {
    Same,
    /// It is still there, and this is what was asked for.
    Read(Vec<Bytes>, Option<Share>),
    Other(Box<(Entry, Object)>),
    Gone,
}

impl ObjectCore {
    /// What is known about an object.
    pub async fn head(&self, at: &ObjectName) -> Result<ObjectInfo, ReadError> {
        let (_, _, object) = self.find(at).await?;
        Ok(object.info(at.key.clone()))
    }

    /// Reads an object, or a range of it.
    pub async fn get(&self, at: &ObjectName, range: Option<GetRange>) -> Result<ObjectBody, ReadError> {
        let set = Arc::clone(self.set_of(at));
        let key = key::object(at);
        match self.look(&set, &key, range).await?.ok_or_else(|| self.no_such(at))? {
            Looked::Whole(small) => Ok(small.body(at)),
            Looked::Found(entry, object) => {
                if !object.tail.files().is_empty() {
                    return self.get_large(set, at, (key, entry, object), range).await;
                }
                match self.get_small(&set, at, (key, entry, object), range).await? {
                    SmallRead::Done(body) => Ok(body),
                    SmallRead::NowLarge(key, entry, object) => {
                        self.get_large(set, at, (key, entry, object), range).await
                    }
                }
            }
        }
    }

    /// Why an object cannot be found.
    fn no_such(&self, at: &ObjectName) -> ReadError {
        match self.inner.buckets.get(&at.bucket) {
            Some(_) => ReadError::NoSuchKey,
            None => ReadError::NoSuchBucket,
        }
    }

    pub(super) async fn find(&self, at: &ObjectName) -> Result<(Bytes, Entry, Object), ReadError> {
        let key = key::object(at);
        let entry = self.set_of(at).log.entry(Space::Object, &key).await?.ok_or_else(|| self.no_such(at))?;
        let object = Object::decode(&entry.value).map_err(unreadable)?;
        Ok((key, entry, object))
    }

    async fn get_large(
        &self,
        set: Arc<Set>,
        at: &ObjectName,
        (key, mut entry, mut object): (Bytes, Entry, Object),
        range: Option<GetRange>,
    ) -> Result<ObjectBody, ReadError> {
        // Pin, then look again: a version still there after the pin cannot be removed under it.
        let (pin, range) = loop {
            let pin = self.inner.healer.pins.pin(object.tail.version, &self.inner.removals);
            let asked = resolve(&object, range)?;
            let piece = only_piece(&object, &asked).filter(|piece| piece.len() <= SHORT_BYTES_MAX);
            match self.look_again(&set, (&key, &entry), piece).await? {
                Again::Read(chunks, share) => {
                    return Ok(Small { object, range: asked, chunks, share }.body(at));
                }
                Again::Same => break (pin, asked),
                Again::Gone => return Err(self.no_such(at)),
                Again::Other(now) => (entry, object) = *now,
            }
            if object.tail.files().is_empty() {
                return match self.get_small(&set, at, (key, entry, object), range).await? {
                    SmallRead::Done(body) => Ok(body),
                    // Small, large, small, large between four lookups: let the caller try again.
                    SmallRead::NowLarge(..) => Err(StorageError::Busy.into()),
                };
            }
        };
        let info = object.info(at.key.clone());
        let share = self.admit(read_bytes(range.end - range.start)).await?;
        let reader = FileReader::new((self.clone(), set, key), &object, &range, pin);
        let chunks = reader.start(share).await?.map_err(ReadError::from).boxed();
        Ok(ObjectBody { info, range, chunks })
    }

    /// Looks whether a pinned version is still current, and reads the piece of it that is asked for where that needs
    /// no drive and no waiting.
    async fn look_again(
        &self,
        set: &Arc<Set>,
        (key, entry): (&Bytes, &Entry),
        piece: Option<Piece>,
    ) -> Result<Again, StorageError> {
        let (core, on, key, seq) = (self.clone(), Arc::clone(set), key.clone(), entry.seq);
        let look = move || {
            let Some(now) = on.log.get(Space::Object, &key)? else { return Ok(Again::Gone) };
            if now.seq != seq {
                let object = Object::decode(&now.value).map_err(unreadable)?;
                return Ok(Again::Other(Box::new((now, object))));
            }
            let Some(piece) = &piece else { return Ok(Again::Same) };
            let Ok(share) = core.admit_now(read_bytes(piece.len() as u64)) else { return Ok(Again::Same) };
            Ok(match read_cached(&core, (&on, &key), piece) {
                Some(chunks) => Again::Read(chunks, share),
                None => Again::Same,
            })
        };
        set.log.read(Weight::Short, look).await
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

/// The bytes a read asks for.
pub(super) fn resolve(object: &Object, range: Option<GetRange>) -> Result<Range<u64>, ReadError> {
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
