//! What format version 3 adds, and what stays out of older versions.

use serde_json::{Value, json};

use super::round_trip::v2;
use super::updates::{AT, applied, apply, is_invalid, is_stale, rows, set_main, snapshot, v3};
use crate::metadata::{TableMetadata, TableUpdate};

fn v1() -> TableMetadata {
    let mut value = v2();
    value["format-version"] = json!(1);
    for snapshot in value["snapshots"].as_array_mut().unwrap() {
        snapshot.as_object_mut().unwrap().remove("sequence-number");
    }
    value.as_object_mut().unwrap().remove("last-sequence-number");
    value["schema"] = value["schemas"][1].clone();
    value["partition-spec"] = value["partition-specs"][0]["fields"].clone();
    TableMetadata::parse(value.to_string().as_bytes()).unwrap()
}

fn v2_table() -> TableMetadata {
    TableMetadata::parse(v2().to_string().as_bytes()).unwrap()
}

fn written(table: &TableMetadata) -> Value {
    serde_json::from_slice(&table.to_json()).unwrap()
}

fn add_column(field: Value) -> Vec<Value> {
    let long = |id: i32, name: &str| json!({"id": id, "name": name, "required": true, "type": "long"});
    vec![
        json!({"action": "add-schema", "schema": {"type": "struct",
            "fields": [long(1, "x"), long(2, "y"), long(3, "z"), field]}}),
        json!({"action": "set-current-schema", "schema-id": -1}),
    ]
}

fn column(kind: &str, default: Value) -> Vec<Value> {
    add_column(json!({"id": 4, "name": "new", "required": false, "type": kind,
        "initial-default": default, "write-default": default}))
}

#[test]
fn a_v3_table_is_written_as_it_was_read() {
    let mut document = v2();
    document["format-version"] = json!(3);
    document["next-row-id"] = json!(17);
    document["encryption-keys"] = json!([
        {"key-id": "kek", "encrypted-key-metadata": "aGVsbG8=", "properties": {"kms": "local"}},
        {"key-id": "list", "encrypted-key-metadata": "aGVsbG8=", "encrypted-by-id": "kek", "x-new": [1]}]);
    document["snapshots"].as_array_mut().unwrap()[1]["first-row-id"] = json!(0);
    document["snapshots"].as_array_mut().unwrap()[1]["added-rows"] = json!(17);
    document["snapshots"].as_array_mut().unwrap()[1]["key-id"] = json!("list");
    document["schemas"][1]["fields"].as_array_mut().unwrap().extend([
        json!({"id": 4, "name": "v", "required": false, "type": "variant"}),
        json!({"id": 5, "name": "g", "required": false, "type": "geometry(srid:3857)"}),
        json!({"id": 6, "name": "e", "required": false, "type": "geography(srid:4326, karney)"}),
        json!({"id": 7, "name": "u", "required": false, "type": "unknown"}),
        json!({"id": 8, "name": "n", "required": true, "type": "timestamp_ns",
            "initial-default": "2024-01-01T00:00:00.000000001", "write-default": "2025-01-01T00:00:00"}),
        json!({"id": 9, "name": "s", "required": false, "initial-default": {}, "type": {"type": "struct",
            "fields": [{"id": 10, "name": "i", "required": true, "type": "int", "initial-default": 3}]}}),
    ]);
    document["last-column-id"] = json!(10);
    document["partition-specs"].as_array_mut().unwrap().push(json!({"spec-id": 1, "fields": [
        {"name": "both", "transform": "bucket[4]", "source-ids": [1, 2], "field-id": 1001},
        {"name": "later", "transform": "zorder[3]", "source-ids": [1, 2], "field-id": 1002},
        {"name": "cut", "transform": "truncate[4]", "source-id": 3, "field-id": 1003}]}));
    document["last-partition-id"] = json!(1003);
    document["sort-orders"][0]["fields"][1] = json!({"transform": "bucket[4]", "source-ids": [1, 3],
        "direction": "desc", "null-order": "nulls-last"});
    let table = TableMetadata::parse(document.to_string().as_bytes()).unwrap();
    assert_eq!(written(&table), document);
    // And it stays so when something else changes.
    let next = written(&applied(&table, vec![rows(Some(17), Some(3)), set_main(7)]));
    for key in ["encryption-keys", "schemas", "partition-specs", "sort-orders"] {
        assert_eq!(next[key], document[key], "{key}");
    }
    assert_eq!((&next["next-row-id"], &next["snapshots"][1]), (&json!(20), &document["snapshots"][1]));
}

#[test]
fn what_v1_does_not_have_is_not_written_into_a_v1_table() {
    let next = applied(&v1(), vec![snapshot(7, 0, AT), set_main(7)]);
    let json = written(&next);
    for key in ["last-sequence-number", "next-row-id", "encryption-keys"] {
        assert!(json.get(key).is_none(), "{key}");
    }
    // Some clients send number 0 with a snapshot of a V1 table.
    assert!(json["snapshots"].as_array().unwrap().iter().all(|one| one.get("sequence-number").is_none()));
    assert_eq!(json["snapshots"][2]["x-new"], json!({"kept": 1}));
    assert_eq!(json["schema"], json["schemas"][1]);
    assert_eq!(json["partition-spec"], json["partition-specs"][0]["fields"]);
    assert_eq!(json["format-version"], 1);
    let upgrade = json!({"action": "upgrade-format-version", "format-version": 3});
    let upgraded = written(&applied(&next, vec![upgrade, snapshot_v3(8, 1, 0, 5), set_main(8)]));
    assert_eq!((&upgraded["last-sequence-number"], &upgraded["next-row-id"]), (&json!(1), &json!(5)));
    let numbers = |one: &Value| one["sequence-number"].as_i64();
    let numbers: Vec<_> = upgraded["snapshots"].as_array().unwrap().iter().map(numbers).collect();
    assert_eq!(numbers, [Some(0), Some(0), Some(0), Some(1)]);
    assert!(upgraded.get("schema").is_none() && upgraded.get("partition-spec").is_none());
}

fn snapshot_v3(id: i64, number: i64, first: i64, added: i64) -> Value {
    let mut add = snapshot(id, number, AT + 1);
    add["snapshot"]["first-row-id"] = json!(first);
    add["snapshot"]["added-rows"] = json!(added);
    add
}

#[test]
fn what_v3_adds_is_refused_in_older_tables() {
    let two = json!({"name": "both", "transform": "bucket[4]", "source-ids": [1, 2]});
    let sorted = json!({"transform": "bucket[4]", "source-ids": [1, 2], "direction": "asc", "null-order": "nulls-first"});
    let new = [
        column("timestamp_ns", json!(null)),
        column("variant", json!(null)),
        column("geometry", json!(null)),
        column("int", json!(34)),
        vec![json!({"action": "add-spec", "spec": {"fields": [two]}})],
        vec![json!({"action": "add-sort-order", "sort-order": {"order-id": 1, "fields": [sorted]}})],
        vec![json!({"action": "add-encryption-key",
            "encryption-key": {"key-id": "k", "encrypted-key-metadata": "aaaa"}})],
    ];
    for updates in new {
        for old in [v1(), v2_table()] {
            let version = old.format_version();
            assert!(is_invalid(apply(&old, updates.clone())), "{version}: {updates:?}");
        }
        applied(&v3(0), updates);
    }
    assert!(is_invalid(apply(&v2_table(), vec![rows(Some(0), Some(5))])));
}

#[test]
fn row_ids_of_an_upgraded_table_begin_at_0_whatever_its_file_says() {
    let mut document = v2();
    document["next-row-id"] = json!(99);
    let table = TableMetadata::parse(document.to_string().as_bytes()).unwrap();
    let upgraded = applied(&table, vec![json!({"action": "upgrade-format-version", "format-version": 3})]);
    assert_eq!(upgraded.next_row_id(), 0);
    assert_eq!(TableMetadata::parse(&upgraded.to_json()).unwrap().next_row_id(), 0);
}

#[test]
fn a_writer_that_missed_the_upgrade_is_told_to_look_again() {
    // It lost a race: a refresh shows it the new version.
    assert!(is_stale(apply(&v3(10), vec![snapshot(7, 35, AT)])));
    assert!(is_invalid(apply(&v3(10), vec![rows(None, Some(5))])));
}

#[test]
fn branches_share_the_row_ids_of_their_table() {
    let branch = |id: i64, name: &str| json!({"action": "set-snapshot-ref", "ref-name": name, "type": "branch", "snapshot-id": id});
    let first = applied(&v3(10), vec![snapshot_v3(7, 35, 10, 5), branch(7, "dev")]);
    assert!(is_stale(apply(&first, vec![snapshot_v3(8, 36, 10, 5), branch(8, "main")])));
    let second = applied(&first, vec![snapshot_v3(8, 36, 15, 0), branch(8, "main")]);
    assert_eq!(second.next_row_id(), 15);
}

#[test]
fn a_default_is_exactly_a_value_of_its_type() {
    for (kind, good, bad) in [
        ("int", vec![json!(-34)], vec![json!(1.5), json!("1")]),
        ("double", vec![json!(1.5), json!(1)], vec![json!("1.5")]),
        (
            "decimal(9, 2)",
            vec![json!("14.20"), json!("-0.05")],
            vec![json!("14.2"), json!("14.200"), json!("12345678.00"), json!("fourteen"), json!("1E2")],
        ),
        ("decimal(3, 0)", vec![json!("140")], vec![json!("1400"), json!("14.0"), json!("")]),
        ("date", vec![json!("2024-02-29")], vec![json!("2023-02-29"), json!("today")]),
        ("time", vec![json!("22:31:08.123456")], vec![json!("22:31:08.123456789"), json!("25:00:00")]),
        ("timestamp", vec![json!("2024-01-01T00:00:00")], vec![json!("2024-01-01T00:00:00+00:00")]),
        (
            "timestamptz",
            vec![json!("2024-01-01T00:00:00.5+00:00")],
            vec![json!("2024-01-01T00:00:00"), json!("2024-01-01T00:00:00+01:00")],
        ),
        ("timestamptz_ns", vec![json!("2024-01-01T00:00:00.000000001+00:00")], vec![json!("soon")]),
        ("uuid", vec![json!("f79c3e09-677c-4bbd-a479-3f349cb785e7")], vec![json!("f79c3e09")]),
        ("fixed[2]", vec![json!("00ff")], vec![json!("00"), json!("zzzz")]),
        ("binary", vec![json!(""), json!("00ff")], vec![json!("0")]),
        ("geometry", vec![json!(null)], vec![json!("POINT (30 10)")]),
        ("unknown", vec![json!(null)], vec![json!(1)]),
    ] {
        for good in good {
            applied(&v3(0), column(kind, good));
        }
        for bad in bad {
            let add = column(kind, bad.clone());
            let refused = TableUpdate::from_json(add[0].clone()).is_err() || is_invalid(apply(&v3(0), add));
            assert!(refused, "{kind}: {bad}");
        }
    }
}

#[test]
fn the_default_of_a_struct_has_no_values_of_its_own() {
    let point = |default: Value| {
        add_column(json!({"id": 4, "name": "point", "required": false, "initial-default": default,
            "type": {"type": "struct", "fields": [{"id": 5, "name": "x", "required": false, "type": "int"}]}}))
    };
    applied(&v3(0), point(json!({})));
    assert!(is_invalid(apply(&v3(0), point(json!({"5": 1})))));
    let inner = |default: Value| {
        add_column(
            json!({"id": 4, "name": "list", "required": false, "type": {"type": "list", "element-id": 5,
            "element-required": false, "element": {"type": "struct", "fields": [
                {"id": 6, "name": "day", "required": false, "type": "date", "initial-default": default}]}}}),
        )
    };
    applied(&v3(0), inner(json!("2024-01-01")));
    assert!(is_invalid(apply(&v3(0), inner(json!("2024-13-01")))));
}

#[test]
fn a_key_that_is_in_use_is_not_removed() {
    let add = |id: &str, by: Value| {
        json!({"action": "add-encryption-key", "encryption-key":
            {"key-id": id, "encrypted-key-metadata": "aaaa", "encrypted-by-id": by}})
    };
    let remove = |id: &str| json!({"action": "remove-encryption-key", "key-id": id});
    let mut snapshot = snapshot_v3(7, 35, 0, 1);
    snapshot["snapshot"]["key-id"] = json!("list");
    let updates =
        vec![add("kek", json!(null)), add("list", json!("kek")), add("spare", json!(null)), snapshot];
    let table = applied(&v3(0), updates);
    assert_eq!(table.snapshot(7).unwrap().key_id(), Some("list"));
    applied(&table, vec![remove("spare")]);
    assert!(is_invalid(apply(&table, vec![remove("list")])));
    assert!(is_invalid(apply(&table, vec![remove("kek")])));
    // In any order within one commit.
    let gone = json!({"action": "remove-snapshots", "snapshot-ids": [7]});
    let left = applied(&table, vec![remove("kek"), remove("list"), gone]);
    assert_eq!(left.encryption_keys().map(|key| &*key.key_id).collect::<Vec<_>>(), ["spare"]);
    assert!(apply(&table, vec![remove("none")]).unwrap().is_none());
}

#[test]
fn a_variant_identifies_no_row() {
    let schema = json!({"type": "struct", "identifier-field-ids": [1],
        "fields": [{"id": 1, "name": "v", "required": true, "type": "variant"}]});
    assert!(crate::metadata::Schema::from_json(schema).is_err());
}
