//! Put a part.

use std::sync::Arc;

use super::{PARTS_MAX, part_info};
use crate::bucket::{BucketState, unreadable};
use crate::core::{ObjectCore, Set, now};
use crate::memory::write_bytes;
use crate::name::ObjectName;
use crate::object::publish::Refused;
use crate::object::receive::{Content, Hashing, Terms, receive};
use crate::object::value::{Extent, Stored};
use crate::object::{key, value};
use crate::set::{CommitError, Draft, Expect, Op, Space};
use crate::types::{Body, PartInfo, PutOptions, UploadError, UploadId, WriteError};

impl ObjectCore {
    /// Puts a part, replacing the part of that number.
    pub async fn put_part(
        &self,
        at: &ObjectName,
        upload: &UploadId,
        number: u16,
        body: Body,
        options: PutOptions,
    ) -> Result<PartInfo, UploadError> {
        let bucket = self.live_bucket(&at.bucket).map_err(|_| UploadError::NoSuchBucket)?;
        let set = Arc::clone(self.set_of(at));
        self.find_upload(&set, at, upload).await?;
        if !(1..=PARTS_MAX).contains(&number) {
            return Err(UploadError::InvalidPart { number });
        }
        let terms = Terms {
            inline_bytes_max: None,
            bytes_max: self.inner.settings.body_bytes_max,
            size: options.size,
            md5: options.content_md5,
            hashing: Hashing::Md5,
        };
        let coding = set.log.coding();
        let share = self.admit(write_bytes(&coding, terms.size, terms.inline_bytes_max)).await?;
        let content = receive(&set, body, &terms).await?;
        let (core, at, upload) = (self.clone(), at.clone(), upload.clone());
        self.to_the_end(async move {
            let _held = share;
            core.publish_part(&set, &bucket, &at, (&upload, number), content).await
        })
        .await?
    }

    async fn publish_part(
        &self,
        set: &Set,
        bucket: &BucketState,
        at: &ObjectName,
        (upload, number): (&UploadId, u16),
        content: Content,
    ) -> Result<PartInfo, UploadError> {
        let durable = self.make_durable(set, content.kept, number).await?;
        let blob = match &durable.stored {
            Stored::Files(extents) => extents.first().map(|Extent { blob, .. }| *blob),
            Stored::Empty | Stored::Inline(_) => None,
        };
        let blob = blob.unwrap_or_else(|| set.empty_blob());
        let part = value::Part { modified: now(), md5: content.md5, blob, checksum: content.checksum };
        let key = key::part(upload, number);
        let put = Op::Put { space: Space::Part, key: key.clone(), value: value::encode(&part).into() };
        let expect = vec![(Space::Upload, key::upload(at, upload), Expect::Present)];
        let held = bucket.hold().await.map_err(|_| UploadError::NoSuchBucket);
        let _held = held.inspect_err(|_| self.condemn_part(set, &part))?;
        match set.log.commit(Draft { ops: vec![put], expect, inline: None }).await {
            Ok(committed) => {
                if let Some(replaced) = committed.replaced.into_iter().next().flatten() {
                    self.condemn_part(set, &value::decode(&replaced.value).map_err(unreadable)?);
                }
                if durable.short {
                    self.inner.healer.repairs.push(set.number, Space::Part, key);
                }
                Ok(part_info(number, &part))
            }
            Err(CommitError::Changed { .. }) => {
                self.condemn_part(set, &part);
                Err(UploadError::NoSuchUpload)
            }
            Err(CommitError::Storage(error)) => {
                let refused = Refused::Storage(error);
                self.condemn_refused(set, blob.id, &durable.stored, &refused);
                Err(WriteError::from(refused).into())
            }
        }
    }
}
