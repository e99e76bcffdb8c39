//! `HEAD /bucket/key`

use axum::body::Body;
use axum::response::Response;
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::call::Call;
use crate::s3::error::S3Error;
use crate::s3::range;

use super::read::Read;
use super::tagging;

pub(crate) async fn respond(call: &Call<'_>, at: &ObjectName) -> Result<Response, S3Error> {
    call.authorize_version((Action::GetObject, Action::GetObjectVersion), at)?;
    let read = Read::parse(call)?;
    let object = call.core().head(at).await?;
    if let Some(settled) = read.settle(&object)? {
        return Ok(settled);
    }
    let range = read.range_for(&object);
    let bytes = match range {
        Some(range) => range::resolve(range, &object)?,
        None => 0..object.size,
    };
    let mut parts = read.head(&object, range, &bytes)?;
    tagging::put_count(&mut parts.headers, call, (at, &object));
    Ok(Response::from_parts(parts, Body::empty()))
}
