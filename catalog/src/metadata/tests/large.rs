//! A table with 10,000 snapshots stays cheap.

use serde_json::{Value, json};

use crate::metadata::builder::Builder;
use crate::metadata::{TableMetadata, TableUpdate};

use super::round_trip::v2;

fn large(count: i64) -> TableMetadata {
    let mut document = v2();
    let snapshots: Vec<Value> = (1..=count)
        .map(|id| {
            json!({"snapshot-id": id, "parent-snapshot-id": id - 1, "sequence-number": id, "timestamp-ms": 1_600_000_000_000i64 + id,
                "manifest-list": format!("s3://main/ns/t/metadata/snap-{id}-1-c87bfec7-d36c-4075-ad04-600b6b0f2020.avro"),
                "summary": {"operation": "append", "added-data-files": "1", "added-records": "17", "total-records": "1000",
                    "engine-name": "spark", "engine-version": "4.0.1", "app-id": "local-1700000000000"}, "schema-id": 1})
        })
        .collect();
    let log: Vec<Value> =
        (1..=count).map(|id| json!({"timestamp-ms": 1_600_000_000_000i64 + id, "snapshot-id": id})).collect();
    document["snapshots"] = json!(snapshots);
    document["snapshot-log"] = json!(log);
    document["last-sequence-number"] = json!(count);
    document["current-snapshot-id"] = json!(count);
    document["refs"] = json!({"main": {"snapshot-id": count, "type": "branch"}});
    document["statistics"] = json!([]);
    document["partition-statistics"] = json!([]);
    TableMetadata::parse(document.to_string().as_bytes()).unwrap()
}

#[test]
fn a_commit_on_a_large_table_shares_its_snapshots() {
    let table = large(10_000);
    let add = json!({"action": "add-snapshot", "snapshot": {"snapshot-id": 10_001, "parent-snapshot-id": 10_000,
        "sequence-number": 10_001, "timestamp-ms": 1_600_000_020_000i64, "manifest-list": "s3://main/m",
        "summary": {"operation": "append"}}});
    let set =
        json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 10_001});
    let mut builder = Builder::next(&table, None, 1_600_000_020_000);
    for update in [add, set] {
        builder.apply(&TableUpdate::from_json(update).unwrap()).unwrap();
    }
    let next = builder.build().unwrap().unwrap();
    let (before, after) = (table.snapshot(5_000).unwrap(), next.snapshot(5_000).unwrap());
    assert!(std::sync::Arc::ptr_eq(before, after));
    assert_eq!(next.snapshots().len(), 10_001);
    let refs: Value = serde_json::from_slice(&next.to_json_refs()).unwrap();
    assert_eq!(refs["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(refs["snapshot-log"].as_array().unwrap().len(), 10_001);
    assert_eq!(TableMetadata::parse(&next.to_json()).unwrap().to_json(), next.to_json());
}
