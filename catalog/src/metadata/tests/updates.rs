//! Rules of updates that the oracle does not show.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::metadata::builder::{Builder, UpdateError};
use crate::metadata::{FormatVersion, TableMetadata, TableRequirement, TableUpdate};

use super::round_trip::v2;

pub(super) const AT: i64 = 1_700_000_000_000;

fn table() -> TableMetadata {
    TableMetadata::parse(v2().to_string().as_bytes()).unwrap()
}

fn update(json: Value) -> TableUpdate {
    TableUpdate::from_json(json).unwrap()
}

pub(super) fn apply(base: &TableMetadata, updates: Vec<Value>) -> Result<Option<TableMetadata>, UpdateError> {
    let mut builder = Builder::next(base, Some("s3://main/ns/t/metadata/00001-x.metadata.json"), AT);
    for json in updates {
        builder.apply(&update(json))?;
    }
    Ok(builder.build()?)
}

pub(super) fn applied(base: &TableMetadata, updates: Vec<Value>) -> TableMetadata {
    apply(base, updates).unwrap().unwrap()
}

pub(super) fn is_stale(result: Result<Option<TableMetadata>, UpdateError>) -> bool {
    matches!(result, Err(UpdateError::Stale { .. }))
}

pub(super) fn is_invalid(result: Result<Option<TableMetadata>, UpdateError>) -> bool {
    matches!(result, Err(UpdateError::Invalid(_)))
}

pub(super) fn snapshot(id: i64, number: i64, timestamp_ms: i64) -> Value {
    json!({"action": "add-snapshot", "snapshot": {"snapshot-id": id, "parent-snapshot-id": 3055729675574597004i64,
        "sequence-number": number, "timestamp-ms": timestamp_ms, "manifest-list": "s3://main/m",
        "summary": {"operation": "append"}, "x-new": {"kept": 1}}})
}

pub(super) fn set_main(id: i64) -> Value {
    json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id})
}

pub(super) fn v3(next_row_id: i64) -> TableMetadata {
    let mut value = v2();
    value["format-version"] = json!(3);
    value["next-row-id"] = json!(next_row_id);
    TableMetadata::parse(value.to_string().as_bytes()).unwrap()
}

pub(super) fn rows(first: Option<i64>, added: Option<i64>) -> Value {
    let mut add = snapshot(7, 35, AT);
    add["snapshot"]["first-row-id"] = json!(first);
    add["snapshot"]["added-rows"] = json!(added);
    add
}

#[test]
fn a_uuid_never_changes() {
    let table = table();
    let uuid = table.uuid().unwrap();
    assert!(apply(&table, vec![json!({"action": "assign-uuid", "uuid": uuid})]).unwrap().is_none());
    assert!(is_invalid(apply(&table, vec![json!({"action": "assign-uuid", "uuid": Uuid::from_u128(1)})])));
}

#[test]
fn a_stale_sequence_number_is_a_conflict_and_not_an_error() {
    assert!(is_stale(apply(&table(), vec![snapshot(7, 34, AT)])));
    assert!(is_stale(apply(&table(), vec![snapshot(7, 33, AT)])));
    assert_eq!(applied(&table(), vec![snapshot(7, 35, AT)]).last_sequence_number(), 35);
}

#[test]
fn row_ids_begin_where_the_table_is_or_after_it() {
    assert_eq!(applied(&v3(10), vec![rows(Some(10), Some(5))]).next_row_id(), 15);
    assert!(is_stale(apply(&v3(10), vec![rows(Some(9), Some(5))])));
    assert_eq!(applied(&v3(10), vec![rows(Some(11), Some(5))]).next_row_id(), 16);
    assert!(is_invalid(apply(&v3(10), vec![rows(None, Some(5))])));
    assert!(is_invalid(apply(&v3(10), vec![rows(Some(10), None)])));
    assert!(is_invalid(apply(&v3(10), vec![rows(Some(10), Some(-1))])));
    assert!(is_invalid(apply(&v3(i64::MAX), vec![rows(Some(i64::MAX), Some(1))])));
}

#[test]
fn an_upgraded_table_begins_row_ids_at_0() {
    let upgraded = applied(&table(), vec![json!({"action": "upgrade-format-version", "format-version": 3})]);
    assert_eq!((upgraded.format_version(), upgraded.next_row_id()), (FormatVersion::V3, 0));
    for version in [0, 1, 2, 4] {
        let update = json!({"action": "upgrade-format-version", "format-version": version});
        assert!(is_invalid(apply(&upgraded, vec![update])), "{version}");
    }
}

#[test]
fn an_added_snapshot_keeps_what_is_not_known() {
    let next = applied(&table(), vec![snapshot(7, 35, AT)]);
    let json: Value = serde_json::from_slice(&next.to_json()).unwrap();
    assert_eq!(json["snapshots"][2]["x-new"], json!({"kept": 1}));
}

#[test]
fn the_snapshot_log_leaves_out_what_main_only_passed_through() {
    let updates = vec![snapshot(7, 35, AT), set_main(7), snapshot(8, 36, AT + 1), set_main(8)];
    let next = applied(&table(), updates);
    let log: Vec<i64> = next.snapshot_log().map(|entry| entry.snapshot_id).collect();
    assert_eq!(log, [3051729675574597004, 3055729675574597004, 8]);
    assert_eq!((next.current_snapshot_id(), next.last_updated_ms()), (Some(8), AT + 1));
}

#[test]
fn a_removed_snapshot_takes_the_history_before_it_its_references_and_statistics_away() {
    let add = vec![snapshot(7, 35, AT), set_main(7)];
    let next = applied(&table(), add);
    let ids = [3051729675574597004i64, 3055729675574597004];
    let next = applied(&next, vec![json!({"action": "remove-snapshots", "snapshot-ids": ids})]);
    let log: Vec<i64> = next.snapshot_log().map(|entry| entry.snapshot_id).collect();
    assert_eq!((log, next.snapshots().len()), (vec![7], 1));
    assert_eq!(next.refs().keys().collect::<Vec<_>>(), ["main"]);
    assert_eq!((next.statistics().len(), next.partition_statistics().len()), (0, 0));
}

#[test]
fn removing_main_leaves_no_current_snapshot() {
    let next = applied(&table(), vec![json!({"action": "remove-snapshot-ref", "ref-name": "main"})]);
    assert_eq!(next.current_snapshot_id(), None);
    let json: Value = serde_json::from_slice(&next.to_json()).unwrap();
    assert_eq!(json["current-snapshot-id"], json!(-1));
}

#[test]
fn main_is_never_a_tag_and_a_tag_keeps_no_snapshots() {
    let id = 3051729675574597004i64;
    let tag = json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "tag", "snapshot-id": id});
    assert!(is_invalid(apply(&table(), vec![tag])));
    let keeping = json!({"action": "set-snapshot-ref", "ref-name": "t", "type": "tag", "snapshot-id": id,
        "min-snapshots-to-keep": 3});
    assert!(is_invalid(apply(&table(), vec![keeping])));
}

#[test]
fn the_metadata_log_is_as_long_as_the_table_wants() {
    let set = |max: &str| json!({"action": "set-properties", "updates": {"write.metadata.previous-versions-max": max}});
    let mut table = table();
    for _ in 0..5 {
        table = applied(&table, vec![set("3")]);
    }
    assert_eq!(table.metadata_log().len(), 3);
    let last = table.metadata_log().last().unwrap();
    assert_eq!(
        (last.timestamp_ms, &*last.metadata_file),
        (AT, "s3://main/ns/t/metadata/00001-x.metadata.json")
    );
    assert_eq!(applied(&table, vec![set("-4")]).metadata_log().len(), 1);
    assert_eq!(applied(&table, vec![set("many")]).metadata_log().len(), 4);
}

#[test]
fn reserved_properties_are_refused() {
    let set = |key: &str, value: &str| vec![json!({"action": "set-properties", "updates": {key: value}})];
    assert!(is_invalid(apply(&table(), set("snapshot-count", "3"))));
    assert!(is_invalid(apply(&table(), set("format-version", "3"))));
    assert!(apply(&table(), set("format-version", "2")).unwrap().is_none());
}

#[test]
fn the_last_added_is_what_minus_one_means() {
    let add = json!({"action": "add-schema", "schema": {"type": "struct", "fields": [
        {"id": 1, "name": "x", "required": true, "type": "long"},
        {"id": 2, "name": "y", "required": true, "type": "long"},
        {"id": 3, "name": "z", "required": true, "type": "long"},
        {"id": 9, "name": "new", "required": false, "type": "int"}]}});
    let next = applied(&table(), vec![add.clone(), json!({"action": "set-current-schema", "schema-id": -1})]);
    assert_eq!((next.current_schema_id(), next.last_column_id(), next.schemas().len()), (2, 9, 3));
    // The same schema again is the one that is there.
    assert!(apply(&next, vec![add]).unwrap().is_none());
    for action in ["set-current-schema", "set-default-spec", "set-default-sort-order"] {
        let set = json!({"action": action, "schema-id": -1, "spec-id": -1, "sort-order-id": -1});
        assert!(is_invalid(apply(&next, vec![set])), "{action}");
    }
}

#[test]
fn a_default_spec_needs_its_columns() {
    let add = json!({"action": "add-schema", "schema": {"type": "struct", "fields": [
        {"id": 2, "name": "y", "required": true, "type": "long"},
        {"id": 3, "name": "z", "required": true, "type": "long"}]}});
    let set = json!({"action": "set-current-schema", "schema-id": -1});
    assert!(is_invalid(apply(&table(), vec![add, set])));
}

#[test]
fn an_encryption_key_is_not_replaced() {
    let key = |text: &str| {
        vec![
            json!({"action": "add-encryption-key", "encryption-key": {"key-id": "k", "encrypted-key-metadata": text}}),
        ]
    };
    let next = applied(&v3(0), key("aaaa"));
    assert!(apply(&next, key("aaaa")).unwrap().is_none());
    assert!(is_invalid(apply(&next, key("bbbb"))));
}

#[test]
fn an_unknown_update_or_requirement_is_named() {
    let error = TableUpdate::from_json(json!({"action": "paint-table"})).unwrap_err();
    assert!(error.to_string().contains("paint-table"));
    let error = TableRequirement::from_json(json!({"type": "assert-view-uuid", "uuid": "x"})).unwrap_err();
    assert!(error.to_string().contains("assert-view-uuid"));
}

#[test]
fn every_requirement_holds_or_fails_on_the_value_it_names() {
    let table = table();
    let cases = [
        (json!({"type": "assert-table-uuid", "uuid": "9C12D441-03FE-4693-9A96-A0705DDF69C1"}), true),
        (json!({"type": "assert-table-uuid", "uuid": Uuid::from_u128(1)}), false),
        (
            json!({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 3055729675574597004i64}),
            true,
        ),
        (json!({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 1}), false),
        (json!({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": null}), false),
        (json!({"type": "assert-ref-snapshot-id", "ref": "none", "snapshot-id": null}), true),
        (json!({"type": "assert-ref-snapshot-id", "ref": "none", "snapshot-id": 1}), false),
        (json!({"type": "assert-last-assigned-field-id", "last-assigned-field-id": 3}), true),
        (json!({"type": "assert-last-assigned-field-id", "last-assigned-field-id": 4}), false),
        (json!({"type": "assert-current-schema-id", "current-schema-id": 1}), true),
        (json!({"type": "assert-current-schema-id", "current-schema-id": 0}), false),
        (json!({"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 1000}), true),
        (json!({"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999}), false),
        (json!({"type": "assert-default-spec-id", "default-spec-id": 0}), true),
        (json!({"type": "assert-default-spec-id", "default-spec-id": 1}), false),
        (json!({"type": "assert-default-sort-order-id", "default-sort-order-id": 3}), true),
        (json!({"type": "assert-default-sort-order-id", "default-sort-order-id": 0}), false),
        (json!({"type": "assert-create"}), false),
    ];
    for (json, holds) in cases {
        let requirement = TableRequirement::from_json(json.clone()).unwrap();
        assert_eq!(requirement.check(Some(&table)).is_ok(), holds, "{json}");
        assert_eq!(requirement.check(None).is_ok(), json["type"] == "assert-create", "{json}");
    }
}

#[test]
fn clocks_that_differ_leave_the_logs_in_order() {
    const HOUR: i64 = 3_600_000;
    // A client an hour ahead, then one that is an hour late: neither is turned away.
    let ahead = applied(&table(), vec![snapshot(7, 35, AT + HOUR), set_main(7)]);
    assert_eq!(ahead.last_updated_ms(), AT + HOUR);
    let late = applied(&ahead, vec![snapshot(8, 36, AT - HOUR), set_main(8)]);
    let times: Vec<i64> = late.snapshot_log().map(|entry| entry.timestamp_ms).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!((times.last(), late.last_updated_ms()), (Some(&(AT + HOUR)), AT + HOUR));
    assert_eq!(late.snapshot(8).unwrap().timestamp_ms(), AT - HOUR);
    TableMetadata::parse(&late.to_json()).unwrap();
    assert!(is_invalid(apply(&table(), vec![snapshot(7, 35, AT + 25 * HOUR), set_main(7)])));
}

#[test]
fn a_spec_that_is_there_is_not_added_again_when_its_columns_are_gone() {
    // The oracle found it: the spec was taken for known before its columns were looked for.
    let schema = json!({"action": "add-schema", "schema": {"type": "struct", "fields": [
        {"id": 1, "name": "x", "required": true, "type": "long"},
        {"id": 2, "name": "y", "required": true, "type": "long"},
        {"id": 3, "name": "z", "required": true, "type": "long"}]}});
    let spec = json!({"action": "add-spec", "spec": {"fields": [
        {"source-id": 3, "name": "z_bucket", "transform": "bucket[4]"}]}});
    let order = json!({"action": "add-sort-order", "sort-order": {"order-id": 9, "fields": [
        {"source-id": 3, "transform": "identity", "direction": "asc", "null-order": "nulls-first"}]}});
    let unsorted = json!({"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}});
    let last_order = json!({"action": "set-default-sort-order", "sort-order-id": -1});
    let next = applied(&table(), vec![schema, spec.clone(), order.clone(), unsorted, last_order]);
    let smaller = json!({"action": "add-schema", "schema": {"type": "struct", "fields": [
        {"id": 1, "name": "x", "required": true, "type": "long"}]}});
    let next = applied(&next, vec![smaller, json!({"action": "set-current-schema", "schema-id": -1})]);
    assert!(is_invalid(apply(&next, vec![spec])));
    assert!(is_invalid(apply(&next, vec![order])));
}

#[test]
fn a_commit_does_not_give_the_id_of_a_schema_that_it_removes_to_another() {
    let schema = |name: &str| {
        let mut schema: Value = serde_json::from_str(table().current_schema().unwrap().json()).unwrap();
        let field = json!({"id": 90, "name": name, "required": false, "type": "long"});
        schema["fields"].as_array_mut().unwrap().push(field);
        json!({"action": "add-schema", "schema": schema})
    };
    let current = |id: i32| json!({"action": "set-current-schema", "schema-id": id});
    let base = applied(&table(), vec![schema("was"), current(-1)]);
    let (before, id) = (table().current_schema_id(), base.current_schema_id());
    let remove = json!({"action": "remove-schemas", "schema-ids": [id]});
    let other = applied(&base, vec![current(before), remove, schema("is"), current(-1)]);
    assert_eq!((other.current_schema_id(), other.schema(id).is_none()), (id + 1, true));
}
