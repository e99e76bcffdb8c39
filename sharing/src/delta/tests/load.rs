use std::sync::Arc;

use delta_kernel::checkpoint::{CheckpointSpec, V2CheckpointConfig};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::fixture::{
    Fixture, PREFIX, add, changed, column, meta_data, names, of_files, orders, protocol, protocol_with,
    remove,
};
use crate::delta::{COMMIT, Limits, delta_log_of, s3_uri};
use crate::table::{TableError, TableSource as _, Versions};

#[tokio::test]
async fn a_table_is_told_with_files_partitions_and_statistics() {
    let columns = [column("id", "long"), column("day", "date"), column("shop", "string")];
    let metadata = meta_data(&columns, &["shop", "day"], json!({"delta.appendOnly": "true"}));
    let metadata = changed(metadata, "description", "All orders");
    let first = add("shop=a%20b/day=2020-01-01/x%2523.parquet");
    let first = changed(first, "partitionValues", json!({"day": "2020-01-01", "shop": "a b", "gone": "1"}));
    let second = changed(add("y.parquet"), "partitionValues", json!({"day": null, "shop": ""}));
    let second = changed(second, "stats", "{no json");
    let fixture = Fixture::with(&[protocol(), metadata, first, second]).await;

    let table = fixture.open().await.unwrap();
    assert_eq!(table.versions().await.unwrap(), Versions { earliest: 0, latest: 0 });
    let version = table.load(0).await.unwrap();
    assert_eq!((version.version, version.files.len(), version.files.size_bytes()), (0, 2, 200));
    assert_eq!(version.plain, Ok(()));
    assert!(version.features.is_empty());
    let told = &version.metadata;
    assert_eq!(told.id, "5fba94ed-9794-4965-ba6e-6ee3c0d22af9");
    assert_eq!(told.description.as_deref(), Some("All orders"));
    assert_eq!(
        (told.partition_columns.as_slice(), told.created_ms),
        (&["shop", "day"].map(String::from)[..], Some(1_587_968_585_495))
    );
    assert!(told.configuration.is_empty());
    assert_eq!(told.schema.fields.len(), 3);
    let files = of_files(&version.files, |file| {
        let values: Vec<_> =
            file.partition_values.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        (
            file.at.bucket.to_owned(),
            file.at.key.to_owned(),
            values.join(" "),
            file.stats.map(str::to_owned),
            file.records,
        )
    });
    let first = (
        "main".to_owned(),
        format!("{PREFIX}/shop=a b/day=2020-01-01/x%23.parquet"),
        r#"shop=Some("a b") day=Some("2020-01-01")"#.to_owned(),
        Some("{\"numRecords\":3}".to_owned()),
        Some(3),
    );
    let second =
        ("main".to_owned(), format!("{PREFIX}/y.parquet"), "shop=None day=None".to_owned(), None, None);
    assert_eq!(files, [first, second]);
}

#[tokio::test]
async fn each_version_has_its_own_files_and_others_are_not_there() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet")]).await;
    fixture.commit(1, &[add("b.parquet")]).await;
    fixture.commit(2, &[remove("a.parquet")]).await;
    let table = fixture.open().await.unwrap();
    let mut found = Vec::new();
    for version in 0..=2 {
        found.push(names(&table.load(version).await.unwrap().files));
    }
    assert_eq!(found, [vec!["a.parquet"], vec!["a.parquet", "b.parquet"], vec!["b.parquet"]]);
    for version in [-1, 3] {
        let error = table.load(version).await.unwrap_err();
        assert!(matches!(error, TableError::NoSuchVersion { earliest: 0, latest: 2, .. }), "{error:?}");
    }
    let metadata = table.metadata(1).await.unwrap();
    let loaded = table.load(1).await.unwrap();
    assert_eq!((metadata.files.len(), &metadata.metadata), (0, &loaded.metadata));
    assert_eq!((metadata.timestamp_ms, metadata.plain), (loaded.timestamp_ms, loaded.plain));
}

#[tokio::test]
async fn new_versions_are_seen_and_another_log_in_the_same_place_is_another_table() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet")]).await;
    let table = fixture.open().await.unwrap();
    let identity = table.identity();
    fixture.commit(1, &[add("b.parquet")]).await;
    fixture.commit(2, &[add("c.parquet")]).await;
    assert_eq!(table.versions().await.unwrap(), Versions { earliest: 0, latest: 2 });
    assert_eq!(table.identity(), identity);
    assert_eq!(names(&table.load(2).await.unwrap().files), ["a.parquet", "b.parquet", "c.parquet"]);

    for version in [1, 2] {
        fixture.delete(&format!("_delta_log/{version:020}.json")).await;
    }
    fixture.commit(0, &[protocol(), orders(), add("z.parquet")]).await;
    assert_eq!(table.versions().await.unwrap(), Versions { earliest: 0, latest: 0 });
    assert_ne!(table.identity(), identity);
    assert_eq!(names(&table.load(0).await.unwrap().files), ["z.parquet"]);
    fixture.delete("_delta_log/00000000000000000000.json").await;
    assert!(matches!(table.versions().await, Err(TableError::NoSuchTable)));
}

#[tokio::test]
async fn checkpoints_of_every_kind_stand_for_commits_that_are_gone() {
    let sidecars = V2CheckpointConfig::WithSidecar { file_actions_per_sidecar_hint: Some(2) };
    let kinds = [
        (None, protocol()),
        (Some(CheckpointSpec::V2(V2CheckpointConfig::NoSidecar)), protocol_with(&["v2Checkpoint"])),
        (Some(CheckpointSpec::V2(sidecars)), protocol_with(&["v2Checkpoint"])),
    ];
    for (spec, protocol) in kinds {
        let kind = format!("{spec:?}");
        let fixture = Fixture::with(&[protocol, orders(), add("a%20b.parquet"), add("gone.parquet")]).await;
        fixture.commit(1, &[add("c.parquet"), remove("gone.parquet")]).await;
        fixture.checkpoint(spec).await;
        fixture.commit(2, &[add("d.parquet")]).await;
        fixture.delete("_delta_log/00000000000000000000.json").await;
        let table = fixture.open().await.unwrap();
        assert_eq!(table.versions().await.unwrap(), Versions { earliest: 1, latest: 2 }, "{kind}");
        let version = table.load(1).await.unwrap();
        assert_eq!(names(&version.files), ["a b.parquet", "c.parquet"], "{kind}");
        assert_eq!(of_files(&version.files, |file| file.records), [Some(3); 2], "{kind}");
        assert_eq!((version.plain, version.features.len()), (Ok(()), 0), "{kind}");
        assert_eq!(names(&table.load(2).await.unwrap().files).len(), 3, "{kind}");
        assert!(matches!(table.load(0).await, Err(TableError::NoSuchVersion { earliest: 1, .. })), "{kind}");
    }
}

#[tokio::test]
async fn the_order_of_files_stays_when_a_checkpoint_comes_later() {
    let files: Vec<String> = (0..30).map(|number| format!("{}.parquet", number * 7 % 30)).collect();
    let fixture = Fixture::with(&[protocol(), orders()]).await;
    for (file, version) in files.iter().zip(1..) {
        fixture.commit(version, &[add(file)]).await;
    }
    let order = async || {
        let mut order = Vec::new();
        let version = fixture.open().await.unwrap().load(30).await.unwrap();
        version
            .files
            .try_for_each(|file| {
                order.push(file.at.key.to_owned());
                Ok(())
            })
            .unwrap();
        order
    };
    let before = order().await;
    fixture.checkpoint(None).await;
    assert_eq!(order().await, before);
    assert_eq!(before.len(), 30);
    // Versions before the checkpoint are still told by their commits.
    let table = fixture.open().await.unwrap();
    assert_eq!(table.load(5).await.unwrap().files.len(), 5);
}

#[tokio::test]
async fn a_log_that_only_a_checkpoint_tells_is_a_table_that_stays_the_same() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet")]).await;
    fixture.checkpoint(None).await;
    fixture.delete("_delta_log/00000000000000000000.json").await;
    let table = fixture.open().await.unwrap();
    let identity = table.identity();
    assert_eq!(table.versions().await.unwrap(), Versions { earliest: 0, latest: 0 });
    assert_eq!(names(&table.load(0).await.unwrap().files), ["a.parquet"]);
    assert_eq!(table.identity(), identity);
}

#[tokio::test]
async fn a_table_that_was_forgotten_is_opened_as_another_and_one_that_is_kept_stays() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet")]).await;
    let tables = fixture.tables(Limits::default(), 10);
    let first = tables.open("main", PREFIX).await.unwrap();
    assert!(Arc::ptr_eq(&first, &tables.open("main", PREFIX).await.unwrap()));
    // As after a restart: whoever comes with a token of before is told of the same table.
    assert_eq!(
        fixture.tables(Limits::default(), 10).open("main", PREFIX).await.unwrap().identity(),
        first.identity()
    );
    let log: Vec<u8> = delta_log_of(&first.load(0).await.unwrap(), s3_uri).flatten().collect();
    let at = Path::from(format!("whole/{COMMIT}"));
    fixture.store.put(&at, log.into()).await.unwrap();
    let forgetful = fixture.tables(Limits::default(), 1);
    let mut identities = Vec::new();
    for _ in 0..2 {
        for prefix in [PREFIX, "whole/"] {
            identities.push(forgetful.open("main", prefix).await.unwrap().identity());
            forgetful.settle().await;
        }
    }
    assert_ne!(identities[..2], identities[2..]);
    assert!(matches!(tables.open("main", "elsewhere").await, Err(TableError::NoSuchTable)));
}

/// Cuts the checkpoint of a version in two parts.
async fn cut_in_two(fixture: &Fixture, version: i64) -> [String; 2] {
    let name = format!("_delta_log/{version:020}.checkpoint");
    let at = Path::parse(format!("{PREFIX}/{name}.parquet")).unwrap();
    let whole = fixture.store.get(&at).await.unwrap().bytes().await.unwrap();
    fixture.store.delete(&at).await.unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(whole).unwrap().build().unwrap();
    let batches: Vec<_> = batches.map(Result::unwrap).collect();
    let rows = arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap();
    let half = rows.num_rows() / 2;
    let halves = [rows.slice(0, half), rows.slice(half, rows.num_rows() - half)];
    let names = [1, 2].map(|part| format!("{name}.{part:010}.0000000002.parquet"));
    for (name, half) in names.iter().zip(halves) {
        let mut writer = ArrowWriter::try_new(Vec::new(), half.schema(), None).unwrap();
        writer.write(&half).unwrap();
        fixture.put(name, writer.into_inner().unwrap()).await;
    }
    names
}

#[tokio::test]
async fn a_checkpoint_in_parts_counts_once_all_are_there() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet"), add("b.parquet")]).await;
    fixture.commit(1, &[add("c.parquet"), add("d.parquet")]).await;
    fixture.checkpoint(None).await;
    fixture.delete("_delta_log/_last_checkpoint").await;
    let [first, _] = cut_in_two(&fixture, 1).await;
    for version in 0..2 {
        fixture.delete(&format!("_delta_log/{version:020}.json")).await;
    }
    let table = fixture.open().await.unwrap();
    assert_eq!(table.versions().await.unwrap(), Versions { earliest: 1, latest: 1 });
    assert_eq!(table.load(1).await.unwrap().files.len(), 4);
    fixture.commit(2, &[add("e.parquet")]).await;
    assert_eq!(table.load(2).await.unwrap().files.len(), 5);
    fixture.delete(&first).await;
    assert!(matches!(table.versions().await, Err(TableError::NoSuchTable)));
}
