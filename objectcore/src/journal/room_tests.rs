//! What changes cost, what forgetting gives back, and who is told what while drives differ.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::{Change, Changed};
use crate::core::ObjectCore;
use crate::drive::{Drive, Hang, SimDrive};
use crate::object::key;
use crate::set::Space;
use crate::settings::Settings;
use crate::testing::{KIB, at, bucket, bytes, put};
use crate::types::{Body, PutIf, PutOptions, StorageError, WriteError};

fn sims(count: usize) -> Vec<Arc<SimDrive>> {
    (0..count).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect()
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.set.reserve_bytes = 0;
    settings.set.segment_bytes = 20_000;
    settings.set.compact_in_background = false;
    settings
}

async fn open(settings: &Settings, drives: &[Arc<SimDrive>]) -> ObjectCore {
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    ObjectCore::open(settings.clone(), drives).await.unwrap()
}

async fn watched(settings: &Settings, drives: &[Arc<SimDrive>]) -> ObjectCore {
    let core = open(settings, drives).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    core.watch(&bucket("bucket"), true).await.unwrap();
    core
}

fn log_bytes(drive: &SimDrive) -> u64 {
    drive.segments().unwrap().iter().map(|segment| drive.segment_len(*segment).unwrap()).sum()
}

async fn compact(core: &ObjectCore) {
    let set = core.inner.sets[0].log.clone();
    let all = move || {
        for slot in 0..set.slots().len() {
            set.compact(slot).unwrap();
        }
    };
    tokio::task::spawn_blocking(all).await.unwrap();
}

/// The rows of the outbox on one drive, also those that are hidden.
fn rows(core: &ObjectCore, slot: usize) -> usize {
    let index = core.inner.sets[0].log.slots()[slot].index().unwrap();
    index.scan(Space::Journal, Bound::Unbounded, usize::MAX).unwrap().len()
}

async fn churn(core: &ObjectCore, count: u64) {
    for number in 0..count {
        put(core, "churned", &bytes(1, number)).await;
    }
}

fn last(changes: &[Change]) -> u64 {
    changes.last().unwrap().sequence
}

#[tokio::test]
async fn forgetting_gives_the_room_back() {
    let drives = sims(4);
    let core = watched(&settings(), &drives).await;
    put(&core, "first", &bytes(10_000, 1)).await;
    for number in 0..2000 {
        put(&core, &format!("k{}", number % 5), &bytes(1, number)).await;
    }
    compact(&core).await;
    let before = log_bytes(&drives[0]);
    let told = core.changes(0, 0, usize::MAX).await.unwrap();
    assert_eq!(told.len(), 2001);
    core.forget_changes(0, last(&told)).await.unwrap();
    compact(&core).await;
    for (slot, drive) in drives.iter().enumerate() {
        assert_eq!(rows(&core, slot), 0);
        let after = log_bytes(drive);
        assert!(after * 4 < before, "{before} bytes became {after}");
    }
    core.close().await;
}

#[tokio::test]
async fn what_was_forgotten_stays_so_when_indexes_are_made_again() {
    let drives = sims(4);
    let core = watched(&settings(), &drives).await;
    // Segments that are never worth compacting, with changes in them.
    for number in 0..8 {
        put(&core, &format!("kept{number}"), &bytes(10_000, number)).await;
    }
    churn(&core, 100).await;
    let told = core.changes(0, 0, usize::MAX).await.unwrap();
    core.forget_changes(0, told[5].sequence).await.unwrap();
    // What says that they are deleted goes.
    churn(&core, 200).await;
    compact(&core).await;
    let waiting = core.changes(0, 0, usize::MAX).await.unwrap();
    assert_eq!(waiting.len(), 302);
    assert_eq!(rows(&core, 3), waiting.len());
    core.close().await;
    let core = open(&settings(), &drives).await;
    assert!(rows(&core, 3) > waiting.len(), "nothing came back");
    assert_eq!(core.changes(0, 0, usize::MAX).await.unwrap(), waiting);
    // They are hidden; the next that is forgotten takes them too, on all drives.
    assert_eq!(core.scrub().await.unwrap().failed, 0);
    core.forget_changes(0, waiting[0].sequence).await.unwrap();
    assert!((0..4).all(|slot| rows(&core, slot) == waiting.len() - 1));
    core.forget_changes(0, last(&waiting)).await.unwrap();
    assert!((0..4).all(|slot| rows(&core, slot) == 0));
    assert_eq!(core.changes(0, 0, usize::MAX).await.unwrap(), []);
    core.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_never_goes_back_whichever_drive_is_asked() {
    let drives = sims(4);
    let mut settings = settings();
    settings.set.suspect_after = Duration::from_millis(20);
    settings.set.drive_timeout = Duration::from_secs(600);
    let core = watched(&settings, &drives).await;
    put(&core, "a", &bytes(10, 1)).await;
    let told = core.changes(0, 0, usize::MAX).await.unwrap();
    assert_eq!(told.len(), 1);
    // The first drive does not follow: the others have what is not on all of them.
    drives[0].hang(Hang::Index);
    let writer = core.clone();
    let writing = tokio::spawn(async move { put(&writer, "b", &bytes(10, 1)).await });
    while rows(&core, 3) < 2 || !core.status().sets[0].slots[0].suspect {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!writing.is_finished());
    assert_eq!(core.changes(0, 0, usize::MAX).await.unwrap(), told);
    drives[0].release();
    writing.await.unwrap();
    let more = core.changes(0, 0, usize::MAX).await.unwrap();
    assert_eq!((more.len(), &more[0]), (2, &told[0]));
    core.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_many_writers_misses_nothing_and_sees_each_key_in_order() {
    let drives = sims(4);
    let mut settings = settings();
    settings.set.compact_in_background = true;
    let core = watched(&settings, &drives).await;
    let writers = (0..8_u64).map(|writer| {
        let core = core.clone();
        tokio::spawn(async move {
            for number in 0..60 {
                put(&core, &format!("k{writer}"), &bytes(number, writer)).await;
            }
        })
    });
    let writing = tokio::spawn(futures::future::join_all(writers.collect::<Vec<_>>()));
    let mut told: Vec<Change> = Vec::new();
    while told.len() < 8 * 60 {
        let after = told.last().map_or(0, |change| change.sequence);
        let more = core.changes(0, after, 5).await.unwrap();
        told.extend(more);
        core.forget_changes(0, after).await.unwrap();
    }
    writing.await.unwrap().into_iter().for_each(|writer| writer.unwrap());
    assert!(told.is_sorted_by(|a, b| a.sequence < b.sequence));
    for writer in 0..8 {
        let key = format!("k{writer}");
        let sizes = told.iter().filter(|change| change.key == key).map(|change| match &change.changed {
            Changed::Created(state) | Changed::Updated(state) => state.size,
            Changed::Deleted => panic!("{change:?}"),
        });
        assert_eq!(sizes.collect::<Vec<_>>(), (0..60).collect::<Vec<_>>());
    }
    core.close().await;
}

#[tokio::test]
async fn a_full_drive_refuses_no_deletion_and_no_forgetting() {
    let drives = sims(4);
    let mut settings = settings();
    settings.set.reserve_bytes = 1 << 20;
    let core = watched(&settings, &drives).await;
    put(&core, "a", &bytes(10, 1)).await;
    drives.iter().for_each(|drive| drive.set_free_bytes(1));
    // The last write for which there was room tells that there is none.
    put(&core, "last", &bytes(10, 1)).await;
    let refused = core.put(&at("b"), Body::from_bytes(bytes(10, 1)), PutOptions::default()).await;
    assert!(matches!(refused, Err(WriteError::Storage(StorageError::Full))));
    core.delete(&at("a"), PutIf::Always).await.unwrap();
    let told = core.changes(0, 0, usize::MAX).await.unwrap();
    assert_eq!(told.len(), 3);
    core.forget_changes(0, last(&told)).await.unwrap();
    assert_eq!(core.changes(0, 0, usize::MAX).await.unwrap(), []);
    core.close().await;
}

/// The bytes of the record of an object of 4 KiB: all that a put of it writes into a drive's log, in one batch.
async fn record_bytes(core: &ObjectCore, key: &str) -> u32 {
    put(core, key, &bytes(4 * KIB, 1)).await;
    let index = core.inner.sets[0].log.slots()[0].index().unwrap();
    index.get(Space::Object, &key::object(&at(key))).unwrap().unwrap().location.len
}

#[tokio::test]
async fn a_watched_bucket_costs_some_bytes_in_the_same_record_and_another_none() {
    let core = open(&settings(), &sims(4)).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let before = record_bytes(&core, "a").await;
    core.watch(&bucket("bucket"), true).await.unwrap();
    let with = record_bytes(&core, "b").await;
    core.watch(&bucket("bucket"), false).await.unwrap();
    let after = record_bytes(&core, "c").await;
    assert_eq!(before, after);
    assert_eq!(with - before, 70, "of {before}");
    core.close().await;
}

#[tokio::test]
async fn the_changes_that_wait_are_counted_over_restarts() {
    let drives = sims(4);
    let core = watched(&settings(), &drives).await;
    let waiting = |core: &ObjectCore| core.inner.sets[0].log.waiting_changes();
    churn(&core, 10).await;
    let told = core.changes(0, 0, usize::MAX).await.unwrap();
    core.forget_changes(0, told[2].sequence).await.unwrap();
    assert_eq!(waiting(&core), 7);
    core.forget_changes(0, told[2].sequence).await.unwrap();
    assert_eq!(waiting(&core), 7);
    core.close().await;
    let core = open(&settings(), &drives).await;
    churn(&core, 5).await;
    core.forget_changes(0, told[3].sequence).await.unwrap();
    assert_eq!(waiting(&core), 11);
    core.forget_changes(0, u64::MAX).await.unwrap();
    assert_eq!(waiting(&core), 0);
    core.close().await;
}
