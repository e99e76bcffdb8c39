//! What came and went.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::table::{Column, DataType, Feature};

#[tokio::test]
async fn who_follows_a_table_is_told_what_came_and_went_with_its_versions() {
    let world = world().await;
    world.table.change(|state| {
        state.versions.push(version(3, [3, 4]));
        state.changes.push(change(3, [3, 4], [0, 1, 2]));
    });
    for (headers, names) in [(vec![], ["add", "remove"]), (vec![DELTA], ["add", "remove"])] {
        let answer = world.query(ORDERS, &headers, json!({"startingVersion": 1})).await;
        let [add, remove] = names;
        let wanted = [(add, 1), (add, 2), (remove, 0), (remove, 1), (remove, 2), (add, 3), (add, 4)];
        assert_eq!(answer.told(), kinds(&wanted));
        assert_eq!(answer.header("delta-table-version"), "1");
        let lines = answer.lines();
        assert_eq!(lines[1]["metaData"]["version"], 1);
        let first = lines[2].as_object().unwrap().values().next().unwrap();
        assert_eq!((&first["version"], &first["timestamp"]), (&json!(1), &json!(2000)));
    }
    let some = world.query(ORDERS, &[], json!({"startingVersion": 1, "endingVersion": 1})).await;
    assert_eq!(some.told(), kinds(&[("add", 1)]));
    let beyond = world.query(ORDERS, &[], json!({"startingVersion": 3, "endingVersion": 99})).await;
    assert_eq!(beyond.told().len(), 5);
    let after = world.query(ORDERS, &[], json!({"startingVersion": 4})).await.failure();
    assert!(
        after.2.starts_with("Provided Start version(4) for reading change data is invalid."),
        "{}",
        after.2
    );
    let hinted = world.query(ORDERS, &[], json!({"startingVersion": 3, "predicateHints": ["id = 7"]})).await;
    assert_eq!(hinted.told().len(), 5);
    assert!(hinted.header("tarn-ignored-hints").contains("startingVersion"));
}

#[tokio::test]
async fn the_change_feed_prefers_files_of_changed_rows() {
    let world = world().await;
    world.table.change(|state| state.changes[1].changed = files([50]));
    let answer = world.get(&format!("{ORDERS}/changes?startingVersion=0&endingVersion=2")).await;
    assert_eq!(answer.told(), kinds(&[("add", 0), ("cdf", 50), ("add", 2)]));
    let answer = world.ask("GET", &format!("{ORDERS}/changes?startingVersion=0"), &[DELTA], "").await;
    assert_eq!(answer.told(), kinds(&[("add", 0), ("cdc", 50), ("add", 2)]));
    assert_eq!(answer.header("delta-table-version"), "0");
    let writer = &answer.lines()[0]["protocol"]["deltaProtocol"]["writerFeatures"];
    assert_eq!(writer, &json!(["columnMapping", "changeDataFeed"]));
    // Who follows the table gets its files.
    let followed = world.query(ORDERS, &[], json!({"startingVersion": 0})).await;
    assert_eq!(followed.told(), kinds(&[("add", 0), ("add", 1), ("add", 2)]));
}

#[tokio::test]
async fn changes_are_bounded_by_versions_or_times() {
    let world = world().await;
    let ask = async |query: &str| world.get(&format!("{ORDERS}/changes?{query}")).await;
    for (query, wanted) in [
        ("startingTimestamp=1970-01-01T00:00:01.5Z", vec![1, 2]),
        ("startingTimestamp=1970-01-01T00:00:02Z&endingTimestamp=1970-01-01T00:00:02.9Z", vec![1]),
        ("startingVersion=0&endingTimestamp=9999-01-01T00:00:00Z", vec![0, 1, 2]),
        ("startingVersion=2&endingVersion=77", vec![2]),
    ] {
        let told: Vec<u64> = ask(query).await.told().into_iter().map(|(_, number)| number).collect();
        assert_eq!(told, wanted, "{query}");
    }
    for (query, message) in [
        ("", "No startingVersion or startingTimestamp provided for CDF read."),
        (
            "startingVersion=2&endingVersion=1",
            "CDF range from start 2 to end 1 was invalid. End cannot be before start.",
        ),
        (
            "startingTimestamp=1970-01-01T00:00:04Z",
            "The provided timestamp is after the latest version available to this table.",
        ),
        (
            "startingVersion=0&endingTimestamp=1969-01-01T00:00:00Z",
            "The provided timestamp is before the earliest version available to this table.",
        ),
        ("startingVersion=0&maxFiles=0", "maxFiles must be positive."),
        (
            "startingVersion=3",
            "Provided Start version(3) for reading change data is invalid. Start version cannot be greater than the latest version of the table(2).",
        ),
    ] {
        assert_eq!(ask(query).await.failure(), invalid(message), "{query}");
    }
}

#[tokio::test]
async fn a_table_without_a_shared_feed_has_no_changes() {
    let world = world().await;
    let ask = async |table: &str| world.get(&format!("{table}/changes?startingVersion=0")).await.failure();
    assert_eq!(ask(PLAIN).await, invalid("cdf is not enabled on table sales.eu.plain"));
    assert_eq!(ask(LATE).await, invalid("You can only query table data since version 1."));
    world.table.change(|state| {
        for version in &mut state.versions {
            Arc::make_mut(&mut version.metadata).configuration.clear();
        }
    });
    assert_eq!(ask(ORDERS).await, invalid("cdf is not enabled on table sales.eu.orders"));
    let followed = world.query(ORDERS, &[], json!({"startingVersion": 0})).await;
    assert_eq!(followed.told().len(), 3);
}

#[tokio::test]
async fn what_the_table_became_is_told_to_who_follows_it_and_to_who_asks() {
    let world = world().await;
    world.table.change(|state| {
        let mut grown = metadata();
        grown.schema.fields.push(Column::new("new", DataType::primitive("string"), true).mapped(3, "new"));
        state.changes[2].metadata = Some(Arc::new(grown));
        state.changes[2].features = BTreeSet::from([Feature::ColumnMapping]);
    });
    let versions = |answer: &Answer| -> Vec<Value> {
        answer.lines().iter().filter_map(|line| Some(line.get("metaData")?["version"].clone())).collect()
    };
    let asked = "startingVersion=0&includeHistoricalMetadata=true";
    assert_eq!(versions(&world.get(&format!("{ORDERS}/changes?{asked}")).await), [0, 2]);
    assert_eq!(versions(&world.get(&format!("{ORDERS}/changes?startingVersion=0")).await), [2]);
    assert_eq!(versions(&world.query(ORDERS, &[], json!({"startingVersion": 1})).await), [1, 2]);
    let body = json!({"startingVersion": 1, "includeHistoricalProtocol": true});
    let protocols = |answer: &Answer| -> Vec<Value> {
        answer
            .lines()
            .iter()
            .filter_map(|line| line.get("protocol"))
            .map(|told| told["version"].clone())
            .collect()
    };
    assert_eq!(protocols(&world.query(ORDERS, &[DELTA], body.clone()).await), [1, 2]);
    assert_eq!(protocols(&world.query(ORDERS, &[], body).await), [Value::Null]);
}

#[tokio::test]
async fn changes_that_parquet_would_tell_wrong_are_told_as_delta_or_not_at_all() {
    let both = (
        "delta-sharing-capabilities",
        "responseformat=delta,parquet;readerfeatures=deletionvectors,columnmapping",
    );
    let deletes: fn(&mut State) = |state| state.changes[1].removed = deleted_files([0]);
    let renamed: fn(&mut State) = |state| {
        let mut metadata = metadata();
        metadata.schema.fields[0].name = "ident".into();
        state.changes[1].metadata = Some(Arc::new(metadata));
    };
    let widened: fn(&mut State) = |state| state.changes[1].features = BTreeSet::from([Feature::TypeWidening]);
    for damage in [deletes, renamed, widened] {
        let world = world().await;
        world.table.change(damage);
        let path = format!("{ORDERS}/changes?startingVersion=0");
        assert_eq!(world.get(&path).await.failure().1, "UNSUPPORTED_OPERATION");
        let answer = world.ask("GET", &path, &[both], "").await;
        assert_eq!(answer.header("delta-sharing-capabilities"), "responseformat=delta");
        assert_eq!(
            world.query(ORDERS, &[], json!({"startingVersion": 0})).await.failure().1,
            "UNSUPPORTED_OPERATION"
        );
        // A range before it is as plain as it was.
        assert_eq!(world.get(&format!("{path}&endingVersion=0")).await.told().len(), 1);
    }
}

#[tokio::test]
async fn files_that_are_not_partitioned_as_the_table_is_told_to_be_are_refused() {
    let world = world().await;
    world.table.change(|state| {
        let mut whole = metadata();
        whole.partition_columns.clear();
        state.changes[1].metadata = Some(Arc::new(whole));
    });
    for (path, body) in [("query", r#"{"startingVersion":0}"#), ("changes?startingVersion=0", "")] {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let (_, code, message) = world.ask(method, &format!("{ORDERS}/{path}"), &[], body).await.failure();
        assert_eq!(code, "UNSUPPORTED_OPERATION");
        assert!(message.starts_with("version 1 changed what the table is partitioned by"), "{message}");
    }
    // What the versions do not say themselves is seen in the files.
    world.table.change(|state| {
        state.changes[1].metadata = None;
        let mut both = metadata();
        both.partition_columns.push("id".into());
        state.versions[2].metadata = Arc::new(both);
    });
    let answer = world.ask("GET", &format!("{ORDERS}/changes?startingVersion=0"), &[END], "").await;
    let lines = answer.lines();
    let end = &lines.last().unwrap()["endStreamAction"];
    assert_eq!(end["errorMessage"], "a file lacks a column that the table is partitioned by");
    assert!(answer.told().is_empty());
}

#[tokio::test]
async fn a_protocol_of_changes_names_the_vectors_that_any_of_them_has() {
    let world = world().await;
    world.table.change(|state| {
        state.changes[1].removed = files([0]);
        state.changes[1].added = deleted_files([0]);
    });
    let answer = world.ask("GET", &format!("{ORDERS}/changes?startingVersion=0"), &[DELTA], "").await;
    let lines = answer.lines();
    let features = &lines[0]["protocol"]["deltaProtocol"]["readerFeatures"];
    assert_eq!(features, &json!(["columnMapping", "deletionVectors"]));
    assert_eq!(lines[1]["metaData"]["deltaMetadata"]["configuration"]["delta.enableDeletionVectors"], "true");
    assert_eq!(answer.told(), kinds(&[("add", 0), ("remove", 0), ("add", 0), ("add", 2)]));
}
