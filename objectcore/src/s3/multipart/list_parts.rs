//! `GET /bucket/key?uploadId`

use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::bucket::acl;
use crate::s3::call::{Call, Encoding, OWNER_ID, OWNER_NAME};
use crate::s3::checksum;
use crate::s3::error::S3Error;
use crate::s3::xml::{Writer, url_encode};
use crate::types::UploadId;

const PARTS_MAX: usize = 1000;

pub(crate) async fn respond(
    call: &Call<'_>,
    at: &ObjectName,
    upload: &UploadId,
) -> Result<Response, S3Error> {
    call.authorize_object(Action::ListMultipartUploadParts, at)?;
    let limit = call.query.count("max-parts", PARTS_MAX)?;
    let after = match call.query.get("part-number-marker") {
        None | Some("") => 0,
        Some(_) => u16::try_from(call.query.count("part-number-marker", 10_000)?).unwrap_or(10_000),
    };
    let encoding = call.url_encoding()?;
    let (info, parts, more) = call.core().list_parts(at, upload, after, limit).await?;

    let mut writer = Writer::new("ListPartsResult", 512 + 256 * parts.len());
    writer.element("Bucket", at.bucket.as_str());
    match encoding {
        Encoding::Plain => writer.element("Key", at.key.as_str()),
        Encoding::Url => writer.element("EncodingType", "url").element("Key", &url_encode(at.key.as_str())),
    };
    writer.element("UploadId", &upload.0);
    initiator(&mut writer);
    acl::owner(&mut writer);
    writer.element("StorageClass", "STANDARD");
    if let Some((algorithm, kind)) = info.checksum {
        writer.element("ChecksumAlgorithm", checksum::name(algorithm));
        writer.element("ChecksumType", checksum::kind_name(kind));
    }
    let last = parts.last().map_or(after, |part| part.number);
    writer.number("PartNumberMarker", u64::from(after)).number("NextPartNumberMarker", u64::from(last));
    writer.number("MaxParts", limit as u64).flag("IsTruncated", more);
    for part in &parts {
        writer.open("Part").number("PartNumber", u64::from(part.number));
        writer.date("LastModified", part.modified).etag(&part.etag).number("Size", part.size);
        if let Some(checksum) = &part.checksum {
            writer.element(checksum::element(checksum.algorithm), &checksum::text(checksum, 0));
        }
        writer.close("Part");
    }
    Ok(writer.answer(StatusCode::OK))
}

/// `<Initiator>`
pub(super) fn initiator(writer: &mut Writer) {
    writer.open("Initiator").element("ID", OWNER_ID).element("DisplayName", OWNER_NAME).close("Initiator");
}
