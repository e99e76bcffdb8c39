//! A table of the bucket `main`, written action by action.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use delta_kernel::checkpoint::CheckpointSpec;
use delta_kernel::snapshot::Snapshot;
use delta_kernel_default_engine::DefaultEngine;
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};
use tarn_catalog::{WarehouseError, WarehouseStores};

use crate::delta::{DeltaTable, DeltaTables, Limits};
use crate::table::{DataFile, FileList, TableError};
use crate::vectors::Vectors;

/// Where the table lies.
pub(super) const PREFIX: &str = "sales/orders all";

#[derive(Clone, Default)]
pub(super) struct Fixture {
    pub(super) store: Arc<InMemory>,
    /// What sharing writes itself.
    pub(super) own: Arc<InMemory>,
}

#[async_trait]
impl WarehouseStores for Fixture {
    fn store(&self, _: &str) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    async fn create(&self, _: &str) -> Result<(), WarehouseError> {
        Err(WarehouseError::Exists)
    }

    async fn remove(&self, _: &str) -> Result<(), WarehouseError> {
        Err(WarehouseError::NotEmpty)
    }

    async fn exists(&self, _: &str) -> Result<bool, WarehouseError> {
        Ok(true)
    }
}

impl Fixture {
    /// A table with a first commit.
    pub(super) async fn with(actions: &[Value]) -> Self {
        let fixture = Self::default();
        fixture.commit(0, actions).await;
        fixture
    }

    pub(super) async fn commit(&self, version: i64, actions: &[Value]) {
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        self.put(&format!("_delta_log/{version:020}.json"), lines.join("\n")).await;
    }

    pub(super) async fn put(&self, path: &str, content: impl Into<Bytes>) {
        let at = Path::parse(format!("{PREFIX}/{path}")).unwrap();
        self.store.put(&at, content.into().into()).await.unwrap();
    }

    pub(super) async fn delete(&self, path: &str) {
        self.store.delete(&Path::parse(format!("{PREFIX}/{path}")).unwrap()).await.unwrap();
    }

    pub(super) async fn open(&self) -> Result<Arc<DeltaTable>, TableError> {
        self.open_within(Limits::default()).await
    }

    pub(super) async fn open_within(&self, limits: Limits) -> Result<Arc<DeltaTable>, TableError> {
        self.tables(limits, 10).open("main", PREFIX).await
    }

    /// Keeps so many tables.
    pub(super) fn tables(&self, limits: Limits, tables_max: u64) -> DeltaTables {
        let stores: Arc<dyn WarehouseStores> = Arc::new(self.clone());
        let vectors = Vectors::new(stores.clone(), self.own.clone(), crate::vectors::Limits::default());
        DeltaTables::keeping(stores, Arc::new(vectors), limits, tables_max)
    }

    /// Writes a checkpoint of the latest version, as the kernel does.
    pub(super) async fn checkpoint(&self, spec: Option<CheckpointSpec>) {
        let store: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(self.store.clone(), PREFIX));
        let written = tokio::task::spawn_blocking(move || {
            let executor = Arc::new(TokioMultiThreadExecutor::new_owned_runtime(Some(1), None).unwrap());
            let engine = DefaultEngine::builder(store).with_task_executor(executor).build();
            let snapshot = Snapshot::builder_for("memory:///").build(&engine).unwrap();
            snapshot.checkpoint(&engine, spec.as_ref()).unwrap();
        });
        written.await.unwrap();
    }
}

/// A protocol without table features.
pub(super) fn protocol() -> Value {
    json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
}

/// A protocol with these features for readers and writers.
pub(super) fn protocol_with(features: &[&str]) -> Value {
    let (readers, writers) = (features, features);
    json!({"protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": readers, "writerFeatures": writers,
    }})
}

pub(super) fn column(name: &str, data_type: impl Into<Value>) -> Value {
    json!({"name": name, "type": data_type.into(), "nullable": true, "metadata": {}})
}

/// The metadata of a table of these columns.
pub(super) fn meta_data(columns: &[Value], partition_columns: &[&str], configuration: Value) -> Value {
    let schema = json!({"type": "struct", "fields": columns});
    json!({"metaData": {
        "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.to_string(), "partitionColumns": partition_columns,
        "configuration": configuration, "createdTime": 1_587_968_585_495_i64,
    }})
}

/// The columns `id` and `name`.
pub(super) fn orders() -> Value {
    meta_data(&[column("id", "long"), column("name", "string")], &[], json!({}))
}

pub(super) fn add(path: &str) -> Value {
    json!({"add": {
        "path": path, "partitionValues": {}, "size": 100, "modificationTime": 7, "dataChange": true,
        "stats": "{\"numRecords\":3}",
    }})
}

pub(super) fn remove(path: &str) -> Value {
    json!({"remove": {
        "path": path, "partitionValues": {}, "size": 100, "deletionTimestamp": 8, "dataChange": true,
        "extendedFileMetadata": true,
    }})
}

/// `action` with a field of its only member changed.
pub(super) fn changed(mut action: Value, field: &str, value: impl Into<Value>) -> Value {
    let inner = action.as_object_mut().unwrap().values_mut().next().unwrap();
    inner[field] = value.into();
    action
}

/// What `each` tells of the files of a list, in the order of keys.
pub(super) fn of_files<T>(list: &FileList, each: impl Fn(&DataFile<'_>) -> T) -> Vec<T> {
    let mut told = Vec::new();
    list.try_for_each(|file| {
        told.push((file.at.key.to_owned(), each(&file)));
        Ok(())
    })
    .unwrap();
    told.sort_by(|left, right| left.0.cmp(&right.0));
    told.into_iter().map(|(_, told)| told).collect()
}

/// The keys of a list within the table, in order.
pub(super) fn names(list: &FileList) -> Vec<String> {
    of_files(list, |file| file.at.key.strip_prefix(&format!("{PREFIX}/")).unwrap().to_owned())
}
