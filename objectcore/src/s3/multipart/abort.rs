//! `DELETE /bucket/key?uploadId`

use axum::response::Response;
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::bucket::delete::no_content;
use crate::s3::call::Call;
use crate::s3::error::S3Error;
use crate::types::UploadId;

pub(crate) async fn respond(
    call: &Call<'_>,
    at: &ObjectName,
    upload: &UploadId,
) -> Result<Response, S3Error> {
    call.authorize_object(Action::AbortMultipartUpload, at)?;
    call.core().abort_upload(at, upload).await?;
    Ok(no_content())
}
