//! What may happen to buckets, journals and tables.

use serde_json::json;
use tarn_catalog::state::{DropTable, Guard, Purge, Request, RollbackTable, RollbackTarget};

use super::world::{World, name};
use crate::journal::TableState;
use crate::journal::table::Kind;
use crate::report::tests::store::Fate;

#[tokio::test]
async fn changes_of_a_bucket_that_is_deleted_and_made_again_are_all_told() {
    let world = World::new().await;
    world.put("photos", false, None).await;
    let (journals, mut writer) = world.writer(&Fate::never());
    writer.round().await.unwrap();
    world.write("photos", "a", Some(1));
    world.write("photos", "a", None);
    world.truth.lock().unwrap().buckets.remove("photos");
    writer.round().await.unwrap();
    writer.round().await.unwrap();
    let (_, status) = journals.get("photos").unwrap();
    assert_eq!(status.journal.state, TableState::Failed);
    assert_eq!(status.journal.reason.as_deref(), Some("there is no bucket photos"));
    world.check_journal("photos", "deleted").await;
    world.create("photos");
    writer.round().await.unwrap();
    world.write("photos", "b", Some(2));
    writer.round().await.unwrap();
    assert_eq!(journals.get("photos").unwrap().1.journal.state, TableState::Active);
    world.check_journal("photos", "made again").await;
}

#[tokio::test]
async fn a_journal_put_again_goes_on_in_its_table() {
    let world = World::new().await;
    world.put("photos", false, None).await;
    world.write("photos", "a", Some(1));
    let journals = world.write_all().await;
    world.write("photos", "a", Some(2));
    journals.delete(&world.catalog, "photos").await.unwrap();
    world.write("photos", "nobody sees it", Some(3));
    world.put("photos", false, None).await;
    world.write("photos", "b", Some(4));
    world.write_all().await;
    world.check_journal("photos", "").await;
    let keys: Vec<String> = world.journal("photos").await.into_iter().map(|row| row.1).collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
}

#[tokio::test]
async fn changes_of_a_bucket_without_a_journal_are_forgotten_and_told_no_more() {
    let world = World::new().await;
    world.truth.lock().unwrap().buckets.get_mut("photos").unwrap().0 = true;
    world.write("photos", "a", Some(1));
    world.write_all().await;
    let truth = world.truth.lock().unwrap();
    assert!(!truth.buckets["photos"].0 && truth.sets.iter().all(Vec::is_empty));
}

#[tokio::test]
async fn a_table_that_was_dropped_is_made_anew_and_has_what_came_since() {
    let world = World::new().await;
    world.put("photos", false, None).await;
    world.write("photos", "a", Some(1));
    let (_, mut writer) = world.writer(&Fate::never());
    writer.round().await.unwrap();
    let drop = DropTable {
        ident: name("photos", Kind::Journal),
        purge: Purge::Keep,
        guard: Guard::Respect,
        keep_ms: 0,
    };
    world.catalog.commit(Request::DropTable(drop)).await.unwrap();
    world.write("photos", "b", Some(2));
    while writer.round().await.unwrap() {}
    let keys: Vec<String> = world.journal("photos").await.into_iter().map(|row| row.1).collect();
    assert_eq!(keys, ["b"]);
}

#[tokio::test]
async fn a_table_that_is_not_the_journals_is_not_touched_keeps_its_changes_and_delays_no_other() {
    let world = World::new().await;
    world.create("other");
    world.put("photos", false, None).await;
    world.put("other", false, None).await;
    world.write("photos", "a", Some(1));
    let journals = world.write_all().await;
    let own = json!([{"action": "set-properties", "updates": {"tarn.journal.bucket": "somebody else"}}]);
    world.update("photos", Kind::Journal, own).await;
    for number in 0..5 {
        world.write("photos", "a", Some(number));
        world.write("other", "b", Some(number));
    }
    drop(journals);
    let journals = world.write_all().await;
    world.check_journal("other", "").await;
    let (_, status) = journals.get("photos").unwrap();
    assert_eq!(status.journal.state, TableState::Failed);
    assert!(status.journal.reason.unwrap().contains("was not made for it"));
    let own = json!([{"action": "set-properties", "updates": {"tarn.journal.bucket": "photos"}}]);
    world.update("photos", Kind::Journal, own).await;
    world.write_all().await;
    world.check_journal("photos", "after it was mended").await;
}

#[tokio::test]
async fn a_table_that_was_moved_back_says_so_and_is_not_written_twice() {
    let world = World::new().await;
    world.put("photos", false, None).await;
    world.write("photos", "a", Some(1));
    let (journals, mut writer) = world.writer(&Fate::never());
    writer.round().await.unwrap();
    let first = world.table("photos", Kind::Journal).await.loaded;
    world.write("photos", "b", Some(2));
    writer.round().await.unwrap();
    let moved = RollbackTable {
        ident: name("photos", Kind::Journal),
        seen: world.table("photos", Kind::Journal).await.loaded.entry.metadata_location.clone(),
        target: RollbackTarget::Snapshot(first.metadata.current_snapshot_id().unwrap()),
    };
    world.catalog.commit(Request::RollbackTables(vec![moved])).await.unwrap();
    world.write("photos", "c", Some(3));
    while writer.round().await.unwrap() {}
    let keys = |told: Vec<super::world::Told>| told.into_iter().map(|row| row.1).collect::<Vec<_>>();
    assert_eq!(keys(world.journal("photos").await), ["a", "c"]);
    let notice = journals.get("photos").unwrap().1.journal.notice.unwrap();
    assert!(notice.contains("was moved back"), "{notice}");
    let moved = RollbackTable {
        ident: name("photos", Kind::Journal),
        seen: world.table("photos", Kind::Journal).await.loaded.entry.metadata_location.clone(),
        target: RollbackTarget::Whole(first.metadata.clone()),
    };
    world.catalog.commit(Request::RollbackTables(vec![moved])).await.unwrap();
    world.write("photos", "d", Some(4));
    while writer.round().await.unwrap() {}
    assert_eq!(keys(world.journal("photos").await), ["a", "d"]);
}
