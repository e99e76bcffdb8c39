//! `DELETE /bucket`
//!
//! The core keeps a bucket that holds uploads. S3 does not: unfinished uploads end with their bucket, and so do the
//! definitions of its inventories. Its metadata tables stay: what changed last is still to be written to them.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::name::{BucketName, ObjectName};
use crate::s3::call::Call;
use crate::s3::error::{Code, S3Error};
use crate::types::{BucketError, ListOptions, UploadError};

use super::inventory;

/// How many uploads are aborted between two looks.
const UPLOADS_MAX: usize = 1000;

pub(crate) async fn respond(call: &Call<'_>, bucket: &BucketName) -> Result<Response, S3Error> {
    call.authorize_bucket(Action::DeleteBucket, bucket)?;
    if let Some(why) = call.holds(bucket) {
        return Err(S3Error::new(Code::BucketNotEmpty, why));
    }
    match call.core().delete_bucket(bucket).await {
        Err(BucketError::NotEmpty) if holds_no_object(call, bucket).await? => {
            abort_uploads(call, bucket).await?;
            call.core().delete_bucket(bucket).await?;
        }
        deleted => deleted?,
    }
    inventory::forget(call, bucket).await?;
    Ok(no_content())
}

async fn holds_no_object(call: &Call<'_>, bucket: &BucketName) -> Result<bool, S3Error> {
    let first = ListOptions { limit: 1, ..ListOptions::default() };
    Ok(call.core().list(bucket, &first).await?.objects.is_empty())
}

async fn abort_uploads(call: &Call<'_>, bucket: &BucketName) -> Result<(), S3Error> {
    loop {
        let (uploads, more) = call.core().list_uploads(bucket, "", None, UPLOADS_MAX).await?;
        for upload in uploads {
            let at = ObjectName { bucket: bucket.clone(), key: upload.key };
            match call.core().abort_upload(&at, &upload.upload).await {
                // Someone else ended it meanwhile.
                Ok(()) | Err(UploadError::NoSuchUpload) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !more {
            return Ok(());
        }
    }
}

/// 204
pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
