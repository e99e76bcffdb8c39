//! Multipart uploads through `object_store`, where parts may have any size and there may be none.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Attributes, MultipartId, MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::CoreStore;
use super::convert::{attributes_from, body, generic, name, put_result, upload_error, write_error};
use crate::name::ObjectName;
use crate::types::{Body, CompleteOptions, CompletePart, ETag, PutIf, PutOptions, UploadId, Written};

/// An upload in progress.
pub(super) struct Upload {
    store: CoreStore,
    location: Path,
    at: ObjectName,
    upload: UploadId,
    begun: u16,
    parts: Arc<Mutex<Vec<CompletePart>>>,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Upload").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Upload {
    pub(super) async fn create(store: &CoreStore, location: &Path, attributes: &Attributes) -> Result<Self> {
        let at = name(&store.bucket, location)?;
        let created = store.core.create_upload(&at, attributes_from(attributes)?, None).await;
        let upload = created.map_err(|error| upload_error(error, location))?;
        let (store, location) = (store.clone(), location.clone());
        Ok(Self { store, location, at, upload, begun: 0, parts: Arc::default() })
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let number = self.begun.saturating_add(1);
        self.begun = number;
        let (store, at, upload) = (self.store.clone(), self.at.clone(), self.upload.clone());
        let (parts, location) = (Arc::clone(&self.parts), self.location.clone());
        Box::pin(async move {
            let part = store.put_part_at(&at, &upload, number, data, &location).await?;
            parts.lock().unwrap_or_else(PoisonError::into_inner).push(part);
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if parts.len() != usize::from(self.begun) {
            return Err(generic("not all parts were uploaded"));
        }
        parts.sort_unstable_by_key(|part| part.number);
        self.store.complete_at(&self.at, &self.upload, &parts, &self.location).await
    }

    async fn abort(&mut self) -> Result<()> {
        let aborted = self.store.core.abort_upload(&self.at, &self.upload).await;
        aborted.map_err(|error| upload_error(error, &self.location))
    }
}

impl CoreStore {
    async fn put_part_at(
        &self,
        at: &ObjectName,
        upload: &UploadId,
        number: u16,
        data: PutPayload,
        location: &Path,
    ) -> Result<CompletePart> {
        let options = PutOptions { size: Some(data.content_length() as u64), ..PutOptions::default() };
        let put = self.core.put_part(at, upload, number, body(data), options).await;
        let part = put.map_err(|error| upload_error(error, location))?;
        Ok(CompletePart { number, etag: part.etag, checksum: None })
    }

    async fn complete_at(
        &self,
        at: &ObjectName,
        upload: &UploadId,
        parts: &[CompletePart],
        location: &Path,
    ) -> Result<PutResult> {
        let failed = |error| upload_error(error, location);
        if parts.is_empty() {
            let found = self.core.upload(at, upload).await.map_err(failed)?;
            let options = PutOptions { attributes: found.attributes, ..PutOptions::default() };
            let written: Written = self
                .core
                .put(at, Body::from_bytes(bytes::Bytes::new()), options)
                .await
                .map_err(|error| write_error(error, location, &PutIf::Always))?;
            self.core.abort_upload(at, upload).await.map_err(failed)?;
            return Ok(put_result(written));
        }
        let options = CompleteOptions::default();
        let completed = self.core.complete_with_parts_of(at, upload, parts, options, 0).await;
        completed.map(put_result).map_err(failed)
    }
}

#[async_trait]
impl MultipartStore for CoreStore {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        Ok(Upload::create(self, path, &Attributes::new()).await?.upload.0)
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let at = name(&self.bucket, path)?;
        let number = u16::try_from(part_idx + 1).map_err(generic)?;
        let part = self.put_part_at(&at, &UploadId(id.clone()), number, data, path).await?;
        Ok(PartId { content_id: part.etag.0 })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let at = name(&self.bucket, path)?;
        let numbered = parts.into_iter().zip(1..).map(|(part, number)| CompletePart {
            number,
            etag: ETag(part.content_id),
            checksum: None,
        });
        let parts: Vec<CompletePart> = numbered.collect();
        self.complete_at(&at, &UploadId(id.clone()), &parts, path).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let at = name(&self.bucket, path)?;
        let aborted = self.core.abort_upload(&at, &UploadId(id.clone())).await;
        aborted.map_err(|error| upload_error(error, path))
    }
}
