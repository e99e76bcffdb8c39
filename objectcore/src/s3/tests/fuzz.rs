//! Requests nobody would think of: any answer but a failure of ours, and no panic.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::Front;

const PATHS: [&str; 12] = [
    "/", "/abc", "/abc/", "/abc/k", "/abc/k/", "/abc//", "/abc/%2F", "/abc/..", "/none/k", "/Abc",
    "/abc/%ff", "/abc/%00",
];
const QUERIES: [&str; 26] = [
    "acl",
    "uploads",
    "uploadId=1",
    "partNumber=1",
    "partNumber=0",
    "list-type=2",
    "delete",
    "versions",
    "policy",
    "versionId=null",
    "versionId=x",
    "max-keys=0",
    "max-keys=-1",
    "prefix=k",
    "delimiter=/",
    "start-after=%00",
    "continuation-token=AWs",
    "encoding-type=url",
    "encoding-type=x",
    "attributes",
    "tagging",
    "location",
    "max-parts=1",
    "part-number-marker=99999",
    "key-marker=k",
    "upload-id-marker=1",
];
const HEADERS: [(&str, &[&str]); 22] = [
    ("range", &["bytes=0-", "bytes=-1", "bytes=9-1", "x"]),
    ("if-match", &["*", "\"x\"", "\"", ""]),
    ("if-none-match", &["*", "\"x\"", ","]),
    ("if-modified-since", &["Sun, 06 Nov 1994 08:49:37 GMT", "x"]),
    ("if-unmodified-since", &["Sun, 06 Nov 1994 08:49:37 GMT", "x"]),
    ("if-range", &["\"x\"", "x"]),
    ("content-length", &["0", "3", "99999999999999999999", "-1", "x"]),
    ("content-md5", &["", "x", "JfnnlDI7RTiF9RgfG2JNCw=="]),
    ("content-type", &["text/plain", "\u{e9}"]),
    ("x-amz-decoded-content-length", &["3", "", "x"]),
    ("x-amz-copy-source", &["abc/k", "/abc/k?versionId=null", "", "abc", "%", "none/k", "abc/k?versionId=x"]),
    ("x-amz-copy-source-range", &["bytes=0-0", "bytes=5-1", "x"]),
    ("x-amz-metadata-directive", &["COPY", "REPLACE", "x"]),
    ("x-amz-checksum-crc32", &["AAAAAA==", "x", ""]),
    ("x-amz-checksum-sha256", &["x"]),
    ("x-amz-trailer", &["x-amz-checksum-crc32", "x", ""]),
    ("x-amz-sdk-checksum-algorithm", &["CRC32", "x"]),
    ("x-amz-checksum-mode", &["ENABLED", "x"]),
    ("x-amz-object-attributes", &["ETag,ObjectParts", "x", ""]),
    ("x-amz-meta-a", &["1", "\u{1f600}"]),
    ("x-amz-acl", &["private", "x"]),
    ("host", &["k.s3.tarn.test", "s3.tarn.test", ":", "[", ".s3.tarn.test"]),
];
const BODIES: [&str; 6] = [
    "",
    "123",
    "<Delete><Object><Key>k</Key></Object></Delete>",
    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    "<CreateBucketConfiguration/>",
    "<a>&b;</a>",
];

fn header() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(&HEADERS[..]).prop_flat_map(|(name, values)| (Just(name), select(values)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn any_sequence_of_requests_is_answered(
        requests in vec(
            (
                select(&["GET", "PUT", "POST", "HEAD", "DELETE", "PATCH"][..]),
                select(&PATHS[..]),
                vec(select(&QUERIES[..]), 0..3),
                vec(header(), 0..4),
                select(&BODIES[..]),
            ),
            1..12,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let front = Front::new().await;
            for (method, path, query, headers, body) in requests {
                let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) };
                let status = front.send(method, &uri, &headers, body).await.status.as_u16();
                prop_assert!(status < 500 || status == 501, "{method} {uri} {headers:?}: {status}");
            }
            Ok(())
        })?;
    }
}
