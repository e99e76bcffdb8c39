//! `DELETE /bucket`

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::name::BucketName;
use crate::s3::call::Call;
use crate::s3::error::S3Error;

pub(crate) async fn respond(call: &Call<'_>, bucket: &BucketName) -> Result<Response, S3Error> {
    call.authorize_bucket(Action::BucketManage, bucket)?;
    call.core().delete_bucket(bucket).await?;
    Ok(no_content())
}

/// 204
pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
