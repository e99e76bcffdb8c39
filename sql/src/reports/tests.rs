use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};

use super::*;

fn report(name: &str) -> &'static Report {
    Report::named(name).expect("a report")
}

fn inventory() -> InventoryTable {
    InventoryTable::named("photos/daily").unwrap()
}

/// The names behind `$` in a query.
fn placeholders(sql: &str) -> BTreeSet<&str> {
    sql.split('$')
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_report_is_whole_and_uses_what_it_says() {
    let mut names: Vec<&str> = ALL.iter().map(|report| report.name).collect();
    assert!(names.is_sorted());
    names.dedup();
    assert_eq!(names.len(), ALL.len());
    for report in ALL {
        let parameters: BTreeSet<&str> = report.parameters.iter().map(|parameter| parameter.name).collect();
        assert_eq!(placeholders(report.sql), parameters, "{}", report.name);
        for column in report.chart.labels.iter().chain([&report.chart.value]) {
            assert!(report.columns.iter().any(|found| found.name == *column), "{} {column}", report.name);
        }
        let asks = |name: &str| report.sql.contains(name);
        let expected = match report.objects {
            Objects::None => (false, false, false),
            Objects::LiveOrInventory => (true, false, false),
            Objects::TwoRuns => (false, true, true),
        };
        assert_eq!((asks("{objects}"), asks("{before}"), asks("{after}")), expected, "{}", report.name);
    }
}

#[test]
fn a_query_names_its_tables_and_holds_no_value() {
    let live = report("bytes-by-prefix").query(&Source::Live).unwrap();
    assert!(live.contains("FROM system.objects AS objects") && !live.contains('{'), "{live}");
    let by_inventory = report("bytes-by-prefix").query(&Source::Inventory(inventory())).unwrap();
    assert!(by_inventory.contains(r#"FROM "system"."photos"."inventory_daily")"#), "{by_inventory}");
    let runs = Source::Runs { table: inventory(), before: 1, after: 2 };
    let growth = report("growth").query(&runs).unwrap();
    assert!(
        growth.contains(r#""inventory_daily@1""#) && growth.contains(r#""inventory_daily@2""#),
        "{growth}"
    );
    assert_eq!(report("growth").query(&Source::Live), Err(SourceError::Needed("growth")));
    assert_eq!(report("small-files").query(&runs), Err(SourceError::Unused("small-files")));
}

#[test]
fn the_longest_id_of_an_inventory_names_one() {
    let id = "x".repeat(64);
    assert_eq!(InventoryTable::named(&format!("photos/{id}")).unwrap().id, id);
}

#[test]
fn what_names_no_inventory_is_refused() {
    for name in [
        "",
        "photos",
        "photos/",
        "/daily",
        "photos/a/b",
        "photos/\"; DROP",
        "ph\"tos/daily",
        "photos/a@1",
        "a/b",
    ] {
        assert_eq!(InventoryTable::named(name), Err(SourceError::Name(name.into())));
    }
}

#[test]
fn parameters_have_their_defaults_and_hostile_ones_are_bound_or_refused() {
    let prefixes = report("bytes-by-prefix");
    let hostile = "' OR 1=1; --";
    let bound = prefixes.bind([("bucket", hostile), ("depth", "3")]).unwrap();
    let expected = [
        ("bucket", Value::Text(hostile.into())),
        ("depth", Value::Integer(3)),
        ("prefix", Value::Text(String::new())),
        ("rows", Value::Integer(20)),
    ];
    assert_eq!(bound, Bound::from(expected));
    for (name, value, told) in [
        ("depth", "0", "a whole number from 1 to 32"),
        ("depth", "1; DROP TABLE x", "a whole number from 1 to 32"),
        ("rows", "99999999999999999999", "a whole number from 1 to 1000"),
        ("rows", "", "a whole number from 1 to 1000"),
        ("limit", "1", "it takes bucket, prefix, depth, rows"),
    ] {
        let error = prefixes.bind([(name, value)]).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    assert_eq!(prefixes.bind([("rows", "1"), ("rows", "2")]), Err(ParameterError::Repeated("rows")));
    let long = "x".repeat(1025);
    assert_eq!(prefixes.bind([("prefix", long.as_str())]), Err(ParameterError::Long { name: "prefix" }));
}

fn largest() -> Answer {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("bucket", Arc::new(StringArray::from(vec!["photos", "photos"]))),
        ("key", Arc::new(StringArray::from(vec!["a,\"b\".jpg", "<b>.jpg"]))),
        ("bytes", Arc::new(Int64Array::from(vec![2048, 7]))),
        ("last_modified", Arc::new(TimestampMillisecondArray::from(vec![Some(1_700_000_000_123), None]))),
    ];
    Answer::new(report("largest-objects"), &[RecordBatch::try_from_iter(columns).unwrap()]).unwrap()
}

#[test]
fn rows_are_told_as_json_as_csv_and_as_bars() {
    let answer = largest();
    let expected = serde_json::json!([
        {"bucket": "photos", "key": "a,\"b\".jpg", "bytes": 2048, "last_modified": 1_700_000_000_123_i64},
        {"bucket": "photos", "key": "<b>.jpg", "bytes": 7, "last_modified": null},
    ]);
    assert_eq!(serde_json::to_value(&answer).unwrap(), expected);
    let csv = "bucket,key,bytes,last_modified\r\nphotos,\"a,\"\"b\"\".jpg\",2048,2023-11-14T22:13:20.123Z\r\nphotos,<b>.jpg,7,\r\n";
    assert_eq!(answer.to_csv(), csv);
    let bars = answer.bars(report("largest-objects"), "now".into());
    let rows = vec![
        Bar { label: "photos/a,\"b\".jpg".into(), value: 2048.0 },
        Bar { label: "photos/<b>.jpg".into(), value: 7.0 },
    ];
    assert_eq!(
        bars,
        Bars { title: "Largest objects".into(), subtitle: "now".into(), unit: Unit::Bytes, rows }
    );
}

#[test]
fn a_query_that_does_not_give_the_columns_of_its_report_is_an_error() {
    let columns: Vec<(&str, ArrayRef)> = vec![("bucket", Arc::new(StringArray::from(vec!["photos"])))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    assert!(Answer::new(report("largest-objects"), &[batch]).is_err());
}
