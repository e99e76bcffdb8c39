//! Small objects: their shards lie in log records, so entry and bytes are had in one step.
//!
//! - L1: that step takes its share of the memory before it reads bytes, and only if it can be had at once. Whatever
//!   else is in the way is left to the slower path, which waits and tries again.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::flow::damaged;
use super::get::resolve;
use super::shards::InlineShards;
use super::value::{Object, Stored};
use crate::bucket::unreadable;
use crate::core::{ObjectCore, Set};
use crate::erasure::window::Window;
use crate::memory::Share;
use crate::name::ObjectName;
use crate::set::{Entry, Located, Space, Weight};
use crate::types::{GetRange, ObjectBody, ReadError, StorageError};

/// How often a small object is read again when it is overwritten meanwhile.
const TRIES_MAX: usize = 1000;
pub(super) const OVERTAKEN_PAUSE: Duration = Duration::from_millis(1);

/// What one step gives.
pub(super) enum Looked {
    Whole(Small),
    Found(Entry, Object),
}

/// What was read of an object at once.
pub(super) struct Small {
    pub(super) object: Object,
    pub(super) range: Range<u64>,
    pub(super) chunks: Vec<Bytes>,
    pub(super) share: Option<Share>,
}

pub(super) enum SmallRead {
    Done(ObjectBody),
    /// It was overwritten by a large one meanwhile.
    NowLarge(Bytes, Entry, Object),
}

impl Small {
    pub(super) fn body(self, at: &ObjectName) -> ObjectBody {
        let Self { object, range, chunks, share } = self;
        let held = stream::iter(chunks).map(move |bytes| {
            let _held = &share;
            Ok(bytes)
        });
        ObjectBody { info: object.info(at.key.clone()), range, chunks: held.boxed() }
    }
}

impl ObjectCore {
    /// Looks an object up and reads it at once where it is small and nothing is in the way (L1).
    pub(super) async fn look(
        &self,
        set: &Arc<Set>,
        key: &Bytes,
        range: Option<GetRange>,
    ) -> Result<Option<Looked>, StorageError> {
        let (core, on, key) = (self.clone(), Arc::clone(set), key.clone());
        let look = move || {
            let Some((entry, located)) = on.log.get_located(Space::Object, &key)? else { return Ok(None) };
            let object = Object::decode(&entry.value).map_err(unreadable)?;
            Ok(Some(match core.read_now(&on, (&key, &entry, &object), &located, range) {
                Some((range, chunks, share)) => Looked::Whole(Small { object, range, chunks, share }),
                None => Looked::Found(entry, object),
            }))
        };
        set.log.read(Weight::Short, look).await
    }

    /// Blocking.
    fn read_now(
        &self,
        set: &Set,
        (key, entry, object): (&Bytes, &Entry, &Object),
        located: &Located,
        range: Option<GetRange>,
    ) -> Option<(Range<u64>, Vec<Bytes>, Option<Share>)> {
        if !object.tail.files().is_empty() || !set.log.is_applied(entry.seq) {
            return None;
        }
        let range = resolve(object, range).ok()?;
        let share = self.admit_now(object.head.size).ok()?;
        let chunks = self.read_inline(set, (key, entry, object), &range, Some(located)).ok()?;
        Some((range, chunks, share))
    }

    pub(super) async fn get_small(
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
            let (core, on, asked) =
                (self.clone(), Arc::clone(set), (key.clone(), entry.clone(), range.clone()));
            let found = Arc::new(object);
            let of = Arc::clone(&found);
            let read = move || core.read_inline(&on, (&asked.0, &asked.1, &of), &asked.2, None);
            let read = set.log.read(Weight::Short, read).await;
            let (now_key, now, then) = match read {
                Ok(chunks) => {
                    let object = Arc::unwrap_or_clone(found);
                    return Ok(SmallRead::Done(Small { object, range, chunks, share }.body(at)));
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

    /// Blocking.
    pub(super) fn read_inline(
        &self,
        set: &Set,
        (key, entry, object): (&Bytes, &Entry, &Object),
        range: &Range<u64>,
        known: Option<&Located>,
    ) -> Result<Vec<Bytes>, StorageError> {
        let (Stored::Inline(blob), false) = (&object.tail.stored, range.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut chunks = Vec::new();
        let mut source = InlineShards::new(set, blob, (Space::Object, key, entry)).known_at(known);
        let mut window = Window::new(&set.codec, blob, 0, &mut source);
        let read = window.read(range.start as usize..range.end as usize, &mut chunks);
        let bad = window.bad();
        if source.is_short() {
            return read.map(|()| chunks).map_err(|_| StorageError::Busy);
        }
        if !bad.is_empty() && !set.log.is_overtaken(Space::Object, key, entry) {
            self.report(set, key, (blob, bad));
        }
        read.map(|()| chunks).map_err(damaged)
    }
}

pub(super) async fn is_overtaken(set: &Arc<Set>, key: &Bytes, entry: &Entry) -> Result<bool, StorageError> {
    let (on, key, entry) = (Arc::clone(set), key.clone(), entry.clone());
    set.log.read(Weight::Short, move || Ok(on.log.is_overtaken(Space::Object, &key, &entry))).await
}
