//! Grants of some rows only.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::directory::{RowFilter, RowValues};

async fn filtered(filters: &[(&str, RowValues)]) -> World {
    let world = world().await;
    let filters: Vec<RowFilter> = filters
        .iter()
        .map(|(column, values)| RowFilter { column: (*column).into(), values: values.clone() })
        .collect();
    world
        .change_recipient(|recipient| {
            let grant = recipient.grants.get_mut("sales").unwrap();
            grant.filters.insert("eu.orders".into(), filters);
        })
        .await;
    world
}

fn only(values: &[&str]) -> RowValues {
    RowValues::In(values.iter().map(|&value| value.to_owned()).collect())
}

#[tokio::test]
async fn a_recipient_is_told_the_files_of_its_rows_and_no_size_of_others() {
    for values in [only(&["eu"]), RowValues::Property("region".into())] {
        let world = filtered(&[("Region", values)]).await;
        let answer = world.query(ORDERS, &[], empty()).await;
        assert_eq!(answer.told(), kinds(&[("file", 0), ("file", 2)]));
        let metadata = &answer.lines()[1]["metaData"];
        assert!(metadata.get("size").is_none() && metadata.get("numFiles").is_none(), "{metadata}");
        assert_eq!(world.numbers(ORDERS, json!({"version": 1})).await, [0]);
        let changes = world.get(&format!("{ORDERS}/changes?startingVersion=0")).await;
        assert_eq!(changes.told(), kinds(&[("add", 0), ("add", 2)]));
        assert_eq!(
            world.query(ORDERS, &[], json!({"startingVersion": 1})).await.told(),
            kinds(&[("add", 2)])
        );
        // The filter is that table's.
        assert_eq!(world.numbers(PLAIN, empty()).await, [0, 1, 2]);
    }
    let world = filtered(&[("region", RowValues::Property("none".into()))]).await;
    assert_eq!(world.numbers(ORDERS, empty()).await, [0; 0]);
}

#[tokio::test]
async fn pages_and_limits_count_files_that_are_seen() {
    let world = filtered(&[("region", only(&["us"]))]).await;
    world.table.change(|state| state.versions.push(version(3, 0..2000)));
    let lines = world.query(ORDERS, &[], json!({"maxFiles": 1000})).await.lines();
    assert_eq!(lines.iter().filter_map(told).count(), 1000);
    assert!(lines.last().unwrap()["endStreamAction"].get("nextPageToken").is_none());
    assert_eq!(world.numbers(ORDERS, json!({"limitHint": 15})).await, [1, 3]);
}

#[tokio::test]
async fn a_table_that_cannot_be_cut_so_is_refused() {
    let world = filtered(&[("id", only(&["1"]))]).await;
    let paths = [format!("{ORDERS}/metadata"), format!("{ORDERS}/changes?startingVersion=0")];
    for path in &paths {
        assert_eq!(world.get(path).await.failure().1, "UNSUPPORTED_OPERATION", "{path}");
    }
    assert_eq!(world.query(ORDERS, &[], empty()).await.failure().1, "UNSUPPORTED_OPERATION");
    let world = filtered(&[("region", only(&["eu"]))]).await;
    world.table.change(|state| {
        let mut whole = metadata();
        whole.partition_columns.clear();
        state.changes[1].metadata = Some(Arc::new(whole));
    });
    assert_eq!(world.get(&paths[1]).await.failure().1, "UNSUPPORTED_OPERATION");
    let followed = world.query(ORDERS, &[], json!({"startingVersion": 0})).await;
    assert_eq!(followed.failure().1, "UNSUPPORTED_OPERATION");
}

#[tokio::test]
async fn no_directory_leads_around_a_filter() {
    let world = filtered(&[("region", only(&["eu"]))]).await;
    let vended = world.ask("POST", &format!("{ORDERS}/temporary-table-credentials"), &[], "").await;
    assert_eq!(vended.failure().1, "UNSUPPORTED_OPERATION");
    let tables = world.get("/shares/sales/all-tables").await.json();
    assert!(
        tables["items"].as_array().unwrap().iter().all(|item| item.get("location").is_none()),
        "{tables}"
    );
    assert_eq!(world.get(ORDERS).await.json()["format"], "delta");
    let metadata = world.get(&format!("{ORDERS}/metadata")).await.lines();
    assert!(metadata[1]["metaData"].get("location").is_none());
}
