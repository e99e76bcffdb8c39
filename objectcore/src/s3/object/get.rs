//! `GET /bucket/key`

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt as _;
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::call::Call;
use crate::s3::error::S3Error;
use crate::s3::range;
use crate::types::ObjectBody;

use super::read::{Read, explain_range};

pub(crate) async fn respond(call: &Call<'_>, at: &ObjectName) -> Result<Response, S3Error> {
    call.authorize_object(Action::ObjectRead, at)?;
    let read = Read::parse(call)?;
    let mut range = read.range;
    // Conditions come before the range: 304 and 412 count even where the range is not satisfiable. The object may change
    // between this look and the read: the conditions are evaluated again on what was read.
    if read.looks_first() {
        let object = call.core().head(at).await?;
        if let Some(settled) = read.settle(&object)? {
            return Ok(settled);
        }
        range = read.range_for(&object);
        if let Some(range) = range {
            range::resolve(range, &object)?;
        }
    }
    let found = call.core().get(at, range).await.map_err(|error| explain_range(error.into(), range))?;
    if let Some(settled) = read.settle(&found.info)? {
        return Ok(settled);
    }
    let parts = read.head(&found.info, &found.range)?;
    Ok(Response::from_parts(parts, stream(call, found)))
}

/// The bytes. An error aborts the connection (F4), and this is the only place that can log it.
fn stream(call: &Call<'_>, found: ObjectBody) -> Body {
    let request_id = call.request_id().to_owned();
    let chunks = found.chunks.map(move |chunk| {
        chunk.inspect_err(|error| {
            let cause =
                std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            tracing::error!(request.id = request_id, "reading an object stopped midway: {error}{cause}");
        })
    });
    Body::from_stream(chunks)
}
