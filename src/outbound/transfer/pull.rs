//! To this server.

use futures::StreamExt as _;
use reqwest::Response;
use tarn_inventory::batch::{Carried, Item, ItemError, Replicated, There};
use tarn_objectcore::name::ObjectName;
use tarn_objectcore::types::{
    Body, BodyError, CompleteOptions, CompletePart, PutOptions, ReadError, Tags, UploadError, UploadId,
    WriteError,
};

use super::{Transfer, Version, changed, denied, invalid, name, no_such_key, unread};
use crate::outbound::s3::{Head, md5_of};

impl Transfer {
    pub(super) async fn pull_one(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        carried: Carried,
    ) -> Result<Replicated, ItemError> {
        let at = name(to.bucket, to.key)?;
        let head = self.s3.head(from.bucket, from.key, None).await?.ok_or_else(no_such_key)?;
        if from.etag.is_some_and(|etag| etag != head.etag) {
            return Err(changed());
        }
        if there == There::Kept && self.is_pulled(&at, &head).await? {
            return Ok(Replicated::Found);
        }
        let source = (from.bucket, from.key);
        let mut head = head;
        if head.tags > 0 {
            if carried == Carried::NoTags {
                return Err(denied());
            }
            let tags = Tags::new(self.s3.tags(source).await?).map_err(|error| invalid(error.to_string()))?;
            head.attributes.tags = tags;
        }
        match self.parts(source, &head).await? {
            Some(parts) => self.pull_parts(source, &head, parts, &at).await?,
            None => self.pull_whole(source, &head, &at).await?,
        }
        Ok(Replicated::Copied)
    }

    async fn is_pulled(&self, at: &ObjectName, head: &Head) -> Result<bool, ItemError> {
        let info = match self.core.head(at).await {
            Ok(info) => info,
            Err(ReadError::NoSuchKey) => return Ok(false),
            Err(error) => return Err(unread(&error)),
        };
        let modified_ms = i64::try_from(info.modified.0).unwrap_or(i64::MAX);
        let copy = Version { etag: &info.etag.0, size: info.size, modified_ms };
        let original = Version { etag: &head.etag, size: head.size, modified_ms: head.modified_ms };
        Ok(original.is_original_of(copy))
    }

    /// How many parts the original has, where its entity tag is made of them and the endpoint tells parts apart.
    async fn parts(&self, from: (&str, &str), head: &Head) -> Result<Option<u16>, ItemError> {
        let Some((_, count)) = head.etag.rsplit_once('-') else { return Ok(None) };
        let Ok(count) = count.parse::<u16>() else { return Ok(None) };
        let first = self.s3.head(from.0, from.1, Some(1)).await;
        let first = match first {
            Ok(first) => first.ok_or_else(no_such_key)?,
            Err(error) if error.may_work_later => return Err(error),
            // It does not know the question.
            Err(_) => return Ok(None),
        };
        Ok(first.parts.filter(|parts| *parts == count))
    }

    async fn pull_whole(&self, from: (&str, &str), head: &Head, at: &ObjectName) -> Result<(), ItemError> {
        let (response, size) = self.s3.get(from, &head.etag, None, head.size).await?;
        let options = PutOptions {
            attributes: head.attributes.clone(),
            size: Some(size),
            content_md5: md5_of(&head.etag).filter(|_| head.is_md5),
            ..PutOptions::default()
        };
        self.core.put(at, body(response), options).await.map(drop).map_err(|error| unwritten(&error))
    }

    async fn pull_parts(
        &self,
        from: (&str, &str),
        head: &Head,
        parts: u16,
        at: &ObjectName,
    ) -> Result<(), ItemError> {
        let upload = self.core.create_upload(at, head.attributes.clone(), None).await;
        let upload = upload.map_err(|error| not_uploaded(&error))?;
        let done = self.pull_each(from, head, parts, (at, &upload)).await;
        if done.is_err() {
            // What went wrong before is what is told.
            let _aborted = self.core.abort_upload(at, &upload).await;
        }
        done
    }

    async fn pull_each(
        &self,
        from: (&str, &str),
        head: &Head,
        parts: u16,
        (at, upload): (&ObjectName, &UploadId),
    ) -> Result<(), ItemError> {
        let mut done = Vec::with_capacity(usize::from(parts));
        for number in 1..=parts {
            let (response, size) = self.s3.get(from, &head.etag, Some(number), head.size).await?;
            let options = PutOptions { size: Some(size), ..PutOptions::default() };
            let part = self.core.put_part(at, upload, number, body(response), options).await;
            let part = part.map_err(|error| not_uploaded(&error))?;
            done.push(CompletePart { number, etag: part.etag, checksum: None });
        }
        let options = CompleteOptions { size: Some(head.size), ..CompleteOptions::default() };
        let completed = self.core.complete_upload(at, upload, &done, options).await;
        completed.map(drop).map_err(|error| not_uploaded(&error))
    }
}

fn body(response: Response) -> Body {
    let chunks = response.bytes_stream().map(|chunk| chunk.map_err(|_| BodyError::Incomplete));
    Body { chunks: chunks.boxed(), seal: Box::new(|| Ok(None)) }
}

fn unwritten(error: &WriteError) -> ItemError {
    let (code, status, may_work_later) = match error {
        WriteError::NoSuchBucket => ("NoSuchBucket", 404, false),
        WriteError::NoSuchSource => ("NoSuchKey", 404, false),
        WriteError::Precondition { .. } => ("PreconditionFailed", 412, false),
        WriteError::Body(BodyError::TooLarge { .. }) => ("EntityTooLarge", 400, false),
        WriteError::Body(_) => ("EndpointError", 502, true),
        WriteError::Storage(_) => ("ServiceUnavailable", 503, true),
    };
    ItemError { code, status, message: error.to_string(), may_work_later }
}

fn not_uploaded(error: &UploadError) -> ItemError {
    let (code, status, may_work_later) = match error {
        UploadError::Write(error) => return unwritten(error),
        UploadError::NoSuchBucket => ("NoSuchBucket", 404, false),
        UploadError::TooLarge { .. } => ("EntityTooLarge", 400, false),
        UploadError::TooSmall { .. } => ("EntityTooSmall", 400, false),
        UploadError::NoSuchUpload
        | UploadError::InvalidPart { .. }
        | UploadError::InvalidPartOrder
        | UploadError::BadDigest => ("EndpointError", 502, true),
    };
    ItemError { code, status, message: error.to_string(), may_work_later }
}
