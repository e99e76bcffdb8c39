//! The snapshot and its summary.

use std::collections::BTreeMap;

use iceberg::spec::{DataContentType, DataFile, DataFileFormat, FormatVersion, TableMetadata};
use serde_json::{Value, json};
use tarn_catalog::metadata::{self, InvalidMetadata, TableRequirement, TableUpdate};
use tarn_catalog::state::{TableChange, TableIdent};

use crate::compact::CompactError;
use crate::compact::head::Head;
use crate::compact::manifests::StoredList;

/// What a snapshot adds and removes.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    added: Count,
    removed: Count,
    removed_positions: Count,
    removed_vectors: Count,
    removed_equality: Count,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    files: u64,
    rows: u64,
    bytes: u64,
}

impl Count {
    fn add(&mut self, file: &DataFile) {
        self.files += 1;
        self.rows += file.record_count();
        // Several deletion vectors lie in one file.
        let own = file.content_size_in_bytes().and_then(|bytes| u64::try_from(bytes).ok());
        self.bytes += own.unwrap_or_else(|| file.file_size_in_bytes());
    }
}

impl Numbers {
    pub(crate) fn add(&mut self, file: &DataFile) {
        self.added.add(file);
    }

    pub(crate) fn remove(&mut self, file: &DataFile) {
        match (file.content_type(), file.file_format()) {
            (DataContentType::Data, _) => self.removed.add(file),
            (DataContentType::PositionDeletes, DataFileFormat::Puffin) => self.removed_vectors.add(file),
            (DataContentType::PositionDeletes, _) => self.removed_positions.add(file),
            (DataContentType::EqualityDeletes, _) => self.removed_equality.add(file),
        }
    }

    /// How many delete files go.
    pub(in crate::compact) fn deletes(&self) -> u64 {
        self.removed_positions.files + self.removed_vectors.files + self.removed_equality.files
    }

    /// The summary, with the totals where the snapshot before has them.
    pub(crate) fn summary(&self, before: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let Self { added, removed, removed_positions, removed_vectors, removed_equality } = self;
        let positions = removed_positions.rows + removed_vectors.rows;
        let gone_bytes =
            removed.bytes + removed_positions.bytes + removed_vectors.bytes + removed_equality.bytes;
        let mut summary = BTreeMap::from([("operation".to_owned(), "replace".to_owned())]);
        for (name, count) in [
            ("added-data-files", added.files),
            ("deleted-data-files", removed.files),
            ("added-records", added.rows),
            ("deleted-records", removed.rows),
            ("added-files-size", added.bytes),
            ("removed-files-size", gone_bytes),
            ("removed-delete-files", self.deletes()),
            ("removed-position-delete-files", removed_positions.files),
            ("removed-dvs", removed_vectors.files),
            ("removed-equality-delete-files", removed_equality.files),
            ("removed-position-deletes", positions),
            ("removed-equality-deletes", removed_equality.rows),
        ] {
            if count > 0 {
                summary.insert(name.to_owned(), count.to_string());
            }
        }
        for (name, plus, minus) in [
            ("total-data-files", added.files, removed.files),
            ("total-records", added.rows, removed.rows),
            ("total-files-size", added.bytes, gone_bytes),
            ("total-delete-files", 0, self.deletes()),
            ("total-position-deletes", 0, positions),
            ("total-equality-deletes", 0, removed_equality.rows),
        ] {
            let total = before.get(name).and_then(|total| total.parse::<u64>().ok());
            if let Some(total) = total.and_then(|total| (total + plus).checked_sub(minus)) {
                summary.insert(name.to_owned(), total.to_string());
            }
        }
        summary
    }
}

/// The change of the table that makes a manifest list the current snapshot of main.
pub(in crate::compact) fn change(
    ident: &TableIdent,
    head: &Head,
    id: i64,
    list: &StoredList,
    numbers: &Numbers,
) -> Result<TableChange, CompactError> {
    let before = head.table.metadata.current_snapshot().map(|one| one.summary()).unwrap_or_default();
    let summary = json!(numbers.summary(&before));
    let new = NewSnapshot { id, list: &list.location, next_row_id: list.next_row_id, summary };
    let change = new.on_main(ident, (&head.table.metadata, &head.parsed));
    change.map_err(|error| CompactError::Unfit(error.to_string()))
}

/// A snapshot that is to be the current one of main.
pub(crate) struct NewSnapshot<'a> {
    pub(crate) id: i64,
    /// Its manifest list.
    pub(crate) list: &'a str,
    /// The row id behind those it assigns, where rows have ids.
    pub(crate) next_row_id: Option<u64>,
    pub(crate) summary: Value,
}

impl NewSnapshot<'_> {
    /// The change of the table, which is as it was when the snapshot was made.
    pub(crate) fn on_main(
        self,
        ident: &TableIdent,
        (metadata, parsed): (&metadata::TableMetadata, &TableMetadata),
    ) -> Result<TableChange, InvalidMetadata> {
        let mut snapshot = json!({
            "snapshot-id": self.id,
            "timestamp-ms": jiff::Timestamp::now().as_millisecond().max(metadata.last_updated_ms()),
            "manifest-list": self.list,
            "summary": self.summary,
            "schema-id": metadata.current_schema_id(),
        });
        let parent = metadata.current_snapshot_id();
        if let Some(parent) = parent {
            snapshot["parent-snapshot-id"] = json!(parent);
        }
        match parsed.format_version() {
            FormatVersion::V1 => {}
            FormatVersion::V2 => snapshot["sequence-number"] = json!(metadata.last_sequence_number() + 1),
            FormatVersion::V3 => {
                let first = parsed.next_row_id();
                snapshot["sequence-number"] = json!(metadata.last_sequence_number() + 1);
                snapshot["first-row-id"] = json!(first);
                snapshot["added-rows"] = json!(self.next_row_id.unwrap_or(first).saturating_sub(first));
            }
        }
        let updates = [json!({ "action": "add-snapshot", "snapshot": snapshot }), main_to(metadata, self.id)];
        let updates = updates.into_iter().map(TableUpdate::from_json).collect::<Result<Vec<_>, _>>()?;
        let mut requirements = vec![
            TableRequirement::RefSnapshotId { name: "main".into(), snapshot_id: parent },
            TableRequirement::CurrentSchemaId(metadata.current_schema_id()),
            TableRequirement::DefaultSpecId(metadata.default_spec_id()),
        ];
        requirements.extend(metadata.uuid().map(TableRequirement::Uuid));
        Ok(TableChange { ident: ident.clone(), requirements, updates })
    }
}

/// Main at the snapshot `id`, with the retention it has.
fn main_to(metadata: &metadata::TableMetadata, id: i64) -> Value {
    let mut reference =
        json!({ "action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id });
    if let Some(main) = metadata.refs().get("main") {
        for (name, value) in [
            ("min-snapshots-to-keep", main.min_snapshots_to_keep.map(i64::from)),
            ("max-snapshot-age-ms", main.max_snapshot_age_ms),
            ("max-ref-age-ms", main.max_ref_age_ms),
        ] {
            if let Some(value) = value {
                reference[name] = json!(value);
            }
        }
    }
    reference
}
