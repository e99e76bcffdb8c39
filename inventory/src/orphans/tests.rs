use serde_json::json;

use super::*;
use crate::readers::{NoReaders, Promised};
use crate::testing::{Step, World, ident};
use tarn_catalog::metadata::TableUpdate;
use tarn_catalog::state::{Request, TableChange};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn step<'a>(id: i64, adds: &'a [&'a str], drops: &'a [&'a str]) -> Step<'a> {
    Step { id, at_ms: jiff::Timestamp::now().as_millisecond(), branch: "main", adds, drops }
}

fn orphans(world: &World, mode: Mode) -> Orphans<'_> {
    Orphans {
        catalog: &world.catalog,
        files: &world.files,
        settings: &world.settings,
        readers: &NoReaders,
        mode,
        progress: &world.progress,
    }
}

/// As if the run were `days` from now: all files have that age.
async fn run(world: &World, mode: Mode, days: i64) -> Result<Unreferenced, OrphanError> {
    let now = jiff::Timestamp::now().as_millisecond() + days * DAY_MS;
    orphans(world, mode).run(&ident("t"), Age::new(3 * DAY_MS).unwrap(), now).await
}

/// A table with two snapshots, a file of an engine that failed, and files of others.
async fn littered(world: &World) -> String {
    world.create("t", None).await;
    world.step("t", &step(1, &["a", "s3a/b"], &[])).await;
    world.step("t", &step(2, &["c"], &["a"])).await;
    let location = world.metadata("t").await.location().to_owned();
    for name in [
        "data/left.parquet",
        "metadata/left-m0.avro",
        "metadata/00009-x.metadata.json",
        "_temporary/0",
        "data/.hidden",
        "metadata/version-hint.text",
        "data/_day=1/left.parquet",
    ] {
        world.put(&format!("{location}/{name}"), "left").await;
    }
    location
}

#[tokio::test]
async fn what_nothing_names_goes_once_it_is_old() {
    let world = World::new(World::quick()).await;
    littered(&world).await;
    let before = world.names("t").await;
    assert_eq!(run(&world, Mode::Apply, 2).await.unwrap().removed, Removed::default());
    let told = run(&world, Mode::DryRun, 4).await.unwrap();
    assert_eq!(world.names("t").await, before);
    let done = run(&world, Mode::Apply, 4).await.unwrap();
    assert_eq!(done.removed, told.removed, "a dry run tells what the run does");
    let removed = done.removed;
    assert_eq!((removed.files, removed.bytes), (4, 16));
    assert_eq!((removed.data_files, removed.manifests, removed.metadata_files), (2, 1, 1));
    let gone: Vec<_> = before.difference(&world.names("t").await).cloned().collect();
    assert_eq!(gone, ["data/_day=1/left.parquet", "data/left.parquet", "metadata/left-m0.avro"]);
    world.check("t").await;
}

#[tokio::test]
async fn many_passes_remove_the_same_as_one() {
    let world = World::new(Settings { digests_max: 5, ..World::quick() }).await;
    littered(&world).await;
    assert_eq!(run(&world, Mode::Apply, 4).await.unwrap().removed.files, 4);
    world.check("t").await;
}

#[tokio::test]
async fn a_file_committed_during_the_run_stays() {
    let world = World::new(World::quick()).await;
    littered(&world).await;
    let run = orphans(&world, Mode::Apply);
    let reach = Reach { files: &world.files, settings: &world.settings };
    let asked = Asked { ident: &ident("t"), now_ms: i64::MAX, before_ms: i64::MAX };
    let table = run.load(asked.ident, asked.now_ms).await.unwrap();
    let live = reach.live(&all(&table.metadata), Part { number: 0, of: 1 }).await.unwrap();
    let places = Places::location_of(&table.metadata);
    let mut known = Known { live, table };
    let (files, places) = (&world.files, &places);
    let mut removal = Removal {
        files,
        places,
        mode: Mode::Apply,
        listed_max: 9,
        progress: &world.progress,
        removed: Removed::default(),
    };
    // The listing has found a file that a commit now names.
    world.step("t", &step(3, &["left.parquet"], &[])).await;
    let (warehouse, place) = split(known.table.metadata.location()).unwrap();
    let listed: Vec<_> = world.files.list(warehouse, &place).map(Result::unwrap).collect().await;
    let found = listed.into_iter().filter(|file| file.location.as_ref().contains("left")).collect();
    run.sweep(&reach, &asked, &mut known, found, &mut removal).await.unwrap();
    assert_eq!(removal.removed.data_files, 1, "only the one in the partition");
    world.check("t").await;
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_ends_the_run() {
    let world = World::new(World::quick()).await;
    let location = littered(&world).await;
    world.put(&format!("{location}/metadata/1-add.avro"), "no avro").await;
    let before = world.names("t").await;
    assert!(matches!(run(&world, Mode::Apply, 4).await, Err(OrphanError::Reach(_))));
    assert_eq!(world.names("t").await, before);
}

#[test]
fn less_than_a_day_is_refused() {
    assert_eq!(Age::new(DAY_MS - 1), Err(TooYoung));
    assert!(Age::new(DAY_MS).is_ok());
}

#[tokio::test]
async fn old_metadata_files_go_when_the_table_asks_for_it() {
    let world = World::new(World::quick()).await;
    let location = littered(&world).await;
    let later = jiff::Timestamp::now().as_millisecond() + DAY_MS;
    let run = orphans(&world, Mode::Apply);
    assert_eq!(run.old_metadata(&ident("t"), later).await.unwrap(), Removed::default());
    let properties = json!({
        "write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": "1",
    });
    world.update("t", json!([{"action": "set-properties", "updates": properties}])).await;
    assert_eq!(run.old_metadata(&ident("t"), later - DAY_MS).await.unwrap(), Removed::default());
    let removed = run.old_metadata(&ident("t"), later).await.unwrap();
    // Of the creation, of the first snapshot, and the one of a failed commit.
    assert_eq!((removed.files, removed.metadata_files), (3, 3));
    let (warehouse, place) = split(&location).unwrap();
    let listed: Vec<_> = world.files.list(warehouse, &place).map(Result::unwrap).collect().await;
    let left = listed.iter().filter(|file| file.location.as_ref().ends_with(".metadata.json")).count();
    assert_eq!(left, 2);
    world.check("t").await;
}

#[tokio::test]
async fn nothing_goes_while_readers_were_promised_files_that_the_table_does_not_name() {
    struct Promising(Promised);
    impl Readers for Promising {
        fn promised(&self, _ident: &TableIdent, _entry: &TableEntry, _now_ms: i64) -> Promised {
            self.0.clone()
        }
    }
    let world = World::new(World::quick()).await;
    littered(&world).await;
    let state = world.catalog.snapshot();
    let revisions = state.table(&ident("t")).unwrap().revisions.clone();
    let number = |snapshot| revisions.iter().find(|one| one.snapshot_id == Some(snapshot)).unwrap().number;
    let now = jiff::Timestamp::now().as_millisecond() + 4 * DAY_MS;
    let run = async |promised: Promised| {
        let readers = &Promising(promised);
        let orphans = Orphans { readers, ..orphans(&world, Mode::Apply) };
        orphans.run(&ident("t"), Age::new(3 * DAY_MS).unwrap(), now).await
    };
    let before = world.names("t").await;
    assert!(matches!(run(Promised::All).await, Err(OrphanError::Promised)));
    assert_eq!(world.names("t").await, before);
    let removed = run(Promised::Revisions([number(1), number(2)].into())).await.unwrap().removed;
    assert_eq!(removed.files, 4, "all snapshots that are promised are in the metadata");
    let gone = TableChange {
        ident: ident("t"),
        requirements: Vec::new(),
        updates: vec![TableUpdate::RemoveSnapshots(vec![1])],
    };
    world.catalog.commit(Request::CommitTables(vec![gone])).await.unwrap();
    let before = world.names("t").await;
    let refused = run(Promised::Revisions([number(1)].into())).await;
    assert!(matches!(refused, Err(OrphanError::Promised)));
    assert!(before.is_subset(&world.names("t").await));
    run(Promised::Revisions([number(2)].into())).await.unwrap();
    assert!(!world.names("t").await.contains("data/a"), "it was of snapshot 1 only");
}
