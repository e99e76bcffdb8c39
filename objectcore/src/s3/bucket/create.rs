//! `PUT /bucket`

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, header};
use tarn_openapi::access::Action;

use crate::name::BucketName;
use crate::s3::attributes;
use crate::s3::body;
use crate::s3::call::Call;
use crate::s3::error::{Code, S3Error};
use crate::s3::headers;
use crate::s3::xml::Element;

use super::{inventory, metadata};

const CONFIGURATION_BYTES_MAX: usize = 1 << 20;

pub(crate) async fn respond(call: &Call<'_>, bucket: &BucketName, body: Body) -> Result<Response, S3Error> {
    call.authorize_bucket(Action::CreateBucket, bucket)?;
    refuse_headers(call)?;
    let document = body::collect(call.headers(), body, CONFIGURATION_BYTES_MAX).await?;
    if !document.iter().all(u8::is_ascii_whitespace) {
        accept(&Element::parse(&document, "CreateBucketConfiguration")?, call.region())?;
    }
    if call.core().bucket(bucket).is_none() {
        inventory::forget(call, bucket).await?;
        metadata::forget(call, bucket).await?;
    }
    call.core().create_bucket(bucket).await?;
    let mut response = Response::new(Body::empty());
    let location = HeaderValue::try_from(format!("/{bucket}"));
    // A bucket's name is always a header value.
    response.headers_mut().extend(location.ok().map(|location| (header::LOCATION, location)));
    Ok(response)
}

fn refuse_headers(call: &Call<'_>) -> Result<(), S3Error> {
    if let Some(canned) = headers::text(call.headers(), &headers::ACL)? {
        attributes::refuse_acl(canned)?;
    }
    for (name, value) in call.headers() {
        match (name.as_str(), value.as_bytes()) {
            ("x-amz-bucket-object-lock-enabled", value) if !value.eq_ignore_ascii_case(b"false") => {
                return Err(S3Error::not_implemented("Object lock is not implemented."));
            }
            (name, _) if name.starts_with("x-amz-grant-") => return Err(attributes::acl_not_supported()),
            (_, _) => {}
        }
    }
    match headers::text(call.headers(), &headers::OBJECT_OWNERSHIP)? {
        None | Some("BucketOwnerEnforced") => Ok(()),
        Some(_) => Err(S3Error::not_implemented("Only the ownership BucketOwnerEnforced is implemented.")),
    }
}

fn accept(configuration: &Element, region: &str) -> Result<(), S3Error> {
    for child in &configuration.children {
        match child.name.as_str() {
            "LocationConstraint" => accept_location(child.text.trim(), region)?,
            "Location" | "Bucket" => {
                return Err(S3Error::not_implemented("Directory buckets are not implemented."));
            }
            "Tags" if child.children.is_empty() => {}
            "Tags" => return Err(S3Error::not_implemented("Bucket tags are not implemented.")),
            _ => return Err(S3Error::malformed_xml()),
        }
    }
    Ok(())
}

fn accept_location(constraint: &str, region: &str) -> Result<(), S3Error> {
    if constraint.is_empty() || constraint == region || (constraint == "EU" && region == "eu-west-1") {
        return Ok(());
    }
    Err(S3Error::new(
        Code::IllegalLocationConstraintException,
        format!(
            "The {constraint} location constraint is incompatible with this server, which is in {region}."
        ),
    ))
}
