//! List parts and uploads.

use std::ops::Bound;

use bytes::Bytes;

use super::{info, part_info, parts_after};
use crate::bucket::unreadable;
use crate::core::ObjectCore;
use crate::name::{BucketName, ObjectKey, ObjectName};
use crate::object::{key, value};
use crate::set::Space;
use crate::types::{PartInfo, StorageError, UploadError, UploadId, UploadInfo};

/// How many uploads are read from the log at once at most.
const PAGE_MAX: usize = 1000;

impl ObjectCore {
    /// The parts of an upload after number `after`, and whether there are more.
    pub async fn list_parts(
        &self,
        at: &ObjectName,
        upload: &UploadId,
        after: u16,
        limit: usize,
    ) -> Result<(UploadInfo, Vec<PartInfo>, bool), UploadError> {
        let set = self.set_of(at);
        let (_, found) = self.find_upload(set, at, upload).await?;
        let mut parts = parts_after(set, upload, after, limit.saturating_add(1)).await?;
        let more = parts.len() > limit;
        parts.truncate(limit);
        let parts = parts.iter().map(|part| part_info(part.number, &part.part)).collect();
        Ok((info(at, upload, found), parts, more))
    }

    /// The uploads of a bucket in the order of key and age, and whether there are more. `after`
    /// with an empty id means after all uploads of that key.
    pub async fn list_uploads(
        &self,
        bucket: &BucketName,
        prefix: &str,
        after: Option<(&str, &UploadId)>,
        limit: usize,
    ) -> Result<(Vec<UploadInfo>, bool), UploadError> {
        if self.inner.buckets.get(bucket).is_none() {
            return Err(UploadError::NoSuchBucket);
        }
        let begin = key::in_bucket(bucket, prefix.as_bytes());
        let mut from = match after {
            Some((key, upload)) => begin_after(bucket, (key, upload), &begin),
            None => Bound::Included(begin.clone()),
        };
        let mut uploads = Vec::new();
        loop {
            let page = self.entries_of_all(Space::Upload, &from, PAGE_MAX).await?;
            let whole = page.len() < PAGE_MAX;
            for (stored, value) in page {
                if !stored.starts_with(&begin) {
                    return Ok((uploads, false));
                }
                if uploads.len() == limit {
                    return Ok((uploads, true));
                }
                uploads.push(decode(bucket, &stored, &value)?);
                from = Bound::Excluded(stored);
            }
            if whole {
                return Ok((uploads, false));
            }
        }
    }
}

fn begin_after(bucket: &BucketName, (key, upload): (&str, &UploadId), begin: &Bytes) -> Bound<Bytes> {
    let mut rest = key.as_bytes().to_vec();
    rest.push(0);
    match upload.0.is_empty() {
        true => rest.push(key::BEHIND),
        false => rest.extend_from_slice(upload.0.as_bytes()),
    }
    let after = key::in_bucket(bucket, &rest);
    if after < *begin { Bound::Included(begin.clone()) } else { Bound::Excluded(after) }
}

fn decode(bucket: &BucketName, stored: &Bytes, value: &[u8]) -> Result<UploadInfo, StorageError> {
    let invalid = || unreadable(value::InvalidValue::Key);
    let rest = std::str::from_utf8(&stored[bucket.as_str().len() + 1..]).map_err(|_| invalid())?;
    let (key, upload) = rest.split_once('\0').ok_or_else(invalid)?;
    let name = ObjectName { bucket: bucket.clone(), key: ObjectKey::new(key).map_err(|_| invalid())? };
    Ok(info(&name, &UploadId(upload.to_owned()), value::Upload::decode(value).map_err(unreadable)?))
}
