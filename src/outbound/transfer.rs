//! Copies objects between this server and an S3 endpoint.
//!
//! - OB3: a copy has the parts that its original has, so that both have one entity tag: by it a run knows what is there.
//!   One that tells nothing of the bytes (an object of the catalog's own) is known by size and time.
//! - OB4: an object takes effect whole or not at all, and only the version that was meant: it is read under its entity tag,
//!   and where that is an MD5, whoever stores it checks it.
//! - OB5: bodies are streamed: of an object no more is in memory than what is on its way.

mod pull;
mod push;

use async_trait::async_trait;
use tarn_inventory::batch::{Carried, Item, ItemError, Page, Remote, Replicated, There};
use tarn_inventory::scan::ObjectAttributes;
use tarn_objectcore::ObjectCore;
use tarn_objectcore::name::{BucketName, ObjectKey, ObjectName};
use tarn_objectcore::types::ReadError;

use super::s3::S3;

/// The objects of a core and those of an endpoint.
pub(super) struct Transfer {
    pub(super) core: ObjectCore,
    pub(super) s3: S3,
}

/// A version of an object, as far as another is compared with it.
#[derive(Debug, Clone, Copy)]
struct Version<'a> {
    etag: &'a str,
    size: u64,
    modified_ms: i64,
}

impl Version<'_> {
    /// Whether `copy` is one of this (OB3).
    fn is_original_of(self, copy: Version<'_>) -> bool {
        let is_md5 = !self.etag.contains('-');
        self.size == copy.size
            && (self.etag == copy.etag || (!is_md5 && copy.modified_ms >= self.modified_ms))
    }
}

#[async_trait]
impl Remote for Transfer {
    async fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Page, ItemError> {
        self.s3.list(bucket, prefix, after).await
    }

    async fn attributes(&self, bucket: &str, key: &str) -> Result<ObjectAttributes, ItemError> {
        let head = self.s3.head(bucket, key, None).await?.ok_or_else(no_such_key)?;
        let tags = if head.tags > 0 { self.s3.tags((bucket, key)).await? } else { Vec::new() };
        Ok(ObjectAttributes {
            content_type: head.attributes.content_type,
            user_metadata: head.attributes.user.into_iter().collect(),
            tags,
        })
    }

    async fn push(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        carried: Carried,
    ) -> Result<Replicated, ItemError> {
        self.push_one(from, to, there, carried).await
    }

    async fn pull(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        carried: Carried,
    ) -> Result<Replicated, ItemError> {
        self.pull_one(from, to, there, carried).await
    }
}

fn name(bucket: &str, key: &str) -> Result<ObjectName, ItemError> {
    let bucket = BucketName::new(bucket).map_err(|error| invalid(error.to_string()))?;
    let key = ObjectKey::new(key).map_err(|error| invalid(error.to_string()))?;
    Ok(ObjectName { bucket, key })
}

fn invalid(message: String) -> ItemError {
    ItemError { code: "InvalidRequest", status: 400, message, may_work_later: false }
}

fn no_such_key() -> ItemError {
    let message = "the object is gone".to_owned();
    ItemError { code: "NoSuchKey", status: 404, message, may_work_later: false }
}

fn denied() -> ItemError {
    let message = "the author of the batch may not read or give the tags of the object".to_owned();
    ItemError { code: "AccessDenied", status: 403, message, may_work_later: false }
}

fn changed() -> ItemError {
    let message = "the object was changed meanwhile".to_owned();
    ItemError { code: "PreconditionFailed", status: 412, message, may_work_later: false }
}

fn unread(error: &ReadError) -> ItemError {
    let (code, status, may_work_later) = match error {
        ReadError::NoSuchBucket => ("NoSuchBucket", 404, false),
        ReadError::NoSuchKey => ("NoSuchKey", 404, false),
        ReadError::InvalidRange { .. } => ("InvalidRange", 416, false),
        ReadError::Storage(_) => ("ServiceUnavailable", 503, true),
    };
    ItemError { code, status, message: error.to_string(), may_work_later }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_known_by_its_entity_tag_and_else_by_size_and_time() {
        let version = |etag, size, modified_ms| Version { etag, size, modified_ms };
        let md5 = version("0a", 5, 10);
        assert!(md5.is_original_of(version("0a", 5, 1)));
        assert!(!md5.is_original_of(version("0b", 5, 99)) && !md5.is_original_of(version("0a", 6, 99)));
        let made = version("0a-1", 5, 10);
        assert!(made.is_original_of(version("0c", 5, 10)) && !made.is_original_of(version("0c", 5, 9)));
    }
}
