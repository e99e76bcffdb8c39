//! Input that no client should send: the right 4xx, never a panic.

use http::StatusCode;

use super::{Front, failed};

#[tokio::test]
async fn paths_that_name_nothing_are_refused() {
    let front = Front::new().await;
    for (uri, status, code) in [
        ("/abc/a%00b", 400, "InvalidURI"),
        ("/abc/%ff", 400, "InvalidURI"),
        ("/abc/%", 400, "InvalidURI"),
        ("/abc?prefix=%zz", 400, "InvalidURI"),
        ("/.tarn/log/1", 400, "InvalidBucketName"),
        ("/%2Etarn/log/1", 400, "InvalidBucketName"),
        ("/..", 400, "InvalidBucketName"),
        ("//", 400, "InvalidBucketName"),
        ("/_iceberg/v1", 400, "InvalidBucketName"),
    ] {
        assert_eq!(front.get(uri).await.error(), failed(status, code), "{uri}");
    }
    let long = format!("/abc/{}", "k".repeat(1025));
    assert_eq!(front.put(&long, "1").await.error(), failed(400, "KeyTooLongError"));
    assert_eq!(front.send("HEAD", "/abc/%ff", &[], "").await.error(), failed(400, ""));
}

#[tokio::test]
async fn headers_that_ask_for_what_is_not_done_are_refused() {
    let front = Front::new().await;
    let metadata = "v".repeat(2048);
    for (name, value, status, code) in [
        ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", 501, "NotImplemented"),
        ("x-amz-object-lock-legal-hold", "ON", 400, "InvalidRequest"),
        ("x-amz-tagging", "a=b&a=c", 400, "InvalidArgument"),
        ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
        ("x-amz-storage-class", "GLACIER", 400, "InvalidStorageClass"),
        ("x-amz-website-redirect-location", "/x", 501, "NotImplemented"),
        ("x-amz-write-offset-bytes", "0", 501, "NotImplemented"),
        ("x-amz-expected-bucket-owner", "111122223333", 403, "AccessDenied"),
        ("x-amz-meta-k", metadata.as_str(), 400, "MetadataTooLarge"),
        ("x-amz-checksum-crc32", "****", 400, "InvalidRequest"),
        ("content-md5", "abc", 400, "InvalidDigest"),
        ("x-amz-decoded-content-length", "one", 400, "InvalidArgument"),
    ] {
        assert_eq!(
            front.put_with("/abc/k", &[(name, value)], "1").await.error(),
            failed(status, code),
            "{name}"
        );
        assert_eq!(front.get("/abc/k").await.status, StatusCode::NOT_FOUND, "{name}");
    }
}

#[tokio::test]
async fn documents_that_are_not_xml_or_not_the_right_ones_are_refused() {
    let front = Front::new().await;
    let upload = front.upload("/abc/k", &[]).await;
    let bomb = "<!DOCTYPE d [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>\
                <Delete><Object><Key>&b;</Key></Object></Delete>";
    let foreign = "<!DOCTYPE d [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><Delete><Object><Key>&a;</Key></Object></Delete>";
    for document in [
        bomb,
        foreign,
        "",
        "{}",
        "<",
        "<Delete",
        "<Delete>\u{0}</Delete>",
        "<a><b></a></b>",
        "&lt;",
        "<?xml?>",
    ] {
        let uris = ["/abc?delete".to_owned(), format!("/abc/k?uploadId={upload}")];
        for uri in &uris {
            assert_eq!(
                front.post(uri, document).await.error(),
                failed(400, "MalformedXML"),
                "{uri} {document}"
            );
        }
    }
    let latin = front
        .send("POST", "/abc?delete", &[], &b"<Delete><Object><Key>\xe9</Key></Object></Delete>"[..])
        .await;
    assert_eq!(latin.error(), failed(400, "MalformedXML"));
    let digest = [("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")];
    let answer =
        front.send("POST", "/abc?delete", &digest, "<Delete><Object><Key>k</Key></Object></Delete>").await;
    assert_eq!(answer.error(), failed(400, "BadDigest"));
    let huge = format!("<CompleteMultipartUpload>{}", "x".repeat(2 << 20));
    assert_eq!(
        front.post(&format!("/abc/k?uploadId={upload}"), &huge).await.error(),
        failed(400, "MaxMessageLengthExceeded")
    );
}

#[tokio::test]
async fn methods_that_do_not_exist_are_refused() {
    let front = Front::new().await;
    for (method, uri) in [
        ("PATCH", "/abc/k"),
        ("OPTIONS", "/abc"),
        ("TRACE", "/"),
        ("PUT", "/"),
        ("POST", "/"),
        ("BREW", "/abc/k"),
    ] {
        assert_eq!(
            front.send(method, uri, &[], "").await.error(),
            failed(405, "MethodNotAllowed"),
            "{method} {uri}"
        );
    }
}

#[tokio::test]
async fn conditions_and_ranges_that_make_no_sense_are_ignored_or_refused() {
    let front = Front::new().await;
    front.put("/abc/k", "1").await;
    let get = async |name: &str, value: &str| {
        front.send("GET", "/abc/k", &[(name, value)], "").await.status.as_u16()
    };
    assert_eq!(get("if-modified-since", "last week").await, 200);
    assert_eq!(get("range", "bytes=99999999999999999999-").await, 416);
    assert_eq!(get("range", "\u{1f600}").await, 200);
    assert_eq!(get("x-amz-server-side-encryption-customer-key", "x").await, 400);
    assert_eq!(front.get("/abc/k?partNumber=abc").await.error(), failed(400, "InvalidArgument"));
}
