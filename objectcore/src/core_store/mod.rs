//! [`CoreStore`]: a bucket as an [`object_store::ObjectStore`], without HTTP.
//!
//! - S1: a `Path` is used as the key as it stands. Keys that are no `Path` (`a//b`, `dir/`) are not
//!   listed: this interface cannot name them.
//! - S2: entity tags are the core's, without quotes; `PutMode::Create` and `Update` are decided atomically.
//! - S3: an error other than `NotFound`, `AlreadyExists`, `Precondition` and `NotModified` carries the
//!   core's error as its source; with [`StorageError::Unknown`](crate::types::StorageError) the write may
//!   have taken effect.

mod convert;
mod list;
mod multipart;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyMode, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutPayload, PutResult, Result,
};

use self::convert::{
    attributes_from, attributes_to, body, meta, name, no_tags, put_result, read_error, write_error,
};
use crate::core::ObjectCore;
use crate::name::BucketName;
use crate::types::{CopyOptions, ETag, GetRange as CoreRange, PutIf, PutOptions, Tagging};

/// How many objects are deleted at once.
const DELETES_AT_ONCE: usize = 16;

/// One bucket of an [`ObjectCore`] as an object store.
#[derive(Clone)]
pub struct CoreStore {
    core: ObjectCore,
    bucket: BucketName,
}

impl CoreStore {
    /// The objects of `bucket`. What is read and written here takes no share of the memory: it serves requests
    /// that did, or work of our own that must not be refused.
    pub fn new(core: ObjectCore, bucket: BucketName) -> Self {
        Self { core: core.admitted(), bucket }
    }
}

impl fmt::Debug for CoreStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CoreStore").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

impl fmt::Display for CoreStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CoreStore({})", self.bucket)
    }
}

#[async_trait]
impl ObjectStore for CoreStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: object_store::PutOptions,
    ) -> Result<PutResult> {
        no_tags(&opts.tags)?;
        let when = match opts.mode {
            PutMode::Overwrite => PutIf::Always,
            PutMode::Create => PutIf::Absent,
            PutMode::Update(version) => match version.e_tag {
                Some(tag) => PutIf::Match(ETag(tag)),
                None => return Err(convert::generic("an update needs an e_tag")),
            },
        };
        let options = PutOptions {
            when: when.clone(),
            attributes: attributes_from(&opts.attributes)?,
            size: Some(payload.content_length() as u64),
            content_md5: None,
            tagging: Tagging::Version,
        };
        let written = self.core.put(&name(&self.bucket, location)?, body(payload), options).await;
        written.map(put_result).map_err(|error| write_error(error, location, &when))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        no_tags(&opts.tags)?;
        let upload = multipart::Upload::create(self, location, &opts.attributes).await?;
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let at = name(&self.bucket, location)?;
        let failed = |error| read_error(error, location);
        let range = match &options.range {
            None => None,
            Some(GetRange::Bounded(range)) if range.start >= range.end => {
                return Err(convert::generic(format!("the range {range:?} holds nothing")));
            }
            Some(GetRange::Bounded(range)) => Some(CoreRange::Bounded(range.start, range.end - 1)),
            Some(GetRange::Offset(start)) => Some(CoreRange::From(*start)),
            Some(GetRange::Suffix(length)) => Some(CoreRange::Suffix(*length)),
        };
        let nothing = options.head || matches!(options.range, Some(GetRange::Suffix(0)));
        if nothing {
            let info = self.core.head(&at).await.map_err(failed)?;
            let meta = meta(&info)?;
            options.check_preconditions(&meta)?;
            let range = if options.head { 0..info.size } else { info.size..info.size };
            let payload = GetResultPayload::Stream(stream::empty().boxed());
            return Ok(GetResult { payload, meta, range, attributes: attributes_to(&info.attributes) });
        }
        let body = self.core.get(&at, range).await.map_err(failed)?;
        let meta = meta(&body.info)?;
        options.check_preconditions(&meta)?;
        let location = location.clone();
        let chunks = body.chunks.map_err(move |error| read_error(error, &location)).boxed();
        Ok(GetResult {
            payload: GetResultPayload::Stream(chunks),
            meta,
            range: body.range,
            attributes: attributes_to(&body.info.attributes),
        })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = Arc::new(self.clone());
        locations
            .map(move |location| {
                let store = Arc::clone(&store);
                async move {
                    let location = location?;
                    let at = name(&store.bucket, &location)?;
                    let deleted = store.core.delete(&at, PutIf::Always).await;
                    deleted.map_err(|error| write_error(error, &location, &PutIf::Always))?;
                    Ok(location)
                }
            })
            .buffered(DELETES_AT_ONCE)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_from(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_from(prefix, Some(offset.as_ref().to_owned()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.list_level(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: object_store::CopyOptions) -> Result<()> {
        let when = match options.mode {
            CopyMode::Overwrite => PutIf::Always,
            CopyMode::Create => PutIf::Absent,
        };
        let (source, target) = (name(&self.bucket, from)?, name(&self.bucket, to)?);
        let options = CopyOptions { when: when.clone(), ..CopyOptions::default() };
        match self.core.copy(&source, None, &target, options).await {
            Ok(_) => Ok(()),
            Err(error @ crate::types::WriteError::NoSuchSource) => {
                Err(Error::NotFound { path: from.to_string(), source: error.into() })
            }
            Err(error) => Err(write_error(error, to, &when)),
        }
    }
}

#[cfg(test)]
mod tests;
