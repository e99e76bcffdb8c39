//! Multipart uploads: an entry for the upload, an entry and a blob for each part.
//!
//! - M1: an upload and its parts live on the set of the object they will make, so that completing is one
//!   commit: the object appears and the upload and its parts go, or nothing happens.
//! - M2: a part is committed only while its upload exists. After an upload's entry is gone no part
//!   of it can appear.
//! - M3: parts become the object's extents as they are: completing moves no bytes.

mod abort;
mod complete;
mod create;
mod list;
mod part;
#[cfg(test)]
mod tests;

use std::ops::Bound;

use bytes::Bytes;

use crate::bucket::unreadable;
use crate::core::{ObjectCore, Set};
use crate::name::ObjectName;
use crate::object::{key, value};
use crate::set::{Draft, Entry, Op, Space};
use crate::types::{ETag, PartInfo, StorageError, UploadError, UploadId, UploadInfo, WriteError};

/// The largest part number.
pub(crate) const PARTS_MAX: u16 = 10_000;

/// How many parts are read from the log at once.
const PAGE: usize = 1000;

impl From<StorageError> for UploadError {
    fn from(error: StorageError) -> Self {
        Self::Write(WriteError::Storage(error))
    }
}

/// A part as it is kept.
pub(crate) struct KnownPart {
    number: u16,
    entry: Entry,
    part: value::Part,
}

impl ObjectCore {
    /// The entry of an upload.
    async fn find_upload(
        &self,
        set: &Set,
        at: &ObjectName,
        upload: &UploadId,
    ) -> Result<(Entry, value::Upload), UploadError> {
        if self.inner.buckets.get(&at.bucket).is_none() {
            return Err(UploadError::NoSuchBucket);
        }
        if !is_upload_id(upload) {
            return Err(UploadError::NoSuchUpload);
        }
        let entry = set.log.entry(Space::Upload, &key::upload(at, upload)).await?;
        let entry = entry.ok_or(UploadError::NoSuchUpload)?;
        let found = value::Upload::decode(&entry.value).map_err(unreadable)?;
        Ok((entry, found))
    }

    /// An upload in progress.
    pub async fn upload(&self, at: &ObjectName, upload: &UploadId) -> Result<UploadInfo, UploadError> {
        let (_, found) = self.find_upload(self.set_of(at), at, upload).await?;
        Ok(info(at, upload, found))
    }

    /// Removes the entries of parts whose upload's entry is gone, and condemns their blobs (M2).
    pub(crate) async fn sweep_parts(&self, set: &Set, upload: &UploadId) -> Result<(), StorageError> {
        loop {
            let parts = parts_after(set, upload, 0, PAGE).await?;
            if parts.is_empty() {
                return Ok(());
            }
            let ops = parts.iter().map(|part| delete_part(upload, part.number)).collect();
            // Nobody else changes parts of an upload that is gone, so there is nothing to expect.
            match set.log.commit(Draft { ops, expect: Vec::new(), inline: None }).await {
                Ok(_) => parts.iter().for_each(|part| self.condemn_part(set, &part.part)),
                Err(crate::set::CommitError::Storage(error)) => return Err(error),
                Err(crate::set::CommitError::Changed { .. }) => return Err(StorageError::Unknown),
            }
        }
    }

    /// The same after the upload has ended: that took effect, so a failure here is not the caller's. What stays
    /// is swept at the next start.
    async fn sweep_done(&self, set: &Set, upload: &UploadId) {
        if let Err(error) = self.sweep_parts(set, upload).await {
            tracing::warn!(%error, upload = %upload.0, "parts of an upload that has ended could not be removed");
        }
    }

    fn condemn_part(&self, set: &Set, part: &value::Part) {
        if part.blob.size > 0 {
            self.condemn(set, part.blob.id, vec![part.blob.id]);
        }
    }
}

/// Whether the text has the shape of an upload id: what else is in a key cannot be forged with it.
fn is_upload_id(upload: &UploadId) -> bool {
    upload.0.len() == 32 && upload.0.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The upload whose part's key this is.
pub(crate) fn upload_of_part(key: &[u8]) -> Option<UploadId> {
    let id = &key[..key.len().checked_sub(2)?];
    Some(UploadId(std::str::from_utf8(id).ok()?.to_owned()))
}

fn delete_part(upload: &UploadId, number: u16) -> Op {
    Op::Delete { space: Space::Part, key: key::part(upload, number) }
}

/// The parts of an upload after number `after`, at most `limit`.
async fn parts_after(
    set: &Set,
    upload: &UploadId,
    after: u16,
    limit: usize,
) -> Result<Vec<KnownPart>, StorageError> {
    let from: Bound<Bytes> = Bound::Excluded(key::part(upload, after));
    let page = set.log.entries(Space::Part, from, limit).await?;
    let prefix = upload.0.as_bytes();
    let of_upload = page.into_iter().take_while(|(key, _)| key.starts_with(prefix));
    of_upload
        .map(|(key, entry)| {
            let number = key::part_number(&key).ok_or_else(|| unreadable(value::InvalidValue::Key))?;
            let part = value::decode(&entry.value).map_err(unreadable)?;
            Ok(KnownPart { number, entry, part })
        })
        .collect()
}

/// All parts of an upload.
async fn all_parts(set: &Set, upload: &UploadId) -> Result<Vec<KnownPart>, StorageError> {
    let mut parts: Vec<KnownPart> = Vec::new();
    loop {
        let after = parts.last().map_or(0, |part| part.number);
        let page = parts_after(set, upload, after, PAGE).await?;
        let whole = page.len() < PAGE;
        parts.extend(page);
        if whole {
            return Ok(parts);
        }
    }
}

fn info(at: &ObjectName, upload: &UploadId, found: value::Upload) -> UploadInfo {
    UploadInfo {
        key: at.key.clone(),
        upload: upload.clone(),
        initiated: found.initiated,
        attributes: found.attributes,
        checksum: found.checksum,
    }
}

fn part_info(number: u16, part: &value::Part) -> PartInfo {
    PartInfo {
        number,
        size: part.blob.size,
        etag: ETag(hex::encode(part.md5)),
        modified: part.modified,
        checksum: part.checksum.clone(),
    }
}
