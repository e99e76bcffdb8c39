//! Between the types of `object_store` and the core's.

use std::time::{Duration, SystemTime};

use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes as StoreAttributes, Error, ObjectMeta, PutPayload, PutResult, Result, TagSet,
};

use crate::name::{BucketName, ObjectKey, ObjectName};
use crate::types::{Attributes, Body, ObjectInfo, PutIf, ReadError, UploadError, WriteError, Written};

/// What errors call this store.
const STORE: &str = "CoreStore";

pub(super) fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic { store: STORE, source: source.into() }
}

pub(super) fn name(bucket: &BucketName, location: &Path) -> Result<ObjectName> {
    let key = ObjectKey::new(location.as_ref()).map_err(generic)?;
    Ok(ObjectName { bucket: bucket.clone(), key })
}

pub(super) fn body(payload: PutPayload) -> Body {
    let chunks: Vec<bytes::Bytes> = payload.into_iter().collect();
    Body { chunks: stream::iter(chunks.into_iter().map(Ok)).boxed(), seal: Box::new(|| Ok(None)) }
}

pub(super) fn put_result(written: Written) -> PutResult {
    PutResult { e_tag: Some(written.etag.0), version: None }
}

/// The metadata of an object whose key is a `Path`.
pub(super) fn meta(info: &ObjectInfo) -> Result<ObjectMeta> {
    path_of(info.key.as_str())
        .map(|location| meta_at(location, info))
        .ok_or_else(|| generic("the key is no path"))
}

pub(super) fn meta_at(location: Path, info: &ObjectInfo) -> ObjectMeta {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(info.modified.0);
    ObjectMeta {
        location,
        last_modified: modified.into(),
        size: info.size,
        e_tag: Some(info.etag.0.clone()),
        version: None,
    }
}

/// The key as a `Path` that names the same key again.
pub(super) fn path_of(key: &str) -> Option<Path> {
    Path::parse(key).ok().filter(|path| path.as_ref() == key)
}

pub(super) fn attributes_from(given: &StoreAttributes) -> Result<Attributes> {
    let mut attributes = Attributes::default();
    for (attribute, value) in given {
        let value = value.as_ref().to_owned();
        match attribute {
            Attribute::ContentDisposition => attributes.content_disposition = Some(value),
            Attribute::ContentEncoding => attributes.content_encoding = Some(value),
            Attribute::ContentLanguage => attributes.content_language = Some(value),
            Attribute::ContentType => attributes.content_type = Some(value),
            Attribute::CacheControl => attributes.cache_control = Some(value),
            Attribute::Metadata(name) => {
                attributes.user.insert(name.to_string(), value);
            }
            // `Attribute` may grow: what is not known cannot be kept.
            other => return Err(generic(format!("the attribute {other:?} is not kept"))),
        }
    }
    Ok(attributes)
}

/// Tags are given over S3 only: what would be lost is refused.
pub(super) fn no_tags(tags: &TagSet) -> Result<()> {
    match tags.encoded() {
        "" => Ok(()),
        _ => Err(generic("tags are not kept")),
    }
}

pub(super) fn attributes_to(attributes: &Attributes) -> StoreAttributes {
    let Attributes {
        content_type,
        content_encoding,
        content_disposition,
        content_language,
        cache_control,
        expires: _,
        user,
        tags: _,
    } = attributes;
    let named = [
        (Attribute::ContentType, content_type),
        (Attribute::ContentEncoding, content_encoding),
        (Attribute::ContentDisposition, content_disposition),
        (Attribute::ContentLanguage, content_language),
        (Attribute::CacheControl, cache_control),
    ];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
    let user = user.iter().map(|(name, value)| (Attribute::Metadata(name.clone().into()), value.clone()));
    named.chain(user).collect()
}

pub(super) fn read_error(error: ReadError, location: &Path) -> Error {
    match error {
        ReadError::NoSuchBucket | ReadError::NoSuchKey => {
            Error::NotFound { path: location.to_string(), source: error.into() }
        }
        ReadError::InvalidRange { .. } | ReadError::Storage(_) => generic(error),
    }
}

pub(super) fn write_error(error: WriteError, location: &Path, when: &PutIf) -> Error {
    let path = location.to_string();
    match (&error, when) {
        (WriteError::NoSuchBucket | WriteError::NoSuchSource, _) => {
            Error::NotFound { path, source: error.into() }
        }
        (WriteError::Precondition { .. }, PutIf::Absent) => {
            Error::AlreadyExists { path, source: error.into() }
        }
        (WriteError::Precondition { .. }, PutIf::Always | PutIf::Exists | PutIf::Match(_)) => {
            Error::Precondition { path, source: error.into() }
        }
        (WriteError::Body(_) | WriteError::Storage(_), _) => generic(error),
    }
}

pub(super) fn upload_error(error: UploadError, location: &Path) -> Error {
    match error {
        UploadError::NoSuchBucket | UploadError::NoSuchUpload => {
            Error::NotFound { path: location.to_string(), source: error.into() }
        }
        UploadError::Write(error) => write_error(error, location, &PutIf::Always),
        UploadError::InvalidPart { .. }
        | UploadError::InvalidPartOrder
        | UploadError::TooSmall { .. }
        | UploadError::TooLarge { .. }
        | UploadError::BadDigest => generic(error),
    }
}
