//! A drive that answers nothing: everyone goes on without it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;

use crate::core::ObjectCore;
use crate::drive::{Drive, Hang, SimDrive};
use crate::set::SlotState;
use crate::settings::Settings;
use crate::testing::{KIB, MIB, bucket, bytes, get, put};
use crate::types::ListOptions;

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.set.suspect_after = Duration::from_millis(20);
    settings.set.drive_timeout = Duration::from_millis(200);
    settings
}

async fn open(drives: &[Arc<SimDrive>]) -> ObjectCore {
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    let core = ObjectCore::open(settings(), drives).await.unwrap();
    core.create_bucket(&bucket("bucket")).await.unwrap();
    core
}

/// Enough objects that each drive holds data shards of some.
async fn fill(core: &ObjectCore) -> Vec<(String, Bytes)> {
    let mut objects = Vec::new();
    for number in 0..6 {
        for size in [4 * KIB, 200 * KIB, MIB + 99] {
            let content = bytes(size, number + size as u64);
            let key = format!("{size}-{number}");
            put(core, &key, &content).await;
            objects.push((key, content));
        }
    }
    objects
}

async fn read_all(core: &ObjectCore, objects: &[(String, Bytes)]) {
    join_all(objects.iter().map(async |(key, content)| {
        assert!(get(core, key).await.unwrap() == *content, "{key}");
    }))
    .await;
}

async fn wait_until_out(core: &ObjectCore, slot: usize) {
    let set = &core.inner.sets[0].log;
    let mut stalls = set.stalls();
    while set.slots()[slot].state() != SlotState::Out {
        stalls.changed().await.unwrap();
    }
}

async fn goes_on_without(hangs: &[Hang], slot: usize, count: usize) {
    let drives: Vec<Arc<SimDrive>> =
        (0..count).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
    let core = open(&drives).await;
    let mut objects = fill(&core).await;
    hangs.iter().for_each(|hang| drives[slot].hang(*hang));
    let new: Vec<(String, Bytes)> =
        [10, 300 * KIB, 2 * MIB].map(|size| (format!("new-{size}"), bytes(size, 9))).into();
    let reading = read_all(&core, &objects);
    let writing = join_all(new.iter().map(async |(key, content)| put(&core, key, content).await));
    futures::join!(reading, writing);
    objects.extend(new);
    read_all(&core, &objects).await;
    wait_until_out(&core, slot).await;
    let status = core.status().sets.remove(0).slots.remove(slot);
    assert!(status.state == SlotState::Out && status.reason.is_some(), "{hangs:?}: {status:?}");
    put(&core, "last", &bytes(MIB, 3)).await;
    read_all(&core, &objects).await;
    drives[slot].release();
    core.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_and_writes_go_on_when_a_drive_hangs_in_any_of_its_operations() {
    for hangs in [[Hang::Index], [Hang::LogReads], [Hang::ShardReads], [Hang::ShardWrites], [Hang::Changes]] {
        for slot in 0..2 {
            goes_on_without(&hangs, slot, 4).await;
        }
    }
    goes_on_without(&Hang::ALL, 0, 4).await;
    goes_on_without(&Hang::ALL, 2, 3).await;
}

#[tokio::test]
async fn one_thread_is_enough_to_go_on_when_a_drive_hangs() {
    goes_on_without(&Hang::ALL, 0, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drive_that_is_slow_is_avoided_and_not_taken_out() {
    let drives: Vec<Arc<SimDrive>> =
        (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
    let mut settings = settings();
    settings.set.drive_timeout = Duration::from_secs(600);
    let all = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    let core = ObjectCore::open(settings, all).await.unwrap();
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let objects = fill(&core).await;
    drives[0].hang(Hang::Index);
    read_all(&core, &objects).await;
    assert!(core.status().sets[0].slots[0].suspect);
    // Nothing of the drive that is only slow counts as lost.
    assert_eq!(core.status().heal.repairs_pending, 0);
    drives[0].release();
    read_all(&core, &objects).await;
    let set = &core.inner.sets[0].log;
    assert_eq!(set.slots()[0].state(), SlotState::Online);
    put(&core, "last", &bytes(MIB, 3)).await;
    core.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drive_that_hangs_does_not_hold_up_other_sets() {
    let drives: Vec<Arc<SimDrive>> =
        (0..20).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
    let core = open(&drives).await;
    assert_eq!(core.inner.sets.len(), 2);
    let objects = fill(&core).await;
    Hang::ALL.into_iter().for_each(|hang| drives[0].hang(hang));
    read_all(&core, &objects).await;
    for number in 0..10 {
        put(&core, &format!("new-{number}"), &bytes(10, number)).await;
    }
    let all = ListOptions { limit: 1000, ..ListOptions::default() };
    let page = core.list(&bucket("bucket"), &all).await.unwrap();
    assert_eq!(page.objects.len(), objects.len() + 10);
    drives[0].release();
    core.close().await;
}
