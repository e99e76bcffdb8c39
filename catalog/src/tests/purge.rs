//! What a purge deletes and what it leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::log::testing::{Fault, FaultyStore};
use crate::metadata::Schema;
use crate::state::{Conflict, CreateTable, DropTable, Existing, Properties, Purge, Request};
use crate::testing::{MemoryWarehouses, change, ident, open, open_at, set_up, settings};
use crate::{Catalog, CommitError, WarehouseStores as _};

/// Stores in memory tell the real time, which is before this.
const LATE: i64 = 4_000_000_000_000;

async fn catalog() -> (Catalog, Arc<InMemory>, Arc<MemoryWarehouses>) {
    let (log, warehouses) = (Arc::new(InMemory::new()), Arc::new(MemoryWarehouses::default()));
    let catalog = open_at(log.clone(), warehouses.clone(), settings(), (1, LATE)).await.unwrap();
    set_up(&catalog).await;
    (catalog, log, warehouses)
}

async fn drop_table(catalog: &Catalog, purge: Purge) {
    catalog.commit(Request::DropTable(DropTable::asked(ident("orders"), purge, 0))).await.unwrap();
}

/// Purges what is to be purged.
async fn purges_end(catalog: &Catalog) {
    let mut changes = catalog.watch();
    catalog.start_purging().await;
    while catalog.snapshot().purges().next().is_some() {
        changes.changed().await.unwrap();
    }
}

fn create(name: &str, location: Option<&str>) -> Request {
    let schema = serde_json::json!({"type": "struct", "fields": []});
    Request::CreateTable(CreateTable {
        ident: ident(name),
        schema: Arc::new(Schema::from_json(schema).unwrap()),
        spec: None,
        order: None,
        location: location.map(str::to_owned),
        properties: Properties::new(),
    })
}

async fn create_at(catalog: &Catalog, name: &str, location: Option<&str>) -> String {
    let committed = catalog.commit(create(name, location)).await.unwrap();
    committed.tables[0].metadata.location().trim_start_matches("s3://main/").to_owned()
}

async fn put(warehouses: &MemoryWarehouses, key: &str) {
    warehouses.store("main").put(&Path::from(key), "data".into()).await.unwrap();
}

async fn keys(warehouses: &MemoryWarehouses) -> Vec<String> {
    let mut keys: Vec<String> = warehouses
        .store("main")
        .list(None)
        .map_ok(|file| file.location.to_string())
        .try_collect()
        .await
        .unwrap();
    keys.sort();
    keys
}

#[tokio::test]
async fn a_purge_takes_everything_of_a_place_the_catalog_chose() {
    let (catalog, _, warehouses) = catalog().await;
    let place = create_at(&catalog, "orders", None).await;
    let other = create_at(&catalog, "others", None).await;
    put(&warehouses, &format!("{place}/data/a.parquet")).await;
    put(&warehouses, &format!("{place}2/data/b.parquet")).await;
    drop_table(&catalog, Purge::Files).await;
    purges_end(&catalog).await;
    let left = keys(&warehouses).await;
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.contains(&format!("{place}2/data/b.parquet")));
    assert!(left.iter().any(|key| key.starts_with(&other)));
    assert!(catalog.list_documents("table-purge").is_empty());
}

#[tokio::test]
async fn a_drop_without_purge_leaves_every_file() {
    let (catalog, _, warehouses) = catalog().await;
    create_at(&catalog, "orders", None).await;
    let before = keys(&warehouses).await;
    drop_table(&catalog, Purge::Keep).await;
    purges_end(&catalog).await;
    assert_eq!(keys(&warehouses).await, before);
}

#[tokio::test]
async fn a_purge_of_a_place_somebody_chose_takes_only_what_the_table_names() {
    let (catalog, _, warehouses) = catalog().await;
    create_at(&catalog, "orders", Some("s3://main/shared")).await;
    put(&warehouses, "shared/data/a.parquet").await;
    drop_table(&catalog, Purge::Files).await;
    purges_end(&catalog).await;
    assert_eq!(keys(&warehouses).await, ["shared/data/a.parquet"]);
}

/// Leaves what a process leaves that dies between the drop and the deletion, opens the catalog again and
/// tells which files are there then.
async fn resumed(at: i64) -> Vec<String> {
    let (catalog, log, warehouses) = catalog().await;
    create_at(&catalog, "orders", None).await;
    let entry = catalog.snapshot().table(&ident("orders")).unwrap().clone();
    let order = serde_json::json!({
        "uuid": entry.uuid, "warehouse": "main", "location": &*entry.location,
        "metadata_location": &*entry.metadata_location, "at": at,
    });
    let id = entry.uuid.to_string();
    catalog.put_document("table-purge", &id, &order.to_string(), crate::state::Expect::Any).await.unwrap();
    drop_table(&catalog, Purge::Keep).await;
    catalog.close().await;
    let again = open(log, warehouses.clone(), settings(), 2).await.unwrap();
    purges_end(&again).await;
    assert!(again.list_documents("table-purge").is_empty());
    keys(&warehouses).await
}

#[tokio::test]
async fn a_purge_that_a_restart_interrupted_goes_on() {
    assert!(resumed(i64::MAX).await.is_empty());
}

#[tokio::test]
async fn files_that_are_younger_than_the_drop_stay() {
    assert_eq!(resumed(0).await.len(), 1);
}

#[tokio::test]
async fn no_table_comes_to_lie_where_files_are_being_deleted() {
    let (catalog, _, warehouses) = catalog().await;
    create_at(&catalog, "orders", Some("s3://main/shared/orders")).await;
    create_at(&catalog, "other", None).await;
    let before = catalog.load(&ident("orders")).await.unwrap().unwrap();
    drop_table(&catalog, Purge::Files).await;
    let register = Request::RegisterTable {
        ident: ident("orders"),
        metadata_location: before.entry.metadata_location.clone(),
        metadata: before.metadata.clone(),
        existing: Existing::Refuse,
    };
    let moved = |update| Request::CommitTables(vec![change("other", &[], &[update])]);
    let set =
        |key: &str, value: &str| serde_json::json!({"action": "set-properties", "updates": {key: value}});
    let refused = [
        register.clone(),
        create("same", Some("s3://main/shared/orders/")),
        create("inside", Some("s3://main/shared/orders/a/b")),
        create("around", Some("s3://main/shared")),
        moved(serde_json::json!({"action": "set-location", "location": "s3://main/shared/orders"})),
        moved(set("write.metadata.path", "s3://main/shared/orders/metadata")),
    ];
    for request in refused {
        let error = catalog.commit(request).await.unwrap_err();
        assert!(matches!(&error, CommitError::Conflict(Conflict::Purged { .. })), "{error}");
    }
    create_at(&catalog, "beside", Some("s3://main/shared/orders2")).await;
    catalog.commit(moved(set("comment", "stays"))).await.unwrap();
    assert!(keys(&warehouses).await.iter().any(|key| key.starts_with("shared/orders/")));
    purges_end(&catalog).await;
    assert!(!keys(&warehouses).await.iter().any(|key| key.starts_with("shared/orders/")));
    create_at(&catalog, "same", Some("s3://main/shared/orders")).await;
}

#[tokio::test]
async fn a_pending_purge_closes_its_place_after_a_restart_too() {
    let (catalog, log, warehouses) = catalog().await;
    create_at(&catalog, "orders", Some("s3://main/shared/orders")).await;
    drop_table(&catalog, Purge::Files).await;
    catalog.close().await;
    let again = open(log, warehouses.clone(), settings(), 2).await.unwrap();
    let error = again.commit(create("new", Some("s3://main/shared/orders"))).await.unwrap_err();
    assert!(matches!(error, CommitError::Conflict(Conflict::Purged { .. })));
    purges_end(&again).await;
    assert!(keys(&warehouses).await.is_empty());
}

/// Time stands still unless everything waits for it.
#[tokio::test(start_paused = true)]
async fn a_purge_whose_store_fails_is_tried_again_until_it_is_done() {
    let fails = Arc::new(AtomicBool::new(false));
    let (inner, schedule) = (Arc::new(InMemory::new()), fails.clone());
    let store = FaultyStore::new(
        inner.clone(),
        Arc::new(move |_| if schedule.load(Ordering::SeqCst) { Fault::Lost } else { Fault::None }),
    );
    let warehouses = Arc::new(MemoryWarehouses { faulty: Some(store), ..Default::default() });
    let log = Arc::new(InMemory::new());
    let catalog = open_at(log, warehouses, settings(), (1, LATE)).await.unwrap();
    set_up(&catalog).await;
    create_at(&catalog, "orders", None).await;
    drop_table(&catalog, Purge::Files).await;
    fails.store(true, Ordering::SeqCst);
    catalog.start_purging().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(catalog.snapshot().purges().count(), 1);
    fails.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(catalog.snapshot().purges().count(), 0);
    assert!(inner.list(None).try_collect::<Vec<_>>().await.unwrap().is_empty());
}
