use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use roaring::RoaringTreemap;
use serde_json::json;
use tarn_catalog::manifests::{Content, ContentFile};

use super::record::DeletedRows;
use super::record::tests::with_runs;
use super::testing::{BUCKET, Data, Delete, World, file, location, now_ms, table, unpartitioned};
use super::{Limits, PACK_AGE_MIN, REUSED_AGE_MAX};
use crate::directory::EqualityDeletes;
use crate::table::{FileList, TableError};

fn plain() -> tarn_catalog::metadata::TableMetadata {
    table(&json!([{"id": 1, "name": "a", "required": false, "type": "long"}]))
}

/// A deletion vector of a data file among others in one Puffin file, written with run containers.
async fn vector(world: &World, of: &str, sequence_number: i64, rows: &RoaringTreemap) -> Delete {
    let record = with_runs(rows);
    let key = format!("t/{of}.puffin");
    let puffin = [b"PFA1", &record[..], b"what follows is not read"].concat();
    let size = world.put(&key, puffin).await;
    let mut file = file(Content::PositionDeletes, &key, size, rows.len() as usize);
    file.format = "puffin".into();
    file.referenced_data_file = Some(location(of).into());
    (file.content_offset, file.content_size_bytes) = (Some(4), Some(record.len() as i64));
    Delete::new(sequence_number, file)
}

fn told(name: &str, rows: &[u64]) -> (String, Option<Vec<u64>>) {
    (name.to_owned(), (!rows.is_empty()).then(|| rows.to_vec()))
}

/// Where the vectors of a list lie.
fn places(list: &FileList) -> Vec<(String, u32)> {
    let mut places = Vec::new();
    list.try_for_each(|file| {
        places.extend(file.deletes.map(|deletes| (deletes.at.key.to_owned(), deletes.offset)));
        Ok(())
    })
    .unwrap();
    places
}

#[tokio::test]
async fn position_deletes_and_vectors_of_a_snapshot_are_told_as_vectors() {
    let world = World::new(Limits::default());
    let both = world.positions("t/d1", 5, &[("a", 1), ("a", 3), ("b", 0), ("gone", 9)]).await;
    let unsorted = world.positions("t/d2", 6, &[("b", 7), ("a", 3), ("b", 2), ("a", 0), ("new", 4)]).await;
    let mut one = world.positions("t/d3", 6, &[("c", 1), ("a", 8)]).await;
    one.file.referenced_data_file = Some(location("c").into());
    let rows: RoaringTreemap = (100..9000).collect();
    let vector = vector(&world, "v", 6, &rows).await;
    let superseded = world.positions("t/d4", 3, &[("v", 1)]).await;
    let metadata = plain();
    let deletes =
        world.snapshot(&metadata, vec![both, unsorted, one, vector, superseded], EqualityDeletes::Error);
    let files = [
        Data::new("a", 10, 5),
        Data::new("b", 10, 1),
        Data::new("c", 10, 6),
        Data::new("new", 10, 7),
        Data::new("v", 10_000, 2),
        Data::new("w", 10, 1),
    ];
    let expected = [
        told("a", &[0, 1, 3]),
        told("b", &[0, 2, 7]),
        told("c", &[1]),
        told("new", &[]),
        told("v", &rows.iter().collect::<Vec<_>>()),
        told("w", &[]),
    ];
    assert_eq!(world.told(&deletes, &files).await.unwrap(), expected);
}

#[tokio::test]
async fn positions_behind_the_last_row_delete_nothing() {
    let world = World::new(Limits::default());
    let deletes = vec![world.positions("t/d", 5, &[("a", 1), ("a", 10), ("b", 11)]).await];
    let metadata = plain();
    let deletes = world.snapshot(&metadata, deletes, EqualityDeletes::Error);
    let found = world.told(&deletes, &[Data::new("a", 10, 1), Data::new("b", 11, 1)]).await.unwrap();
    assert_eq!(found, [told("a", &[1]), told("b", &[])]);
}

#[tokio::test]
async fn deletes_that_are_not_understood_refuse_the_table() {
    let world = World::new(Limits::default());
    let metadata = plain();
    let size = world.put("t/junk", vec![7; 500]).await;
    let rows: RoaringTreemap = [3].into_iter().collect();
    type Change<'a> = &'a dyn Fn(&mut ContentFile);
    let positions: [(Change<'_>, &str); 7] = [
        (&|file| file.format = "avro".into(), "is in the format avro"),
        (&|file| file.key_metadata = Some([1].into()), "is encrypted"),
        (&|file| file.path = "s3://main/t/missing".into(), "is missing"),
        (&|file| file.path = "s3://other/t/d".into(), "lies outside"),
        (&|file| (file.path, file.size_bytes) = ("s3://main/t/junk".into(), size as i64), "read as Parquet"),
        (&|file| file.path = "s3://main/t/negative".into(), "a negative position"),
        (
            &|file| (file.content, file.equality_ids) = (Content::EqualityDeletes, [1].into()),
            "`equality-deletes` set to `resolve`",
        ),
    ];
    let vectors: [(Change<'_>, &str); 5] = [
        (&|file| file.referenced_data_file = None, "is of no data file"),
        (&|file| file.record_count = 2, "other rows than its manifest says"),
        (&|file| file.content_offset = Some(3), "is damaged"),
        (&|file| file.content_offset = Some(-3), "is damaged"),
        (&|file| file.content_size_bytes = Some(1 << 40), "is more than the limit"),
    ];
    let refuses = async |mut delete: Delete, change: Change<'_>, why: &str| {
        change(&mut delete.file);
        let deletes = world.snapshot(&metadata, [delete], EqualityDeletes::Error);
        let error = world.told(&deletes, &[Data::new("a", 10, 1)]).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains(BUCKET), "{error}");
        // What applies to nothing is not read.
        assert_eq!(world.told(&deletes, &[Data::new("a", 10, 6)]).await.unwrap(), [told("a", &[])]);
    };
    for (change, why) in positions {
        // Of the same length as the other: a value stands for another.
        world.positions("t/negative", 5, &[("a", -1)]).await;
        refuses(world.positions("t/d", 5, &[("a", 1)]).await, change, why).await;
    }
    for (change, why) in vectors {
        refuses(vector(&world, "a", 5, &rows).await, change, why).await;
    }
    let twice = [vector(&world, "a", 5, &rows).await, vector(&world, "a", 5, &rows).await];
    let deletes = world.snapshot(&metadata, twice, EqualityDeletes::Error);
    let error = world.told(&deletes, &[Data::new("a", 10, 1)]).await.unwrap_err().to_string();
    assert!(error.contains("two deletion vectors"), "{error}");
}

#[tokio::test]
async fn more_position_deletes_than_the_limit_are_refused_with_the_cure() {
    let rows: Vec<(&str, i64)> = (0..100).map(|row| ("a", row * 70_000)).collect();
    let limits = [
        (Limits { positions_max: 99, ..Limits::default() }, "the number of position deletes"),
        (Limits { positions_bytes_max: 6000, ..Limits::default() }, "the memory for"),
        (Limits { scanned_bytes_max: 500, ..Limits::default() }, "what is read"),
    ];
    for (limits, what) in limits {
        let world = World::new(limits);
        let metadata = plain();
        let deletes = vec![world.positions("t/d", 5, &rows).await];
        let deletes = world.snapshot(&metadata, deletes, EqualityDeletes::Error);
        let error = world.told(&deletes, &[Data::new("a", 10_000_000, 1)]).await.unwrap_err();
        assert!(matches!(error, TableError::TooLarge { .. }));
        let error = error.to_string();
        assert!(error.contains(what) && error.contains("compact the table"), "{error}");
    }
}

#[tokio::test]
async fn the_same_version_makes_the_same_packs_and_most_stay_when_a_file_goes() {
    let names: Vec<String> = (0..2000).map(|number| format!("data-{number}")).collect();
    let files: Vec<Data<'_>> = names.iter().map(|name| Data::new(name, 10, 1)).collect();
    let rows: Vec<(&str, i64)> =
        names.iter().enumerate().map(|(at, name)| (&**name, at as i64 % 10)).collect();
    let metadata = plain();
    let (first, second) = (World::new(Limits::default()), World::new(Limits::default()));
    let mut lists = Vec::new();
    for (world, files) in [(&first, &files[..]), (&second, &files[..]), (&second, &files[3..])] {
        let deletes = vec![world.positions("t/d", 5, &rows).await];
        let deletes = world.snapshot(&metadata, deletes, EqualityDeletes::Error);
        lists.push(places(&world.assemble(&deletes, files, now_ms()).await.unwrap()));
    }
    assert_eq!(lists[0].len(), 2000);
    assert_eq!(lists[0], lists[1]);
    let same = lists[2].iter().filter(|place| lists[1].contains(place)).count();
    assert!(same > 1000, "{same} vectors of 1997 lie where they lay");
    let packs: Vec<_> = first.own.list(None).try_collect().await.unwrap();
    assert!(packs.len() > 1 && packs.iter().all(|pack| pack.size <= 64 << 10));
}

#[tokio::test]
async fn a_pack_is_removed_only_when_no_url_may_be_for_it_any_more() {
    let world = World::new(Limits::default());
    let metadata = plain();
    let files = vec![world.positions("t/d", 5, &[("a", 1)]).await];
    let deletes = world.snapshot(&metadata, files, EqualityDeletes::Error);
    let after = |age: Duration| now_ms() + age.as_millis() as i64;
    let second = Duration::from_secs(60);
    let load = async |now_ms| {
        let list = world.assemble(&deletes, &[Data::new("a", 10, 1)], now_ms).await.unwrap();
        places(&list).pop().unwrap().0
    };
    let key = object_store::path::Path::from(load(now_ms()).await);
    let written = world.own.head(&key).await.unwrap().last_modified;
    load(after(REUSED_AGE_MAX - second)).await;
    assert_eq!(world.own.head(&key).await.unwrap().last_modified, written);
    load(after(REUSED_AGE_MAX + second)).await;
    assert!(world.own.head(&key).await.unwrap().last_modified > written, "an older pack is written again");

    assert_eq!(world.vectors.sweep(after(PACK_AGE_MIN - second)).await.unwrap().packs, 0);
    world.own.head(&key).await.unwrap();
    let swept = world.vectors.sweep(after(PACK_AGE_MIN + second)).await.unwrap();
    assert_eq!(swept.packs, 1);
    assert!(world.own.head(&key).await.is_err());
}

#[tokio::test]
async fn whether_the_deletes_of_a_file_changed_is_told_by_its_rows() {
    let world = World::new(Limits::default());
    let metadata = plain();
    let old = async || world.positions("t/d1", 5, &[("a", 1), ("b", 2)]).await;
    let more = world.positions("t/d2", 6, &[("b", 3)]).await;
    let rows: RoaringTreemap = [1].into_iter().collect();
    let same = vector(&world, "a", 7, &rows).await;
    let before = world.snapshot(&metadata, [old().await], EqualityDeletes::Error);
    let after = world.snapshot(&metadata, [old().await, more, same], EqualityDeletes::Error);
    let partition = unpartitioned().key.clone();
    for (name, differs) in [("a", false), ("b", true), ("c", false)] {
        let (location, key) = (location(name), format!("t/{name}"));
        let data = super::DataRef {
            location: &location,
            at: crate::table::Place { bucket: BUCKET, key: &key },
            size: 1,
            records: 10,
            partition: &partition,
            sequence_number: 1,
        };
        assert_eq!(after.differ(&before, &data).await.unwrap(), differs, "{name}");
        let found = after.rows_of(&data).await.unwrap();
        let known = found.map(|rows| rows.positions().collect::<Vec<_>>());
        assert_eq!(
            known,
            [("a", vec![1]), ("b", vec![2, 3])].into_iter().find(|(of, _)| *of == name).map(|(_, rows)| rows)
        );
    }
    assert!(DeletedRows::new(&RoaringTreemap::new()).is_none());
}
