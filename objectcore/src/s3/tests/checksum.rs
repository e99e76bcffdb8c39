//! Checksums and digests of bodies, verified and answered.

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tarn_openapi::request::BodyRejected;

use super::{Front, failed};

/// Checksums of `123456789`.
const NINE: [(&str, &str); 5] = [
    ("x-amz-checksum-crc32", "y/Q5Jg=="),
    ("x-amz-checksum-crc32c", "4waSgw=="),
    ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
    ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
    ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
];

#[tokio::test]
async fn a_checksum_is_verified_kept_and_answered_when_asked_for() {
    let front = Front::new().await;
    for (name, value) in NINE {
        let put = front.put_with("/abc/k", &[(name, value)], "123456789").await;
        assert_eq!((put.status, put.header(name)), (StatusCode::OK, value), "{name}");
        let asked = front.send("GET", "/abc/k", &[("x-amz-checksum-mode", "ENABLED")], "").await;
        assert_eq!((asked.header(name), asked.header("x-amz-checksum-type")), (value, "FULL_OBJECT"));
        let head = front.send("HEAD", "/abc/k", &[("x-amz-checksum-mode", "enabled")], "").await;
        assert_eq!(head.header(name), value);
        assert_eq!(front.get("/abc/k").await.header(name), "");
        let range = [("x-amz-checksum-mode", "ENABLED"), ("range", "bytes=0-1")];
        assert_eq!(front.send("GET", "/abc/k", &range, "").await.header(name), "");
    }
}

#[tokio::test]
async fn a_wrong_checksum_leaves_the_object_as_it_was() {
    let front = Front::new().await;
    front.put("/abc/k", "before").await;
    for (name, value) in NINE {
        let put = front.put_with("/abc/k", &[(name, value)], "12345678X").await;
        assert_eq!(put.error(), failed(400, "BadDigest"), "{name}");
        assert_eq!(
            front.put_with("/abc/k", &[(name, "?")], "1").await.error(),
            failed(400, "InvalidRequest")
        );
    }
    let md5 = ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==");
    assert_eq!(front.put_with("/abc/k", &[md5], "12345678X").await.error(), failed(400, "BadDigest"));
    assert_eq!(
        front.put_with("/abc/k", &[("content-md5", "?")], "1").await.error(),
        failed(400, "InvalidDigest")
    );
    assert_eq!(front.get("/abc/k").await.body, "before");
    assert_eq!(front.put_with("/abc/k", &[md5], "123456789").await.status, StatusCode::OK);
}

fn body(frames: Vec<Result<Frame<Bytes>, BodyRejected>>) -> Body {
    Body::new(StreamBody::new(stream::iter(frames)))
}

#[tokio::test]
async fn a_trailing_checksum_is_verified_like_one_in_a_header() {
    let front = Front::new().await;
    for (name, value) in NINE {
        let headers = [("x-amz-trailer", name), ("x-amz-decoded-content-length", "9")];
        let send = async |text: &'static str, value| {
            let mut trailers = HeaderMap::new();
            trailers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            let frames =
                vec![Ok(Frame::data(Bytes::from_static(text.as_bytes()))), Ok(Frame::trailers(trailers))];
            front.send("PUT", "/abc/k", &headers, body(frames)).await
        };
        let put = send("123456789", value).await;
        assert_eq!((put.status, put.header(name)), (StatusCode::OK, value), "{name} {}", put.body);
        assert_eq!(send("12345678X", value).await.error(), failed(400, "BadDigest"));
        assert_eq!(send("123456789", "?").await.error(), failed(400, "MalformedTrailerError"));
        let missing = front.send("PUT", "/abc/k", &headers, "123456789").await;
        assert_eq!(missing.error(), failed(400, "MalformedTrailerError"));
    }
    assert_eq!(front.get("/abc/k").await.body, "123456789");
}

#[tokio::test]
async fn what_the_identity_layer_refuses_at_the_very_end_is_not_stored() {
    let front = Front::new().await;
    for (rejected, status, code) in [
        (BodyRejected::Signature, 403, "SignatureDoesNotMatch"),
        (BodyRejected::Sha256Mismatch, 400, "XAmzContentSHA256Mismatch"),
        (BodyRejected::Incomplete, 400, "IncompleteBody"),
    ] {
        let frames = vec![Ok(Frame::data(Bytes::from_static(b"123"))), Err(rejected)];
        let put = front.send("PUT", "/abc/k", &[("content-length", "3")], body(frames)).await;
        assert_eq!(put.error(), failed(status, code));
        assert_eq!(front.get("/abc/k").await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_body_of_another_size_than_announced_is_refused() {
    let front = Front::new().await;
    let put = async |length: &str| front.send("PUT", "/abc/k", &[("content-length", length)], "12345").await;
    assert_eq!(put("6").await.error(), failed(400, "IncompleteBody"));
    assert_eq!(put("4").await.status.as_u16(), 400);
    assert_eq!(front.get("/abc/k").await.status, StatusCode::NOT_FOUND);
    assert_eq!(front.send("PUT", "/abc/k", &[], "12345").await.error(), failed(411, "MissingContentLength"));
    assert_eq!(put("5368709121").await.error(), failed(400, "EntityTooLarge"));
}
