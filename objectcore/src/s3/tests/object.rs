//! Objects: put, get, head, delete, ranges, attributes.

use http::StatusCode;

use super::{Front, failed};

/// MD5 of `0123456789`.
const TEN: &str = "\"781e5e245d69b566979b86e28d23f2c7\"";

#[tokio::test]
async fn an_object_comes_back_with_what_was_said_about_it() {
    let front = Front::new().await;
    let put = front
        .put_with(
            "/abc/a%20b",
            &[
                ("content-type", "text/plain"),
                ("content-encoding", "aws-chunked,gzip"),
                ("cache-control", "no-store"),
                ("content-disposition", "inline"),
                ("content-language", "de"),
                ("expires", "tomorrow"),
                ("x-amz-meta-who", "me"),
            ],
            "0123456789",
        )
        .await;
    assert_eq!((put.status, put.header("etag"), put.body.as_str()), (StatusCode::OK, TEN, ""));
    assert_eq!(put.header("x-amz-checksum-type"), "FULL_OBJECT");
    assert!(!put.header("x-amz-checksum-crc64nvme").is_empty());
    for method in ["GET", "HEAD"] {
        let answer = front.send(method, "/abc/a%20b", &[], "").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, if method == "GET" { "0123456789" } else { "" });
        for (name, value) in [
            ("content-length", "10"),
            ("content-type", "text/plain"),
            ("content-encoding", "gzip"),
            ("cache-control", "no-store"),
            ("content-disposition", "inline"),
            ("content-language", "de"),
            ("expires", "tomorrow"),
            ("x-amz-meta-who", "me"),
            ("etag", TEN),
            ("accept-ranges", "bytes"),
            ("x-amz-checksum-crc64nvme", ""),
        ] {
            assert_eq!(answer.header(name), value, "{method} {name}");
        }
        assert!(answer.header("last-modified").ends_with(" GMT"));
    }
    assert_eq!(front.delete("/abc/a%20b").await.status, StatusCode::NO_CONTENT);
    assert_eq!(front.delete("/abc/a%20b").await.status, StatusCode::NO_CONTENT);
    assert_eq!(front.send("HEAD", "/abc/a%20b", &[], "").await.error(), failed(404, ""));
}

#[tokio::test]
async fn a_missing_object_is_told_in_whole() {
    let front = Front::new().await;
    let answer = front.get("/abc/a%26b").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(
        answer.xml(),
        "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>\
         <Resource>/abc/a%26b</Resource><RequestId>R1</RequestId></Error>"
    );
    assert_eq!(front.get("/none/k").await.error(), failed(404, "NoSuchBucket"));
    assert_eq!(front.put("/none/k", "1").await.error(), failed(404, "NoSuchBucket"));
    assert_eq!(front.delete("/none/k").await.error(), failed(404, "NoSuchBucket"));
}

#[tokio::test]
async fn keys_that_look_like_paths_are_different_objects() {
    let front = Front::new().await;
    let keys = [
        "a",
        "a/",
        "/a",
        "//a",
        "a//",
        "..",
        "../a",
        "./a",
        "%2E%2E%2Fx",
        "a%2520",
        "a%20",
        "%C3%A9",
        "a%0Ab",
    ];
    for key in keys {
        let body: &'static str = Box::leak(key.to_owned().into_boxed_str());
        assert_eq!(front.put(&format!("/abc/{key}"), body).await.status, StatusCode::OK, "{key}");
    }
    for key in keys {
        assert_eq!(front.get(&format!("/abc/{key}")).await.body, key);
    }
    let listed = front.get("/abc?list-type=2&encoding-type=url").await;
    assert_eq!(listed.text_of("KeyCount"), keys.len().to_string());
}

#[tokio::test]
async fn every_form_of_a_range_is_answered() {
    let front = Front::new().await;
    front.put("/abc/k", "0123456789").await;
    for (range, content_range, body) in [
        ("bytes=0-0", "bytes 0-0/10", "0"),
        ("bytes=2-4", "bytes 2-4/10", "234"),
        ("bytes=8-100", "bytes 8-9/10", "89"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=-100", "bytes 0-9/10", "0123456789"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = front.send(method, "/abc/k", &[("range", range)], "").await;
            assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
            assert_eq!(answer.header("content-range"), content_range);
            assert_eq!(answer.header("content-length"), body.len().to_string());
            assert_eq!(answer.body, if method == "GET" { body } else { "" });
        }
    }
    for range in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
        let answer = front.send("GET", "/abc/k", &[("range", range)], "").await;
        assert_eq!(answer.error(), failed(416, "InvalidRange"), "{range}");
        assert_eq!(answer.text_of("ActualObjectSize"), "10");
        assert_eq!(front.send("HEAD", "/abc/k", &[("range", range)], "").await.error(), failed(416, ""));
    }
    for range in ["bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes", "bytes=x-y"] {
        let answer = front.send("GET", "/abc/k", &[("range", range)], "").await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "0123456789"), "{range}");
    }
}

#[tokio::test]
async fn an_empty_object_has_no_range() {
    let front = Front::new().await;
    front.put("/abc/k", "").await;
    let whole = front.get("/abc/k").await;
    assert_eq!(
        (whole.status, whole.header("content-length"), whole.body.as_str()),
        (StatusCode::OK, "0", "")
    );
    for range in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
        let answer = front.send("GET", "/abc/k", &[("range", range)], "").await;
        assert_eq!(answer.error(), failed(416, "InvalidRange"), "{range}");
    }
    assert_eq!(front.get("/abc/k?partNumber=1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_part_number_of_a_plain_object_is_one() {
    let front = Front::new().await;
    front.put("/abc/k", "0123456789").await;
    let part = front.get("/abc/k?partNumber=1").await;
    assert_eq!((part.status, part.body.as_str()), (StatusCode::PARTIAL_CONTENT, "0123456789"));
    assert_eq!(front.get("/abc/k?partNumber=2").await.error(), failed(416, "InvalidPartNumber"));
    assert_eq!(front.send("HEAD", "/abc/k?partNumber=2", &[], "").await.status.as_u16(), 416);
    assert_eq!(front.get("/abc/k?partNumber=0").await.error(), failed(400, "InvalidArgument"));
    let both = front.send("GET", "/abc/k?partNumber=1", &[("range", "bytes=0-1")], "").await;
    assert_eq!(both.error(), failed(400, "InvalidRequest"));
}

#[tokio::test]
async fn overrides_need_a_signature() {
    let front = Front::new().await;
    front.put("/abc/k", "1").await;
    let uri = "/abc/k?response-content-type=text%2Fcsv&response-cache-control=no-cache\
               &response-content-disposition=attachment%3B%20filename%3Dx&response-expires=never\
               &response-content-language=fr&response-content-encoding=br";
    let answer = front.get(uri).await;
    for (name, value) in [
        ("content-type", "text/csv"),
        ("cache-control", "no-cache"),
        ("content-disposition", "attachment; filename=x"),
        ("expires", "never"),
        ("content-language", "fr"),
        ("content-encoding", "br"),
    ] {
        assert_eq!(answer.header(name), value);
    }
    let unsigned =
        front.as_principal(front.principal.clone(), tarn_openapi::request::Authenticated::Anonymous);
    assert_eq!(unsigned.get(uri).await.error(), failed(400, "InvalidRequest"));
    assert_eq!(front.get("/abc/k?response-expires=a%0Ab").await.error(), failed(400, "InvalidArgument"));
}

#[tokio::test]
async fn only_the_null_version_exists() {
    let front = Front::new().await;
    front.put("/abc/k", "1").await;
    assert_eq!(front.get("/abc/k?versionId=null").await.status, StatusCode::OK);
    assert_eq!(front.get("/abc/k?versionId=x").await.error(), failed(404, "NoSuchVersion"));
    assert_eq!(front.delete("/abc/k?versionId=x").await.error(), failed(404, "NoSuchVersion"));
    assert_eq!(front.delete("/abc/k?versionId=null").await.status, StatusCode::NO_CONTENT);
    assert_eq!(front.get("/abc/k").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn attributes_are_those_asked_for() {
    let front = Front::new().await;
    front.put("/abc/k", "123456789").await;
    let asked = [("x-amz-object-attributes", "ETag,Checksum,ObjectSize,StorageClass,ObjectParts")];
    let answer = front.send("GET", "/abc/k?attributes", &asked, "").await;
    assert_eq!(
        answer.xml(),
        "<GetObjectAttributesResponse><ETag>25f9e794323b453885f5181f1b624d0b</ETag>\
         <Checksum><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></Checksum>\
         <StorageClass>STANDARD</StorageClass><ObjectSize>9</ObjectSize></GetObjectAttributesResponse>"
    );
    assert!(answer.header("last-modified").ends_with(" GMT"));
    let one = front.send("GET", "/abc/k?attributes", &[("x-amz-object-attributes", "ObjectSize")], "").await;
    assert_eq!(
        one.xml(),
        "<GetObjectAttributesResponse><ObjectSize>9</ObjectSize></GetObjectAttributesResponse>"
    );
    assert_eq!(front.get("/abc/k?attributes").await.error(), failed(400, "InvalidRequest"));
    let foreign = front.send("GET", "/abc/k?attributes", &[("x-amz-object-attributes", "Age")], "").await;
    assert_eq!(foreign.error(), failed(400, "InvalidArgument"));
}

#[tokio::test]
async fn settings_of_an_object_are_answered_with_what_is_so() {
    let front = Front::new().await;
    front.put("/abc/k", "1").await;
    assert!(front.get("/abc/k?acl").await.body.contains("FULL_CONTROL"));
    assert_eq!(front.get("/abc/k?retention").await.error(), failed(404, "NoSuchObjectLockConfiguration"));
    assert_eq!(front.get("/abc/none?acl").await.error(), failed(404, "NoSuchKey"));
    assert_eq!(front.get("/abc/k").await.body, "1");
}
