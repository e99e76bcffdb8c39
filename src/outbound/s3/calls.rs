//! The calls of S3 that copying needs.

use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::{Body, Response};
use tarn_inventory::batch::{ItemError, Page};
use tarn_objectcore::types::Attributes;

use super::{Asked, S3, body, invalid, read_attributes, xml};

/// Keys of a page of a listing.
const PAGE: usize = 1000;

/// An object as HEAD tells it.
#[derive(Debug, Clone)]
pub(in crate::outbound) struct Head {
    pub(in crate::outbound) size: u64,
    pub(in crate::outbound) etag: String,
    /// In milliseconds since 1970.
    pub(in crate::outbound) modified_ms: i64,
    pub(in crate::outbound) attributes: Attributes,
    /// Whether its entity tag is the MD5 of its bytes.
    pub(in crate::outbound) is_md5: bool,
    /// How many tags it has.
    pub(in crate::outbound) tags: u32,
    /// Of an answer about one part: how many there are.
    pub(in crate::outbound) parts: Option<u16>,
}

/// A part of an object.
#[derive(Debug, Clone, Copy)]
pub(in crate::outbound) struct Part<'a> {
    pub(in crate::outbound) upload: &'a str,
    pub(in crate::outbound) number: u16,
    pub(in crate::outbound) size: u64,
}

impl S3 {
    /// Objects behind `after`.
    pub(in crate::outbound) async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Page, ItemError> {
        let mut asked = Asked::new(Method::GET, bucket, "");
        asked.query =
            vec![("encoding-type", "url".into()), ("list-type", "2".into()), ("max-keys", PAGE.to_string())];
        if !prefix.is_empty() {
            asked.query.push(("prefix", prefix.to_owned()));
        }
        if let Some(after) = after {
            asked.query.push(("start-after", after.to_owned()));
        }
        let text = body(self.send(asked).await?).await?;
        xml::page(&text).ok_or_else(|| invalid("the endpoint's answer is no listing"))
    }

    /// What is known of an object, or of one of its parts; `None` when it is not there.
    pub(in crate::outbound) async fn head(
        &self,
        bucket: &str,
        key: &str,
        part: Option<u16>,
    ) -> Result<Option<Head>, ItemError> {
        let mut asked = Asked::new(Method::HEAD, bucket, key);
        asked.query.extend(part.map(|part| ("partNumber", part.to_string())));
        match self.send(asked).await {
            Ok(response) => told(response.headers()).map(Some),
            Err(error) if error.code == "NoSuchKey" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The tags of an object.
    pub(in crate::outbound) async fn tags(
        &self,
        (bucket, key): (&str, &str),
    ) -> Result<Vec<(String, String)>, ItemError> {
        let mut asked = Asked::new(Method::GET, bucket, key);
        asked.query.push(("tagging", String::new()));
        let text = body(self.send(asked).await?).await?;
        xml::tags(&text).ok_or_else(|| invalid("the endpoint's answer is no tagging"))
    }

    /// An object of this entity tag, or one of its parts. Answers its size in bytes too.
    pub(in crate::outbound) async fn get(
        &self,
        (bucket, key): (&str, &str),
        etag: &str,
        part: Option<u16>,
        bytes: u64,
    ) -> Result<(Response, u64), ItemError> {
        let mut asked = Asked::new(Method::GET, bucket, key);
        asked.bytes = bytes;
        asked.query.extend(part.map(|part| ("partNumber", part.to_string())));
        asked.headers.insert(header::IF_MATCH, quoted(etag)?);
        let response = self.send(asked).await?;
        let size = size(response.headers())?;
        Ok((response, size))
    }

    /// Puts an object whole. Answers its entity tag.
    pub(in crate::outbound) async fn put(
        &self,
        (bucket, key): (&str, &str),
        headers: HeaderMap,
        (body, size): (Body, u64),
    ) -> Result<String, ItemError> {
        let mut asked = Asked::new(Method::PUT, bucket, key);
        (asked.headers, asked.body, asked.bytes) = (headers, Some((body, size)), size);
        etag(self.send(asked).await?.headers())
    }

    /// Begins an upload.
    pub(in crate::outbound) async fn begin(
        &self,
        (bucket, key): (&str, &str),
        headers: HeaderMap,
    ) -> Result<String, ItemError> {
        let mut asked = Asked::new(Method::POST, bucket, key);
        asked.query.push(("uploads", String::new()));
        asked.headers = headers;
        asked.body = Some((Body::default(), 0));
        let text = body(self.send(asked).await?).await?;
        xml::upload(&text).ok_or_else(|| invalid("the endpoint's answer names no upload"))
    }

    /// Puts a part. Answers its entity tag.
    pub(in crate::outbound) async fn put_part(
        &self,
        (bucket, key): (&str, &str),
        part: Part<'_>,
        body: Body,
    ) -> Result<String, ItemError> {
        let mut asked = Asked::new(Method::PUT, bucket, key);
        asked.query = vec![("partNumber", part.number.to_string()), ("uploadId", part.upload.to_owned())];
        (asked.body, asked.bytes) = (Some((body, part.size)), part.size);
        etag(self.send(asked).await?.headers())
    }

    /// Makes the object of an upload.
    pub(in crate::outbound) async fn complete(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
        etags: &[String],
    ) -> Result<(), ItemError> {
        let mut asked = Asked::new(Method::POST, bucket, key);
        asked.query.push(("uploadId", upload.to_owned()));
        let list = xml::complete(etags);
        let length = list.len() as u64;
        asked.body = Some((list.into(), length));
        let text = body(self.send(asked).await?).await?;
        if xml::is_completed(&text) {
            return Ok(());
        }
        let refusal = xml::error(&text).unwrap_or_default();
        let message =
            format!("the endpoint did not complete the upload: {} {}", refusal.code, refusal.message);
        Err(ItemError { code: "EndpointError", status: 500, message, may_work_later: true })
    }

    /// Ends an upload that nobody will complete.
    pub(in crate::outbound) async fn abort(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
    ) -> Result<(), ItemError> {
        let mut asked = Asked::new(Method::DELETE, bucket, key);
        asked.query.push(("uploadId", upload.to_owned()));
        self.send(asked).await.map(drop)
    }
}

fn told(headers: &HeaderMap) -> Result<Head, ItemError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let modified = text("last-modified").and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
    let etag = etag(headers)?;
    // With keys of a service or of the client, it is something else.
    let is_plain = text("x-amz-server-side-encryption").is_none_or(|kind| kind == "AES256")
        && text("x-amz-server-side-encryption-customer-algorithm").is_none();
    Ok(Head {
        size: size(headers)?,
        is_md5: is_plain && md5_of(&etag).is_some(),
        etag,
        modified_ms: modified.map_or(0, |zoned| zoned.timestamp().as_millisecond()),
        attributes: read_attributes(headers),
        tags: text("x-amz-tagging-count").and_then(|count| count.parse().ok()).unwrap_or(0),
        parts: text("x-amz-mp-parts-count").and_then(|count| count.parse().ok()),
    })
}

/// The MD5 that an entity tag looks like.
pub(in crate::outbound) fn md5_of(etag: &str) -> Option<[u8; 16]> {
    hex::decode(etag).ok()?.try_into().ok()
}

fn etag(headers: &HeaderMap) -> Result<String, ItemError> {
    let etag = headers.get(header::ETAG).and_then(|value| value.to_str().ok());
    let etag = etag.ok_or_else(|| invalid("the endpoint's answer has no entity tag"))?;
    Ok(etag.trim_matches('"').to_owned())
}

fn size(headers: &HeaderMap) -> Result<u64, ItemError> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    length.ok_or_else(|| invalid("the endpoint's answer has no length"))
}

fn quoted(etag: &str) -> Result<HeaderValue, ItemError> {
    HeaderValue::from_str(&format!("\"{etag}\"")).map_err(|_| invalid("the entity tag cannot be sent"))
}
