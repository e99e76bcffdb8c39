//! Scans against listings and models.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Moment, ScanDepth, ScanError, ScanOptions, ScanRows};
use crate::core::ObjectCore;
use crate::drive::{Drive, FileDrive, Hang, SimDrive};
use crate::set::{Slot, SlotState};
use crate::settings::Settings;
use crate::testing::{at, bucket, bytes, core, put};
use crate::types::{Attributes, Body, ETag, ListOptions, PutIf, PutOptions};

fn settings(parity: u8) -> Settings {
    let mut settings = Settings { parity: Some(parity), ..Settings::default() };
    settings.set.reserve_bytes = 0;
    settings
}

async fn over(drives: Vec<Arc<dyn Drive>>, settings: Settings) -> ObjectCore {
    let core = ObjectCore::open(settings, drives).await.unwrap();
    core.create_bucket(&bucket("bucket")).await.unwrap();
    core
}

fn sims(drives: &[SimDrive]) -> Vec<Arc<dyn Drive>> {
    drives.iter().map(|drive| Arc::new(drive.clone()) as Arc<dyn Drive>).collect()
}

async fn all(core: &ObjectCore, options: &ScanOptions) -> Result<Vec<ScanRows>, ScanError> {
    let mut scan = core.scan(&bucket("bucket"), options)?;
    let mut batches = Vec::new();
    while let Some(rows) = scan.next().await? {
        assert!(!rows.is_empty(), "a batch has an object");
        batches.push(rows);
    }
    Ok(batches)
}

/// Key, size and tag of each object.
fn flat(batches: &[ScanRows]) -> Vec<(String, u64, ETag)> {
    let tag = |rows: &ScanRows, at: usize| {
        let digest = hex::encode(rows.tags[at].digest);
        ETag(rows.tags[at].parts.map_or(digest.clone(), |parts| format!("{digest}-{parts}")))
    };
    let each = |rows: &ScanRows| -> Vec<_> {
        (0..rows.len()).map(|at| (rows.key(at).to_owned(), rows.sizes[at], tag(rows, at))).collect()
    };
    batches.iter().flat_map(each).collect()
}

async fn listed(core: &ObjectCore, prefix: &str) -> Vec<(String, u64, ETag)> {
    let options = ListOptions { prefix: prefix.into(), limit: 100_000, ..ListOptions::default() };
    let page = core.list(&bucket("bucket"), &options).await.unwrap();
    page.objects
        .into_iter()
        .map(|object| (object.key.as_str().to_owned(), object.size, object.etag))
        .collect()
}

async fn fill(core: &ObjectCore, count: usize) {
    for number in 0..count {
        put(core, &format!("{}/{number}", number % 7), &bytes(number % 5, number as u64)).await;
    }
}

fn of(moment: &Arc<Moment>) -> ScanOptions {
    ScanOptions { moment: Some(Arc::clone(moment)), ..ScanOptions::default() }
}

async fn check_against_listing(core: &ObjectCore) {
    fill(core, 300).await;
    let moment = Arc::new(core.moment().await.unwrap());
    for moment in [None, Some(moment)] {
        let options = |prefix: &str, after: Option<&str>, through: Option<&str>| ScanOptions {
            prefix: prefix.into(),
            after: after.map(Into::into),
            through: through.map(Into::into),
            moment: moment.clone(),
            depth: ScanDepth::Listing,
        };
        for prefix in ["", "3", "3/", "3/1", "9"] {
            let rows = flat(&all(core, &options(prefix, None, None)).await.unwrap());
            assert_eq!(rows, listed(core, prefix).await, "{prefix}");
        }
        for (after, through) in [("1/8", "4/19"), ("3/10", "3/10"), ("5", "2"), ("", "3/\u{10ffff}")] {
            let rows = flat(&all(core, &options("3/", Some(after), Some(through))).await.unwrap());
            let expected: Vec<_> = listed(core, "3/")
                .await
                .into_iter()
                .filter(|(key, ..)| key.as_str() > after && key.as_str() <= through)
                .collect();
            assert_eq!(rows, expected, "{after} to {through}");
        }
    }
}

#[tokio::test]
async fn a_scan_of_one_set_and_of_many_tells_what_a_listing_tells() {
    for drives in [1, 4, 18, 32] {
        let core = core(drives).await;
        check_against_listing(&core).await;
        core.close().await;
    }
}

#[tokio::test]
async fn a_scan_of_indexes_on_disk_tells_what_a_listing_tells() {
    let folder = tempfile::tempdir().unwrap();
    let drive = |number| FileDrive::open(&folder.path().join(format!("d{number}"))).unwrap();
    let drives = (0..2).map(|number| Arc::new(drive(number)) as Arc<dyn Drive>).collect();
    let core = over(drives, settings(1)).await;
    check_against_listing(&core).await;
    core.close().await;
}

#[tokio::test]
async fn other_buckets_and_uploads_are_not_in_it() {
    let core = core(2).await;
    for other in ["bucke0", "bucket-2", "bucket2"] {
        core.create_bucket(&bucket(other)).await.unwrap();
        let mut name = at("a");
        name.bucket = bucket(other);
        core.put(&name, Body::from_bytes(bytes(1, 1)), PutOptions::default()).await.unwrap();
    }
    core.create_upload(&at("upload"), Attributes::default(), None).await.unwrap();
    assert_eq!(all(&core, &ScanOptions::default()).await.unwrap(), []);
    assert!(matches!(
        core.scan(&bucket("nowhere"), &ScanOptions::default()),
        Err(ScanError::NoSuchBucket(_))
    ));
}

/// Attributes of which few fit into a batch.
fn long_attributes() -> Attributes {
    Attributes {
        content_type: Some("text/plain".into()),
        user: [("note".to_owned(), "n".repeat(60_000))].into(),
        ..Attributes::default()
    }
}

async fn fill_with_long_attributes(core: &ObjectCore, count: usize) {
    for number in 0..count {
        let options = PutOptions { attributes: long_attributes(), ..PutOptions::default() };
        core.put(&at(&format!("{number:03}")), Body::from_bytes(bytes(1, 1)), options).await.unwrap();
    }
}

#[tokio::test]
async fn attributes_are_there_when_they_are_asked_for_and_batches_end_before_they_are_too_large() {
    for drives in [1, 32] {
        let core = core(drives).await;
        fill_with_long_attributes(&core, 120).await;
        let options = ScanOptions { depth: ScanDepth::Attributes, ..ScanOptions::default() };
        let batches = all(&core, &options).await.unwrap();
        assert!(batches.len() > 2, "{}", batches.len());
        assert_eq!(flat(&batches), listed(&core, "").await);
        let expected = long_attributes();
        assert!(batches.iter().all(|rows| rows.attributes.len() == rows.len()));
        assert!(batches.iter().all(|rows| rows.attributes.iter().all(|of| *of == expected)));
        let without = all(&core, &ScanOptions::default()).await.unwrap();
        assert!(without.iter().all(|rows| rows.attributes.is_empty()));
        let rest = ScanOptions { after: Some("090".into()), through: Some("110".into()), ..options };
        let keys: Vec<String> = (91..=110).map(|number| format!("{number:03}")).collect();
        let rest = flat(&all(&core, &rest).await.unwrap());
        assert_eq!(rest.into_iter().map(|(key, ..)| key).collect::<Vec<_>>(), keys);
    }
}

#[tokio::test]
async fn a_moment_holds_what_was_there_then_whatever_is_written_later() {
    for drives in [1, 18] {
        let core = core(drives).await;
        fill(&core, 50).await;
        let before = listed(&core, "").await;
        let moment = Arc::new(core.moment().await.unwrap());
        fill(&core, 70).await;
        put(&core, "0/0", &bytes(100, 1)).await;
        core.delete(&at("1/1"), PutIf::Always).await.unwrap();
        assert_eq!(flat(&all(&core, &of(&moment)).await.unwrap()), before);
        assert_ne!(flat(&all(&core, &ScanOptions::default()).await.unwrap()), before);
    }
}

#[tokio::test]
async fn a_moment_on_disk_outlives_what_is_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let drive = Arc::new(FileDrive::open(folder.path()).unwrap()) as Arc<dyn Drive>;
    let core = over(vec![drive], settings(0)).await;
    fill(&core, 50).await;
    let before = listed(&core, "").await;
    let moment = Arc::new(core.moment().await.unwrap());
    for number in 0..50 {
        core.delete(&at(&format!("{}/{number}", number % 7)), PutIf::Always).await.unwrap();
    }
    assert_eq!(flat(&all(&core, &of(&moment)).await.unwrap()), before);
    assert!(all(&core, &ScanOptions::default()).await.unwrap().is_empty());
    core.close().await;
}

/// What becomes of the drive that a scan reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    Dies,
    Hangs,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_drive_goes_on_with_the_scan_of_one_that_fails_or_hangs() {
    for (mishap, is_moment) in
        [(Mishap::Dies, true), (Mishap::Dies, false), (Mishap::Hangs, true), (Mishap::Hangs, false)]
    {
        let drives = SimDrive::group(4);
        let mut settings = settings(2);
        settings.set.suspect_after = Duration::from_millis(20);
        let core = over(sims(&drives), settings).await;
        fill_with_long_attributes(&core, 200).await;
        let before = listed(&core, "").await;
        let moment = if is_moment { Some(Arc::new(core.moment().await.unwrap())) } else { None };
        let options = ScanOptions { depth: ScanDepth::Attributes, moment, ..ScanOptions::default() };
        let mut scan = core.scan(&bucket("bucket"), &options).unwrap();
        let mut rows = vec![scan.next().await.unwrap().unwrap()];
        let first = core.inner.sets[0].log.slots()[0].label().to_owned();
        let drive = drives.iter().find(|drive| drive.label() == first).unwrap();
        match mishap {
            Mishap::Dies => {
                drive.die();
                // A write finds out; its key is before what is left.
                put(&core, "000", &bytes(1, 1)).await;
                assert_eq!(core.inner.sets[0].log.slots()[0].state(), SlotState::Out);
            }
            Mishap::Hangs => drive.hang(Hang::Index),
        }
        while let Some(batch) = scan.next().await.unwrap() {
            rows.push(batch);
        }
        assert!(rows.len() > 4, "{mishap:?}: {} batches", rows.len());
        assert_eq!(flat(&rows), before, "{mishap:?}");
        drive.release();
    }
}

#[tokio::test]
async fn a_moment_is_given_up_after_a_while_and_says_so() {
    let drives = SimDrive::group(1);
    let settings = Settings { moment_age_max: Duration::ZERO, ..settings(0) };
    let core = over(sims(&drives), settings).await;
    fill(&core, 5).await;
    let moment = Arc::new(core.moment().await.unwrap());
    let mut scan = core.scan(&bucket("bucket"), &of(&moment)).unwrap();
    let ended = scan.next().await.unwrap_err();
    assert!(matches!(ended, ScanError::Expired { age_max_s: 0 }), "{ended}");
    assert!(matches!(scan.next().await, Err(ScanError::Over)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_write_waits_for_a_moment_and_none_that_began_later_is_in_it() {
    let drives = SimDrive::group(32);
    let core = over(sims(&drives), settings(4)).await;
    let key_of = |set: usize| {
        let keys = (0..).map(|number| format!("{set}/{number}"));
        keys.into_iter().find(|key| core.set_of(&at(key)).number == set).unwrap()
    };
    let (first, second) = (key_of(0), key_of(1));
    let busy: Vec<&str> = core.inner.sets[1].log.slots().iter().map(Slot::label).collect();
    let drives_of_second = || drives.iter().filter(|drive| busy.contains(&drive.label()));
    drives_of_second().for_each(|drive| drive.hang(Hang::Changes));
    let slow = tokio::spawn({
        let (core, second) = (core.clone(), second.clone());
        async move { put(&core, &second, &bytes(1, 1)).await }
    });
    while drives_of_second().all(|drive| drive.hanging() == 0) {
        tokio::task::yield_now().await;
    }
    let mut taking = Box::pin(core.moment());
    tokio::select! {
        biased;
        _ = &mut taking => panic!("the second set is in the middle of a batch"),
        () = std::future::ready(()) => {}
    }
    put(&core, &first, &bytes(2, 2)).await;
    drives_of_second().for_each(SimDrive::release);
    let moment = Arc::new(taking.await.unwrap());
    slow.await.unwrap();
    let rows = flat(&all(&core, &of(&moment)).await.unwrap());
    assert_eq!(rows.into_iter().map(|(key, ..)| key).collect::<Vec<_>>(), [second]);
}

/// Writers that each write one key of their own after the other, each in the next of their keys' rounds: the rows of a
/// moment must be what some moment between its begin and its answer held.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_moment_is_one_that_was_whatever_set_its_writes_went_to() {
    const WRITERS: usize = 4;
    const KEYS: usize = 40;
    let core = core(32).await;
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (core, done) = (core.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut round = 0;
                // A write begins when the one before was answered, whichever set it goes to.
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    round += 1;
                    for key in 0..KEYS {
                        put(&core, &format!("{writer}/{key:02}"), &bytes(round, 1)).await;
                    }
                }
            })
        })
        .collect();
    for _ in 0..30 {
        let before = sizes(&flat(&all(&core, &ScanOptions::default()).await.unwrap()));
        let moment = Arc::new(core.moment().await.unwrap());
        let rows = sizes(&flat(&all(&core, &of(&moment)).await.unwrap()));
        for writer in 0..WRITERS {
            let of_writer = |key: usize| rows.get(&format!("{writer}/{key:02}")).copied().unwrap_or(0);
            let rounds: Vec<u64> = (0..KEYS).map(of_writer).collect();
            // Some keys of this round, then those of the round before.
            assert!(rounds.windows(2).all(|pair| pair[0] >= pair[1]), "{rounds:?}");
            assert!(rounds[0] - rounds[KEYS - 1] <= 1, "{rounds:?}");
        }
        assert!(before.iter().all(|(key, size)| rows.get(key).is_some_and(|now| now >= size)));
        assert_eq!(sizes(&flat(&all(&core, &of(&moment)).await.unwrap())), rows, "it stays");
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
}

fn sizes(rows: &[(String, u64, ETag)]) -> BTreeMap<String, u64> {
    rows.iter().map(|(key, size, _)| (key.clone(), *size)).collect()
}
