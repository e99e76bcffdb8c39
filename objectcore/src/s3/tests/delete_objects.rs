//! Deleting many objects at once.

use http::StatusCode;

use super::{Front, failed};

#[tokio::test]
async fn every_key_has_its_own_outcome() {
    let front = Front::new().await;
    let etag = front.put("/abc/a", "1").await.header("etag").to_owned();
    front.put("/abc/b%26", "1").await;
    front.put("/abc/c", "1").await;
    let long = "k".repeat(1025);
    let answer = front
        .post(
            "/abc?delete",
            &format!(
                "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a</Key><ETag>{etag}</ETag></Object>\
                 <Object><Key>b&amp;</Key><VersionId>null</VersionId></Object><Object><Key>none</Key></Object>\
                 <Object><Key>c</Key><ETag>\"x\"</ETag></Object><Object><Key>c</Key><VersionId>v</VersionId></Object>\
                 <Object><Key>{long}</Key></Object></Delete>"
            ),
        )
        .await;
    assert_eq!(
        answer.xml(),
        format!(
            "<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>b&amp;</Key><VersionId>null</VersionId></Deleted>\
             <Deleted><Key>none</Key></Deleted><Error><Key>c</Key><Code>PreconditionFailed</Code>\
             <Message>At least one of the pre-conditions you specified did not hold</Message></Error>\
             <Error><Key>c</Key><VersionId>v</VersionId><Code>NoSuchVersion</Code>\
             <Message>The specified version does not exist.</Message></Error>\
             <Error><Key>{long}</Key><Code>KeyTooLongError</Code><Message>Your key is too long</Message></Error></DeleteResult>"
        )
    );
    assert_eq!(front.get("/abc/a").await.status, StatusCode::NOT_FOUND);
    assert_eq!(front.get("/abc/c").await.status, StatusCode::OK);
}

#[tokio::test]
async fn quiet_tells_only_errors() {
    let front = Front::new().await;
    let document = "<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object></Delete>";
    assert_eq!(front.post("/abc?delete", document).await.xml(), "<DeleteResult></DeleteResult>");
    assert_eq!(front.post("/none?delete", document).await.error(), failed(404, "NoSuchBucket"));
}

#[tokio::test]
async fn a_thousand_keys_are_the_most() {
    let front = Front::new().await;
    let many = |count| format!("<Delete>{}</Delete>", "<Object><Key>k</Key></Object>".repeat(count));
    let answer = front.post("/abc?delete", &many(1000)).await;
    assert_eq!(answer.body.matches("<Deleted>").count(), 1000);
    for bad in [many(1001).as_str(), "<Delete/>", "<Delete><Object/></Delete>", "<Remove/>", "", "<Delete>"] {
        assert_eq!(front.post("/abc?delete", bad).await.error(), failed(400, "MalformedXML"));
    }
    let huge = format!("<Delete><!--{}--></Delete>", "x".repeat(2 << 20));
    assert_eq!(front.post("/abc?delete", &huge).await.error(), failed(400, "MaxMessageLengthExceeded"));
}
