//! What the tests of this module share: a catalog in memory and tables whose manifests the `iceberg` crate wrote.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::Field;
use bytes::Bytes;
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, FormatVersion, Literal,
    ManifestContentType, ManifestFile, ManifestListWriter, ManifestWriterBuilder, Struct,
};
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use roaring::RoaringTreemap;
use serde_json::{Value, json};
use tarn_catalog::metadata::{PartitionSpec, Schema, TableMetadata};
use tarn_catalog::state::{CreateTable, Namespace, Properties, Request, TableChange, TableIdent};
use tarn_catalog::{Catalog, InMemoryWarehouses, WarehouseStores as _};

use super::{IcebergTable, Options};
use crate::directory::UnsupportedColumns;
use crate::table::{FileList, TableError};
pub(crate) use crate::testing::field;
use crate::testing::{parquet, position_deletes};
use crate::vectors::{Limits, Vectors};

/// Metadata of a V3 table with these schemas; the last is current.
pub(crate) fn metadata(schemas: &[Value]) -> TableMetadata {
    let last = schemas.last().unwrap();
    let text = json!({
        "format-version": 3, "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1", "location": "s3://main/t",
        "last-sequence-number": 0, "last-updated-ms": 1, "last-column-id": 1000, "next-row-id": 0,
        "current-schema-id": last["schema-id"], "schemas": schemas,
        "default-spec-id": 0, "partition-specs": [{"spec-id": 0, "fields": []}], "last-partition-id": 999,
        "default-sort-order-id": 0, "sort-orders": [{"order-id": 0, "fields": []}],
    });
    TableMetadata::parse(text.to_string().as_bytes()).unwrap()
}

/// A schema of optional fields, each an id, a name and a type.
pub(crate) fn schema(id: i32, fields: &[(i32, &str, Value)]) -> Value {
    json!({"type": "struct", "schema-id": id, "fields": optional(fields)})
}

pub(crate) fn optional(fields: &[(i32, &str, Value)]) -> Value {
    let field =
        |(id, name, of): &(i32, &str, Value)| json!({"id": id, "name": name, "required": false, "type": of});
    fields.iter().map(field).collect()
}

/// A file to put into a manifest.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) content: DataContentType,
    pub(crate) format: DataFileFormat,
    pub(crate) partition: Vec<Option<Literal>>,
    pub(crate) rows: u64,
    pub(crate) lower: HashMap<i32, Datum>,
    pub(crate) upper: HashMap<i32, Datum>,
    pub(crate) nulls: HashMap<i32, u64>,
    pub(crate) nans: HashMap<i32, u64>,
    pub(crate) size: u64,
    pub(crate) equality: Option<Vec<i32>>,
    /// The data file whose rows a vector deletes, and where in the file it is and how long, in bytes.
    pub(crate) vector: Option<(String, i64, i64)>,
}

impl File {
    /// A data file below the table's location, or anywhere with a scheme.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            content: DataContentType::Data,
            format: DataFileFormat::Parquet,
            partition: Vec::new(),
            rows: 10,
            lower: HashMap::new(),
            upper: HashMap::new(),
            nulls: HashMap::new(),
            nans: HashMap::new(),
            size: 1234,
            equality: None,
            vector: None,
        }
    }

    pub(crate) fn of(name: &str, partition: Vec<Option<Literal>>) -> Self {
        Self { partition, ..Self::new(name) }
    }

    pub(crate) fn bounds(mut self, id: i32, lower: Datum, upper: Datum) -> Self {
        self.lower.insert(id, lower);
        self.upper.insert(id, upper);
        self.nulls.insert(id, 0);
        self
    }

    fn build(&self, location: &str, spec_id: i32) -> DataFile {
        DataFileBuilder::default()
            .content(self.content)
            .file_path(path(location, &self.name))
            .file_format(self.format)
            .partition(Struct::from_iter(self.partition.clone()))
            .partition_spec_id(spec_id)
            .record_count(self.rows)
            .file_size_in_bytes(self.size)
            .equality_ids(self.equality.clone())
            .referenced_data_file(self.vector.as_ref().map(|(of, _, _)| path(location, of)))
            .content_offset(self.vector.as_ref().map(|(_, offset, _)| *offset))
            .content_size_in_bytes(self.vector.as_ref().map(|(_, _, size)| *size))
            .value_counts(self.nulls.keys().map(|id| (*id, self.rows)).collect())
            .null_value_counts(self.nulls.clone())
            .nan_value_counts(self.nans.clone())
            .lower_bounds(self.lower.clone())
            .upper_bounds(self.upper.clone())
            .build()
            .unwrap()
    }
}

fn path(location: &str, name: &str) -> String {
    if name.contains("://") { name.to_owned() } else { format!("{location}/data/{name}") }
}

/// A snapshot to add to a table.
#[derive(Default)]
pub(crate) struct Step<'a> {
    /// `append` where empty.
    pub(crate) operation: &'a str,
    pub(crate) adds: Vec<File>,
    /// Delete files it adds.
    pub(crate) deletes: Vec<File>,
    /// Names of data files and delete files it does away with.
    pub(crate) drops: &'a [&'a str],
    /// The branch it goes to: `main` where empty.
    pub(crate) branch: &'a str,
    /// The snapshot it is made from, where that is not the current one.
    pub(crate) parent: Option<i64>,
}

/// A catalog with warehouse `main` and namespace `sales`, and its stores.
pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) stores: Arc<InMemoryWarehouses>,
    log: Arc<InMemory>,
    /// The store of what sharing writes itself.
    pub(crate) own: Arc<InMemory>,
}

pub(crate) fn ident(name: &str) -> TableIdent {
    TableIdent::new("main", Namespace::new(vec!["sales".into()]).unwrap(), name).unwrap()
}

async fn open(log: &Arc<InMemory>, stores: &Arc<InMemoryWarehouses>) -> Catalog {
    let settings = tarn_catalog::Settings::default();
    Catalog::open(log.clone(), Path::from("log"), stores.clone(), settings).await.unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let stores = Arc::new(InMemoryWarehouses::default());
        let log = Arc::new(InMemory::new());
        let catalog = open(&log, &stores).await;
        let namespace = Namespace::new(vec!["sales".into()]).unwrap();
        for request in [
            Request::CreateWarehouse { name: "main".into(), properties: Properties::new() },
            Request::CreateNamespace { warehouse: "main".into(), namespace, properties: Properties::new() },
        ] {
            catalog.commit(request).await.unwrap();
        }
        Self { catalog, stores, log, own: Arc::default() }
    }

    /// The same after a restart.
    pub(crate) async fn opened_again(self) -> Self {
        Self { catalog: open(&self.log, &self.stores).await, ..self }
    }

    /// Makes a table; `spec` are partition fields.
    pub(crate) async fn create(&self, name: &str, schema: Value, spec: Value) {
        let spec = PartitionSpec::from_json(json!({"spec-id": 0, "fields": spec})).unwrap();
        let create = CreateTable {
            ident: ident(name),
            schema: Arc::new(Schema::from_json(schema).unwrap()),
            spec: Some(spec),
            order: None,
            location: None,
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

    /// Makes `schema` the current one.
    pub(crate) async fn evolve(&self, name: &str, schema: Value) {
        let add = json!({"action": "add-schema", "schema": schema});
        self.update(name, json!([add, {"action": "set-current-schema", "schema-id": -1}])).await;
    }

    /// Makes a spec of these fields the default one.
    pub(crate) async fn repartition(&self, name: &str, fields: Value) {
        let add = json!({"action": "add-spec", "spec": {"spec-id": 99, "fields": fields}});
        self.update(name, json!([add, {"action": "set-default-spec", "spec-id": -1}])).await;
    }

    pub(crate) fn table(&self, name: &str) -> IcebergTable {
        self.table_with(name, UnsupportedColumns::Error)
    }

    pub(crate) fn table_with(&self, name: &str, unsupported_columns: UnsupportedColumns) -> IcebergTable {
        let options = Options { unsupported_columns, ..Options::default() };
        let reach = Arc::new(|_bucket: &str, key: &str| key.starts_with("open/"));
        let vectors = Vectors::new(self.stores.clone(), self.own.clone(), Limits::default());
        IcebergTable::open(&self.catalog, ident(name), options, (Arc::new(vectors), reach)).unwrap()
    }

    /// Adds a snapshot to a branch of the table; returns its id.
    pub(crate) async fn step(&self, name: &str, step: Step<'_>) -> i64 {
        let (id, updates) = self.prepare(name, &step).await;
        self.update(name, updates).await;
        id
    }

    /// Writes what a snapshot names, and makes the updates that add it.
    pub(crate) async fn prepare(&self, name: &str, step: &Step<'_>) -> (i64, Value) {
        let metadata = self.metadata(name).await;
        let table: iceberg::spec::TableMetadata = serde_json::from_slice(&metadata.to_json()).unwrap();
        let location = metadata.location().to_owned();
        let sequence = metadata.last_sequence_number() + 1;
        let id = 100 + sequence;
        let parent = step.parent.or(metadata.current_snapshot_id());
        let dropped: BTreeSet<String> = step.drops.iter().map(|name| path(&location, name)).collect();
        let mut manifests = Vec::new();
        if let Some(parent) = parent.and_then(|id| table.snapshot_by_id(id)) {
            manifests = self.carry(&table, parent.manifest_list(), (id, sequence), &dropped).await;
        }
        for (files, content, name) in [
            (&step.adds, ManifestContentType::Data, "add"),
            (&step.deletes, ManifestContentType::Deletes, "delete"),
        ] {
            let spec_id = table.default_partition_spec_id();
            let files: Vec<_> = files.iter().map(|file| (file.build(&location, spec_id), None)).collect();
            if !files.is_empty() {
                let of = (content, spec_id, name);
                manifests.push(self.manifest(&table, (id, sequence), of, files).await);
            }
        }
        let list = format!("{location}/metadata/snap-{id}.avro");
        let io = FileIO::new_with_memory();
        let output = io.new_output(&list).unwrap().writer().await.unwrap();
        let mut writer = match table.format_version() {
            FormatVersion::V3 => ManifestListWriter::v3(output, id, parent, sequence, Some(0)),
            FormatVersion::V1 | FormatVersion::V2 => ManifestListWriter::v2(output, id, parent, sequence),
        };
        writer.add_manifests(manifests.into_iter()).unwrap();
        writer.close().await.unwrap();
        self.put(&list, io.new_input(&list).unwrap().read().await.unwrap()).await;
        let operation = if step.operation.is_empty() { "append" } else { step.operation };
        let mut snapshot = json!({
            "snapshot-id": id, "sequence-number": sequence, "timestamp-ms": 1_000_000 + id,
            "manifest-list": list, "summary": {"operation": operation},
            "schema-id": metadata.current_schema_id(),
        });
        if let Some(parent) = parent {
            snapshot["parent-snapshot-id"] = json!(parent);
        }
        if table.format_version() == FormatVersion::V3 {
            snapshot["first-row-id"] = json!(metadata.next_row_id());
            snapshot["added-rows"] = json!(step.adds.iter().map(|file| file.rows).sum::<u64>());
        }
        let branch = if step.branch.is_empty() { "main" } else { step.branch };
        let to =
            json!({"action": "set-snapshot-ref", "ref-name": branch, "type": "branch", "snapshot-id": id});
        (id, json!([{"action": "add-snapshot", "snapshot": snapshot}, to]))
    }

    /// The parent's manifests; one that names a dropped file is written anew without it.
    async fn carry(
        &self,
        table: &iceberg::spec::TableMetadata,
        list: &str,
        (id, sequence): (i64, i64),
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
                .map(|entry| {
                    let by = entry.snapshot_id().unwrap_or(manifest.added_snapshot_id);
                    (entry.data_file().clone(), Some((by, manifest.sequence_number)))
                })
                .collect();
            if !kept.is_empty() {
                let name = format!("keep{}", carried.len());
                let of = (manifest.content, manifest.partition_spec_id, name.as_str());
                carried.push(self.manifest(table, (id, sequence), of, kept).await);
            }
        }
        carried
    }

    async fn manifest(
        &self,
        table: &iceberg::spec::TableMetadata,
        (snapshot, sequence): (i64, i64),
        (content, spec_id, name): (ManifestContentType, i32, &str),
        files: Vec<(DataFile, Option<(i64, i64)>)>,
    ) -> ManifestFile {
        let path = format!("{}/metadata/{snapshot}-{name}.avro", table.location());
        let io = FileIO::new_with_memory();
        let schema = table.current_schema().clone();
        let spec = table.partition_spec_by_id(spec_id).unwrap().as_ref().clone();
        let output = io.new_output(&path).unwrap();
        let writer = ManifestWriterBuilder::new(output, Some(snapshot), schema, spec);
        let mut writer = match (table.format_version(), content) {
            (FormatVersion::V3, ManifestContentType::Data) => writer.build_v3_data(),
            (FormatVersion::V3, ManifestContentType::Deletes) => writer.build_v3_deletes(),
            (_, ManifestContentType::Data) => writer.build_v2_data(),
            (_, ManifestContentType::Deletes) => writer.build_v2_deletes(),
        };
        for (file, existing) in files {
            match existing {
                None => writer.add_file(file, sequence).unwrap(),
                Some((from, number)) => writer.add_existing_file(file, from, number, Some(number)).unwrap(),
            }
        }
        let written = writer.write_manifest_file().await.unwrap();
        self.put(&path, io.new_input(&path).unwrap().read().await.unwrap()).await;
        written
    }

    /// Writes a file of position deletes of these rows of data files.
    pub(crate) async fn positions(&self, name: &str, rows: &[(&str, i64)]) -> File {
        let location = self.metadata("orders").await.location().to_owned();
        let rows = rows.iter().map(|(of, position)| (path(&location, of), *position));
        let columns = position_deletes(rows);
        let file = self.data(name, columns).await;
        File { content: DataContentType::PositionDeletes, ..file }
    }

    /// Writes a Parquet file of these columns.
    pub(crate) async fn data(&self, name: &str, columns: Vec<(Field, ArrayRef)>) -> File {
        let location = self.metadata("orders").await.location().to_owned();
        let rows = columns.first().map_or(0, |(_, values)| values.len() as u64);
        let bytes = parquet(columns);
        let size = bytes.len() as u64;
        self.put(&path(&location, name), bytes.into()).await;
        File { rows, size, ..File::new(name) }
    }

    /// Writes a deletion vector of these rows of a data file.
    pub(crate) async fn vector(&self, name: &str, of: &str, rows: &[u64]) -> File {
        let location = self.metadata("orders").await.location().to_owned();
        let mut body = vec![0xd1, 0xd3, 0x39, 0x64];
        rows.iter().copied().collect::<RoaringTreemap>().serialize_into(&mut body).unwrap();
        let mut checksum = flate2::Crc::new();
        checksum.update(&body);
        let mut bytes = b"PFA1".to_vec();
        bytes.extend((body.len() as u32).to_be_bytes());
        bytes.extend(&body);
        bytes.extend(checksum.sum().to_be_bytes());
        let vector = Some((of.to_owned(), 4, bytes.len() as i64 - 4));
        bytes.extend(b"{}PFA1");
        let size = bytes.len() as u64;
        self.put(&path(&location, name), bytes.into()).await;
        let (content, format) = (DataContentType::PositionDeletes, DataFileFormat::Puffin);
        File { content, format, rows: rows.len() as u64, size, vector, ..File::new(name) }
    }

    /// The files of a list by the last part of their key, each with its deleted rows as readers find them.
    pub(crate) async fn deleted(&self, files: &FileList) -> Vec<(String, Vec<u64>)> {
        let mut told = Vec::new();
        let walked = files.try_for_each(|file| {
            let name = file.at.key.rsplit('/').next().unwrap().to_owned();
            told.push((
                name,
                file.deletes.map(|at| (at.at.key.to_owned(), at.offset as usize, at.size as usize)),
            ));
            Ok(())
        });
        walked.unwrap();
        let mut found = Vec::new();
        for (name, at) in told {
            let mut rows = Vec::new();
            if let Some((key, offset, size)) = at {
                let pack = self.own.get(&Path::from(key)).await.unwrap().bytes().await.unwrap();
                let bitmap = &pack[offset + 8..offset + 4 + size];
                rows = RoaringTreemap::deserialize_from(bitmap).unwrap().iter().collect();
            }
            found.push((name, rows));
        }
        found.sort();
        found
    }

    pub(crate) async fn put(&self, location: &str, bytes: Bytes) {
        let (warehouse, key) = location.strip_prefix("s3://").unwrap().split_once('/').unwrap();
        self.stores.store(warehouse).put(&Path::from(key), bytes.into()).await.unwrap();
    }

    pub(crate) async fn remove(&self, location: &str) {
        let (warehouse, key) = location.strip_prefix("s3://").unwrap().split_once('/').unwrap();
        self.stores.store(warehouse).delete(&Path::from(key)).await.unwrap();
    }

    pub(crate) async fn read(&self, location: &str) -> Bytes {
        let (warehouse, key) = location.strip_prefix("s3://").unwrap().split_once('/').unwrap();
        let got = self.stores.store(warehouse).get(&Path::from(key)).await.unwrap();
        got.bytes().await.unwrap()
    }
}

/// The last parts of the files' keys, sorted.
pub(crate) fn names(files: &FileList) -> Vec<String> {
    let mut names = Vec::new();
    let walked = files.try_for_each(|file| {
        names.push(file.at.key.rsplit('/').next().unwrap().to_owned());
        Ok(())
    });
    walked.unwrap();
    names.sort();
    names
}

/// The statistics of the file of this name.
pub(crate) fn stats(files: &FileList, name: &str) -> Value {
    let mut found = None;
    let walked = files.try_for_each(|file| {
        if file.at.key.ends_with(name) {
            found = file.stats.map(|stats| serde_json::from_str(stats).unwrap());
        }
        Ok(())
    });
    walked.unwrap();
    found.unwrap()
}

/// The message of what is refused as unsupported.
pub(crate) fn unsupported<T>(told: Result<T, TableError>) -> String {
    match told {
        Err(TableError::Unsupported(why)) => why,
        Err(error) => panic!("refused otherwise: {error:?}"),
        Ok(_) => panic!("not refused"),
    }
}
