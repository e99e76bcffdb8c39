//! The objects a batch is to do, one after the other: those of a bucket that its rules let through, or those of a list.

mod bucket;
mod list;
mod parquet;
mod query;
mod remote;

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use tarn_catalog::WarehouseStores;

use self::bucket::InBucket;
pub(super) use self::bucket::count;
use self::list::InList;
pub(super) use self::query::{Frozen, check as check_query, freeze};
use self::remote::InRemote;
use super::outside::Remote;
use super::spec::{Manifest, Spec};
use crate::jobs::{Context, WorkError};
use crate::scan::ObjectScan;

/// An object to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) bucket: String,
    pub(super) key: String,
    /// Of the version that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    #[serde(default)]
    pub(super) size: u64,
}

/// How far the objects were gone through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Position {
    /// Behind this key.
    After(String),
    /// At this line of this file.
    Line { file: usize, line: u64 },
}

/// Some of the objects.
pub(super) struct Chunk {
    pub(super) tasks: Vec<Task>,
    /// Where they end.
    pub(super) end: Option<Position>,
    /// Whether there are no more.
    pub(super) is_last: bool,
}

/// Where tasks come from.
pub(super) enum Tasks {
    Bucket(InBucket),
    List(InList),
    Remote(InRemote),
}

/// What tasks are found with.
pub(super) struct Finding<'a> {
    pub(super) scans: &'a dyn ObjectScan,
    pub(super) stores: &'a dyn WarehouseStores,
    /// The other server, where the objects are there.
    pub(super) remote: Option<Arc<dyn Remote>>,
    /// The answer of the batch's query, where it has one.
    pub(super) frozen: Option<(Arc<dyn ObjectStore>, Vec<String>)>,
    /// When the run began, in milliseconds since 1970.
    pub(super) started_ms: i64,
}

impl Tasks {
    /// Those behind `at`.
    pub(super) async fn open(
        spec: &Spec,
        with: Finding<'_>,
        at: Option<&Position>,
    ) -> Result<Self, WorkError> {
        if let Some(remote) = with.remote {
            return InRemote::open(spec, remote, at, with.started_ms).map(Self::Remote);
        }
        match (&spec.manifest, with.frozen) {
            (Some(Manifest::List(list)), _) => {
                InList::open(list, with.stores.store(&list.bucket), at).await.map(Self::List)
            }
            (Some(Manifest::Query(_)), Some((store, names))) => {
                InList::of_answer(store, names, at).await.map(Self::List)
            }
            (Some(Manifest::Query(_)), None) => Err(fatal("the query of the batch was not answered".into())),
            (None, _) => InBucket::open(spec, with.scans, at, with.started_ms).await.map(Self::Bucket),
        }
    }

    /// Up to `max` of the next.
    pub(super) async fn next(
        &mut self,
        max: usize,
        spec: &Spec,
        context: &Context,
    ) -> Result<Chunk, WorkError> {
        match self {
            Self::Bucket(tasks) => tasks.next(max, spec, context).await,
            Self::List(tasks) => tasks.next(max, spec, context).await,
            Self::Remote(tasks) => tasks.next(max, spec, context).await,
        }
    }
}

/// The tasks of a file that this server wrote, one JSON document a line.
pub(super) async fn read_tasks(store: &dyn ObjectStore, key: &str) -> Result<Vec<Task>, WorkError> {
    let found = store.get(&path(key)?).await.map_err(|error| store_error(key, error))?;
    let bytes = found.bytes().await.map_err(|error| store_error(key, error))?;
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let tasks: Result<Vec<Task>, _> = lines.map(serde_json::from_slice).collect();
    tasks.map_err(|error| fatal(format!("{key} cannot be read: {error}")))
}

async fn read(store: &dyn ObjectStore, key: &str, most: u64) -> Result<Bytes, WorkError> {
    let found = store.get(&path(key)?).await.map_err(|error| store_error(key, error))?;
    if found.meta.size > most {
        return Err(fatal(format!("{key} has {} bytes; {most} are allowed", found.meta.size)));
    }
    found.bytes().await.map_err(|error| store_error(key, error))
}

pub(super) fn path(key: &str) -> Result<Path, WorkError> {
    Path::parse(key).map_err(|error| fatal(format!("{key} cannot be a key here: {error}")))
}

pub(super) fn store_error(key: &str, error: object_store::Error) -> WorkError {
    match error {
        object_store::Error::NotFound { .. } => fatal(format!("{key} does not exist")),
        error => WorkError::Retry(format!("{key} could not be read or written"), Some(Box::new(error))),
    }
}

pub(super) fn fatal(message: String) -> WorkError {
    WorkError::Fatal(message, None)
}
