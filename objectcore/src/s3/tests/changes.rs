//! Who is told to have made a change.

use super::Front;
use crate::name::BucketName;
use crate::{ChangedBy, ObjectCore};

#[tokio::test]
async fn changes_are_those_of_who_asked_for_them() {
    let core = ObjectCore::in_memory(4).await;
    let front = Front::of(core.clone(), std::sync::Arc::new(super::OnlyRoot));
    front.put("/abc", "").await;
    core.watch(&BucketName::new("abc").unwrap(), true).await.unwrap();
    assert_eq!(front.put("/abc/put", "some").await.status, 200);
    assert_eq!(front.put_with("/abc/copy", &[("x-amz-copy-source", "/abc/put")], "").await.status, 200);
    let tagging = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    assert_eq!(front.put("/abc/put?tagging", tagging).await.status, 200);
    let upload = front.upload("/abc/parts", &[]).await;
    let part = front.put(&format!("/abc/parts?partNumber=1&uploadId={upload}"), "part").await;
    let etag = part.header("etag");
    let named = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    assert_eq!(front.post(&format!("/abc/parts?uploadId={upload}"), &named).await.status, 200);
    assert_eq!(front.delete("/abc/copy").await.status, 204);
    let many = "<Delete><Object><Key>put</Key></Object><Object><Key>parts</Key></Object></Delete>";
    assert_eq!(front.post("/abc?delete", many).await.status, 200);
    let told = core.changes(0, 0, 100).await.unwrap();
    let keys: Vec<&str> = told.iter().map(|change| change.key.as_str()).collect();
    assert_eq!(keys[..5], ["put", "copy", "put", "parts", "copy"]);
    assert_eq!(keys.len(), 7);
    let by = ChangedBy { requester: "root".into(), address: None, request: "R1".into() };
    assert!(told.iter().all(|change| change.by.as_ref() == Some(&by)), "{told:?}");
    core.close().await;
}
