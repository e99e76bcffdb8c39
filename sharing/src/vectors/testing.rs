//! What the tests of deletes share: buckets in memory, files of deletes, and snapshots of them.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::Field;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use tarn_catalog::manifests::{
    Content, ContentFile, DeleteIndex, Entry, Manifest, Partition, SpecPartitions, Status, Value,
};
use tarn_catalog::metadata::{PartitionSpec, TableMetadata};
use tarn_catalog::{InMemoryWarehouses, WarehouseStores};
use uuid::Uuid;

use super::{DataRef, Deleting, Limits, SnapshotDeletes, Vectors};
use crate::directory::EqualityDeletes;
use crate::table::{DataFile, FileList, Place, TableError};
pub(super) use crate::testing::field;
use crate::testing::{parquet, position_deletes};

/// The bucket of the tests' tables.
pub(super) const BUCKET: &str = "main";

/// Stores, and vectors over them.
pub(super) struct World {
    pub(super) stores: Arc<dyn WarehouseStores>,
    pub(super) own: Arc<InMemory>,
    pub(super) vectors: Vectors,
}

/// A data file of a test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data<'a> {
    pub(super) name: &'a str,
    pub(super) records: u64,
    pub(super) sequence_number: i64,
    pub(super) size: u64,
    /// Its partition; none is the only one of a table without.
    pub(super) partition: Option<&'a str>,
}

impl<'a> Data<'a> {
    /// One that is not there.
    pub(super) fn new(name: &'a str, records: u64, sequence_number: i64) -> Self {
        Self { name, records, sequence_number, size: 1000, partition: None }
    }
}

impl World {
    pub(super) fn new(limits: Limits) -> Self {
        let stores: Arc<dyn WarehouseStores> = Arc::new(InMemoryWarehouses::default());
        let own = Arc::new(InMemory::new());
        let vectors = Vectors::new(stores.clone(), own.clone(), limits);
        Self { stores, own, vectors }
    }

    /// The deletes of a snapshot of a table.
    pub(super) fn snapshot<'a>(
        &'a self,
        table: &'a TableMetadata,
        deletes: impl IntoIterator<Item = Delete>,
        equality: EqualityDeletes,
    ) -> SnapshotDeletes<'a> {
        self.vectors.snapshot(Deleting { table, files: index(deletes), place: &place, equality })
    }

    /// Writes an object of the tables' bucket; its size.
    pub(super) async fn put(&self, key: &str, bytes: Vec<u8>) -> u64 {
        let size = bytes.len() as u64;
        self.stores.store(BUCKET).put(&Path::from(key), bytes.into()).await.unwrap();
        size
    }

    /// Writes a Parquet file; its size.
    pub(super) async fn put_parquet(&self, key: &str, columns: Vec<(Field, ArrayRef)>) -> u64 {
        self.put(key, parquet(columns)).await
    }

    /// A file of position deletes of these data files' rows.
    pub(super) async fn positions(&self, key: &str, sequence_number: i64, rows: &[(&str, i64)]) -> Delete {
        let columns = position_deletes(rows.iter().map(|(name, position)| (location(name), *position)));
        let size = self.put_parquet(key, columns).await;
        let file = file(Content::PositionDeletes, key, size, rows.len());
        Delete::new(sequence_number, file)
    }

    /// The rows that a list of these files tells as deleted, by reading the packs as readers do; `None` for all there.
    pub(super) async fn told(
        &self,
        deletes: &SnapshotDeletes<'_>,
        files: &[Data<'_>],
    ) -> Result<Vec<(String, Option<Vec<u64>>)>, TableError> {
        let list = self.assemble(deletes, files, now_ms()).await?;
        let mut told = Vec::new();
        let mut placed = Vec::new();
        list.try_for_each(|file| {
            let name = file.at.key.trim_start_matches("t/").to_owned();
            placed.push((
                name,
                file.deletes
                    .map(|at| (at.at.key.to_owned(), at.file_size, at.offset, at.size, at.cardinality)),
            ));
            Ok(())
        })?;
        for (name, at) in placed {
            let Some((key, file_size, offset, size, cardinality)) = at else {
                told.push((name, None));
                continue;
            };
            let pack = self.own.get(&Path::from(key)).await.unwrap().bytes().await.unwrap();
            assert_eq!((pack[0], pack.len() as u64), (1, file_size));
            let record = &pack[offset as usize..(offset + size) as usize + 8];
            let rows = super::record::decode(record).unwrap();
            assert_eq!(rows.len(), cardinality);
            told.push((name, Some(rows.iter().collect())));
        }
        told.sort();
        Ok(told)
    }

    pub(super) async fn assemble(
        &self,
        deletes: &SnapshotDeletes<'_>,
        files: &[Data<'_>],
        now_ms: i64,
    ) -> Result<FileList, TableError> {
        let mut list = self.vectors.assemble(deletes, Uuid::from_u128(7), now_ms);
        for Data { name, records, sequence_number, size, partition } in files {
            let (key, partition) = (format!("t/{name}"), partition_of(*partition).key.clone());
            let file = DataFile {
                at: Place { bucket: BUCKET, key: &key },
                size: *size,
                modified_ms: 0,
                partition_values: Vec::new(),
                stats: None,
                records: Some(*records),
                hidden: Vec::new(),
                deletes: None,
            };
            let location = location(name);
            let data = DataRef {
                location: &location,
                at: file.at,
                size: file.size,
                records: *records,
                partition: &partition,
                sequence_number: *sequence_number,
            };
            list.push(&file, &data).await?;
        }
        list.finish().await
    }
}

pub(super) fn location(name: &str) -> String {
    format!("s3://{BUCKET}/t/{name}")
}

/// The only partition of the tests' tables.
pub(super) fn unpartitioned() -> Arc<Partition> {
    let table = table(&serde_json::json!([]));
    let spec = SpecPartitions::new(&table, table.spec(0).unwrap());
    let data = file(Content::Data, "", 0, 0);
    Arc::new(spec.of(&data, &spec.places(&Manifest::default())).unwrap())
}

/// The partition of a table that is partitioned by a text; without one, the only partition of one that is not.
pub(super) fn partition_of(value: Option<&str>) -> Arc<Partition> {
    let Some(value) = value else { return unpartitioned() };
    let table = table(&serde_json::json!([{"id": 2, "name": "c2", "required": false, "type": "string"}]));
    let fields =
        serde_json::json!([{"source-id": 2, "field-id": 1000, "name": "c2", "transform": "identity"}]);
    let spec = serde_json::json!({"spec-id": 1, "fields": fields});
    let spec = SpecPartitions::new(&table, &PartitionSpec::from_json(spec).unwrap());
    let manifest = Manifest { partition_ids: vec![Some(1000)], ..Manifest::default() };
    let mut data = file(Content::Data, "", 0, 0);
    data.partition = [Some(Value::Text(value.into()))].into();
    Arc::new(spec.of(&data, &spec.places(&manifest)).unwrap())
}

/// A delete file of a test.
#[derive(Debug)]
pub(super) struct Delete {
    pub(super) sequence_number: i64,
    pub(super) file: ContentFile,
    pub(super) partition: Arc<Partition>,
}

impl Delete {
    pub(super) fn new(sequence_number: i64, file: ContentFile) -> Self {
        Self { sequence_number, file, partition: unpartitioned() }
    }
}

/// The index of these delete files.
pub(super) fn index(deletes: impl IntoIterator<Item = Delete>) -> DeleteIndex {
    let mut index = DeleteIndex::default();
    for Delete { sequence_number, file, partition } in deletes {
        let status = Status::Added;
        let entry = Entry { status, snapshot_id: None, sequence_number: None, rows_before: 0, file };
        let manifest = Arc::new(Manifest { entries: vec![entry], ..Manifest::default() });
        index.add(&manifest, 0, &partition, sequence_number);
    }
    index
}

/// Where a file of the tests' table lies.
pub(super) fn place(location: &str) -> Result<Place<'_>, TableError> {
    let key = location.strip_prefix("s3://main/").ok_or(TableError::Outside)?;
    Ok(Place { bucket: BUCKET, key })
}

pub(super) fn file(content: Content, key: &str, size: u64, records: usize) -> ContentFile {
    ContentFile {
        content,
        path: format!("s3://{BUCKET}/{key}").into(),
        format: "parquet".into(),
        partition: Box::default(),
        record_count: records as i64,
        size_bytes: size as i64,
        column_sizes: Box::default(),
        value_counts: Box::default(),
        null_counts: Box::default(),
        nan_counts: Box::default(),
        lower_bounds: Box::default(),
        upper_bounds: Box::default(),
        key_metadata: None,
        split_offsets: Box::default(),
        equality_ids: Box::default(),
        sort_order_id: None,
        first_row_id: None,
        referenced_data_file: None,
        content_offset: None,
        content_size_bytes: None,
    }
}

pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A table with these columns as JSON, and nothing else.
pub(super) fn table(fields: &serde_json::Value) -> TableMetadata {
    table_with(fields, &serde_json::json!({}))
}

pub(super) fn table_with(fields: &serde_json::Value, properties: &serde_json::Value) -> TableMetadata {
    let metadata = serde_json::json!({
        "format-version": 3,
        "table-uuid": "0195e5ae-7bd5-7b4b-bbc4-000000000001",
        "location": "s3://main/t",
        "last-sequence-number": 9,
        "last-updated-ms": 1,
        "last-column-id": 100,
        "schemas": [{"type": "struct", "schema-id": 0, "fields": fields}],
        "current-schema-id": 0,
        "partition-specs": [{"spec-id": 0, "fields": []}],
        "default-spec-id": 0,
        "last-partition-id": 999,
        "sort-orders": [{"order-id": 0, "fields": []}],
        "default-sort-order-id": 0,
        "next-row-id": 0,
        "properties": properties,
    });
    TableMetadata::parse(metadata.to_string().as_bytes()).unwrap()
}
