//! Dropped tables over a restart, with their files.

use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::state::{DropTable, Purge, Request, UndropTable};
use crate::testing::{
    MemoryWarehouses, create, ident, open, open_at, properties, set_property, set_up, settings,
};
use crate::{Catalog, WarehouseStores as _};

/// Stores in memory tell the real time, which is before this.
const LATE: i64 = 4_000_000_000_000;

async fn catalog() -> (Catalog, Arc<InMemory>, Arc<MemoryWarehouses>) {
    let (log, warehouses) = (Arc::new(InMemory::new()), Arc::new(MemoryWarehouses::default()));
    let catalog = open_at(log.clone(), warehouses.clone(), settings(), (1, LATE)).await.unwrap();
    set_up(&catalog).await;
    (catalog, log, warehouses)
}

async fn drop_table(catalog: &Catalog, purge: Purge) {
    let drop = DropTable::asked(ident("orders"), purge, 60_000);
    catalog.commit(Request::DropTable(drop)).await.unwrap();
}

async fn files(warehouses: &MemoryWarehouses) -> usize {
    warehouses.store("main").list(None).try_collect::<Vec<_>>().await.unwrap().len()
}

#[tokio::test]
async fn a_dropped_table_is_kept_over_a_restart_and_comes_back_with_its_history() {
    let (catalog, log, warehouses) = catalog().await;
    catalog.commit(create("orders")).await.unwrap();
    // More records than a checkpoint waits for, so that the state comes from one.
    for n in 0..10 {
        set_property(&catalog, "orders", "n", &n.to_string()).await.unwrap();
    }
    let before = catalog.snapshot().table(&ident("orders")).unwrap().clone();
    drop_table(&catalog, Purge::Files).await;
    for _ in 0..10 {
        catalog.commit(create("other")).await.unwrap();
        catalog.commit(Request::DropTable(DropTable::asked(ident("other"), Purge::Keep, 0))).await.unwrap();
    }
    catalog.close().await;
    let again = open(log, warehouses, settings(), 2).await.unwrap();
    assert!(again.snapshot().table(&ident("orders")).is_none());
    let undrop = UndropTable { ident: ident("orders"), id: None, to: Some(ident("back")) };
    again.commit(Request::UndropTable(undrop)).await.unwrap();
    assert_eq!(again.snapshot().table(&ident("back")), Some(&before));
    assert_eq!(properties(&again, "back").await["n"], "9");
    set_property(&again, "back", "n", "10").await.unwrap();
}

#[tokio::test]
async fn the_files_go_when_the_time_is_over_and_not_before() {
    let (catalog, _, warehouses) = catalog().await;
    catalog.commit(create("orders")).await.unwrap();
    drop_table(&catalog, Purge::Files).await;
    let until = catalog.snapshot().next_expiry().unwrap();
    let mut changes = catalog.watch();
    catalog.start_purging().await;
    catalog.expire_dropped(until - 1).await.unwrap();
    assert_eq!((files(&warehouses).await, catalog.snapshot().dropped_tables(None).count()), (1, 1));
    catalog.expire_dropped(until).await.unwrap();
    assert_eq!(catalog.snapshot().dropped_tables(None).count(), 0);
    while catalog.snapshot().purges().next().is_some() {
        changes.changed().await.unwrap();
    }
    assert_eq!(files(&warehouses).await, 0);
}

#[tokio::test]
async fn a_dropped_table_is_expired_in_the_background() {
    let (log, warehouses) = (Arc::new(InMemory::new()), Arc::new(MemoryWarehouses::default()));
    // Its clock is long past, so what it keeps for a minute is over.
    let catalog = open(log, warehouses, settings(), 1).await.unwrap();
    set_up(&catalog).await;
    catalog.commit(create("orders")).await.unwrap();
    drop_table(&catalog, Purge::Keep).await;
    let mut changes = catalog.watch();
    catalog.start_expiring().await;
    while catalog.snapshot().next_expiry().is_some() {
        changes.changed().await.unwrap();
    }
    catalog.close().await;
}

#[tokio::test]
async fn a_table_whose_metadata_file_is_gone_can_be_dropped() {
    let (catalog, log, warehouses) = catalog().await;
    let created = catalog.commit(create("orders")).await.unwrap();
    let key = created.tables[0].metadata_location.trim_start_matches("s3://main/").to_owned();
    warehouses.store("main").delete(&Path::from(key)).await.unwrap();
    // Not from the cache, as after a restart.
    catalog.close().await;
    let again = open(log, warehouses, settings(), 2).await.unwrap();
    drop_table(&again, Purge::Files).await;
    assert_eq!(again.snapshot().dropped_tables(None).count(), 1);
}
