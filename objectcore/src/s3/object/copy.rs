//! `PUT /bucket/key` with `x-amz-copy-source`

use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::attributes;
use crate::s3::body::PUT_BYTES_MAX;
use crate::s3::call::Call;
use crate::s3::checksum;
use crate::s3::condition::{self, Conditions, Verdict};
use crate::s3::error::{Code, S3Error};
use crate::s3::headers;
use crate::s3::query;
use crate::s3::target;
use crate::s3::xml::Writer;
use crate::types::{Attributes, ChecksumAlgorithm, CopyOptions, ETag, ObjectInfo, WriteError};

use super::tagging;

pub(crate) async fn respond(call: &Call<'_>, to: &ObjectName) -> Result<Response, S3Error> {
    let from = source(call)?;
    call.authorize_object(to_read_source(call), &from)?;
    call.authorize_object(Action::PutObject, to)?;
    attributes::refuse_unsupported(call.headers())?;
    let attributes = replaced_attributes(call)?;
    let new_tags = tagging::replaced(call, to)?;
    let checksum = wanted_checksum(call)?;
    if from == *to && attributes.is_none() && new_tags.is_none() && checksum.is_none() {
        return Err(S3Error::request(
            "This copy request is illegal because it is trying to copy an object to itself without changing \
             the object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    let when = condition::put_if(call.headers())?;
    let (object, source_if) = look_at_source(call, &from).await?;
    if object.size > PUT_BYTES_MAX {
        return Err(S3Error::request(format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {PUT_BYTES_MAX}"
        )));
    }
    let tags = match new_tags {
        Some(tags) => Some(tags),
        None => tagging::copied(call, (&from, &object), to)?,
    };
    let conditional = source_if.is_some();
    let options = CopyOptions { when: when.clone(), attributes, tags, checksum };
    let written = call.core().copy(&from, source_if, to, options).await.map_err(|error| match error {
        // The source changed after its condition was found to hold.
        WriteError::Precondition { .. } if conditional && when == crate::types::PutIf::Always => {
            S3Error::precondition("x-amz-copy-source-If-Match")
        }
        error => error.into(),
    })?;

    let mut writer = Writer::new("CopyObjectResult", 320);
    writer.date("LastModified", written.modified).etag(&written.etag);
    if let Some(checksum) = &written.checksum {
        checksum::put_elements(&mut writer, checksum, 0);
    }
    Ok(writer.answer(StatusCode::OK))
}

/// Reads `x-amz-copy-source`: `[/]bucket/key[?versionId=null]`, URL-encoded.
pub(crate) fn source(call: &Call<'_>) -> Result<ObjectName, S3Error> {
    let header = headers::text(call.headers(), &headers::COPY_SOURCE)?.unwrap_or("");
    parse_source(header)
}

/// What one must be allowed to read the source: naming a version of it is a right of its own.
pub(crate) fn to_read_source(call: &Call<'_>) -> Action {
    let header = call.headers().get(headers::COPY_SOURCE).map_or(&b""[..], |value| value.as_bytes());
    let names_version = header.windows(11).position(|window| window == b"?versionId=");
    match names_version {
        Some(at) if at + 11 < header.len() => Action::GetObjectVersion,
        Some(_) | None => Action::GetObject,
    }
}

fn parse_source(header: &str) -> Result<ObjectName, S3Error> {
    let invalid = || {
        S3Error::argument(
            "x-amz-copy-source",
            header,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )
    };
    let (path, version) = match header.rsplit_once("?versionId=") {
        Some((path, version)) => (path, Some(version)),
        None => (header, None),
    };
    let path = query::decode(path).map_err(|_| invalid())?;
    let (bucket, key) = path.strip_prefix('/').unwrap_or(&path).split_once('/').ok_or_else(invalid)?;
    let bucket = target::bucket_name(bucket)?;
    let key = if key.is_empty() { return Err(invalid()) } else { target::object_key(key)? };
    match version {
        None | Some("null" | "") => Ok(ObjectName { bucket, key }),
        Some(_) => Err(S3Error::no_such_version()),
    }
}

/// The source as it is, and the tag that the copy must find where the request has conditions on it.
pub(crate) async fn look_at_source(
    call: &Call<'_>,
    from: &ObjectName,
) -> Result<(ObjectInfo, Option<ETag>), S3Error> {
    let conditions = Conditions::parse_copy_source(call.headers())?;
    let object = call.core().head(from).await?;
    match conditions.evaluate(&object) {
        Verdict::Holds => {}
        Verdict::NotModified => return Err(S3Error::precondition("x-amz-copy-source-If-None-Match")),
        Verdict::Fails(_) => return Err(S3Error::precondition("x-amz-copy-source-If-Match")),
    }
    let source_if = conditions.any().then(|| object.etag.clone());
    Ok((object, source_if))
}

/// What the copy carries, where the request says so (`x-amz-metadata-directive: REPLACE`).
fn replaced_attributes(call: &Call<'_>) -> Result<Option<Attributes>, S3Error> {
    match headers::text(call.headers(), &headers::METADATA_DIRECTIVE)? {
        None | Some("COPY" | "") => Ok(None),
        Some("REPLACE") => Ok(Some(attributes::parse(call.headers())?)),
        Some(other) => {
            Err(S3Error::argument(headers::METADATA_DIRECTIVE.as_str(), other, "Unknown metadata directive."))
        }
    }
}

fn wanted_checksum(call: &Call<'_>) -> Result<Option<ChecksumAlgorithm>, S3Error> {
    let Some(text) = headers::text(call.headers(), &headers::CHECKSUM_ALGORITHM)? else { return Ok(None) };
    match checksum::parse_name(text) {
        Some(algorithm) => Ok(Some(algorithm)),
        None => Err(S3Error::new(
            Code::InvalidRequest,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, \
             CRC32C, CRC64NVME, SHA1, SHA256]",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_bucket_and_an_encoded_key() {
        let parse = |header| {
            parse_source(header)
                .map(|name| format!("{} {}", name.bucket, name.key))
                .map_err(|error| error.code)
        };
        assert_eq!(parse("/abc/a/b"), Ok("abc a/b".into()));
        assert_eq!(parse("abc/a%20b%2Bc+d"), Ok("abc a b+c+d".into()));
        assert_eq!(parse("abc%2Fk"), Ok("abc k".into()));
        assert_eq!(parse("abc//k"), Ok("abc /k".into()));
        assert_eq!(parse("abc/k?versionId=null"), Ok("abc k".into()));
        assert_eq!(parse("abc/k%3FversionId=x"), Ok("abc k?versionId=x".into()));
        assert_eq!(parse("abc/k?versionId=x"), Err(Code::NoSuchVersion));
        for bad in ["", "/", "abc", "/abc", "abc/", "abc/%ff", "abc/%2"] {
            assert_eq!(parse(bad), Err(Code::InvalidArgument), "{bad}");
        }
        assert_eq!(parse(".tarn/k"), Err(Code::InvalidBucketName));
    }
}
