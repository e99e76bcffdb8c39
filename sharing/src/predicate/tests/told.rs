//! Hints of known answer.

use serde_json::{Value, json};

use super::super::{Fit, Predicate, Why};
use crate::table::{Column, DataFile, DataType, HiddenField, Metadata, Place, Schema, Transform};

fn metadata() -> Metadata {
    let column = |name: &str, data_type: &str| Column::new(name, DataType::primitive(data_type), true);
    Metadata {
        id: "t".into(),
        description: None,
        schema: Schema {
            fields: vec![
                column("a", "integer"),
                column("b", "string"),
                column("ts", "timestamp"),
                column("day", "date"),
                column("r", "double"),
                column("id", "long"),
                column("region", "string"),
                column("bin", "binary"),
                column("new name", "long").mapped(9, "old name"),
            ],
        },
        partition_columns: vec!["Region".into()],
        configuration: Default::default(),
        created_ms: None,
    }
}

fn hidden() -> Vec<HiddenField> {
    vec![HiddenField { column: vec!["id".into()], transform: Transform::Bucket(16) }]
}

fn file(stats: &str) -> DataFile<'_> {
    DataFile {
        at: Place { bucket: "b", key: "k" },
        size: 1,
        modified_ms: 0,
        partition_values: vec![("region", Some("eu"))],
        stats: Some(stats),
        records: Some(10),
        hidden: Vec::new(),
        deletes: None,
    }
}

const STATS: &str = r#"{"numRecords":10,"minValues":{"a":5,"b":"k","ts":"2024-03-01T00:00:00.000Z","day":"2024-03-01","r":1.5,"id":1,"old name":7},"maxValues":{"a":10,"b":"m","ts":"2024-03-03T00:00:00.000Z","day":"2024-03-03","r":2.5,"id":9007199254740993,"old name":7},"nullCount":{"a":0,"b":3,"ts":0,"day":0,"r":0,"id":0,"bin":10,"old name":0}}"#;

fn fit_of(hint: &str) -> Fit {
    let (predicate, ignored) = Predicate::of_hints(&[hint.to_owned()], None, &metadata(), &hidden());
    assert_eq!(ignored, [], "{hint}");
    predicate.unwrap().fit(&file(STATS))
}

fn ignored_of(sql: &str) -> (Fit, Vec<Why>) {
    let (predicate, ignored) = Predicate::of_hints(&[sql.to_owned()], None, &metadata(), &[]);
    (predicate.unwrap().fit(&file(STATS)), ignored.into_iter().map(|ignored| ignored.why).collect())
}

fn fit_of_json(json: &Value) -> (Fit, Option<Why>) {
    let text = json.to_string();
    let (predicate, ignored) = Predicate::of_hints(&[], Some(&text), &metadata(), &[]);
    (predicate.unwrap().fit(&file(STATS)), ignored.first().map(|ignored| ignored.why))
}

fn compare(op: &str, name: &str, value_type: &str, value: &str) -> Value {
    let column = json!({"op": "column", "name": name, "valueType": value_type});
    json!({"op": op, "children": [column, {"op": "literal", "value": value, "valueType": value_type}]})
}

#[test]
fn not_equal_keeps_a_file_whose_range_holds_more_than_the_value() {
    assert_eq!(fit_of("NOT (a = 7)"), Fit::Some);
    assert_eq!(fit_of("a <> 7"), Fit::Some);
    let not = json!({"op": "not", "children": [compare("equal", "a", "int", "7")]});
    assert_eq!(fit_of_json(&not), (Fit::Some, None));
    assert_eq!(fit_of("NOT (a = 11)"), Fit::Every);
    assert_eq!(fit_of("`new name` <> 7"), Fit::None);
}

#[test]
fn conditions_in_sql_are_answered_from_ranges() {
    for (fit, hints) in [
        (
            Fit::None,
            [
                "a > 10",
                "11 <= `A`",
                "a < 5 AND b = 'l'",
                "a IN (1, 2, 30)",
                "a IN (1, NULL)",
                "a NOT BETWEEN 5 AND 10",
                "a = 7 AND a = NULL",
                "a IS NULL",
                "b < 'k'",
                "b LIKE 'n%'",
                "ts >= TIMESTAMP '2024-03-03T00:00:00.002Z'",
                "ts < TIMESTAMP '2024-02-28 00:00:00'",
                "CAST(ts AS DATE) = DATE '2024-03-05'",
                "day = '2024-02-29'",
                "day > DATE '2024-03-03'",
                "day < TIMESTAMP '2024-02-28 00:00:00'",
                "r < 1.4",
                "id > 9007199254740993",
                "region = 'us'",
                "region <> 'eu'",
                "region IS NULL",
                "bin IS NOT NULL",
                "a == 4",
                "a <=> NULL",
                "(a = 5 AND TRUE AND a > 10L) OR FALSE",
                "NOT (a >= 5)",
                "(a > 10) IS NOT FALSE",
                "CAST(a AS BIGINT) < -5",
                "a = '11'",
                "a < 49e-1",
                "a < 4.9D",
            ]
            .as_slice(),
        ),
        (
            Fit::Every,
            &[
                "a >= 5",
                "a BETWEEN 5 AND 10",
                "region = 'eu' AND a IS NOT NULL",
                "a < 3 OR region = 'eu'",
                "bin IS NULL",
                "NOT (r < 1.4)",
                "\"region\" = 'eu'",
            ],
        ),
        (
            Fit::Some,
            &[
                "a = 5",
                "b IS NULL",
                "b <= 'mzz'",
                "b > 'mz'",
                "b LIKE 'm%y'",
                "ts > TIMESTAMP '2024-03-03T00:00:00.0005Z'",
                "ts < TIMESTAMP '2024-02-29 09:00:00'",
                "CAST(ts AS DATE) = DATE '2024-02-29'",
                "r > 9",
                "r = 1.5",
                "id = 9007199254740993",
                "id <> 9007199254740992e0",
            ],
        ),
    ] {
        for hint in hints {
            assert_eq!(fit_of(hint), fit, "{hint}");
        }
    }
}

#[test]
fn a_part_that_is_not_understood_weakens_only_itself() {
    assert_eq!(ignored_of("upper(b) = 'X' AND a > 10"), (Fit::None, vec![Why::Unknown]));
    assert_eq!(ignored_of("upper(b) = 'X' AND a >= 5"), (Fit::Some, vec![Why::Unknown]));
    assert_eq!(ignored_of("upper(b) = 'X' OR a > 10"), (Fit::Some, vec![Why::Unknown]));
    assert_eq!(ignored_of("NOT (upper(b) = 'X' AND a >= 5)"), (Fit::Some, vec![Why::Unknown]));
    assert_eq!(ignored_of("upper(b) = 'X' OR a > 1"), (Fit::Every, vec![Why::Unknown]));
    assert_eq!(ignored_of("nowhere = 1 OR a > 10"), (Fit::Some, vec![Why::NoColumn]));
    assert_eq!(ignored_of("b > 5"), (Fit::Some, vec![Why::Incomparable]));
    assert_eq!(ignored_of("CAST(id AS INT) = 5"), (Fit::Some, vec![]));
}

#[test]
fn a_hint_that_cannot_be_read_leaves_out_nothing_and_lets_no_limit_apply() {
    for hint in [
        "",
        "a >",
        "a > 10; a",
        "a > 10 b",
        "b = 'x\\' OR a > 3 OR b = 'y'",
        "a > 10 --1",
        "a > 10 /* or more */",
        "SELECT 1",
    ] {
        let (fit, why) = ignored_of(hint);
        assert_eq!((fit, why.len()), (Fit::Some, 1), "{hint}");
    }
    assert_eq!(ignored_of("string"), (Fit::Some, vec![Why::NoColumn]));
    assert_eq!(ignored_of("b = 'it''s'"), (Fit::Some, vec![Why::Unknown]));
    let nested = format!("{}a > 10{}", "(".repeat(200), ")".repeat(200));
    assert_eq!(ignored_of(&nested).0, Fit::Some);
    let long = format!("a IN ({}1)", "1,".repeat(3_000));
    assert_eq!(ignored_of(&long), (Fit::Some, vec![Why::TooLarge]));
    let wide = vec!["a > 10"; 900].join(" AND ");
    assert_eq!(ignored_of(&wide), (Fit::None, vec![]));
    let (predicate, ignored) = Predicate::of_hints(&[], None, &metadata(), &[]);
    assert!(predicate.is_none() && ignored.is_empty());
}

#[test]
fn json_is_answered_like_sql() {
    let none = |json| assert_eq!(fit_of_json(&json), (Fit::None, None), "{json}");
    none(compare("equal", "A", "int", "11"));
    none(compare("lessThan", "id", "long", "1"));
    none(compare("greaterThan", "day", "date", "2024-03-03"));
    none(compare("greaterThanOrEqual", "ts", "timestamp", "2024-03-03T00:00:00.003Z"));
    none(compare("lessThanOrEqual", "r", "double", "1.4"));
    none(compare("greaterThan", "ts", "date", "2024-03-05"));
    none(json!({"op": "isNull", "children": [{"op": "column", "name": "a", "valueType": "int"}]}));
    none(
        json!({"op": "and", "children": [compare("equal", "region", "string", "us"), compare("equal", "a", "int", "7")]}),
    );
    let either = json!({"op": "or", "children": [compare("equal", "a", "int", "4"), compare("equal", "a", "int", "6")]});
    assert_eq!(fit_of_json(&either), (Fit::Some, None));
    // Cut to milliseconds, it may have been less.
    assert_eq!(fit_of_json(&compare("lessThan", "ts", "timestamp", "2024-03-01T00:00:00.000Z")).0, Fit::Some);
    // What a cast to fewer bits makes of it is up to the reader.
    assert_eq!(fit_of_json(&compare("equal", "id", "int", "-7")).0, Fit::Some);
    assert_eq!(fit_of_json(&compare("equal", "a", "long", "-7")).0, Fit::None);
}

#[test]
fn json_that_is_not_as_it_should_be_leaves_out_nothing() {
    let no = compare("equal", "a", "int", "11");
    let leaf = |value_type: &str| json!({"op": "literal", "value": "11", "valueType": value_type});
    let column = json!({"op": "column", "name": "a", "valueType": "int"});
    for (json, why) in [
        (json!([]), Why::Unreadable),
        (json!({"op": "and", "children": [no]}), Why::Unreadable),
        (json!({"op": "and", "children": [no, {"op": "not"}]}), Why::Unreadable),
        (json!({"op": "equal", "children": [column, leaf("int"), leaf("int")]}), Why::Unreadable),
        (
            json!({"op": "equal", "children": [column, {"op": "literal", "valueType": "int"}]}),
            Why::Unreadable,
        ),
        (json!({"op": "equal", "children": [column, leaf("long")]}), Why::Incomparable),
        (json!({"op": "equal", "children": [column, leaf("integer")]}), Why::Incomparable),
        (json!({"op": "equal", "children": [column, column]}), Why::Unknown),
        (json!({"op": "equal", "children": [column, no]}), Why::Unreadable),
        (compare("equal", "nowhere", "int", "1"), Why::NoColumn),
        (compare("equal", "a", "string", "11"), Why::Incomparable),
    ] {
        assert_eq!(fit_of_json(&json), (Fit::Some, Some(why)), "{json}");
    }
    let nested = |depth| (0..depth).fold(no.clone(), |inner, _| json!({"op": "not", "children": [inner]}));
    assert_eq!(
        (fit_of_json(&nested(98)), fit_of_json(&nested(100)).1),
        ((Fit::None, None), Some(Why::TooLarge))
    );
    let wide = json!({"op": "and", "children": vec![no.clone(); 2_000]});
    assert_eq!(fit_of_json(&wide), (Fit::Some, Some(Why::TooLarge)));
    let long = format!("{}{no}", " ".repeat(1 << 20));
    let (predicate, ignored) = Predicate::of_hints(&[], Some(&long), &metadata(), &[]);
    assert!(predicate.unwrap().keeps(&file(STATS)) && ignored[0].why == Why::TooLarge);
}

#[test]
fn a_bucket_decides_equality_and_an_absent_one_nothing() {
    let fit = |hint: &str, bucket: Option<&str>| {
        let (predicate, _) = Predicate::of_hints(&[hint.to_owned()], None, &metadata(), &hidden());
        predicate.unwrap().fit(&DataFile { hidden: vec![bucket], ..file("{}") })
    };
    // The specification's hash of 34 is 2017239379.
    assert_eq!(fit("id = 34", Some(&(2_017_239_379 % 16).to_string())), Fit::Some);
    assert_eq!(fit("id = 34", Some("0")), Fit::None);
    assert_eq!((fit("id > 34", Some("0")), fit("id <> 34", Some("0"))), (Fit::Some, Fit::Every));
    assert_eq!((fit("id IS NULL", Some("0")), fit("id IS NULL", None)), (Fit::None, Fit::Some));
}

#[test]
fn null_and_empty_partition_values_are_null() {
    let fit = |hint: &str, value| {
        let (predicate, _) = Predicate::of_hints(&[hint.to_owned()], None, &metadata(), &[]);
        predicate.unwrap().fit(&DataFile { partition_values: vec![("region", value)], ..file("{}") })
    };
    assert_eq!((fit("region IS NULL", None), fit("region = 'eu'", None)), (Fit::Every, Fit::None));
    assert_eq!((fit("region <> 'eu'", None), fit("region <=> NULL", None)), (Fit::None, Fit::Every));
    // A reader of the parquet format may take it for a text.
    assert_eq!((fit("region IS NULL", Some("")), fit("region = 'eu'", Some(""))), (Fit::Some, Fit::Some));
}
