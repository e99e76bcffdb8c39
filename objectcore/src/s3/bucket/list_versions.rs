//! `GET /bucket?versions`: every object is its own latest version, `null`.

use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::name::BucketName;
use crate::s3::call::Call;
use crate::s3::error::S3Error;
use crate::s3::xml::Writer;

use super::acl;
use super::list::{Wanted, entry};

pub(crate) async fn respond(call: &Call<'_>, bucket: &BucketName) -> Result<Response, S3Error> {
    call.authorize_listing(Action::ListBucketVersions, bucket)?;
    let wanted = Wanted::parse(call)?;
    let key_marker = call.query.get("key-marker").unwrap_or("");
    let version_marker = call.query.get("version-id-marker").unwrap_or("");
    if key_marker.is_empty() && !version_marker.is_empty() {
        return Err(S3Error::argument(
            "version-id-marker",
            version_marker,
            "A version-id marker cannot be specified without a key marker.",
        ));
    }
    let after = Some(key_marker.to_owned()).filter(|marker| !marker.is_empty());
    let page = wanted.page(call, bucket, after).await?;

    let entries = page.objects.len() + page.common_prefixes.len();
    let mut writer = Writer::new("ListVersionsResult", 512 + 640 * entries);
    wanted.head(&mut writer, call.name_of(bucket), page.next_start_after.is_some());
    wanted.key(&mut writer, "KeyMarker", key_marker);
    writer.element("VersionIdMarker", version_marker);
    if let Some(next) = &page.next_start_after {
        wanted.key(&mut writer, "NextKeyMarker", next);
        writer.element("NextVersionIdMarker", "null");
    }
    for object in &page.objects {
        writer.open("Version");
        wanted.key(&mut writer, "Key", object.key.as_str());
        writer.element("VersionId", "null").flag("IsLatest", true);
        entry(&mut writer, object);
        acl::owner(&mut writer);
        writer.close("Version");
    }
    wanted.common_prefixes(&mut writer, &page);
    Ok(writer.answer(StatusCode::OK))
}
