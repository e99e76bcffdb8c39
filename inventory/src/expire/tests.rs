use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::readers::{NoReaders, Promised};
use crate::testing::{Step, World, ident};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn step<'a>(id: i64, at_ms: i64, adds: &'a [&'a str], drops: &'a [&'a str]) -> Step<'a> {
    Step { id, at_ms, branch: "main", adds, drops }
}

async fn expire(world: &World, mode: Mode, now_ms: i64) -> Result<Expired, ExpireError> {
    expire_but(world, &NoReaders, mode, now_ms).await
}

async fn expire_but(
    world: &World,
    readers: &dyn Readers,
    mode: Mode,
    now_ms: i64,
) -> Result<Expired, ExpireError> {
    let World { catalog, files, settings, progress, .. } = world;
    let expire = Expire { catalog, files, settings, readers, mode, progress };
    expire.run(&ident("t"), &Retention::default(), now_ms).await
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

async fn snapshots(world: &World) -> Vec<i64> {
    world.metadata("t").await.snapshots().map(|snapshot| snapshot.id()).collect()
}

/// A table whose first files were rewritten: snapshots 1 to 3, a day apart, from 10 days ago on.
async fn rewritten(world: &World) -> i64 {
    let now = jiff::Timestamp::now().as_millisecond();
    world.create("t", None).await;
    world.step("t", &step(1, now - 10 * DAY_MS, &["a", "b"], &[])).await;
    world.step("t", &step(2, now - 9 * DAY_MS, &["c"], &[])).await;
    world.step("t", &step(3, now - 8 * DAY_MS, &["d"], &["a"])).await;
    now
}

#[tokio::test]
async fn old_snapshots_go_with_the_files_only_they_reached() {
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    let told = expire(&world, Mode::DryRun, now).await.unwrap();
    assert_eq!(snapshots(&world).await, [1, 2, 3]);
    world.check("t").await;
    let done = expire(&world, Mode::Apply, now).await.unwrap();
    assert_eq!(done, told, "a dry run tells what the run does");
    assert_eq!(snapshots(&world).await, [3]);
    // Of the first manifest `b` lives on in a new one.
    assert_eq!(done.removed.data_files, 1);
    assert_eq!((done.removed.manifests, done.removed.manifest_lists), (1, 2));
    let left = set(&[
        "data/b",
        "data/c",
        "data/d",
        "metadata/2-add.avro",
        "metadata/3-add.avro",
        "metadata/3-keep0.avro",
        "metadata/snap-3.avro",
    ]);
    assert_eq!(world.names("t").await, left);
    world.check("t").await;
    assert_eq!(expire(&world, Mode::Apply, now).await.unwrap(), Expired::default());
}

#[tokio::test]
async fn many_passes_remove_the_same_as_one() {
    let world = World::new(Settings { digests_max: 4, ..World::quick() }).await;
    let now = rewritten(&world).await;
    let done = expire(&world, Mode::Apply, now).await.unwrap();
    assert_eq!((done.snapshots, done.removed.files, done.removed.data_files), (2, 4, 1));
    world.check("t").await;
}

#[tokio::test]
async fn a_tag_and_a_branch_keep_what_they_name() {
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    world
        .update(
            "t",
            json!([{"action": "set-snapshot-ref", "ref-name": "year", "type": "tag", "snapshot-id": 1}]),
        )
        .await;
    let done = expire(&world, Mode::Apply, now).await.unwrap();
    assert_eq!((done.snapshots, done.removed.data_files), (1, 0));
    assert_eq!(snapshots(&world).await, [1, 3]);
    world.check("t").await;
}

#[tokio::test]
async fn a_reference_beyond_its_age_goes_and_main_never() {
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    let old = json!({
        "action": "set-snapshot-ref", "ref-name": "old", "type": "tag", "snapshot-id": 1, "max-ref-age-ms": DAY_MS,
    });
    world.update("t", json!([old])).await;
    world
        .update("t", json!([{"action": "set-properties", "updates": {"history.expire.max-ref-age-ms": "1"}}]))
        .await;
    let done = expire(&world, Mode::Apply, now).await.unwrap();
    assert_eq!(done.refs, ["old"]);
    assert_eq!(snapshots(&world).await, [3]);
    world.check("t").await;
}

#[tokio::test]
async fn properties_of_the_table_and_of_a_branch_decide() {
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    let keep =
        json!({"history.expire.min-snapshots-to-keep": "2", "history.expire.max-snapshot-age-ms": "1"});
    world.update("t", json!([{"action": "set-properties", "updates": keep}])).await;
    expire(&world, Mode::Apply, now).await.unwrap();
    assert_eq!(snapshots(&world).await, [2, 3]);
    let main = json!({
        "action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 3, "min-snapshots-to-keep": 1,
    });
    world.update("t", json!([main])).await;
    expire(&world, Mode::Apply, now).await.unwrap();
    assert_eq!(snapshots(&world).await, [3]);
    world.check("t").await;
}

#[tokio::test]
async fn what_was_current_a_moment_ago_stays_for_its_readers() {
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    world.step("t", &step(4, now - 60_000, &["e"], &[])).await;
    expire(&world, Mode::Apply, now).await.unwrap();
    assert_eq!(snapshots(&world).await, [3, 4]);
    expire(&world, Mode::Apply, now + DAY_MS).await.unwrap();
    assert_eq!(snapshots(&world).await, [4]);
    world.check("t").await;
}

#[tokio::test]
async fn a_tag_made_between_plan_and_commit_keeps_its_snapshot() {
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    let metadata = world.metadata("t").await;
    let expiry = plan(&metadata, &Retention::default(), now);
    world
        .update(
            "t",
            json!([{"action": "set-snapshot-ref", "ref-name": "year", "type": "tag", "snapshot-id": 1}]),
        )
        .await;
    let late = change(&ident("t"), metadata.uuid().unwrap(), &metadata, &expiry);
    let refused = world.catalog.commit(Request::CommitTables(vec![late])).await.unwrap_err();
    assert!(matches!(refused, CommitError::Conflict(Conflict::Requirement { .. })), "{refused}");
    assert!(world.metadata("t").await.refs().contains_key("year"));
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_ends_the_run_before_a_deletion() {
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    let location = world.metadata("t").await.location().to_owned();
    world.put(&format!("{location}/metadata/3-add.avro"), "no avro").await;
    let before = world.names("t").await;
    let error = expire(&world, Mode::Apply, now).await.unwrap_err();
    assert!(matches!(error, ExpireError::Reach(ReachError::File(FileError::Invalid { .. }))), "{error}");
    assert_eq!(world.names("t").await, before);
}

#[tokio::test]
async fn files_elsewhere_stay() {
    let world = World::new(World::quick()).await;
    world.create("t", None).await;
    let now = jiff::Timestamp::now().as_millisecond();
    world.put("s3://main/imported/x", "rows").await;
    world.step("t", &step(1, now - 10 * DAY_MS, &["a", "s3://main/imported/x"], &[])).await;
    world.step("t", &step(2, now - 9 * DAY_MS, &["b"], &["a", "s3://main/imported/x"])).await;
    let done = expire(&world, Mode::Apply, now).await.unwrap();
    assert_eq!((done.removed.data_files, done.removed.kept_elsewhere), (1, 1));
    assert_eq!(world.files.size("s3://main/imported/x").await.unwrap(), Some(4));
    world.check("t").await;
}

#[tokio::test]
async fn a_table_without_garbage_collection_is_left_alone() {
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    world.update("t", json!([{"action": "set-properties", "updates": {"gc.enabled": "false"}}])).await;
    assert!(matches!(expire(&world, Mode::Apply, now).await, Err(ExpireError::Disabled)));
    assert_eq!(snapshots(&world).await, [1, 2, 3]);
}

/// Promises revisions of every table. Counts how often it is asked, and promises from then on.
struct Promising {
    revisions: BTreeSet<u64>,
    from_question: usize,
    asked: AtomicUsize,
}

impl Promising {
    fn new(revisions: &[u64], from_question: usize) -> Self {
        Self { revisions: revisions.iter().copied().collect(), from_question, asked: AtomicUsize::new(0) }
    }
}

impl Readers for Promising {
    fn promised(&self, _ident: &TableIdent, _entry: &TableEntry, _now_ms: i64) -> Promised {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        Promised::Revisions(if asked < self.from_question { BTreeSet::new() } else { self.revisions.clone() })
    }
}

/// The revision in which a snapshot was current first.
async fn revision_of(world: &World, snapshot: i64) -> u64 {
    let state = world.catalog.snapshot();
    let entry = state.table(&ident("t")).unwrap();
    let number = entry.revisions.iter().find(|revision| revision.snapshot_id == Some(snapshot));
    number.unwrap().number
}

#[tokio::test]
async fn a_snapshot_whose_files_readers_were_promised_does_not_expire() {
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    let promising = Promising::new(&[revision_of(&world, 1).await], 0);
    let done = expire_but(&world, &promising, Mode::Apply, now).await.unwrap();
    assert_eq!((done.snapshots, snapshots(&world).await), (1, vec![1, 3]));
    assert!(world.names("t").await.contains("data/a"));
    let done = expire(&world, Mode::Apply, now).await.unwrap();
    assert_eq!((done.snapshots, snapshots(&world).await), (1, vec![3]));
    assert!(!world.names("t").await.contains("data/a"));
}

#[tokio::test]
async fn what_is_promised_while_it_expires_keeps_its_files() {
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    let before = world.names("t").await;
    let promising = Promising::new(&[revision_of(&world, 1).await], 1);
    let done = expire_but(&world, &promising, Mode::Apply, now).await.unwrap();
    assert_eq!((done.snapshots, snapshots(&world).await), (2, vec![3]));
    assert!(done.files_kept.unwrap().contains("promised"));
    assert!(before.is_subset(&world.names("t").await));
}

#[tokio::test]
async fn a_promise_of_anything_or_of_a_forgotten_revision_keeps_every_snapshot() {
    struct Anything;
    impl Readers for Anything {
        fn promised(&self, _ident: &TableIdent, _entry: &TableEntry, _now_ms: i64) -> Promised {
            Promised::All
        }
    }
    let world = World::new(World::quick()).await;
    let now = rewritten(&world).await;
    let done = expire_but(&world, &Anything, Mode::Apply, now).await.unwrap();
    assert_eq!((done.snapshots, snapshots(&world).await), (0, vec![1, 2, 3]));
    let state = world.catalog.snapshot();
    let mut entry = state.table(&ident("t")).unwrap().as_ref().clone();
    let promised = || Promised::Revisions([0].into());
    assert_ne!(Held::new(promised(), &entry), Held::All);
    entry.revisions = entry.revisions.iter().skip(1).cloned().collect();
    assert_eq!(Held::new(promised(), &entry), Held::All);
}
