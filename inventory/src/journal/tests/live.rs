//! Inventories: filled, merged, and begun anew.

use rand::prelude::*;
use serde_json::json;

use super::world::World;
use crate::journal::table::{Kind, WATERMARK};
use crate::journal::{TableState, live};
use crate::report::tests::store::Fate;

#[tokio::test]
async fn an_inventory_has_the_objects_there_are_whatever_is_killed_when() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..3 {
        let mut world = World::new().await;
        (world.settings.batch_rows, world.settings.refresh_keys) = (30, 15);
        world.create("other");
        for number in 0..40 {
            world.write("photos", &format!("{number:03}"), Some(number));
        }
        world.put("photos", true, None).await;
        world.put("other", false, None).await;
        for _ in 0..12 {
            for _ in 0..random.random_range(0..40) {
                let mut truth = world.truth.lock().unwrap();
                truth.clock_ms += random.random_range(-1000..1000);
                let key = format!("{:03}", random.random_range(0..60));
                let size = random.random_bool(0.6).then(|| random.random_range(0..1000));
                truth.write(if random.random_bool(0.9) { "photos" } else { "other" }, &key, size);
            }
            let fate = Fate::after(random.random_range(1..120));
            let (journals, mut writer) = world.writer(&fate);
            let mut inventory = world.inventory(&journals, "photos");
            tokio::select! {
                biased;
                () = fate.dead.notified() => {}
                () = async {
                    for _ in 0..6 {
                        if random.random_bool(0.5) {
                            writer.round().await.unwrap();
                        } else {
                            inventory.step().await.unwrap();
                        }
                    }
                } => {}
            }
        }
        world.settle("photos").await;
        let about = format!("seed {seed}, round {round}");
        world.check_journal("photos", &about).await;
        world.check_inventory("photos", &about).await;
        assert!(world.truth.lock().unwrap().sets.iter().all(Vec::is_empty), "{about}");
    }
}

#[tokio::test]
async fn a_refresh_writes_only_the_files_anew_in_which_something_changed() {
    let world = World::new().await;
    for number in 0..100 {
        world.write("photos", &format!("{number:03}"), Some(number));
    }
    world.put("photos", true, None).await;
    let journals = world.settle("photos").await;
    world.check_inventory("photos", "filled").await;
    let (_, status) = journals.get("photos").unwrap();
    let inventory = status.inventory.unwrap();
    assert_eq!((inventory.state, inventory.rows, inventory.scanned), (TableState::Active, Some(100), 100));
    let before = world.shelves("photos").await;
    assert_eq!(before.len(), 10);
    world.write("photos", "015", None);
    world.write("photos", "01", Some(1));
    world.write("photos", "0555", Some(1));
    world.write("photos", "0555", Some(2));
    world.write("photos", "zzz", Some(3));
    world.settle("photos").await;
    world.check_inventory("photos", "refreshed").await;
    let after = world.shelves("photos").await;
    let same = before.iter().filter(|(path, _)| after.iter().any(|(other, _)| other == path));
    assert_eq!(same.count(), 6, "the files of 00x, 01x, 05x and 09x are made anew");
    let table = world.table("photos", Kind::Inventory).await;
    let snapshot = table.loaded.metadata.current_snapshot().unwrap();
    assert_eq!(snapshot.summary()["operation"], "overwrite");
    assert_eq!(snapshot.summary().get(WATERMARK), table.property(WATERMARK));
    assert_eq!(table.rows(), Some(102));
    // Changes that come to nothing leave no file without rows.
    for number in 0..100 {
        world.write("photos", &format!("{number:03}"), None);
    }
    world.settle("photos").await;
    world.check_inventory("photos", "nearly empty").await;
    for key in ["01", "0555", "zzz"] {
        world.write("photos", key, None);
    }
    world.settle("photos").await;
    assert!(world.shelves("photos").await.is_empty());
    world.write("photos", "first", Some(1));
    world.settle("photos").await;
    world.check_inventory("photos", "filled by changes").await;
}

#[tokio::test]
async fn files_stay_of_a_good_size_however_many_refreshes_there_are() {
    let world = World::new().await;
    world.put("photos", true, None).await;
    for number in 0..40_u64 {
        world.write("photos", &format!("{:03}", number * 23 % 41), Some(number));
        world.settle("photos").await;
    }
    world.check_inventory("photos", "").await;
    let sizes: Vec<usize> = world.shelves("photos").await.iter().map(|(_, rows)| rows.len()).collect();
    assert!(sizes.iter().all(|size| (5..=15).contains(size)), "{sizes:?}");
}

#[tokio::test]
async fn an_inventory_that_somebody_wrote_to_or_moved_back_begins_anew() {
    let world = World::new().await;
    world.write("photos", "a", Some(1));
    world.put("photos", true, None).await;
    world.settle("photos").await;
    let first = world.table("photos", Kind::Inventory).await;
    world.write("photos", "b", Some(2));
    let journals = world.settle("photos").await;
    let backfill = journals.get("photos").unwrap().0.backfill();
    let back = json!([{
        "action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
        "snapshot-id": first.loaded.metadata.current_snapshot_id(),
    }]);
    world.update("photos", Kind::Inventory, back).await;
    let journals = world.settle("photos").await;
    assert_ne!(journals.get("photos").unwrap().0.backfill(), backfill);
    world.check_inventory("photos", "moved back").await;
    // The properties too.
    let back = json!([{
        "action": "set-properties", "updates": {WATERMARK: first.property(WATERMARK).unwrap()},
    }]);
    world.update("photos", Kind::Inventory, back).await;
    world.write("photos", "c", Some(3));
    world.settle("photos").await;
    world.check_inventory("photos", "moved back with its properties").await;
}

#[tokio::test]
async fn a_bucket_made_again_has_an_inventory_of_what_is_in_it_now() {
    let world = World::new().await;
    world.write("photos", "old", Some(1));
    world.put("photos", true, None).await;
    let (journals, mut writer) = world.writer(&Fate::never());
    let mut inventory = world.inventory(&journals, "photos");
    writer.round().await.unwrap();
    while inventory.step().await.unwrap() {}
    world.write("photos", "old", None);
    world.truth.lock().unwrap().buckets.remove("photos");
    writer.round().await.unwrap();
    world.create("photos");
    // Nobody watches it yet.
    world.write("photos", "new", Some(2));
    writer.round().await.unwrap();
    world.settle("photos").await;
    world.check_inventory("photos", "").await;
}

#[tokio::test]
async fn an_inventory_of_a_bucket_that_is_gone_holds_nothing_up() {
    let world = World::new().await;
    world.create("other");
    world.put("photos", true, None).await;
    world.put("other", false, None).await;
    world.truth.lock().unwrap().buckets.remove("photos");
    world.write("other", "a", Some(1));
    let (journals, mut writer) = world.writer(&Fate::never());
    let failed = world.inventory(&journals, "photos").step().await.unwrap_err();
    assert!(matches!(failed, live::LiveError::Scan(_)), "{failed}");
    while writer.round().await.unwrap() {}
    world.check_journal("other", "").await;
    assert!(world.truth.lock().unwrap().sets.iter().all(Vec::is_empty));
}

#[tokio::test]
async fn the_service_keeps_both_tables_and_stops() {
    let mut world = World::new().await;
    world.settings.every = std::time::Duration::from_millis(1);
    let journals = world.journals(&Fate::never());
    journals.start();
    world.write("photos", "a", Some(1));
    let new = crate::journal::NewJournal { inventory: true, ..Default::default() };
    journals.put(&world.catalog, "photos", new, super::world::author()).await.unwrap();
    world.write("photos", "b", Some(2));
    let done = || {
        let (_, status) = journals.get("photos").unwrap();
        let inventory = status.inventory.unwrap();
        journals.refresh("photos");
        status.journal.rows == Some(1) && inventory.rows == Some(2) && inventory.state == TableState::Active
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while !done() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    journals.close().await;
    world.check_journal("photos", "").await;
    world.check_inventory("photos", "").await;
}
