use serde_json::{Value, json};

use super::fixture::{Fixture, add, column, meta_data, protocol};
use crate::delta::DeltaTable;
use crate::table::TableSource as _;

fn at(time: i64) -> Value {
    json!({"commitInfo": {"inCommitTimestamp": time, "operation": "WRITE"}})
}

/// A table whose commits tell their times from version `since` on.
fn timed(since: Option<&str>) -> [Value; 2] {
    let mut configuration = json!({"delta.enableInCommitTimestamps": "true"});
    if let Some(since) = since {
        configuration["delta.inCommitTimestampEnablementVersion"] = since.into();
        configuration["delta.inCommitTimestampEnablementTimestamp"] = "9000000000000".into();
    }
    let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["inCommitTimestamp"]}});
    [protocol, meta_data(&[column("id", "long")], &[], configuration)]
}

async fn looked_up(table: &DeltaTable, time: i64) -> (Option<i64>, Option<i64>) {
    (table.version_until(time).await.unwrap(), table.version_from(time).await.unwrap())
}

#[tokio::test]
async fn versions_are_found_by_the_times_commits_tell() {
    let [protocol, metadata] = timed(None);
    let fixture = Fixture::with(&[at(1_000), protocol, metadata, add("a.parquet")]).await;
    for version in 1..=5 {
        fixture.commit(version, &[at(1_000 + version * 10), add(&format!("{version}.parquet"))]).await;
    }
    let table = fixture.open().await.unwrap();
    assert_eq!(looked_up(&table, 999).await, (None, Some(0)));
    assert_eq!(looked_up(&table, 1_000).await, (Some(0), Some(0)));
    assert_eq!(looked_up(&table, 1_025).await, (Some(2), Some(3)));
    assert_eq!(looked_up(&table, 1_050).await, (Some(5), Some(5)));
    assert_eq!(looked_up(&table, 1_051).await, (Some(5), None));
    assert_eq!(table.load(3).await.unwrap().timestamp_ms, 1_030);
    assert_eq!(table.changes(3..=3).await.unwrap()[0].timestamp_ms, 1_030);
    fixture.checkpoint(None).await;
    for version in 0..5 {
        fixture.delete(&format!("_delta_log/{version:020}.json")).await;
    }
    assert_eq!(looked_up(&table, 1_025).await, (None, Some(5)));
}

#[tokio::test]
async fn commits_from_before_they_told_their_times_have_those_of_their_files() {
    let fixture = Fixture::with(&[protocol(), meta_data(&[column("id", "long")], &[], json!({}))]).await;
    fixture.commit(1, &[add("a.parquet")]).await;
    let [protocol, metadata] = timed(Some("2"));
    fixture.commit(2, &[at(9_000_000_000_000), protocol, metadata]).await;
    let table = fixture.open().await.unwrap();
    let mut times = Vec::new();
    for version in 0..=2 {
        times.push(table.load(version).await.unwrap().timestamp_ms);
    }
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
    assert_eq!(times[2], 9_000_000_000_000);
    assert_eq!(looked_up(&table, times[1]).await, (Some(1), Some(1)));
    assert_eq!(looked_up(&table, times[1] + 1).await, (Some(1), Some(2)));
}

#[tokio::test]
async fn times_of_files_find_versions_too() {
    let fixture = Fixture::with(&[protocol(), meta_data(&[column("id", "long")], &[], json!({}))]).await;
    fixture.commit(1, &[add("a.parquet")]).await;
    let table = fixture.open().await.unwrap();
    let (first, second) =
        (table.load(0).await.unwrap().timestamp_ms, table.load(1).await.unwrap().timestamp_ms);
    assert!(first < second);
    assert_eq!(looked_up(&table, first - 1).await, (None, Some(0)));
    assert_eq!(looked_up(&table, first).await, (Some(0), Some(0)));
    assert_eq!(looked_up(&table, second).await, (Some(1), Some(1)));
    assert_eq!(looked_up(&table, second + 1).await, (Some(1), None));
}
