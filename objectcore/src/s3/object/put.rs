//! `PUT /bucket/key`

use axum::body::Body;
use axum::response::Response;
use http::header;
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::attributes;
use crate::s3::body;
use crate::s3::call::Call;
use crate::s3::checksum::{self, Claim};
use crate::s3::condition;
use crate::s3::error::S3Error;
use crate::types::{Attributes, PutOptions};

use super::tagging;

pub(crate) async fn respond(call: &Call<'_>, at: &ObjectName, body: Body) -> Result<Response, S3Error> {
    call.authorize_object(Action::PutObject, at)?;
    let headers = call.headers();
    attributes::refuse_unsupported(headers)?;
    let options = PutOptions {
        when: condition::put_if(headers)?,
        attributes: Attributes { tags: tagging::given(call, at)?, ..attributes::parse(headers)? },
        size: Some(body::announced_size(headers)?),
        content_md5: checksum::content_md5(headers)?,
        ..PutOptions::default()
    };
    let claim = Claim::parse(headers)?;
    let keep = claim.algorithm().unwrap_or(checksum::DEFAULT);
    let (body, _receipt) = body::receive(body, claim, keep);
    let written = call.core().put(at, body, options).await?;

    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::ETAG, attributes::etag_value(&written.etag.0)?);
    if let Some(checksum) = &written.checksum {
        checksum::put_headers(response.headers_mut(), checksum, 0);
    }
    Ok(response)
}
