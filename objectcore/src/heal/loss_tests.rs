//! Every set of drives that the parity covers, lost in every way; and one drive more.

use std::sync::Arc;

use bytes::Bytes;

use super::Pace;
use super::scrub::ScrubReport;
use crate::core::ObjectCore;
use crate::drive::{Drive, SimDrive};
use crate::set::{SlotState, Space};
use crate::settings::Settings;
use crate::testing::{at, body, bucket, bytes, get, put};
use crate::types::{Attributes, CompletePart, PutOptions};

/// The smallest sizes at which everything happens: objects of several stripes of several blocks.
fn settings() -> Settings {
    let mut settings = Settings { inline_bytes_max: 400, part_bytes_min: 1, ..Settings::default() };
    settings.set.stripe_bytes = 1024;
    settings.set.block_bytes = 128;
    settings
}

async fn open(drives: &[Arc<SimDrive>]) -> ObjectCore {
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    ObjectCore::open(settings(), drives).await.unwrap()
}

fn again(drives: &[Arc<SimDrive>]) -> Vec<Arc<SimDrive>> {
    drives.iter().map(|drive| Arc::new(drive.copy())).collect()
}

/// Closed drives with an empty object, an inline one, one of one stripe, one of several, and one of parts.
async fn example(count: usize) -> (Vec<Arc<SimDrive>>, Vec<(String, Bytes)>) {
    let drives: Vec<Arc<SimDrive>> =
        (0..count).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
    let core = open(&drives).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let mut objects = Vec::new();
    for size in [0, 300, 1000, 2600] {
        let (key, content) = (format!("object-{size}"), bytes(size, size as u64));
        put(&core, &key, &content).await;
        objects.push((key, content));
    }
    let parts = [bytes(1500, 77), bytes(10, 78)];
    let upload = core.create_upload(&at("parts"), Attributes::default(), None).await.unwrap();
    let mut named = Vec::new();
    for (number, content) in (1..).zip(&parts) {
        let part = core.put_part(&at("parts"), &upload, number, body(content), PutOptions::default()).await;
        named.push(CompletePart { number, etag: part.unwrap().etag, checksum: None });
    }
    core.complete_upload(&at("parts"), &upload, &named, Default::default()).await.unwrap();
    objects.push(("parts".to_owned(), Bytes::from(parts.concat())));
    core.close().await;
    (drives, objects)
}

/// All sets of `size` of `count` drives.
fn subsets(count: usize, size: u32) -> impl Iterator<Item = Vec<usize>> {
    let all = (0u32..1 << count).filter(move |mask| mask.count_ones() == size);
    all.map(move |mask| (0..count).filter(|drive| mask >> drive & 1 == 1).collect())
}

async fn check(core: &ObjectCore, objects: &[(String, Bytes)], what: &str) {
    for (key, content) in objects {
        assert!(get(core, key).await.unwrap() == *content, "{key}: {what}");
    }
}

async fn assert_whole(core: &ObjectCore, what: &str) {
    core.inner.fills.settle().await;
    core.inner.healer.repairs.settle().await;
    assert_eq!(core.scrub().await.unwrap().failed, 0, "{what}");
    assert_eq!(core.scrub().await.unwrap().repaired, 0, "{what}");
    let slots = core.status().sets.remove(0).slots;
    assert!(slots.iter().all(|slot| slot.state == SlotState::Online), "{what}: {slots:?}");
}

/// How a drive is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// It is gone, and a blank one takes its place.
    Replaced,
    /// Bytes of every block and record are flipped while it is in use.
    Corrupted,
    /// Bytes of every block of its shard files are.
    ShardsCorrupted,
    /// All its files are cut to a third.
    Cut,
}

fn corrupt(drive: &SimDrive, loss: Loss) {
    for (file, (name, length)) in drive.files().into_iter().enumerate() {
        let hit = match loss {
            Loss::Corrupted => name.starts_with("Segment(") || name.starts_with("Shard("),
            Loss::ShardsCorrupted => name.starts_with("Shard("),
            Loss::Replaced | Loss::Cut => false,
        };
        if hit {
            (0..length).step_by(40).for_each(|offset| drive.flip(file, offset, 0x04));
        }
    }
}

async fn lose(base: &[Arc<SimDrive>], lost: &[usize], loss: Loss) -> (Vec<Arc<SimDrive>>, ObjectCore) {
    let drives = again(base);
    for drive in lost.iter().map(|slot| &drives[*slot]) {
        match loss {
            Loss::Replaced => drive.wipe(),
            Loss::Corrupted | Loss::ShardsCorrupted => {}
            Loss::Cut => {
                for (file, (name, length)) in drive.files().into_iter().enumerate() {
                    if name != "Format" {
                        drive.cut(file, length / 3);
                    }
                }
            }
        }
    }
    let core = open(&drives).await;
    lost.iter().for_each(|slot| corrupt(&drives[*slot], loss));
    (drives, core)
}

async fn every_loss(count: usize, parity: u32) {
    let (base, objects) = example(count).await;
    for lost in subsets(count, parity) {
        let what = format!("{count} drives without {lost:?}");
        let left: Vec<Arc<SimDrive>> = again(&base)
            .into_iter()
            .enumerate()
            .filter(|(slot, _)| !lost.contains(slot))
            .map(|(_, drive)| drive)
            .collect();
        let core = open(&left).await;
        check(&core, &objects, &what).await;
        core.close().await;
        for loss in [Loss::Replaced, Loss::Corrupted, Loss::ShardsCorrupted, Loss::Cut] {
            let what = format!("{loss:?}: {what}");
            let (drives, core) = lose(&base, &lost, loss).await;
            check(&core, &objects, &what).await;
            assert_whole(&core, &what).await;
            core.close().await;
            if loss == Loss::Corrupted {
                // The damaged segment is still in the log: whoever reads that from its beginning finds it again.
                continue;
            }
            // What was made again is all there: the drives that were not lost may go now.
            let mut kept = again(&drives);
            let mut gone = 0;
            kept.retain(|drive| {
                let number: usize = drive.label()["sim-".len()..].parse().unwrap();
                let go = !lost.contains(&number) && gone < parity;
                gone += u32::from(go);
                !go
            });
            let core = open(&kept).await;
            check(&core, &objects, &what).await;
            core.close().await;
        }
    }
    for lost in subsets(count, parity + 1) {
        let (_, core) = lose(&base, &lost, Loss::Corrupted).await;
        for (key, content) in &objects {
            let read = get(&core, key).await;
            assert_eq!(read.is_ok(), content.is_empty(), "{key}: {count} drives without {lost:?}");
        }
        core.close().await;
    }
}

#[tokio::test]
async fn two_of_four_drives_lost_in_any_way_cost_nothing_and_three_are_an_error() {
    every_loss(4, 2).await;
}

#[tokio::test]
async fn three_of_six_drives_lost_in_any_way_cost_nothing_and_four_are_an_error() {
    every_loss(6, 3).await;
}

#[tokio::test]
async fn every_byte_of_every_shard_file_of_three_drives_flipped_is_served_and_repaired() {
    let drives: Vec<Arc<SimDrive>> =
        (0..3).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
    let core = open(&drives).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    let content = bytes(1300, 1);
    put(&core, "key", &content).await;
    let key = crate::object::key::object(&at("key"));
    let mut flips = 0;
    for drive in &drives {
        let files = drive.files().into_iter().enumerate();
        for (file, (_, length)) in files.filter(|(_, (name, _))| name.starts_with("Shard(")) {
            for offset in 0..length {
                drive.flip(file, offset, [0x01, 0x80, 0xff][offset % 3]);
                assert!(get(&core, "key").await.unwrap() == content, "{offset}");
                core.inner.healer.repairs.settle().await;
                let mut report = ScrubReport::default();
                core.scrub_entry(&core.inner.sets[0], (Space::Object, &key), Pace::Full, &mut report).await;
                assert_eq!(report.failed, 0, "{offset}");
                flips += 1;
            }
        }
    }
    assert!(flips > 2000, "{flips}");
    assert_whole(&core, "all bytes flipped").await;
    core.close().await;
}
