//! Create an upload.

use std::sync::Arc;

use crate::core::{ObjectCore, now};
use crate::name::ObjectName;
use crate::object::{key, value};
use crate::set::{CommitError, Draft, Expect, Op, Space};
use crate::types::{
    Attributes, ChecksumAlgorithm, ChecksumKind, StorageError, UploadError, UploadId, WriteError,
};

impl ObjectCore {
    /// Begins a multipart upload.
    pub async fn create_upload(
        &self,
        at: &ObjectName,
        attributes: Attributes,
        checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
    ) -> Result<UploadId, UploadError> {
        let bucket = self.live_bucket(&at.bucket).map_err(|_| UploadError::NoSuchBucket)?;
        attributes.check().map_err(WriteError::from)?;
        let set = Arc::clone(self.set_of(at));
        // Ids of version 7 sort by age, and uploads of a key are listed in that order.
        let upload = UploadId(uuid::Uuid::now_v7().simple().to_string());
        let key = key::upload(at, &upload);
        let value = value::Upload { initiated: now(), attributes, checksum }.encode().into();
        let draft = Draft {
            ops: vec![Op::Put { space: Space::Upload, key: key.clone(), value }],
            expect: vec![(Space::Upload, key, Expect::Absent)],
            inline: None,
        };
        let _held = bucket.hold().await.map_err(|_| UploadError::NoSuchBucket)?;
        match set.log.commit(draft).await {
            Ok(_) => Ok(upload),
            Err(CommitError::Changed { .. }) => Err(StorageError::Busy.into()),
            Err(CommitError::Storage(error)) => Err(error.into()),
        }
    }
}
