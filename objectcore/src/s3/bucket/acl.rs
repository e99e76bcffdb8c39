//! Access control lists: what is written is what is so, the owner may do everything.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::name::BucketName;
use crate::s3::attributes;
use crate::s3::body;
use crate::s3::call::{Call, OWNER_ID, OWNER_NAME};
use crate::s3::error::S3Error;
use crate::s3::headers;
use crate::s3::xml::Writer;

const ACL_BYTES_MAX: usize = 1 << 20;

/// `PUT /bucket?acl`: only the canned ACLs that change nothing.
pub(crate) async fn put(call: &Call<'_>, bucket: &BucketName, body: Body) -> Result<Response, S3Error> {
    call.authorize_bucket(Action::PutBucketAcl, bucket)?;
    call.expect_bucket(bucket)?;
    accept_canned(call, body).await?;
    Ok(Response::new(Body::empty()))
}

/// Accepts a canned ACL that says what is so; refuses every other ACL.
pub(crate) async fn accept_canned(call: &Call<'_>, body: Body) -> Result<(), S3Error> {
    attributes::refuse_unsupported(call.headers())?;
    let document = body::collect(call.headers(), body, ACL_BYTES_MAX).await?;
    if !document.is_empty() || !call.headers().contains_key(headers::ACL) {
        return Err(attributes::acl_not_supported());
    }
    Ok(())
}

/// The one ACL there is.
pub(crate) fn document() -> Response {
    let mut writer = Writer::new("AccessControlPolicy", 512);
    owner(&mut writer);
    writer.open("AccessControlList").open("Grant");
    writer.open("Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"");
    writer.element("ID", OWNER_ID).element("DisplayName", OWNER_NAME).close("Grantee");
    writer.element("Permission", "FULL_CONTROL").close("Grant").close("AccessControlList");
    writer.answer(StatusCode::OK)
}

/// `<Owner>`
pub(crate) fn owner(writer: &mut Writer) {
    writer.open("Owner").element("ID", OWNER_ID).element("DisplayName", OWNER_NAME).close("Owner");
}
