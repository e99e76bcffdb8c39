//! Tags of objects.

use std::sync::Arc;

use http::StatusCode;
use tarn_openapi::access::{Action, Ask, Authorize, Denied, Principal};

use super::{Front, failed};

/// Allows everything but what has to do with tags.
struct NoTags;

impl Authorize for NoTags {
    fn authorize(&self, _: &Principal, ask: Ask<'_>) -> Result<(), Denied> {
        let tags = [Action::GetObjectTagging, Action::PutObjectTagging, Action::DeleteObjectTagging];
        if tags.contains(&ask.action) { Err(Denied) } else { Ok(()) }
    }
}

fn document(tags: &[(&str, &str)]) -> String {
    let tags = tags.iter().map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"));
    format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.collect::<String>())
}

async fn put(front: &Front, uri: &str, tags: &[(&str, &str)]) -> super::Answer {
    front.send("PUT", &format!("{uri}?tagging"), &[], document(tags)).await
}

async fn tags_of(front: &Front, uri: &str) -> String {
    front.get(&format!("{uri}?tagging")).await.xml()
}

#[tokio::test]
async fn tags_are_put_read_and_cleared_and_the_object_stays_as_it_was() {
    let front = Front::new().await;
    front.put_with("/abc/k", &[("x-amz-meta-a", "1")], "123456789").await;
    let before = front.get("/abc/k").await;
    assert_eq!(tags_of(&front, "/abc/k").await, document(&[]));
    assert_eq!(put(&front, "/abc/k", &[("b", "2 3"), ("a", "")]).await.status, StatusCode::OK);
    assert_eq!(tags_of(&front, "/abc/k").await, document(&[("a", ""), ("b", "2 3")]));
    let tagged = front.get("/abc/k").await;
    let head = front.send("HEAD", "/abc/k", &[], "").await;
    assert_eq!((tagged.header("x-amz-tagging-count"), head.header("x-amz-tagging-count")), ("2", "2"));
    for name in ["etag", "last-modified", "content-length", "x-amz-meta-a"] {
        assert_eq!(tagged.header(name), before.header(name), "{name}");
    }
    assert_eq!(tagged.body, before.body);
    assert_eq!(put(&front, "/abc/k", &[("c", "3")]).await.status, StatusCode::OK);
    assert_eq!(tags_of(&front, "/abc/k").await, document(&[("c", "3")]));
    assert_eq!(front.delete("/abc/k?tagging&versionId=null").await.status, StatusCode::NO_CONTENT);
    assert_eq!(tags_of(&front, "/abc/k").await, document(&[]));
    assert_eq!(front.get("/abc/k").await.header("x-amz-tagging-count"), "");
}

#[tokio::test]
async fn tags_come_with_puts_uploads_and_copies() {
    let front = Front::new().await;
    let ab = [("x-amz-tagging", "a=1&b=x%20y")];
    let told = document(&[("a", "1"), ("b", "x y")]);
    assert_eq!(front.put_with("/abc/k", &ab, "1").await.status, StatusCode::OK);
    assert_eq!(tags_of(&front, "/abc/k").await, told);
    let upload = front.upload("/abc/parts", &ab).await;
    let part = front.put(&format!("/abc/parts?uploadId={upload}&partNumber=1"), "1").await;
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag")
    );
    assert_eq!(front.post(&format!("/abc/parts?uploadId={upload}"), &list).await.status, StatusCode::OK);
    assert_eq!(tags_of(&front, "/abc/parts").await, told);
    let copy = async |headers: &[(&str, &str)]| {
        let all = [&[("x-amz-copy-source", "abc/k")], headers].concat();
        front.send("PUT", "/abc/copy", &all, "").await
    };
    let (replace, c3) = (("x-amz-tagging-directive", "REPLACE"), ("x-amz-tagging", "c=3"));
    for (headers, expected) in [
        (&[][..], told.clone()),
        (&[("x-amz-tagging-directive", "COPY"), c3], told.clone()),
        (&[("x-amz-metadata-directive", "REPLACE"), c3], told.clone()),
        (&[replace, c3], document(&[("c", "3")])),
        (&[replace], document(&[])),
    ] {
        assert_eq!(copy(headers).await.status, StatusCode::OK);
        assert_eq!(tags_of(&front, "/abc/copy").await, expected, "{headers:?}");
    }
    assert_eq!(copy(&[("x-amz-tagging-directive", "MOVE")]).await.error(), failed(400, "InvalidArgument"));
    let onto_itself = [("x-amz-copy-source", "abc/k"), replace, c3];
    assert_eq!(front.send("PUT", "/abc/k", &onto_itself, "").await.status, StatusCode::OK);
    assert_eq!(tags_of(&front, "/abc/k").await, document(&[("c", "3")]));
}

#[tokio::test]
async fn what_are_no_tags_of_an_object_is_refused_and_changes_nothing() {
    let front = Front::new().await;
    front.put_with("/abc/k", &[("x-amz-tagging", "a=1")], "1").await;
    let many: Vec<(String, String)> = (0..11).map(|number| (format!("k{number}"), String::new())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let long = "x".repeat(257);
    for (tags, code) in [
        (&many[..], "BadRequest"),
        (&[("", "1")], "InvalidTag"),
        (&[(&long[..129], "1")], "InvalidTag"),
        (&[("a", &long[..])], "InvalidTag"),
        (&[("a", "?")], "InvalidTag"),
        (&[("aws:a", "1")], "InvalidTag"),
        (&[("a", "1"), ("a", "2")], "InvalidTag"),
    ] {
        assert_eq!(put(&front, "/abc/k", tags).await.error(), failed(400, code), "{tags:?}");
    }
    assert_eq!(front.put("/abc/k?tagging", "<Tagging/>").await.error(), failed(400, "MalformedXML"));
    assert_eq!(front.put("/abc/k?tagging", "tags").await.error(), failed(400, "MalformedXML"));
    let put_with = async |tags| front.put_with("/abc/k", &[("x-amz-tagging", tags)], "2").await.error();
    assert_eq!(put_with("a=1&a=2").await, failed(400, "InvalidArgument"));
    assert_eq!(put_with("a=%3C").await, failed(400, "InvalidTag"));
    assert_eq!(tags_of(&front, "/abc/k").await, document(&[("a", "1")]));
    assert_eq!(front.get("/abc/k").await.body, "1");
}

#[tokio::test]
async fn tags_of_what_is_not_there_are_not_there() {
    let front = Front::new().await;
    let tags = [("a", "1")];
    for (uri, code) in [
        ("/abc/none?tagging", "NoSuchKey"),
        ("/nowhere/k?tagging", "NoSuchBucket"),
        ("/abc/none?tagging&versionId=x", "NoSuchVersion"),
    ] {
        assert_eq!(front.get(uri).await.error(), failed(404, code), "GET {uri}");
        assert_eq!(front.delete(uri).await.error(), failed(404, code), "DELETE {uri}");
        let put = front.send("PUT", uri, &[], document(&tags)).await;
        assert_eq!(put.error(), failed(404, code), "PUT {uri}");
    }
}

#[tokio::test]
async fn who_may_not_tag_neither_tags_nor_learns_of_tags_nor_copies_them() {
    let core = crate::ObjectCore::in_memory(4).await;
    let root = Front::of(core.clone(), Arc::new(super::OnlyRoot));
    root.put("/abc", "").await;
    root.put_with("/abc/k", &[("x-amz-tagging", "a=1")], "1").await;
    root.put("/abc/plain", "1").await;
    let front = Front::of(core, Arc::new(NoTags));
    assert_eq!(front.get("/abc/k?tagging").await.error(), failed(403, "AccessDenied"));
    assert_eq!(put(&front, "/abc/k", &[]).await.error(), failed(403, "AccessDenied"));
    assert_eq!(front.delete("/abc/k?tagging").await.error(), failed(403, "AccessDenied"));
    let read = front.get("/abc/k").await;
    assert_eq!((read.body.as_str(), read.header("x-amz-tagging-count")), ("1", ""));
    let tagged = front.put_with("/abc/new", &[("x-amz-tagging", "a=1")], "1").await;
    assert_eq!(tagged.error(), failed(403, "AccessDenied"));
    assert_eq!(front.put_with("/abc/new", &[("x-amz-tagging", "")], "1").await.status, StatusCode::OK);
    let copy = async |source| front.send("PUT", "/abc/copy", &[("x-amz-copy-source", source)], "").await;
    assert_eq!(copy("abc/k").await.error(), failed(403, "AccessDenied"));
    assert_eq!(copy("abc/plain").await.status, StatusCode::OK);
}
