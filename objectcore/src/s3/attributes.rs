//! What a client says about an object beside its bytes, from headers and back into headers.
//!
//! - A1: a header that asks for what Tarn does not do is refused, never ignored: a client that asked for
//!   encryption and got 200 would believe it.

use axum::http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::types::{Attributes, ObjectInfo};

use super::error::{Code, S3Error};
use super::{date, headers};

/// The most bytes of user metadata, names and values together.
const METADATA_BYTES_MAX: usize = 2048;
/// The longest of the standard headers that are kept.
const STANDARD_BYTES_MAX: usize = 2048;
const METADATA_PREFIX: &str = "x-amz-meta-";

/// The attributes of the object that a put, copy or upload makes; its tags are in `object/tagging.rs`.
pub(crate) fn parse(headers: &HeaderMap) -> Result<Attributes, S3Error> {
    let standard = |name: HeaderName| {
        let text = headers::text(headers, &name)?.map(str::to_owned);
        match text {
            Some(text) if text.len() > STANDARD_BYTES_MAX => {
                Err(S3Error::argument(name.as_str(), "", format!("The header {name} is too long.")))
            }
            text => Ok(text.filter(|text| !text.is_empty())),
        }
    };
    let mut attributes = Attributes {
        content_type: standard(header::CONTENT_TYPE)?,
        content_encoding: standard(header::CONTENT_ENCODING)?.and_then(|text| without_chunked(&text)),
        content_disposition: standard(header::CONTENT_DISPOSITION)?,
        content_language: standard(header::CONTENT_LANGUAGE)?,
        cache_control: standard(header::CACHE_CONTROL)?,
        expires: standard(header::EXPIRES)?,
        user: Default::default(),
        tags: Default::default(),
    };
    let mut user_bytes = 0;
    for (name, value) in headers {
        let Some(short) = name.as_str().strip_prefix(METADATA_PREFIX) else { continue };
        let value = std::str::from_utf8(value.as_bytes())
            .map_err(|_| S3Error::argument(name.as_str(), "", "User metadata must be UTF-8 text."))?;
        user_bytes += short.len() + value.len();
        if user_bytes > METADATA_BYTES_MAX {
            return Err(S3Error::new(
                Code::MetadataTooLarge,
                "Your metadata headers exceed the maximum allowed metadata size",
            )
            .with("MaxSizeAllowed", METADATA_BYTES_MAX.to_string()));
        }
        // The same name twice becomes one value, as HTTP lists do.
        match attributes.user.get_mut(short) {
            Some(known) => {
                known.push(',');
                known.push_str(value);
            }
            None => {
                attributes.user.insert(short.to_owned(), value.to_owned());
            }
        }
    }
    Ok(attributes)
}

/// `aws-chunked` speaks of the transfer, which is over when the object is kept.
fn without_chunked(encoding: &str) -> Option<String> {
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|part| !part.eq_ignore_ascii_case("aws-chunked")).collect();
    (!kept.is_empty() && kept != [""]).then(|| kept.join(", "))
}

/// Refuses headers of a write that ask for what Tarn does not do (A1).
pub(crate) fn refuse_unsupported(headers: &HeaderMap) -> Result<(), S3Error> {
    for (name, value) in headers {
        let Some(short) = name.as_str().strip_prefix("x-amz-") else { continue };
        refuse_one(short, value)?;
    }
    Ok(())
}

fn refuse_one(short: &str, value: &HeaderValue) -> Result<(), S3Error> {
    let text = value.to_str().unwrap_or("\u{fffd}").trim();
    if short.starts_with("server-side-encryption") || short.starts_with("copy-source-server-side-encryption")
    {
        return Err(S3Error::not_implemented("Server side encryption is not implemented."));
    }
    if short.starts_with("object-lock-") {
        return Err(S3Error::request("Bucket is missing Object Lock Configuration"));
    }
    if short.starts_with("grant-") {
        return Err(acl_not_supported());
    }
    match short {
        "acl" => refuse_acl(text),
        "storage-class" if text != "STANDARD" => {
            Err(S3Error::new(Code::InvalidStorageClass, "The storage class you specified is not valid")
                .with("StorageClassRequested", text))
        }
        "website-redirect-location" => {
            Err(S3Error::not_implemented("Website redirects are not implemented."))
        }
        "write-offset-bytes" => Err(S3Error::not_implemented("Appending to an object is not implemented.")),
        "expected-bucket-owner" | "source-expected-bucket-owner" => expect_owner(text),
        _ => Ok(()),
    }
}

/// A bucket's owner is the server: no account number can be the one expected.
pub(crate) fn expect_owner(account: &str) -> Result<(), S3Error> {
    if account.is_empty() { Ok(()) } else { Err(S3Error::denied()) }
}

/// The canned ACLs that say what is so anyway are accepted.
pub(crate) fn refuse_acl(canned: &str) -> Result<(), S3Error> {
    match canned {
        "private" | "bucket-owner-full-control" => Ok(()),
        "public-read" | "public-read-write" | "authenticated-read" | "aws-exec-read"
        | "bucket-owner-read" | "log-delivery-write" => Err(acl_not_supported()),
        other => Err(S3Error::argument("x-amz-acl", other, "The canned ACL is not valid.")),
    }
}

/// ACLs beyond the owner's.
pub(crate) fn acl_not_supported() -> S3Error {
    S3Error::new(Code::AccessControlListNotSupported, "The bucket does not allow ACLs")
}

/// Which attributes the client wants to see otherwise (`response-*` of a signed request).
pub(crate) type Overrides<'q> = Vec<(HeaderName, &'q str)>;

/// Writes the headers GET and HEAD share, without length and range.
pub(crate) fn describe(
    parts: &mut Parts,
    object: &ObjectInfo,
    overrides: &Overrides<'_>,
) -> Result<(), S3Error> {
    let out = &mut parts.headers;
    out.insert(header::LAST_MODIFIED, value(&date::http(object.modified))?);
    out.insert(header::ETAG, etag_value(&object.etag.0)?);
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let attributes = &object.attributes;
    match &attributes.content_type {
        Some(text) => out.insert(header::CONTENT_TYPE, value(text)?),
        None => out.insert(header::CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream")),
    };
    for (name, text) in [
        (header::CONTENT_ENCODING, &attributes.content_encoding),
        (header::CONTENT_DISPOSITION, &attributes.content_disposition),
        (header::CONTENT_LANGUAGE, &attributes.content_language),
        (header::CACHE_CONTROL, &attributes.cache_control),
        (header::EXPIRES, &attributes.expires),
    ] {
        if let Some(text) = text {
            out.insert(name, value(text)?);
        }
    }
    for (name, text) in &attributes.user {
        let name = HeaderName::try_from(format!("{METADATA_PREFIX}{name}")).map_err(|_| unwritable())?;
        out.insert(name, value(text)?);
    }
    for (name, text) in overrides {
        let value = HeaderValue::from_str(text)
            .map_err(|_| S3Error::argument(name.as_str(), text, "The header value is not valid."))?;
        out.insert(name, value);
    }
    Ok(())
}

/// `"tag"` as a header value.
pub(crate) fn etag_value(tag: &str) -> Result<HeaderValue, S3Error> {
    value(&format!("\"{tag}\""))
}

fn value(text: &str) -> Result<HeaderValue, S3Error> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| unwritable())
}

/// The core holds text that is no header value; only another way in than HTTP can make that.
fn unwritable() -> S3Error {
    S3Error::new(Code::InternalError, "An attribute of the object cannot be written as a header.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn refusal(name: &'static str, value: &str) -> Option<Code> {
        refuse_unsupported(&headers(&[(name, value)])).err().map(|error| error.code)
    }

    #[test]
    fn attributes_are_kept_without_the_transfers_own() {
        let kept = parse(&headers(&[
            ("content-type", "text/csv"),
            ("content-encoding", "aws-chunked,deflate,gzip"),
            ("x-amz-meta-a", "1"),
            ("x-amz-meta-a", "2"),
            ("x-amz-meta-b", "\u{e9}"),
            ("x-amz-acl", "private"),
        ]))
        .unwrap();
        assert_eq!(kept.content_type.as_deref(), Some("text/csv"));
        assert_eq!(kept.content_encoding.as_deref(), Some("deflate, gzip"));
        assert_eq!(kept.user.get("a").unwrap(), "1,2");
        assert_eq!(kept.user.get("b").unwrap(), "\u{e9}");
        assert_eq!(kept.user.len(), 2);
        assert_eq!(parse(&headers(&[("content-encoding", "aws-chunked")])).unwrap().content_encoding, None);
    }

    #[test]
    fn metadata_has_a_limit() {
        let fits = "v".repeat(METADATA_BYTES_MAX - 1);
        assert!(parse(&headers(&[("x-amz-meta-a", &fits)])).is_ok());
        let over = "v".repeat(METADATA_BYTES_MAX);
        assert_eq!(parse(&headers(&[("x-amz-meta-a", &over)])).unwrap_err().code, Code::MetadataTooLarge);
    }

    #[test]
    fn what_is_not_done_is_refused() {
        assert_eq!(refusal("x-amz-server-side-encryption", "AES256"), Some(Code::NotImplemented));
        let customer = "x-amz-server-side-encryption-customer-algorithm";
        assert_eq!(refusal(customer, "AES256"), Some(Code::NotImplemented));
        assert_eq!(refusal("x-amz-object-lock-mode", "GOVERNANCE"), Some(Code::InvalidRequest));
        assert_eq!(refusal("x-amz-acl", "private"), None);
        assert_eq!(refusal("x-amz-acl", "bucket-owner-full-control"), None);
        assert_eq!(refusal("x-amz-acl", "public-read"), Some(Code::AccessControlListNotSupported));
        assert_eq!(refusal("x-amz-acl", "open"), Some(Code::InvalidArgument));
        assert_eq!(refusal("x-amz-grant-read", "id=x"), Some(Code::AccessControlListNotSupported));
        assert_eq!(refusal("x-amz-storage-class", "STANDARD"), None);
        assert_eq!(refusal("x-amz-storage-class", "GLACIER"), Some(Code::InvalidStorageClass));
        assert_eq!(refusal("x-amz-write-offset-bytes", "0"), Some(Code::NotImplemented));
        assert_eq!(refusal("x-amz-expected-bucket-owner", "111122223333"), Some(Code::AccessDenied));
    }
}
