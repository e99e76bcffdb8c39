//! One commit to a table of a journal: files come and go, and the table is further than before (J2).

use std::collections::BTreeMap;

use iceberg::spec::{DataFile, ManifestContentType, ManifestFile, PartitionSpec, SchemaRef};
use serde_json::{Map, Value, json};
use tarn_catalog::CommitError;
use tarn_catalog::metadata::{InvalidMetadata, TableRequirement, TableUpdate};
use tarn_catalog::state::{Conflict, Request, TableChange};
use uuid::Uuid;

use super::table::{Table, TableError, Tables, WATERMARK};
use crate::compact::commit::snapshot::{NewSnapshot, Numbers};
use crate::compact::head::listed;
use crate::compact::live::{Live, Shape, live};
use crate::compact::manifests::{Draft, StoredList, store_list};

/// What a commit does to a table.
#[derive(Default)]
pub(super) struct Step<'a> {
    /// Its operation, as the spec names it.
    pub(super) operation: &'static str,
    /// Files it adds.
    pub(super) added: &'a [DataFile],
    /// Which live files go.
    pub(super) goes: Option<&'a (dyn Fn(&Live) -> bool + Send + Sync)>,
    /// Properties of the table to set with it.
    pub(super) properties: BTreeMap<String, String>,
    /// What its summary tells besides.
    pub(super) summary: BTreeMap<String, String>,
}

/// How a commit ended that did not fail.
pub(super) enum Ended {
    /// It is done.
    Done,
    /// There was nothing to do.
    Nothing,
    /// The table changed meanwhile: nothing is done.
    Overtaken,
}

impl Tables {
    /// Commits a step on the table as it was loaded: done if the table is still as far as it was then, is its writer's
    /// still, and nobody else committed a snapshot.
    pub(super) async fn commit(&self, table: &Table, step: &Step<'_>) -> Result<Ended, TableError> {
        let id = (Uuid::new_v4().as_u128() >> 65) as i64;
        let mut numbers = Numbers::default();
        let (mut manifests, found) = self.carry(table, step, id, &mut numbers).await?;
        if step.added.is_empty() && !found && step.properties.is_empty() {
            return Ok(Ended::Nothing);
        }
        if !step.added.is_empty() {
            let shape = Shape { schema: schema(table), spec: spec(table) };
            let mut draft = self.draft(table, id, &shape, ManifestContentType::Data)?;
            let sequence = table.parsed.last_sequence_number() + 1;
            for file in step.added {
                draft.writer.add_file(file.clone(), sequence).map_err(crate::compact::CompactError::from)?;
                numbers.add(file);
            }
            manifests.push(draft.store(&self.files).await?);
        }
        let parent = table.parsed.current_snapshot_id();
        let location = table.location(&format!("metadata/snap-{id}-1-{}.avro", Uuid::now_v7()))?;
        let list = store_list(&self.files, &table.parsed, (id, parent), location, manifests).await?;
        let change = change(table, step, id, &list, &numbers)?;
        match self.catalog.commit(Request::CommitTables(vec![change])).await {
            Ok(_) => Ok(Ended::Done),
            Err(CommitError::Conflict(
                Conflict::Requirement { .. } | Conflict::Stale { .. } | Conflict::NoSuchTable(_),
            )) => Ok(Ended::Overtaken),
            Err(error) => Err(error.into()),
        }
    }

    /// The manifests of the table without the files that go, and whether there were such files.
    async fn carry(
        &self,
        table: &Table,
        step: &Step<'_>,
        id: i64,
        numbers: &mut Numbers,
    ) -> Result<(Vec<ManifestFile>, bool), TableError> {
        let Some(snapshot) = table.parsed.current_snapshot() else { return Ok((Vec::new(), false)) };
        let version = table.parsed.format_version();
        let area = self.catalog.area(&table.ident, &table.loaded.metadata);
        let manifests = listed(&self.files, &area, snapshot.manifest_list(), version).await?;
        let Some(goes) = step.goes else { return Ok((manifests, false)) };
        let (mut kept, mut found) = (Vec::with_capacity(manifests.len()), false);
        for manifest in manifests {
            let (files, shape) = live(&self.files, &manifest).await?;
            if !files.iter().any(goes) {
                kept.push(manifest);
                continue;
            }
            found = true;
            let mut draft = self.draft(table, id, &shape, manifest.content)?;
            for file in &files {
                if goes(file) {
                    draft.delete(file)?;
                    numbers.remove(file.file());
                } else {
                    draft.keep(file)?;
                }
            }
            let mut rewritten = draft.store(&self.files).await?;
            // The row ids of its files are written out, so it assigns none.
            rewritten.first_row_id = manifest.first_row_id;
            kept.push(rewritten);
        }
        Ok((kept, found))
    }

    fn draft(
        &self,
        table: &Table,
        id: i64,
        shape: &Shape,
        content: ManifestContentType,
    ) -> Result<Draft, TableError> {
        let location = table.location(&format!("metadata/{}-m.avro", Uuid::now_v7()))?;
        Ok(Draft::at(location, id, table.parsed.format_version(), shape, content)?)
    }
}

fn schema(table: &Table) -> SchemaRef {
    table.parsed.current_schema().clone()
}

fn spec(table: &Table) -> PartitionSpec {
    table.parsed.default_partition_spec().as_ref().clone()
}

fn change(
    table: &Table,
    step: &Step<'_>,
    id: i64,
    list: &StoredList,
    numbers: &Numbers,
) -> Result<TableChange, TableError> {
    let summary = Value::Object(summary(table, step, numbers));
    let new = NewSnapshot { id, list: &list.location, next_row_id: list.next_row_id, summary };
    let unfit = |error: InvalidMetadata| table.unfit(error.to_string());
    let mut change = new.on_main(&table.ident, (&table.loaded.metadata, &table.parsed)).map_err(unfit)?;
    if !step.properties.is_empty() {
        let set = json!({ "action": "set-properties", "updates": step.properties });
        change.updates.push(TableUpdate::from_json(set).map_err(unfit)?);
    }
    // J2: two writers that read the same watermark do not both commit.
    let watermark = table.property(WATERMARK).cloned();
    change.requirements.push(TableRequirement::Property { name: WATERMARK.into(), value: watermark });
    Ok(change)
}

fn summary(table: &Table, step: &Step<'_>, numbers: &Numbers) -> Map<String, Value> {
    let before = table.loaded.metadata.current_snapshot().map(|snapshot| snapshot.summary());
    // The totals of a table without rows.
    let empty = || {
        ["data-files", "records", "files-size", "delete-files", "position-deletes", "equality-deletes"]
            .map(|name| (format!("total-{name}"), "0".to_owned()))
            .into()
    };
    let mut summary = numbers.summary(&before.unwrap_or_else(empty));
    summary.insert("operation".into(), step.operation.into());
    summary.extend(step.summary.clone());
    summary.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}
