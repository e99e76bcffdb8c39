//! Runs as snapshots of Iceberg tables.

use std::collections::BTreeMap;

use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use iceberg::spec::{Manifest, ManifestList, TableMetadata};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tarn_catalog::state::{Request, TableChange};
use uuid::Uuid;

use super::read::batches;
use super::store::Fate;
use super::world::{Rows, STARTED_MS, World, rows, spec};
use crate::jobs::{Ended, WorkError};
use crate::policy::{self, Scope};
use crate::report::iceberg::ident;
use crate::report::{Field, Spec};

fn table_spec() -> Spec {
    Spec { iceberg: true, destination: None, ..spec("csv", "none", "aws") }
}

async fn metadata(world: &World) -> TableMetadata {
    let loaded = world.catalog.load(&ident(&table_spec()).unwrap()).await.unwrap().unwrap();
    serde_json::from_slice(&loaded.metadata.to_json()).unwrap()
}

async fn read(world: &World, location: &str) -> Vec<u8> {
    world.bytes_in("system", location.strip_prefix("s3://system/").unwrap()).await
}

/// The files of a snapshot that live, and how many entries tell of files that went.
async fn files(world: &World, table: &TableMetadata, snapshot: i64) -> (Vec<String>, usize) {
    let snapshot = table.snapshot_by_id(snapshot).unwrap();
    let list = read(world, snapshot.manifest_list()).await;
    let list = ManifestList::parse_with_version(&list, table.format_version()).unwrap();
    let (mut live, mut gone) = (Vec::new(), 0);
    for manifest in list.entries() {
        let (entries, _) =
            Manifest::parse_avro(&read(world, &manifest.manifest_path).await).unwrap().into_parts();
        for entry in entries {
            if entry.is_alive() {
                live.push(entry.file_path().to_owned());
            } else {
                gone += 1;
            }
        }
    }
    (live, gone)
}

/// The rows of a snapshot: size, time and tag by key, each key once.
async fn told(world: &World, table: &TableMetadata, snapshot: i64) -> BTreeMap<String, (i64, i64, String)> {
    let mut told = BTreeMap::new();
    for file in files(world, table, snapshot).await.0 {
        for batch in batches(read(world, &file).await) {
            let column = |name: &str| batch.column_by_name(name).unwrap().clone();
            let (keys, tags) = (column("key"), column("e_tag"));
            let (sizes, times) = (column("size"), column("last_modified_date"));
            for row in 0..batch.num_rows() {
                let cells = (
                    sizes.as_primitive::<Int64Type>().value(row),
                    times.as_primitive::<TimestampMicrosecondType>().value(row) / 1000,
                    tags.as_string::<i32>().value(row).to_owned(),
                );
                let key = keys.as_string::<i32>().value(row).to_owned();
                assert!(told.insert(key, cells).is_none(), "a row is there twice");
            }
        }
    }
    told
}

fn expected(rows: &Rows) -> BTreeMap<String, (i64, i64, String)> {
    let cells = |(key, row): (&String, &super::world::Row)| {
        (key.clone(), (row.size as i64, row.modified_ms, row.etag.to_string()))
    };
    rows.iter().map(cells).collect()
}

/// Checks that below `system` lies nothing but what the table's metadata leads to, and its metadata files.
async fn nothing_else_is_there(world: &World, table: &TableMetadata, told: &str) {
    let mut reached = Vec::new();
    for snapshot in table.snapshots() {
        reached.push(snapshot.manifest_list().to_owned());
        let list = read(world, snapshot.manifest_list()).await;
        let list = ManifestList::parse_with_version(&list, table.format_version()).unwrap();
        reached.extend(list.entries().iter().map(|manifest| manifest.manifest_path.clone()));
        reached.extend(files(world, table, snapshot.snapshot_id()).await.0);
    }
    reached.sort_unstable();
    let there = world.keys_in("system").await.into_iter().filter(|key| !key.ends_with(".metadata.json"));
    let mut there: Vec<String> = there.map(|key| format!("s3://system/{key}")).collect();
    there.sort_unstable();
    assert_eq!(there, reached, "{told}");
}

fn data(keys: Vec<String>) -> Vec<String> {
    keys.into_iter().filter(|key| key.contains("/data/")).collect()
}

#[tokio::test]
async fn each_run_is_a_snapshot_of_all_rows_and_older_ones_stay() {
    let mut world = World::new(rows(500)).await;
    let spec = table_spec();
    let first = world.complete(&spec).await;
    assert_eq!(first["table"], "system.source.inventory_daily");
    world.run = Uuid::from_u128(0x52);
    *world.kept.checkpoint.lock().unwrap() = None;
    world.rows.lock().unwrap().retain(|key, _| !key.starts_with("data/"));
    let second = world.complete(&spec).await;
    let table = metadata(&world).await;
    let ids = [&first, &second].map(|outcome| outcome["snapshot_id"].as_i64().unwrap());
    assert_eq!(table.current_snapshot_id(), Some(ids[1]));
    assert_eq!(told(&world, &table, ids[0]).await, expected(&rows(500)));
    assert_eq!(told(&world, &table, ids[1]).await, expected(&world.rows.lock().unwrap().clone()));
    // What went is told, for who reads what changed.
    assert_eq!(files(&world, &table, ids[1]).await.1, files(&world, &table, ids[0]).await.0.len());
    let summary = &table.snapshot_by_id(ids[1]).unwrap().summary().additional_properties;
    for (name, value) in [
        ("tarn.inventory.job", "source/daily"),
        ("tarn.inventory.run", "00000000-0000-0000-0000-000000000052"),
        ("tarn.inventory.scanned", "400"),
        ("tarn.inventory.matched", "400"),
        ("tarn.inventory.scan-began-ms", &(STARTED_MS + 5).to_string()),
        ("total-records", "400"),
        ("deleted-records", "500"),
    ] {
        assert_eq!(summary.get(name).map(String::as_str), Some(value), "{name}");
    }
    let scope = Scope::Table(ident(&spec).unwrap());
    let policy = policy::get(&world.catalog.snapshot(), &scope).unwrap().unwrap();
    assert_eq!(policy.snapshots.unwrap().min_snapshots_to_keep, Some(10));
}

#[tokio::test]
async fn an_empty_run_makes_the_table_empty() {
    let mut world = World::new(rows(10)).await;
    world.complete(&table_spec()).await;
    world.rows.lock().unwrap().clear();
    world.run = Uuid::from_u128(0x52);
    *world.kept.checkpoint.lock().unwrap() = None;
    let outcome = world.complete(&table_spec()).await;
    let table = metadata(&world).await;
    assert!(told(&world, &table, outcome["snapshot_id"].as_i64().unwrap()).await.is_empty());
}

#[tokio::test]
async fn user_metadata_and_tags_are_maps() {
    let mut objects = rows(3);
    let pairs: Vec<(String, String)> = vec![("a".into(), "1".into()), ("b".into(), "2".into())];
    objects.first_entry().unwrap().get_mut().user_metadata = pairs.clone();
    objects.first_entry().unwrap().get_mut().tags = pairs;
    let world = World::new(objects).await;
    let mut spec = table_spec();
    spec.fields.extend([Field::UserMetadata, Field::Tags]);
    let outcome = world.complete(&spec).await;
    let table = metadata(&world).await;
    let (live, _) = files(&world, &table, outcome["snapshot_id"].as_i64().unwrap()).await;
    let batch = batches(read(&world, &live[0]).await).remove(0);
    for name in ["user_metadata", "object_tags"] {
        let maps = batch.column_by_name(name).unwrap().as_map();
        assert!(!maps.is_null(0) && maps.is_null(1) && maps.is_null(2), "{name}");
        let entries = maps.value(0);
        let (names, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
        assert_eq!([names.value(0), values.value(0), names.value(1), values.value(1)], ["a", "1", "b", "2"]);
    }
}

#[tokio::test]
async fn a_run_killed_again_and_again_has_one_snapshot_beside_its_files() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..15 {
        let world = World::new(rows(400)).await;
        let mut spec = Spec { iceberg: true, ..spec("csv", "gzip", "aistor") };
        spec.destination.as_mut().unwrap().file_bytes_hint = 6_000;
        let outcome = loop {
            if let Some(done) = world.run(&spec, &Fate::after(random.random_range(1..90))).await {
                break done.unwrap();
            }
        };
        let table = metadata(&world).await;
        assert_eq!(table.snapshots().count(), 1, "seed {seed}, round {round}");
        let snapshot = outcome["snapshot_id"].as_i64().unwrap();
        assert_eq!(told(&world, &table, snapshot).await, expected(&rows(400)), "seed {seed}, round {round}");
        nothing_else_is_there(&world, &table, &format!("seed {seed}, round {round}")).await;
        assert!(world.disks.uploads.lock().unwrap().is_empty());
        super::read::manifest(&world).await;
    }
}

#[tokio::test]
async fn a_canceled_run_takes_its_files_away_unless_they_are_the_tables() {
    for operations in (1..140).step_by(6) {
        let world = World::new(rows(400)).await;
        let spec = table_spec();
        let _ = world.run(&spec, &Fate::after(operations)).await;
        while world.discard(&spec, Ended::Canceled, &Fate::after(5 * operations)).await.is_none() {}
        let Some(loaded) = world.catalog.load(&ident(&spec).unwrap()).await.unwrap() else { continue };
        let files = data(world.keys_in("system").await).len();
        assert_eq!(files > 0, loaded.metadata.current_snapshot().is_some(), "{operations}");
        nothing_else_is_there(&world, &metadata(&world).await, &operations.to_string()).await;
    }
}

#[tokio::test]
async fn a_table_that_was_not_made_for_the_inventory_is_not_touched() {
    let world = World::new(rows(10)).await;
    world.complete(&table_spec()).await;
    let change = |updates: serde_json::Value| {
        let updates = serde_json::from_value(updates).unwrap();
        Request::CommitTables(vec![TableChange {
            ident: ident(&table_spec()).unwrap(),
            requirements: Vec::new(),
            updates,
        }])
    };
    let own = json!([{"action": "set-properties", "updates": {"tarn.inventory": "somebody else"}}]);
    world.catalog.commit(change(own)).await.unwrap();
    let failed = world.run(&table_spec(), &Fate::never()).await.unwrap();
    assert!(
        matches!(failed, Err(WorkError::Fatal(ref text, _)) if text.contains("was not made for it")),
        "{failed:?}"
    );
    assert_eq!(metadata(&world).await.snapshots().count(), 1);
}
