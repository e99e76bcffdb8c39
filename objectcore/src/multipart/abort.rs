//! Abort an upload.

use std::sync::Arc;

use crate::core::{ObjectCore, Set};
use crate::name::ObjectName;
use crate::object::key;
use crate::set::{CommitError, Draft, Expect, Op, Space};
use crate::types::{UploadError, UploadId};

impl ObjectCore {
    /// Ends an upload without an object.
    pub async fn abort_upload(&self, at: &ObjectName, upload: &UploadId) -> Result<(), UploadError> {
        let set = Arc::clone(self.set_of(at));
        self.find_upload(&set, at, upload).await?;
        let (core, at, upload) = (self.clone(), at.clone(), upload.clone());
        self.to_the_end(async move { core.abort_to_the_end(&set, &at, &upload).await }).await?
    }

    async fn abort_to_the_end(
        &self,
        set: &Set,
        at: &ObjectName,
        upload: &UploadId,
    ) -> Result<(), UploadError> {
        let key = key::upload(at, upload);
        let draft = Draft {
            ops: vec![Op::Delete { space: Space::Upload, key: key.clone() }],
            expect: vec![(Space::Upload, key, Expect::Present)],
            inline: None,
        };
        match set.log.commit(draft).await {
            Ok(_) => {
                // From here on no part can appear.
                self.sweep_done(set, upload).await;
                Ok(())
            }
            Err(CommitError::Changed { .. }) => Err(UploadError::NoSuchUpload),
            Err(CommitError::Storage(error)) => Err(error.into()),
        }
    }
}
