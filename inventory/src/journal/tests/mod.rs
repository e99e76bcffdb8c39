//! Journals over buckets in memory: histories with kills, faults, and what users do to the tables.

mod faults;
mod live;
mod reconcile;
mod world;

use rand::prelude::*;
use serde_json::json;

use self::world::{World, name};
use super::table::{Kind, WATERMARK};
use super::{JournalError, TableState};
use crate::report::tests::store::Fate;

#[tokio::test]
async fn every_change_is_a_row_with_the_columns_of_s3() {
    let world = World::new().await;
    world.put("photos", false, None).await;
    world.write("photos", "a", Some(1));
    world.write("photos", "a", Some(2));
    world.write("photos", "b", Some(3));
    world.write("photos", "a", None);
    let journals = world.write_all().await;
    world.check_journal("photos", "").await;
    let table = world.table("photos", Kind::Journal).await;
    let fields = table.parsed.current_schema().as_struct().fields().to_vec();
    let told: Vec<String> = fields
        .iter()
        .map(|field| {
            let required = if field.required { "required " } else { "" };
            format!("{required}{} {}", field.name, field.field_type)
        })
        .collect();
    assert_eq!(
        told,
        [
            "required bucket string",
            "required key string",
            "required sequence_number string",
            "required record_type string",
            "required record_timestamp timestamp",
            "version_id string",
            "is_delete_marker boolean",
            "size long",
            "last_modified_date timestamp",
            "e_tag string",
            "storage_class string",
            "is_multipart boolean",
            "encryption_status string",
            "is_bucket_key_enabled boolean",
            "kms_key_arn string",
            "checksum_algorithm string",
            "object_tags map",
            "user_metadata map",
            "requester string",
            "source_ip_address string",
            "request_id string",
        ]
    );
    assert_eq!(table.parsed.snapshots().count(), 1);
    let snapshot = table.loaded.metadata.current_snapshot().unwrap();
    assert_eq!(snapshot.summary().get(WATERMARK), table.property(WATERMARK));
    let (_, status) = journals.get("photos").unwrap();
    assert_eq!((status.journal.state, status.journal.rows), (TableState::Active, Some(4)));
    assert_eq!((status.journal.rows_written, status.journal.lag_seconds), (4, 0));
    assert!(world.truth.lock().unwrap().sets.iter().all(Vec::is_empty), "all is forgotten");
}

#[tokio::test]
async fn each_change_is_told_once_whatever_is_killed_when() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..4 {
        let mut world = World::new().await;
        world.settings.batch_rows = 20;
        world.create("other");
        world.put("photos", false, None).await;
        world.put("other", false, None).await;
        for _ in 0..15 {
            for _ in 0..random.random_range(0..40) {
                let bucket = *["photos", "other"].choose(&mut random).unwrap();
                let key = format!("key {}", random.random_range(0..9));
                let size = random.random_bool(0.7).then(|| random.random_range(0..1000));
                let mut truth = world.truth.lock().unwrap();
                // A clock that jumps, over midnight too.
                truth.clock_ms += random.random_range(-40_000_000..50_000_000);
                truth.write(bucket, &key, size);
            }
            let fate = Fate::after(random.random_range(1..60));
            let (_, mut writer) = world.writer(&fate);
            tokio::select! {
                biased;
                () = fate.dead.notified() => {}
                () = async { while writer.round().await.unwrap() {} } => {}
            }
        }
        world.write_all().await;
        let about = format!("seed {seed}, round {round}");
        world.check_journal("photos", &about).await;
        world.check_journal("other", &about).await;
        assert!(world.truth.lock().unwrap().sets.iter().all(Vec::is_empty), "{about}");
    }
}

#[tokio::test]
async fn of_two_writers_the_one_that_was_overtaken_writes_nothing_twice() {
    let world = World::new().await;
    world.put("photos", false, None).await;
    let (_, mut first) = world.writer(&Fate::never());
    let (_, mut second) = world.writer(&Fate::never());
    for number in 0..10 {
        world.write("photos", &format!("key {}", number % 3), Some(number));
        // Both have opened the table where it was.
        let (one, other) = tokio::join!(first.round(), second.round());
        one.unwrap();
        other.unwrap();
    }
    world.write_all().await;
    world.check_journal("photos", "").await;
}

#[tokio::test]
async fn old_rows_go_by_whole_days_and_the_watermark_stays() {
    let world = World::new().await;
    world.put("photos", false, Some(7)).await;
    let now_ms = super::now_ms();
    for days in [30, 9, 6, 0] {
        world.truth.lock().unwrap().clock_ms = now_ms - days * 86_400_000;
        world.write("photos", &format!("{days} days ago"), Some(1));
    }
    world.write_all().await;
    let before = world.table("photos", Kind::Journal).await.property(WATERMARK).cloned();
    // The next process opens the table, and takes them out.
    world.write_all().await;
    let mut keys: Vec<String> = world.journal("photos").await.into_iter().map(|row| row.1).collect();
    keys.sort();
    assert_eq!(keys, ["0 days ago", "6 days ago"]);
    let table = world.table("photos", Kind::Journal).await;
    assert_eq!(table.property(WATERMARK).cloned(), before);
    assert_eq!(table.rows(), Some(2));
    world.write_all().await;
    let again = world.table("photos", Kind::Journal).await;
    assert_eq!(again.loaded.metadata.current_snapshot_id(), table.loaded.metadata.current_snapshot_id());
}

#[tokio::test]
async fn settings_are_put_shown_and_deleted() {
    let world = World::new().await;
    let journals = world.journals(&Fate::never());
    assert!(matches!(journals.get("photos"), Err(JournalError::Missing(_))));
    let put =
        |bucket: &'static str| journals.put(&world.catalog, bucket, Default::default(), world::author());
    assert!(matches!(put("nowhere").await, Err(JournalError::NoSuchBucket(_))));
    assert!(matches!(put("system").await, Err(JournalError::Invalid(_))));
    let made = put("photos").await.unwrap();
    assert_eq!(put("photos").await.unwrap(), made);
    let (_, status) = journals.get("photos").unwrap();
    assert_eq!(
        json!(status),
        json!({
            "journal": {
                "warehouse": "system", "namespace": "photos", "table": "journal", "table_uuid": null,
                "state": "CREATING", "reason": null, "notice": null, "lag_seconds": 0, "waiting_changes": 0,
                "rows": null, "rows_written": 0, "commits": 0, "errors": 0, "last_commit_ms": null,
                "scanned": 0,
            },
            "inventory": null, "reconciled": null,
        })
    );
    assert_eq!(journals.list().len(), 1);
    journals.delete(&world.catalog, "photos").await.unwrap();
    assert!(matches!(journals.delete(&world.catalog, "photos").await, Err(JournalError::Missing(_))));
    assert!(!world.truth.lock().unwrap().buckets["photos"].0, "it is watched no more");
    assert!(world.catalog.snapshot().table(&name("photos", Kind::Journal)).is_none());
}
