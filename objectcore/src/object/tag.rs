//! A change of tags: a new entry of the same version.
//!
//! - T1: the entry that replaces another names the same blobs, so nothing is condemned: whoever condemns a version
//!   does it once, for the last entry that names it.
//! - T2: the change is one of the entry that was read; if that is replaced meanwhile, it begins anew.
//! - T3: an inline object's shards lie in the records, so the new record carries them again.

use std::sync::Arc;

use bytes::Bytes;

use super::key;
use super::receive::inline_shards;
use super::small::{OVERTAKEN_PAUSE, is_overtaken};
use super::value::{Object, Stored};
use crate::bucket::{Gate, unreadable};
use crate::core::{ObjectCore, Set};
use crate::journal::Making;
use crate::memory::{read_bytes, write_bytes};
use crate::name::ObjectName;
use crate::set::{CommitError, Draft, Entry, Expect, Op, Space, Weight};
use crate::types::{ETag, StorageError, TagChange, TagError, Tags};

/// How often it begins anew when the object changes meanwhile.
const TRIES_MAX: usize = 64;

impl ObjectCore {
    /// Changes the tags of an object and nothing else of it: bytes, entity tag and time stay. With `only` it has to
    /// have that entity tag. Answers the tags it has now.
    pub async fn tag(
        &self,
        at: &ObjectName,
        change: TagChange,
        only: Option<ETag>,
    ) -> Result<Tags, TagError> {
        let bucket = self.live_bucket(&at.bucket).map_err(|_| TagError::NoSuchBucket)?;
        let set = Arc::clone(self.set_of(at));
        let bytes = self.inner.settings.inline_bytes_max as u64;
        let most = read_bytes(bytes) + write_bytes(&set.log.coding(), Some(bytes), Some(bytes as usize));
        let share = self.admit(most).await?;
        let (core, key) = (self.clone(), key::object(at));
        let work = async move {
            let _held = share;
            let gate = bucket.hold().await.map_err(|_| TagError::NoSuchBucket)?;
            core.change_tags((&set, *gate), &key, &change, only.as_ref()).await
        };
        self.to_the_end(work).await?
    }

    async fn change_tags(
        &self,
        (set, gate): (&Arc<Set>, Gate),
        key: &Bytes,
        change: &TagChange,
        only: Option<&ETag>,
    ) -> Result<Tags, TagError> {
        for _ in 0..TRIES_MAX {
            let entry = set.log.entry(Space::Object, key).await?.ok_or(TagError::NoSuchKey)?;
            let mut object = Object::decode(&entry.value).map_err(unreadable)?;
            if only.is_some_and(|only| object.head.tag.text() != *only) {
                return Err(TagError::Precondition);
            }
            let tags = change.of(&object.tail.attributes.tags)?;
            if tags == object.tail.attributes.tags {
                return Ok(tags);
            }
            let inline = match self.inline_again(set, (key, &entry, &object)).await? {
                Again::Shards(shards) => Some(shards),
                Again::None => None,
                Again::Overtaken => {
                    tokio::time::sleep(OVERTAKEN_PAUSE).await;
                    continue;
                }
            };
            object.tail.attributes.tags = tags.clone();
            let put = Op::Put { space: Space::Object, key: key.clone(), value: object.encode().into() };
            let expect = vec![(Space::Object, key.clone(), Expect::Seq(entry.seq))];
            let mut draft = Draft { ops: vec![put], expect, inline };
            self.tell(gate, &mut draft, key, Making::Updated(&object));
            match set.log.commit(draft).await {
                Ok(_) => return Ok(tags),
                Err(CommitError::Changed { .. }) => {}
                Err(CommitError::Storage(error)) => return Err(error.into()),
            }
        }
        Err(StorageError::Busy.into())
    }

    /// The shards that the new record carries (T3).
    async fn inline_again(
        &self,
        set: &Arc<Set>,
        (key, entry, object): (&Bytes, &Entry, &Object),
    ) -> Result<Again, StorageError> {
        let Stored::Inline(blob) = object.tail.stored else { return Ok(Again::None) };
        set.applied(entry).await;
        let (core, on, asked) = (self.clone(), Arc::clone(set), (key.clone(), entry.clone(), object.clone()));
        let read = move || {
            let (key, entry, object) = &asked;
            let chunks = core.read_inline(&on, (key, entry, object), &(0..blob.size), None)?;
            Ok(inline_shards(&on, &blob, chunks.concat()))
        };
        match set.log.read(Weight::Short, read).await {
            Ok(shards) => Ok(Again::Shards(shards)),
            // The shards of an entry go when it is replaced.
            Err(error) => match set.log.entry(Space::Object, key).await? {
                Some(now) if now.seq == entry.seq && !is_overtaken(set, key, entry).await? => Err(error),
                Some(_) | None => Ok(Again::Overtaken),
            },
        }
    }
}

/// What the new record carries beside the entry.
enum Again {
    None,
    Shards(Vec<Bytes>),
    /// The entry was replaced while its shards were read.
    Overtaken,
}
