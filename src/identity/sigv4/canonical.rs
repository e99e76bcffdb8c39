//! The canonical request: one text that client and server build alike, and that is signed.
//!
//! The path follows the service. S3 encodes it once and normalises nothing, so `a/../b` and `a//b`
//! are keys; the other services encode the path as sent a second time. The two never mix for one
//! service: a text accepted under both rules would let a signature for one path open another.
//!
//! Source: "Create a signed AWS API request", AWS IAM user guide.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use ring::digest;

use super::credential::Service;

/// What SigV4 encodes: all but the unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a path, where the slash stays.
const ENCODED_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// Everything of a request that is signed, but the path.
pub(crate) struct Canonical<'a> {
    pub(crate) method: &'a str,
    pub(crate) query: String,
    /// `name:value\n` for each signed header. Bytes, for a value need not be UTF-8.
    pub(crate) headers: Vec<u8>,
    pub(crate) signed_headers: &'a str,
    pub(crate) payload: &'a str,
}

impl Canonical<'_> {
    /// SHA-256 of the canonical request with this path.
    pub(crate) fn hash(&self, path: &str) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        for text in [self.method, "\n", path, "\n", &self.query, "\n"] {
            hash.update(text.as_bytes());
        }
        hash.update(&self.headers);
        for text in ["\n", self.signed_headers, "\n", self.payload] {
            hash.update(text.as_bytes());
        }
        finish(hash)
    }
}

/// The digest as an array.
pub(crate) fn finish(hash: digest::Context) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.finish().as_ref());
    bytes
}

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(bytes);
    finish(hash)
}

/// The paths a client may have signed for the path it sent, the likeliest first. For S3 the second
/// is the path as it stands: some clients leave `=` or `+` unencoded in both. Both decode to
/// the same path, so one key never stands for another.
pub(crate) fn paths(service: Service, raw: &str) -> (Cow<'_, str>, Option<Cow<'_, str>>) {
    let raw = if raw.is_empty() { "/" } else { raw };
    if !service.is_object_service() {
        return (encode(raw.as_bytes(), ENCODED_PATH), None);
    }
    let decoded: Cow<'_, [u8]> = percent_decode_str(raw).into();
    let first = encode(&decoded, ENCODED_PATH).into_owned();
    let second = (first != raw).then_some(Cow::Borrowed(raw));
    (Cow::Owned(first), second)
}

fn encode<'a>(bytes: &'a [u8], set: &'static AsciiSet) -> Cow<'a, str> {
    percent_encode(bytes, set).into()
}

/// The query sorted by name, then value, each encoded once, without the signature itself.
/// A `+` is a space, as the fronts read it.
pub(crate) fn query(raw: &str) -> String {
    let mut pairs: Vec<(String, String)> = pairs(raw)
        .filter(|(name, _)| name.as_ref() != b"X-Amz-Signature")
        .map(|(name, value)| (encode(&name, ENCODED).into_owned(), encode(&value, ENCODED).into_owned()))
        .collect();
    pairs.sort_unstable();
    let mut text = String::with_capacity(raw.len() + 8);
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend([name.as_str(), "=", value.as_str()]);
    }
    text
}

/// The decoded names and values of a query.
pub(crate) fn pairs(raw: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode_form(name), decode_form(value))
    })
}

fn decode_form(text: &str) -> Cow<'_, [u8]> {
    if text.contains('+') {
        Cow::Owned(percent_decode_str(&text.replace('+', " ")).collect())
    } else {
        percent_decode_str(text).into()
    }
}

/// The canonical headers for the names in `signed`, in the order given. `None` when one of them is not
/// in the request. `host` is the request's authority: HTTP/2 has no such header.
pub(crate) fn headers(headers: &HeaderMap, host: Option<&str>, signed: &str) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(256);
    for name in signed.split(';') {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        if name == "host" {
            text.extend_from_slice(host?.as_bytes());
        } else {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            let mut values = headers.get_all(name).iter().peekable();
            values.peek()?;
            while let Some(value) = values.next() {
                squeeze(value.as_bytes(), &mut text);
                if values.peek().is_some() {
                    text.push(b',');
                }
            }
        }
        text.push(b'\n');
    }
    Some(text)
}

/// Appends `value` without outer spaces and with runs of spaces made one.
fn squeeze(value: &[u8], text: &mut Vec<u8>) {
    let mut space = false;
    for &byte in value.trim_ascii() {
        if byte != b' ' || !space {
            text.push(byte);
        }
        space = byte == b' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_s3_is_encoded_once_and_never_normalised() {
        let (first, second) = paths(Service::S3, "/b/a//../x=1/%e4%20+");
        assert_eq!(first, "/b/a//../x%3D1/%E4%20%2B");
        assert_eq!(second.as_deref(), Some("/b/a//../x=1/%e4%20+"));
        assert_eq!(paths(Service::S3, "").0, "/");
        assert_eq!(paths(Service::S3, "/plain/key").1, None);
    }

    #[test]
    fn the_path_of_other_services_is_encoded_twice() {
        assert_eq!(paths(Service::S3Tables, "/v1/a%1Fb"), ("/v1/a%251Fb".into(), None));
    }

    #[test]
    fn the_query_is_sorted_encoded_and_without_the_signature() {
        assert_eq!(query("b=2&a=x%2fy&a=&X-Amz-Signature=00&c"), "a=&a=x%2Fy&b=2&c=");
        assert_eq!(query("a=1+2"), "a=1%202");
        assert_eq!(query(""), "");
    }

    #[test]
    fn header_values_are_trimmed_squeezed_and_joined() {
        let mut map = HeaderMap::new();
        map.append("x-amz-meta-a", "  one   two ".parse().unwrap());
        map.append("x-amz-meta-a", "three".parse().unwrap());
        let text = headers(&map, Some("h:9000"), "host;x-amz-meta-a").unwrap();
        assert_eq!(text, b"host:h:9000\nx-amz-meta-a:one two,three\n");
        assert_eq!(headers(&map, Some("h"), "host;x-amz-date"), None);
        assert_eq!(headers(&map, None, "host"), None);
    }
}
