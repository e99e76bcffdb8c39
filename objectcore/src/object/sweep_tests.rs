//! Sweeps while the core works.

use std::sync::Arc;

use crate::core::ObjectCore;
use crate::drive::{Drive, SimDrive};
use crate::erasure::layout::BlobId;
use crate::object::blob_writer::BlobWriter;
use crate::object::sweep::sweep_again;
use crate::settings::Settings;
use crate::testing::{KIB, MIB, at, body, bucket, bytes, get, put};
use crate::types::{Attributes, CompletePart, PutIf, PutOptions, StorageError};

fn drives() -> Vec<Arc<SimDrive>> {
    (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect()
}

async fn open(drives: &[Arc<SimDrive>]) -> ObjectCore {
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    let core = ObjectCore::open(Settings::default(), drives).await.unwrap();
    core.create_bucket(&bucket("bucket")).await.unwrap();
    core
}

fn leave_orphan(drives: &[Arc<SimDrive>], id: u128) {
    for drive in drives {
        let mut orphan = drive.create_shard(id).unwrap();
        orphan.write(b"a write that failed midway").unwrap();
        orphan.finish().unwrap();
    }
}

fn holds(drive: &SimDrive, id: u128) -> bool {
    drive.list_shards().unwrap().contains(&id)
}

#[tokio::test]
async fn a_sweep_at_work_takes_orphans_and_spares_a_blob_that_waits_for_its_commit() {
    let drives = drives();
    let core = open(&drives).await;
    let set = &core.inner.sets[0];
    let content = bytes(MIB, 1);
    put(&core, "kept", &content).await;
    leave_orphan(&drives, 42);
    let id = BlobId::from_number(7);
    let writer = BlobWriter::new(Arc::clone(set), id);
    let writer = writer.write_stripe(MIB, Arc::new(bytes(MIB, 2).to_vec())).await.unwrap();
    let finished = writer.finish().await.unwrap();
    sweep_again(&core, set).await.unwrap();
    assert!(drives.iter().all(|drive| holds(drive, 7) && !holds(drive, 42)));
    drop(finished);
    sweep_again(&core, set).await.unwrap();
    assert!(!drives.iter().any(|drive| holds(drive, 7)), "no entry came to name it");
    assert!(get(&core, "kept").await.unwrap() == content);
    core.close().await;
}

#[tokio::test]
async fn a_set_that_takes_no_writes_is_not_swept() {
    let drives = drives();
    let core = open(&drives).await;
    let set = &core.inner.sets[0];
    leave_orphan(&drives, 42);
    for slot in [0, 1] {
        set.log.slots()[slot].fail("it died");
    }
    // The outcome of a write may be unknown: its entry may be there after the next start.
    assert!(matches!(sweep_again(&core, set).await, Err(StorageError::TooFewDrives { .. })));
    assert!(holds(&drives[2], 42));
    core.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_beside_puts_parts_and_deletions_take_nothing_that_counts() {
    let drives = drives();
    let core = open(&drives).await;
    let set = Arc::clone(&core.inner.sets[0]);
    let writing = async {
        for round in 0..12u64 {
            let content = bytes(300 * KIB, round);
            let key = format!("key-{}", round % 3);
            put(&core, &key, &content).await;
            let upload = core.create_upload(&at("parts"), Attributes::default(), None).await.unwrap();
            let parts = [bytes(5 * MIB, round), bytes(9, round)];
            let mut named = Vec::new();
            for (number, part) in (1..).zip(&parts) {
                let kept =
                    core.put_part(&at("parts"), &upload, number, body(part), PutOptions::default()).await;
                named.push(CompletePart { number, etag: kept.unwrap().etag, checksum: None });
            }
            core.complete_upload(&at("parts"), &upload, &named, Default::default()).await.unwrap();
            assert!(get(&core, "parts").await.unwrap() == parts.concat());
            assert!(get(&core, &key).await.unwrap() == content);
            if round % 4 == 3 {
                core.delete(&at(&key), PutIf::Always).await.unwrap();
            }
        }
    };
    let sweeping = async {
        loop {
            sweep_again(&core, &set).await.unwrap();
        }
    };
    tokio::select! {
        () = writing => {}
        () = sweeping => {}
    }
    core.inner.removals.settle().await;
    sweep_again(&core, &set).await.unwrap();
    // Two keys of one blob each, and an object of two parts.
    for drive in &drives {
        assert_eq!(drive.list_shards().unwrap().len(), 4);
    }
    core.close().await;
}
