//! Default deny, and nothing told to those without rights.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use tarn_openapi::access::{Ask, Authorize, Denied, Principal};
use tarn_openapi::request::Authenticated;

use super::{Front, failed};

const REQUESTS: [(&str, &str); 32] = [
    ("GET", "/"),
    ("PUT", "/abc"),
    ("HEAD", "/abc"),
    ("DELETE", "/abc"),
    ("GET", "/abc"),
    ("GET", "/abc?list-type=2"),
    ("GET", "/abc?versions"),
    ("GET", "/abc?uploads"),
    ("GET", "/abc?location"),
    ("GET", "/abc?policy"),
    ("DELETE", "/abc?policy"),
    ("PUT", "/abc?acl"),
    ("GET", "/abc/k"),
    ("GET", "/abc/k?partNumber=1"),
    ("HEAD", "/abc/k"),
    ("PUT", "/abc/k"),
    ("DELETE", "/abc/k"),
    ("GET", "/abc/k?attributes"),
    ("GET", "/abc/k?acl"),
    ("PUT", "/abc/k?acl"),
    ("GET", "/abc/k?tagging"),
    ("DELETE", "/abc/k?tagging"),
    ("GET", "/abc/k?retention"),
    ("GET", "/abc/k?legal-hold"),
    ("POST", "/abc/k?uploads"),
    ("PUT", "/abc/k?uploadId=1&partNumber=1"),
    ("POST", "/abc/k?uploadId=1"),
    ("DELETE", "/abc/k?uploadId=1"),
    ("GET", "/abc/k?uploadId=1"),
    ("GET", "/none"),
    ("GET", "/none/k"),
    ("DELETE", "/none"),
];

#[tokio::test]
async fn without_a_rule_everything_is_denied_and_nothing_is_told() {
    let front = Front::new().await;
    front.put("/abc/k", "1").await;
    let nobody = front.as_principal(Principal::Anonymous, Authenticated::Anonymous);
    for (method, uri) in REQUESTS {
        let answer = nobody.send(method, uri, &[("content-length", "0")], "").await;
        let code = if method == "HEAD" { "" } else { "AccessDenied" };
        assert_eq!(answer.error(), failed(403, code), "{method} {uri}");
    }
    let many = "<Delete><Object><Key>k</Key></Object></Delete>";
    for bucket in ["abc", "none"] {
        let answer = nobody.post(&format!("/{bucket}?delete"), many).await;
        assert_eq!(answer.text_of("Code"), "AccessDenied");
    }
    for source in ["abc/k", "abc/none", "none/k"] {
        let headers = [("x-amz-copy-source", source)];
        assert_eq!(nobody.send("PUT", "/abc/to", &headers, "").await.error(), failed(403, "AccessDenied"));
    }
    assert_eq!(front.get("/abc/k").await.status, StatusCode::OK);
}

/// Records what is asked and allows it.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Authorize for Recorder {
    fn authorize(&self, _: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        let values: String = ask.values.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        self.0.lock().unwrap().push(format!("{:?} {:?}{values}", ask.action, ask.resource));
        Ok(())
    }
}

#[tokio::test]
async fn every_operation_asks_for_the_action_it_does() {
    let recorder = Arc::new(Recorder::default());
    let front = Front::over(recorder.clone()).await;
    let asked = async |method: &str, uri: &str, headers: &[(&str, &str)], body: &'static str| {
        recorder.0.lock().unwrap().clear();
        front.send(method, uri, headers, body).await;
        recorder.0.lock().unwrap().join(", ")
    };
    let bucket = "Bucket(\"abc\")";
    let object = "Object(\"abc\", \"k\")";
    for (method, uri, action) in [
        ("PUT", "/abc", "CreateBucket"),
        ("DELETE", "/abc", "DeleteBucket"),
        ("HEAD", "/abc", "ListBucket"),
        ("GET", "/abc?location", "GetBucketLocation"),
        ("GET", "/abc?versioning", "GetBucketVersioning"),
        ("GET", "/abc?policy", "GetBucketPolicy"),
        ("DELETE", "/abc?policy", "DeleteBucketPolicy"),
        ("DELETE", "/abc?cors", "PutBucketCors"),
        ("PUT", "/abc?acl", "PutBucketAcl"),
        ("GET", "/abc?list-type=2", "ListBucket Listing(\"abc\", \"\")"),
        ("GET", "/abc?max-keys=5", "ListBucket Listing(\"abc\", \"\") s3:max-keys=5"),
        (
            "GET",
            "/abc?list-type=2&prefix=a/&delimiter=/",
            "ListBucket Listing(\"abc\", \"a/\") s3:delimiter=/",
        ),
        ("GET", "/abc?versions&prefix=a", "ListBucketVersions Listing(\"abc\", \"a\")"),
        ("GET", "/abc?uploads", "ListBucketMultipartUploads Listing(\"abc\", \"\")"),
        ("GET", "/abc/k", "GetObject"),
        ("HEAD", "/abc/k", "GetObject"),
        ("PUT", "/abc/k", "PutObject"),
        ("DELETE", "/abc/k", "DeleteObject"),
        ("GET", "/abc/k?acl", "GetObjectAcl"),
        ("PUT", "/abc/k?acl", "PutObjectAcl"),
        ("GET", "/abc/k?tagging", "GetObjectTagging"),
        ("PUT", "/abc/k?tagging", "PutObjectTagging"),
        ("DELETE", "/abc/k?tagging", "DeleteObjectTagging"),
        ("GET", "/abc/k?retention", "GetObjectRetention"),
        ("GET", "/abc/k?legal-hold", "GetObjectLegalHold"),
        ("POST", "/abc/k?uploads", "PutObject"),
        ("PUT", "/abc/k?uploadId=1&partNumber=1", "PutObject"),
        ("POST", "/abc/k?uploadId=1", "PutObject"),
        ("DELETE", "/abc/k?uploadId=1", "AbortMultipartUpload"),
        ("GET", "/abc/k?uploadId=1", "ListMultipartUploadParts"),
    ] {
        let on = if uri.contains("/k") { object } else { bucket };
        let whole = if action.contains(' ') { action.to_owned() } else { format!("{action} {on}") };
        assert_eq!(asked(method, uri, &[("content-length", "0")], "").await, whole, "{method} {uri}");
    }
    assert_eq!(asked("GET", "/", &[], "").await, "ListAllMyBuckets Server");
    let tagged = format!("PutObject {object}, PutObjectTagging {object}");
    for (method, uri) in [("PUT", "/abc/k"), ("POST", "/abc/k?uploads")] {
        let headers = [("content-length", "0"), ("x-amz-tagging", "a=b")];
        assert_eq!(asked(method, uri, &headers, "").await, tagged, "{method} {uri}");
    }
    let attributes = format!("GetObject {object}, GetObjectAttributes {object}");
    assert_eq!(asked("GET", "/abc/k?attributes", &[], "").await, attributes);
    let many = "<Delete><Object><Key>a</Key></Object>\
                <Object><Key>b</Key><VersionId>null</VersionId></Object></Delete>";
    let each = "DeleteObject Object(\"abc\", \"a\"), DeleteObjectVersion Object(\"abc\", \"b\")";
    assert_eq!(asked("POST", "/abc?delete", &[], many).await, each);
}

#[tokio::test]
async fn ghsa_mx42_a_copy_asks_for_its_source_too() {
    let recorder = Arc::new(Recorder::default());
    let front = Front::over(recorder.clone()).await;
    let source = [("x-amz-copy-source", "xyz/s")];
    let both = "GetObject Object(\"xyz\", \"s\"), PutObject Object(\"abc\", \"k\")";
    for uri in ["/abc/k", "/abc/k?uploadId=1&partNumber=1"] {
        recorder.0.lock().unwrap().clear();
        front.send("PUT", uri, &source, "").await;
        assert_eq!(recorder.0.lock().unwrap().join(", "), both);
    }
}

#[tokio::test]
async fn ghsa_3ppv_naming_a_version_is_a_right_of_its_own() {
    let recorder = Arc::new(Recorder::default());
    let front = Front::over(recorder.clone()).await;
    for (method, action) in
        [("GET", "GetObjectVersion"), ("HEAD", "GetObjectVersion"), ("DELETE", "DeleteObjectVersion")]
    {
        recorder.0.lock().unwrap().clear();
        front.send(method, "/abc/k?versionId=null", &[], "").await;
        let asked = recorder.0.lock().unwrap().join(", ");
        assert_eq!(asked, format!("{action} Object(\"abc\", \"k\") s3:VersionId=null"));
    }
}

#[tokio::test]
async fn headers_moved_into_a_signed_query_count() {
    let front = Front::new().await;
    let signed = front.as_principal(Principal::Root, Authenticated::SignedQuery);
    let uri = "/abc/k?X-Amz-Signature=0&X-Amz-Date=1&x-amz-meta-a=1&X-Amz-Meta-B=2&x-amz-acl=private";
    assert_eq!(signed.put(uri, "1").await.status, StatusCode::OK);
    let read = front.get("/abc/k").await;
    assert_eq!((read.header("x-amz-meta-a"), read.header("x-amz-meta-b")), ("1", "2"));
    assert_eq!(
        signed.put("/abc/k?x-amz-acl=public-read", "1").await.error(),
        failed(400, "AccessControlListNotSupported")
    );
    assert_eq!(signed.put("/abc/k?x-amz-meta-a=a%0Ab", "1").await.error(), failed(400, "InvalidArgument"));
}
