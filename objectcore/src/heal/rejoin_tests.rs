//! Drives that were out come back by themselves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::core::ObjectCore;
use crate::drive::{Drive, Hang, SimDrive};
use crate::set::SlotState;
use crate::settings::Settings;
use crate::testing::{KIB, MIB, at, bucket, bytes, get, put};
use crate::types::PutIf;

fn sims() -> Vec<Arc<SimDrive>> {
    (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect()
}

async fn open(drives: &[Arc<SimDrive>], rejoin_after: Duration) -> ObjectCore {
    let mut settings = Settings::default();
    settings.set.suspect_after = Duration::from_millis(20);
    settings.set.drive_timeout = Duration::from_millis(200);
    settings.set.rejoin_after = rejoin_after;
    settings.set.rejoin_after_max = rejoin_after.max(Duration::from_millis(50));
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    ObjectCore::open(settings, drives).await.unwrap()
}

async fn put_all(core: &ObjectCore, seed: u64) -> Vec<(String, Bytes)> {
    let mut objects = Vec::new();
    for size in [0, 4 * KIB, 200 * KIB, MIB + 99] {
        let content = bytes(size, seed + size as u64);
        let key = format!("{seed}-{size}");
        put(core, &key, &content).await;
        objects.push((key, content));
    }
    objects
}

async fn wait_for(core: &ObjectCore, slot: usize, state: SlotState) {
    while core.status().sets[0].slots[slot].state != state {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn read_all(core: &ObjectCore, objects: &[(String, Bytes)]) {
    for (key, content) in objects {
        assert!(get(core, key).await.unwrap() == *content, "{key}");
    }
}

/// The drive and one more serve everything.
async fn holds_everything(
    core: &ObjectCore,
    drives: &[Arc<SimDrive>],
    slot: usize,
    objects: &[(String, Bytes)],
) {
    let set = &core.inner.sets[0].log;
    for other in (0..4).filter(|other| *other != slot && *other != (slot + 1) % 4) {
        drives[other].die();
        set.slots()[other].fail("it died");
    }
    read_all(core, objects).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drive_that_failed_comes_back_with_what_it_missed_and_nothing_that_was_deleted() {
    let drives = sims();
    let core = open(&drives, Duration::from_millis(1)).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let gone = put_all(&core, 1).await;
    drives[1].die();
    let mut objects = put_all(&core, 2).await;
    for (key, _) in &gone {
        core.delete(&at(key), PutIf::Always).await.unwrap();
    }
    wait_for(&core, 1, SlotState::Out).await;
    while core.status().sets[0].slots[1].stays_out.is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drives[1].revive();
    objects.extend(put_all(&core, 3).await);
    wait_for(&core, 1, SlotState::Online).await;
    let status = core.status().sets.remove(0).slots.remove(1);
    assert!(status.reason.is_none() && status.stays_out.is_none(), "{status:?}");
    objects.extend(put_all(&core, 4).await);
    holds_everything(&core, &drives, 1, &objects).await;
    for (key, _) in &gone {
        assert!(get(&core, key).await.is_err(), "{key} came back");
    }
    core.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drive_that_hung_comes_back_when_it_answers_again() {
    let drives = sims();
    let core = open(&drives, Duration::from_millis(5)).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let mut objects = put_all(&core, 1).await;
    Hang::ALL.into_iter().for_each(|hang| drives[2].hang(hang));
    objects.extend(put_all(&core, 2).await);
    read_all(&core, &objects).await;
    wait_for(&core, 2, SlotState::Out).await;
    drives[2].release();
    wait_for(&core, 2, SlotState::Online).await;
    objects.extend(put_all(&core, 3).await);
    holds_everything(&core, &drives, 2, &objects).await;
    core.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drive_is_tried_at_once_when_someone_asks() {
    let drives = sims();
    let core = open(&drives, Duration::from_secs(3600)).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let mut objects = put_all(&core, 1).await;
    assert_eq!(core.retry_drives(), 0);
    drives[3].die();
    objects.extend(put_all(&core, 2).await);
    drives[3].wipe();
    // It may not have been noticed yet that the drive is out.
    while core.status().sets[0].slots[3].state != SlotState::Online {
        core.retry_drives();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    holds_everything(&core, &drives, 3, &objects).await;
    core.close().await;
}
