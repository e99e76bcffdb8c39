//! A table with real Parquet files, deletes of every kind, and a model of its rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema as ArrowSchema};
use bytes::Bytes;
use futures::TryStreamExt as _;
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, FormatVersion, Literal, ManifestContentType,
    ManifestFile, ManifestListWriter, ManifestWriterBuilder, Struct,
};
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};
use serde_json::{Value, json};
use tarn_catalog::metadata::Schema;
use tarn_catalog::reads::{Read, ReadPlanner, ReadSchema};
use tarn_catalog::state::{CreateTable, Properties, Request};

use super::super::head::Head;
use super::super::rows::TableRows;
use super::super::select::holds_deletes;
use super::super::{Compact, CompactError, Compacted, Order, Target};
use super::read::{cell, read_rows};
use crate::files::Files;
use crate::removal::Mode;
use crate::runs::Progress;
use crate::testing::{World, ident};

/// The columns, by field id: `id`, `v` and `p`, and what is added later.
pub(super) const ID: i32 = 1;
pub(super) const TEXT: i32 = 2;
pub(super) const PART: i32 = 3;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
}

/// A row as the table should have it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) cells: BTreeMap<i32, Cell>,
    pub(super) sequence: i64,
    pub(super) partition: (i32, Option<i64>),
    pub(super) path: String,
    pub(super) position: u64,
    pub(super) row_id: Option<i64>,
    pub(super) changed: Option<i64>,
}

/// What a row reads as: its columns, its row id, and when it last changed.
pub(super) type Seen = (Vec<Cell>, Option<i64>, Option<i64>);

/// A column of the current schema: its id, name, type and initial default.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) id: i32,
    pub(super) name: String,
    pub(super) of: &'static str,
    pub(super) default: Option<i64>,
}

pub(super) struct Bench {
    pub(super) world: World,
    pub(super) files: Arc<Files>,
    pub(super) progress: Progress,
    pub(super) version: FormatVersion,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    /// Whether the current spec is by the value of `p`.
    pub(super) is_partitioned: bool,
    /// Data files with a deletion vector: they have one at most.
    vectors: BTreeSet<String>,
    files_have_ids: bool,
    /// Where files are put that are none of the table's own.
    pub(super) elsewhere: Option<&'static str>,
    made: u32,
}

impl Bench {
    pub(super) async fn new(version: FormatVersion) -> Self {
        let world = World::new(World::quick()).await;
        let column = |id, name: &str, of| Column { id, name: name.into(), of, default: None };
        let columns = vec![column(ID, "id", "int"), column(TEXT, "v", "string"), column(PART, "p", "int")];
        let schema = Schema::from_json(schema_json(&columns)).unwrap();
        let mut properties = Properties::new();
        properties.insert("format-version".into(), (version as u8).to_string());
        let create = CreateTable {
            ident: ident("t"),
            schema: Arc::new(schema),
            spec: None,
            order: None,
            location: None,
            properties,
        };
        world.catalog.commit(Request::CreateTable(create)).await.unwrap();
        let files = Arc::new(Files::new(world.stores.clone(), &world.settings));
        let progress = Progress::default();
        let (rows, vectors) = (Vec::new(), BTreeSet::new());
        Self {
            world,
            files,
            progress,
            version,
            columns,
            rows,
            is_partitioned: false,
            vectors,
            files_have_ids: true,
            elsewhere: None,
            made: 0,
        }
    }

    pub(super) fn compact(&self, mode: Mode) -> Compact<'_> {
        Compact { catalog: &self.world.catalog, files: &self.files, mode, progress: &self.progress }
    }

    pub(super) async fn run(&self, order: Order) -> Compacted {
        self.try_run(order).await.unwrap()
    }

    pub(super) async fn try_run(&self, order: Order) -> Result<Compacted, CompactError> {
        let target = Target { bytes: Some(64 << 20), order, groups: 2 };
        self.compact(Mode::Apply).run(&ident("t"), target).await
    }

    pub(super) async fn head(&self) -> Option<Head> {
        self.compact(Mode::Apply).head(&ident("t")).await.unwrap()
    }

    /// Sets the current schema.
    pub(super) async fn evolve(&mut self, columns: Vec<Column>) {
        self.columns = columns;
        let updates = json!([{"action": "add-schema", "schema": schema_json(&self.columns)},
            {"action": "set-current-schema", "schema-id": -1}]);
        self.world.update("t", updates).await;
    }

    /// Sets the current spec.
    pub(super) async fn partition(&mut self, by_p: bool) {
        let fields =
            if by_p { json!([{"source-id": PART, "name": "p", "transform": "identity"}]) } else { json!([]) };
        let updates = json!([{"action": "add-spec", "spec": {"fields": fields}},
            {"action": "set-default-spec", "spec-id": -1}]);
        self.world.update("t", updates).await;
        self.is_partitioned = by_p;
    }

    /// Appends rows to the current partitions as an import does that leaves the files as they are: without field ids,
    /// and without the column they are partitioned by.
    pub(super) async fn import(&mut self, ids: &[i64]) {
        let (columns, rows) = (self.columns.clone(), self.rows.len());
        self.files_have_ids = false;
        self.columns.retain(|column| column.id != PART);
        self.append(ids).await;
        self.files_have_ids = true;
        self.columns = columns;
        for row in &mut self.rows[rows..] {
            row.cells.insert(PART, row.partition.1.map_or(Cell::Null, Cell::Int));
        }
    }

    /// Appends rows of `id` and `v`; `p` is a third of the id. One file for each partition.
    pub(super) async fn append(&mut self, ids: &[i64]) {
        let spec = self.world.metadata("t").await.default_spec_id();
        let mut files: BTreeMap<Option<i64>, Vec<BTreeMap<i32, Cell>>> = BTreeMap::new();
        for &id in ids {
            let cell = |column: &Column| match column.id {
                ID => Cell::Int(id),
                TEXT if id % 5 == 0 => Cell::Null,
                TEXT => Cell::Text(format!("v{}", id % 7)),
                PART => Cell::Int(id % 3),
                other => Cell::Int(id % 1000 + i64::from(other) * 1000),
            };
            let cells = self.columns.iter().map(|column| (column.id, cell(column))).collect();
            files.entry(self.is_partitioned.then_some(id % 3)).or_default().push(cells);
        }
        let mut described = Vec::new();
        for (partition, cells) in files {
            let path = self.path("data", "parquet").await;
            let bytes = self.parquet(&cells);
            let file = self.describe(DataContentType::Data, &path, &bytes, cells.len(), (spec, partition));
            described.push((spec, file.build().unwrap()));
            self.world.put_bytes(&path, bytes).await;
            for (position, cells) in (0..).zip(cells) {
                let partition = (spec, partition);
                let (sequence, row_id, changed) = (-1, None, None);
                self.rows.push(Row {
                    cells,
                    sequence,
                    partition,
                    path: path.clone(),
                    position,
                    row_id,
                    changed,
                });
            }
        }
        let first = self.world.metadata("t").await.next_row_id();
        let sequence = self.commit(described, Vec::new()).await;
        let mut next = first;
        for row in self.rows.iter_mut().filter(|row| row.sequence == -1) {
            row.sequence = sequence;
            if self.version == FormatVersion::V3 {
                (row.row_id, row.changed) = (Some(next), Some(sequence));
                next += 1;
            }
        }
    }

    /// Deletes rows by position, with a file of position deletes or with deletion vectors.
    pub(super) async fn delete_rows(&mut self, is_deleted: impl Fn(&Row) -> bool) {
        let vectors = &self.vectors;
        let goes = |row: &Row| is_deleted(row) && !vectors.contains(&row.path);
        let (gone, stay): (Vec<Row>, Vec<Row>) = self.rows.drain(..).partition(goes);
        self.rows = stay;
        if gone.is_empty() {
            return;
        }
        let mut by_file: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for row in &gone {
            by_file.entry(row.path.clone()).or_default().push(row);
        }
        let mut deletes = Vec::new();
        for (path, rows) in by_file {
            let location = self.path("data", "deletes").await;
            let positions: Vec<u64> = rows.iter().map(|row| row.position).collect();
            let is_vector = self.version == FormatVersion::V3;
            let bytes = match is_vector {
                true => super::super::positions::encode(&positions),
                false => position_file(&path, &positions),
            };
            let kind = DataContentType::PositionDeletes;
            let mut file = self.describe(kind, &location, &bytes, positions.len(), rows[0].partition);
            if is_vector {
                self.vectors.insert(path.clone());
                file.file_format(DataFileFormat::Puffin).referenced_data_file(Some(path));
                file.content_offset(Some(0)).content_size_in_bytes(Some(bytes.len() as i64));
            }
            self.world.put_bytes(&location, bytes).await;
            deletes.push((rows[0].partition.0, file.build().unwrap()));
        }
        self.commit(Vec::new(), deletes).await;
    }

    /// Deletes all older rows of a partition of the current spec, or of the whole table, with one of these `id` and `v`.
    pub(super) async fn delete_equal(&mut self, by: &[i32], values: &[Vec<Cell>], partition: Option<i64>) {
        let spec = self.world.metadata("t").await.default_spec_id();
        let named: Vec<BTreeMap<i32, Cell>> =
            values.iter().map(|values| by.iter().copied().zip(values.iter().cloned()).collect()).collect();
        let location = self.path("data", "parquet").await;
        let all = std::mem::take(&mut self.columns);
        self.columns = all.iter().filter(|column| by.contains(&column.id)).cloned().collect();
        let bytes = self.parquet(&named);
        self.columns = all;
        let kind = DataContentType::EqualityDeletes;
        let mut file = self.describe(kind, &location, &bytes, named.len(), (spec, partition));
        file.equality_ids(Some(by.to_vec()));
        self.world.put_bytes(&location, bytes).await;
        let sequence = self.commit(Vec::new(), vec![(spec, file.build().unwrap())]).await;
        let is_everywhere = !self.is_partitioned;
        let columns = self.columns.clone();
        self.rows.retain(|row| {
            let applies = is_everywhere || row.partition == (spec, partition);
            let cell = |id: i32| row.cells.get(&id).cloned().unwrap_or_else(|| default(&columns, id));
            let equal = named.iter().any(|named| named.iter().all(|(id, value)| cell(*id) == *value));
            !(applies && row.sequence < sequence && equal)
        });
    }

    /// What the rows should read as.
    pub(super) fn expected(&self) -> Vec<Seen> {
        let cell = |row: &Row, column: &Column| {
            row.cells.get(&column.id).cloned().unwrap_or_else(|| default(&self.columns, column.id))
        };
        let seen =
            |row: &Row| (self.columns.iter().map(|one| cell(row, one)).collect(), row.row_id, row.changed);
        let mut all: Vec<Seen> = self.rows.iter().map(seen).collect();
        all.sort();
        all
    }

    /// What the data files hold, deletes not looked at.
    pub(super) async fn found(&self) -> Vec<Seen> {
        let mut all: Vec<Seen> = self.data_rows().await.into_iter().flat_map(|(_, rows)| rows).collect();
        all.sort();
        all
    }

    /// The rows of each data file, in their order.
    pub(super) async fn data_rows(&self) -> Vec<(DataFile, Vec<Seen>)> {
        let Some(head) = self.head().await else { return Vec::new() };
        let compact = self.compact(Mode::Apply);
        let mut found = Vec::new();
        for manifest in head.manifests.iter().filter(|manifest| !holds_deletes(manifest)) {
            for live in compact.live(manifest).await.unwrap().0 {
                let bytes = self.world.read(live.path()).await;
                let rows = read_rows(bytes, &self.columns, live.first_row_id, live.sequence_number);
                found.push((live.file().clone(), rows));
            }
        }
        found
    }

    /// The live delete files.
    pub(super) async fn deletes(&self) -> BTreeSet<String> {
        let head = self.head().await.unwrap();
        let mut found = BTreeSet::new();
        for manifest in head.manifests.iter().filter(|manifest| holds_deletes(manifest)) {
            let live = self.compact(Mode::Apply).live(manifest).await.unwrap().0;
            found.extend(live.iter().map(|live| live.path().to_owned()));
        }
        found
    }

    async fn path(&mut self, folder: &str, suffix: &str) -> String {
        self.made += 1;
        let location = self.world.metadata("t").await.location().to_owned();
        format!("{}/{folder}/{}.{suffix}", self.elsewhere.unwrap_or(&location), self.made)
    }

    fn describe(
        &self,
        content: DataContentType,
        path: &str,
        bytes: &Bytes,
        rows: usize,
        (spec, partition): (i32, Option<i64>),
    ) -> DataFileBuilder {
        let values = partition.map(|value| Some(Literal::int(value as i32)));
        let mut file = DataFileBuilder::default();
        file.content(content)
            .file_path(path.to_owned())
            .file_format(DataFileFormat::Parquet)
            .partition(values.into_iter().collect::<Struct>())
            .partition_spec_id(spec)
            .record_count(rows as u64)
            .file_size_in_bytes(bytes.len() as u64);
        file
    }

    fn parquet(&self, rows: &[BTreeMap<i32, Cell>]) -> Bytes {
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for column in &self.columns {
            let cells: Vec<&Cell> = rows.iter().map(|row| &row[&column.id]).collect();
            let int = |cell: &&Cell| match cell {
                Cell::Int(value) => Some(*value),
                Cell::Null | Cell::Text(_) => None,
            };
            let text = |cell: &&Cell| match cell {
                Cell::Text(value) => Some(value.clone()),
                Cell::Null | Cell::Int(_) => None,
            };
            let array: ArrayRef = match column.of {
                "int" => Arc::new(
                    cells.iter().map(|cell| int(cell).map(|value| value as i32)).collect::<Int32Array>(),
                ),
                "long" => Arc::new(cells.iter().map(int).collect::<Int64Array>()),
                _string => Arc::new(cells.iter().map(text).collect::<StringArray>()),
            };
            let id = (PARQUET_FIELD_ID_META_KEY.to_owned(), column.id.to_string());
            let field = Field::new(&column.name, array.data_type().clone(), true);
            fields.push(if self.files_have_ids { field.with_metadata([id].into()) } else { field });
            arrays.push(array);
        }
        write(fields, arrays)
    }

    /// Commits files; the sequence number of the snapshot.
    async fn commit(&self, data: Vec<(i32, DataFile)>, deletes: Vec<(i32, DataFile)>) -> i64 {
        let metadata = self.world.metadata("t").await;
        let id = (uuid::Uuid::new_v4().as_u128() >> 65) as i64;
        let (parent, manifests) = match self.head().await {
            Some(head) => (Some(head.snapshot_id), head.manifests),
            None => (None, Vec::new()),
        };
        let mut manifests: Vec<ManifestFile> = manifests;
        for (content, files) in [(ManifestContentType::Data, data), (ManifestContentType::Deletes, deletes)] {
            let mut by_spec: BTreeMap<i32, Vec<DataFile>> = BTreeMap::new();
            for (spec, file) in files {
                by_spec.entry(spec).or_default().push(file);
            }
            for (spec, files) in by_spec {
                manifests.push(self.manifest(id, content, spec, files).await);
            }
        }
        let sequence =
            if self.version == FormatVersion::V1 { 0 } else { metadata.last_sequence_number() + 1 };
        let io = FileIO::new_with_memory();
        let list = format!("{}/metadata/snap-{id}.avro", metadata.location());
        let output = io.new_output(&list).unwrap().writer().await.unwrap();
        let first = metadata.next_row_id();
        let mut writer = match self.version {
            FormatVersion::V1 => ManifestListWriter::v1(output, id, parent),
            FormatVersion::V2 => ManifestListWriter::v2(output, id, parent, sequence),
            FormatVersion::V3 => ManifestListWriter::v3(output, id, parent, sequence, Some(first as u64)),
        };
        writer.add_manifests(manifests.into_iter()).unwrap();
        let next = writer.next_row_id();
        writer.close().await.unwrap();
        self.world.put_bytes(&list, io.new_input(&list).unwrap().read().await.unwrap()).await;
        let mut snapshot = json!({
            "snapshot-id": id, "timestamp-ms": metadata.last_updated_ms(), "manifest-list": list,
            "summary": {"operation": "overwrite"}, "schema-id": metadata.current_schema_id(),
        });
        if self.version != FormatVersion::V1 {
            snapshot["sequence-number"] = json!(sequence);
        }
        if let Some(next) = next {
            snapshot["first-row-id"] = json!(first);
            snapshot["added-rows"] = json!(next as i64 - first);
        }
        if let Some(parent) = parent {
            snapshot["parent-snapshot-id"] = json!(parent);
        }
        let updates = json!([{"action": "add-snapshot", "snapshot": snapshot},
            {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id}]);
        self.world.update("t", updates).await;
        sequence
    }

    async fn manifest(
        &self,
        id: i64,
        content: ManifestContentType,
        spec: i32,
        files: Vec<DataFile>,
    ) -> ManifestFile {
        let metadata = self.world.metadata("t").await;
        let table: iceberg::spec::TableMetadata = serde_json::from_slice(&metadata.to_json()).unwrap();
        let spec = table.partition_spec_by_id(spec).unwrap().as_ref().clone();
        let path = format!("{}/metadata/{}-m.avro", metadata.location(), uuid::Uuid::now_v7());
        let io = FileIO::new_with_memory();
        let output = io.new_output(&path).unwrap();
        let builder = ManifestWriterBuilder::new(output, Some(id), table.current_schema().clone(), spec);
        let mut writer = match (self.version, content) {
            (FormatVersion::V1, _) => builder.build_v1(),
            (FormatVersion::V2, ManifestContentType::Data) => builder.build_v2_data(),
            (FormatVersion::V2, ManifestContentType::Deletes) => builder.build_v2_deletes(),
            (FormatVersion::V3, ManifestContentType::Data) => builder.build_v3_data(),
            (FormatVersion::V3, ManifestContentType::Deletes) => builder.build_v3_deletes(),
        };
        for file in files {
            writer.add_file(file, -1).unwrap();
        }
        let written = writer.write_manifest_file().await.unwrap();
        self.world.put_bytes(&path, io.new_input(&path).unwrap().read().await.unwrap()).await;
        written
    }
}

pub(super) fn schema_json(columns: &[Column]) -> Value {
    let field = |column: &Column| {
        let mut field = json!({"id": column.id, "name": column.name, "required": false, "type": column.of});
        if let Some(default) = column.default {
            (field["initial-default"], field["write-default"]) = (json!(default), json!(default));
        }
        field
    };
    json!({"type": "struct", "fields": columns.iter().map(field).collect::<Vec<_>>()})
}

fn default(columns: &[Column], id: i32) -> Cell {
    let column = columns.iter().find(|column| column.id == id);
    column.and_then(|column| column.default).map_or(Cell::Null, Cell::Int)
}

fn position_file(path: &str, positions: &[u64]) -> Bytes {
    let paths: StringArray = positions.iter().map(|_| Some(path)).collect();
    let rows: Int64Array = positions.iter().map(|&row| Some(row as i64)).collect();
    let id = |id: i32| [(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())].into();
    let fields = vec![
        Field::new("file_path", DataType::Utf8, false).with_metadata(id(2_147_483_546)),
        Field::new("pos", DataType::Int64, false).with_metadata(id(2_147_483_545)),
    ];
    write(fields, vec![Arc::new(paths), Arc::new(rows)])
}

fn write(fields: Vec<Field>, arrays: Vec<ArrayRef>) -> Bytes {
    let schema = Arc::new(ArrowSchema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

impl Bench {
    /// The rows as a reader in this process sees them.
    pub(super) async fn live(&self) -> Vec<Vec<Cell>> {
        let (ident, world) = (ident("t"), &self.world);
        let table = world.catalog.load(&ident).await.unwrap().unwrap();
        let metadata = &table.metadata;
        let Some(snapshot_id) = metadata.current_snapshot_id() else { return Vec::new() };
        let planner = ReadPlanner::new(world.catalog.clone());
        let read = Read {
            table: &ident,
            metadata_location: &table.entry.metadata_location,
            metadata,
            snapshot_id,
            schema: ReadSchema::Table,
            filter: &json!(true),
            files_max: 1_000,
        };
        let planned = planner.files(read).await.unwrap();
        let rows = TableRows::new(world.stores.clone(), metadata, metadata.current_schema_id()).unwrap();
        let files: Vec<_> = planned.files.iter().collect();
        let mut deleted = rows.deleted(&files, &planned.deletes).await.unwrap();
        let columns: Vec<usize> = (0..self.columns.len()).collect();
        let mut found = Vec::new();
        for file in files {
            let file = rows.file(file, &planned.deletes, &mut deleted).unwrap();
            let batches: Vec<RecordBatch> =
                rows.read(&file, &columns, &|_| None).await.unwrap().try_collect().await.unwrap();
            for batch in batches {
                for row in 0..batch.num_rows() {
                    found.push(batch.columns().iter().map(|column| cell(column, row)).collect());
                }
            }
        }
        found.sort();
        found
    }

    /// Learns where the rows lie after a compaction.
    pub(super) async fn relocate(&mut self) {
        let mut rows = Vec::new();
        let head = self.head().await.unwrap();
        for manifest in head.manifests.iter().filter(|manifest| !holds_deletes(manifest)) {
            for live in self.compact(Mode::Apply).live(manifest).await.unwrap().0 {
                let bytes = self.world.read(live.path()).await;
                let seen = read_rows(bytes, &self.columns, live.first_row_id, live.sequence_number);
                let partition = match live.file().partition().fields() {
                    [Some(Literal::Primitive(iceberg::spec::PrimitiveLiteral::Int(value)))] => {
                        Some(i64::from(*value))
                    }
                    _none => None,
                };
                for (position, (cells, row_id, changed)) in (0..).zip(seen) {
                    let cells = self.columns.iter().map(|column| column.id).zip(cells).collect();
                    let (sequence, partition) = (live.sequence_number, (live.spec_id, partition));
                    let path = live.path().to_owned();
                    rows.push(Row { cells, sequence, partition, path, position, row_id, changed });
                }
            }
        }
        self.rows = rows;
    }
}
