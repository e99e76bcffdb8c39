//! Schemas of Iceberg as they are told.

use serde_json::{Value, json};
use tarn_catalog::metadata::TableMetadata;

use super::super::history::History;
use super::super::names::NameMapping;
use super::super::schema::{Told, tell};
use super::super::testing::{metadata, optional, schema, unsupported};
use crate::directory::UnsupportedColumns;
use crate::table::{Feature, TableError, TypeChanges};

fn told_of(metadata: &TableMetadata, policy: UnsupportedColumns) -> Result<Told, TableError> {
    let history = History::default().with(metadata, &[]);
    tell(metadata.current_schema().unwrap(), &history, None, policy)
}

fn told(schemas: &[Value]) -> Told {
    told_of(&metadata(schemas), UnsupportedColumns::Error).unwrap()
}

fn delta(told: &Told) -> Value {
    serde_json::from_str(&told.schema.to_delta(TypeChanges::Told)).unwrap()
}

fn physical(told: &Told, column: &str) -> String {
    told.schema.column(column).unwrap().physical_name().to_owned()
}

#[test]
fn every_type_that_delta_reads_is_told_by_its_name() {
    let nested = json!({"type": "struct", "fields": [
        {"id": 20, "name": "x", "required": true, "type": "int", "doc": "across"},
    ]});
    let types = [
        (json!("boolean"), json!("boolean")),
        (json!("int"), json!("integer")),
        (json!("long"), json!("long")),
        (json!("float"), json!("float")),
        (json!("double"), json!("double")),
        (json!("decimal(9, 2)"), json!("decimal(9,2)")),
        (json!("date"), json!("date")),
        (json!("timestamp"), json!("timestamp_ntz")),
        (json!("timestamptz"), json!("timestamp")),
        (json!("string"), json!("string")),
        (json!("binary"), json!("binary")),
        (json!("variant"), json!("variant")),
        (
            nested.clone(),
            json!({"type": "struct", "fields": [{
                "name": "x", "type": "integer", "nullable": false, "metadata": {
                    "delta.columnMapping.id": 20, "delta.columnMapping.physicalName": "x", "comment": "across",
                },
            }]}),
        ),
        (
            json!({"type": "list", "element-id": 21, "element-required": true, "element": "string"}),
            json!({"type": "array", "elementType": "string", "containsNull": false}),
        ),
        (
            json!({"type": "map", "key-id": 21, "key": "string", "value-id": 22, "value-required": false,
                "value": nested}),
            json!({"type": "map", "keyType": "string", "valueContainsNull": true, "valueType":
            {"type": "struct", "fields": [{
                "name": "x", "type": "integer", "nullable": false, "metadata": {
                    "delta.columnMapping.id": 20, "delta.columnMapping.physicalName": "x", "comment": "across",
                },
            }]}}),
        ),
    ];
    for (of, expected) in types {
        let mut ids = vec![(1, "c", of.clone())];
        // No id is missing: a gap would be a column that is not known any more.
        let fill: Vec<(i32, String)> = (2..=22).map(|id| (id, format!("f{id}"))).collect();
        let text = of.to_string();
        let is_missing = |(id, _): &&(i32, String)| !text.contains(&format!("id\":{id},"));
        ids.extend(fill.iter().filter(is_missing).map(|(id, name)| (*id, name.as_str(), json!("int"))));
        let told = told(&[schema(0, &ids)]);
        assert_eq!(delta(&told)["fields"][0]["type"], expected, "{of}");
        let metadata = json!({"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "c"});
        assert_eq!(delta(&told)["fields"][0]["metadata"], metadata, "{of}");
    }
}

#[test]
fn what_reading_takes_follows_from_the_types() {
    let simple = told(&[schema(0, &[(1, "a", json!("long"))])]);
    assert_eq!(simple.plain, Ok(()));
    assert!(simple.features.iter().eq([&Feature::ColumnMapping]));
    for (of, feature) in [("timestamp", Feature::TimestampNtz), ("variant", Feature::VariantType)] {
        let told = told(&[schema(0, &[(1, "a", json!(of))])]);
        assert!(told.features.contains(&feature));
        assert!(told.plain.unwrap_err().contains("column a is of type"));
    }
}

#[test]
fn a_renamed_column_keeps_its_oldest_name_in_files() {
    let told = told(&[
        schema(0, &[(1, "a", json!("long")), (2, "b", json!("string"))]),
        schema(1, &[(1, "a", json!("long")), (2, "c", json!("string"))]),
    ]);
    assert_eq!((physical(&told, "a"), physical(&told, "c")), ("a".into(), "b".into()));
    assert_eq!(told.plain, Err("column c was renamed, or another had its name".into()));
}

#[test]
fn a_column_that_was_dropped_and_added_again_does_not_find_the_old_values() {
    let told = told(&[
        schema(0, &[(1, "a", json!("long")), (2, "s", json!("string"))]),
        schema(1, &[(1, "a", json!("long"))]),
        schema(2, &[(1, "a", json!("long")), (3, "S", json!("string"))]),
    ]);
    assert_eq!(physical(&told, "S"), "col-3");
    assert!(told.plain.is_err());
}

#[test]
fn a_name_made_of_an_id_is_never_the_name_of_another_column() {
    let told = told(&[
        schema(0, &[(1, "col-3", json!("long")), (2, "s", json!("string"))]),
        schema(1, &[(1, "col-3", json!("long"))]),
        schema(2, &[(1, "x", json!("long")), (3, "s", json!("string")), (4, "col-3", json!("int"))]),
    ]);
    let names = ["x", "s", "col-3"].map(|name| physical(&told, name));
    assert_eq!(names, ["col-1", "col-3_", "col-4"]);
}

#[test]
fn names_in_files_stay_when_schemas_are_removed() {
    let first = metadata(&[schema(0, &[(1, "a", json!("long")), (2, "s", json!("string"))])]);
    let history = History::default().with(&first, &[]);
    let later = metadata(&[schema(1, &[(1, "b", json!("long")), (3, "s", json!("string"))])]);
    let history = history.with(&later, &[]);
    let known = tell(later.current_schema().unwrap(), &history, None, UnsupportedColumns::Error).unwrap();
    assert_eq!((physical(&known, "b"), physical(&known, "s")), ("a".into(), "col-3".into()));
    assert_eq!(history, history.with(&later, &[]));
    let json = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&json).unwrap(), history);
    // Whoever comes later cannot know what column 2 was called, and takes no name that it may have had.
    let unknown = told_of(&later, UnsupportedColumns::Error).unwrap();
    assert_eq!((physical(&unknown, "b"), physical(&unknown, "s")), ("col-1".into(), "col-3".into()));
    assert!(unknown.plain.unwrap_err().contains("older schemas of the table are gone"));
}

#[test]
fn a_name_in_files_is_given_up_once_another_column_has_it() {
    let first = schema(0, &[(1, "a", json!("long"))]);
    let second = schema(1, &[(1, "b", json!("long"))]);
    let third = schema(2, &[(1, "b", json!("long")), (2, "A", json!("long"))]);
    let before = History::default().with(&metadata(&[first.clone(), second.clone()]), &[]);
    assert_eq!((before.field(1).unwrap().physical.as_str(), before.naming()), ("a", 0));
    let after = before.with(&metadata(&[first.clone(), second.clone(), third.clone()]), &[]);
    let names = [1, 2].map(|id| after.field(id).unwrap().physical.clone());
    // A reader that does not select the new column would take it for the old one.
    assert_eq!((names, after.naming()), (["col-1".to_owned(), "col-2".to_owned()], 1));
    assert_eq!(after.with(&metadata(&[first.clone(), second.clone(), third.clone()]), &[]), after);
    let at_once = History::default().with(&metadata(&[first, second, third]), &[]);
    assert_eq!((at_once.field(1).unwrap().physical.as_str(), at_once.naming()), ("col-1", 0));
}

#[test]
fn nested_fields_have_names_of_their_own() {
    let point = |fields: Value| {
        json!({"type": "list", "element-id": 2, "element-required": false,
            "element": {"type": "struct", "fields": fields}})
    };
    let told = told(&[
        schema(0, &[(1, "p", point(optional(&[(3, "x", json!("int")), (4, "y", json!("int"))])))]),
        schema(1, &[(1, "p", point(optional(&[(4, "x", json!("long")), (5, "y", json!("int"))])))]),
    ]);
    let field = &delta(&told)["fields"][0];
    let inner = &field["type"]["elementType"]["fields"];
    assert_eq!(inner[0]["metadata"]["delta.columnMapping.physicalName"], "col-4");
    assert_eq!(inner[1]["metadata"]["delta.columnMapping.physicalName"], "col-5");
    let widened = json!([{"fromType": "integer", "toType": "long"}]);
    assert_eq!(inner[0]["metadata"]["delta.typeChanges"], widened);
    assert_eq!(field["metadata"]["delta.typeChanges"], Value::Null);
    assert!(told.leaves.is_empty());
}

#[test]
fn types_that_were_widened_are_told_with_what_they_were() {
    let list = |of: &str| json!({"type": "list", "element-id": 3, "element-required": false, "element": of});
    let schemas = [
        schema(0, &[(1, "a", json!("int")), (2, "l", list("decimal(4, 1)"))]),
        schema(1, &[(1, "a", json!("int")), (2, "l", list("decimal(6, 1)"))]),
        schema(2, &[(1, "a", json!("long")), (2, "l", list("decimal(9, 1)"))]),
    ];
    let told = told(&schemas);
    let fields = &delta(&told)["fields"];
    let of_a = json!([{"fromType": "integer", "toType": "long"}]);
    assert_eq!(fields[0]["metadata"]["delta.typeChanges"], of_a);
    let of_l = json!([
        {"fromType": "decimal(4,1)", "toType": "decimal(6,1)", "fieldPath": "element"},
        {"fromType": "decimal(6,1)", "toType": "decimal(9,1)", "fieldPath": "element"},
    ]);
    assert_eq!(fields[1]["metadata"]["delta.typeChanges"], of_l);
    assert!(told.features.contains(&Feature::TypeWidening) && told.plain.is_err());
    // As the table was before, nothing had been widened.
    let metadata = metadata(&schemas);
    let history = History::default().with(&metadata, &[]);
    let first = tell(metadata.schema(0).unwrap(), &history, None, UnsupportedColumns::Error).unwrap();
    assert_eq!((first.plain, first.features.contains(&Feature::TypeWidening)), (Ok(()), false));
}

#[test]
fn columns_that_no_reader_could_read_are_refused_by_name_or_left_out() {
    let list = |of: Value| json!({"type": "list", "element-id": 6, "element-required": false, "element": of});
    let metadata = metadata(&[schema(
        0,
        &[
            (1, "a", json!("long")),
            (2, "u", json!("uuid")),
            (
                3,
                "s",
                json!({"type": "struct", "fields": optional(&[(4, "t", json!("time")), (7, "k", json!("int"))])}),
            ),
            (5, "l", list(json!("timestamp_ns"))),
            (8, "e", json!({"type": "struct", "fields": optional(&[(9, "f", json!("fixed[3]"))])})),
        ],
    )]);
    let why = unsupported(told_of(&metadata, UnsupportedColumns::Error));
    let named = "u (uuid), s.t (time), l.element (timestamp_ns), e.f (fixed[3]), e (a struct without fields)";
    assert!(why.contains(named), "{why}");
    let told = told_of(&metadata, UnsupportedColumns::Omit).unwrap();
    let names: Vec<&str> = told.schema.fields.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "s"]);
    assert_eq!(delta(&told)["fields"][1]["type"]["fields"][0]["name"], "k");
    assert_eq!(told.leaves.keys().copied().collect::<Vec<_>>(), [1, 7]);
}

#[test]
fn names_that_differ_by_case_only_are_refused() {
    let metadata = metadata(&[schema(0, &[(1, "id", json!("long")), (2, "ID", json!("long"))])]);
    assert!(unsupported(told_of(&metadata, UnsupportedColumns::Omit)).contains("by case only"));
}

#[test]
fn a_default_for_rows_from_before_is_no_matter_only_where_there_are_none() {
    let with_default = |id: i32, name: &str| json!({"id": id, "name": name, "required": false, "type": "int", "initial-default": 7, "write-default": 7});
    let fields = |fields: Value, id: i32| json!({"type": "struct", "schema-id": id, "fields": fields});
    let original = metadata(&[fields(json!([with_default(1, "a")]), 0)]);
    assert!(told_of(&original, UnsupportedColumns::Error).is_ok());
    let first = optional(&[(1, "a", json!("int"))]);
    let later = json!([first[0], with_default(2, "b")]);
    let added = metadata(&[fields(first, 0), fields(later, 1)]);
    assert!(
        unsupported(told_of(&added, UnsupportedColumns::Error)).contains("b (rows from before it was added")
    );
    assert!(told_of(&added, UnsupportedColumns::Omit).unwrap().schema.column("b").is_none());
}

#[test]
fn files_without_ids_are_told_by_name_while_no_column_had_another() {
    let told = |schemas: &[Value], mapping: Value| {
        let metadata = metadata(schemas);
        let history = History::default().with(&metadata, &[]);
        let names = NameMapping::read(&mapping.to_string()).unwrap();
        tell(metadata.current_schema().unwrap(), &history, Some(&names), UnsupportedColumns::Error)
    };
    let first = schema(0, &[(1, "a.b", json!("long")), (2, "s", json!("string"))]);
    let mapping = json!([{"field-id": 1, "names": ["a.b"]}, {"field-id": 2, "names": ["s"]}]);
    let by_name = told(std::slice::from_ref(&first), mapping.clone()).unwrap();
    assert_eq!((&by_name.plain, by_name.features.is_empty()), (&Ok(()), true));
    assert_eq!(delta(&by_name)["fields"][0]["metadata"], json!({}));
    let renamed = schema(1, &[(1, "a.b", json!("long")), (2, "t", json!("string"))]);
    let both = json!([{"field-id": 1, "names": ["a.b"]}, {"field-id": 2, "names": ["s", "t"]}]);
    assert!(unsupported(told(&[first.clone(), renamed], both.clone())).contains("column t had other names"));
    assert!(unsupported(told(std::slice::from_ref(&first), both)).contains("column s had other names"));
    let lacking = json!([{"field-id": 1, "names": ["a.b"]}]);
    assert!(unsupported(told(&[first], lacking)).contains("column s"));
    assert!(matches!(NameMapping::read("{"), Err(TableError::Invalid(_))));
}
