//! Default deny, and nothing told to those without rights.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use tarn_openapi::access::{Action, Authorize, Denied, Principal, Resource};
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
    fn authorize(&self, _: &Principal, action: Action, resource: Resource<'_>) -> Result<(), Denied> {
        self.0.lock().unwrap().push(format!("{action:?} {resource:?}"));
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
    assert_eq!(asked("GET", "/", &[], "").await, "BucketList Server");
    assert_eq!(asked("PUT", "/abc", &[], "").await, "BucketManage Bucket(\"abc\")");
    assert_eq!(asked("GET", "/abc?list-type=2", &[], "").await, "ObjectRead Listing(\"abc\", \"\")");
    for listing in ["", "list-type=2&", "versions&", "uploads&"] {
        let uri = format!("/abc?{listing}prefix=a%2Fb");
        assert_eq!(asked("GET", &uri, &[], "").await, "ObjectRead Listing(\"abc\", \"a/b\")", "{uri}");
    }
    assert_eq!(asked("GET", "/abc/k", &[], "").await, "ObjectRead Object(\"abc\", \"k\")");
    assert_eq!(asked("PUT", "/abc/k", &[], "").await, "ObjectWrite Object(\"abc\", \"k\")");
    assert_eq!(asked("DELETE", "/abc/k", &[], "").await, "ObjectWrite Object(\"abc\", \"k\")");
    assert_eq!(asked("POST", "/abc/k?uploads", &[], "").await, "ObjectWrite Object(\"abc\", \"k\")");
    assert_eq!(asked("GET", "/abc/k?uploadId=1", &[], "").await, "ObjectWrite Object(\"abc\", \"k\")");
    let source = [("x-amz-copy-source", "xyz/s")];
    let both = "ObjectRead Object(\"xyz\", \"s\"), ObjectWrite Object(\"abc\", \"k\")";
    assert_eq!(asked("PUT", "/abc/k", &source, "").await, both);
    assert_eq!(asked("PUT", "/abc/k?uploadId=1&partNumber=1", &source, "").await, both);
    let many = "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>";
    let each = "ObjectWrite Object(\"abc\", \"a\"), ObjectWrite Object(\"abc\", \"b\")";
    assert_eq!(asked("POST", "/abc?delete", &[], many).await, each);
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
