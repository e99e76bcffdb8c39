//! Inventories: what the front asks of who keeps them, and what it answers.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use http::StatusCode;
use tarn_openapi::access::Principal;
use tarn_openapi::request::Authenticated;

use super::{Front, failed};
use crate::name::BucketName;
use crate::s3::{Inventories, InventoryCall, InventoryError};

/// Keeps any text but those that name an error.
#[derive(Default)]
pub(super) struct Texts(Mutex<BTreeMap<(String, String), String>>);

fn key(call: &InventoryCall<'_>) -> (String, String) {
    (call.bucket.as_str().to_owned(), format!("{:?} {}", call.face, call.id))
}

#[async_trait]
impl Inventories for Texts {
    async fn put(&self, call: &InventoryCall<'_>, text: &[u8]) -> Result<(), InventoryError> {
        let text = String::from_utf8_lossy(text).into_owned();
        match text.as_str() {
            "malformed" => return Err(InventoryError::Malformed("line 1: no".into())),
            "invalid" => {
                let (name, value) = ("Id".into(), "x".into());
                return Err(InventoryError::Invalid { name, value, message: "Not x.".into() });
            }
            "orc" => return Err(InventoryError::NotImplemented("No ORC.".into())),
            "denied" => return Err(InventoryError::Denied("No rights.".into())),
            "many" => return Err(InventoryError::TooMany { limit: 7 }),
            "busy" => return Err(InventoryError::Busy),
            "failed" => return Err(InventoryError::Failed("a cause".into())),
            _ => {}
        }
        self.0.lock().unwrap().insert(key(call), text);
        Ok(())
    }

    fn get(&self, call: &InventoryCall<'_>) -> Result<String, InventoryError> {
        self.0.lock().unwrap().get(&key(call)).cloned().ok_or(InventoryError::Missing)
    }

    fn list(&self, call: &InventoryCall<'_>, token: Option<&str>) -> Result<String, InventoryError> {
        let texts = self.0.lock().unwrap();
        let of = texts.keys().filter(|(bucket, _)| bucket == call.bucket.as_str());
        Ok(format!("{token:?} {:?}", of.map(|(_, id)| id).collect::<Vec<_>>()))
    }

    async fn delete(&self, call: &InventoryCall<'_>) -> Result<(), InventoryError> {
        self.0.lock().unwrap().remove(&key(call)).map(|_| ()).ok_or(InventoryError::Missing)
    }

    fn template(&self, call: &InventoryCall<'_>) -> Result<String, InventoryError> {
        Ok(format!("id: {}", call.id))
    }

    fn status(&self, call: &InventoryCall<'_>) -> Result<String, InventoryError> {
        Ok(format!("{{\"id\":{:?}}}", call.id))
    }

    async fn forget(&self, bucket: &BucketName) -> Result<(), InventoryError> {
        self.0.lock().unwrap().retain(|(of, _), _| of != bucket.as_str());
        Ok(())
    }
}

#[tokio::test]
async fn definitions_are_put_read_listed_and_deleted_by_both_apis() {
    let front = Front::new().await;
    for (face, name, content_type) in
        [("inventory", "Aws", "application/xml"), ("minio-inventory", "Aistor", "application/json")]
    {
        let at = format!("/abc?{face}&id=a");
        assert_eq!(front.get(&at).await.error(), failed(404, "NoSuchConfiguration"));
        assert_eq!(front.put(&at, "text").await.status, StatusCode::OK);
        let told = front.get(&at).await;
        assert_eq!(
            (told.body.as_str(), told.headers["content-type"].to_str().unwrap()),
            ("text", content_type)
        );
        let listed = front.get(&format!("/abc?{face}&continuation-token=t")).await;
        assert_eq!(listed.body, format!("Some(\"t\") [\"{name} a\"]"));
        assert_eq!(front.delete(&at).await.status, StatusCode::NO_CONTENT);
        assert_eq!(front.delete(&at).await.error(), failed(404, "NoSuchConfiguration"));
        assert_eq!(front.get(&format!("/abc?{face}")).await.body, "None []");
        for method in ["PUT", "DELETE"] {
            let nameless = front.send(method, &format!("/abc?{face}"), &[], "text").await;
            assert_eq!(nameless.error(), failed(400, "InvalidArgument"));
        }
        assert_eq!(front.get(&format!("/none?{face}&id=a")).await.error(), failed(404, "NoSuchBucket"));
    }
    assert_eq!(front.get("/abc?minio-inventory&generate&id=b").await.body, "id: b");
    assert_eq!(front.get("/abc?minio-inventory&status&id=b").await.body, "{\"id\":\"b\"}");
}

#[tokio::test]
async fn what_is_refused_is_answered_with_s3s_code() {
    let front = Front::new().await;
    for (text, status, code) in [
        ("malformed", 400, "MalformedXML"),
        ("invalid", 400, "InvalidArgument"),
        ("orc", 501, "NotImplemented"),
        ("denied", 403, "AccessDenied"),
        ("many", 400, "TooManyConfigurations"),
        ("busy", 503, "ServiceUnavailable"),
        ("failed", 500, "InternalError"),
    ] {
        assert_eq!(front.put("/abc?inventory&id=a", text).await.error(), failed(status, code));
    }
    let yaml = front.put("/abc?minio-inventory&id=a", "malformed").await;
    assert_eq!(yaml.error(), failed(400, "InvalidRequest"));
    assert!(yaml.body.contains("<Message>line 1: no</Message>"));
    let long = front.send("PUT", "/abc?inventory&id=a", &[], "x".repeat(65_537)).await;
    assert_eq!(long.error(), failed(400, "MaxMessageLengthExceeded"));
    let md5 = [("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")];
    assert_eq!(
        front.put_with("/abc?minio-inventory&id=a", &md5, "text").await.error(),
        failed(400, "BadDigest")
    );
}

#[tokio::test]
async fn who_may_not_read_or_write_definitions_learns_nothing() {
    let front = Front::new().await;
    let anonymous = front.as_principal(Principal::Anonymous, Authenticated::Anonymous);
    for method in ["GET", "PUT", "DELETE"] {
        for at in ["/abc?inventory&id=a", "/none?inventory&id=a", "/abc?minio-inventory&status&id=a"] {
            assert_eq!(anonymous.send(method, at, &[], "").await.error(), failed(403, "AccessDenied"));
        }
    }
}

#[tokio::test]
async fn definitions_go_with_their_bucket() {
    let front = Front::new().await;
    front.put("/abc?inventory&id=a", "text").await;
    assert_eq!(front.delete("/abc").await.status, StatusCode::NO_CONTENT);
    assert_eq!(front.put("/abc", "").await.status, StatusCode::OK);
    assert_eq!(front.get("/abc?inventory").await.body, "None []");
    front.put("/abc?inventory&id=a", "text").await;
    assert_eq!(front.put("/abc", "").await.error(), failed(409, "BucketAlreadyOwnedByYou"));
    assert_eq!(front.get("/abc?inventory&id=a").await.body, "text");
}
