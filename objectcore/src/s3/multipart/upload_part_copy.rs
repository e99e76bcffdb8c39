//! `PUT /bucket/key?uploadId&partNumber` with `x-amz-copy-source`

use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Response;
use futures::StreamExt as _;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::attributes;
use crate::s3::body::PUT_BYTES_MAX;
use crate::s3::call::Call;
use crate::s3::checksum::{self, Hasher};
use crate::s3::error::S3Error;
use crate::s3::headers;
use crate::s3::object::copy;
use crate::s3::range;
use crate::s3::xml::Writer;
use crate::types::{
    Body, BodyError, ChecksumAlgorithm, GetRange, ObjectBody, ObjectInfo, PutOptions, ReadError, UploadId,
};

pub(crate) async fn respond(
    call: &Call<'_>,
    at: &ObjectName,
    upload: &UploadId,
    number: u16,
) -> Result<Response, S3Error> {
    let from = copy::source(call)?;
    call.authorize_object(copy::to_read_source(call), &from)?;
    call.authorize_object(Action::PutObject, at)?;
    attributes::refuse_unsupported(call.headers())?;
    let asked = headers::text(call.headers(), &headers::COPY_SOURCE_RANGE)?;
    let asked = asked.map(range::parse_copy_source).transpose()?;
    let info = call.core().upload(at, upload).await?;
    let (object, source_if) = copy::look_at_source(call, &from).await?;
    let range = copied_range(asked, &object)?;
    let (core, _held) = call.core().admit_copy(at, object.size).await?;
    let source = core.get(&from, range).await?;
    if source_if.is_some_and(|etag| etag != source.info.etag) {
        return Err(S3Error::precondition("x-amz-copy-source-If-Match"));
    }
    let size = source.range.end - source.range.start;
    if size > PUT_BYTES_MAX {
        return Err(S3Error::too_large(PUT_BYTES_MAX));
    }
    let keep = info.checksum.map_or(checksum::DEFAULT, |(algorithm, _)| algorithm);
    let (body, failure) = pass_on(source, keep);
    let options = PutOptions { size: Some(size), ..PutOptions::default() };
    let part = core.put_part(at, upload, number, body, options).await.map_err(|error| {
        match failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) => failure.into(),
            None => S3Error::from(error),
        }
    })?;

    let mut writer = Writer::new("CopyPartResult", 320);
    writer.date("LastModified", part.modified).etag(&part.etag);
    if let Some(checksum) = &part.checksum {
        writer.element(checksum::element(checksum.algorithm), &checksum::text(checksum, 0));
    }
    Ok(writer.answer(StatusCode::OK))
}

/// A range must lie in the source: a part that is shorter than asked would go unnoticed.
fn copied_range(asked: Option<(u64, u64)>, source: &ObjectInfo) -> Result<Option<GetRange>, S3Error> {
    match asked {
        None => Ok(None),
        Some((first, last)) if last < source.size => Ok(Some(GetRange::Bounded(first, last))),
        Some((first, last)) => Err(S3Error::argument(
            headers::COPY_SOURCE_RANGE.as_str(),
            &format!("bytes={first}-{last}"),
            format!("Range specified is not valid for source object of size: {}", source.size),
        )),
    }
}

type Failure = Arc<Mutex<Option<ReadError>>>;

/// The bytes read become a body to write. A failed read ends the write and is kept aside: it is
/// not the client's body that is at fault.
fn pass_on(source: ObjectBody, keep: ChecksumAlgorithm) -> (Body, Failure) {
    let failure = Failure::default();
    let failed = Arc::clone(&failure);
    let hasher = Arc::new(Mutex::new(Hasher::new(keep)));
    let hashing = Arc::clone(&hasher);
    let chunks = source.chunks.map(move |chunk| match chunk {
        Ok(bytes) => {
            hashing.lock().unwrap_or_else(PoisonError::into_inner).update(&bytes);
            Ok(bytes)
        }
        Err(error) => {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            Err(BodyError::Incomplete)
        }
    });
    let seal = move || {
        let unused = Hasher::new(checksum::DEFAULT);
        let hasher = std::mem::replace(&mut *hasher.lock().unwrap_or_else(PoisonError::into_inner), unused);
        Ok(Some(hasher.finish()))
    };
    (Body { chunks: Box::pin(chunks), seal: Box::new(seal) }, failure)
}
