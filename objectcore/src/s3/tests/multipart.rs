//! Multipart uploads.

use http::StatusCode;

use super::{Front, failed};

const MINIMUM: usize = 5 << 20;

fn document(parts: &[(u16, &str)]) -> String {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
        .collect();
    format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}</CompleteMultipartUpload>"
    )
}

/// A part of the least size, filled with one byte.
fn filled(byte: u8) -> &'static str {
    Box::leak(String::from_utf8(vec![byte; MINIMUM]).unwrap().into_boxed_str())
}

async fn part(front: &Front, uri: &str, upload: &str, number: u16, body: &'static str) -> String {
    let answer = front.put(&format!("{uri}?uploadId={upload}&partNumber={number}"), body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.header("etag").to_owned()
}

#[tokio::test]
async fn parts_become_one_object() {
    let front = Front::new().await;
    let upload = front.upload("/abc/k", &[("x-amz-meta-a", "1"), ("content-type", "text/plain")]).await;
    let first = part(&front, "/abc/k", &upload, 1, filled(b'a')).await;
    let second = part(&front, "/abc/k", &upload, 2, "tail").await;
    let parts = document(&[(1, &first), (2, &second)]);
    let done = front.post(&format!("/abc/k?uploadId={upload}"), &parts).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert_eq!(done.text_of("Location"), "/abc/k");
    assert!(done.text_of("ETag").ends_with("-2&quot;"));
    assert_eq!(done.text_of("ChecksumType"), "FULL_OBJECT");

    let read = front.send("GET", "/abc/k", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!((read.body.len(), read.header("x-amz-meta-a")), (MINIMUM + 4, "1"));
    assert_eq!(read.header("x-amz-mp-parts-count"), "");
    assert_eq!(read.header("x-amz-checksum-crc64nvme"), done.text_of("ChecksumCRC64NVME"));
    let last = front.get("/abc/k?partNumber=2").await;
    assert_eq!((last.status, last.body.as_str()), (StatusCode::PARTIAL_CONTENT, "tail"));
    assert_eq!(last.header("content-range"), format!("bytes {MINIMUM}-{}/{}", MINIMUM + 3, MINIMUM + 4));
    assert_eq!(last.header("x-amz-mp-parts-count"), "2");
    let head = front.send("HEAD", "/abc/k?partNumber=1", &[], "").await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (206, MINIMUM.to_string().as_str()));
    assert_eq!(front.get("/abc/k?partNumber=3").await.error(), failed(416, "InvalidPartNumber"));
    let attributes =
        front.send("GET", "/abc/k?attributes", &[("x-amz-object-attributes", "ObjectParts")], "").await;
    assert_eq!(attributes.text_of("PartsCount"), "2");
    assert_eq!(attributes.body.matches("<Part>").count(), 2);
    assert_eq!(front.get(&format!("/abc/k?uploadId={upload}")).await.error(), failed(404, "NoSuchUpload"));
}

#[tokio::test]
async fn a_composite_checksum_is_answered_with_its_parts() {
    let front = Front::new().await;
    let upload = front.upload("/abc/k", &[("x-amz-checksum-algorithm", "CRC32")]).await;
    let uri = format!("/abc/k?uploadId={upload}&partNumber=1");
    let sent = front.put_with(&uri, &[("x-amz-checksum-crc32", "y/Q5Jg==")], "123456789").await;
    assert_eq!(sent.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    let wrong = front.put_with(&uri, &[("x-amz-checksum-crc32", "AAAAAA==")], "123456789").await;
    assert_eq!(wrong.error(), failed(400, "BadDigest"));
    let parts = document(&[(1, sent.header("etag"))]);
    let done = front.post(&format!("/abc/k?uploadId={upload}"), &parts).await;
    assert_eq!(done.text_of("ChecksumType"), "COMPOSITE");
    let text = done.text_of("ChecksumCRC32");
    assert!(text.ends_with("-1"), "{text}");
    let head = front.send("HEAD", "/abc/k", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!(head.header("x-amz-checksum-crc32"), text);
    let asked = [("x-amz-checksum-mode", "ENABLED")];
    let first = front.send("GET", "/abc/k?partNumber=1", &asked, "").await;
    assert_eq!(first.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    assert_eq!(first.header("x-amz-checksum-type"), "COMPOSITE");
}

#[tokio::test]
async fn a_part_may_be_checked_by_another_algorithm_than_the_upload_keeps() {
    let front = Front::new().await;
    let upload = front.upload("/abc/k", &[]).await;
    let uri = format!("/abc/k?uploadId={upload}&partNumber=1");
    let sent = front.put_with(&uri, &[("x-amz-checksum-crc32", "y/Q5Jg==")], "123456789").await;
    assert_eq!(sent.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    let etag = sent.header("etag");
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>\
         <ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part></CompleteMultipartUpload>"
    );
    let done = front.post(&format!("/abc/k?uploadId={upload}"), &parts).await;
    assert_eq!(done.text_of("ChecksumCRC64NVME"), "rosUhgp5mIg=");
}

#[tokio::test]
async fn completing_can_fail_in_every_documented_way() {
    let front = Front::new().await;
    let upload = front.upload("/abc/k", &[]).await;
    let first = part(&front, "/abc/k", &upload, 1, "too small").await;
    let second = part(&front, "/abc/k", &upload, 2, "tail").await;
    let complete = async |headers: &[(&str, &str)], parts: String| {
        front.send("POST", &format!("/abc/k?uploadId={upload}"), headers, parts).await.error()
    };
    assert_eq!(complete(&[], document(&[(1, &first), (2, &second)])).await, failed(400, "EntityTooSmall"));
    assert_eq!(complete(&[], document(&[(2, &second), (1, &first)])).await, failed(400, "InvalidPartOrder"));
    assert_eq!(complete(&[], document(&[(1, "\"x\"")])).await, failed(400, "InvalidPart"));
    assert_eq!(complete(&[], document(&[(3, &first)])).await, failed(400, "InvalidPart"));
    assert_eq!(complete(&[], document(&[])).await, failed(400, "MalformedXML"));
    assert_eq!(complete(&[], document(&[(0, &first)])).await, failed(400, "InvalidArgument"));
    assert_eq!(
        complete(&[], "<CompleteMultipartUpload><Part/></CompleteMultipartUpload>".into()).await,
        failed(400, "MalformedXML")
    );
    assert_eq!(complete(&[], document(&vec![(1, "e"); 10_001])).await, failed(400, "MalformedXML"));
    let good = || document(&[(2, &second)]);
    assert_eq!(complete(&[("x-amz-mp-object-size", "7")], good()).await.0, 400);
    assert_eq!(complete(&[("x-amz-mp-object-size", "x")], good()).await, failed(400, "InvalidRequest"));
    assert_eq!(
        complete(&[("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")], good()).await,
        failed(400, "BadDigest")
    );
    assert_eq!(
        complete(&[("x-amz-checksum-crc32", "AAAAAA==")], good()).await,
        failed(400, "InvalidRequest")
    );
    assert_eq!(
        complete(&[("x-amz-checksum-type", "COMPOSITE")], good()).await,
        failed(400, "InvalidRequest")
    );
    front.put("/abc/k", "there").await;
    assert_eq!(complete(&[("if-none-match", "*")], good()).await, failed(412, "PreconditionFailed"));
    assert_eq!(complete(&[("if-match", "\"x\"")], good()).await, failed(412, "PreconditionFailed"));
    assert_eq!(front.get("/abc/k").await.body, "there");
    assert_eq!(complete(&[], good()).await.0, 200);
    assert_eq!(front.get("/abc/k").await.body, "tail");
    // The answer got lost and the client asks again: it is the same object.
    assert_eq!(complete(&[], good()).await.0, 200);
    assert_eq!(complete(&[("if-match", "*")], good()).await, failed(404, "NoSuchUpload"));
    front.put("/abc/k", "another").await;
    assert_eq!(complete(&[], good()).await, failed(404, "NoSuchUpload"));
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let front = Front::new().await;
    let upload = front.upload("/abc/k", &[]).await;
    part(&front, "/abc/k", &upload, 1, "1").await;
    let uri = format!("/abc/k?uploadId={upload}");
    assert_eq!(front.delete(&uri).await.status, StatusCode::NO_CONTENT);
    assert_eq!(front.delete(&uri).await.error(), failed(404, "NoSuchUpload"));
    assert_eq!(front.get(&uri).await.error(), failed(404, "NoSuchUpload"));
    assert_eq!(front.put(&format!("{uri}&partNumber=1"), "1").await.error(), failed(404, "NoSuchUpload"));
    assert_eq!(front.upload("/abc/other", &[]).await.len(), upload.len());
    let other_key = front.upload("/abc/other", &[]).await;
    assert_eq!(front.get(&format!("/abc/k?uploadId={other_key}")).await.error(), failed(404, "NoSuchUpload"));
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let front = Front::new().await;
    let upload = front.upload("/abc/k", &[("x-amz-checksum-algorithm", "CRC32")]).await;
    for number in [1, 3, 7] {
        part(&front, "/abc/k", &upload, number, "123456789").await;
    }
    let first = front.get(&format!("/abc/k?uploadId={upload}&max-parts=2")).await;
    let one = |number: u16| {
        format!(
            "<Part><PartNumber>{number}</PartNumber><LastModified>DATE</LastModified>\
             <ETag>&quot;25f9e794323b453885f5181f1b624d0b&quot;</ETag><Size>9</Size><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part>"
        )
    };
    let who = "<ID>7461726e00000000000000000000000000000000000000000000000000000000</ID><DisplayName>tarn</DisplayName>";
    assert_eq!(
        first.xml(),
        format!(
            "<ListPartsResult><Bucket>abc</Bucket><Key>k</Key><UploadId>{upload}</UploadId><Initiator>{who}</Initiator>\
             <Owner>{who}</Owner><StorageClass>STANDARD</StorageClass><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>\
             <ChecksumType>COMPOSITE</ChecksumType><PartNumberMarker>0</PartNumberMarker>\
             <NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>{}{}</ListPartsResult>",
            one(1),
            one(3)
        )
    );
    let second = front.get(&format!("/abc/k?uploadId={upload}&part-number-marker=3")).await;
    assert_eq!(second.text_of("PartNumber"), "7");
    assert_eq!(second.text_of("IsTruncated"), "false");
}

#[tokio::test]
async fn uploads_are_listed_by_prefix_delimiter_and_page() {
    let front = Front::new().await;
    for key in ["a", "d/1", "d/2", "e", "e"] {
        front.upload(&format!("/abc/{key}"), &[]).await;
    }
    let keys = |body: &str| -> Vec<String> {
        body.split("<Key>").skip(1).map(|piece| piece.split("</Key>").next().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(&front.get("/abc?uploads").await.body), ["a", "d/1", "d/2", "e", "e"]);
    assert_eq!(keys(&front.get("/abc?uploads&prefix=d/").await.body), ["d/1", "d/2"]);
    assert_eq!(keys(&front.get("/abc?uploads&key-marker=d/2").await.body), ["e", "e"]);
    let rolled = front.get("/abc?uploads&delimiter=/").await;
    assert_eq!(keys(&rolled.body), ["a", "e", "e"]);
    assert!(rolled.body.contains("<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>"));
    assert_eq!(rolled.text_of("IsTruncated"), "false");

    for delimiter in ["", "&delimiter=/"] {
        let (mut collected, mut prefixes, mut marker) = (Vec::new(), 0, String::new());
        for _ in 0..8 {
            let page = front.get(&format!("/abc?uploads&max-uploads=1{delimiter}{marker}")).await;
            collected.extend(keys(&page.body));
            prefixes += page.body.matches("<CommonPrefixes>").count();
            if page.text_of("IsTruncated") == "false" {
                break;
            }
            let key = page.text_of("NextKeyMarker").replace('\u{10ffff}', "%F4%8F%BF%BF");
            marker = format!("&key-marker={key}&upload-id-marker={}", page.text_of("NextUploadIdMarker"));
        }
        let expected: &[&str] =
            if delimiter.is_empty() { &["a", "d/1", "d/2", "e", "e"] } else { &["a", "e", "e"] };
        assert_eq!(
            (collected, prefixes),
            (expected.iter().map(ToString::to_string).collect(), usize::from(!delimiter.is_empty()))
        );
    }
}

#[tokio::test]
async fn a_part_is_copied_whole_or_by_range() {
    let front = Front::new().await;
    front.put("/abc/from", "0123456789").await;
    let upload = front.upload("/abc/k", &[]).await;
    let uri = format!("/abc/k?uploadId={upload}&partNumber=1");
    let copy = async |headers: &[(&str, &str)]| {
        let mut all = vec![("x-amz-copy-source", "/abc/from")];
        all.extend_from_slice(headers);
        front.send("PUT", &uri, &all, "").await
    };
    assert_eq!(copy(&[]).await.status, StatusCode::OK);
    let range = copy(&[("x-amz-copy-source-range", "bytes=2-4")]).await;
    let done = document(&[(1, &range.text_of("ETag"))]);
    for bad in ["bytes=2-10", "bytes=2-", "2-4", "bytes=-1"] {
        assert_eq!(
            copy(&[("x-amz-copy-source-range", bad)]).await.error(),
            failed(400, "InvalidArgument"),
            "{bad}"
        );
    }
    assert_eq!(copy(&[("x-amz-copy-source-if-match", "x")]).await.error(), failed(412, "PreconditionFailed"));
    assert_eq!(front.post(&format!("/abc/k?uploadId={upload}"), &done).await.status, StatusCode::OK);
    assert_eq!(front.get("/abc/k").await.body, "234");
    assert_eq!(copy(&[]).await.error(), failed(404, "NoSuchUpload"));
}
