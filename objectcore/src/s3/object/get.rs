//! `GET /bucket/key`

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt as _;
use tarn_openapi::access::Action;

use crate::core::ObjectCore;
use crate::name::ObjectName;
use crate::s3::call::Call;
use crate::s3::error::S3Error;
use crate::s3::range;
use crate::types::{GetRange, ObjectBody, ReadError};

use super::read::{Read, explain_range};
use super::tagging;

pub(crate) async fn respond(call: &Call<'_>, at: &ObjectName) -> Result<Response, S3Error> {
    call.authorize_version((Action::GetObject, Action::GetObjectVersion), at)?;
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
    let (found, range) = read_as_asked(call.core(), at, &read, range).await?;
    if let Some(settled) = read.settle(&found.info)? {
        return Ok(settled);
    }
    let mut parts = read.head(&found.info, range, &found.range)?;
    tagging::put_count(&mut parts.headers, call, (at, &found.info));
    Ok(Response::from_parts(parts, stream(call.request_id().to_owned(), found)))
}

/// The object and the range it was read with. `range` held for the object as it was looked at; where `If-Range` does
/// not hold for the one that was read, another was put meanwhile, and the whole is read instead.
async fn read_as_asked(
    core: &ObjectCore,
    at: &ObjectName,
    read: &Read<'_>,
    range: Option<GetRange>,
) -> Result<(ObjectBody, Option<GetRange>), S3Error> {
    match core.get(at, range).await {
        Ok(found) if range.is_none() || read.range_for(&found.info) == range => return Ok((found, range)),
        Ok(_) => {}
        Err(ReadError::InvalidRange { .. }) if read.may_answer_whole() => {}
        Err(error) => return Err(explain_range(error.into(), range)),
    }
    Ok((core.get(at, None).await?, None))
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
    use crate::testing::{at, core, put};
    use crate::types::StorageError;

    #[tokio::test]
    async fn an_object_put_after_the_look_is_answered_whole_where_if_range_named_the_other() {
        let core = core(4).await;
        let read_now = async |range, if_range: &str| {
            let read = Read::ranged(range, if_range);
            let (found, range) = read_as_asked(&core, &at("k"), &read, Some(range)).await.unwrap();
            (read.head(&found.info, range, &found.range).unwrap().status.as_u16(), found.range)
        };
        let put = put(&core, "k", &Bytes::from_static(b"0123456789")).await;
        assert_eq!(read_now(GetRange::Bounded(2, 3), &format!("\"{}\"", put.etag.0)).await, (206, 2..4));
        assert_eq!(read_now(GetRange::Bounded(2, 3), "\"of the other\"").await, (200, 0..10));
        assert_eq!(read_now(GetRange::From(50), "\"of the other\"").await, (200, 0..10));
    }

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
