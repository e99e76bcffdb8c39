//! `PUT /bucket/key?uploadId&partNumber`

use axum::body::Body;
use axum::response::Response;
use http::header;
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::attributes;
use crate::s3::body;
use crate::s3::call::Call;
use crate::s3::checksum::{self, Claim};
use crate::s3::error::S3Error;
use crate::types::{PutOptions, UploadId};

pub(crate) async fn respond(
    call: &Call<'_>,
    at: &ObjectName,
    upload: &UploadId,
    number: u16,
    body: Body,
) -> Result<Response, S3Error> {
    call.authorize_object(Action::PutObject, at)?;
    let headers = call.headers();
    attributes::refuse_unsupported(headers)?;
    let options = PutOptions {
        size: Some(body::announced_size(headers)?),
        content_md5: checksum::content_md5(headers)?,
        ..PutOptions::default()
    };
    let claim = Claim::parse(headers)?;
    // The part keeps the upload's checksum, whatever the client sends beside it: only so can the
    // object's be made of the parts' in the end.
    let info = call.core().upload(at, upload).await?;
    let keep = info.checksum.map_or(checksum::DEFAULT, |(algorithm, _)| algorithm);
    let (body, receipt) = body::receive(body, claim, keep);
    let part = call.core().put_part(at, upload, number, body, options).await?;

    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::ETAG, attributes::etag_value(&part.etag.0)?);
    if let Some(checksum) = receipt.verified().or(part.checksum) {
        checksum::put_headers(response.headers_mut(), &checksum, 0);
        response.headers_mut().remove(crate::s3::headers::CHECKSUM_TYPE);
    }
    Ok(response)
}
