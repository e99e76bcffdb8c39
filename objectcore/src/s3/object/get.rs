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
    Ok(Response::from_parts(parts, stream(call.request_id().to_owned(), found)))
}

/// The bytes. An error aborts the connection (F4), and this is the only place that can log it.
fn stream(request_id: String, found: ObjectBody) -> Body {
    let sent = metrics::counter!("tarn_s3_sent_bytes");
    let chunks = found.chunks.map(move |chunk| match chunk {
        Ok(bytes) => {
            sent.increment(bytes.len() as u64);
            Ok(bytes)
        }
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            tracing::error!(request.id = request_id, "reading an object stopped midway: {error}{cause}");
            Err(error)
        }
    });
    Body::from_stream(chunks)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::stream;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::s3::testing;
    use crate::types::{ReadError, StorageError};

    #[tokio::test]
    async fn a_block_that_is_lost_midway_breaks_the_body_and_does_not_end_it() {
        let lost = ReadError::Storage(StorageError::Damaged { intact: 1, needed: 2 });
        let chunks = vec![Ok(Bytes::from_static(b"01234")), Err(lost)];
        let found =
            ObjectBody { info: testing::info("k", 10), range: 0..10, chunks: Box::pin(stream::iter(chunks)) };
        let mut body = stream("R1".to_owned(), found);
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
    }
}
