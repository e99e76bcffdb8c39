//! A bucket of made-up objects, and processes that make inventories of it and may be killed.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::TryStreamExt as _;
use object_store::ObjectStore as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::{Value, json};
use tarn_catalog::Catalog;
use tarn_openapi::access::{Action, Resource};
use uuid::Uuid;

use super::store::{Buckets, Disks, Fate};
use crate::jobs::{
    Author, Context, Definition, Ended, Hold, Priority, Progress, Rights, Schedule, Stopped, Work as _,
    WorkError,
};
use crate::report::{Inventory, Spec};
use crate::scan::{
    ChecksumAlgorithm, ETag, ObjectAttributes, ObjectScan, Objects, Scan, ScanError, ScanOptions,
};

/// When runs begin: 2026-11-21T13:30:05.250Z.
pub(super) const STARTED_MS: i64 = 1_795_267_805_250;
/// Bytes of a part, so that small files have several.
const PART_BYTES: usize = 4 << 10;

/// An object of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) size: u64,
    pub(super) modified_ms: i64,
    pub(super) etag: ETag,
    pub(super) checksum: Option<ChecksumAlgorithm>,
    pub(super) user_metadata: Vec<(String, String)>,
    pub(super) tags: Vec<(String, String)>,
}

impl Row {
    pub(super) fn numbered(number: u64) -> Self {
        let digest = (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let parts = number.is_multiple_of(7).then_some((number % 9_999 + 1) as u16);
        Self {
            size: number.wrapping_mul(7919) % 1_000_000,
            modified_ms: STARTED_MS - (number % 1000) as i64 * 86_400_000 - number as i64 % 977,
            etag: ETag { digest: digest.to_be_bytes(), parts, is_multipart: parts.is_some() },
            checksum: number.is_multiple_of(3).then_some(ChecksumAlgorithm::Crc64Nvme),
            user_metadata: Vec::new(),
            tags: Vec::new(),
        }
    }
}

/// The objects of the source, in the order of their keys.
pub(super) type Rows = BTreeMap<String, Row>;

pub(super) fn rows(count: u64) -> Rows {
    let key = |number: u64| match number % 5 {
        0 => format!("logs/2026/{number:07} with space+plus.txt"),
        1 => format!("data/year=2026/{number:07}.parquet"),
        2 => format!("images/\u{e4}\u{f6}/{number:07}.jpg"),
        3 => format!("quotes/\"{number:07}\",\n.csv"),
        _ => format!("z/{number:07}/%2F\\"),
    };
    (0..count).map(|number| (key(number), Row::numbered(number))).collect()
}

/// A scan of a map. Each batch is read when it is asked for.
pub(super) struct MapScans {
    pub(super) rows: Arc<Mutex<Rows>>,
    pub(super) batch: usize,
    pub(super) fate: Arc<Fate>,
}

struct MapScan {
    rows: Arc<Mutex<Rows>>,
    options: ScanOptions,
    batch: usize,
    fate: Arc<Fate>,
}

#[async_trait]
impl ObjectScan for MapScans {
    async fn scan(&self, bucket: &str, options: &ScanOptions) -> Result<Box<dyn Scan>, ScanError> {
        self.fate.step().await;
        if bucket != "source" {
            return Err(ScanError::NoSuchBucket(bucket.into()));
        }
        let (rows, fate) = (Arc::clone(&self.rows), Arc::clone(&self.fate));
        Ok(Box::new(MapScan { rows, options: options.clone(), batch: self.batch, fate }))
    }
}

#[async_trait]
impl Scan for MapScan {
    async fn next(&mut self) -> Result<Option<Objects>, ScanError> {
        self.fate.step().await;
        let rows = self.rows.lock().unwrap();
        let from = match &self.options.after {
            Some(after) if *after >= self.options.prefix => Bound::Excluded(after.as_str()),
            Some(_) | None => Bound::Included(self.options.prefix.as_str()),
        };
        let found = rows.range::<str, _>((from, Bound::Unbounded));
        let found = found.take_while(|(key, _)| key.starts_with(&self.options.prefix)).take(self.batch);
        let mut objects = Objects::default();
        for (key, row) in found {
            objects.keys.push_str(key);
            objects.key_ends.push(objects.keys.len() as u32);
            objects.sizes.push(row.size);
            objects.modified_ms.push(row.modified_ms);
            objects.etags.push(row.etag);
            objects.checksums.push(row.checksum);
            objects.attributes.push(ObjectAttributes {
                content_type: None,
                user_metadata: row.user_metadata.clone(),
                tags: row.tags.clone(),
            });
        }
        let Some(last) = objects.len().checked_sub(1) else { return Ok(None) };
        self.options.after = Some(objects.key(last).to_owned());
        Ok(Some(objects))
    }

    fn began_ms(&self) -> i64 {
        STARTED_MS + 5
    }
}

/// Keeps checkpoints, and stops a run when it is told to.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) checkpoint: Mutex<Option<Value>>,
    pub(super) stop: Mutex<Option<Stopped>>,
}

struct Holding {
    kept: Arc<Kept>,
    fate: Arc<Fate>,
}

#[async_trait]
impl Hold for Holding {
    async fn keep(&self, checkpoint: &Value) -> Result<(), WorkError> {
        self.fate.step().await;
        if let Some(stopped) = *self.kept.stop.lock().unwrap() {
            return Err(stopped.into());
        }
        *self.kept.checkpoint.lock().unwrap() = Some(checkpoint.clone());
        self.fate.step().await;
        Ok(())
    }

    async fn pace(&self, _items: u64, _bytes: u64) -> Result<(), Stopped> {
        self.fate.step().await;
        self.kept.stop.lock().unwrap().map_or(Ok(()), Err)
    }
}

/// Rights to all but what is named.
#[derive(Default)]
pub(super) struct AllBut(pub(super) Vec<Action>, pub(super) AtomicBool);

/// A key that nobody may read.
pub(super) const SEALED: &str = "data/sealed";

impl Rights for AllBut {
    fn may(&self, _author: &Author, action: Action, resource: Resource<'_>) -> bool {
        let is_sealed =
            action == Action::GetObject && matches!(resource, Resource::Object(_, key) if key == SEALED);
        !is_sealed && !self.1.load(Ordering::SeqCst) && !self.0.contains(&action)
    }
}

/// A source, a destination and one run.
pub(super) struct World {
    pub(super) rows: Arc<Mutex<Rows>>,
    pub(super) disks: Arc<Disks>,
    pub(super) kept: Arc<Kept>,
    pub(super) rights: Arc<AllBut>,
    /// Not killed with a process: its own survival is proved elsewhere.
    pub(super) catalog: Catalog,
    pub(super) run: Uuid,
    pub(super) progress: Arc<Progress>,
}

impl World {
    pub(super) async fn new(rows: Rows) -> Self {
        let disks = Disks::default();
        for bucket in ["source", "reports"] {
            disks.buckets.lock().unwrap().insert(bucket.into(), Arc::default());
        }
        let disks = Arc::new(disks);
        let stores = Arc::new(Buckets { disks: Arc::clone(&disks), fate: Fate::never() });
        let (log, settings) = (Arc::new(InMemory::new()), tarn_catalog::Settings::default());
        let catalog = Catalog::open(log, Path::from("log"), stores, settings).await.unwrap();
        Self {
            rows: Arc::new(Mutex::new(rows)),
            disks,
            catalog,
            kept: Arc::default(),
            rights: Arc::default(),
            run: Uuid::from_u128(0x51),
            progress: Arc::default(),
        }
    }

    /// A process.
    pub(super) fn inventory(&self, fate: &Arc<Fate>) -> Inventory {
        let scans = MapScans { rows: Arc::clone(&self.rows), batch: 64, fate: Arc::clone(fate) };
        let stores = Arc::new(Buckets { disks: Arc::clone(&self.disks), fate: Arc::clone(fate) });
        Inventory::new(Arc::new(scans), stores.clone(), self.catalog.clone(), self.rights.clone())
            .with_parts(stores, PART_BYTES)
    }

    pub(super) fn context(&self, spec: &Spec, fate: &Arc<Fate>) -> Context {
        let definition = Definition {
            name: format!("{}/{}", spec.bucket, spec.id),
            kind: "inventory".into(),
            spec: serde_json::to_value(spec).unwrap(),
            schedule: Schedule::Once,
            enabled: true,
            author: author(),
            priority: Priority::Normal,
            items_per_second_max: None,
            created_ms: 0,
            changed_ms: 0,
        };
        Context {
            definition: Arc::new(definition),
            run: self.run,
            started_ms: STARTED_MS,
            checkpoint: self.kept.checkpoint.lock().unwrap().clone(),
            progress: Arc::clone(&self.progress),
            rights: self.rights.clone(),
            hold: Arc::new(Holding { kept: Arc::clone(&self.kept), fate: Arc::clone(fate) }),
        }
    }

    /// Runs until it is done, or for good until `fate` strikes: then `None`.
    pub(super) async fn run(&self, spec: &Spec, fate: &Arc<Fate>) -> Option<Result<Value, WorkError>> {
        let (inventory, context) = (self.inventory(fate), self.context(spec, fate));
        tokio::select! {
            biased;
            () = fate.dead.notified() => None,
            done = crate::jobs::Work::run(&inventory, &context) => Some(done),
        }
    }

    /// Runs to the end.
    pub(super) async fn complete(&self, spec: &Spec) -> Value {
        self.run(spec, &Fate::never()).await.unwrap().unwrap()
    }

    /// Discards the run; `None` when `fate` strikes.
    pub(super) async fn discard(&self, spec: &Spec, end: Ended, fate: &Arc<Fate>) -> Option<()> {
        let (inventory, context) = (self.inventory(fate), self.context(spec, fate));
        tokio::select! {
            biased;
            () = fate.dead.notified() => None,
            done = inventory.discard(&context, end) => done.ok(),
        }
    }

    /// The keys in the destination.
    pub(super) async fn keys(&self) -> Vec<String> {
        self.keys_in("reports").await
    }

    pub(super) async fn keys_in(&self, bucket: &str) -> Vec<String> {
        let store = self.disks.buckets.lock().unwrap()[bucket].clone();
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        let mut keys: Vec<String> = listed.into_iter().map(|file| file.location.to_string()).collect();
        keys.sort_unstable();
        keys
    }

    pub(super) async fn bytes(&self, key: &str) -> Vec<u8> {
        self.bytes_in("reports", key).await
    }

    pub(super) async fn bytes_in(&self, bucket: &str, key: &str) -> Vec<u8> {
        use object_store::ObjectStoreExt as _;
        let store = self.disks.buckets.lock().unwrap()[bucket].clone();
        store.get(&key.into()).await.unwrap().bytes().await.unwrap().to_vec()
    }
}

pub(super) fn author() -> Author {
    Author { key: None, fingerprint: None }
}

/// A specification with all fields.
pub(super) fn spec(format: &str, compression: &str, layout: &str) -> Spec {
    let fields = [
        "Size",
        "LastModifiedDate",
        "ETag",
        "StorageClass",
        "IsMultipartUploaded",
        "ReplicationStatus",
        "EncryptionStatus",
        "ObjectLockRetainUntilDate",
        "ChecksumAlgorithm",
    ];
    let spec = json!({
        "bucket": "source", "id": "daily", "fields": fields, "versions": "all",
        "destination": {
            "bucket": "reports", "prefix": "inv", "format": format, "compression": compression,
            "layout": layout, "file_bytes_hint": 1 << 20,
        },
    });
    serde_json::from_value(spec).unwrap()
}
