//! What clients said of an object, in headers.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tarn_objectcore::types::Attributes;

use super::encoded;

/// The tags of what is put.
const TAGGING: HeaderName = HeaderName::from_static("x-amz-tagging");
/// What headers of user metadata begin with.
const META: &str = "x-amz-meta-";
/// Of bodies on the way, not of objects.
const ON_THE_WAY: &str = "aws-chunked";

/// The attributes that headers tell. Tags they only count.
pub(in crate::outbound) fn read_attributes(headers: &HeaderMap) -> Attributes {
    let text = |name: &HeaderName| headers.get(name).map(value);
    let encoding = text(&header::CONTENT_ENCODING).map(|encoding| {
        let kept = encoding.split(',').map(str::trim).filter(|one| !one.is_empty() && *one != ON_THE_WAY);
        kept.collect::<Vec<_>>().join(",")
    });
    let user = headers.iter().filter_map(|(name, told)| {
        let name = name.as_str().strip_prefix(META)?;
        Some((name.to_owned(), value(told)))
    });
    Attributes {
        content_type: text(&header::CONTENT_TYPE),
        content_encoding: encoding.filter(|encoding| !encoding.is_empty()),
        content_disposition: text(&header::CONTENT_DISPOSITION),
        content_language: text(&header::CONTENT_LANGUAGE),
        cache_control: text(&header::CACHE_CONTROL),
        expires: text(&header::EXPIRES),
        user: user.collect(),
        ..Attributes::default()
    }
}

/// UTF-8 as S3 takes it, or else Latin-1 as HTTP once said.
fn value(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect())
}

/// The headers that tell attributes. `None`: something of them no header can hold.
pub(in crate::outbound) fn write_attributes(attributes: &Attributes) -> Option<HeaderMap> {
    let Attributes {
        content_type,
        content_encoding,
        content_disposition,
        content_language,
        cache_control,
        expires,
        user,
        tags,
    } = attributes;
    let mut headers = HeaderMap::new();
    for (name, told) in [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_ENCODING, content_encoding),
        (header::CONTENT_DISPOSITION, content_disposition),
        (header::CONTENT_LANGUAGE, content_language),
        (header::CACHE_CONTROL, cache_control),
        (header::EXPIRES, expires),
    ] {
        if let Some(told) = told {
            headers.insert(name, HeaderValue::from_bytes(told.as_bytes()).ok()?);
        }
    }
    for (name, told) in user {
        let name = HeaderName::try_from(format!("{META}{name}")).ok()?;
        headers.insert(name, HeaderValue::from_bytes(told.as_bytes()).ok()?);
    }
    if !tags.is_empty() {
        let pairs = tags.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value)));
        let pairs = pairs.collect::<Vec<_>>().join("&");
        headers.insert(TAGGING, HeaderValue::try_from(pairs).ok()?);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_back_from_their_headers() {
        let attributes = Attributes {
            content_type: Some("text/csv".into()),
            content_encoding: Some("gzip".into()),
            cache_control: Some("no-store".into()),
            user: [("owner".to_owned(), "caf\u{e9}".to_owned())].into(),
            ..Attributes::default()
        };
        let mut headers = write_attributes(&attributes).unwrap();
        assert_eq!(read_attributes(&headers), attributes);
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("aws-chunked,gzip"));
        assert_eq!(read_attributes(&headers), attributes);
        let wrong = Attributes { expires: Some("a\nb".into()), ..Attributes::default() };
        assert!(write_attributes(&wrong).is_none());
    }
}
