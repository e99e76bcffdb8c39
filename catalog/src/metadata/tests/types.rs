//! Types, defaults and the ids of a created table.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::metadata::create::NewTable;
use crate::metadata::types::Type;
use crate::metadata::{FormatVersion, InvalidMetadata, PartitionSpec, Schema, SortOrder, TableMetadata};

fn written(json: &str) -> Result<String, InvalidMetadata> {
    let mut out = String::new();
    Type::parse(json!(json))?.write(&mut out);
    Ok(serde_json::from_str(&out).unwrap())
}

#[test]
fn every_primitive_type_is_read_and_written() {
    for name in [
        "boolean",
        "int",
        "long",
        "float",
        "double",
        "decimal(9, 2)",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "timestamp_ns",
        "timestamptz_ns",
        "string",
        "uuid",
        "fixed[16]",
        "binary",
        "unknown",
        "variant",
        "geometry",
        "geometry(srid:4326)",
        "geography",
        "geography(srid:4326)",
        "geography(srid:4326, karney)",
        "geography(projjson:a, b, vincenty)",
    ] {
        assert_eq!(written(name).unwrap(), name);
    }
    for (given, expected) in [
        ("decimal(38,38)", "decimal(38, 38)"),
        ("DECIMAL( 9 , 2 )", "decimal(9, 2)"),
        ("geometry(OGC:CRS84)", "geometry"),
        ("geography(OGC:CRS84, Spherical)", "geography(OGC:CRS84, spherical)"),
    ] {
        assert_eq!(written(given).unwrap(), expected);
    }
}

#[test]
fn what_is_no_type_is_refused() {
    for name in [
        "",
        "text",
        "decimal",
        "decimal(39, 2)",
        "decimal(2, 3)",
        "decimal(9)",
        "fixed",
        "fixed[-1]",
        "fixed[16",
        "long[3]",
        "geography(a, flat)",
        "struct",
        "list",
        "(",
        "[",
        "fixed[\u{e9}]",
    ] {
        assert!(written(name).is_err(), "{name}");
    }
    assert!(Type::parse(json!({"type": "list", "element-id": 1})).is_err());
    assert!(Type::parse(json!(7)).is_err());
}

fn schema(fields: Value, identifiers: &[i32]) -> Result<Schema, InvalidMetadata> {
    Schema::from_json(json!({"type": "struct", "identifier-field-ids": identifiers, "fields": fields}))
}

#[test]
fn defaults_fit_their_types() {
    let field = |kind: &str, default: Value| {
        schema(
            json!([{"id": 1, "name": "a", "required": false, "type": kind, "write-default": default}]),
            &[],
        )
    };
    for (kind, good, bad) in [
        ("boolean", json!(true), json!(1)),
        ("int", json!(-4), json!(3_000_000_000i64)),
        ("long", json!(3_000_000_000i64), json!("3")),
        ("double", json!(1.5), json!("1.5")),
        ("decimal(9, 2)", json!("14.20"), json!(14.2)),
        ("timestamp_ns", json!("2024-01-01T00:00:00.000000001"), json!(3)),
        ("uuid", json!("f79c3e09-677c-4bbd-a479-3f349cb785e7"), json!(null)),
        ("variant", json!(null), json!({})),
    ] {
        assert!(field(kind, good).is_ok(), "{kind}");
        assert_eq!(field(kind, bad.clone()).is_ok(), bad.is_null(), "{kind}");
    }
    let nested = json!([{"id": 1, "name": "s", "required": false, "initial-default": {}, "type":
        {"type": "struct", "fields": [{"id": 2, "name": "x", "required": false, "type": "int",
            "initial-default": 34}]}}]);
    let schema = schema(nested, &[]).unwrap();
    assert!(
        schema.check_version(FormatVersion::V2).is_err() && schema.check_version(FormatVersion::V3).is_ok()
    );
    assert!(schema.json().contains("\"initial-default\":34"));
}

#[test]
fn ids_and_names_are_unique_in_a_schema() {
    let long = |id: i32, name: &str| json!({"id": id, "name": name, "required": true, "type": "long"});
    assert!(schema(json!([long(1, "a"), long(1, "b")]), &[]).is_err());
    assert!(schema(json!([long(1, "a"), long(2, "a")]), &[]).is_err());
    let inner =
        json!({"id": 1, "name": "a", "required": true, "type": {"type": "struct", "fields": [long(2, "b")]}});
    assert!(schema(json!([inner, long(3, "a.b")]), &[]).is_err());
    assert!(schema(json!([inner, long(3, "b")]), &[]).is_ok());
}

#[test]
fn identifier_fields_are_required_primitives() {
    let field =
        |kind: Value, required: bool| json!([{"id": 1, "name": "a", "required": required, "type": kind}]);
    assert!(schema(field(json!("long"), true), &[1]).is_ok());
    assert!(schema(field(json!("long"), false), &[1]).is_err());
    assert!(schema(field(json!("double"), true), &[1]).is_err());
    assert!(schema(field(json!("long"), true), &[2]).is_err());
    let list = json!({"type": "list", "element-id": 2, "element-required": true, "element": "long"});
    assert!(schema(field(list, true), &[2]).is_err());
    let inner =
        json!({"type": "struct", "fields": [{"id": 2, "name": "b", "required": true, "type": "long"}]});
    assert!(schema(field(inner.clone(), true), &[2]).is_ok());
    assert!(schema(field(inner, false), &[2]).is_err());
}

#[test]
fn a_created_table_gets_its_ids_anew() {
    let schema = schema(
        json!([
            {"id": 10, "name": "a", "required": true, "type": {"type": "struct", "fields": [
                {"id": 30, "name": "b", "required": true, "type": "timestamptz"}]}},
            {"id": 20, "name": "m", "required": false, "type": {"type": "map", "key-id": 40, "key": "string",
                "value-id": 50, "value-required": false, "value": {"type": "list", "element-id": 60,
                "element-required": false, "element": "int"}}},
            {"id": 5, "name": "id", "required": true, "type": "long"}
        ]),
        &[5],
    )
    .unwrap();
    let spec = json!({"spec-id": 9, "fields": [
        {"source-id": 30, "field-id": 77, "name": "b_day", "transform": "day"},
        {"source-id": 5, "name": "id_bucket", "transform": "bucket[4]"}]});
    let order = json!({"order-id": 8, "fields": [
        {"source-id": 5, "transform": "identity", "direction": "asc", "null-order": "nulls-first"}]});
    let properties = BTreeMap::from([
        ("format-version".to_owned(), "3".to_owned()),
        ("snapshot-count".to_owned(), "4".to_owned()),
        ("owner".to_owned(), "me".to_owned()),
    ]);
    let new = NewTable {
        schema: &schema,
        spec: Some(&PartitionSpec::from_json(spec).unwrap()),
        order: Some(&SortOrder::from_json(order).unwrap()),
        location: "s3://main/t/",
        properties: &properties,
    };
    let table = TableMetadata::create(&new, Uuid::from_u128(7), 5).unwrap();
    let json: Value = serde_json::from_slice(&table.to_json()).unwrap();
    assert_eq!(
        json,
        json!({
            "format-version": 3, "table-uuid": Uuid::from_u128(7), "location": "s3://main/t",
            "last-sequence-number": 0, "last-updated-ms": 5, "last-column-id": 7, "current-schema-id": 0,
            "schemas": [{"type": "struct", "schema-id": 0, "identifier-field-ids": [3], "fields": [
                {"id": 1, "name": "a", "required": true, "type": {"type": "struct", "fields": [
                    {"id": 4, "name": "b", "required": true, "type": "timestamptz"}]}},
                {"id": 2, "name": "m", "required": false, "type": {"type": "map", "key-id": 5, "key": "string",
                    "value-id": 6, "value-required": false, "value": {"type": "list", "element-id": 7,
                    "element-required": false, "element": "int"}}},
                {"id": 3, "name": "id", "required": true, "type": "long"}]}],
            "default-spec-id": 0, "partition-specs": [{"spec-id": 0, "fields": [
                {"source-id": 4, "field-id": 1000, "name": "b_day", "transform": "day"},
                {"source-id": 3, "field-id": 1001, "name": "id_bucket", "transform": "bucket[4]"}]}],
            "last-partition-id": 1001, "default-sort-order-id": 1, "sort-orders": [{"order-id": 1, "fields": [
                {"source-id": 3, "transform": "identity", "direction": "asc", "null-order": "nulls-first"}]}],
            "properties": {"owner": "me", "write.parquet.compression-codec": "zstd"},
            "current-snapshot-id": null, "refs": {}, "snapshots": [], "statistics": [], "partition-statistics": [],
            "snapshot-log": [], "metadata-log": [], "next-row-id": 0
        })
    );
}
