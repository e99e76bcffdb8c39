//! From this server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Body;
use tarn_inventory::batch::{Carried, Item, ItemError, Replicated, There};
use tarn_objectcore::name::ObjectName;
use tarn_objectcore::types::{GetRange, ObjectBody, ObjectInfo};

use super::{Transfer, Version, changed, denied, invalid, name, unread};
use crate::outbound::s3::{Part, md5_of, write_attributes};

impl Transfer {
    pub(super) async fn push_one(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        carried: Carried,
    ) -> Result<Replicated, ItemError> {
        let at = name(from.bucket, from.key)?;
        let info = self.core.head(&at).await.map_err(|error| unread(&error))?;
        if from.etag.is_some_and(|etag| etag != info.etag.0) {
            return Err(changed());
        }
        if there == There::Kept
            && let Some(head) = self.s3.head(to.bucket, to.key, None).await?
        {
            let modified_ms = i64::try_from(info.modified.0).unwrap_or(i64::MAX);
            let original = Version { etag: &info.etag.0, size: info.size, modified_ms };
            let copy = Version { etag: &head.etag, size: head.size, modified_ms: head.modified_ms };
            if original.is_original_of(copy) {
                return Ok(Replicated::Found);
            }
        }
        if carried == Carried::NoTags && !info.attributes.tags.is_empty() {
            return Err(denied());
        }
        let headers = write_attributes(&info.attributes);
        let headers = headers.ok_or_else(|| invalid("its metadata does not fit into headers".into()))?;
        match info.parts.is_empty() {
            true => self.push_whole(&at, &info, (to.bucket, to.key), headers).await?,
            false => self.push_parts(&at, &info, (to.bucket, to.key), headers).await?,
        }
        Ok(Replicated::Copied)
    }

    async fn push_whole(
        &self,
        at: &ObjectName,
        info: &ObjectInfo,
        to: (&str, &str),
        mut headers: HeaderMap,
    ) -> Result<(), ItemError> {
        if let Some(md5) = md5_of(&info.etag.0) {
            let value = HeaderValue::from_str(&STANDARD.encode(md5));
            let value = value.map_err(|_| invalid("its MD5 does not fit into a header".into()))?;
            headers.insert(HeaderName::from_static("content-md5"), value);
        }
        let (body, size) = self.body(at, info, None).await?;
        self.s3.put(to, headers, (body, size)).await.map(drop)
    }

    async fn push_parts(
        &self,
        at: &ObjectName,
        info: &ObjectInfo,
        to: (&str, &str),
        headers: HeaderMap,
    ) -> Result<(), ItemError> {
        let upload = self.s3.begin(to, headers).await?;
        let done = self.push_each(at, info, to, &upload).await;
        if done.is_err() {
            // What went wrong before is what is told.
            let _aborted = self.s3.abort(to, &upload).await;
        }
        done
    }

    async fn push_each(
        &self,
        at: &ObjectName,
        info: &ObjectInfo,
        to: (&str, &str),
        upload: &str,
    ) -> Result<(), ItemError> {
        let mut etags = Vec::with_capacity(info.parts.len());
        // Numbers may have gaps; the entity tag is made of the parts in their order.
        for (number, part) in (1..).zip(&info.parts) {
            let (body, size) = self.body(at, info, Some(part.number)).await?;
            etags.push(self.s3.put_part(to, Part { upload, number, size }, body).await?);
        }
        self.s3.complete(to, upload, &etags).await
    }

    /// The bytes of the version that was looked at, or of a part of it (OB4).
    async fn body(
        &self,
        at: &ObjectName,
        info: &ObjectInfo,
        part: Option<u16>,
    ) -> Result<(Body, u64), ItemError> {
        let read = self.core.get(at, part.map(GetRange::Part)).await.map_err(|error| unread(&error))?;
        let ObjectBody { info: now, range, chunks } = read;
        if now.etag != info.etag || now.modified != info.modified {
            return Err(changed());
        }
        let chunks = chunks.map(|chunk| chunk.map_err(|error| std::io::Error::other(error.to_string())));
        Ok((Body::wrap_stream(chunks), range.end - range.start))
    }
}
