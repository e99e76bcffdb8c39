//! Power is lost at every operation of the drives during a mixed workload: small and large puts,
//! overwrites, changes of tags, a multipart upload, deletes. What was acknowledged is there afterwards, whole; what was
//! not is there whole or not at all.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::core::ObjectCore;
use crate::drive::{Drive, Fault, Kept, SimDrive};
use crate::object::value::Object;
use crate::set::Space;
use crate::settings::Settings;
use crate::testing::{KIB, at, body, bucket, bytes, get};
use crate::types::{
    Attributes, BucketError, CompletePart, PutIf, PutOptions, ReadError, StorageError, TagChange, TagError,
    Tags, UploadError, WriteError,
};

enum Step {
    Put(&'static str, Bytes),
    Parts(&'static str, [Bytes; 2]),
    Delete(&'static str),
    Tag(&'static str, &'static str),
}

fn steps() -> Vec<Step> {
    vec![
        Step::Put("small", bytes(1000, 1)),
        Step::Put("large", bytes(200 * KIB, 2)),
        Step::Tag("small", "one"),
        Step::Tag("large", "one"),
        Step::Put("small", bytes(2000, 3)),
        Step::Put("large", bytes(150 * KIB, 4)),
        Step::Parts("parts", [bytes(3000, 5), bytes(10, 6)]),
        Step::Tag("parts", "one"),
        Step::Tag("parts", "two"),
        Step::Put("parts", bytes(20, 7)),
        Step::Tag("large", "two"),
        Step::Delete("large"),
        Step::Put("last", bytes(140 * KIB, 8)),
    ]
}

/// An object: its content and its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    content: Bytes,
    tag: Option<String>,
}

/// What a key holds; a step leaves one of two.
type Model = BTreeMap<&'static str, Option<Held>>;

async fn open(drives: &[Arc<SimDrive>]) -> ObjectCore {
    let mut settings = Settings { part_bytes_min: 1, ..Settings::default() };
    settings.set.reserve_bytes = 0;
    let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
    ObjectCore::open(settings, drives).await.unwrap()
}

async fn take(core: &ObjectCore, step: &Step) -> Result<(), UploadError> {
    match step {
        Step::Put(key, content) => {
            core.put(&at(key), body(content), PutOptions::default()).await?;
        }
        Step::Delete(key) => {
            core.delete(&at(key), PutIf::Always).await?;
        }
        Step::Tag(key, value) => match core.tag(&at(key), tagged(value), None).await {
            Ok(_) => {}
            Err(TagError::Storage(error)) => return Err(error.into()),
            Err(other) => panic!("{other:?}"),
        },
        Step::Parts(key, contents) => {
            let upload = core.create_upload(&at(key), Attributes::default(), None).await?;
            let mut named = Vec::new();
            for (number, content) in (1..).zip(contents) {
                let part =
                    core.put_part(&at(key), &upload, number, body(content), PutOptions::default()).await?;
                named.push(CompletePart { number, etag: part.etag, checksum: None });
            }
            core.complete_upload(&at(key), &upload, &named, Default::default()).await?;
        }
    }
    Ok(())
}

fn tagged(value: &str) -> TagChange {
    TagChange::Replace(Tags::new([("tag".to_owned(), value.to_owned())]).unwrap())
}

fn after(step: &Step, model: &Model) -> (&'static str, Option<Held>) {
    let put = |content| Some(Held { content, tag: None });
    match step {
        Step::Put(key, content) => (key, put(content.clone())),
        Step::Parts(key, contents) => (key, put(Bytes::from(contents.concat()))),
        Step::Delete(key) => (key, None),
        Step::Tag(key, value) => {
            let held = model[key].clone().expect("what is tagged is there");
            (key, Some(Held { tag: Some((*value).to_owned()), ..held }))
        }
    }
}

/// Runs the workload until power is lost; returns what was acknowledged and the step that was not.
async fn run(core: &ObjectCore) -> (Model, Option<(&'static str, Option<Held>)>) {
    let mut model = Model::new();
    for step in steps() {
        let (key, held) = after(&step, &model);
        match take(core, &step).await {
            Ok(()) => model.insert(key, held),
            Err(UploadError::Write(WriteError::Storage(_)) | UploadError::NoSuchUpload) => {
                return (model, Some((key, held)));
            }
            Err(other) => panic!("{other:?}"),
        };
    }
    (model, None)
}

async fn check(core: &ObjectCore, model: &Model, open_step: Option<&(&'static str, Option<Held>)>) {
    for key in ["small", "large", "parts", "last"] {
        let found = match get(core, key).await {
            Ok(content) => {
                let tags = core.head(&at(key)).await.unwrap().attributes.tags;
                Some(Held { content, tag: tags.iter().next().map(|(_, value)| value.to_owned()) })
            }
            Err(ReadError::NoSuchKey) => None,
            Err(other) => panic!("{key}: {other:?}"),
        };
        let known = model.get(key).cloned().flatten();
        let maybe = open_step.filter(|(at, _)| *at == key).map(|(_, held)| held.clone());
        assert!(found == known || Some(&found) == maybe.as_ref(), "{key} holds neither state");
    }
}

/// Every shard file on a drive is named by an entry.
fn assert_no_orphans(core: &ObjectCore, drives: &[Arc<SimDrive>]) {
    let set = &core.inner.sets[0];
    let entries = |space| set.log.scan(space, std::ops::Bound::Unbounded, 1000).unwrap();
    let mut named = HashSet::new();
    for (_, entry) in entries(Space::Object) {
        let object = Object::decode(&entry.value).unwrap();
        named.extend(object.tail.files().iter().map(|extent| extent.blob.id.number()));
    }
    for (_, entry) in entries(Space::Part) {
        let part: crate::object::value::Part = crate::object::value::decode(&entry.value).unwrap();
        named.insert(part.blob.id.number());
    }
    for drive in drives {
        assert!(drive.list_shards().unwrap().iter().all(|id| named.contains(id)), "an orphan stays");
    }
}

#[tokio::test]
async fn power_lost_at_any_operation_loses_nothing_acknowledged() {
    let mut cuts = 0;
    for operation in 0.. {
        let mut lost = false;
        for (variant, kept) in [Kept::Nothing, Kept::Part(7), Kept::Whole].into_iter().enumerate() {
            let drives: Vec<_> =
                (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
            let core = open(&drives).await;
            core.create_bucket(&bucket("bucket")).await.unwrap();
            for drive in &drives {
                drive.plan(drive.operations() + operation, Fault::Die);
            }
            let (model, open_step) = run(&core).await;
            lost |= open_step.is_some();
            core.close().await;
            drop(core);
            for (number, drive) in drives.iter().enumerate() {
                // What is kept differs from drive to drive.
                drive.crash(|at| if (at + number + variant) % 3 == 0 { Kept::Nothing } else { kept });
            }
            let core = open(&drives).await;
            assert!(matches!(core.create_bucket(&bucket("bucket")).await, Err(BucketError::Exists)));
            check(&core, &model, open_step.as_ref()).await;
            core.inner.fills.settle().await;
            core.inner.swept.settle().await;
            core.inner.removals.settle().await;
            check(&core, &model, open_step.as_ref()).await;
            assert_eq!(core.scrub().await.unwrap().failed, 0);
            assert_no_orphans(&core, &drives);
            core.close().await;
            cuts += 1;
        }
        if !lost {
            break;
        }
    }
    assert!(cuts > 100, "{cuts} cuts");
}

#[tokio::test]
async fn a_drive_that_fails_at_any_operation_goes_unnoticed_and_is_made_whole() {
    for operation in 0.. {
        let mut failed = false;
        for (variant, fault) in [Fault::FailBefore, Fault::LoseReply, Fault::Tear(9)].into_iter().enumerate()
        {
            let drives: Vec<_> =
                (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
            let core = open(&drives).await;
            core.create_bucket(&bucket("bucket")).await.unwrap();
            let victim = &drives[(operation as usize + variant) % 4];
            victim.plan(victim.operations() + operation, fault);
            let (model, open_step) = run(&core).await;
            assert!(open_step.is_none(), "operation {operation}, {fault:?}: not acknowledged");
            check(&core, &model, None).await;
            failed |= core.status().sets[0].slots.iter().any(|slot| slot.state != crate::SlotState::Online);
            core.close().await;
            drop(core);
            let back: Vec<_> = drives.iter().map(|drive| Arc::new(drive.copy())).collect();
            let core = open(&back).await;
            check(&core, &model, None).await;
            core.inner.fills.settle().await;
            core.inner.swept.settle().await;
            core.inner.removals.settle().await;
            let scrubbed = core.scrub().await.unwrap();
            assert_eq!((scrubbed.repaired, scrubbed.failed), (0, 0), "operation {operation}, {fault:?}");
            assert_no_orphans(&core, &back);
            core.close().await;
        }
        // A failed removal takes no drive out, so one operation without effect is not the end.
        if !failed && operation > 40 {
            break;
        }
    }
}

/// Puts a large object while the operation of that number fails on `victims`; what came of it.
async fn put_failing(
    drives: &[Arc<SimDrive>],
    core: &ObjectCore,
    (victims, operation, fault): (&[usize], u64, Fault),
) -> Result<(), WriteError> {
    for victim in victims {
        drives[*victim].plan(drives[*victim].operations() + operation, fault);
    }
    let put = core.put(&at("large"), body(&bytes(200 * KIB, 1)), PutOptions::default()).await;
    core.inner.removals.settle().await;
    put.map(|_| ())
}

fn drives() -> Vec<Arc<SimDrive>> {
    (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect()
}

#[tokio::test]
async fn a_write_that_failed_before_its_record_leaves_no_files() {
    let mut refused = 0;
    for (victims, fault) in
        [(&[1][..], Fault::Full), (&[1, 2], Fault::FailBefore), (&[1, 2], Fault::LoseReply)]
    {
        for operation in 0..20 {
            let drives = drives();
            let core = open(&drives).await;
            core.create_bucket(&bucket("bucket")).await.unwrap();
            let put = put_failing(&drives, &core, (victims, operation, fault)).await;
            if let Err(WriteError::Storage(StorageError::Full | StorageError::TooFewDrives { .. })) = put {
                refused += 1;
                for slot in core.inner.sets[0].reachable() {
                    assert_eq!(slot.list_shards().unwrap(), [], "{fault:?} at {operation}");
                }
            }
            core.close().await;
        }
    }
    assert!(refused > 6, "{refused} refused");
}

#[tokio::test]
async fn a_write_of_unknown_outcome_keeps_its_files() {
    let mut unknown = 0;
    for fault in [Fault::LoseReply, Fault::FailBefore, Fault::Die] {
        for operation in 0..20 {
            let drives = drives();
            let core = open(&drives).await;
            core.create_bucket(&bucket("bucket")).await.unwrap();
            let put = put_failing(&drives, &core, (&[1, 2], operation, fault)).await;
            core.close().await;
            if let Err(WriteError::Storage(StorageError::Unknown)) = put {
                unknown += 1;
                let kept =
                    drives.iter().filter(|drive| drive.copy().list_shards().unwrap().len() == 1).count();
                assert!(kept >= 3, "{fault:?} at {operation}: files on {kept} drives");
            }
        }
    }
    assert!(unknown > 0, "no outcome was unknown");
}
