use std::sync::Arc;

use bytes::Bytes;

use crate::core::ObjectCore;
use crate::drive::{Drive, SimDrive};
use crate::set::SlotState;
use crate::settings::Settings;
use crate::testing::{KIB, MIB, at, body, bucket, bytes, get, put};
use crate::types::{Attributes, CompletePart, PutOptions, ReadError, StorageError};

fn drives(count: usize) -> Vec<Arc<SimDrive>> {
    (0..count).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect()
}

async fn open(drives: &[Arc<SimDrive>]) -> ObjectCore {
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    ObjectCore::open(Settings::default(), drives).await.unwrap()
}

/// Some objects of every kind of layout.
async fn fill(core: &ObjectCore) -> Vec<(String, Bytes)> {
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let mut objects = Vec::new();
    for (seed, size) in [0, 1, 65, 4095, 128 * KIB, 128 * KIB + 1, 2 * MIB + 99].into_iter().enumerate() {
        let content = bytes(size, seed as u64);
        let key = format!("object-{size}");
        put(core, &key, &content).await;
        objects.push((key, content));
    }
    let parts = [bytes(5 * MIB, 77), bytes(10, 78)];
    let upload = core.create_upload(&at("parts"), Attributes::default(), None).await.unwrap();
    let mut named = Vec::new();
    for (number, content) in (1..).zip(&parts) {
        let part = core.put_part(&at("parts"), &upload, number, body(content), PutOptions::default()).await;
        named.push(CompletePart { number, etag: part.unwrap().etag, checksum: None });
    }
    core.complete_upload(&at("parts"), &upload, &named, Default::default()).await.unwrap();
    objects.push(("parts".to_owned(), Bytes::from(parts.concat())));
    objects
}

async fn check(core: &ObjectCore, objects: &[(String, Bytes)]) {
    for (key, content) in objects {
        assert!(get(core, key).await.unwrap() == *content, "{key}");
    }
}

/// After the repairs that reads asked for and one scrub, all shards are intact on all drives.
async fn assert_whole(core: &ObjectCore) {
    core.inner.healer.repairs.settle().await;
    let first = core.scrub().await.unwrap();
    assert_eq!(first.failed, 0);
    let second = core.scrub().await.unwrap();
    assert_eq!((second.repaired, second.failed), (0, 0));
    let set = &core.inner.sets[0];
    assert!(set.log.slots().iter().all(|slot| slot.state() == SlotState::Online));
}

/// The shard files of a drive: their place in the list of files, and their length.
fn shard_files(drive: &SimDrive) -> Vec<(usize, usize)> {
    let files = drive.files().into_iter().enumerate();
    let shards = files.filter(|(_, (name, _))| name.starts_with("Shard("));
    let shards: Vec<(usize, usize)> = shards.map(|(at, (_, length))| (at, length)).collect();
    assert!(!shards.is_empty());
    shards
}

#[tokio::test]
async fn damaged_shard_files_are_read_around_and_repaired() {
    for (count, bad) in [(4, 2), (6, 3)] {
        let drives = drives(count);
        let core = open(&drives).await;
        let objects = fill(&core).await;
        for drive in drives.iter().take(bad) {
            for (file, length) in shard_files(drive) {
                drive.flip(file, length / 2, 0x10);
                drive.flip(file, length - 1, 0x01);
            }
        }
        check(&core, &objects).await;
        assert_whole(&core).await;
        for drive in drives.iter().skip(1).take(bad) {
            for (file, length) in shard_files(drive) {
                drive.cut(file, length / 3);
            }
        }
        check(&core, &objects).await;
        assert_whole(&core).await;
    }
}

#[tokio::test]
async fn more_shards_lost_than_parity_are_an_error_never_wrong_bytes() {
    let drives = drives(4);
    let core = open(&drives).await;
    let objects = fill(&core).await;
    for drive in drives.iter().take(3) {
        for (file, length) in shard_files(drive) {
            drive.flip(file, length / 2, 0x10);
        }
    }
    for (key, content) in &objects {
        match get(&core, key).await {
            Ok(got) => assert!(got == *content, "{key}"),
            Err(ReadError::Storage(StorageError::Damaged { intact: 1, needed: 2 })) => {}
            Err(other) => panic!("{key}: {other:?}"),
        }
    }
    assert!(get(&core, "parts").await.is_err());
}
