//! `GET /bucket` and `GET /bucket?list-type=2`

use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::Action;
use tarn_openapi::page;

use crate::name::BucketName;
use crate::s3::call::{Call, Encoding};
use crate::s3::checksum;
use crate::s3::error::S3Error;
use crate::s3::xml::{Writer, url_encode};
use crate::types::{ListOptions, ListPage, ObjectInfo};

use super::acl;

/// The most entries of a page.
pub(super) const KEYS_MAX: usize = 1000;
/// A guess of the bytes of an entry, beside its key.
const ENTRY_BYTES: usize = 320;

/// Whether entries tell their owner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Shown,
    Hidden,
}

/// What both versions of the operation, and the listing of versions, ask for.
pub(super) struct Wanted<'q> {
    pub(super) prefix: &'q str,
    pub(super) delimiter: Option<&'q str>,
    pub(super) limit: usize,
    pub(super) encoding: Encoding,
}

impl<'q> Wanted<'q> {
    pub(super) fn parse(call: &'q Call<'_>) -> Result<Self, S3Error> {
        Ok(Self {
            prefix: call.query.get("prefix").unwrap_or(""),
            delimiter: call.query.get("delimiter").filter(|delimiter| !delimiter.is_empty()),
            limit: call.query.count("max-keys", KEYS_MAX)?,
            encoding: call.url_encoding()?,
        })
    }

    /// The page after `after`. No entry is asked for: none is looked for.
    pub(super) async fn page(
        &self,
        call: &Call<'_>,
        bucket: &BucketName,
        after: Option<String>,
    ) -> Result<ListPage, S3Error> {
        if self.limit == 0 {
            call.expect_bucket(bucket)?;
            return Ok(ListPage::default());
        }
        let options = ListOptions {
            prefix: self.prefix.to_owned(),
            start_after: after,
            delimiter: self.delimiter.map(str::to_owned),
            limit: self.limit,
        };
        Ok(call.core().list(bucket, &options).await?)
    }

    /// An element whose text is a key or part of one.
    pub(super) fn key(&self, writer: &mut Writer, name: &str, key: &str) {
        match self.encoding {
            Encoding::Plain => writer.element(name, key),
            Encoding::Url => writer.element(name, &url_encode(key)),
        };
    }

    pub(super) fn head(&self, writer: &mut Writer, bucket: &str, more: bool) {
        writer.element("Name", bucket);
        self.key(writer, "Prefix", self.prefix);
        writer.number("MaxKeys", self.limit as u64);
        if let Some(delimiter) = self.delimiter {
            self.key(writer, "Delimiter", delimiter);
        }
        if self.encoding == Encoding::Url {
            writer.element("EncodingType", "url");
        }
        writer.flag("IsTruncated", more);
    }

    pub(super) fn common_prefixes(&self, writer: &mut Writer, page: &ListPage) {
        for prefix in &page.common_prefixes {
            writer.open("CommonPrefixes");
            self.key(writer, "Prefix", prefix);
            writer.close("CommonPrefixes");
        }
    }

    fn contents(&self, writer: &mut Writer, page: &ListPage, owner: Owner) {
        for object in &page.objects {
            writer.open("Contents");
            self.key(writer, "Key", object.key.as_str());
            entry(writer, object);
            if owner == Owner::Shown {
                acl::owner(writer);
            }
            writer.close("Contents");
        }
    }
}

/// What an entry tells beside its key and owner.
pub(super) fn entry(writer: &mut Writer, object: &ObjectInfo) {
    writer.date("LastModified", object.modified).etag(&object.etag);
    if let Some(kept) = &object.checksum {
        writer.element("ChecksumAlgorithm", checksum::name(kept.algorithm));
        writer.element("ChecksumType", checksum::kind_name(kept.kind));
    }
    writer.number("Size", object.size).element("StorageClass", "STANDARD");
}

/// `ListObjectsV2`
pub(crate) async fn respond_v2(call: &Call<'_>, bucket: &BucketName) -> Result<Response, S3Error> {
    call.authorize_listing(Action::ListBucket, bucket)?;
    let wanted = Wanted::parse(call)?;
    let start_after = call.query.get("start-after").filter(|text| !text.is_empty());
    let token = call.query.get("continuation-token");
    let owner = match call.query.get("fetch-owner") {
        Some("true") => Owner::Shown,
        Some(_) | None => Owner::Hidden,
    };
    let after = match token.filter(|token| !token.is_empty()) {
        Some(token) => Some(page::decode(token).map_err(|_| {
            S3Error::argument("continuation-token", token, "The continuation token provided is incorrect")
        })?),
        None => start_after.map(str::to_owned),
    };
    let page = wanted.page(call, bucket, after).await?;

    let entries = page.objects.len() + page.common_prefixes.len();
    let mut writer = Writer::new("ListBucketResult", 512 + ENTRY_BYTES * entries);
    wanted.head(&mut writer, call.name_of(bucket), page.next_start_after.is_some());
    writer.number("KeyCount", entries as u64);
    if let Some(token) = token {
        writer.element("ContinuationToken", token);
    }
    if let Some(next) = &page.next_start_after {
        writer.element("NextContinuationToken", &page::encode(next));
    }
    if let Some(start_after) = start_after {
        wanted.key(&mut writer, "StartAfter", start_after);
    }
    wanted.contents(&mut writer, &page, owner);
    wanted.common_prefixes(&mut writer, &page);
    Ok(writer.answer(StatusCode::OK))
}

/// `ListObjects`
pub(crate) async fn respond_v1(call: &Call<'_>, bucket: &BucketName) -> Result<Response, S3Error> {
    call.authorize_listing(Action::ListBucket, bucket)?;
    let wanted = Wanted::parse(call)?;
    let marker = call.query.get("marker").unwrap_or("");
    let after = Some(marker.to_owned()).filter(|marker| !marker.is_empty());
    let page = wanted.page(call, bucket, after).await?;

    let entries = page.objects.len() + page.common_prefixes.len();
    let mut writer = Writer::new("ListBucketResult", 512 + 2 * ENTRY_BYTES * entries);
    wanted.head(&mut writer, call.name_of(bucket), page.next_start_after.is_some());
    wanted.key(&mut writer, "Marker", marker);
    // S3 tells the next marker only beside a delimiter: without one it is the last key.
    if let Some(next) = page.next_start_after.as_deref().filter(|_| wanted.delimiter.is_some()) {
        wanted.key(&mut writer, "NextMarker", next);
    }
    wanted.contents(&mut writer, &page, Owner::Shown);
    wanted.common_prefixes(&mut writer, &page);
    Ok(writer.answer(StatusCode::OK))
}
