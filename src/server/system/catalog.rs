//! `tables`, `views` and `snapshots`.

use std::collections::{BTreeMap, VecDeque};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tarn_catalog::LoadedTable;
use tarn_catalog::metadata::{Snapshot, TableMetadata};
use tarn_catalog::state::TableIdent;
use tarn_openapi::access::{Action, Resource};
use tarn_sql::system::{Cell, Rows};

use super::{Outcome, Reading, Walk, dotted, failed};

/// Tables of one batch.
const TABLES_PER_BATCH: usize = 256;

pub(super) struct TableRows {
    reading: Reading,
    next: VecDeque<TableIdent>,
}

impl TableRows {
    pub(super) fn new(reading: Reading) -> Self {
        let next = reading.tables(&reading.state.catalog.snapshot()).into();
        Self { reading, next }
    }
}

#[async_trait]
impl Walk for TableRows {
    async fn next(&mut self) -> Outcome<Option<RecordBatch>> {
        let mut rows = self.reading.rows();
        while rows.len() < TABLES_PER_BATCH {
            let Some(ident) = self.next.pop_front() else { break };
            // One that was dropped a moment ago is none.
            if let Some(table) = self.reading.state.catalog.load(&ident).await.map_err(failed)? {
                rows.push(table_row(&ident, &table));
            }
        }
        if rows.is_empty() { Ok(None) } else { self.reading.batch(rows).map(Some) }
    }
}

fn table_row(ident: &TableIdent, LoadedTable { entry, metadata }: &LoadedTable) -> [Cell; 16] {
    let current = metadata.current_snapshot();
    let summary = current.map(|snapshot| snapshot.summary()).unwrap_or_default();
    let number = |key| number(&summary, key);
    let [warehouse, namespace, name] = names(ident);
    [
        warehouse,
        namespace,
        name,
        entry.uuid.to_string().into(),
        entry.location.to_string().into(),
        entry.metadata_location.to_string().into(),
        entry.revision.into(),
        metadata.format_version().number().into(),
        Cell::Moment(metadata.last_updated_ms()),
        metadata.current_snapshot_id().into(),
        metadata.snapshots().len().into(),
        metadata.current_schema().map(|schema| schema.columns().fields.len()).into(),
        number("total-records"),
        number("total-data-files"),
        number("total-files-size"),
        number("total-delete-files"),
    ]
}

/// The names of a table, as rows begin.
pub(super) fn names(ident: &TableIdent) -> [Cell; 3] {
    [ident.warehouse.to_string().into(), dotted(&ident.namespace).into(), ident.name.to_string().into()]
}

fn number(summary: &BTreeMap<String, String>, key: &str) -> Cell {
    summary.get(key).and_then(|value| value.parse::<i64>().ok()).into()
}

pub(super) struct SnapshotRows {
    reading: Reading,
    next: VecDeque<TableIdent>,
}

impl SnapshotRows {
    pub(super) fn new(reading: Reading) -> Self {
        let next = reading.tables(&reading.state.catalog.snapshot()).into();
        Self { reading, next }
    }
}

#[async_trait]
impl Walk for SnapshotRows {
    async fn next(&mut self) -> Outcome<Option<RecordBatch>> {
        while let Some(ident) = self.next.pop_front() {
            let Some(table) = self.reading.state.catalog.load(&ident).await.map_err(failed)? else {
                continue;
            };
            let mut rows = self.reading.rows();
            for snapshot in table.metadata.snapshots() {
                rows.push(snapshot_row(&ident, &table.metadata, snapshot));
            }
            return self.reading.batch(rows).map(Some);
        }
        Ok(None)
    }
}

fn snapshot_row(ident: &TableIdent, metadata: &TableMetadata, snapshot: &Snapshot) -> [Cell; 16] {
    let summary = snapshot.summary();
    let named = metadata.refs().iter().filter(|(_, to)| to.snapshot_id == snapshot.id());
    let refs: Vec<&str> = named.map(|(name, _)| name.as_str()).collect();
    let [warehouse, namespace, name] = names(ident);
    [
        warehouse,
        namespace,
        name,
        snapshot.id().into(),
        snapshot.parent_id().into(),
        snapshot.sequence_number().into(),
        Cell::Moment(snapshot.timestamp_ms()),
        summary.get("operation").cloned().into(),
        snapshot.schema_id().into(),
        snapshot.manifest_list().into(),
        (metadata.current_snapshot_id() == Some(snapshot.id())).into(),
        (!refs.is_empty()).then(|| refs.join(", ")).into(),
        number(&summary, "total-records"),
        number(&summary, "total-data-files"),
        number(&summary, "total-files-size"),
        serde_json::json!(summary).to_string().into(),
    ]
}

pub(super) fn views(reading: &Reading) -> Rows {
    let (mut rows, state) = (reading.rows(), reading.state.catalog.snapshot());
    for (ident, view) in state.all_views() {
        let at = Resource::View(&ident.warehouse, ident.namespace.levels(), &ident.name);
        if !reading.may(Action::GetView, at) {
            continue;
        }
        let [warehouse, namespace, name] = names(&ident);
        rows.push([
            warehouse,
            namespace,
            name,
            view.uuid.to_string().into(),
            view.location.to_string().into(),
            view.metadata_location.to_string().into(),
        ]);
    }
    rows
}
