//! Changes of many objects, by the object core.

use async_trait::async_trait;
use tarn_inventory::batch::{Bulk, Item, ItemError, There};
use tarn_objectcore::ObjectCore;
use tarn_objectcore::name::{BucketName, ObjectKey, ObjectName};
use tarn_objectcore::types::{CopyOptions, ETag, PutIf, WriteError};

/// Changes objects of an object core.
pub(crate) struct CoreBulk(pub(crate) ObjectCore);

#[async_trait]
impl Bulk for CoreBulk {
    async fn delete(&self, bucket: &str, key: &str, etag: Option<&str>) -> Result<(), ItemError> {
        let at = name(bucket, key)?;
        let when = etag.map_or(PutIf::Always, |etag| PutIf::Match(ETag(etag.to_owned())));
        match self.0.delete(&at, when).await {
            // It is gone, as it should be.
            Ok(_) | Err(WriteError::Precondition { exists: false }) => Ok(()),
            Err(error) => Err(failure(&error)),
        }
    }

    async fn copy(&self, from: Item<'_>, to: Item<'_>, there: There) -> Result<(), ItemError> {
        let (source, target) = (name(from.bucket, from.key)?, name(to.bucket, to.key)?);
        let etag = from.etag.map(|etag| ETag(etag.to_owned()));
        let when = match there {
            There::Replaced => PutIf::Always,
            There::Kept => PutIf::Absent,
        };
        let options = CopyOptions { when, ..CopyOptions::default() };
        match self.0.copy(&source, etag, &target, options).await {
            Ok(_) => Ok(()),
            Err(error) if there == There::Kept && self.is_copied(&source, &target).await => {
                tracing::debug!(%error, "a copy is there already");
                Ok(())
            }
            Err(error) => Err(failure(&error)),
        }
    }
}

impl CoreBulk {
    async fn is_copied(&self, source: &ObjectName, target: &ObjectName) -> bool {
        match (self.0.head(source).await, self.0.head(target).await) {
            (Ok(source), Ok(target)) => source.etag == target.etag && source.size == target.size,
            _ => false,
        }
    }
}

fn name(bucket: &str, key: &str) -> Result<ObjectName, ItemError> {
    let invalid =
        |message: String| ItemError { code: "InvalidRequest", status: 400, message, may_work_later: false };
    let bucket = BucketName::new(bucket).map_err(|error| invalid(error.to_string()))?;
    let key = ObjectKey::new(key).map_err(|error| invalid(error.to_string()))?;
    Ok(ObjectName { bucket, key })
}

fn failure(error: &WriteError) -> ItemError {
    let (code, status, may_work_later) = match error {
        WriteError::NoSuchBucket => ("NoSuchBucket", 404, false),
        WriteError::NoSuchSource => ("NoSuchKey", 404, false),
        WriteError::Precondition { .. } => ("PreconditionFailed", 412, false),
        WriteError::Body(_) => ("InternalError", 500, true),
        WriteError::Storage(_) => ("ServiceUnavailable", 503, true),
    };
    let message = match error {
        WriteError::Precondition { .. } => "the object was changed meanwhile, or another is there".to_owned(),
        WriteError::NoSuchBucket
        | WriteError::NoSuchSource
        | WriteError::Body(_)
        | WriteError::Storage(_) => error.to_string(),
    };
    ItemError { code, status, message, may_work_later }
}
