//! A table `main.sales.t` with two files: the second was written after a column was renamed and another was added.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Field, Schema as ArrowSchema};
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, ManifestFile, ManifestListWriter,
    ManifestWriterBuilder, Struct, TableMetadata,
};
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};
use serde_json::{Value, json};
use tarn_catalog::metadata::Schema;
use tarn_catalog::state::{CreateTable, Namespace, Properties, Request, TableChange, TableIdent};
use tarn_catalog::{Catalog, InMemoryWarehouses, WarehouseStores as _};

use crate::testing::Numbers;
use crate::{Engine, Settings};

pub(super) const FIRST: i64 = 11;
pub(super) const SECOND: i64 = 12;

pub(super) struct Lake {
    pub(super) engine: Engine,
    pub(super) catalog: Catalog,
    stores: Arc<InMemoryWarehouses>,
    manifests: Vec<ManifestFile>,
}

fn ident() -> TableIdent {
    TableIdent::new("main", Namespace::new(vec!["sales".into()]).unwrap(), "t").unwrap()
}

fn field(id: i32, name: &str, of: &str) -> Value {
    json!({"id": id, "name": name, "required": false, "type": of})
}

impl Lake {
    pub(super) async fn new() -> Self {
        let stores = Arc::new(InMemoryWarehouses::default());
        let (log, settings) = (Arc::new(InMemory::new()), tarn_catalog::Settings::default());
        let catalog = Catalog::open(log, Path::from("log"), stores.clone(), settings).await.unwrap();
        let engine =
            Engine::new(catalog.clone(), stores.clone(), Arc::new(Numbers), Settings::default()).unwrap();
        let mut lake = Self { engine, catalog, stores, manifests: Vec::new() };
        let (namespace, properties) = (ident().namespace, Properties::new());
        let fields = json!([field(1, "id", "long"), field(2, "label", "string")]);
        let schema = Schema::from_json(json!({"type": "struct", "fields": fields})).unwrap();
        for request in [
            Request::CreateWarehouse { name: "main".into(), properties: properties.clone() },
            Request::CreateNamespace { warehouse: "main".into(), namespace, properties: properties.clone() },
            Request::CreateTable(CreateTable {
                ident: ident(),
                schema: Arc::new(schema),
                spec: None,
                order: None,
                location: None,
                properties,
            }),
        ] {
            lake.catalog.commit(request).await.unwrap();
        }
        let labels = StringArray::from(vec![Some("one"), None, Some("three")]);
        lake.append(FIRST, &[1, 2, 3], vec![(2, "label", Arc::new(labels))]).await;
        let fields = [field(1, "id", "long"), field(2, "name", "string"), field(3, "day", "date")];
        lake.update(json!([
            {"action": "add-schema", "schema": {"type": "struct", "fields": fields}},
            {"action": "set-current-schema", "schema-id": -1},
        ]))
        .await;
        let (names, days) = (StringArray::from(vec!["four", "five"]), Date32Array::from(vec![0, 1]));
        lake.append(SECOND, &[4, 5], vec![(2, "name", Arc::new(names)), (3, "day", Arc::new(days))]).await;
        lake
    }

    async fn update(&self, updates: Value) {
        let updates = serde_json::from_value(updates).unwrap();
        let change = TableChange { ident: ident(), requirements: Vec::new(), updates };
        self.catalog.commit(Request::CommitTables(vec![change])).await.unwrap();
    }

    /// Appends a file with these ids and other columns.
    async fn append(&mut self, snapshot: i64, ids: &[i64], others: Vec<(i32, &str, ArrayRef)>) {
        let mut columns: Vec<(i32, &str, ArrayRef)> =
            vec![(1, "id", Arc::new(Int64Array::from(ids.to_vec())))];
        columns.extend(others);
        let field = |(id, name, values): &(i32, &str, ArrayRef)| {
            let id = (PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string());
            Field::new(*name, values.data_type().clone(), true).with_metadata([id].into())
        };
        let schema = Arc::new(ArrowSchema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, _, values)| values).collect();
        let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), None).unwrap();
        writer.write(&RecordBatch::try_new(schema, arrays).unwrap()).unwrap();
        let bytes = writer.into_inner().unwrap();
        let metadata = self.catalog.load(&ident()).await.unwrap().unwrap().metadata;
        let path = format!("{}/data/{snapshot}.parquet", metadata.location());
        let bound = |id: i64| [(1, Datum::long(id))].into();
        let file = DataFileBuilder::default()
            .content(DataContentType::Data)
            .file_path(path.clone())
            .file_format(DataFileFormat::Parquet)
            .partition(Struct::empty())
            .partition_spec_id(0)
            .record_count(ids.len() as u64)
            .file_size_in_bytes(bytes.len() as u64)
            .lower_bounds(bound(ids[0]))
            .upper_bounds(bound(ids[ids.len() - 1]))
            .build()
            .unwrap();
        self.put(&path, bytes).await;
        self.commit(snapshot, file).await;
    }

    async fn commit(&mut self, snapshot: i64, file: DataFile) {
        let metadata = self.catalog.load(&ident()).await.unwrap().unwrap().metadata;
        let table: TableMetadata = serde_json::from_slice(&metadata.to_json()).unwrap();
        let (io, sequence) = (FileIO::new_with_memory(), metadata.last_sequence_number() + 1);
        let path = format!("{}/metadata/{snapshot}-m.avro", table.location());
        let (schema, spec) =
            (table.current_schema().clone(), table.default_partition_spec().as_ref().clone());
        let output = io.new_output(&path).unwrap();
        let mut writer = ManifestWriterBuilder::new(output, Some(snapshot), schema, spec).build_v2_data();
        writer.add_file(file, sequence).unwrap();
        self.manifests.push(writer.write_manifest_file().await.unwrap());
        self.put(&path, io.new_input(&path).unwrap().read().await.unwrap().to_vec()).await;
        let list = format!("{}/metadata/snap-{snapshot}.avro", table.location());
        let output = io.new_output(&list).unwrap().writer().await.unwrap();
        let parent = metadata.current_snapshot_id();
        let mut writer = ManifestListWriter::v2(output, snapshot, parent, sequence);
        writer.add_manifests(self.manifests.clone().into_iter()).unwrap();
        writer.close().await.unwrap();
        self.put(&list, io.new_input(&list).unwrap().read().await.unwrap().to_vec()).await;
        for manifest in &mut self.manifests {
            // What the list said of it, the next one says too.
            if manifest.sequence_number < 0 {
                (manifest.sequence_number, manifest.min_sequence_number) = (sequence, sequence);
            }
        }
        let mut added = json!({
            "snapshot-id": snapshot, "sequence-number": sequence, "timestamp-ms": metadata.last_updated_ms(),
            "manifest-list": list, "summary": {"operation": "append"},
            "schema-id": metadata.current_schema_id(),
        });
        if let Some(parent) = parent {
            added["parent-snapshot-id"] = json!(parent);
        }
        let main = json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
            "snapshot-id": snapshot});
        self.update(json!([{"action": "add-snapshot", "snapshot": added}, main])).await;
    }

    async fn put(&self, location: &str, bytes: Vec<u8>) {
        let key = location.strip_prefix("s3://main/").unwrap();
        let store = self.stores.store("main");
        store.put(&Path::parse(key).unwrap(), bytes.into()).await.unwrap();
    }
}
