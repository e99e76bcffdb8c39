use std::sync::Arc;

use bytes::Bytes;

use crate::core::ObjectCore;
use crate::drive::{Drive, Fault, FileDrive, SimDrive};
use crate::set::{OpenError, SlotState};
use crate::settings::Settings;
use crate::testing::{KIB, MIB, at, body, bucket, bytes, get, put};
use crate::types::{Attributes, CompletePart, PutIf, PutOptions, ReadError, StorageError, WriteError};

fn drives(count: usize) -> Vec<Arc<SimDrive>> {
    (0..count).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect()
}

async fn open(drives: &[Arc<SimDrive>]) -> ObjectCore {
    try_open(drives).await.unwrap()
}

async fn try_open(drives: &[Arc<SimDrive>]) -> Result<ObjectCore, OpenError> {
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    ObjectCore::open(Settings::default(), drives).await
}

/// The same drives as after a restart of the machine.
fn again(drives: &[Arc<SimDrive>]) -> Vec<Arc<SimDrive>> {
    drives.iter().map(|drive| Arc::new(drive.copy())).collect()
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
        // What was acknowledged is on all drives, also right after a start: no read waits for it.
        let set = core.set_of(&at(key));
        let stored = crate::object::key::object(&at(key));
        let entry = set.log.get(crate::set::Space::Object, &stored).unwrap().unwrap();
        assert!(set.log.is_applied(entry.seq), "{key}");
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
async fn damaged_log_records_are_read_around_and_repaired() {
    for (count, bad) in [(4, 2), (6, 3)] {
        let drives = drives(count);
        let core = open(&drives).await;
        let objects = fill(&core).await;
        for drives in [&drives[..bad], &drives[count - bad..]] {
            for drive in drives {
                for (file, (name, length)) in drive.files().into_iter().enumerate() {
                    if name.starts_with("Segment(") {
                        (500..length).step_by(60).for_each(|offset| drive.flip(file, offset, 0x04));
                    }
                }
            }
            check(&core, &objects).await;
            assert_whole(&core).await;
        }
        check(&core, &objects).await;
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

#[tokio::test]
async fn with_as_many_drives_removed_as_there_is_parity_everything_reads_and_writes() {
    for (count, lost) in [(2, 1), (3, 1), (4, 2), (6, 3)] {
        let all = drives(count);
        let core = open(&all).await;
        let mut objects = fill(&core).await;
        core.close().await;
        let kept = again(&all[lost..]);
        let core = open(&kept).await;
        check(&core, &objects).await;
        if kept.len() > count - lost.min(1) || count < 4 {
            let content = bytes(300 * KIB, 9);
            put(&core, "while-away", &content).await;
            objects.push(("while-away".to_owned(), content));
        }
        check(&core, &objects).await;
        core.close().await;
        // They come back, behind.
        let mut back = again(&all[..lost]);
        back.extend(again(&kept));
        let core = open(&back).await;
        check(&core, &objects).await;
        core.inner.fills.settle().await;
        assert_whole(&core).await;
        core.close().await;
        // What was made again on them is all there: now the others go.
        let core = open(&again(&back[..count - lost])).await;
        check(&core, &objects).await;
    }
}

#[tokio::test]
async fn replaced_drives_are_filled() {
    for (count, replaced) in [(2, 1), (4, 2), (6, 3)] {
        let all = drives(count);
        let core = open(&all).await;
        let objects = fill(&core).await;
        core.close().await;
        let mut changed = again(&all);
        for drive in changed.iter().take(replaced) {
            drive.wipe();
        }
        let core = open(&changed).await;
        check(&core, &objects).await;
        core.inner.fills.settle().await;
        assert!(core.status().heal.fills.is_empty());
        assert_whole(&core).await;
        core.close().await;
        changed.truncate(count - replaced);
        let core = open(&again(&changed)).await;
        check(&core, &objects).await;
    }
}

#[tokio::test]
async fn a_drive_is_not_filled_before_all_it_lacks_could_be_made_again() {
    // Whether the drive that goes is known to be out before the fill looks for it, and which is replaced.
    for (known, gone, replaced) in [(false, 1, 2), (true, 1, 2), (true, 2, 0)] {
        let all = drives(3);
        let core = open(&all).await;
        let mut objects = fill(&core).await;
        core.close().await;
        let first = again(&all);
        first[replaced].wipe();
        let core = open(&first).await;
        // The fill has not begun: nothing was waited for since.
        first[gone].die();
        let states = |core: &ObjectCore| -> Vec<SlotState> {
            core.inner.sets[0].log.slots().iter().map(|slot| slot.state()).collect()
        };
        if known {
            core.inner.sets[0].log.slots()[gone].fail("pulled");
        }
        core.inner.fills.settle().await;
        assert_eq!(states(&core)[replaced], SlotState::Filling);
        for size in [10, 300 * KIB] {
            let (key, content) = (format!("while-away-{size}"), bytes(size, 9));
            put(&core, &key, &content).await;
            assert!(get(&core, &key).await.unwrap() == content);
            objects.push((key, content));
        }
        assert_eq!(states(&core)[gone], SlotState::Out);
        core.inner.healer.repairs.settle().await;
        core.close().await;
        let second = again(&first);
        let core = open(&second).await;
        core.inner.fills.settle().await;
        check(&core, &objects).await;
        assert_whole(&core).await;
        core.close().await;
        // Each of them may go now.
        for lost in 0..3 {
            let mut kept = again(&second);
            kept.remove(lost);
            let core = open(&kept).await;
            check(&core, &objects).await;
            core.close().await;
        }
    }
}

#[tokio::test]
async fn a_drive_that_answers_and_cannot_be_read_keeps_another_from_counting_as_filled() {
    let all = drives(3);
    let core = open(&all).await;
    let objects = fill(&core).await;
    core.close().await;
    let first = again(&all);
    first[2].wipe();
    let core = open(&first).await;
    // The fill has not begun: nothing was waited for since.
    for segment in first[1].segments().unwrap() {
        first[1].fail_reads(segment);
    }
    core.inner.fills.settle().await;
    assert_eq!(core.inner.sets[0].log.slots()[2].state(), SlotState::Filling);
    core.inner.healer.repairs.settle().await;
    core.close().await;
    let second = again(&first);
    let core = open(&second).await;
    core.inner.fills.settle().await;
    check(&core, &objects).await;
    assert_whole(&core).await;
    core.close().await;
}

#[tokio::test]
async fn an_entry_beyond_repair_is_tried_a_few_times_and_then_left_to_the_scrub() {
    let drives = drives(4);
    let core = open(&drives).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let content = bytes(300, 1);
    put(&core, "key", &content).await;
    let flip = || {
        for drive in &drives[..3] {
            for (file, (name, length)) in drive.files().into_iter().enumerate() {
                if name.starts_with("Segment(") {
                    (500..length).step_by(60).for_each(|offset| drive.flip(file, offset, 0x04));
                }
            }
        }
    };
    flip();
    let repairs = &core.inner.healer.repairs;
    let key = crate::object::key::object(&at("key"));
    while !repairs.is_given_up(0, crate::set::Space::Object, &key) {
        assert!(get(&core, "key").await.is_err());
        repairs.settle().await;
    }
    for _ in 0..20 {
        assert!(get(&core, "key").await.is_err());
        tokio::task::yield_now().await;
        assert_eq!(repairs.pending(), 0);
    }
    // Whole again, it is looked after again.
    flip();
    assert_eq!(core.scrub().await.unwrap().failed, 0);
    assert!(!repairs.is_given_up(0, crate::set::Space::Object, &key));
    assert!(get(&core, "key").await.unwrap() == content);
}

#[tokio::test]
async fn what_is_beyond_repair_on_all_drives_does_not_keep_a_drive_from_being_filled() {
    let all = drives(3);
    let core = open(&all).await;
    let objects = fill(&core).await;
    core.close().await;
    let changed = again(&all);
    changed[2].wipe();
    for (file, length) in shard_files(&changed[1]) {
        changed[1].flip(file, length / 2, 0x10);
    }
    let core = open(&changed).await;
    core.inner.fills.settle().await;
    assert!(core.inner.sets[0].log.slots().iter().all(|slot| slot.state() == SlotState::Online));
    for (key, content) in objects.iter().filter(|(_, content)| content.len() <= 128 * KIB) {
        assert!(get(&core, key).await.unwrap() == *content, "{key}");
    }
    core.close().await;
}

#[tokio::test]
async fn one_drive_too_few_opens_nothing() {
    for (count, lost) in [(1, 1), (2, 2), (4, 3), (6, 4)] {
        let all = drives(count);
        let core = open(&all).await;
        fill(&core).await;
        core.close().await;
        assert!(try_open(&again(&all[lost..])).await.is_err());
    }
}

#[tokio::test]
async fn every_flipped_byte_of_a_small_object_is_found_and_repaired() {
    let drives = drives(4);
    let core = open(&drives).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let content = bytes(300, 1);
    put(&core, "key", &content).await;
    let log = |drive: &SimDrive| {
        let files = drive.files();
        files.iter().position(|(name, _)| name.starts_with("Segment(")).map(|at| (at, files[at].1)).unwrap()
    };
    // The record of the object is the last; its shard is somewhere in these bytes.
    for drive in &drives[..2] {
        let (file, length) = log(drive);
        for offset in (length.saturating_sub(700)..length).step_by(7) {
            drive.flip(file, offset, 0x20);
            assert!(get(&core, "key").await.unwrap() == content);
            drive.flip(file, offset, 0x20);
        }
    }
    core.inner.healer.repairs.settle().await;
    assert!(get(&core, "key").await.unwrap() == content);
}

#[tokio::test]
async fn a_drive_that_fails_while_an_object_is_written_is_left_out() {
    let all = drives(4);
    let core = open(&all).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let content = bytes(2 * MIB, 1);
    all[1].plan(all[1].operations() + 2, Fault::FailBefore);
    put(&core, "key", &content).await;
    assert!(get(&core, "key").await.unwrap() == content);
    let out = core.inner.sets[0].log.slots().iter().filter(|slot| slot.state() == SlotState::Out).count();
    assert_eq!(out, 1);
    core.close().await;
    let core = open(&again(&all)).await;
    core.inner.fills.settle().await;
    assert_whole(&core).await;
    assert!(get(&core, "key").await.unwrap() == content);
}

#[tokio::test]
async fn full_drives_refuse_before_any_effect_and_still_delete() {
    let all = drives(4);
    let core = open(&all).await;
    let objects = fill(&core).await;
    for drive in &all {
        drive.set_free_bytes(0);
    }
    // What is known of a drive's room is from the last batch.
    put(&core, "last", &bytes(1, 1)).await;
    for size in [10, MIB] {
        let content = bytes(size, 1);
        let refused = core.put(&at("new"), body(&content), PutOptions::default()).await;
        assert!(matches!(refused, Err(WriteError::Storage(StorageError::Full))), "{size}: {refused:?}");
    }
    check(&core, &objects).await;
    assert!(matches!(get(&core, "new").await, Err(ReadError::NoSuchKey)));
    for (key, _) in &objects {
        assert!(core.delete(&at(key), PutIf::Always).await.unwrap().existed);
    }
}

#[tokio::test]
async fn orphans_are_swept_at_the_start_and_nothing_else() {
    let all = drives(4);
    let core = open(&all).await;
    let objects = fill(&core).await;
    let upload = core.create_upload(&at("open"), Attributes::default(), None).await.unwrap();
    let part =
        core.put_part(&at("open"), &upload, 1, body(&bytes(9, 1)), PutOptions::default()).await.unwrap();
    core.close().await;
    let after = again(&all);
    for drive in &after {
        let mut orphan = drive.create_shard(42).unwrap();
        orphan.write(b"left by a crash").unwrap();
        orphan.finish().unwrap();
    }
    let core = open(&after).await;
    core.inner.swept.settle().await;
    for drive in &after {
        assert!(!drive.list_shards().unwrap().contains(&42));
    }
    check(&core, &objects).await;
    let named = [CompletePart { number: 1, etag: part.etag, checksum: None }];
    core.complete_upload(&at("open"), &upload, &named, Default::default()).await.unwrap();
    assert!(get(&core, "open").await.unwrap() == bytes(9, 1));
}

#[tokio::test]
async fn on_files_objects_survive_a_restart_and_the_loss_of_shard_files() {
    let root = tempfile::tempdir().unwrap();
    let open = async || {
        let paths = (0..4).map(|number| root.path().join(format!("drive{number}")));
        let drives = paths.map(|path| Arc::new(FileDrive::open(&path).unwrap()) as Arc<dyn Drive>);
        let mut settings = Settings::default();
        settings.set.reserve_bytes = 0;
        ObjectCore::open(settings, drives.collect()).await.unwrap()
    };
    let core = open().await;
    let objects = fill(&core).await;
    check(&core, &objects).await;
    core.close().await;
    drop(core);
    for drive in ["drive1", "drive2"] {
        let mut lost = 0;
        let mut directories = vec![root.path().join(drive).join("shard")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => directories.push(path),
                    // Every other file is cut, the rest is gone.
                    false if lost % 2 == 0 => std::fs::remove_file(path).unwrap(),
                    false => std::fs::File::options().write(true).open(path).unwrap().set_len(1000).unwrap(),
                }
                lost += 1;
            }
        }
        assert!(lost > 0);
    }
    let core = open().await;
    check(&core, &objects).await;
    assert_whole(&core).await;
    core.close().await;
}
