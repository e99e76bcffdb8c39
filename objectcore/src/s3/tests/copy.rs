//! Copies.

use http::StatusCode;

use super::{Front, failed};

async fn copy(front: &Front, to: &str, from: &str, headers: &[(&str, &str)]) -> super::Answer {
    let mut all = vec![("x-amz-copy-source", from)];
    all.extend_from_slice(headers);
    front.send("PUT", to, &all, "").await
}

#[tokio::test]
async fn a_copy_keeps_or_replaces_what_was_said_about_the_object() {
    let front = Front::new().await;
    let meta = [("x-amz-meta-a", "1"), ("content-type", "text/plain")];
    front.put_with("/abc/a%20b", &meta, "123456789").await;
    let kept = copy(&front, "/abc/kept", "/abc/a%20b", &[("x-amz-meta-a", "2")]).await;
    assert_eq!(
        kept.xml(),
        "<CopyObjectResult><LastModified>DATE</LastModified><ETag>&quot;25f9e794323b453885f5181f1b624d0b&quot;</ETag>\
         <ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></CopyObjectResult>"
    );
    let read = front.get("/abc/kept").await;
    assert_eq!((read.body.as_str(), read.header("x-amz-meta-a")), ("123456789", "1"));
    assert_eq!(read.header("content-type"), "text/plain");
    let replace = [("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-b", "2")];
    assert_eq!(copy(&front, "/abc/new", "abc/a%20b?versionId=null", &replace).await.status, StatusCode::OK);
    let read = front.get("/abc/new").await;
    assert_eq!((read.header("x-amz-meta-a"), read.header("x-amz-meta-b")), ("", "2"));
    assert_eq!(read.header("content-type"), "binary/octet-stream");
}

#[tokio::test]
async fn a_copy_onto_itself_must_change_something() {
    let front = Front::new().await;
    front.put("/abc/k", "1").await;
    assert_eq!(copy(&front, "/abc/k", "abc/k", &[]).await.error(), failed(400, "InvalidRequest"));
    let replace = [("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-b", "2")];
    assert_eq!(copy(&front, "/abc/k", "abc/k", &replace).await.status, StatusCode::OK);
    let read = front.get("/abc/k").await;
    assert_eq!((read.body.as_str(), read.header("x-amz-meta-b")), ("1", "2"));
}

#[tokio::test]
async fn a_copy_follows_the_conditions_on_both_ends() {
    let front = Front::new().await;
    let etag = front.put("/abc/k", "1").await.header("etag").to_owned();
    let (past, future) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 06 Nov 2098 08:49:37 GMT");
    for (name, value, status) in [
        ("x-amz-copy-source-if-match", etag.as_str(), 200),
        ("x-amz-copy-source-if-match", "x", 412),
        ("x-amz-copy-source-if-none-match", etag.as_str(), 412),
        ("x-amz-copy-source-if-none-match", "x", 200),
        ("x-amz-copy-source-if-modified-since", past, 200),
        ("x-amz-copy-source-if-modified-since", future, 412),
        ("x-amz-copy-source-if-unmodified-since", past, 412),
        ("x-amz-copy-source-if-unmodified-since", future, 200),
    ] {
        let answer = copy(&front, "/abc/to", "abc/k", &[(name, value)]).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {value}");
    }
    let absent = [("if-none-match", "*")];
    assert_eq!(copy(&front, "/abc/to", "abc/k", &absent).await.error(), failed(412, "PreconditionFailed"));
    assert_eq!(copy(&front, "/abc/fresh", "abc/k", &absent).await.status, StatusCode::OK);
    assert_eq!(
        copy(&front, "/abc/to", "abc/k", &[("if-match", "x")]).await.error(),
        failed(412, "PreconditionFailed")
    );
}

#[tokio::test]
async fn a_copy_can_fail_in_every_documented_way() {
    let front = Front::new().await;
    front.put("/abc/k", "1").await;
    assert_eq!(copy(&front, "/abc/to", "abc/none", &[]).await.error(), failed(404, "NoSuchKey"));
    assert_eq!(copy(&front, "/abc/to", "none/k", &[]).await.error(), failed(404, "NoSuchBucket"));
    assert_eq!(copy(&front, "/none/to", "abc/k", &[]).await.error(), failed(404, "NoSuchBucket"));
    assert_eq!(copy(&front, "/abc/to", "abc", &[]).await.error(), failed(400, "InvalidArgument"));
    assert_eq!(copy(&front, "/abc/to", "abc/k?versionId=x", &[]).await.error(), failed(404, "NoSuchVersion"));
    let directive = [("x-amz-metadata-directive", "MERGE")];
    assert_eq!(copy(&front, "/abc/to", "abc/k", &directive).await.error(), failed(400, "InvalidArgument"));
    let checksum = [("x-amz-checksum-algorithm", "MD6")];
    assert_eq!(copy(&front, "/abc/to", "abc/k", &checksum).await.error(), failed(400, "InvalidRequest"));
}

#[tokio::test]
async fn a_copy_computes_the_checksum_asked_for() {
    let front = Front::new().await;
    front.put("/abc/k", "123456789").await;
    let answer = copy(&front, "/abc/to", "abc/k", &[("x-amz-checksum-algorithm", "CRC32")]).await;
    assert_eq!(answer.text_of("ChecksumCRC32"), "y/Q5Jg==");
}
