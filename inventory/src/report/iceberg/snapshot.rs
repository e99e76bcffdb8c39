//! The snapshot of a run, and its summary.

use iceberg::spec::{DataContentType, DataFile};
use serde_json::{Map, Value};
use tarn_catalog::state::TableChange;

use super::RUN;
use super::draft::Draft;
use super::files::{Files, Live};
use crate::compact::commit::snapshot::NewSnapshot;
use crate::jobs::Context;
use crate::report::checkpoint::Checkpoint;
use crate::report::error::RunError;

/// A snapshot to be made.
pub(super) struct Next<'a> {
    pub(super) files: Files<'a>,
    pub(super) context: &'a Context,
    pub(super) state: &'a Checkpoint,
    pub(super) draft: Draft,
}

/// Files, rows and bytes.
#[derive(Default, Clone, Copy)]
struct Count {
    files: u64,
    rows: u64,
    bytes: u64,
}

impl Count {
    fn of<'a>(files: impl Iterator<Item = &'a DataFile>) -> Self {
        files.fold(Self::default(), |sum, file| Self {
            files: sum.files + 1,
            rows: sum.rows + file.record_count(),
            bytes: sum.bytes + file.file_size_in_bytes(),
        })
    }
}

impl Next<'_> {
    /// The change that makes `added` all that the table holds.
    pub(super) async fn change(&self, added: &[DataFile]) -> Result<TableChange, RunError> {
        let unfit = |error: iceberg::Error| self.files.table.unfit(error.to_string());
        let live = self.files.live().await?;
        let mut manifests = Vec::new();
        let sequence = self.files.table.parsed.last_sequence_number() + 1;
        if !added.is_empty() {
            let mut manifest = self.files.manifest(self.draft, 0, DataContentType::Data)?;
            for file in added {
                manifest.writer.add_file(file.clone(), sequence).map_err(unfit)?;
            }
            manifests.push(self.files.store(manifest).await?);
        }
        let is_data = |live: &&Live| live.file.content_type() == DataContentType::Data;
        let (data, deletes): (Vec<_>, Vec<_>) = live.iter().partition(is_data);
        for (index, content, gone) in
            [(1, DataContentType::Data, &data), (2, DataContentType::PositionDeletes, &deletes)]
        {
            if gone.is_empty() {
                continue;
            }
            let mut manifest = self.files.manifest(self.draft, index, content)?;
            for &Live { ref file, sequence_number, file_sequence_number } in gone.iter().copied() {
                let written = manifest.writer.add_delete_file(
                    file.clone(),
                    sequence_number,
                    Some(file_sequence_number),
                );
                written.map_err(unfit)?;
            }
            manifests.push(self.files.store(manifest).await?);
        }
        let (list, next_row_id) = self.files.list(self.draft, manifests).await?;
        let removed = Count::of(data.iter().map(|live| &live.file));
        let summary = self.summary(Count::of(added.iter()), removed, deletes.len() as u64);
        self.table_change(&list, next_row_id, summary)
    }

    fn summary(&self, added: Count, removed: Count, removed_deletes: u64) -> Map<String, Value> {
        let Self { context, state, .. } = self;
        let mut summary = Map::new();
        for (name, value) in [
            ("operation", "overwrite".to_owned()),
            ("added-data-files", added.files.to_string()),
            ("added-records", added.rows.to_string()),
            ("added-files-size", added.bytes.to_string()),
            ("deleted-data-files", removed.files.to_string()),
            ("deleted-records", removed.rows.to_string()),
            ("removed-files-size", removed.bytes.to_string()),
            ("removed-delete-files", removed_deletes.to_string()),
            ("total-data-files", added.files.to_string()),
            ("total-records", added.rows.to_string()),
            ("total-files-size", added.bytes.to_string()),
            ("total-delete-files", "0".to_owned()),
            ("total-position-deletes", "0".to_owned()),
            ("total-equality-deletes", "0".to_owned()),
            ("tarn.inventory.job", context.definition.name.clone()),
            (RUN, context.run.to_string()),
            ("tarn.inventory.scanned", state.scanned.to_string()),
            ("tarn.inventory.matched", state.rows().to_string()),
            ("tarn.inventory.scan-began-ms", state.began_ms.unwrap_or(context.started_ms).to_string()),
            ("tarn.inventory.scan-ended-ms", state.ended_ms.unwrap_or(context.started_ms).to_string()),
        ] {
            summary.insert(name.to_owned(), value.into());
        }
        summary
    }

    fn table_change(
        &self,
        list: &str,
        next_row_id: Option<u64>,
        summary: Map<String, Value>,
    ) -> Result<TableChange, RunError> {
        let table = self.files.table;
        let new = NewSnapshot { id: self.draft.id(), list, next_row_id, summary: Value::Object(summary) };
        let change = new.on_main(&table.ident, (&table.loaded.metadata, &table.parsed));
        change.map_err(|error| table.unfit(error.to_string()))
    }
}
