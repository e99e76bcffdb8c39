//! Changes that are told, against what was done.

use std::sync::Arc;

use super::*;
use crate::drive::{Drive, FileDrive, SimDrive};
use crate::settings::Settings;
use crate::testing::{KIB, at, bucket, bytes, core, get, put, put_when};
use crate::types::{
    BucketError, CompletePart, CopyOptions, ETag, ListOptions, PutIf, PutOptions, TagChange, Tags,
    UploadError, WriteError,
};

async fn watched(drives: usize) -> ObjectCore {
    let core = core(drives).await;
    core.watch(&bucket("bucket"), true).await.unwrap();
    core
}

async fn all(core: &ObjectCore) -> Vec<Change> {
    let mut told = Vec::new();
    for set in 0..core.sets() {
        told.extend(core.changes(set, 0, usize::MAX).await.unwrap());
    }
    told
}

/// Key and size, `None` where it was deleted.
fn brief(changes: &[Change]) -> Vec<(&str, Option<u64>)> {
    let each = |change: &'_ Change| match &change.changed {
        Changed::Created(state) | Changed::Updated(state) => Some(state.size),
        Changed::Deleted => None,
    };
    changes.iter().map(|change| (change.key.as_str(), each(change))).collect()
}

#[tokio::test]
async fn every_way_to_change_an_object_is_told_once_and_in_order() {
    for drives in [1, 4] {
        let core = watched(drives).await;
        let written = put(&core, "small", &bytes(100, 1)).await;
        put(&core, "empty", &bytes(0, 1)).await;
        put(&core, "large", &bytes(300 * KIB, 2)).await;
        core.copy(&at("small"), None, &at("copy"), CopyOptions::default()).await.unwrap();
        let upload = core.create_upload(&at("parts"), Attributes::default(), None).await.unwrap();
        let part = (bytes(50, 3), PutOptions::default());
        let part =
            core.put_part(&at("parts"), &upload, 1, crate::testing::body(&part.0), part.1).await.unwrap();
        let named = [CompletePart { number: 1, etag: part.etag, checksum: None }];
        core.complete_upload(&at("parts"), &upload, &named, Default::default()).await.unwrap();
        for key in ["small", "large"] {
            let tags = Tags::new([("k".to_owned(), key.to_owned())]).unwrap();
            core.tag(&at(key), TagChange::Replace(tags.clone()), None).await.unwrap();
            // The same again is no change.
            core.tag(&at(key), TagChange::Replace(tags), None).await.unwrap();
        }
        core.delete(&at("small"), PutIf::Match(written.etag.clone())).await.unwrap();
        core.delete(&at("copy"), PutIf::Always).await.unwrap();
        let told = all(&core).await;
        let expected = [
            ("small", Some(100)),
            ("empty", Some(0)),
            ("large", Some(300 * KIB as u64)),
            ("copy", Some(100)),
            ("parts", Some(50)),
            ("small", Some(100)),
            ("large", Some(300 * KIB as u64)),
            ("small", None),
            ("copy", None),
        ];
        assert_eq!(brief(&told), expected);
        assert!(told.is_sorted_by(|a, b| a.sequence < b.sequence));
        assert!(told.iter().all(|change| change.bucket == "bucket" && change.by.is_none()));
        let Changed::Created(state) = &told[0].changed else { panic!("{told:?}") };
        assert_eq!(ETag(hex::encode(state.tag.digest)), written.etag);
        let Changed::Created(state) = &told[4].changed else { panic!("{told:?}") };
        assert!(state.tag.is_multipart);
        let Changed::Updated(state) = &told[6].changed else { panic!("{told:?}") };
        assert_eq!(state.attributes.tags.iter().collect::<Vec<_>>(), [("k", "large")]);
        core.close().await;
    }
}

#[tokio::test]
async fn what_was_refused_or_changed_nothing_is_not_told() {
    let core = watched(4).await;
    put(&core, "a", &bytes(10, 1)).await;
    let refused = [
        put_when(&core, "a", &bytes(20, 1), PutIf::Absent).await,
        put_when(&core, "a", &bytes(20, 1), PutIf::Match(ETag("other".into()))).await,
        put_when(&core, "b", &bytes(20, 1), PutIf::Exists).await,
    ];
    assert!(refused.iter().all(|one| matches!(one, Err(WriteError::Precondition { .. }))));
    assert!(!core.delete(&at("none"), PutIf::Always).await.unwrap().existed);
    let upload = core.create_upload(&at("up"), Attributes::default(), None).await.unwrap();
    let named = [CompletePart { number: 1, etag: ETag("00".into()), checksum: None }];
    let completed = core.complete_upload(&at("up"), &upload, &named, Default::default()).await;
    assert!(matches!(completed, Err(UploadError::InvalidPart { .. })));
    core.abort_upload(&at("up"), &upload).await.unwrap();
    // Of many deletions at once one deletes.
    let deletions = (0..8).map(|_| {
        let core = core.clone();
        tokio::spawn(async move { core.delete(&at("a"), PutIf::Always).await.unwrap().existed })
    });
    let existed = futures::future::join_all(deletions.collect::<Vec<_>>()).await;
    assert_eq!(existed.into_iter().filter(|one| *one.as_ref().unwrap()).count(), 1);
    assert_eq!(brief(&all(&core).await), [("a", Some(10)), ("a", None)]);
    core.close().await;
}

#[tokio::test]
async fn only_what_begins_while_a_bucket_is_watched_is_told() {
    let core = core(4).await;
    let other = bucket("other");
    core.create_bucket(&other).await.unwrap();
    put(&core, "a", &bytes(1, 1)).await;
    assert!(matches!(core.watch(&bucket("nowhere"), true).await, Err(BucketError::NoSuchBucket)));
    assert!(matches!(
        core.watch(&crate::name::BucketName::system(), true).await,
        Err(BucketError::NoSuchBucket)
    ));
    core.watch(&other, true).await.unwrap();
    put(&core, "b", &bytes(1, 1)).await;
    core.watch(&bucket("bucket"), true).await.unwrap();
    core.watch(&bucket("bucket"), true).await.unwrap();
    put(&core, "c", &bytes(1, 1)).await;
    core.watch(&bucket("bucket"), false).await.unwrap();
    put(&core, "d", &bytes(1, 1)).await;
    assert_eq!(brief(&all(&core).await), [("c", Some(1))]);
    // A bucket made anew is watched by no one, and what was told of the old one stays.
    core.watch(&bucket("bucket"), true).await.unwrap();
    for key in ["a", "b", "c", "d"] {
        core.delete(&at(key), PutIf::Always).await.unwrap();
    }
    core.delete_bucket(&bucket("bucket")).await.unwrap();
    core.create_bucket(&bucket("bucket")).await.unwrap();
    put(&core, "e", &bytes(1, 1)).await;
    let deleted = ["a", "b", "c", "d"].map(|key| (key, None));
    let told = all(&core).await;
    assert_eq!(brief(&told), [&[("c", Some(1))], &deleted[..]].concat());
    core.close().await;
}

#[tokio::test]
async fn changes_are_told_in_pieces_and_forgotten_up_to_where_they_were_read() {
    let core = watched(4).await;
    for number in 0..2500 {
        put(&core, &format!("k{}", number % 50), &bytes(number % 3, 1)).await;
    }
    let whole = all(&core).await;
    assert_eq!(whole.len(), 2500);
    let mut after = 0;
    let mut pieces = Vec::new();
    loop {
        let piece = core.changes(0, after, 7).await.unwrap();
        let Some(last) = piece.last() else { break };
        after = last.sequence;
        pieces.extend(piece);
    }
    assert_eq!(pieces, whole);
    core.forget_changes(0, whole[2099].sequence).await.unwrap();
    assert_eq!(all(&core).await, whole[2100..]);
    assert_eq!(core.changes(0, 0, 1).await.unwrap(), whole[2100..2101]);
    // What is still to come is not forgotten.
    core.forget_changes(0, u64::MAX).await.unwrap();
    assert_eq!(all(&core).await, []);
    put(&core, "next", &bytes(9, 1)).await;
    assert_eq!(brief(&all(&core).await), [("next", Some(9))]);
    assert_eq!(core.changes(7, 0, 1).await.unwrap(), []);
    core.close().await;
}

async fn open(drives: &[Arc<SimDrive>]) -> ObjectCore {
    let mut settings = Settings { part_bytes_min: 1, ..Settings::default() };
    settings.set.reserve_bytes = 0;
    settings.set.segment_bytes = 20_000;
    settings.set.compact_in_background = false;
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    ObjectCore::open(settings, drives).await.unwrap()
}

fn sims(count: usize) -> Vec<Arc<SimDrive>> {
    (0..count).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect()
}

#[tokio::test]
async fn changes_and_who_is_watched_are_there_after_a_restart_and_what_was_forgotten_is_not() {
    for count in [1, 4] {
        let drives = sims(count);
        let core = open(&drives).await;
        core.create_bucket(&bucket("bucket")).await.unwrap();
        core.watch(&bucket("bucket"), true).await.unwrap();
        for number in 0..20 {
            put(&core, &format!("k{number}"), &bytes(number, 1)).await;
        }
        let whole = all(&core).await;
        core.forget_changes(0, whole[4].sequence).await.unwrap();
        core.close().await;
        let core = open(&drives).await;
        assert_eq!(all(&core).await, whole[5..]);
        put(&core, "more", &bytes(5, 1)).await;
        let told = all(&core).await;
        assert_eq!(told[..15], whole[5..]);
        assert_eq!(brief(&told[15..]), [("more", Some(5))]);
        assert!(get(&core, "more").await.is_ok());
        core.close().await;
    }
}

#[tokio::test]
async fn the_changes_of_many_sets_together_make_the_bucket_what_it_is() {
    let core = watched(18).await;
    assert!(core.sets() > 1);
    for number in 0..300 {
        put(&core, &format!("k{}", number % 40), &bytes(number, 1)).await;
        if number % 5 == 0 {
            core.delete(&at(&format!("k{}", number % 40)), PutIf::Always).await.unwrap();
        }
    }
    let told = all(&core).await;
    assert_eq!(told.len(), 360);
    let mut made = std::collections::BTreeMap::new();
    for (key, size) in brief(&told) {
        match size {
            Some(size) => made.insert(key.to_owned(), size),
            None => made.remove(key),
        };
    }
    let options = ListOptions { limit: 1000, ..ListOptions::default() };
    let page = core.list(&bucket("bucket"), &options).await.unwrap();
    let listed = page.objects.into_iter().map(|object| (object.key.as_str().to_owned(), object.size));
    assert_eq!(made, listed.collect());
    core.close().await;
}

#[tokio::test]
async fn changes_of_indexes_on_disk_are_told_and_forgotten_as_those_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || {
        let drive = |number| FileDrive::open(&folder.path().join(format!("d{number}"))).unwrap();
        let drives = (0..2).map(|number| Arc::new(drive(number)) as Arc<dyn Drive>).collect();
        let mut settings = Settings::default();
        settings.set.reserve_bytes = 0;
        ObjectCore::open(settings, drives).await.unwrap()
    };
    let core = open().await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    core.watch(&bucket("bucket"), true).await.unwrap();
    assert_eq!(all(&core).await, []);
    core.forget_changes(0, u64::MAX).await.unwrap();
    for number in 0..30 {
        put(&core, &format!("k{number}"), &bytes(number, 1)).await;
    }
    let whole = all(&core).await;
    assert_eq!(whole.len(), 30);
    assert_eq!(core.changes(0, whole[9].sequence, 10).await.unwrap(), whole[10..20]);
    assert_eq!(core.changes(0, whole[29].sequence, 10).await.unwrap(), []);
    assert_eq!(core.changes(0, u64::MAX, 10).await.unwrap(), []);
    core.forget_changes(0, whole[9].sequence).await.unwrap();
    core.close().await;
    drop(core);
    let core = open().await;
    assert_eq!(all(&core).await, whole[10..]);
    core.forget_changes(0, whole[9].sequence).await.unwrap();
    core.forget_changes(0, whole[19].sequence).await.unwrap();
    assert_eq!(all(&core).await, whole[20..]);
    core.close().await;
}
