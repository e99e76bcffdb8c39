//! Settings of buckets that clients read: each is answered with what is so. Tarn keeps none of them, so
//! what may be absent in S3 is answered as absent, with S3's own code.

use axum::response::Response;
use http::StatusCode;
use tarn_openapi::access::Action;

use crate::name::BucketName;
use crate::s3::call::Call;
use crate::s3::error::{Code, S3Error};
use crate::s3::operation::Setting;
use crate::s3::xml::Writer;

use super::{acl, delete};

/// `GET /bucket?setting`
pub(crate) fn read(call: &Call<'_>, bucket: &BucketName, setting: Setting) -> Result<Response, S3Error> {
    call.authorize_bucket(to_read(setting), bucket)?;
    call.expect_bucket(bucket)?;
    let absent = |code, message| Err(S3Error::new(code, message).with("BucketName", bucket.as_str()));
    match setting {
        Setting::Acl => Ok(acl::document()),
        Setting::Location => Ok(location(call.region())),
        Setting::Versioning => Ok(empty("VersioningConfiguration")),
        Setting::Notification => Ok(empty("NotificationConfiguration")),
        Setting::Logging => Ok(empty("BucketLoggingStatus")),
        Setting::Accelerate => Ok(empty("AccelerateConfiguration")),
        Setting::RequestPayment => Ok(one("RequestPaymentConfiguration", |writer| {
            writer.element("Payer", "BucketOwner");
        })),
        Setting::OwnershipControls => Ok(one("OwnershipControls", |writer| {
            writer.open("Rule").element("ObjectOwnership", "BucketOwnerEnforced").close("Rule");
        })),
        Setting::Policy | Setting::PolicyStatus => {
            absent(Code::NoSuchBucketPolicy, "The bucket policy does not exist")
        }
        Setting::Lifecycle => {
            absent(Code::NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist")
        }
        Setting::Tagging => absent(Code::NoSuchTagSet, "The TagSet does not exist"),
        Setting::Encryption => absent(
            Code::ServerSideEncryptionConfigurationNotFoundError,
            "The server side encryption configuration was not found",
        ),
        Setting::Cors => absent(Code::NoSuchCORSConfiguration, "The CORS configuration does not exist"),
        Setting::ObjectLock => absent(
            Code::ObjectLockConfigurationNotFoundError,
            "Object Lock configuration does not exist for this bucket",
        ),
        Setting::Website => absent(
            Code::NoSuchWebsiteConfiguration,
            "The specified bucket does not have a website configuration",
        ),
        Setting::Replication => {
            absent(Code::ReplicationConfigurationNotFoundError, "The replication configuration was not found")
        }
        Setting::PublicAccessBlock => absent(
            Code::NoSuchPublicAccessBlockConfiguration,
            "The public access block configuration was not found",
        ),
        Setting::Analytics => configurations(call, "ListBucketAnalyticsConfigurationResult"),
        Setting::IntelligentTiering => {
            configurations(call, "ListBucketIntelligentTieringConfigurationsOutput")
        }
        Setting::Metrics => configurations(call, "ListMetricsConfigurationsResult"),
    }
}

/// `DELETE /bucket?setting`: there is nothing, so nothing is what it leaves.
pub(crate) fn clear(call: &Call<'_>, bucket: &BucketName, setting: Setting) -> Result<Response, S3Error> {
    call.authorize_bucket(to_clear(setting), bucket)?;
    call.expect_bucket(bucket)?;
    Ok(delete::no_content())
}

/// What one must be allowed to read a setting.
fn to_read(setting: Setting) -> Action {
    match setting {
        Setting::Accelerate => Action::GetAccelerateConfiguration,
        Setting::Acl => Action::GetBucketAcl,
        Setting::Analytics => Action::GetAnalyticsConfiguration,
        Setting::Cors => Action::GetBucketCors,
        Setting::Encryption => Action::GetEncryptionConfiguration,
        Setting::IntelligentTiering => Action::GetIntelligentTieringConfiguration,
        Setting::Lifecycle => Action::GetLifecycleConfiguration,
        Setting::Location => Action::GetBucketLocation,
        Setting::Logging => Action::GetBucketLogging,
        Setting::Metrics => Action::GetMetricsConfiguration,
        Setting::Notification => Action::GetBucketNotification,
        Setting::ObjectLock => Action::GetBucketObjectLockConfiguration,
        Setting::OwnershipControls => Action::GetBucketOwnershipControls,
        Setting::Policy => Action::GetBucketPolicy,
        Setting::PolicyStatus => Action::GetBucketPolicyStatus,
        Setting::PublicAccessBlock => Action::GetBucketPublicAccessBlock,
        Setting::Replication => Action::GetReplicationConfiguration,
        Setting::RequestPayment => Action::GetBucketRequestPayment,
        Setting::Tagging => Action::GetBucketTagging,
        Setting::Versioning => Action::GetBucketVersioning,
        Setting::Website => Action::GetBucketWebsite,
    }
}

/// What one must be allowed to clear a setting: mostly to write it.
fn to_clear(setting: Setting) -> Action {
    match setting {
        Setting::Accelerate => Action::PutAccelerateConfiguration,
        Setting::Acl => Action::PutBucketAcl,
        Setting::Analytics => Action::PutAnalyticsConfiguration,
        Setting::Cors => Action::PutBucketCors,
        Setting::Encryption => Action::PutEncryptionConfiguration,
        Setting::IntelligentTiering => Action::PutIntelligentTieringConfiguration,
        Setting::Lifecycle => Action::PutLifecycleConfiguration,
        Setting::Location => Action::DeleteBucket,
        Setting::Logging => Action::PutBucketLogging,
        Setting::Metrics => Action::PutMetricsConfiguration,
        Setting::Notification => Action::PutBucketNotification,
        Setting::ObjectLock => Action::PutBucketObjectLockConfiguration,
        Setting::OwnershipControls => Action::PutBucketOwnershipControls,
        Setting::Policy | Setting::PolicyStatus => Action::DeleteBucketPolicy,
        Setting::PublicAccessBlock => Action::PutBucketPublicAccessBlock,
        Setting::Replication => Action::PutReplicationConfiguration,
        Setting::RequestPayment => Action::PutBucketRequestPayment,
        Setting::Tagging => Action::PutBucketTagging,
        Setting::Versioning => Action::PutBucketVersioning,
        Setting::Website => Action::DeleteBucketWebsite,
    }
}

fn one(root: &'static str, fill: impl FnOnce(&mut Writer)) -> Response {
    let mut writer = Writer::new(root, 128);
    fill(&mut writer);
    writer.answer(StatusCode::OK)
}

fn empty(root: &'static str) -> Response {
    one(root, |_| {})
}

/// `us-east-1` is S3's unnamed region.
fn location(region: &str) -> Response {
    one("LocationConstraint", |writer| {
        if region != "us-east-1" {
            writer.escaped(region);
        }
    })
}

/// Settings of which a bucket may have many, each with an id.
fn configurations(call: &Call<'_>, root: &'static str) -> Result<Response, S3Error> {
    if call.query.has("id") {
        return Err(S3Error::new(Code::NoSuchConfiguration, "The specified configuration does not exist."));
    }
    Ok(one(root, |writer| {
        writer.flag("IsTruncated", false);
    }))
}
