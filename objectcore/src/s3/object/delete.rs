//! `DELETE /bucket/key`

use axum::response::Response;
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::bucket::delete::no_content;
use crate::s3::call::Call;
use crate::s3::condition;
use crate::s3::error::S3Error;

pub(crate) async fn respond(call: &Call<'_>, at: &ObjectName) -> Result<Response, S3Error> {
    call.authorize_version((Action::DeleteObject, Action::DeleteObjectVersion), at)?;
    call.expect_null_version()?;
    for name in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
        if call.headers().contains_key(name) {
            return Err(S3Error::not_implemented(
                "Conditions on size and time are those of directory buckets.",
            ));
        }
    }
    if call.headers().contains_key(http::header::IF_NONE_MATCH) {
        return Err(S3Error::not_implemented("If-None-Match makes no sense on a delete."));
    }
    call.core().delete(at, condition::put_if(call.headers())?).await?;
    Ok(no_content())
}
