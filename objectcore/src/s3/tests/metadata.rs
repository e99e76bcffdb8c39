//! Metadata tables: what the front asks of who keeps them, and what it answers.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use http::StatusCode;
use tarn_openapi::access::Principal;
use tarn_openapi::request::Authenticated;

use super::{Front, failed};
use crate::name::BucketName;
use crate::s3::{
    Expiration, LiveInventory, MetadataCall, MetadataError, MetadataStatus, MetadataTable, MetadataTables,
    MetadataTold, MetadataWanted,
};

/// Keeps what is wanted; the table of objects cannot be written where rows of the journal stay 13 days.
#[derive(Default)]
pub(super) struct Kept(Mutex<BTreeMap<String, MetadataWanted>>);

impl Kept {
    fn change(
        &self,
        call: &MetadataCall<'_>,
        change: impl FnOnce(&mut MetadataWanted),
    ) -> Result<(), MetadataError> {
        let mut kept = self.0.lock().unwrap();
        change(kept.get_mut(call.bucket.as_str()).ok_or(MetadataError::Missing)?);
        Ok(())
    }
}

#[async_trait]
impl MetadataTables for Kept {
    async fn create(&self, call: &MetadataCall<'_>, wanted: MetadataWanted) -> Result<(), MetadataError> {
        match self.0.lock().unwrap().insert(call.bucket.as_str().to_owned(), wanted) {
            None => Ok(()),
            Some(_) => Err(MetadataError::Exists),
        }
    }

    async fn get(&self, call: &MetadataCall<'_>) -> Result<MetadataTold, MetadataError> {
        let kept = self.0.lock().unwrap();
        let wanted = kept.get(call.bucket.as_str()).copied().ok_or(MetadataError::Missing)?;
        let (status, uuid) = match wanted.expiration {
            Expiration::Days(13) => (MetadataStatus::Failed("a <reason>".into()), None),
            Expiration::Days(_) | Expiration::Never => (MetadataStatus::Backfilling, Some("u-2".into())),
        };
        let inventory = MetadataTable { name: "inventory".into(), uuid, status };
        let journal = MetadataTable {
            name: "journal".into(),
            uuid: Some("u-1".into()),
            status: MetadataStatus::Active,
        };
        Ok(MetadataTold {
            warehouse: "system".into(),
            namespace: call.bucket.to_string(),
            journal,
            expiration: wanted.expiration,
            inventory: (wanted.inventory == LiveInventory::Enabled).then_some(inventory),
        })
    }

    async fn expire(&self, call: &MetadataCall<'_>, after: Expiration) -> Result<(), MetadataError> {
        self.change(call, |wanted| wanted.expiration = after)
    }

    async fn keep_inventory(
        &self,
        call: &MetadataCall<'_>,
        inventory: LiveInventory,
    ) -> Result<(), MetadataError> {
        self.change(call, |wanted| wanted.inventory = inventory)
    }

    async fn delete(&self, call: &MetadataCall<'_>) -> Result<(), MetadataError> {
        self.0.lock().unwrap().remove(call.bucket.as_str()).map(|_| ()).ok_or(MetadataError::Missing)
    }

    async fn forget(&self, bucket: &BucketName) -> Result<(), MetadataError> {
        self.0.lock().unwrap().remove(bucket.as_str());
        Ok(())
    }
}

const CONFIGURATION: &str = "/abc?metadataConfiguration";

fn journal(expiration: &str) -> String {
    format!(
        "<JournalTableConfiguration><RecordExpiration>{expiration}</RecordExpiration></JournalTableConfiguration>"
    )
}

fn inventory(state: &str) -> String {
    format!(
        "<InventoryTableConfiguration><ConfigurationState>{state}</ConfigurationState></InventoryTableConfiguration>"
    )
}

fn configuration(inside: &str) -> String {
    format!(
        "<MetadataConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inside}</MetadataConfiguration>"
    )
}

const FOR_EVER: &str = "<Expiration>DISABLED</Expiration>";

#[tokio::test]
async fn metadata_tables_are_created_told_changed_and_deleted() {
    let front = Front::new().await;
    for (method, at) in [("GET", CONFIGURATION), ("DELETE", CONFIGURATION), ("GET", "/abc?metadataTable")] {
        let missing = front.send(method, at, &[], "").await;
        assert_eq!(missing.error(), failed(404, "MetadataConfigurationNotFound"));
    }
    let wanted = configuration(&(journal(FOR_EVER) + &inventory("ENABLED")));
    assert_eq!(front.send("POST", CONFIGURATION, &[], wanted.clone()).await.status, StatusCode::OK);
    let again = front.send("POST", CONFIGURATION, &[], wanted).await;
    assert_eq!(again.error(), failed(409, "MetadataConfigurationAlreadyExists"));
    assert_eq!(
        front.get(CONFIGURATION).await.xml(),
        "<GetBucketMetadataConfigurationResult>\
         <MetadataConfigurationResult><DestinationResult><TableBucketType>aws</TableBucketType>\
         <TableBucketArn>arn:aws:s3tables:eu-central-1:000000000000:bucket/system</TableBucketArn>\
         <TableNamespace>abc</TableNamespace></DestinationResult>\
         <JournalTableConfigurationResult><TableStatus>ACTIVE</TableStatus><TableName>journal</TableName>\
         <TableArn>arn:aws:s3tables:eu-central-1:000000000000:bucket/system/table/u-1</TableArn>\
         <RecordExpiration><Expiration>DISABLED</Expiration></RecordExpiration>\
         </JournalTableConfigurationResult>\
         <InventoryTableConfigurationResult><ConfigurationState>ENABLED</ConfigurationState>\
         <TableStatus>BACKFILLING</TableStatus><TableName>inventory</TableName>\
         <TableArn>arn:aws:s3tables:eu-central-1:000000000000:bucket/system/table/u-2</TableArn>\
         </InventoryTableConfigurationResult></MetadataConfigurationResult>\
         </GetBucketMetadataConfigurationResult>"
    );
    let thirteen = journal("<Expiration>ENABLED</Expiration><Days>13</Days>");
    assert_eq!(front.send("PUT", "/abc?metadataJournalTable", &[], thirteen).await.status, StatusCode::OK);
    let told = front.get(CONFIGURATION).await.body;
    assert!(told.contains("<Expiration>ENABLED</Expiration><Days>13</Days>"), "{told}");
    assert!(
        told.contains(
            "<TableStatus>FAILED</TableStatus><Error><ErrorCode>InternalError</ErrorCode>\
             <ErrorMessage>a &lt;reason&gt;</ErrorMessage></Error><TableName>inventory</TableName></"
        ),
        "{told}"
    );
    let off = front.send("PUT", "/abc?metadataInventoryTable", &[], inventory("DISABLED")).await;
    assert_eq!(off.status, StatusCode::OK);
    let told = front.get(CONFIGURATION).await.body;
    assert!(
        told.contains(
            "<ConfigurationState>DISABLED</ConfigurationState></InventoryTableConfigurationResult>"
        ),
        "{told}"
    );
    assert_eq!(front.delete(CONFIGURATION).await.status, StatusCode::NO_CONTENT);
    let gone = front.send("PUT", "/abc?metadataInventoryTable", &[], inventory("ENABLED")).await;
    assert_eq!(gone.error(), failed(404, "MetadataConfigurationNotFound"));
}

#[tokio::test]
async fn the_older_api_has_the_same_journal() {
    let front = Front::new().await;
    let document = |bucket: &str, table: &str| {
        format!(
            "<MetadataTableConfiguration><S3TablesDestination><TableBucketArn>{bucket}</TableBucketArn>\
             <TableName>{table}</TableName></S3TablesDestination></MetadataTableConfiguration>"
        )
    };
    let at = "/abc?metadataTable";
    let ours = "arn:aws:s3tables:us-east-1:123456789012:bucket/system";
    for (bucket, table) in
        [("arn:aws:s3tables:::bucket/other", "journal"), (ours, "mine"), ("system", "journal")]
    {
        let elsewhere = front.send("POST", at, &[], document(bucket, table)).await;
        assert_eq!(elsewhere.error(), failed(400, "InvalidArgument"));
    }
    assert_eq!(front.send("POST", at, &[], document(ours, "journal")).await.status, StatusCode::OK);
    assert_eq!(
        front.get(at).await.xml(),
        "<GetBucketMetadataTableConfigurationResult>\
         <MetadataTableConfigurationResult><S3TablesDestinationResult>\
         <TableBucketArn>arn:aws:s3tables:eu-central-1:000000000000:bucket/system</TableBucketArn>\
         <TableName>journal</TableName>\
         <TableArn>arn:aws:s3tables:eu-central-1:000000000000:bucket/system/table/u-1</TableArn>\
         <TableNamespace>abc</TableNamespace></S3TablesDestinationResult></MetadataTableConfigurationResult>\
         <Status>ACTIVE</Status></GetBucketMetadataTableConfigurationResult>"
    );
    let told = front.get(CONFIGURATION).await.body;
    assert!(told.contains("<InventoryTableConfigurationResult><ConfigurationState>DISABLED<"), "{told}");
    assert_eq!(front.delete(at).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_metadata_tables_cannot_be_is_refused_and_changes_nothing() {
    let front = Front::new().await;
    let encrypted = "<EncryptionConfiguration><SseAlgorithm>AES256</SseAlgorithm></EncryptionConfiguration>";
    let annotations = "<AnnotationTableConfiguration><ConfigurationState>ENABLED</ConfigurationState></AnnotationTableConfiguration>";
    let days = |days: &str| journal(&format!("<Expiration>ENABLED</Expiration><Days>{days}</Days>"));
    for (inside, status, code) in [
        (String::new(), 400, "MalformedXML"),
        (inventory("ENABLED"), 400, "MalformedXML"),
        ("<JournalTableConfiguration/>".to_owned(), 400, "MalformedXML"),
        (journal("<Expiration>SOMETIMES</Expiration>"), 400, "MalformedXML"),
        (journal(FOR_EVER) + &inventory("on"), 400, "MalformedXML"),
        (journal(&format!("{FOR_EVER}<Days>9</Days>")), 400, "InvalidArgument"),
        (journal("<Expiration>ENABLED</Expiration>"), 400, "InvalidArgument"),
        (days("6"), 400, "InvalidArgument"),
        (days("-7"), 400, "InvalidArgument"),
        (days("2147483648"), 400, "InvalidArgument"),
        (journal(FOR_EVER).replace("<Record", &format!("{encrypted}<Record")), 501, "NotImplemented"),
        (journal(FOR_EVER) + annotations, 501, "NotImplemented"),
    ] {
        let refused = front.send("POST", CONFIGURATION, &[], configuration(&inside)).await;
        assert_eq!(refused.error(), failed(status, code), "{inside}");
    }
    let long = front.send("POST", CONFIGURATION, &[], " ".repeat(65_537)).await;
    assert_eq!(long.error(), failed(400, "MaxMessageLengthExceeded"));
    assert_eq!(front.get(CONFIGURATION).await.error(), failed(404, "MetadataConfigurationNotFound"));
    let none =
        front.send("POST", "/none?metadataConfiguration", &[], configuration(&journal(FOR_EVER))).await;
    assert_eq!(none.error(), failed(404, "NoSuchBucket"));
}

#[tokio::test]
async fn who_may_not_configure_metadata_tables_learns_nothing() {
    let front = Front::new().await;
    let anonymous = front.as_principal(Principal::Anonymous, Authenticated::Anonymous);
    for (method, at) in [
        ("POST", CONFIGURATION),
        ("GET", CONFIGURATION),
        ("DELETE", "/none?metadataConfiguration"),
        ("PUT", "/abc?metadataJournalTable"),
        ("PUT", "/abc?metadataInventoryTable"),
        ("POST", "/abc?metadataTable"),
        ("GET", "/none?metadataTable"),
    ] {
        assert_eq!(anonymous.send(method, at, &[], "").await.error(), failed(403, "AccessDenied"));
    }
}

#[tokio::test]
async fn metadata_tables_end_with_their_bucket() {
    let front = Front::new().await;
    let wanted = configuration(&journal(FOR_EVER));
    assert_eq!(front.send("POST", CONFIGURATION, &[], wanted.clone()).await.status, StatusCode::OK);
    assert_eq!(front.delete("/abc").await.status, StatusCode::NO_CONTENT);
    assert_eq!(front.put("/abc", "").await.status, StatusCode::OK);
    assert_eq!(front.get(CONFIGURATION).await.error(), failed(404, "MetadataConfigurationNotFound"));
    assert_eq!(front.send("POST", CONFIGURATION, &[], wanted).await.status, StatusCode::OK);
}
