//! `GET /bucket?uploads`

use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::name::BucketName;
use crate::s3::bucket::acl;
use crate::s3::call::{Call, Encoding};
use crate::s3::checksum;
use crate::s3::error::S3Error;
use crate::s3::xml::{Writer, url_encode};
use crate::types::{UploadId, UploadInfo};

use super::list_parts::initiator;

const UPLOADS_MAX: usize = 1000;
/// Behind every key that begins as the text before it: the highest character there is.
const LAST: char = '\u{10ffff}';

#[derive(Default)]
struct Page {
    uploads: Vec<UploadInfo>,
    prefixes: Vec<String>,
    more: bool,
    /// Key and upload id that the next page begins after.
    next: (String, String),
}

pub(crate) async fn respond(call: &Call<'_>, bucket: &BucketName) -> Result<Response, S3Error> {
    call.authorize_listing(Action::ListBucketMultipartUploads, bucket)?;
    let encoding = call.url_encoding()?;
    let limit = call.query.count("max-uploads", UPLOADS_MAX)?;
    let text = |name| call.query.get(name).unwrap_or("");
    let (prefix, delimiter) = (text("prefix"), text("delimiter"));
    let (key_marker, id_marker) = (text("key-marker"), text("upload-id-marker"));
    let page = page(call, bucket, limit, (key_marker, id_marker)).await?;

    let mut writer = Writer::new("ListMultipartUploadsResult", 512 + 640 * page.uploads.len());
    let key = |writer: &mut Writer, name, key: &str| {
        match encoding {
            Encoding::Plain => writer.element(name, key),
            Encoding::Url => writer.element(name, &url_encode(key)),
        };
    };
    writer.element("Bucket", bucket.as_str());
    key(&mut writer, "KeyMarker", key_marker);
    writer.element("UploadIdMarker", id_marker);
    if page.more {
        key(&mut writer, "NextKeyMarker", &page.next.0);
        writer.element("NextUploadIdMarker", &page.next.1);
    }
    key(&mut writer, "Prefix", prefix);
    if !delimiter.is_empty() {
        key(&mut writer, "Delimiter", delimiter);
    }
    if encoding == Encoding::Url {
        writer.element("EncodingType", "url");
    }
    writer.number("MaxUploads", limit as u64).flag("IsTruncated", page.more);
    for upload in &page.uploads {
        writer.open("Upload");
        key(&mut writer, "Key", upload.key.as_str());
        writer.element("UploadId", &upload.upload.0);
        initiator(&mut writer);
        acl::owner(&mut writer);
        writer.element("StorageClass", "STANDARD").date("Initiated", upload.initiated);
        if let Some((algorithm, kind)) = upload.checksum {
            writer.element("ChecksumAlgorithm", checksum::name(algorithm));
            writer.element("ChecksumType", checksum::kind_name(kind));
        }
        writer.close("Upload");
    }
    for prefix in &page.prefixes {
        writer.open("CommonPrefixes");
        key(&mut writer, "Prefix", prefix);
        writer.close("CommonPrefixes");
    }
    Ok(writer.answer(StatusCode::OK))
}

/// Collects a page. Uploads whose keys share the text up to the delimiter become one prefix; the
/// core is then asked for what lies behind that prefix.
async fn page(
    call: &Call<'_>,
    bucket: &BucketName,
    limit: usize,
    marker: (&str, &str),
) -> Result<Page, S3Error> {
    let prefix = call.query.get("prefix").unwrap_or("");
    let delimiter = call.query.get("delimiter").unwrap_or("");
    let mut page = Page { next: (marker.0.to_owned(), marker.1.to_owned()), ..Page::default() };
    if limit == 0 {
        call.expect_bucket(bucket)?;
        return Ok(page);
    }
    let mut after = page.next.clone();
    loop {
        let room = limit - page.uploads.len() - page.prefixes.len();
        let id = UploadId(after.1.clone());
        let from = Some((after.0.as_str(), &id)).filter(|(key, _)| !key.is_empty());
        let (found, more) = call.core().list_uploads(bucket, prefix, from, room.max(1)).await?;
        page.more = more;
        if room == 0 {
            page.more = !found.is_empty();
            return Ok(page);
        }
        let mut rolled_up = None;
        for upload in found {
            if let Some(common) = common_prefix(upload.key.as_str(), prefix, delimiter) {
                rolled_up = Some(common.to_owned());
                break;
            }
            page.next = (upload.key.as_str().to_owned(), upload.upload.0.clone());
            page.uploads.push(upload);
        }
        after = match rolled_up {
            Some(common) => {
                let behind = format!("{common}{LAST}");
                page.prefixes.push(common);
                page.next = (behind, String::new());
                page.next.clone()
            }
            None if page.more && page.uploads.len() + page.prefixes.len() < limit => page.next.clone(),
            None => return Ok(page),
        };
    }
}

/// The text of `key` up to the first delimiter behind `prefix`, delimiter included.
fn common_prefix<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    let rest = key.strip_prefix(prefix).filter(|_| !delimiter.is_empty())?;
    let at = rest.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}
