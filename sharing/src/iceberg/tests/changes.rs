//! What versions changed.

use std::collections::{BTreeMap, BTreeSet};

use iceberg::spec::Literal;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use super::super::testing::{File, Step, World, names, schema, unsupported};
use crate::table::{TableError, TableSource as _, VersionChanges};

async fn world() -> World {
    let world = World::new().await;
    world.create("orders", schema(0, &[(1, "id", json!("int"))]), json!([])).await;
    world
}

fn files(names: &[&str]) -> Vec<File> {
    names.iter().copied().map(File::new).collect()
}

/// Version, files that came, files that went, and whether the table is told anew.
type Told = (i64, Vec<String>, Vec<String>, bool);

fn told(changes: &[VersionChanges]) -> Vec<Told> {
    let told = |one: &VersionChanges| {
        assert!(one.changed.is_empty());
        (one.version, names(&one.added), names(&one.removed), one.metadata.is_some())
    };
    changes.iter().map(told).collect()
}

fn one(version: i64, added: &[&str], removed: &[&str], is_told_anew: bool) -> Told {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    (version, own(added), own(removed), is_told_anew)
}

#[tokio::test]
async fn commits_are_told_by_the_rows_they_changed() {
    let world = world().await;
    world.step("orders", Step { adds: files(&["1", "2"]), ..Step::default() }).await;
    world.step("orders", Step { operation: "delete", drops: &["1"], ..Step::default() }).await;
    let overwrite = Step { operation: "overwrite", adds: files(&["3"]), drops: &["2"], ..Step::default() };
    world.step("orders", overwrite).await;
    let replace = Step { operation: "replace", adds: files(&["4"]), drops: &["3"], ..Step::default() };
    world.step("orders", replace).await;
    world.update("orders", json!([{"action": "set-properties", "updates": {"a": "b"}}])).await;
    world.evolve("orders", schema(1, &[(1, "number", json!("int"))])).await;
    let table = world.table("orders");
    let all = told(&table.changes(0..=6).await.unwrap());
    let expected = [
        one(0, &[], &[], true),
        one(1, &["1", "2"], &[], false),
        one(2, &[], &["1"], false),
        one(3, &["3"], &["2"], false),
        one(6, &[], &[], true),
    ];
    assert_eq!(all, expected);
    assert_eq!(told(&table.changes(3..=4).await.unwrap()), expected[3..4]);
}

#[tokio::test]
async fn a_rollback_is_told_as_what_it_undid_and_a_branch_as_what_it_did() {
    let world = world().await;
    let first = world.step("orders", Step { adds: files(&["1"]), ..Step::default() }).await;
    world.step("orders", Step { adds: files(&["2"]), ..Step::default() }).await;
    let to_main = |id: i64| json!([{"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id}]);
    world.update("orders", to_main(first)).await;
    let on_branch = |operation, adds, drops, parent| Step {
        operation,
        adds,
        drops,
        branch: "later",
        parent: Some(parent),
        ..Step::default()
    };
    let rearranged = world.step("orders", on_branch("replace", files(&["1b"]), &["1"], first)).await;
    let more = world.step("orders", on_branch("append", files(&["3"]), &[], rearranged)).await;
    let last = world.step("orders", on_branch("replace", files(&["3b"]), &["1b", "3"], more)).await;
    world.update("orders", to_main(last)).await;
    let changes = told(&world.table("orders").changes(3..=7).await.unwrap());
    assert_eq!(changes, [one(3, &[], &["2"], false), one(7, &["3"], &[], false)]);
}

#[tokio::test]
async fn changes_of_a_version_whose_base_was_expired_are_not_told() {
    let world = world().await;
    let first = world.step("orders", Step { adds: files(&["1"]), ..Step::default() }).await;
    world.step("orders", Step { adds: files(&["2"]), ..Step::default() }).await;
    world.update("orders", json!([{"action": "remove-snapshots", "snapshot-ids": [first]}])).await;
    world.step("orders", Step { adds: files(&["3"]), ..Step::default() }).await;
    let table = world.table("orders");
    let refused = table.changes(2..=4).await;
    assert!(matches!(refused, Err(TableError::NoSuchVersion { version: 2, earliest: 3, latest: 4 })));
    assert_eq!(told(&table.changes(3..=4).await.unwrap()), [one(4, &["3"], &[], false)]);
    assert!(matches!(table.changes(4..=5).await, Err(TableError::NoSuchVersion { version: 5, .. })));
}

#[tokio::test]
async fn a_file_that_went_without_the_partition_columns_of_those_that_came_is_refused() {
    let world = World::new().await;
    world.create("orders", schema(0, &[(1, "id", json!("int"))]), json!([])).await;
    world.step("orders", Step { adds: files(&["1", "2"]), ..Step::default() }).await;
    world.repartition("orders", json!([{"name": "id", "transform": "identity", "source-id": 1}])).await;
    world.step("orders", Step { operation: "delete", drops: &["1"], ..Step::default() }).await;
    let by_id = |name| vec![File::of(name, vec![Some(Literal::int(7))])];
    let overwrite = Step { operation: "overwrite", adds: by_id("3"), drops: &["2"], ..Step::default() };
    world.step("orders", overwrite).await;
    world.step("orders", Step { adds: by_id("4"), ..Step::default() }).await;
    let table = world.table("orders");
    let apart = [one(1, &["1", "2"], &[], false), one(3, &[], &["1"], false)];
    assert_eq!(told(&table.changes(1..=3).await.unwrap()), apart);
    // The file that went is not partitioned as the table is from then on.
    assert!(unsupported(table.changes(1..=4).await).contains("not partitioned by id"));
    assert_eq!(told(&table.changes(5..=5).await.unwrap()), [one(5, &["4"], &[], false)]);
}

#[tokio::test]
async fn files_of_an_answer_all_have_the_partition_columns_of_its_last_version() {
    let world = world().await;
    world.step("orders", Step { adds: files(&["1"]), ..Step::default() }).await;
    world.step("orders", Step { operation: "delete", drops: &["1"], ..Step::default() }).await;
    world.repartition("orders", json!([{"name": "id", "transform": "identity", "source-id": 1}])).await;
    let adds = vec![File::of("2", vec![Some(Literal::int(7))])];
    world.step("orders", Step { adds, ..Step::default() }).await;
    let table = world.table("orders");
    let why = unsupported(table.changes(1..=4).await);
    assert!(why.contains("version 1 changed files that lack partition columns"), "{why}");
    assert_eq!(told(&table.changes(1..=3).await.unwrap()).len(), 2);
    assert_eq!(told(&table.changes(3..=4).await.unwrap()), [one(4, &["2"], &[], true)]);
}

#[tokio::test]
async fn files_are_told_by_the_partition_columns_that_all_of_a_version_have() {
    let world = World::new().await;
    let by_id = json!([{"name": "id", "transform": "identity", "source-id": 1}]);
    world.create("orders", schema(0, &[(1, "id", json!("int"))]), by_id).await;
    let adds = vec![File::of("1", vec![Some(Literal::int(7))])];
    world.step("orders", Step { adds, ..Step::default() }).await;
    world.repartition("orders", json!([])).await;
    world.step("orders", Step { adds: files(&["2"]), ..Step::default() }).await;
    let changes = world.table("orders").changes(1..=3).await.unwrap();
    assert_eq!(told(&changes), [one(1, &["1"], &[], false), one(3, &["2"], &[], true)]);
    assert!(changes[1].metadata.as_ref().unwrap().partition_columns.is_empty());
}

/// The rows of files, each as often as it is there.
type Rows = BTreeMap<u32, i64>;

fn apply(rows: &mut Rows, names: &[String], contents: &BTreeMap<String, BTreeSet<u32>>, sign: i64) {
    for row in names.iter().flat_map(|name| &contents[name]) {
        *rows.entry(*row).or_default() += sign;
    }
    rows.retain(|_, count| *count != 0);
}

#[tokio::test]
async fn what_changed_leads_from_each_version_to_the_next() {
    for seed in 0..12 {
        let world = world().await;
        let mut random = StdRng::seed_from_u64(seed);
        let mut contents: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        let (mut live, mut snapshots) = (Vec::<String>::new(), Vec::<(i64, Vec<String>)>::new());
        for row in 0..14 {
            let name = format!("f{row}");
            let dropped = live.first().filter(|_| random.random_bool(0.5)).cloned();
            let rolled_back = (random.random_bool(0.2) && !snapshots.is_empty())
                .then(|| snapshots[random.random_range(0..snapshots.len())].clone());
            if let Some((id, files)) = rolled_back {
                let to = json!([{"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id}]);
                world.update("orders", to).await;
                live = files;
                continue;
            }
            let operation = ["append", "overwrite", "replace"][random.random_range(0..3)];
            let drops: Vec<&str> = match operation {
                "append" => Vec::new(),
                _other => dropped.iter().map(String::as_str).collect(),
            };
            let rows = match (operation, drops.as_slice()) {
                ("replace", [dropped]) => contents[*dropped].clone(),
                ("replace", _) => BTreeSet::new(),
                _other => BTreeSet::from([row]),
            };
            let step = Step { operation, adds: files(&[&name]), drops: &drops, ..Step::default() };
            let id = world.step("orders", step).await;
            live.retain(|name| !drops.contains(&name.as_str()));
            live.push(name.clone());
            contents.insert(name, rows);
            snapshots.push((id, live.clone()));
        }
        let table = world.table("orders");
        let latest = table.versions().await.unwrap().latest;
        let mut followed = Rows::new();
        for change in table.changes(0..=latest).await.unwrap() {
            apply(&mut followed, &names(&change.removed), &contents, -1);
            apply(&mut followed, &names(&change.added), &contents, 1);
            let mut loaded = Rows::new();
            let version = table.load(change.version).await.unwrap();
            apply(&mut loaded, &names(&version.files), &contents, 1);
            assert_eq!(followed, loaded, "seed {seed}, version {}", change.version);
        }
        let mut last = Rows::new();
        apply(&mut last, &names(&table.load(latest).await.unwrap().files), &contents, 1);
        assert_eq!(followed, last, "seed {seed}");
    }
}
