use std::ops::Bound;
use std::sync::Arc;

use futures::TryStreamExt;

use crate::core::ObjectCore;
use crate::drive::{Drive, SimDrive};
use crate::object::value::Object;
use crate::set::Space;
use crate::settings::Settings;
use crate::testing::{KIB, SIZES, at, body, bucket, bytes, core, get, put};
use crate::types::{
    Attributes, CompletePart, CopyOptions, ETag, InvalidTags, PutIf, PutOptions, ReadError, StorageError,
    TagChange, TagError, Tags,
};
use crate::{ScanDepth, ScanOptions};

fn tags(pairs: &[(&str, &str)]) -> Tags {
    Tags::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))).unwrap()
}

fn replaced(pairs: &[(&str, &str)]) -> TagChange {
    TagChange::Replace(tags(pairs))
}

/// The object's value, and the shard files of all drives.
async fn kept(core: &ObjectCore, key: &str) -> (Object, Vec<u128>) {
    core.inner.removals.settle().await;
    let set = core.set_of(&at(key));
    let entry = set.log.entry(Space::Object, &super::key::object(&at(key))).await.unwrap().unwrap();
    let files = set.reachable().flat_map(|slot| slot.list_shards().unwrap()).collect();
    (Object::decode(&entry.value).unwrap(), files)
}

async fn put_in_parts(core: &ObjectCore, key: &str, contents: &[bytes::Bytes], attributes: Attributes) {
    let upload = core.create_upload(&at(key), attributes, None).await.unwrap();
    let mut named = Vec::new();
    for (number, content) in (1..).zip(contents) {
        let part =
            core.put_part(&at(key), &upload, number, body(content), PutOptions::default()).await.unwrap();
        named.push(CompletePart { number, etag: part.etag, checksum: None });
    }
    core.complete_upload(&at(key), &upload, &named, Default::default()).await.unwrap();
}

#[tokio::test]
async fn a_change_of_tags_changes_nothing_else() {
    let core = core(4).await;
    for (seed, size) in (1..).zip(SIZES) {
        let content = bytes(size, seed);
        let written = put(&core, "key", &content).await;
        let before = kept(&core, "key").await;
        for change in [replaced(&[("a", "1"), ("b", "")]), replaced(&[("c", "2")]), replaced(&[])] {
            let now = core.tag(&at("key"), change.clone(), Some(written.etag.clone())).await.unwrap();
            assert_eq!(change, TagChange::Replace(now.clone()));
            let (mut object, files) = kept(&core, "key").await;
            assert_eq!(object.tail.attributes.tags, now);
            object.tail.attributes.tags = Tags::default();
            assert_eq!((object, files), before, "{size} bytes");
            assert_eq!(get(&core, "key").await.unwrap(), content);
        }
    }
    assert_eq!(core.scrub().await.unwrap().repaired, 0);
    core.close().await;
}

#[tokio::test]
async fn tags_come_with_a_put_an_upload_and_a_copy() {
    let core = core(4).await;
    let attributes = Attributes { tags: tags(&[("a", "1")]), ..Attributes::default() };
    let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
    core.put(&at("put"), body(&bytes(10, 1)), options).await.unwrap();
    put_in_parts(&core, "parts", &[bytes(10, 2)], attributes.clone()).await;
    let copies = [
        ("same", CopyOptions::default(), &[("a", "1")][..]),
        (
            "other",
            CopyOptions { attributes: Some(Attributes::default()), ..CopyOptions::default() },
            &[("a", "1")],
        ),
        ("new", CopyOptions { tags: Some(tags(&[("b", "2")])), ..CopyOptions::default() }, &[("b", "2")]),
        ("none", CopyOptions { tags: Some(Tags::default()), ..CopyOptions::default() }, &[]),
    ];
    for (key, options, expected) in copies {
        core.copy(&at("put"), None, &at(key), options).await.unwrap();
        assert_eq!(core.head(&at(key)).await.unwrap().attributes.tags, tags(expected), "{key}");
    }
    for key in ["put", "parts"] {
        assert_eq!(core.head(&at(key)).await.unwrap().attributes.tags, attributes.tags, "{key}");
    }
    put(&core, "put", &bytes(10, 3)).await;
    assert!(core.head(&at("put")).await.unwrap().attributes.tags.is_empty(), "another object has other tags");
    core.close().await;
}

#[tokio::test]
async fn a_scan_tells_tags_where_it_tells_attributes() {
    let core = core(4).await;
    put(&core, "a", &bytes(10, 1)).await;
    put(&core, "b", &bytes(10, 1)).await;
    core.tag(&at("b"), replaced(&[("k", "v")]), None).await.unwrap();
    for depth in [ScanDepth::Listing, ScanDepth::Attributes] {
        let options = ScanOptions { depth, ..ScanOptions::default() };
        let mut scan = core.scan(&bucket("bucket"), &options).unwrap();
        let rows = scan.next().await.unwrap().unwrap();
        assert_eq!(rows.len(), 2);
        let told: Vec<Tags> = rows.attributes.into_iter().map(|attributes| attributes.tags).collect();
        match depth {
            ScanDepth::Listing => assert_eq!(told, []),
            ScanDepth::Attributes => assert_eq!(told, [Tags::default(), tags(&[("k", "v")])]),
        }
    }
    core.close().await;
}

#[tokio::test]
async fn what_is_not_there_or_is_another_is_not_tagged() {
    let core = core(4).await;
    let change = replaced(&[("k", "v")]);
    let tag = async |key: &str, change: &TagChange, only| core.tag(&at(key), change.clone(), only).await;
    assert!(matches!(tag("key", &change, None).await, Err(TagError::NoSuchKey)));
    let nowhere = crate::name::ObjectName { bucket: bucket("nowhere"), key: at("key").key };
    assert!(matches!(core.tag(&nowhere, change.clone(), None).await, Err(TagError::NoSuchBucket)));
    let written = put(&core, "key", &bytes(10, 1)).await;
    let other = Some(ETag("0".repeat(32)));
    assert!(matches!(tag("key", &change, other).await, Err(TagError::Precondition)));
    let ten: Vec<(String, String)> = (0..10).map(|number| (number.to_string(), String::new())).collect();
    let ten = TagChange::Replace(Tags::new(ten).unwrap());
    assert_eq!(tag("key", &ten, Some(written.etag)).await.unwrap().len(), 10);
    let one_more = TagChange::Merge(tags(&[("k", "v")]));
    let refused = tag("key", &one_more, None).await;
    assert!(matches!(refused, Err(TagError::Invalid(InvalidTags::TooMany { count: 11 }))));
    core.delete(&at("key"), PutIf::Always).await.unwrap();
    assert!(matches!(tag("key", &change, None).await, Err(TagError::NoSuchKey)));
    core.close().await;
}

#[tokio::test]
async fn a_change_that_changes_nothing_writes_nothing() {
    let core = core(4).await;
    put(&core, "key", &bytes(10, 1)).await;
    core.tag(&at("key"), replaced(&[("k", "v")]), None).await.unwrap();
    let seq = core.status().sets[0].seq;
    core.tag(&at("key"), replaced(&[("k", "v")]), None).await.unwrap();
    core.tag(&at("key"), TagChange::Remove(["other".to_owned()].into()), None).await.unwrap();
    assert_eq!(core.status().sets[0].seq, seq);
    core.close().await;
}

/// Large ones too: were a change of tags to condemn what it replaced, the object would be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tags_changed_while_objects_are_written_and_read_belong_to_one_of_them_and_nothing_is_lost() {
    let core = core(4).await;
    let sizes = [100, 200 * KIB, 3000, 150 * KIB];
    put(&core, "key", &bytes(sizes[0], 0)).await;
    let writer = core.clone();
    let writing = tokio::spawn(async move {
        for round in 0..40_u64 {
            put(&writer, "key", &bytes(sizes[round as usize % 4], round % 4)).await;
        }
    });
    let tagger = core.clone();
    let tagging = tokio::spawn(async move {
        for round in 0..120 {
            let change = TagChange::Merge(tags(&[("round", &round.to_string())]));
            tagger.tag(&at("key"), change, None).await.unwrap();
        }
    });
    let known: Vec<_> = (0..4).map(|seed| bytes(sizes[seed as usize], seed)).collect();
    for _ in 0..60 {
        match get(&core, "key").await {
            Ok(content) => assert!(known.contains(&content), "{} bytes of no version", content.len()),
            // Small and large turn about faster than it can be read: to be tried again.
            Err(ReadError::Storage(StorageError::Busy)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    writing.await.unwrap();
    tagging.await.unwrap();
    core.tag(&at("key"), replaced(&[("k", "v")]), None).await.unwrap();
    assert_eq!(get(&core, "key").await.unwrap(), known[3]);
    let (object, files) = kept(&core, "key").await;
    let named: Vec<u128> = object.tail.files().iter().map(|extent| extent.blob.id.number()).collect();
    assert_eq!(files, [&named[..]; 4].concat(), "one shard file on each drive, and no other");
    assert_eq!(core.scrub().await.unwrap().repaired, 0);
    core.close().await;
}

#[tokio::test]
async fn of_many_changes_at_once_none_is_lost() {
    let core = core(4).await;
    put(&core, "key", &bytes(1000, 1)).await;
    let changes = (0..Tags::COUNT_MAX).map(|number| {
        let change = TagChange::Merge(tags(&[(&number.to_string(), "v")]));
        let core = core.clone();
        async move { core.tag(&at("key"), change, None).await }
    });
    futures::future::try_join_all(changes).await.unwrap();
    assert_eq!(core.head(&at("key")).await.unwrap().attributes.tags.len(), Tags::COUNT_MAX);
    core.close().await;
}

#[tokio::test]
async fn a_reader_keeps_what_it_reads_when_tags_change_and_the_object_goes() {
    let core = core(4).await;
    let content = bytes(3000 * KIB, 1);
    put(&core, "key", &content).await;
    let reading = core.get(&at("key"), None).await.unwrap();
    core.tag(&at("key"), replaced(&[("k", "v")]), None).await.unwrap();
    let tagged = core.get(&at("key"), None).await.unwrap();
    core.delete(&at("key"), PutIf::Always).await.unwrap();
    for reader in [reading, tagged] {
        let chunks: Vec<bytes::Bytes> = reader.chunks.try_collect().await.unwrap();
        assert_eq!(chunks.concat(), content);
    }
    core.inner.removals.settle().await;
    let left: Vec<u128> =
        core.inner.sets[0].reachable().flat_map(|slot| slot.list_shards().unwrap()).collect();
    assert_eq!(left, []);
    core.close().await;
}

#[tokio::test]
async fn tagged_objects_outlive_lost_drives_and_are_made_whole_again() {
    let drives: Vec<Arc<SimDrive>> =
        (0..4).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))).collect();
    let open = async |drives: &[Arc<SimDrive>]| {
        let drives = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn Drive>).collect();
        ObjectCore::open(Settings::default(), drives).await.unwrap()
    };
    let objects = [("empty", 0), ("small", 1000), ("large", 300 * KIB)];
    let core = open(&drives).await;
    core.create_bucket(&bucket("bucket")).await.unwrap();
    for (key, size) in objects {
        put(&core, key, &bytes(size, 1)).await;
        core.tag(&at(key), replaced(&[("key", key)]), None).await.unwrap();
    }
    put_in_parts(&core, "parts", &[bytes(5 << 20, 1), bytes(10, 2)], Attributes::default()).await;
    core.tag(&at("parts"), replaced(&[("key", "parts")]), None).await.unwrap();
    core.close().await;
    // Two of four are replaced by blank ones.
    let mut left: Vec<Arc<SimDrive>> = drives[..2].iter().map(|drive| Arc::new(drive.copy())).collect();
    left.extend((4..6).map(|number| Arc::new(SimDrive::new(&format!("sim-{number}")))));
    let core = open(&left).await;
    let check = async || {
        for (key, size) in objects {
            assert_eq!(get(&core, key).await.unwrap(), bytes(size, 1), "{key}");
            assert_eq!(core.head(&at(key)).await.unwrap().attributes.tags, tags(&[("key", key)]));
        }
        assert_eq!(core.head(&at("parts")).await.unwrap().attributes.tags, tags(&[("key", "parts")]));
    };
    check().await;
    core.inner.fills.settle().await;
    core.inner.swept.settle().await;
    check().await;
    let scrubbed = core.scrub().await.unwrap();
    assert_eq!((scrubbed.repaired, scrubbed.failed), (0, 0));
    let set = &core.inner.sets[0];
    let entries = set.log.scan(Space::Object, Bound::Unbounded, 10).unwrap();
    assert_eq!(entries.len(), 4);
    for slot in set.reachable() {
        assert_eq!(slot.list_shards().unwrap().len(), 3, "of one large object and two parts");
    }
    core.close().await;
}
