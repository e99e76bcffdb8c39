//! What the tests of this crate share: a catalog in memory and tables with real manifests.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, ManifestFile, ManifestListWriter,
    ManifestWriterBuilder, Struct,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use serde_json::{Value, json};
use tarn_catalog::metadata::{Schema, TableMetadata};
use tarn_catalog::state::{CreateTable, Namespace, Properties, Request, TableChange, TableIdent};
use tarn_catalog::{Catalog, InMemoryWarehouses, WarehouseStores as _};

use crate::Settings;
use crate::files::Files;
use crate::runs::Progress;

/// A catalog with warehouse `main` and namespace `sales`, and its stores.
pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) stores: Arc<InMemoryWarehouses>,
    pub(crate) settings: Settings,
    pub(crate) files: Files,
    pub(crate) progress: Progress,
}

/// A snapshot to add to a table.
pub(crate) struct Step<'a> {
    pub(crate) id: i64,
    pub(crate) at_ms: i64,
    /// The branch it goes to.
    pub(crate) branch: &'a str,
    /// Data files it adds, by name below the table's location.
    pub(crate) adds: &'a [&'a str],
    /// Data files of its parent it does away with.
    pub(crate) drops: &'a [&'a str],
}

pub(crate) fn ident(name: &str) -> TableIdent {
    TableIdent::new("main", Namespace::new(vec!["sales".into()]).unwrap(), name).unwrap()
}

impl World {
    pub(crate) async fn new(settings: Settings) -> Self {
        let stores = Arc::new(InMemoryWarehouses::default());
        let log = Arc::new(InMemory::new());
        let catalog =
            Catalog::open(log, Path::from("log"), stores.clone(), tarn_catalog::Settings::default())
                .await
                .unwrap();
        let namespace = Namespace::new(vec!["sales".into()]).unwrap();
        for request in [
            Request::CreateWarehouse { name: "main".into(), properties: Properties::new() },
            Request::CreateNamespace { warehouse: "main".into(), namespace, properties: Properties::new() },
        ] {
            catalog.commit(request).await.unwrap();
        }
        let files = Files::new(stores.clone(), &settings);
        Self { catalog, stores, settings, files, progress: Progress::default() }
    }

    /// No pace, so that tests take no time.
    pub(crate) fn quick() -> Settings {
        Settings { operations_per_second: u32::MAX, bytes_per_second: u64::MAX, ..Settings::default() }
    }

    pub(crate) async fn create(&self, name: &str, location: Option<&str>) {
        let fields = json!([{"id": 1, "name": "id", "required": true, "type": "long"}]);
        let schema = Schema::from_json(json!({"type": "struct", "fields": fields})).unwrap();
        let create = CreateTable {
            ident: ident(name),
            schema: Arc::new(schema),
            spec: None,
            order: None,
            location: location.map(str::to_owned),
            properties: Properties::new(),
        };
        self.catalog.commit(Request::CreateTable(create)).await.unwrap();
    }

    pub(crate) async fn metadata(&self, name: &str) -> Arc<TableMetadata> {
        self.catalog.load(&ident(name)).await.unwrap().unwrap().metadata
    }

    pub(crate) async fn update(&self, name: &str, updates: Value) {
        let updates = serde_json::from_value(updates).unwrap();
        let change = TableChange { ident: ident(name), requirements: Vec::new(), updates };
        self.catalog.commit(Request::CommitTables(vec![change])).await.unwrap();
    }

    /// Adds a snapshot with a manifest of what it adds, and the manifests of its parent without what it drops.
    pub(crate) async fn step(&self, name: &str, step: &Step<'_>) {
        let metadata = self.metadata(name).await;
        let parsed: iceberg::spec::TableMetadata = serde_json::from_slice(&metadata.to_json()).unwrap();
        let location = metadata.location().to_owned();
        let sequence = metadata.last_sequence_number() + 1;
        let parent = metadata.refs().get(step.branch).map(|reference| reference.snapshot_id);
        let parent = parent.or(metadata.current_snapshot_id());
        let path = |name: &&str| match name.strip_prefix("s3://") {
            Some(_elsewhere) => (*name).to_owned(),
            None => format!("{location}/data/{name}"),
        };
        let dropped: BTreeSet<String> = step.drops.iter().map(path).collect();
        let mut manifests = Vec::new();
        if let Some(parent) = parent.and_then(|id| parsed.snapshot_by_id(id)) {
            manifests = self.carry(&parsed, parent.manifest_list(), step, &dropped).await;
        }
        if !step.adds.is_empty() {
            let mut files = Vec::new();
            for name in step.adds {
                // Some engines write `s3a://` into manifests.
                let spelling = name.strip_prefix("s3a/");
                let path = match name.strip_prefix("s3://") {
                    Some(_elsewhere) => (*name).to_owned(),
                    None => format!("{location}/data/{}", spelling.unwrap_or(name)),
                };
                self.put(&path, "rows").await;
                let path = if spelling.is_some() { path.replacen("s3:", "s3a:", 1) } else { path };
                files.push((data_file(&path), None));
            }
            manifests.push(self.manifest(&parsed, step.id, sequence, files, "add").await);
        }
        let list = format!("{location}/metadata/snap-{}.avro", step.id);
        let io = FileIO::new_with_memory();
        let output = io.new_output(&list).unwrap().writer().await.unwrap();
        let mut writer = ManifestListWriter::v2(output, step.id, parent, sequence);
        writer.add_manifests(manifests.into_iter()).unwrap();
        writer.close().await.unwrap();
        self.put_bytes(&list, io.new_input(&list).unwrap().read().await.unwrap()).await;
        let mut snapshot = json!({
            "snapshot-id": step.id, "sequence-number": sequence, "timestamp-ms": step.at_ms,
            "manifest-list": list, "summary": {"operation": "append"}, "schema-id": 0,
        });
        if let Some(parent) = parent {
            snapshot["parent-snapshot-id"] = json!(parent);
        }
        let mut updates = json!([{"action": "add-snapshot", "snapshot": snapshot}]);
        if !step.branch.is_empty() {
            updates.as_array_mut().unwrap().push(json!({
                "action": "set-snapshot-ref", "ref-name": step.branch, "type": "branch", "snapshot-id": step.id,
            }));
        }
        self.update(name, updates).await;
    }

    /// The parent's manifests; one that names a dropped file is written anew without it.
    async fn carry(
        &self,
        table: &iceberg::spec::TableMetadata,
        list: &str,
        step: &Step<'_>,
        dropped: &BTreeSet<String>,
    ) -> Vec<ManifestFile> {
        let list = self.read(list).await;
        let list = iceberg::spec::ManifestList::parse_with_version(&list, table.format_version()).unwrap();
        let mut carried = Vec::new();
        for manifest in list.consume_entries() {
            let bytes = self.read(&manifest.manifest_path).await;
            let (entries, _) = iceberg::spec::Manifest::parse_avro(&bytes).unwrap().into_parts();
            let touched = entries.iter().any(|entry| dropped.contains(entry.file_path()));
            if !touched {
                carried.push(manifest);
                continue;
            }
            let kept: Vec<_> = entries
                .iter()
                .filter(|entry| entry.is_alive() && !dropped.contains(entry.file_path()))
                .map(|entry| (entry.data_file().clone(), Some((entry.snapshot_id().unwrap_or(1), 1))))
                .collect();
            if !kept.is_empty() {
                let name = format!("keep{}", carried.len());
                carried.push(self.manifest(table, step.id, 1, kept, &name).await);
            }
        }
        carried
    }

    async fn manifest(
        &self,
        table: &iceberg::spec::TableMetadata,
        snapshot: i64,
        sequence: i64,
        files: Vec<(DataFile, Option<(i64, i64)>)>,
        name: &str,
    ) -> ManifestFile {
        let path = format!("{}/metadata/{snapshot}-{name}.avro", table.location());
        let io = FileIO::new_with_memory();
        let (schema, spec) =
            (table.current_schema().clone(), table.default_partition_spec().as_ref().clone());
        let output = io.new_output(&path).unwrap();
        let mut writer = ManifestWriterBuilder::new(output, Some(snapshot), schema, spec).build_v2_data();
        for (file, existing) in files {
            match existing {
                None => writer.add_file(file, sequence).unwrap(),
                Some((from, number)) => writer.add_existing_file(file, from, number, Some(number)).unwrap(),
            }
        }
        let written = writer.write_manifest_file().await.unwrap();
        self.put_bytes(&path, io.new_input(&path).unwrap().read().await.unwrap()).await;
        written
    }

    pub(crate) async fn put(&self, location: &str, text: &str) {
        self.put_bytes(location, Bytes::copy_from_slice(text.as_bytes())).await;
    }

    pub(crate) async fn put_bytes(&self, location: &str, bytes: Bytes) {
        let (warehouse, path) = crate::files::split(location).unwrap();
        self.stores.store(warehouse).put(&path, bytes.into()).await.unwrap();
    }

    pub(crate) async fn read(&self, location: &str) -> Bytes {
        self.files.read(location).await.unwrap()
    }

    /// Every file below a table's location, without its metadata files.
    pub(crate) async fn names(&self, name: &str) -> BTreeSet<String> {
        let metadata = self.metadata(name).await;
        let (warehouse, path) = crate::files::split(metadata.location()).unwrap();
        let listed: Vec<_> = self.stores.store(warehouse).list(Some(&path)).try_collect().await.unwrap();
        let below = |key: &str| key.strip_prefix(path.as_ref()).unwrap().trim_start_matches('/').to_owned();
        let all = listed.iter().map(|file| below(file.location.as_ref()));
        all.filter(|name| !name.ends_with(".metadata.json")).collect()
    }

    /// Reads every manifest and looks at every file of every snapshot: nothing that is named is missing.
    pub(crate) async fn check(&self, name: &str) {
        let metadata = self.metadata(name).await;
        let reach = crate::reach::Reach { files: &self.files, settings: &self.settings };
        for snapshot in metadata.snapshots() {
            for manifest in reach.manifests(snapshot).await.unwrap() {
                for (_, file) in reach.content(&manifest).await.unwrap() {
                    assert!(self.files.size(&file).await.unwrap().is_some(), "{file} is gone");
                }
            }
        }
    }
}

fn data_file(path: &str) -> DataFile {
    DataFileBuilder::default()
        .content(DataContentType::Data)
        .file_path(path.to_owned())
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::empty())
        .partition_spec_id(0)
        .record_count(1)
        .file_size_in_bytes(4)
        .build()
        .unwrap()
}
