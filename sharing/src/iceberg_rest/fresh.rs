//! Answers that a client has already (RFC 9110, sections 8.8.3 and 13.1.2), and answers that are short on the way.
//!
//! The answer to a load has credentials in it. A client is told that it has the answer only in the half of their lifetime
//! that they were given out in: so they are good for the other half at least.

use std::io::Write as _;

use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ring::digest::{Context, SHA256};

use super::answer::{Failure, Kind, no_store};
use crate::rest::Coding;

/// Shorter answers are not worth compressing, in bytes.
const GZIP_BYTES_MIN: usize = 16 << 10;

/// The tag of an answer that is made of these parts. Weak, because gzip and plain share it.
pub(super) fn etag(parts: &[&[u8]]) -> String {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    format!("W/\"{}\"", hex::encode(&hash.finish().as_ref()[..16]))
}

/// Whether the client has the answer of this tag.
pub(super) fn is_had(headers: &HeaderMap, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let sent = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).any(|tag| tag.trim() == "*" || bare(tag) == bare(etag))
}

/// The answer to who has it.
pub(super) fn not_modified(etag: &str) -> Response {
    tagged(StatusCode::NOT_MODIFIED.into_response(), etag)
}

/// An answer of JSON.
pub(super) async fn coded(json: Vec<u8>, coding: Coding, etag: &str) -> Result<Response, Failure> {
    let is_long = json.len() >= GZIP_BYTES_MIN;
    let mut response = match coding {
        Coding::Gzip if is_long => {
            let packed = tokio::task::spawn_blocking(move || gzip(&json)).await;
            let packed = packed.map_err(|_| Failure::new(Kind::Internal, "the answer could not be made"))?;
            ([(header::CONTENT_ENCODING, "gzip")], packed).into_response()
        }
        Coding::Gzip | Coding::Identity => json.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    Ok(tagged(response, etag))
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(plain).and_then(|()| encoder.finish());
    packed.expect("writing into memory does not fail")
}

fn tagged(response: Response, etag: &str) -> Response {
    let mut response = no_store(response);
    let etag = HeaderValue::from_str(etag).expect("hexadecimal digits in quotes");
    response.headers_mut().insert(header::ETAG, etag);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_of_all_parts_and_found_among_others() {
        let tag = etag(&[b"a", b"bc"]);
        assert_ne!(tag, etag(&[b"ab", b"c"]));
        let had = |sent: &str| {
            let sent = HeaderValue::from_str(sent).unwrap();
            is_had(&HeaderMap::from_iter([(header::IF_NONE_MATCH, sent)]), &tag)
        };
        assert!(had(&tag) && had(&format!("\"x\", {tag}")) && had(tag.trim_start_matches("W/")) && had("*"));
        assert!(!had("\"x\"") && !had("") && !is_had(&HeaderMap::new(), &tag));
    }
}
