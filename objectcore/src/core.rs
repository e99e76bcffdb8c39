//! [`ObjectCore`]: buckets, objects and uploads over erasure sets of drives.

use std::sync::Arc;

use crate::name::{BucketName, ObjectName};
use crate::types::{
    Attributes, Body, BucketError, BucketInfo, ChecksumAlgorithm, ChecksumKind, CompleteOptions,
    CompletePart, CopyOptions, Deleted, ETag, GetRange, ListOptions, ListPage, ObjectBody, ObjectInfo,
    PartInfo, PutIf, PutOptions, ReadError, StorageError, UploadError, UploadId, UploadInfo, WriteError,
    Written,
};

/// The object core. A clone is another handle to the same store.
#[derive(Clone)]
pub struct ObjectCore {
    inner: Arc<Inner>,
}

struct Inner;

impl ObjectCore {
    /// A core over `drives` simulated drives: everything is kept in memory. For tests.
    pub async fn in_memory(drives: usize) -> Self {
        assert!((1..=16).contains(&drives), "one set has 1 to 16 drives");
        Self { inner: Arc::new(Inner) }
    }

    /// Stops taking work and waits for what is under way.
    pub async fn close(&self) {}

    /// Creates a bucket.
    pub async fn create_bucket(&self, name: &BucketName) -> Result<BucketInfo, BucketError> {
        let _ = name;
        Err(BucketError::Storage(self.closed()))
    }

    /// Deletes an empty bucket.
    pub async fn delete_bucket(&self, name: &BucketName) -> Result<(), BucketError> {
        let _ = name;
        Err(BucketError::Storage(self.closed()))
    }

    /// The bucket of that name, from memory.
    pub fn bucket(&self, name: &BucketName) -> Option<BucketInfo> {
        let _ = name;
        None
    }

    /// All buckets but the system's, sorted by name.
    pub fn buckets(&self) -> Vec<BucketInfo> {
        Vec::new()
    }

    /// Puts an object. It is durable when this returns.
    pub async fn put(&self, at: &ObjectName, body: Body, options: PutOptions) -> Result<Written, WriteError> {
        let _ = (at, body, options);
        Err(WriteError::Storage(self.closed()))
    }

    /// What is known about an object.
    pub async fn head(&self, at: &ObjectName) -> Result<ObjectInfo, ReadError> {
        let _ = at;
        Err(ReadError::Storage(self.closed()))
    }

    /// Reads an object, or a range of it.
    pub async fn get(&self, at: &ObjectName, range: Option<GetRange>) -> Result<ObjectBody, ReadError> {
        let _ = (at, range);
        Err(ReadError::Storage(self.closed()))
    }

    /// Deletes an object. `Match` and `Exists` need the object; `Always` is content with none.
    pub async fn delete(&self, at: &ObjectName, when: PutIf) -> Result<Deleted, WriteError> {
        let _ = (at, when);
        Err(WriteError::Storage(self.closed()))
    }

    /// One page of a bucket's keys.
    pub async fn list(&self, bucket: &BucketName, options: &ListOptions) -> Result<ListPage, ReadError> {
        let _ = (bucket, options);
        Err(ReadError::Storage(self.closed()))
    }

    /// Copies an object, of the version `source_if` names where it is given (else
    /// [`WriteError::Precondition`]). A source that is not there is [`WriteError::NoSuchSource`].
    pub async fn copy(
        &self,
        from: &ObjectName,
        source_if: Option<ETag>,
        to: &ObjectName,
        options: CopyOptions,
    ) -> Result<Written, WriteError> {
        let _ = (from, source_if, to, options);
        Err(WriteError::Storage(self.closed()))
    }

    /// Begins a multipart upload.
    pub async fn create_upload(
        &self,
        at: &ObjectName,
        attributes: Attributes,
        checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
    ) -> Result<UploadId, UploadError> {
        let _ = (at, attributes, checksum);
        Err(UploadError::Write(WriteError::Storage(self.closed())))
    }

    /// Puts a part, replacing the part of that number.
    pub async fn put_part(
        &self,
        at: &ObjectName,
        upload: &UploadId,
        number: u16,
        body: Body,
        options: PutOptions,
    ) -> Result<PartInfo, UploadError> {
        let _ = (at, upload, number, body, options);
        Err(UploadError::Write(WriteError::Storage(self.closed())))
    }

    /// An upload in progress.
    pub async fn upload(&self, at: &ObjectName, upload: &UploadId) -> Result<UploadInfo, UploadError> {
        let _ = (at, upload);
        Err(UploadError::Write(WriteError::Storage(self.closed())))
    }

    /// The parts of an upload after number `after`, and whether there are more.
    pub async fn list_parts(
        &self,
        at: &ObjectName,
        upload: &UploadId,
        after: u16,
        limit: usize,
    ) -> Result<(UploadInfo, Vec<PartInfo>, bool), UploadError> {
        let _ = (at, upload, after, limit);
        Err(UploadError::Write(WriteError::Storage(self.closed())))
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
        let _ = (bucket, prefix, after, limit);
        Err(UploadError::Write(WriteError::Storage(self.closed())))
    }

    /// Makes the object of the named parts; the upload and all its parts are gone with it.
    pub async fn complete_upload(
        &self,
        at: &ObjectName,
        upload: &UploadId,
        parts: &[CompletePart],
        options: CompleteOptions,
    ) -> Result<Written, UploadError> {
        let _ = (at, upload, parts, options);
        Err(UploadError::Write(WriteError::Storage(self.closed())))
    }

    /// Ends an upload without an object.
    pub async fn abort_upload(&self, at: &ObjectName, upload: &UploadId) -> Result<(), UploadError> {
        let _ = (at, upload);
        Err(UploadError::Write(WriteError::Storage(self.closed())))
    }

    fn closed(&self) -> StorageError {
        let _ = &self.inner;
        StorageError::Closing
    }
}
