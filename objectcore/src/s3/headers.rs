//! Names of headers that only S3 has, and reading headers as text.

use http::{HeaderMap, HeaderName};

use super::error::S3Error;

macro_rules! names {
    ($($constant:ident $name:literal),+ $(,)?) => {
        $(#[doc = concat!("`", $name, "`")] pub(crate) const $constant: HeaderName = HeaderName::from_static($name);)+
    };
}

// A macro, because twenty-odd constants differ in nothing but their names.
names! {
    ACL "x-amz-acl",
    ATTRIBUTES "x-amz-object-attributes",
    BUCKET_REGION "x-amz-bucket-region",
    CHECKSUM_ALGORITHM "x-amz-checksum-algorithm",
    CHECKSUM_MODE "x-amz-checksum-mode",
    CHECKSUM_TYPE "x-amz-checksum-type",
    CONTENT_MD5 "content-md5",
    COPY_SOURCE "x-amz-copy-source",
    COPY_SOURCE_IF_MATCH "x-amz-copy-source-if-match",
    COPY_SOURCE_IF_MODIFIED_SINCE "x-amz-copy-source-if-modified-since",
    COPY_SOURCE_IF_NONE_MATCH "x-amz-copy-source-if-none-match",
    COPY_SOURCE_IF_UNMODIFIED_SINCE "x-amz-copy-source-if-unmodified-since",
    COPY_SOURCE_RANGE "x-amz-copy-source-range",
    DECODED_LENGTH "x-amz-decoded-content-length",
    EXPECTED_OWNER "x-amz-expected-bucket-owner",
    MAX_PARTS "x-amz-max-parts",
    METADATA_DIRECTIVE "x-amz-metadata-directive",
    MP_OBJECT_SIZE "x-amz-mp-object-size",
    OBJECT_OWNERSHIP "x-amz-object-ownership",
    PARTS_COUNT "x-amz-mp-parts-count",
    PART_NUMBER_MARKER "x-amz-part-number-marker",
    SDK_CHECKSUM_ALGORITHM "x-amz-sdk-checksum-algorithm",
    TAGGING "x-amz-tagging",
    TAGGING_COUNT "x-amz-tagging-count",
    TAGGING_DIRECTIVE "x-amz-tagging-directive",
    TRAILER "x-amz-trailer",
}

/// The value of a header as UTF-8 text; one that is not UTF-8 is refused.
pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, S3Error> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(S3Error::argument(name.as_str(), "", format!("The header {name} is not UTF-8."))),
    }
}
