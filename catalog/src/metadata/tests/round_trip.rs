//! What is read is written back (M1).

use serde_json::{Value, json};

use crate::metadata::TableMetadata;

pub(super) fn v2() -> Value {
    json!({
        "format-version": 2,
        "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
        "location": "s3://main/ns/t",
        "last-sequence-number": 34,
        "last-updated-ms": 1602638573590i64,
        "last-column-id": 3,
        "current-schema-id": 1,
        "schemas": [
            {"type": "struct", "schema-id": 0, "fields": [
                {"id": 1, "name": "x", "required": true, "type": "long"}]},
            {"type": "struct", "schema-id": 1, "identifier-field-ids": [1, 2], "fields": [
                {"id": 1, "name": "x", "required": true, "type": "long"},
                {"id": 2, "name": "y", "required": true, "type": "long", "doc": "comment"},
                {"id": 3, "name": "z", "required": true, "type": "long"}]}
        ],
        "default-spec-id": 0,
        "partition-specs": [
            {"spec-id": 0, "fields": [{"name": "x", "transform": "identity", "source-id": 1, "field-id": 1000}]}],
        "last-partition-id": 1000,
        "default-sort-order-id": 3,
        "sort-orders": [{"order-id": 3, "fields": [
            {"transform": "identity", "source-id": 2, "direction": "asc", "null-order": "nulls-first"},
            {"transform": "bucket[4]", "source-id": 3, "direction": "desc", "null-order": "nulls-last"}]}],
        "properties": {"owner": "me"},
        "current-snapshot-id": 3055729675574597004i64,
        "snapshots": [
            {"snapshot-id": 3051729675574597004i64, "timestamp-ms": 1515100955770i64, "sequence-number": 0,
             "summary": {"operation": "append"}, "manifest-list": "s3://a/b/1.avro"},
            {"snapshot-id": 3055729675574597004i64, "parent-snapshot-id": 3051729675574597004i64,
             "timestamp-ms": 1555100955770i64, "sequence-number": 1, "summary": {"operation": "append"},
             "manifest-list": "s3://a/b/2.avro", "schema-id": 1}
        ],
        "refs": {
            "main": {"snapshot-id": 3055729675574597004i64, "type": "branch"},
            "old": {"snapshot-id": 3051729675574597004i64, "type": "tag", "max-ref-age-ms": 10000000}
        },
        "statistics": [{"snapshot-id": 3055729675574597004i64, "statistics-path": "s3://a/s.puffin",
            "file-size-in-bytes": 413, "file-footer-size-in-bytes": 42,
            "blob-metadata": [{"type": "ndv", "snapshot-id": 3055729675574597004i64, "sequence-number": 1, "fields": [1]}]}],
        "partition-statistics": [{"snapshot-id": 3055729675574597004i64, "statistics-path": "s3://a/p.parquet",
            "file-size-in-bytes": 43}],
        "snapshot-log": [
            {"timestamp-ms": 1515100955770i64, "snapshot-id": 3051729675574597004i64},
            {"timestamp-ms": 1555100955770i64, "snapshot-id": 3055729675574597004i64}],
        "metadata-log": [{"timestamp-ms": 1515100, "metadata-file": "s3://a/00000.metadata.json"}]
    })
}

fn rewritten(value: &Value) -> Value {
    let metadata = TableMetadata::parse(value.to_string().as_bytes()).unwrap();
    serde_json::from_slice(&metadata.to_json()).unwrap()
}

#[test]
fn v2_metadata_is_written_as_it_was_read() {
    assert_eq!(rewritten(&v2()), v2());
}

/// Adds an unknown field to every object of the document, but to maps of names.
fn with_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                match key.as_str() {
                    "properties" | "summary" => {}
                    "refs" => inner.as_object_mut().unwrap().values_mut().for_each(with_unknown_fields),
                    _ => with_unknown_fields(inner),
                }
            }
            map.insert("x-future".to_owned(), json!({"a": [1, 2.5, "\u{e4}\n\u{1}", null, true]}));
        }
        Value::Array(items) => items.iter_mut().for_each(with_unknown_fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn unknown_fields_are_kept_at_every_level() {
    let mut document = v2();
    document["schemas"][1]["fields"][2]["type"] = json!({
        "type": "map", "key-id": 4, "key": "string", "value-id": 5, "value-required": false,
        "value": {"type": "list", "element-id": 6, "element-required": true,
            "element": {"type": "struct", "fields": [{"id": 7, "name": "a", "required": false, "type": "int"}]}}
    });
    document["sort-orders"][0]["fields"][1]["source-id"] = json!(2);
    with_unknown_fields(&mut document);
    assert_eq!(rewritten(&document), document);
}
