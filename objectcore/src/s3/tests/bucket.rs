//! Buckets and their settings.

use http::StatusCode;

use super::{Front, failed};

const OWNER: &str = "<Owner><ID>7461726e00000000000000000000000000000000000000000000000000000000</ID>\
                     <DisplayName>tarn</DisplayName></Owner>";

#[tokio::test]
async fn a_bucket_is_created_found_listed_and_deleted() {
    let front = Front::new().await;
    assert_eq!(front.put("/abd", "").await.header("location"), "/abd");
    let head = front.send("HEAD", "/abd", &[], "").await;
    assert_eq!((head.status, head.header("x-amz-bucket-region")), (StatusCode::OK, "eu-central-1"));
    let bucket = |name: &str| {
        format!(
            "<Bucket><Name>{name}</Name><CreationDate>DATE</CreationDate><BucketRegion>eu-central-1</BucketRegion></Bucket>"
        )
    };
    assert_eq!(
        front.get("/").await.xml(),
        format!(
            "<ListAllMyBucketsResult>{OWNER}<Buckets>{}{}</Buckets></ListAllMyBucketsResult>",
            bucket("abc"),
            bucket("abd")
        )
    );
    assert_eq!(front.delete("/abd").await.status, StatusCode::NO_CONTENT);
    assert_eq!(front.send("HEAD", "/abd", &[], "").await.error(), failed(404, ""));
    assert_eq!(front.delete("/abd").await.error(), failed(404, "NoSuchBucket"));
}

#[tokio::test]
async fn buckets_are_listed_in_pages() {
    let front = Front::new().await;
    front.put("/abd", "").await;
    front.put("/xyz", "").await;
    let first = front.get("/?max-buckets=2").await;
    assert_eq!(first.body.matches("<Bucket>").count(), 2);
    let token = first.text_of("ContinuationToken");
    let second = front.get(&format!("/?max-buckets=2&continuation-token={token}")).await;
    assert!(second.body.contains("<Name>xyz</Name>") && !second.body.contains("<ContinuationToken>"));
    assert_eq!(front.get("/?prefix=ab").await.body.matches("<Bucket>").count(), 2);
    assert_eq!(front.get("/?continuation-token=!").await.error(), failed(400, "InvalidArgument"));
    assert_eq!(front.get("/?max-buckets=0").await.error(), failed(400, "InvalidArgument"));
}

#[tokio::test]
async fn creating_a_bucket_can_fail_in_every_documented_way() {
    let front = Front::new().await;
    assert_eq!(front.put("/abc", "").await.error(), failed(409, "BucketAlreadyOwnedByYou"));
    assert_eq!(front.put("/Ab", "").await.error(), failed(400, "InvalidBucketName"));
    let configured = |inner: &'static str| -> &'static str {
        let document = format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inner}</CreateBucketConfiguration>"
        );
        Box::leak(document.into_boxed_str())
    };
    let elsewhere = configured("<LocationConstraint>mars</LocationConstraint>");
    assert_eq!(front.put("/new", elsewhere).await.error(), failed(400, "IllegalLocationConstraintException"));
    let directory = configured("<Location><Type>AvailabilityZone</Type></Location>");
    assert_eq!(front.put("/new", directory).await.error(), failed(501, "NotImplemented"));
    assert_eq!(front.put("/new", "<a>").await.error(), failed(400, "MalformedXML"));
    assert_eq!(front.put("/new", configured("<What/>")).await.error(), failed(400, "MalformedXML"));
    let public = [("x-amz-acl", "public-read")];
    assert_eq!(
        front.put_with("/new", &public, "").await.error(),
        failed(400, "AccessControlListNotSupported")
    );
    let lock = [("x-amz-bucket-object-lock-enabled", "true")];
    assert_eq!(front.put_with("/new", &lock, "").await.error(), failed(501, "NotImplemented"));
    assert_eq!(front.send("HEAD", "/new", &[], "").await.status, StatusCode::NOT_FOUND);
    let here = configured("<LocationConstraint>eu-central-1</LocationConstraint>");
    assert_eq!(front.put("/new", here).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_bucket_that_holds_an_object_stays() {
    let front = Front::new().await;
    front.put("/abc/k", "1").await;
    assert_eq!(front.delete("/abc").await.error(), failed(409, "BucketNotEmpty"));
    front.delete("/abc/k").await;
    assert_eq!(front.delete("/abc").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn unfinished_uploads_end_with_their_bucket() {
    let front = Front::new().await;
    front.upload("/abc/k", &[]).await;
    front.put("/abc/l", "1").await;
    assert_eq!(front.delete("/abc").await.error(), failed(409, "BucketNotEmpty"));
    assert!(front.get("/abc?uploads").await.body.contains("<Key>k</Key>"));
    front.delete("/abc/l").await;
    assert_eq!(front.delete("/abc").await.status, StatusCode::NO_CONTENT);
    front.put("/abc", "").await;
    assert!(!front.get("/abc?uploads").await.body.contains("<Upload>"));
}

#[tokio::test]
async fn settings_are_answered_with_what_is_so() {
    let front = Front::new().await;
    for (setting, expected) in [
        ("location", "<LocationConstraint>eu-central-1</LocationConstraint>"),
        ("versioning", "<VersioningConfiguration></VersioningConfiguration>"),
        ("notification", "<NotificationConfiguration></NotificationConfiguration>"),
        ("logging", "<BucketLoggingStatus></BucketLoggingStatus>"),
        (
            "requestPayment",
            "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
        ),
    ] {
        assert_eq!(front.get(&format!("/abc?{setting}")).await.xml(), expected);
    }
    for (setting, code) in [
        ("policy", "NoSuchBucketPolicy"),
        ("policyStatus", "NoSuchBucketPolicy"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("tagging", "NoSuchTagSet"),
        ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("cors", "NoSuchCORSConfiguration"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
        ("inventory&id=a", "NoSuchConfiguration"),
    ] {
        assert_eq!(front.get(&format!("/abc?{setting}")).await.error(), failed(404, code), "{setting}");
        assert_eq!(front.get(&format!("/none?{setting}")).await.error(), failed(404, "NoSuchBucket"));
    }
    assert!(front.get("/abc?acl").await.body.contains("<Permission>FULL_CONTROL</Permission>"));
    assert_eq!(front.put("/abc?policy", "{}").await.error(), failed(501, "NotImplemented"));
    assert_eq!(front.put("/abc?versioning", "<a/>").await.error(), failed(501, "NotImplemented"));
    assert_eq!(front.delete("/abc?policy").await.status, StatusCode::NO_CONTENT);
    assert_eq!(front.put_with("/abc?acl", &[("x-amz-acl", "private")], "").await.status, StatusCode::OK);
    assert_eq!(
        front.put("/abc?acl", "<AccessControlPolicy/>").await.error(),
        failed(400, "AccessControlListNotSupported")
    );
}

#[tokio::test]
async fn a_host_below_the_domain_names_the_bucket() {
    let front = Front::new().await;
    let host = ("host", "abc.s3.tarn.test:9000");
    assert_eq!(front.put_with("/a%2Fb", &[host], "1").await.status, StatusCode::OK);
    assert_eq!(front.get("/abc/a/b").await.body, "1");
    assert!(front.send("GET", "/?list-type=2", &[host], "").await.body.contains("<Key>a/b</Key>"));
}

#[tokio::test]
async fn a_bucket_that_something_rests_on_is_not_deleted() {
    let front = Front::new().await;
    assert_eq!(front.put("/held", "").await.status, StatusCode::OK);
    let refused = front.delete("/held").await;
    assert_eq!(refused.error(), failed(409, "BucketNotEmpty"));
    assert!(refused.body.contains("<Message>Drop what rests on it first.</Message>"));
    assert_eq!(front.send("HEAD", "/held", &[], "").await.status, StatusCode::OK);
}
