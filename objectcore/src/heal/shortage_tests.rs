//! Too few open files or too little memory: no drive's fault.

use std::sync::Arc;

use bytes::Bytes;

use crate::core::ObjectCore;
use crate::drive::{Drive, Fault, SimDrive};
use crate::set::SlotState;
use crate::settings::Settings;
use crate::testing::{KIB, MIB, at, body, bucket, bytes, get, put};
use crate::types::{PutOptions, ReadError, StorageError, WriteError};

async fn open(drives: &[Arc<SimDrive>], segment_bytes: u64) -> ObjectCore {
    let mut settings = Settings::default();
    settings.set.segment_bytes = segment_bytes;
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    ObjectCore::open(settings, drives).await.unwrap()
}

async fn new_core(segment_bytes: u64) -> (Vec<Arc<SimDrive>>, ObjectCore) {
    let drives: Vec<Arc<SimDrive>> =
        (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
    let core = open(&drives, segment_bytes).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    (drives, core)
}

fn again(drives: &[Arc<SimDrive>]) -> Vec<Arc<SimDrive>> {
    drives.iter().map(|drive| Arc::new(drive.copy())).collect()
}

fn state(core: &ObjectCore, slot: usize) -> SlotState {
    core.inner.sets[0].log.slots()[slot].state()
}

/// Puts while the operation of drive 1 with this number lacks something. `None` when it has no such operation.
async fn put_short(size: usize, operation: u64, fault: Fault) -> Option<(SlotState, bool)> {
    let (drives, core) = new_core(64 << 20).await;
    core.close().await;
    // Opened again, so that nothing is under way when the operations are counted.
    let drives = again(&drives);
    let core = open(&drives, 64 << 20).await;
    let first = drives[1].operations();
    drives[1].plan(first + operation, fault);
    let content = bytes(size, 3);
    let answer = core.put(&at("key"), body(&content), PutOptions::default()).await;
    let reached = drives[1].operations() > first + operation;
    let done = match answer {
        Ok(_) => true,
        Err(WriteError::Storage(StorageError::Busy)) => false,
        Err(other) => panic!("{size} {operation} {fault:?}: {other:?}"),
    };
    if done {
        assert!(get(&core, "key").await.unwrap() == content);
    } else {
        assert!(matches!(get(&core, "key").await, Err(ReadError::NoSuchKey)));
        put(&core, "key", &content).await;
    }
    let stands = state(&core, 1);
    core.inner.healer.repairs.settle().await;
    core.close().await;
    // Nothing that was left half done counts after a restart.
    let core = open(&again(&drives), 64 << 20).await;
    assert!(get(&core, "key").await.unwrap() == content, "{size} {operation} {fault:?}");
    core.close().await;
    reached.then_some((stands, done))
}

#[tokio::test]
async fn a_shortage_in_any_write_takes_no_drive_out_but_in_a_sync_it_does() {
    for (size, fault) in [
        (10, Fault::Shortage),
        (10, Fault::ShortageAfter(70)),
        (200 * KIB, Fault::Shortage),
        (200 * KIB, Fault::ShortageAfter(70)),
    ] {
        let (mut out, mut refused) = (0, 0);
        for operation in 0.. {
            let Some((stands, done)) = put_short(size, operation, fault).await else { break };
            out += usize::from(stands == SlotState::Out);
            refused += usize::from(!done);
        }
        // An inline object has one sync; a shard file has two and its record one.
        assert_eq!(out, if size == 10 { 1 } else { 3 }, "{size} {fault:?}");
        assert_eq!(refused > 0, size != 10, "{size} {fault:?}");
    }
}

#[tokio::test]
async fn without_room_for_a_new_segment_a_write_is_refused_before_any_effect_and_may_come_again() {
    let (drives, core) = new_core(64 << 20).await;
    core.close().await;
    let mut refused = 0;
    for segment_bytes in (1000..6000).step_by(50) {
        // The last segment has no room left for the object in some of these.
        let drives = again(&drives);
        let core = open(&drives, segment_bytes).await;
        // The full segment is synced first, then the new one created.
        drives[2].plan(drives[2].operations() + 1, Fault::Shortage);
        let content = bytes(300, segment_bytes);
        match core.put(&at("key"), body(&content), PutOptions::default()).await {
            // There was room: it was the sync of the record that failed.
            Ok(_) => assert_eq!(state(&core, 2), SlotState::Out),
            Err(WriteError::Storage(StorageError::Busy)) => {
                refused += 1;
                assert!(matches!(get(&core, "key").await, Err(ReadError::NoSuchKey)));
                put(&core, "key", &content).await;
                assert_eq!(state(&core, 2), SlotState::Online);
            }
            Err(other) => panic!("{other:?}"),
        }
        assert!(get(&core, "key").await.unwrap() == content);
        core.close().await;
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn reads_without_open_files_are_refused_and_ask_for_no_repair() {
    let (drives, core) = new_core(64 << 20).await;
    let objects: Vec<(String, Bytes)> =
        [10, 4 * KIB, 300 * KIB, 2 * MIB].map(|size| (format!("{size}"), bytes(size, 5))).into();
    for (key, content) in &objects {
        put(&core, key, content).await;
    }
    drives.iter().for_each(|drive| drive.starve(true));
    for (key, _) in &objects {
        let refused = get(&core, key).await;
        assert!(matches!(refused, Err(ReadError::Storage(StorageError::Busy))), "{key}: {refused:?}");
    }
    drives[1..].iter().for_each(|drive| drive.starve(false));
    for (key, content) in &objects {
        assert!(get(&core, key).await.unwrap() == *content, "{key}");
    }
    assert_eq!(core.status().heal.repairs_pending, 0);
    drives[0].starve(false);
    assert!((0..4).all(|slot| state(&core, slot) == SlotState::Online));
    assert_eq!(core.scrub().await.unwrap().repaired, 0);
    core.close().await;
}
