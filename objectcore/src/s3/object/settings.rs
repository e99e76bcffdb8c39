//! Settings of objects that clients read: ACL, retention, legal hold. Tarn keeps none of them.

use axum::body::Body;
use axum::response::Response;
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::bucket::acl as bucket_acl;
use crate::s3::call::Call;
use crate::s3::error::{Code, S3Error};

/// `GET ?acl`
pub(crate) async fn acl(call: &Call<'_>, at: &ObjectName) -> Result<Response, S3Error> {
    expect_object(call, at, Action::GetObjectAcl).await?;
    Ok(bucket_acl::document())
}

/// `PUT ?acl`
pub(crate) async fn put_acl(call: &Call<'_>, at: &ObjectName, body: Body) -> Result<Response, S3Error> {
    expect_object(call, at, Action::PutObjectAcl).await?;
    bucket_acl::accept_canned(call, body).await?;
    Ok(Response::new(Body::empty()))
}

/// `GET ?retention` and `GET ?legal-hold`
pub(crate) async fn lock(call: &Call<'_>, at: &ObjectName) -> Result<Response, S3Error> {
    let lock =
        if call.query.has("retention") { Action::GetObjectRetention } else { Action::GetObjectLegalHold };
    expect_object(call, at, lock).await?;
    Err(S3Error::new(
        Code::NoSuchObjectLockConfiguration,
        "The specified object does not have a ObjectLock configuration",
    ))
}

async fn expect_object(call: &Call<'_>, at: &ObjectName, action: Action) -> Result<(), S3Error> {
    call.authorize_object(action, at)?;
    call.expect_null_version()?;
    call.core().head(at).await?;
    Ok(())
}
