//! Any input gives metadata or an error, never a panic (M4), and V1 as old writers left it.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::metadata::builder::Builder;
use crate::metadata::{FormatVersion, TableMetadata, TableRequirement, TableUpdate};

use super::round_trip::v2;

fn v1() -> Value {
    json!({
        "format-version": 1, "location": "s3://main/v1", "last-updated-ms": 1_600_000_000_000i64,
        "last-column-id": 2,
        "schema": {"type": "struct", "fields": [
            {"id": 1, "name": "x", "required": true, "type": "long"},
            {"id": 2, "name": "y", "required": false, "type": "date"}]},
        "partition-spec": [{"name": "y_month", "transform": "month", "source-id": 2}],
        "properties": {}, "current-snapshot-id": 7,
        "snapshots": [{"snapshot-id": 7, "timestamp-ms": 1_600_000_000_000i64, "manifests": ["s3://main/a.avro"]}]
    })
}

#[test]
fn what_old_writers_left_out_is_filled_in() {
    let table = TableMetadata::parse(v1().to_string().as_bytes()).unwrap();
    assert_eq!((table.uuid(), table.last_partition_id(), table.last_sequence_number()), (None, 1000, 0));
    assert_eq!(table.refs()["main"].snapshot_id, 7);
    let json: Value = serde_json::from_slice(&table.to_json()).unwrap();
    assert_eq!(json["schema"]["fields"], v1()["schema"]["fields"]);
    assert_eq!(json["schemas"][0]["schema-id"], json!(0));
    assert_eq!(json["partition-spec"][0]["field-id"], json!(1000));
    assert_eq!(json["sort-orders"], json!([{"order-id": 0, "fields": []}]));
    assert_eq!(json["snapshots"][0]["manifests"], json!(["s3://main/a.avro"]));
    let again = TableMetadata::parse(&table.to_json()).unwrap();
    assert_eq!(again.to_json(), table.to_json());
}

#[test]
fn what_v2_requires_is_required() {
    for key in [
        "table-uuid",
        "location",
        "last-sequence-number",
        "last-updated-ms",
        "last-column-id",
        "schemas",
        "current-schema-id",
        "partition-specs",
        "default-spec-id",
        "last-partition-id",
        "sort-orders",
        "default-sort-order-id",
        "format-version",
    ] {
        let mut value = v2();
        value.as_object_mut().unwrap().remove(key);
        assert!(TableMetadata::parse(value.to_string().as_bytes()).is_err(), "{key}");
    }
    let mut v3 = v2();
    v3["format-version"] = json!(3);
    assert!(TableMetadata::parse(v3.to_string().as_bytes()).unwrap_err().to_string().contains("next-row-id"));
}

#[test]
fn metadata_that_contradicts_itself_is_refused() {
    let wrong: [(&str, Value); 9] = [
        ("/format-version", json!(4)),
        ("/current-schema-id", json!(7)),
        ("/default-spec-id", json!(7)),
        ("/default-sort-order-id", json!(0)),
        ("/last-sequence-number", json!(0)),
        ("/current-snapshot-id", json!(3051729675574597004i64)),
        ("/refs/old/snapshot-id", json!(1)),
        ("/schemas/1/schema-id", json!(0)),
        ("/snapshots/1/snapshot-id", json!(3051729675574597004i64)),
    ];
    for (path, value) in wrong {
        let mut document = v2();
        *document.pointer_mut(path).unwrap() = value;
        assert!(TableMetadata::parse(document.to_string().as_bytes()).is_err(), "{path}");
    }
}

#[test]
fn gzip_is_read_and_a_gz_name_is_written_as_gzip() {
    let table = TableMetadata::parse(v2().to_string().as_bytes()).unwrap();
    let packed = table.to_file("s3://main/t/metadata/00000-a.gz.metadata.json");
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < table.to_json().len());
    assert_eq!(TableMetadata::parse(&packed).unwrap().to_json(), table.to_json());
    assert_eq!(table.to_file("s3://main/t/metadata/00000-a.metadata.json"), table.to_json());
    for end in 0..packed.len() {
        assert!(TableMetadata::parse(&packed[..end]).is_err());
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let deep = |depth: usize| {
        let open = r#"{"type":"list","element-id":1,"element-required":true,"element":"#.repeat(depth);
        let mut value = v2();
        value["schemas"][1]["fields"][0]["type"] = json!("TYPE");
        let text = format!("{open}\"int\"{}", "}".repeat(depth));
        value.to_string().replace("\"TYPE\"", &text)
    };
    for depth in [60, 200, 100_000] {
        assert!(TableMetadata::parse(deep(depth).as_bytes()).is_err());
    }
    let arrays = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(TableMetadata::parse(arrays.as_bytes()).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![any::<i64>(), -2..4i64, Just(i64::from(i32::MAX)), Just(1000)].prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![
            "[a-z\\[\\](), 0-9]{0,8}",
            Just("struct".to_owned()),
            Just("tag".to_owned()),
            Just("\u{1}\"\\\u{e4}".to_owned())
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("id|name|type|fields|x", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every value in the document, as JSON pointers.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, inner)| pointers(inner, &format!("{at}/{key}"), out))
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, inner)| pointers(inner, &format!("{at}/{index}"), out));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    out.push(at.to_owned());
}

fn mutate(document: &mut Value, which: usize, with: Value) {
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let at = all[which % all.len()].clone();
    if let Some(place) = document.pointer_mut(&at) {
        *place = with;
    }
}

fn all_updates() -> Vec<Value> {
    let document = v2();
    vec![
        json!({"action": "assign-uuid", "uuid": document["table-uuid"]}),
        json!({"action": "upgrade-format-version", "format-version": 3}),
        json!({"action": "add-schema", "schema": document["schemas"][0], "last-column-id": 3}),
        json!({"action": "set-current-schema", "schema-id": -1}),
        json!({"action": "add-spec", "spec": document["partition-specs"][0]}),
        json!({"action": "set-default-spec", "spec-id": -1}),
        json!({"action": "add-sort-order", "sort-order": document["sort-orders"][0]}),
        json!({"action": "set-default-sort-order", "sort-order-id": -1}),
        json!({"action": "add-snapshot", "snapshot": document["snapshots"][1]}),
        json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 3051729675574597004i64}),
        json!({"action": "remove-snapshots", "snapshot-ids": [3051729675574597004i64]}),
        json!({"action": "remove-snapshot-ref", "ref-name": "main"}),
        json!({"action": "set-location", "location": "s3://main/x"}),
        json!({"action": "set-properties", "updates": {"a": "b"}}),
        json!({"action": "remove-properties", "removals": ["a"]}),
        json!({"action": "set-statistics", "statistics": document["statistics"][0]}),
        json!({"action": "remove-statistics", "snapshot-id": 3055729675574597004i64}),
        json!({"action": "set-partition-statistics", "partition-statistics": document["partition-statistics"][0]}),
        json!({"action": "remove-partition-statistics", "snapshot-id": 3055729675574597004i64}),
        json!({"action": "remove-partition-specs", "spec-ids": [1]}),
        json!({"action": "remove-schemas", "schema-ids": [0]}),
        json!({"action": "add-encryption-key", "encryption-key": {"key-id": "k", "encrypted-key-metadata": "aaaa"}}),
        json!({"action": "remove-encryption-key", "key-id": "k"}),
    ]
}

#[test]
fn all_23_updates_are_read() {
    let updates = all_updates();
    assert_eq!(updates.len(), 23);
    for update in updates {
        TableUpdate::from_json(update.clone()).unwrap_or_else(|error| panic!("{update}: {error}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutated_metadata_is_read_or_refused_and_what_is_read_is_stable(
        changes in prop::collection::vec((any::<usize>(), any_json()), 1..3),
        old in any::<bool>(),
    ) {
        let mut document = if old { v1() } else { v2() };
        for (which, with) in changes {
            mutate(&mut document, which, with);
        }
        if let Ok(table) = TableMetadata::parse(document.to_string().as_bytes()) {
            let again = TableMetadata::parse(&table.to_json()).unwrap();
            prop_assert_eq!(again.to_json(), table.to_json());
            prop_assert!(again.format_version() != FormatVersion::V3);
            serde_json::from_slice::<Value>(&table.to_json_refs()).unwrap();
        }
    }

    #[test]
    fn mutated_bytes_are_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = v2().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(table) = TableMetadata::parse(&bytes) {
            TableMetadata::parse(&table.to_json()).unwrap();
        }
    }

    #[test]
    fn mutated_updates_never_break_a_table(
        changes in prop::collection::vec((any::<usize>(), prop::option::of((any::<usize>(), any_json()))), 1..6),
        old in any::<bool>(),
    ) {
        let document = if old { v1() } else { v2() };
        let table = TableMetadata::parse(document.to_string().as_bytes()).unwrap();
        let mut builder = Builder::next(&table, None, 1_700_000_000_000);
        for (which, change) in changes {
            let mut update = all_updates()[which % 23].clone();
            if let Some((at, with)) = change {
                mutate(&mut update, at, with);
            }
            if let Ok(update) = TableUpdate::from_json(update) {
                let _ = builder.apply(&update);
            }
        }
        if let Ok(Some(next)) = builder.build() {
            TableMetadata::parse(&next.to_json()).unwrap();
        }
    }

    #[test]
    fn any_json_is_a_requirement_or_an_error(json in any_json(), kind in 0..9usize) {
        let names = ["assert-create", "assert-table-uuid", "assert-ref-snapshot-id", "assert-last-assigned-field-id",
            "assert-current-schema-id", "assert-last-assigned-partition-id", "assert-default-spec-id",
            "assert-default-sort-order-id", "x"];
        let mut json = json;
        if let Some(map) = json.as_object_mut() {
            map.insert("type".to_owned(), Value::from(names[kind]));
        }
        let _ = TableRequirement::from_json(json);
    }
}
