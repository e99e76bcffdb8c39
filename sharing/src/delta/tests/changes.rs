use serde_json::{Value, json};

use super::fixture::{
    Fixture, add, changed, column, meta_data, names, of_files, orders, protocol, protocol_with, remove,
};
use crate::delta::Limits;
use crate::table::{Feature, FileList, TableError, TableSource as _, VersionChanges};

fn cdc(path: &str) -> Value {
    json!({"cdc": {"path": path, "partitionValues": {}, "size": 50, "dataChange": false}})
}

fn told(changes: &[VersionChanges]) -> Vec<(i64, [Vec<String>; 3])> {
    let lists = |change: &VersionChanges| [&change.added, &change.removed, &change.changed].map(names);
    changes.iter().map(|change| (change.version, lists(change))).collect()
}

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn changes_are_what_commits_added_removed_and_wrote_for_the_feed() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet"), add("b.parquet")]).await;
    fixture.commit(1, &[remove("a.parquet"), add("c.parquet"), cdc("_change_data/x.parquet")]).await;
    let merged = [
        changed(remove("b.parquet"), "dataChange", false),
        changed(remove("c.parquet"), "dataChange", false),
        changed(add("d.parquet"), "dataChange", false),
    ];
    fixture.commit(2, &merged).await;
    fixture
        .commit(3, &[json!({"commitInfo": {"operation": "x"}}), json!({"txn": {"appId": "a", "version": 1}})])
        .await;
    let table = fixture.open().await.unwrap();
    let changes = table.changes(0..=3).await.unwrap();
    let none = || list(&[]);
    let expected = [
        (0, [list(&["a.parquet", "b.parquet"]), none(), none()]),
        (1, [list(&["c.parquet"]), list(&["a.parquet"]), list(&["_change_data/x.parquet"])]),
        (2, [none(), none(), none()]),
        (3, [none(), none(), none()]),
    ];
    assert_eq!(told(&changes), expected);
    let first = table.load(0).await.unwrap();
    assert_eq!(changes[0].metadata.as_ref(), Some(&first.metadata));
    assert!(changes[1..].iter().all(|change| change.metadata.is_none() && change.features.is_empty()));
    for (change, version) in changes.iter().zip(0..) {
        assert_eq!(change.timestamp_ms, table.load(version).await.unwrap().timestamp_ms);
    }
    assert!(changes.windows(2).all(|pair| pair[0].timestamp_ms < pair[1].timestamp_ms));
    assert_eq!(told(&table.changes(1..=2).await.unwrap()), expected[1..3]);
}

#[tokio::test]
async fn a_deleted_row_is_a_file_removed_with_the_old_vector_and_added_with_the_new() {
    let fixture = Fixture::default();
    fixture.put("deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin", vec![1; 100]).await;
    let vector = |offset: i32, cardinality: i32| json!({"storageType": "u", "pathOrInlineDv": "^-aqEH.-t@S}K{vb[*k^", "offset": offset, "sizeInBytes": 30, "cardinality": cardinality});
    let with = |action: Value, offset, rows| changed(action, "deletionVector", vector(offset, rows));
    fixture.commit(0, &[protocol_with(&["deletionVectors"]), orders(), add("a.parquet")]).await;
    fixture.commit(1, &[remove("a.parquet"), with(add("a.parquet"), 1, 1)]).await;
    fixture.commit(2, &[with(remove("a.parquet"), 1, 1), with(add("a.parquet"), 39, 2)]).await;
    let changes = fixture.open().await.unwrap().changes(0..=2).await.unwrap();
    let rows = |list: &FileList| {
        of_files(list, |file| file.deletes.map(|deletes| (deletes.offset, deletes.cardinality)))
    };
    assert_eq!((rows(&changes[1].removed), rows(&changes[1].added)), (vec![None], vec![Some((1, 1))]));
    assert_eq!(
        (rows(&changes[2].removed), rows(&changes[2].added)),
        (vec![Some((1, 1))], vec![Some((39, 2))])
    );
    assert!(changes[0].features.contains(&Feature::DeletionVectors));
    let metadata = changes[0].metadata.as_ref().unwrap();
    assert_eq!(metadata.configuration["delta.enableDeletionVectors"], "true");
}

#[tokio::test]
async fn a_table_that_becomes_another_is_told_with_the_version_that_made_it_so() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet")]).await;
    fixture.commit(1, &[add("b.parquet")]).await;
    let columns = [column("id", "long"), column("name", "string"), column("at", "timestamp_ntz")];
    fixture
        .commit(2, &[protocol_with(&["timestampNtz"]), add("c.parquet"), meta_data(&columns, &[], json!({}))])
        .await;
    fixture.commit(3, &[protocol_with(&["timestampNtz", "v2Checkpoint"])]).await;
    let changes = fixture.open().await.unwrap().changes(1..=3).await.unwrap();
    assert_eq!((changes[0].metadata.is_none(), changes[0].features.len()), (true, 0));
    assert_eq!(changes[1].metadata.as_ref().unwrap().schema.fields.len(), 3);
    assert!(changes[1].features.contains(&Feature::TimestampNtz));
    assert_eq!(changes[2].metadata, changes[1].metadata);
    fixture.commit(4, &[protocol_with(&["timeMachine"])]).await;
    let table = fixture.open().await;
    assert!(matches!(table, Err(TableError::Unsupported(_))), "{table:?}");
}

#[tokio::test]
async fn versions_whose_commits_are_gone_cannot_be_told() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet")]).await;
    fixture.commit(1, &[add("b.parquet")]).await;
    fixture.checkpoint(None).await;
    fixture.commit(2, &[add("c.parquet")]).await;
    fixture.delete("_delta_log/00000000000000000000.json").await;
    fixture.delete("_delta_log/00000000000000000001.json").await;
    let table = fixture.open().await.unwrap();
    assert_eq!(told(&table.changes(2..=2).await.unwrap())[0].1[0], ["c.parquet"]);
    for range in [0..=2, 1..=2, 2..=3] {
        let error = table.changes(range.clone()).await.unwrap_err();
        assert!(matches!(error, TableError::NoSuchVersion { .. }), "{range:?}: {error:?}");
    }
    let (from, to) = (2, 1);
    assert!(table.changes(from..=to).await.unwrap().is_empty());
    let table = fixture.open_within(Limits { changed_versions_max: 1, ..Limits::default() }).await.unwrap();
    assert!(table.changes(2..=2).await.is_ok());
    assert!(matches!(table.changes(1..=2).await, Err(TableError::TooLarge { .. })));
}

#[tokio::test]
async fn removed_files_without_their_size_are_measured_and_without_partitions_refused() {
    let bare = json!({"remove": {"path": "a.parquet", "deletionTimestamp": 8, "dataChange": true}});
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet")]).await;
    fixture.put("a.parquet", vec![0; 77]).await;
    fixture.commit(1, std::slice::from_ref(&bare)).await;
    let changes = fixture.open().await.unwrap().changes(1..=1).await.unwrap();
    assert_eq!(of_files(&changes[0].removed, |file| file.size), [77]);

    let metadata = meta_data(&[column("id", "long"), column("shop", "string")], &["shop"], json!({}));
    let fixture = Fixture::with(&[protocol(), metadata, add("a.parquet")]).await;
    fixture.commit(1, &[bare]).await;
    let error = fixture.open().await.unwrap().changes(1..=1).await.unwrap_err();
    assert!(matches!(error, TableError::Unsupported(_)), "{error:?}");
}

#[tokio::test]
async fn changes_of_hostile_commits_are_errors() {
    let outside = |error: &TableError| matches!(error, TableError::Outside);
    let invalid = |error: &TableError| matches!(error, TableError::Invalid(_));
    type Is<'a> = &'a dyn Fn(&TableError) -> bool;
    let deep = format!("{{\"add\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: [(String, Is<'_>); 5] = [
        (cdc("s3://other/x.parquet").to_string(), &outside),
        (remove("../x.parquet").to_string(), &invalid),
        (changed(cdc("x.parquet"), "size", -5).to_string(), &invalid),
        (json!({"add": {"partitionValues": {}}}).to_string(), &invalid),
        (deep, &invalid),
    ];
    for (line, right) in cases {
        let fixture = Fixture::with(&[protocol(), orders()]).await;
        let table = fixture.open().await.unwrap();
        fixture.put("_delta_log/00000000000000000001.json", line.clone()).await;
        let error = table.changes(1..=1).await.unwrap_err();
        assert!(right(&error), "{}: {error:?}", &line[..line.len().min(60)]);
    }
}

#[tokio::test]
async fn lines_may_end_in_any_way_and_be_empty() {
    let fixture = Fixture::with(&[protocol(), orders()]).await;
    let text = format!("\r\n{}\r\n\n  \n{}\n\n", add("a.parquet"), add("b.parquet"));
    fixture.put("_delta_log/00000000000000000001.json", text).await;
    fixture.put("_delta_log/00000000000000000002.json", "").await;
    let table = fixture.open().await.unwrap();
    let changes = table.changes(1..=2).await.unwrap();
    assert_eq!(told(&changes)[0].1[0], ["a.parquet", "b.parquet"]);
    assert!(changes[1].added.is_empty());
}
