//! `manifests` and `data_files`: of current snapshots, manifest by manifest.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tarn_catalog::manifests::{Area, Content, ManifestContent, ManifestFile};
use tarn_catalog::state::TableIdent;
use tarn_sql::system::Cell;

use super::catalog::names;
use super::{Outcome, Reading, Walk, failed};

impl Reading {
    /// The manifests of a table's current snapshot and where they may lie; none of a table that is gone or empty.
    async fn manifests(&self, ident: &TableIdent) -> Outcome<Option<(Area, Arc<Vec<ManifestFile>>)>> {
        let catalog = &self.state.catalog;
        let Some(table) = catalog.load(ident).await.map_err(failed)? else { return Ok(None) };
        let list = table.metadata.current_snapshot().and_then(|snapshot| snapshot.manifest_list());
        let Some(list) = list else { return Ok(None) };
        let area = catalog.area(ident, &table.metadata);
        let listed = catalog.manifest_list(&area, list).await.map_err(failed)?;
        Ok(Some((area, listed)))
    }
}

pub(super) struct ManifestRows {
    reading: Reading,
    next: VecDeque<TableIdent>,
}

impl ManifestRows {
    pub(super) fn new(reading: Reading) -> Self {
        let next = reading.readable_tables().into();
        Self { reading, next }
    }
}

#[async_trait]
impl Walk for ManifestRows {
    async fn next(&mut self) -> Outcome<Option<RecordBatch>> {
        let Some(ident) = self.next.pop_front() else { return Ok(None) };
        let mut rows = self.reading.rows();
        let listed = self.reading.manifests(&ident).await?;
        for manifest in listed.iter().flat_map(|(_, listed)| listed.iter()) {
            let [warehouse, namespace, name] = names(&ident);
            let content = match manifest.content {
                ManifestContent::Data => "data",
                ManifestContent::Deletes => "deletes",
            };
            rows.push([
                warehouse,
                namespace,
                name,
                manifest.path.to_string().into(),
                manifest.length.into(),
                content.into(),
                manifest.sequence_number.into(),
                manifest.added_snapshot_id.into(),
                manifest.added_files.into(),
                manifest.existing_files.into(),
                manifest.deleted_files.into(),
            ]);
        }
        self.reading.batch(rows).map(Some)
    }
}

pub(super) struct FileRows {
    reading: Reading,
    tables: VecDeque<TableIdent>,
    /// What is read next of the table at hand.
    manifests: VecDeque<(Arc<(TableIdent, Area)>, ManifestFile)>,
}

impl FileRows {
    pub(super) fn new(reading: Reading) -> Self {
        let tables = reading.readable_tables().into();
        Self { reading, tables, manifests: VecDeque::new() }
    }
}

#[async_trait]
impl Walk for FileRows {
    async fn next(&mut self) -> Outcome<Option<RecordBatch>> {
        while self.manifests.is_empty() {
            let Some(ident) = self.tables.pop_front() else { return Ok(None) };
            let Some((area, listed)) = self.reading.manifests(&ident).await? else { continue };
            let table = Arc::new((ident, area));
            self.manifests.extend(listed.iter().map(|manifest| (table.clone(), manifest.clone())));
        }
        let Some((table, listed)) = self.manifests.pop_front() else { return Ok(None) };
        let (ident, area) = &*table;
        let manifest = self.reading.state.catalog.manifest(area, &listed).await.map_err(failed)?;
        let mut rows = self.reading.rows();
        for entry in manifest.entries.iter().filter(|entry| entry.is_live()) {
            let [warehouse, namespace, name] = names(ident);
            rows.push([
                warehouse,
                namespace,
                name,
                entry.file.path.to_string().into(),
                content_name(entry.file.content).into(),
                entry.file.format.to_string().into(),
                entry.file.record_count.into(),
                entry.file.size_bytes.into(),
                Cell::Integer(entry.sequence_number(&listed)),
                listed.spec_id.into(),
            ]);
        }
        self.reading.batch(rows).map(Some)
    }
}

/// What a file holds, as it is told.
pub(super) fn content_name(content: Content) -> &'static str {
    match content {
        Content::Data => "data",
        Content::PositionDeletes => "position-deletes",
        Content::EqualityDeletes => "equality-deletes",
    }
}
