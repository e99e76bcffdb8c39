//! Buckets: entries of set 0, all kept in memory too.
//!
//! - U1: a write into a bucket commits under the bucket's gate, shared; a bucket is deleted under the
//!   gate, alone. So no object outlives its bucket.
//! - U2: a bucket is in memory exactly while its entry is durable; the system bucket always is.
//! - U3: whether changes of a bucket are told is decided under its gate too: it is the same for all of a commit, and
//!   changes only when none is under way.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::{Mutex, RwLockReadGuard};

use crate::core::{ObjectCore, Set, now};
use crate::name::BucketName;
use crate::object::{key, value};
use crate::set::{CommitError, Draft, Expect, Op, Space};
use crate::types::{BucketError, BucketInfo, Millis, NoSuchBucket, StorageError};

/// All buckets.
pub(crate) struct Buckets {
    known: RwLock<BTreeMap<BucketName, Arc<BucketState>>>,
    /// Held while a bucket is created or deleted.
    changing: Mutex<()>,
}

/// A bucket that exists, or did a moment ago.
pub(crate) struct BucketState {
    pub(crate) info: BucketInfo,
    gate: tokio::sync::RwLock<Gate>,
}

/// What commits into a bucket depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    /// `false` once the bucket is deleted.
    exists: bool,
    /// Whether changes of its objects are told (U3).
    pub(crate) watched: bool,
}

impl BucketState {
    fn new(name: BucketName, bucket: value::Bucket) -> Arc<Self> {
        let value::Bucket { created, watched } = bucket;
        let gate = tokio::sync::RwLock::new(Gate { exists: true, watched });
        Arc::new(Self { info: BucketInfo { name, created }, gate })
    }

    /// Keeps the bucket from being deleted while the guard lives (U1).
    pub(crate) async fn hold(&self) -> Result<RwLockReadGuard<'_, Gate>, NoSuchBucket> {
        let gate = self.gate.read().await;
        if gate.exists { Ok(gate) } else { Err(NoSuchBucket) }
    }
}

impl Buckets {
    pub(crate) fn load(set: &Set) -> Result<Self, StorageError> {
        let mut known = BTreeMap::new();
        let system = BucketName::system();
        known.insert(
            system.clone(),
            BucketState::new(system, value::Bucket { created: Millis(0), watched: false }),
        );
        let mut from = Bound::Unbounded;
        loop {
            let page = set.log.scan(Space::Bucket, from, 1000)?;
            let Some((last, _)) = page.last() else { break };
            from = Bound::Excluded(last.clone());
            for (key, entry) in page {
                let name = std::str::from_utf8(&key).ok().and_then(|name| BucketName::new(name).ok());
                let bucket = value::Bucket::decode(&entry.value).map_err(unreadable)?;
                let name = name.ok_or_else(|| unreadable(value::InvalidValue::Key))?;
                known.insert(name.clone(), BucketState::new(name, bucket));
            }
        }
        Ok(Self { known: RwLock::new(known), changing: Mutex::new(()) })
    }

    pub(crate) fn get(&self, name: &BucketName) -> Option<Arc<BucketState>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn insert(&self, state: Arc<BucketState>) {
        let name = state.info.name.clone();
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(name, state);
    }

    fn remove(&self, name: &BucketName) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn len(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A stored value that cannot be read, as an error of the store.
pub(crate) fn unreadable(error: value::InvalidValue) -> StorageError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    StorageError::Io { context: "an entry cannot be read".to_owned(), source }
}

impl ObjectCore {
    /// Creates a bucket.
    pub async fn create_bucket(&self, name: &BucketName) -> Result<BucketInfo, BucketError> {
        let (core, name) = (self.clone(), name.clone());
        self.to_the_end(async move { core.create_bucket_to_the_end(name).await }).await?
    }

    async fn create_bucket_to_the_end(&self, name: BucketName) -> Result<BucketInfo, BucketError> {
        let buckets = &self.inner.buckets;
        let _changing = buckets.changing.lock().await;
        if buckets.get(&name).is_some() {
            return Err(BucketError::Exists);
        }
        let limit = self.inner.settings.buckets_max;
        // The system bucket is not counted.
        if buckets.len() > limit {
            return Err(BucketError::TooMany { limit });
        }
        let bucket = value::Bucket { created: now(), watched: false };
        let key = Bytes::copy_from_slice(name.as_str().as_bytes());
        let value = bucket.encode().into();
        let draft = Draft {
            ops: vec![Op::Put { space: Space::Bucket, key: key.clone(), value }],
            expect: vec![(Space::Bucket, key, Expect::Absent)],
            inline: None,
        };
        match self.inner.sets[0].log.commit(draft).await {
            Ok(_) => {
                let state = BucketState::new(name, bucket);
                buckets.insert(Arc::clone(&state));
                Ok(state.info.clone())
            }
            Err(CommitError::Changed { .. }) => Err(BucketError::Exists),
            Err(CommitError::Storage(error)) => Err(error.into()),
        }
    }

    /// Deletes an empty bucket.
    pub async fn delete_bucket(&self, name: &BucketName) -> Result<(), BucketError> {
        let (core, name) = (self.clone(), name.clone());
        self.to_the_end(async move { core.delete_bucket_to_the_end(name).await }).await?
    }

    async fn delete_bucket_to_the_end(&self, name: BucketName) -> Result<(), BucketError> {
        let buckets = &self.inner.buckets;
        let _changing = buckets.changing.lock().await;
        if name.is_system() {
            return Err(BucketError::NotEmpty);
        }
        let state = buckets.get(&name).ok_or(BucketError::NoSuchBucket)?;
        let mut gate = state.gate.write().await;
        if !self.is_empty(&name).await? {
            return Err(BucketError::NotEmpty);
        }
        let key = Bytes::copy_from_slice(name.as_str().as_bytes());
        let draft =
            Draft { ops: vec![Op::Delete { space: Space::Bucket, key }], expect: Vec::new(), inline: None };
        match self.inner.sets[0].log.commit(draft).await {
            Ok(_) => {
                gate.exists = false;
                buckets.remove(&name);
                Ok(())
            }
            Err(CommitError::Changed { .. }) => Err(StorageError::Unknown.into()),
            Err(CommitError::Storage(error)) => Err(error.into()),
        }
    }

    /// Begins or ends to tell of changes of a bucket's objects ([`ObjectCore::changes`]): of every write that begins
    /// after the answer. Answers whether it was so before; that costs nothing when it stays.
    pub async fn watch(&self, name: &BucketName, watched: bool) -> Result<bool, BucketError> {
        // The system bucket has no entry that could say so.
        let known = self.inner.buckets.get(name).filter(|_| !name.is_system());
        let state = known.ok_or(BucketError::NoSuchBucket)?;
        if state.hold().await.map_err(|_| BucketError::NoSuchBucket)?.watched == watched {
            return Ok(watched);
        }
        let (core, name) = (self.clone(), name.clone());
        self.to_the_end(async move { core.watch_to_the_end(name, watched).await }).await?
    }

    async fn watch_to_the_end(&self, name: BucketName, watched: bool) -> Result<bool, BucketError> {
        let buckets = &self.inner.buckets;
        let _changing = buckets.changing.lock().await;
        let state = buckets.get(&name).ok_or(BucketError::NoSuchBucket)?;
        let mut gate = state.gate.write().await;
        if gate.watched == watched {
            return Ok(watched);
        }
        let key = Bytes::copy_from_slice(name.as_str().as_bytes());
        let value = value::Bucket { created: state.info.created, watched }.encode().into();
        let draft = Draft {
            ops: vec![Op::Put { space: Space::Bucket, key: key.clone(), value }],
            expect: vec![(Space::Bucket, key, Expect::Present)],
            inline: None,
        };
        match self.inner.sets[0].log.commit(draft).await {
            Ok(_) => {
                gate.watched = watched;
                Ok(!watched)
            }
            Err(CommitError::Changed { .. }) => Err(StorageError::Unknown.into()),
            Err(CommitError::Storage(error)) => Err(error.into()),
        }
    }

    /// Whether the bucket holds neither objects nor uploads.
    async fn is_empty(&self, name: &BucketName) -> Result<bool, StorageError> {
        let prefix = key::in_bucket(name, b"");
        for set in self.inner.sets.iter() {
            for space in [Space::Object, Space::Upload] {
                let first = set.log.entries(space, Bound::Included(prefix.clone()), 1).await?;
                if first.iter().any(|(key, _)| key.starts_with(&prefix)) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The bucket of that name, from memory.
    pub fn bucket(&self, name: &BucketName) -> Option<BucketInfo> {
        self.inner.buckets.get(name).map(|state| state.info.clone())
    }

    /// All buckets but the system's, sorted by name.
    pub fn buckets(&self) -> Vec<BucketInfo> {
        let known = self.inner.buckets.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().filter(|state| !state.info.name.is_system()).map(|state| state.info.clone()).collect()
    }
}
