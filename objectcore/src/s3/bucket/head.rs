//! `HEAD /bucket`

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use tarn_openapi::access::Action;

use crate::name::BucketName;
use crate::s3::call::Call;
use crate::s3::error::S3Error;
use crate::s3::headers;

pub(crate) fn respond(call: &Call<'_>, bucket: &BucketName) -> Result<Response, S3Error> {
    call.authorize_bucket(Action::ListBucket, bucket)?;
    call.expect_bucket(bucket)?;
    let mut response = Response::new(Body::empty());
    if let Ok(region) = HeaderValue::from_str(call.region()) {
        response.headers_mut().insert(headers::BUCKET_REGION, region);
    }
    Ok(response)
}
