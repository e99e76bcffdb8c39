//! What the tests of this crate share: warehouses in memory, a clock that counts, small requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::json;

use crate::commit::Sources;
use crate::log::testing::FaultyStore;
use crate::state::{CreateTable, Namespace, Properties, Request, TableChange, TableIdent};
use crate::{Catalog, CommitError, Committed, OpenError, Settings, WarehouseError, WarehouseStores};

/// Buckets in memory.
#[derive(Default)]
pub(crate) struct MemoryWarehouses {
    pub(crate) buckets: Mutex<HashMap<String, Arc<InMemory>>>,
    /// Serves every warehouse instead, when there is one.
    pub(crate) faulty: Option<FaultyStore>,
}

#[async_trait]
impl WarehouseStores for MemoryWarehouses {
    fn store(&self, warehouse: &str) -> Arc<dyn ObjectStore> {
        if let Some(faulty) = &self.faulty {
            return Arc::new(faulty.clone());
        }
        self.buckets.lock().unwrap().entry(warehouse.to_owned()).or_default().clone()
    }

    async fn create(&self, warehouse: &str) -> Result<(), WarehouseError> {
        let mut buckets = self.buckets.lock().unwrap();
        if buckets.contains_key(warehouse) {
            return Err(WarehouseError::Exists);
        }
        buckets.insert(warehouse.to_owned(), Arc::default());
        Ok(())
    }

    async fn remove(&self, warehouse: &str) -> Result<(), WarehouseError> {
        match self.buckets.lock().unwrap().remove(warehouse) {
            Some(_) => Ok(()),
            None => Err(WarehouseError::Missing),
        }
    }

    async fn exists(&self, warehouse: &str) -> Result<bool, WarehouseError> {
        Ok(self.buckets.lock().unwrap().contains_key(warehouse))
    }
}

/// A clock that goes one millisecond on with every look, and ids that count from a base.
pub(crate) struct Counting {
    pub(crate) now: i64,
    pub(crate) id: u128,
}

impl Sources for Counting {
    fn now(&mut self) -> i64 {
        self.now += 1;
        self.now
    }

    fn fresh(&mut self) -> uuid::Uuid {
        self.id += 1;
        uuid::Uuid::from_u128(self.id)
    }
}

/// Checkpoints often, one try of an append, and dropped tables are not kept; nor is history.
pub(crate) fn settings() -> Settings {
    Settings {
        checkpoint_records: 8,
        append_deadline: Duration::ZERO,
        append_backoff: Duration::ZERO,
        keep_dropped: Duration::ZERO,
        history_retention: Duration::ZERO,
        ..Settings::default()
    }
}

/// Opens a catalog; `run` tells its ids from those of other openings.
pub(crate) async fn open(
    log: Arc<dyn ObjectStore>,
    warehouses: Arc<dyn WarehouseStores>,
    settings: Settings,
    run: u128,
) -> Result<Catalog, OpenError> {
    open_at(log, warehouses, settings, (run, 1_750_000_000_000)).await
}

/// The same with a clock that begins at `now`.
pub(crate) async fn open_at(
    log: Arc<dyn ObjectStore>,
    warehouses: Arc<dyn WarehouseStores>,
    settings: Settings,
    (run, now): (u128, i64),
) -> Result<Catalog, OpenError> {
    let sources = Counting { now, id: run << 64 };
    Catalog::open_with(log, Path::from(".tarn/catalog"), warehouses, settings, Box::new(sources)).await
}

/// A catalog in memory with warehouse `main` and namespace `sales`.
pub(crate) async fn catalog() -> (Catalog, Arc<InMemory>, Arc<MemoryWarehouses>) {
    let log = Arc::new(InMemory::new());
    let warehouses = Arc::new(MemoryWarehouses::default());
    let catalog = catalog_over(log.clone(), warehouses.clone(), settings()).await;
    (catalog, log, warehouses)
}

/// The same over a given store for its log.
pub(crate) async fn catalog_over(
    log: Arc<dyn ObjectStore>,
    warehouses: Arc<MemoryWarehouses>,
    settings: Settings,
) -> Catalog {
    let catalog = open(log, warehouses, settings, 1).await.unwrap();
    set_up(&catalog).await;
    catalog
}

pub(crate) async fn set_up(catalog: &Catalog) {
    for request in set_up_requests() {
        catalog.commit(request).await.unwrap();
    }
}

/// Warehouse `main` and namespace `sales`.
pub(crate) fn set_up_requests() -> [Request; 2] {
    [
        Request::CreateWarehouse { name: "main".into(), properties: Properties::new() },
        Request::CreateNamespace {
            warehouse: "main".into(),
            namespace: namespace("sales"),
            properties: Properties::new(),
        },
    ]
}

pub(crate) fn namespace(level: &str) -> Namespace {
    Namespace::new(vec![level.to_owned()]).unwrap()
}

pub(crate) fn ident(name: &str) -> TableIdent {
    TableIdent::new("main", namespace("sales"), name).unwrap()
}

/// A table of one column.
pub(crate) fn create(name: &str) -> Request {
    let schema = json!({"type": "struct", "fields": [
        {"id": 1, "name": "id", "required": true, "type": "long"},
    ]});
    Request::CreateTable(CreateTable {
        ident: ident(name),
        schema: Arc::new(crate::metadata::Schema::from_json(schema).unwrap()),
        spec: None,
        order: None,
        location: None,
        properties: Properties::new(),
    })
}

/// Requirements and updates of a table, as JSON.
pub(crate) fn change(
    name: &str,
    requirements: &[serde_json::Value],
    updates: &[serde_json::Value],
) -> TableChange {
    TableChange {
        ident: ident(name),
        requirements: requirements.iter().map(|one| serde_json::from_value(one.clone()).unwrap()).collect(),
        updates: updates.iter().map(|one| serde_json::from_value(one.clone()).unwrap()).collect(),
    }
}

/// Sets one property of a table.
pub(crate) async fn set_property(
    catalog: &Catalog,
    name: &str,
    key: &str,
    value: &str,
) -> Result<Committed, CommitError> {
    let update = json!({"action": "set-properties", "updates": {key: value}});
    catalog.commit(Request::CommitTables(vec![change(name, &[], &[update])])).await
}

/// The properties of a table as a load sees them.
pub(crate) async fn properties(catalog: &Catalog, name: &str) -> Properties {
    catalog.load(&ident(name)).await.unwrap().unwrap().metadata.properties().clone()
}
