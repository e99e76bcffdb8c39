//! A window: a name under which S3 clients read some of the system's own objects.
//!
//! - W1: what is behind it is read and listed, never written; keys outside its prefix are not there.
//! - W2: only sessions of a table's files look through it, at what these name. Rights to buckets, root's too, are none to it:
//!   a rule for all buckets but some would open here what it forbids there.
//! - W3: a link behind it is another name for an object of a bucket. Whoever reads it needs the right to that object.

use tarn_openapi::access::{Principal, Restriction};

use crate::name::{BucketName, ObjectKey, ObjectName};

use super::error::S3Error;
use super::operation::{BucketOperation, ObjectOperation, Operation, Setting};

/// A name for the objects of the system bucket below a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The name clients use. No bucket is made under it.
    pub name: BucketName,
    /// What the keys behind it begin with.
    pub prefix: String,
    /// A key with this in it is a link: behind it stand the bucket and key of an object.
    pub link: String,
}

impl Window {
    /// The operation on what it is really about (W1).
    pub(super) fn through(&self, operation: Operation) -> Result<Operation, S3Error> {
        match operation {
            Operation::Bucket(bucket, operation) if bucket == self.name => match operation {
                BucketOperation::Head
                | BucketOperation::List
                | BucketOperation::ListV2
                | BucketOperation::ReadSetting(Setting::Location) => {
                    Ok(Operation::Bucket(BucketName::system(), operation))
                }
                BucketOperation::Create
                | BucketOperation::Delete
                | BucketOperation::ListVersions
                | BucketOperation::ListUploads
                | BucketOperation::DeleteObjects
                | BucketOperation::PutAcl
                | BucketOperation::Inventory(..)
                | BucketOperation::Metadata(_)
                | BucketOperation::ReadSetting(_)
                | BucketOperation::ClearSetting(_) => Err(S3Error::denied()),
            },
            Operation::Object(at, operation) if at.bucket == self.name => match operation {
                ObjectOperation::Get | ObjectOperation::Head => {
                    Ok(Operation::Object(self.behind(at).ok_or_else(S3Error::denied)?, operation))
                }
                ObjectOperation::Put
                | ObjectOperation::Copy
                | ObjectOperation::Delete
                | ObjectOperation::Attributes
                | ObjectOperation::GetAcl
                | ObjectOperation::PutAcl
                | ObjectOperation::GetTagging
                | ObjectOperation::PutTagging
                | ObjectOperation::ClearTagging
                | ObjectOperation::GetLock
                | ObjectOperation::CreateUpload
                | ObjectOperation::UploadPart(..)
                | ObjectOperation::UploadPartCopy(..)
                | ObjectOperation::Complete(_)
                | ObjectOperation::Abort(_)
                | ObjectOperation::ListParts(_) => Err(S3Error::denied()),
            },
            Operation::ListBuckets | Operation::Bucket(..) | Operation::Object(..) => Ok(operation),
        }
    }

    /// The object that a name behind the window is of.
    fn behind(&self, at: ObjectName) -> Option<ObjectName> {
        let key = at.key.as_str();
        if !key.starts_with(&self.prefix) {
            return None;
        }
        let Some((_, linked)) = key.split_once(&*self.link) else {
            return Some(ObjectName { bucket: BucketName::system(), key: at.key });
        };
        let (bucket, key) = linked.split_once('/')?;
        let (bucket, key) = (BucketName::new(bucket).ok()?, ObjectKey::new(key).ok()?);
        if bucket != self.name {
            return Some(ObjectName { bucket, key });
        }
        // A link to what is behind the window too is no link to a link.
        let is_own = key.as_str().starts_with(&self.prefix) && !key.as_str().contains(&*self.link);
        is_own.then(|| ObjectName { bucket: BucketName::system(), key })
    }
}

/// Whether `principal` may look through a window at all (W2).
pub(super) fn may_look(principal: &Principal) -> bool {
    match principal {
        Principal::Session(session) => match session.restriction {
            Restriction::Files(_) => true,
            Restriction::Prefixes(_) | Restriction::Policy(_) => false,
        },
        Principal::Anonymous | Principal::Root | Principal::AccessKey(_) | Principal::Web(_) => false,
    }
}
