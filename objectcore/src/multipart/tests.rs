use bytes::Bytes;

use crate::core::ObjectCore;
use crate::testing::{KIB, MIB, at, body, bucket, bytes, core, get, md5, read};
use crate::types::{
    Attributes, Checksum, ChecksumAlgorithm, ChecksumKind, CompleteOptions, CompletePart, ETag, GetRange,
    PutIf, PutOptions, UploadError, UploadId, WriteError,
};

async fn begin(core: &ObjectCore) -> UploadId {
    core.create_upload(&at("key"), Attributes::default(), None).await.unwrap()
}

async fn put_part(core: &ObjectCore, upload: &UploadId, number: u16, bytes: &Bytes) -> CompletePart {
    let put = core.put_part(&at("key"), upload, number, body(bytes), PutOptions::default()).await;
    CompletePart { number, etag: put.unwrap().etag, checksum: None }
}

async fn complete(
    core: &ObjectCore,
    upload: &UploadId,
    parts: &[CompletePart],
) -> Result<crate::types::Written, UploadError> {
    core.complete_upload(&at("key"), upload, parts, CompleteOptions::default()).await
}

fn shard_files(core: &ObjectCore) -> usize {
    core.inner.sets[0].log.slots()[0].list_shards().unwrap().len()
}

#[tokio::test]
async fn uneven_parts_make_one_object() {
    let core = core(4).await;
    let upload = begin(&core).await;
    let contents = [bytes(5 * MIB, 1), bytes(6 * MIB + 17, 2), bytes(5 * MIB + 1, 3), bytes(3, 4)];
    let mut parts = Vec::new();
    for (number, content) in [2, 3, 7, 9].into_iter().zip(&contents) {
        parts.push(put_part(&core, &upload, number, content).await);
    }
    let written = complete(&core, &upload, &parts).await.unwrap();
    let whole = Bytes::from(contents.concat());
    let sums: Vec<u8> = parts.iter().flat_map(|part| hex::decode(&part.etag.0).unwrap()).collect();
    assert_eq!(written.etag, ETag(format!("{}-4", md5(&sums).0)));
    assert!(get(&core, "key").await.unwrap() == whole);
    for (number, content) in [2, 3, 7, 9].into_iter().zip(&contents) {
        assert!(read(&core, "key", Some(GetRange::Part(number))).await.unwrap() == *content);
    }
    let middle = read(&core, "key", Some(GetRange::Bounded(5_242_870, 11_534_400))).await.unwrap();
    assert!(middle == whole.slice(5_242_870..=11_534_400));
    let info = core.head(&at("key")).await.unwrap();
    let numbers: Vec<u16> = info.parts.iter().map(|part| part.number).collect();
    assert_eq!(numbers, [2, 3, 7, 9]);
    // The upload is gone.
    assert!(matches!(core.upload(&at("key"), &upload).await, Err(UploadError::NoSuchUpload)));
    assert!(matches!(complete(&core, &upload, &parts).await, Err(UploadError::NoSuchUpload)));
    assert_eq!(shard_files(&core), 4);
}

#[tokio::test]
async fn parts_that_are_not_named_or_replaced_are_removed() {
    let core = core(4).await;
    let upload = begin(&core).await;
    put_part(&core, &upload, 1, &bytes(10, 1)).await;
    let kept = put_part(&core, &upload, 1, &bytes(20, 2)).await;
    put_part(&core, &upload, 2, &bytes(30, 3)).await;
    complete(&core, &upload, &[kept]).await.unwrap();
    core.inner.removals.settle().await;
    assert_eq!(shard_files(&core), 1);
    assert!(get(&core, "key").await.unwrap() == bytes(20, 2));
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let core = core(4).await;
    let upload = begin(&core).await;
    put_part(&core, &upload, 1, &bytes(10, 1)).await;
    core.abort_upload(&at("key"), &upload).await.unwrap();
    core.inner.removals.settle().await;
    assert_eq!(shard_files(&core), 0);
    let late = core.put_part(&at("key"), &upload, 2, body(&bytes(1, 1)), PutOptions::default()).await;
    assert!(matches!(late, Err(UploadError::NoSuchUpload)));
    assert!(matches!(core.abort_upload(&at("key"), &upload).await, Err(UploadError::NoSuchUpload)));
}

#[tokio::test]
async fn a_list_of_parts_that_does_not_fit_is_refused() {
    let core = core(4).await;
    let upload = begin(&core).await;
    let one = put_part(&core, &upload, 1, &bytes(10, 1)).await;
    let two = put_part(&core, &upload, 2, &bytes(5 * MIB, 2)).await;
    let refused = complete(&core, &upload, &[two.clone(), one.clone()]).await;
    assert!(matches!(refused, Err(UploadError::InvalidPartOrder)));
    let refused = complete(&core, &upload, &[one.clone(), one.clone()]).await;
    assert!(matches!(refused, Err(UploadError::InvalidPartOrder)));
    let refused = complete(&core, &upload, &[one.clone(), two.clone()]).await;
    assert!(matches!(refused, Err(UploadError::TooSmall { number: 1, size: 10, .. })));
    let wrong = CompletePart { etag: ETag("0".repeat(32)), ..two.clone() };
    let refused = complete(&core, &upload, &[wrong]).await;
    assert!(matches!(refused, Err(UploadError::InvalidPart { number: 2 })));
    let missing = CompletePart { number: 3, ..two.clone() };
    let refused = complete(&core, &upload, &[two.clone(), missing]).await;
    assert!(matches!(refused, Err(UploadError::InvalidPart { number: 3 })));
    assert!(complete(&core, &upload, &[]).await.is_err());
    let options = CompleteOptions { size: Some(1), ..CompleteOptions::default() };
    let refused = core.complete_upload(&at("key"), &upload, std::slice::from_ref(&two), options).await;
    assert!(matches!(refused, Err(UploadError::Write(WriteError::Body(_)))));
    // After all that it can still be completed.
    complete(&core, &upload, &[two]).await.unwrap();
}

#[tokio::test]
async fn completing_is_conditional_and_a_refusal_keeps_the_upload() {
    let core = core(4).await;
    let uploads = [begin(&core).await, begin(&core).await];
    let mut parts = Vec::new();
    for (seed, upload) in uploads.iter().enumerate() {
        parts.push([put_part(&core, upload, 1, &bytes(100 * KIB, seed as u64)).await]);
    }
    let absent = || CompleteOptions { when: PutIf::Absent, ..CompleteOptions::default() };
    let key = at("key");
    let (first, second) = futures::join!(
        core.complete_upload(&key, &uploads[0], &parts[0], absent()),
        core.complete_upload(&key, &uploads[1], &parts[1], absent()),
    );
    let winner = usize::from(first.is_err());
    assert!(first.is_ok() != second.is_ok());
    assert!(get(&core, "key").await.unwrap() == bytes(100 * KIB, winner as u64));
    let (loser, tag) = (1 - winner, core.head(&at("key")).await.unwrap().etag);
    let options = CompleteOptions { when: PutIf::Match(tag), ..CompleteOptions::default() };
    core.complete_upload(&at("key"), &uploads[loser], &parts[loser], options).await.unwrap();
    assert!(get(&core, "key").await.unwrap() == bytes(100 * KIB, loser as u64));
}

#[tokio::test]
async fn checksums_of_parts_make_that_of_the_whole() {
    for kind in [ChecksumKind::FullObject, ChecksumKind::Composite] {
        let core = core(4).await;
        let asked = Some((ChecksumAlgorithm::Crc32, kind));
        let upload = core.create_upload(&at("key"), Attributes::default(), asked).await.unwrap();
        let contents = [bytes(5 * MIB, 1), bytes(77, 2)];
        let mut parts = Vec::new();
        for (number, content) in (1..).zip(&contents) {
            let value = crc_fast::crc32_iso_hdlc(content).to_be_bytes().to_vec();
            let sum = Checksum { algorithm: ChecksumAlgorithm::Crc32, kind: ChecksumKind::FullObject, value };
            let mut sent = body(content);
            let sealed = sum.clone();
            sent.seal = Box::new(move || Ok(Some(sealed)));
            let part = core.put_part(&at("key"), &upload, number, sent, PutOptions::default()).await.unwrap();
            assert_eq!(part.checksum.as_ref(), Some(&sum));
            parts.push(CompletePart { number, etag: part.etag, checksum: Some(sum.value) });
        }
        let expected = match kind {
            ChecksumKind::FullObject => crc_fast::crc32_iso_hdlc(&contents.concat()),
            ChecksumKind::Composite => {
                let sums: Vec<u8> = parts.iter().flat_map(|part| part.checksum.clone().unwrap()).collect();
                crc_fast::crc32_iso_hdlc(&sums)
            }
        };
        let value = expected.to_be_bytes().to_vec();
        let whole = Checksum { algorithm: ChecksumAlgorithm::Crc32, kind, value };
        let wrong = Checksum { value: vec![0; 4], ..whole.clone() };
        let options = CompleteOptions { checksum: Some(wrong), ..CompleteOptions::default() };
        let refused = core.complete_upload(&at("key"), &upload, &parts, options).await;
        assert!(matches!(refused, Err(UploadError::BadDigest)));
        let options = CompleteOptions { checksum: Some(whole.clone()), ..CompleteOptions::default() };
        let written = core.complete_upload(&at("key"), &upload, &parts, options).await.unwrap();
        assert_eq!(written.checksum, Some(whole));
    }
}

#[tokio::test]
async fn uploads_and_parts_are_listed_page_by_page() {
    let core = core(4).await;
    let mut made = Vec::new();
    for key in ["b", "a/1", "a/1", "a/2"] {
        let upload = core.create_upload(&at(key), Attributes::default(), None).await.unwrap();
        made.push((key.to_owned(), upload));
    }
    made.sort();
    let name = bucket("bucket");
    let mut listed = Vec::new();
    let mut after: Option<(String, UploadId)> = None;
    loop {
        let marker = after.as_ref().map(|(key, upload)| (key.as_str(), upload));
        let (page, more) = core.list_uploads(&name, "", marker, 1).await.unwrap();
        listed.extend(page.into_iter().map(|upload| (upload.key.as_str().to_owned(), upload.upload)));
        after = listed.last().cloned();
        if !more {
            break;
        }
    }
    assert_eq!(listed, made);
    let (page, _) = core.list_uploads(&name, "a/", None, 10).await.unwrap();
    assert_eq!(page.len(), 3);
    let (page, _) = core.list_uploads(&name, "", Some(("a/1", &UploadId(String::new()))), 10).await.unwrap();
    assert_eq!(page.len(), 2);

    let upload = begin(&core).await;
    for number in [1, 300, 10_000] {
        put_part(&core, &upload, number, &bytes(usize::from(number), 1)).await;
    }
    let (_, parts, more) = core.list_parts(&at("key"), &upload, 0, 2).await.unwrap();
    assert_eq!((parts.iter().map(|part| part.number).collect::<Vec<_>>(), more), (vec![1, 300], true));
    let (_, parts, more) = core.list_parts(&at("key"), &upload, 300, 2).await.unwrap();
    assert_eq!((parts[0].number, parts[0].size, more), (10_000, 10_000, false));
    for number in [0, 10_001] {
        let refused =
            core.put_part(&at("key"), &upload, number, body(&bytes(1, 1)), PutOptions::default()).await;
        assert!(matches!(refused, Err(UploadError::InvalidPart { .. })));
    }
}
