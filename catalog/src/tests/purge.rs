//! What a purge deletes and what it leaves.

use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::metadata::Schema;
use crate::state::{CreateTable, Existing, Properties, Request};
use crate::testing::{MemoryWarehouses, catalog, ident, open, settings};
use crate::{Catalog, Purge, WarehouseStores as _};

async fn create_at(catalog: &Catalog, name: &str, location: Option<&str>) -> String {
    let schema = serde_json::json!({"type": "struct", "fields": []});
    let request = Request::CreateTable(CreateTable {
        ident: ident(name),
        schema: Arc::new(Schema::from_json(schema).unwrap()),
        spec: None,
        order: None,
        location: location.map(str::to_owned),
        properties: Properties::new(),
    });
    let committed = catalog.commit(request).await.unwrap();
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
    catalog.drop_table(&ident("orders"), Purge::Files).await.unwrap();
    catalog.background_is_done().await;
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
    catalog.drop_table(&ident("orders"), Purge::Keep).await.unwrap();
    catalog.background_is_done().await;
    assert_eq!(keys(&warehouses).await, before);
}

#[tokio::test]
async fn a_purge_of_a_place_somebody_chose_takes_only_what_the_table_names() {
    let (catalog, _, warehouses) = catalog().await;
    create_at(&catalog, "orders", Some("s3://main/shared")).await;
    put(&warehouses, "shared/data/a.parquet").await;
    catalog.drop_table(&ident("orders"), Purge::Files).await.unwrap();
    catalog.background_is_done().await;
    assert_eq!(keys(&warehouses).await, ["shared/data/a.parquet"]);
}

#[tokio::test]
async fn a_place_that_another_table_uses_is_left_alone() {
    let (catalog, _, warehouses) = catalog().await;
    let place = create_at(&catalog, "orders", None).await;
    let entry = catalog.load(&ident("orders")).await.unwrap().unwrap();
    let twin = Request::RegisterTable {
        ident: ident("twin"),
        metadata_location: entry.entry.metadata_location.clone(),
        metadata: entry.metadata,
        existing: Existing::Refuse,
    };
    catalog.commit(twin).await.unwrap();
    put(&warehouses, &format!("{place}/data/a.parquet")).await;
    catalog.drop_table(&ident("orders"), Purge::Files).await.unwrap();
    catalog.background_is_done().await;
    assert_eq!(keys(&warehouses).await.len(), 2);
    assert!(catalog.list_documents("table-purge").is_empty());
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
    catalog.drop_table(&ident("orders"), Purge::Keep).await.unwrap();
    catalog.close().await;
    let again = open(log, warehouses.clone(), settings(), 2).await.unwrap();
    again.resume_purges().await;
    again.background_is_done().await;
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
