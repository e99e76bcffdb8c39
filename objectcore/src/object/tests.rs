use futures::{StreamExt, TryStreamExt, stream};

use crate::testing::{KIB, MIB, SIZES, at, body, bucket, bytes, core, get, md5, put, put_when, read};
use crate::types::{
    Attributes, Body, BodyError, BucketError, Checksum, ChecksumAlgorithm, ChecksumKind, CopyOptions, ETag,
    GetRange, ListOptions, PutIf, PutOptions, ReadError, Tagging, WriteError,
};

#[tokio::test]
async fn objects_of_every_size_come_back_as_they_were() {
    for drives in [1, 2, 3, 4, 6] {
        let core = core(drives).await;
        for (seed, size) in SIZES.into_iter().enumerate() {
            let content = bytes(size, seed as u64);
            let written = put(&core, "key", &content).await;
            assert_eq!((written.size, &written.etag), (size as u64, &md5(&content)), "{drives} {size}");
            assert!(get(&core, "key").await.unwrap() == content, "{drives} drives, {size} bytes");
            assert_eq!(core.head(&at("key")).await.unwrap().size, size as u64);
        }
    }
}

#[tokio::test]
async fn every_form_of_range_is_answered() {
    let core = core(4).await;
    for size in [1, 100, 128 * KIB, 128 * KIB + 1, 3 * MIB + 77] {
        let content = bytes(size, 5);
        put(&core, "key", &content).await;
        let last = size as u64 - 1;
        let points =
            [0, 1, 31, 64 * 1024 - 1, 64 * 1024, 512 * 1024, MIB as u64 - 1, MIB as u64, last / 2, last];
        let inside: Vec<u64> = points.into_iter().filter(|point| *point <= last).collect();
        for &start in &inside {
            for &end in inside.iter().filter(|end| **end >= start) {
                let got = read(&core, "key", Some(GetRange::Bounded(start, end))).await.unwrap();
                assert!(got == content.slice(start as usize..=end as usize), "{size}: {start}-{end}");
            }
            let got = read(&core, "key", Some(GetRange::From(start))).await.unwrap();
            assert!(got == content.slice(start as usize..));
            let got = read(&core, "key", Some(GetRange::Suffix(start + 1))).await.unwrap();
            assert!(got == content.slice(size - start as usize - 1..));
        }
        let whole = [
            GetRange::Bounded(0, u64::MAX),
            GetRange::Suffix(u64::MAX),
            GetRange::From(0),
            GetRange::Part(1),
        ];
        for range in whole {
            assert!(read(&core, "key", Some(range)).await.unwrap() == content);
        }
        let size = size as u64;
        let none = [
            GetRange::Bounded(size, size),
            GetRange::Bounded(1, 0),
            GetRange::From(size),
            GetRange::Suffix(0),
            GetRange::Part(2),
        ];
        for range in none {
            let refused = read(&core, "key", Some(range)).await;
            assert!(matches!(refused, Err(ReadError::InvalidRange { size: told }) if told == size));
        }
    }
}

#[tokio::test]
async fn what_the_client_said_is_kept() {
    let core = core(4).await;
    let attributes = Attributes {
        content_type: Some("text/plain".into()),
        user: [("a".to_owned(), "b".to_owned())].into(),
        ..Attributes::default()
    };
    let checksum = Checksum {
        algorithm: ChecksumAlgorithm::Crc32,
        kind: ChecksumKind::FullObject,
        value: vec![1, 2, 3, 4],
    };
    let sealed = checksum.clone();
    let mut sent = body(&bytes(10, 1));
    sent.seal = Box::new(move || Ok(Some(sealed)));
    let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
    let written = core.put(&at("key"), sent, options).await.unwrap();
    let info = core.head(&at("key")).await.unwrap();
    assert_eq!((info.attributes, info.checksum), (attributes, Some(checksum.clone())));
    assert_eq!((written.checksum, written.modified), (Some(checksum), info.modified));
}

#[tokio::test]
async fn of_many_puts_if_absent_one_wins() {
    let core = core(4).await;
    for size in [10, 200 * KIB] {
        let key = format!("race{size}");
        let contents: Vec<_> = (0..16).map(|seed| bytes(size, seed)).collect();
        let puts = contents.iter().map(|content| put_when(&core, &key, content, PutIf::Absent));
        let results = futures::future::join_all(puts).await;
        let winners: Vec<usize> = (0..16).filter(|at| results[*at].is_ok()).collect();
        assert_eq!(winners.len(), 1);
        assert!(get(&core, &key).await.unwrap() == contents[winners[0]]);
        let lost = results.iter().filter(|r| matches!(r, Err(WriteError::Precondition { exists: true })));
        assert_eq!(lost.count(), 15);
    }
}

#[tokio::test]
async fn of_many_puts_on_one_tag_one_wins() {
    let core = core(4).await;
    let tag = put(&core, "key", &bytes(10, 99)).await.etag;
    let contents: Vec<_> = (0..16).map(|seed| bytes(20, seed)).collect();
    let puts = contents.iter().map(|content| put_when(&core, "key", content, PutIf::Match(tag.clone())));
    let results = futures::future::join_all(puts).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn conditions_are_weighed_against_what_is_there() {
    let core = core(4).await;
    let content = bytes(10, 1);
    let absent = |result| matches!(result, Err(WriteError::Precondition { exists: false }));
    let present = |result| matches!(result, Err(WriteError::Precondition { exists: true }));
    let other = || PutIf::Match(ETag("0".repeat(32)));
    assert!(absent(put_when(&core, "key", &content, PutIf::Exists).await));
    assert!(absent(put_when(&core, "key", &content, other()).await));
    let tag = put_when(&core, "key", &content, PutIf::Absent).await.unwrap().etag;
    assert!(present(put_when(&core, "key", &content, PutIf::Absent).await));
    assert!(present(put_when(&core, "key", &content, other()).await));
    put_when(&core, "key", &content, PutIf::Match(tag.clone())).await.unwrap();
    put_when(&core, "key", &content, PutIf::Exists).await.unwrap();

    let refused = core.delete(&at("key"), other()).await;
    assert!(matches!(refused, Err(WriteError::Precondition { exists: true })));
    assert!(core.delete(&at("key"), PutIf::Match(tag.clone())).await.unwrap().existed);
    assert!(!core.delete(&at("key"), PutIf::Always).await.unwrap().existed);
    let refused = core.delete(&at("key"), PutIf::Match(tag)).await;
    assert!(matches!(refused, Err(WriteError::Precondition { exists: false })));
}

#[tokio::test]
async fn a_body_that_is_not_as_announced_leaves_nothing() {
    let core = core(4).await;
    for size in [100, 300 * KIB, 3 * MIB] {
        let content = bytes(size, 1);
        let at = at("key");
        let refused = |options| core.put(&at, body(&content), options);
        let short = refused(PutOptions { size: Some(size as u64 + 1), ..PutOptions::default() }).await;
        assert!(matches!(short, Err(WriteError::Body(BodyError::Incomplete))));
        let long = refused(PutOptions { size: Some(size as u64 - 1), ..PutOptions::default() }).await;
        assert!(matches!(long, Err(WriteError::Body(BodyError::Malformed(_)))));
        let other = refused(PutOptions { content_md5: Some([0; 16]), ..PutOptions::default() }).await;
        assert!(matches!(other, Err(WriteError::Body(BodyError::Mismatch(_)))));
        let mut torn = body(&content);
        torn.chunks = torn.chunks.chain(stream::iter([Err(BodyError::Incomplete)])).boxed();
        let torn = core.put(&at, torn, PutOptions::default()).await;
        assert!(matches!(torn, Err(WriteError::Body(BodyError::Incomplete))));
        let mut unsealed = body(&content);
        unsealed.seal = Box::new(|| Err(BodyError::Mismatch("x-amz-checksum-crc32")));
        let unsealed = core.put(&at, unsealed, PutOptions::default()).await;
        assert!(matches!(unsealed, Err(WriteError::Body(BodyError::Mismatch(_)))));
    }
    assert!(matches!(core.head(&at("key")).await, Err(ReadError::NoSuchKey)));
    for set in core.inner.sets.iter() {
        assert!(set.log.slots().iter().all(|slot| slot.list_shards().unwrap().is_empty()));
    }
}

#[tokio::test]
async fn an_object_tagged_by_its_version_is_whole_has_a_new_tag_each_time_and_meets_conditions_by_it() {
    let core = core(4).await;
    let at = at("key");
    let by_version = |when| PutOptions { when, tagging: Tagging::Version, ..PutOptions::default() };
    for size in [0, 100, 300 * KIB, 3 * MIB] {
        let content = bytes(size, 1);
        let first = core.put(&at, body(&content), by_version(PutIf::Always)).await.unwrap();
        assert!(first.etag.0.ends_with("-1"), "{}", first.etag.0);
        assert_eq!(get(&core, "key").await.unwrap(), content);
        let part = core.get(&at, Some(GetRange::Part(1))).await.unwrap();
        assert_eq!((part.range, part.info.parts.len()), (0..size as u64, 0));
        let again =
            core.put(&at, body(&content), by_version(PutIf::Match(first.etag.clone()))).await.unwrap();
        assert_ne!(again.etag, first.etag);
        let stale = core.put(&at, body(&content), by_version(PutIf::Match(first.etag))).await;
        assert!(matches!(stale, Err(WriteError::Precondition { exists: true })));
    }
    let wrong = PutOptions { content_md5: Some([0; 16]), ..by_version(PutIf::Always) };
    let wrong = core.put(&at, body(&bytes(100, 1)), wrong).await;
    assert!(matches!(wrong, Err(WriteError::Body(BodyError::Mismatch(_)))));
}

#[tokio::test]
async fn an_object_overwritten_or_deleted_while_it_is_read_is_read_to_its_end() {
    let core = core(4).await;
    let old = bytes(6 * MIB, 1);
    put(&core, "key", &old).await;
    let mut reading = core.get(&at("key"), None).await.unwrap().chunks;
    let first = reading.next().await.unwrap().unwrap();
    put(&core, "key", &bytes(100, 2)).await;
    core.delete(&at("key"), PutIf::Always).await.unwrap();
    // All that may be removed is removed before the rest is read.
    core.inner.removals.settle().await;
    let rest: Vec<_> = reading.by_ref().try_collect().await.unwrap();
    assert!([first.to_vec(), rest.concat()].concat() == old);
    drop(reading);
    core.inner.removals.settle().await;
    let set = &core.inner.sets[0];
    assert!(set.log.slots().iter().all(|slot| slot.list_shards().unwrap().is_empty()));
}

#[tokio::test]
async fn a_replaced_object_leaves_no_shard_files() {
    let core = core(4).await;
    for seed in 0..3 {
        put(&core, "key", &bytes(MIB, seed)).await;
    }
    core.inner.removals.settle().await;
    let set = &core.inner.sets[0];
    assert!(set.log.slots().iter().all(|slot| slot.list_shards().unwrap().len() == 1));
}

/// A record is seen when the first drive has applied it; the others may be a moment behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_small_object_overwritten_all_the_time_is_always_read_whole() {
    let core = core(4).await;
    let contents: Vec<_> = (0..8).map(|seed| bytes(1000, seed)).collect();
    put(&core, "key", &contents[0]).await;
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (core, contents, over) = (core.clone(), contents.clone(), over.clone());
            tokio::spawn(async move {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    assert!(contents.contains(&get(&core, "key").await.unwrap()));
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for round in 0..500 {
        put(&core, "key", &contents[round % 8]).await;
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_bucket_is_deleted_only_when_it_is_empty() {
    let core = core(4).await;
    let name = bucket("bucket");
    assert!(matches!(core.create_bucket(&name).await, Err(BucketError::Exists)));
    put(&core, "key", &bytes(1, 1)).await;
    assert!(matches!(core.delete_bucket(&name).await, Err(BucketError::NotEmpty)));
    core.delete(&at("key"), PutIf::Always).await.unwrap();
    let upload = core.create_upload(&at("key"), Attributes::default(), None).await.unwrap();
    assert!(matches!(core.delete_bucket(&name).await, Err(BucketError::NotEmpty)));
    core.abort_upload(&at("key"), &upload).await.unwrap();
    assert_eq!(core.buckets().len(), 1);
    core.delete_bucket(&name).await.unwrap();
    assert!(matches!(core.delete_bucket(&name).await, Err(BucketError::NoSuchBucket)));
    assert_eq!((core.bucket(&name), core.buckets().len()), (None, 0));
    let refused = core.put(&at("key"), body(&bytes(1, 1)), PutOptions::default()).await;
    assert!(matches!(refused, Err(WriteError::NoSuchBucket)));
    assert!(matches!(get(&core, "key").await, Err(ReadError::NoSuchBucket)));
}

#[tokio::test]
async fn a_put_that_races_the_deletion_of_its_bucket_has_one_outcome() {
    for _ in 0..20 {
        let core = core(2).await;
        let name = bucket("bucket");
        let content = bytes(10, 1);
        let (deleted, written) =
            futures::join!(core.delete_bucket(&name), put_when(&core, "key", &content, PutIf::Always));
        match (deleted, written) {
            (Ok(()), Err(WriteError::NoSuchBucket)) => {}
            (Err(BucketError::NotEmpty), Ok(_)) => assert!(get(&core, "key").await.unwrap() == content),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_copy_is_an_object_of_its_own() {
    let core = core(4).await;
    for size in [10, 2 * MIB] {
        let content = bytes(size, 1);
        let written = put(&core, "from", &content).await;
        let options = CopyOptions { checksum: Some(ChecksumAlgorithm::Crc32), ..CopyOptions::default() };
        let copied = core.copy(&at("from"), None, &at("to"), options).await.unwrap();
        assert_eq!(copied.etag, written.etag);
        let crc = copied.checksum.unwrap();
        assert_eq!(crc.value, crc_fast::crc32_iso_hdlc(&content).to_be_bytes());
        core.delete(&at("from"), PutIf::Always).await.unwrap();
        assert!(get(&core, "to").await.unwrap() == content);
        // Onto itself, and with other attributes.
        let attributes = Attributes { content_type: Some("a/b".into()), ..Attributes::default() };
        let options = CopyOptions { attributes: Some(attributes.clone()), ..CopyOptions::default() };
        core.copy(&at("to"), Some(copied.etag), &at("to"), options).await.unwrap();
        let info = core.head(&at("to")).await.unwrap();
        assert_eq!((info.attributes, info.checksum), (attributes, Some(crc)));
        assert!(get(&core, "to").await.unwrap() == content);
    }
    let refused = core.copy(&at("none"), None, &at("to"), CopyOptions::default()).await;
    assert!(matches!(refused, Err(WriteError::NoSuchSource)));
    let tag = Some(ETag("0".repeat(32)));
    let refused = core.copy(&at("to"), tag, &at("to2"), CopyOptions::default()).await;
    assert!(matches!(refused, Err(WriteError::Precondition { exists: true })));
}

#[tokio::test]
async fn a_listing_shows_what_was_put() {
    let core = core(4).await;
    for key in ["a", "b/1", "b/2", "c//d", "\u{1f600}"] {
        put(&core, key, &bytes(key.len(), 1)).await;
    }
    let options = ListOptions { delimiter: Some("/".into()), limit: 10, ..ListOptions::default() };
    let page = core.list(&bucket("bucket"), &options).await.unwrap();
    let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!((keys, page.common_prefixes), (vec!["a", "\u{1f600}"], vec!["b/".into(), "c/".into()]));
    assert_eq!(page.objects[0].etag, md5(&bytes(1, 1)));
    let missing = core.list(&bucket("missing"), &options).await;
    assert!(matches!(missing, Err(ReadError::NoSuchBucket)));
}

#[tokio::test]
async fn a_put_whose_caller_goes_away_takes_effect_whole_or_not_at_all() {
    let core = core(4).await;
    for polls in 0..12 {
        let key = format!("key{polls}");
        let content = bytes(300 * KIB, polls);
        let mut put = Box::pin(put_when(&core, &key, &content, PutIf::Always));
        for _ in 0..polls {
            if futures::poll!(&mut put).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(put);
        match get(&core, &key).await {
            Ok(got) => assert!(got == content),
            Err(ReadError::NoSuchKey) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_closed_core_takes_nothing() {
    let core = core(4).await;
    core.close().await;
    let refused = core.put(&at("key"), Body::from_bytes(bytes(1, 1)), PutOptions::default()).await;
    assert!(matches!(refused, Err(WriteError::Storage(_))));
}
