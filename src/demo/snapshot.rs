//! The change that gives a table its first snapshot.

use serde_json::json;
use tarn_catalog::metadata::{TableRequirement, TableUpdate};

/// What the snapshot adds.
pub(super) struct Added {
    pub(super) files: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// A snapshot id as the other writers make theirs: positive and random.
pub(super) fn fresh_id() -> i64 {
    (rand::random::<u64>() >> 1) as i64
}

/// Requires that there is no snapshot yet, adds one and makes it that of branch `main`.
pub(super) fn first(
    id: i64,
    sequence_number: i64,
    at: i64,
    manifest_list: &str,
    schema_id: i32,
    added: &Added,
) -> Result<(Vec<TableRequirement>, Vec<TableUpdate>), serde_json::Error> {
    let Added { files, records, bytes } = added;
    let summary = json!({
        "operation": "append",
        "added-data-files": files.to_string(),
        "added-records": records.to_string(),
        "added-files-size": bytes.to_string(),
        "total-data-files": files.to_string(),
        "total-records": records.to_string(),
        "total-files-size": bytes.to_string(),
        "total-delete-files": "0",
        "total-position-deletes": "0",
        "total-equality-deletes": "0",
    });
    let snapshot = json!({
        "snapshot-id": id,
        "sequence-number": sequence_number,
        "timestamp-ms": at,
        "manifest-list": manifest_list,
        "summary": summary,
        "schema-id": schema_id,
    });
    let updates = json!([
        { "action": "add-snapshot", "snapshot": snapshot },
        { "action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id },
    ]);
    let requirements = json!([{ "type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": null }]);
    Ok((serde_json::from_value(requirements)?, serde_json::from_value(updates)?))
}
