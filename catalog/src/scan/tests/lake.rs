//! Tables whose manifests the `iceberg` crate wrote, in a store in memory.

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFileBuilder, DataFileFormat, Datum, Literal, ManifestContentType, ManifestFile,
    ManifestListWriter, ManifestWriterBuilder, PartitionSpec, Schema, Struct,
};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Value as Json, json};

/// A file to put into a manifest.
#[derive(Clone)]
pub(crate) struct DataFile {
    pub(crate) path: String,
    pub(crate) content: DataContentType,
    pub(crate) format: DataFileFormat,
    pub(crate) partition: Vec<Option<Literal>>,
    pub(crate) rows: u64,
    pub(crate) lower: HashMap<i32, Datum>,
    pub(crate) upper: HashMap<i32, Datum>,
    pub(crate) equality_ids: Option<Vec<i32>>,
    pub(crate) referenced: Option<String>,
    /// Its entry says that the snapshot removed it.
    pub(crate) removed: bool,
}

impl DataFile {
    pub(crate) fn new(path: impl Into<String>, partition: Vec<Option<Literal>>) -> Self {
        Self {
            path: path.into(),
            content: DataContentType::Data,
            format: DataFileFormat::Parquet,
            partition,
            rows: 10,
            lower: HashMap::new(),
            upper: HashMap::new(),
            equality_ids: None,
            referenced: None,
            removed: false,
        }
    }

    pub(crate) fn with_range(mut self, id: i32, lower: i64, upper: i64) -> Self {
        self.lower.insert(id, Datum::long(lower));
        self.upper.insert(id, Datum::long(upper));
        self
    }

    pub(crate) fn deleting(mut self, content: DataContentType) -> Self {
        self.content = content;
        self
    }

    pub(crate) fn build(&self, spec_id: i32) -> iceberg::spec::DataFile {
        let counts = |count: u64| self.lower.keys().map(|id| (*id, count)).collect::<HashMap<_, _>>();
        DataFileBuilder::default()
            .content(self.content)
            .file_path(self.path.clone())
            .file_format(self.format)
            .partition(Struct::from_iter(self.partition.clone()))
            .partition_spec_id(spec_id)
            .record_count(self.rows)
            .file_size_in_bytes(1234)
            .column_sizes(counts(7))
            .value_counts(counts(self.rows))
            .null_value_counts(counts(0))
            .lower_bounds(self.lower.clone())
            .upper_bounds(self.upper.clone())
            .split_offsets(Some(vec![4]))
            .equality_ids(self.equality_ids.clone())
            .referenced_data_file(self.referenced.clone())
            .build()
            .unwrap()
    }
}

/// A schema and specs, and where manifests go.
pub(crate) struct Lake {
    schema: Arc<Schema>,
    specs: Vec<PartitionSpec>,
    store: Arc<dyn ObjectStore>,
    io: FileIO,
    folder: String,
    files: std::cell::Cell<u32>,
    pub(crate) version: u8,
}

impl Lake {
    /// `folder` is a location below `s3://main/`.
    pub(crate) fn new(schema: Json, specs: &[Json], store: Arc<dyn ObjectStore>, folder: &str) -> Self {
        Self {
            schema: Arc::new(serde_json::from_value(schema).unwrap()),
            specs: specs.iter().map(|spec| serde_json::from_value(spec.clone()).unwrap()).collect(),
            store,
            io: FileIO::new_with_memory(),
            folder: folder.to_owned(),
            files: std::cell::Cell::new(0),
            version: 2,
        }
    }

    fn location(&self, kind: &str) -> String {
        self.files.set(self.files.get() + 1);
        format!("{}/metadata/{kind}-{}.avro", self.folder, self.files.get())
    }

    /// The bytes of what was written, also put where a catalog finds them.
    async fn publish(&self, location: &str) -> bytes::Bytes {
        let bytes = self.io.new_input(location).unwrap().read().await.unwrap();
        let key = location.strip_prefix("s3://main/").unwrap();
        self.store.put(&Path::from(key), bytes.clone().into()).await.unwrap();
        bytes
    }

    /// A manifest of files that snapshot `snapshot_id` added; `None` for `sequence` inherits.
    pub(crate) async fn manifest(
        &self,
        content: ManifestContentType,
        spec: usize,
        snapshot_id: i64,
        files: &[(DataFile, Option<i64>)],
    ) -> (ManifestFile, bytes::Bytes) {
        let location = self.location("manifest");
        let spec = &self.specs[spec];
        let builder = ManifestWriterBuilder::new(
            self.io.new_output(&location).unwrap(),
            Some(snapshot_id),
            self.schema.clone(),
            spec.clone(),
        );
        let mut writer = match (self.version, content) {
            (1, _) => builder.build_v1(),
            (2, ManifestContentType::Data) => builder.build_v2_data(),
            (2, ManifestContentType::Deletes) => builder.build_v2_deletes(),
            (_, ManifestContentType::Data) => builder.build_v3_data(),
            (_, ManifestContentType::Deletes) => builder.build_v3_deletes(),
        };
        for (file, sequence) in files {
            let (built, sequence) = (file.build(spec.spec_id()), sequence.unwrap_or(-1));
            match file.removed {
                true => writer.add_delete_file(built, sequence.max(0), Some(sequence.max(0))).unwrap(),
                false => writer.add_file(built, sequence).unwrap(),
            }
        }
        let manifest = writer.write_manifest_file().await.unwrap();
        (manifest, self.publish(&location).await)
    }

    /// A manifest list of snapshot `snapshot_id`; returns its location and bytes.
    pub(crate) async fn list(
        &self,
        snapshot_id: i64,
        sequence_number: i64,
        mut manifests: Vec<ManifestFile>,
    ) -> (String, bytes::Bytes) {
        let location = self.location("snap");
        let writer = self.io.new_output(&location).unwrap().writer().await.unwrap();
        let mut writer = match self.version {
            1 => ManifestListWriter::v1(writer, snapshot_id, None),
            2 => ManifestListWriter::v2(writer, snapshot_id, None, sequence_number),
            _ => ManifestListWriter::v3(writer, snapshot_id, None, sequence_number, Some(100)),
        };
        // Manifests of snapshots before have the sequence number they got there: their snapshot's id.
        for manifest in manifests.iter_mut().filter(|manifest| manifest.added_snapshot_id != snapshot_id) {
            manifest.sequence_number = manifest.added_snapshot_id;
            manifest.min_sequence_number = manifest.min_sequence_number.max(0);
        }
        writer.add_manifests(manifests.into_iter()).unwrap();
        writer.close().await.unwrap();
        let bytes = self.publish(&location).await;
        (location, bytes)
    }

    /// Adds a snapshot to a table: its JSON for `add-snapshot`.
    pub(crate) fn snapshot(id: i64, parent: Option<i64>, sequence_number: i64, manifest_list: &str) -> Json {
        let mut snapshot = json!({
            "snapshot-id": id, "sequence-number": sequence_number, "timestamp-ms": 1_750_000_001_000_i64 + id,
            "manifest-list": manifest_list, "schema-id": 0, "summary": {"operation": "append"},
        });
        if let Some(parent) = parent {
            snapshot["parent-snapshot-id"] = json!(parent);
        }
        snapshot
    }
}
