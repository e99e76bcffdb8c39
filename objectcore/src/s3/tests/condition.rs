//! Conditions on reads, writes and deletes.

use http::StatusCode;

use super::{Front, failed};

const PAST: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const FUTURE: &str = "Thu, 06 Nov 2098 08:49:37 GMT";

#[tokio::test]
async fn a_read_follows_its_conditions() {
    let front = Front::new().await;
    let etag = front.put("/abc/k", "0123456789").await.header("etag").to_owned();
    for method in ["GET", "HEAD"] {
        let status =
            async |headers: &[(&str, &str)]| front.send(method, "/abc/k", headers, "").await.status.as_u16();
        assert_eq!(status(&[("if-match", &etag)]).await, 200);
        assert_eq!(status(&[("if-match", "\"x\"")]).await, 412);
        assert_eq!(status(&[("if-none-match", &etag)]).await, 304);
        assert_eq!(status(&[("if-none-match", "\"x\"")]).await, 200);
        assert_eq!(status(&[("if-modified-since", FUTURE)]).await, 304);
        assert_eq!(status(&[("if-modified-since", PAST)]).await, 200);
        assert_eq!(status(&[("if-unmodified-since", PAST)]).await, 412);
        assert_eq!(status(&[("if-unmodified-since", FUTURE)]).await, 200);
        assert_eq!(status(&[("if-match", &etag), ("if-unmodified-since", PAST)]).await, 200);
        assert_eq!(status(&[("if-none-match", "x"), ("if-modified-since", FUTURE)]).await, 200);
    }
    let unchanged = front.send("GET", "/abc/k", &[("if-none-match", &etag)], "").await;
    assert_eq!((unchanged.body.as_str(), unchanged.header("etag")), ("", etag.as_str()));
    let failed_read = front.send("GET", "/abc/k", &[("if-match", "x")], "").await;
    assert_eq!(failed_read.error(), failed(412, "PreconditionFailed"));
    assert_eq!(failed_read.text_of("Condition"), "If-Match");
}

#[tokio::test]
async fn conditions_come_before_the_range() {
    let front = Front::new().await;
    let etag = front.put("/abc/k", "0123456789").await.header("etag").to_owned();
    let beyond = ("range", "bytes=100-");
    let status =
        async |headers: &[(&str, &str)]| front.send("GET", "/abc/k", headers, "").await.status.as_u16();
    assert_eq!(status(&[beyond, ("if-none-match", &etag)]).await, 304);
    assert_eq!(status(&[beyond, ("if-match", "x")]).await, 412);
    assert_eq!(status(&[beyond, ("if-match", &etag)]).await, 416);
    assert_eq!(status(&[beyond]).await, 416);
}

#[tokio::test]
async fn if_range_decides_between_the_range_and_the_whole() {
    let front = Front::new().await;
    let etag = front.put("/abc/k", "0123456789").await.header("etag").to_owned();
    for method in ["GET", "HEAD"] {
        let status = async |value: &str| {
            front
                .send(method, "/abc/k", &[("range", "bytes=0-1"), ("if-range", value)], "")
                .await
                .status
                .as_u16()
        };
        assert_eq!(status(&etag).await, 206);
        assert_eq!(status("\"x\"").await, 200);
        assert_eq!(status(FUTURE).await, 206);
        assert_eq!(status(PAST).await, 200);
    }
}

#[tokio::test]
async fn a_put_follows_its_condition() {
    let front = Front::new().await;
    let put = async |headers: &[(&str, &str)], body| front.put_with("/abc/k", headers, body).await;
    assert_eq!(put(&[("if-match", "\"x\"")], "0").await.error(), failed(404, "NoSuchKey"));
    assert_eq!(put(&[("if-match", "*")], "0").await.error(), failed(404, "NoSuchKey"));
    let first = put(&[("if-none-match", "*")], "1").await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(put(&[("if-none-match", "*")], "2").await.error(), failed(412, "PreconditionFailed"));
    assert_eq!(put(&[("if-match", "\"x\"")], "2").await.error(), failed(412, "PreconditionFailed"));
    assert_eq!(front.get("/abc/k").await.body, "1");
    assert_eq!(put(&[("if-match", first.header("etag"))], "3").await.status, StatusCode::OK);
    assert_eq!(
        put(&[("if-match", first.header("etag"))], "4").await.error(),
        failed(412, "PreconditionFailed")
    );
    assert_eq!(front.get("/abc/k").await.body, "3");
    assert_eq!(put(&[("if-none-match", "\"x\"")], "5").await.error(), failed(501, "NotImplemented"));
}

#[tokio::test]
async fn a_delete_follows_its_condition() {
    let front = Front::new().await;
    let delete = async |tag: &str| front.send("DELETE", "/abc/k", &[("if-match", tag)], "").await;
    assert_eq!(delete("\"x\"").await.error(), failed(404, "NoSuchKey"));
    let etag = front.put("/abc/k", "1").await.header("etag").to_owned();
    assert_eq!(delete("\"x\"").await.error(), failed(412, "PreconditionFailed"));
    assert_eq!(front.get("/abc/k").await.status, StatusCode::OK);
    assert_eq!(delete(&etag).await.status, StatusCode::NO_CONTENT);
    assert_eq!(front.get("/abc/k").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn of_many_that_create_the_same_key_one_does() {
    let front = Front::new().await;
    let absent = [("if-none-match", "*")];
    for round in 0..4 {
        let uri = format!("/abc/{round}");
        let puts = (0..16).map(|_| front.put_with(&uri, &absent, "1"));
        let answers = futures::future::join_all(puts).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|&&status| status == 412).count(), 15, "{statuses:?}");
    }
}
