use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use futures::TryStreamExt as _;
use jiff::Timestamp;
use object_store::memory::InMemory;
use tarn_openapi::access::{PrefixAccess, Presence, TableFiles};
use uuid::Uuid;

use super::*;
use crate::table::{
    Column, DataFile, DataType, Deletes, ListBuilder, Metadata, OWN_BUCKET, OWN_WINDOW, Place, Schema,
};

const TABLE: Uuid = Uuid::from_u128(7);
const HOUR_MS: i64 = 60 * 60 * 1000;

/// A version of this many files at `bucket`, each with a vector and statistics.
fn version(files: usize, bucket: &str) -> Arc<TableVersion> {
    let column = Column::new("id", DataType::primitive("long"), true).mapped(1, "col-1");
    let metadata = Metadata {
        id: TABLE.to_string(),
        description: None,
        schema: Schema { fields: vec![column] },
        partition_columns: Vec::new(),
        configuration: BTreeMap::new(),
        created_ms: Some(1),
    };
    let stats = format!("{{\"numRecords\":3,\"x\":\"{}\"}}", "x".repeat(500));
    let vector = format!("sharing/vectors/{TABLE}/v");
    let mut list = ListBuilder::default();
    for number in 0..files {
        let key = format!("sales/orders/data/p=a b/{number}%.parquet");
        let at = Place { bucket: OWN_BUCKET, key: &vector };
        list.push(&DataFile {
            at: Place { bucket, key: &key },
            size: 10,
            modified_ms: 5,
            partition_values: Vec::new(),
            stats: Some(&stats),
            records: Some(3),
            hidden: Vec::new(),
            deletes: Some(Deletes { at, file_size: 99, offset: 1, size: 40, cardinality: 2 }),
        });
    }
    Arc::new(TableVersion {
        version: 4,
        timestamp_ms: 0,
        metadata: Arc::new(metadata),
        features: BTreeSet::new(),
        plain: Ok(()),
        hidden: [].into(),
        files: list.finish(),
    })
}

struct World {
    store: Arc<InMemory>,
    logs: Logs,
    place: LogPlace,
    opened: Vec<Prefix>,
    /// How often the version was asked for.
    loads: AtomicU64,
    now_ms: i64,
}

impl World {
    fn new() -> Self {
        let store = Arc::new(InMemory::new());
        let place = LogPlace::new(TABLE, "as it is");
        let files = TableFiles {
            prefixes: [Prefix::new("main", "sales/orders", PrefixAccess::Read).unwrap()].into(),
            warehouse: "main".into(),
            levels: ["sales".to_owned()].into(),
            name: "orders".into(),
            uuid: TABLE.as_u128(),
            presence: Presence::There,
        };
        let opened = place.opened(&files);
        let now_ms = Timestamp::now().as_millisecond();
        Self { logs: Logs::new(store.clone()), store, place, opened, loads: AtomicU64::new(0), now_ms }
    }

    async fn keep(&self, version: &Arc<TableVersion>, later_ms: i64) -> Result<(), Arc<TableError>> {
        let load = async {
            self.loads.fetch_add(1, Ordering::SeqCst);
            Ok(version.clone())
        };
        self.logs.keep((&self.place, 4), &self.opened, self.now_ms + later_ms, load).await
    }

    async fn objects(&self) -> Vec<Path> {
        self.store.list(None).map_ok(|object| object.location).try_collect().await.unwrap()
    }

    async fn log(&self) -> Bytes {
        self.store.get(&Path::from(self.place.key(4))).await.unwrap().bytes().await.unwrap()
    }
}

#[tokio::test]
async fn a_log_names_files_by_links_in_its_directory() {
    let world = World::new();
    world.keep(&version(2, "main"), 0).await.unwrap();
    let log = String::from_utf8(world.log().await.to_vec()).unwrap();
    assert_eq!(log.lines().count(), 4);
    for named in [
        r#""path":"files/main/sales/orders/data/p=a%20b/1%25.parquet""#.to_owned(),
        format!(
            r#""storageType":"p","pathOrInlineDv":"{}/files/{OWN_WINDOW}/sharing/vectors/{TABLE}/v""#,
            world.place.root(4)
        ),
    ] {
        assert!(log.contains(&named), "{named} in {log}");
    }
}

#[tokio::test]
async fn a_long_log_goes_in_parts_and_is_whole() {
    let world = World::new();
    let long = version(20_000, "main");
    world.keep(&long, 0).await.unwrap();
    let log = String::from_utf8(world.log().await.to_vec()).unwrap();
    assert!(log.len() > 2 * PART_BYTES, "{}", log.len());
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 20_002);
    for (number, line) in lines[2..].iter().enumerate() {
        let add: serde_json::Value = serde_json::from_str(line).unwrap();
        let path = format!("files/main/sales/orders/data/p=a%20b/{number}%25.parquet");
        assert_eq!(add["add"]["path"], path);
    }
}

#[tokio::test]
async fn a_log_is_written_by_one_and_again_when_it_is_old() {
    let world = World::new();
    let version = version(1, "main");
    let all = futures::future::join_all((0..8).map(|_| world.keep(&version, 0))).await;
    assert!(all.into_iter().all(|kept| kept.is_ok()));
    world.keep(&version, 3 * HOUR_MS).await.unwrap();
    assert_eq!(world.loads.load(Ordering::SeqCst), 1);
    world.keep(&version, 5 * HOUR_MS).await.unwrap();
    assert_eq!(world.loads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_table_with_a_file_that_the_session_would_not_open_has_no_log() {
    let world = World::new();
    let kept = world.keep(&version(20_000, "other"), 0).await;
    assert!(matches!(*kept.unwrap_err(), TableError::Unsupported(_)));
    assert_eq!(world.objects().await, []);
}

#[tokio::test]
async fn logs_are_removed_when_no_session_may_read_them_any_more() {
    let world = World::new();
    world.keep(&version(1, "main"), 0).await.unwrap();
    let beside = Path::from("sharing/vectors/t/v");
    world.store.put(&beside, "x".into()).await.unwrap();
    assert_eq!(world.logs.sweep(world.now_ms + 23 * HOUR_MS).await.unwrap(), SweptLogs::default());
    let swept = world.logs.sweep(world.now_ms + 25 * HOUR_MS).await.unwrap();
    assert_eq!(swept.logs, 1);
    assert_eq!(world.objects().await, [beside]);
}
