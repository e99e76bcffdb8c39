//! `GET /bucket/key?attributes`

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::call::Call;
use crate::s3::checksum;
use crate::s3::date;
use crate::s3::error::S3Error;
use crate::s3::headers;
use crate::s3::xml::Writer;
use crate::types::ObjectInfo;

const PARTS_MAX: usize = 1000;

/// Which attributes are asked for.
#[derive(Default)]
struct Wanted {
    etag: bool,
    checksum: bool,
    parts: bool,
    storage_class: bool,
    size: bool,
}

pub(crate) async fn respond(call: &Call<'_>, at: &ObjectName) -> Result<Response, S3Error> {
    call.authorize_version((Action::GetObject, Action::GetObjectVersion), at)?;
    call.authorize_version((Action::GetObjectAttributes, Action::GetObjectVersionAttributes), at)?;
    call.expect_null_version()?;
    let wanted = Wanted::parse(call)?;
    let limit = number(call, &headers::MAX_PARTS)?.unwrap_or(PARTS_MAX).min(PARTS_MAX);
    let after = number(call, &headers::PART_NUMBER_MARKER)?.unwrap_or(0);
    let object = call.core().head(at).await?;

    // The order of the elements is that of S3's schema.
    let mut writer = Writer::new("GetObjectAttributesResponse", 512);
    if wanted.etag {
        writer.element("ETag", &object.etag.0);
    }
    if let Some(checksum) = object.checksum.as_ref().filter(|_| wanted.checksum) {
        writer.open("Checksum");
        checksum::put_elements(&mut writer, checksum, object.parts.len());
        writer.close("Checksum");
    }
    if wanted.parts && !object.parts.is_empty() {
        parts(&mut writer, &object, after, limit);
    }
    if wanted.storage_class {
        writer.element("StorageClass", "STANDARD");
    }
    if wanted.size {
        writer.number("ObjectSize", object.size);
    }
    let mut response = writer.answer(StatusCode::OK);
    if let Ok(modified) = HeaderValue::try_from(date::http(object.modified)) {
        response.headers_mut().insert(header::LAST_MODIFIED, modified);
    }
    Ok(response)
}

impl Wanted {
    fn parse(call: &Call<'_>) -> Result<Self, S3Error> {
        let mut wanted = Self::default();
        let mut any = false;
        for value in call.headers().get_all(headers::ATTRIBUTES) {
            for name in value.to_str().unwrap_or("?").split(',').map(str::trim) {
                any = true;
                match name {
                    "ETag" => wanted.etag = true,
                    "Checksum" => wanted.checksum = true,
                    "ObjectParts" => wanted.parts = true,
                    "StorageClass" => wanted.storage_class = true,
                    "ObjectSize" => wanted.size = true,
                    other => {
                        return Err(S3Error::argument(
                            headers::ATTRIBUTES.as_str(),
                            other,
                            "Invalid attribute name specified.",
                        ));
                    }
                }
            }
        }
        if any { Ok(wanted) } else { Err(S3Error::request("The header x-amz-object-attributes is missing.")) }
    }
}

fn number(call: &Call<'_>, name: &http::HeaderName) -> Result<Option<usize>, S3Error> {
    let Some(text) = headers::text(call.headers(), name)? else { return Ok(None) };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(S3Error::argument(name.as_str(), text, format!("The header {name} is not a number."))),
    }
}

fn parts(writer: &mut Writer, object: &ObjectInfo, after: usize, limit: usize) {
    let rest = object.parts.iter().filter(|part| usize::from(part.number) > after);
    let page: Vec<_> = rest.clone().take(limit).collect();
    let more = rest.count() > page.len();
    let last = page.last().map_or(after, |part| usize::from(part.number));
    writer.open("ObjectParts").number("PartsCount", object.parts.len() as u64);
    writer.number("PartNumberMarker", after as u64).number("NextPartNumberMarker", last as u64);
    writer.number("MaxParts", limit as u64).flag("IsTruncated", more);
    for part in page {
        writer.open("Part").number("PartNumber", u64::from(part.number)).number("Size", part.size);
        if let Some(checksum) = &part.checksum {
            writer.element(checksum::element(checksum.algorithm), &checksum::text(checksum, 0));
        }
        writer.close("Part");
    }
    writer.close("ObjectParts");
}
