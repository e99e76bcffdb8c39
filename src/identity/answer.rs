//! Answers a refused request in the protocol of its path: S3's XML, Iceberg's JSON, or plain JSON.

use std::fmt::Write as _;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use tarn_openapi::request::RequestId;

use super::error::AuthError;

/// The protocol a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Everything that no other protocol has.
    S3,
    /// `/_iceberg` and `/iceberg`.
    Iceberg,
    /// `/_delta-sharing`. Its recipients are no users: it authenticates them itself.
    Sharing,
    /// Everything else that begins with `/_`.
    Plain,
}

impl Protocol {
    /// The protocol of a request. Below a host that names a bucket every path is a key, also `/_SUCCESS`;
    /// `domains` are the names below which a host does. `/iceberg` is the catalog's only from `/v1` on: a bucket
    /// may have that name.
    pub fn of(host: Option<&str>, path: &str, domains: &[String]) -> Self {
        let under = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if host.is_some_and(|host| names_bucket(host, domains)) {
            Self::S3
        } else if under("/_iceberg") || under("/iceberg/v1") {
            Self::Iceberg
        } else if under("/_delta-sharing") {
            Self::Sharing
        } else if path.starts_with("/_") {
            Self::Plain
        } else {
            Self::S3
        }
    }

    /// The protocol that the outermost service found the request to be of.
    pub(crate) fn of_request<B>(request: &http::Request<B>) -> Self {
        let found = request.extensions().get::<Self>().copied();
        found.unwrap_or_else(|| Self::of(None, request.uri().path(), &[]))
    }
}

/// Whether `host`, with or without a port, is `<bucket>.<domain>`.
fn names_bucket(host: &str, domains: &[String]) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    domains.iter().any(|domain| {
        let cut = name.len().checked_sub(domain.len());
        let parts = cut.and_then(|cut| name.split_at_checked(cut));
        parts.is_some_and(|(front, back)| {
            back.eq_ignore_ascii_case(domain) && front.len() > 1 && front.ends_with('.')
        })
    })
}

/// An error in the form of `protocol`. `code` is S3's error code or Iceberg's error type.
pub fn error(
    protocol: Protocol,
    status: StatusCode,
    code: &str,
    message: &str,
    path: &str,
    id: &RequestId,
) -> Response {
    match protocol {
        Protocol::S3 => {
            let xml = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>\
                 <Resource>{}</Resource><RequestId>{}</RequestId></Error>",
                escape(code),
                escape(message),
                escape(path),
                escape(&id.0)
            );
            let kind = HeaderValue::from_static("application/xml");
            (status, [(header::CONTENT_TYPE, kind)], Body::from(xml)).into_response()
        }
        Protocol::Iceberg => {
            let error = serde_json::json!({"message": message, "type": code, "code": status.as_u16()});
            (status, Json(serde_json::json!({ "error": error }))).into_response()
        }
        Protocol::Sharing => {
            (status, Json(serde_json::json!({"errorCode": code, "message": message}))).into_response()
        }
        Protocol::Plain => {
            let error = serde_json::json!({"code": code, "message": message, "request-id": *id.0});
            (status, Json(serde_json::json!({ "error": error }))).into_response()
        }
    }
}

/// Answers refused credentials.
pub(crate) fn refused(protocol: Protocol, refusal: &AuthError, path: &str, id: &RequestId) -> Response {
    let message = refusal.to_string();
    let (s3_status, s3_code) = refusal.s3();
    match protocol {
        Protocol::S3 => error(protocol, s3_status, s3_code, &message, path, id),
        Protocol::Iceberg | Protocol::Sharing | Protocol::Plain => {
            let status = refusal.status();
            let kind = match (protocol, status) {
                (Protocol::Iceberg, StatusCode::UNAUTHORIZED) => "NotAuthorizedException",
                (Protocol::Iceberg, StatusCode::SERVICE_UNAVAILABLE) => "ServiceUnavailableException",
                (Protocol::Iceberg, _) => "BadRequestException",
                _ => s3_code,
            };
            let mut response = error(protocol, status, kind, &message, path, id);
            if status == StatusCode::UNAUTHORIZED {
                let challenge = HeaderValue::from_static("Bearer realm=\"tarn\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            if status == StatusCode::SERVICE_UNAVAILABLE {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            response
        }
    }
}

/// Text as XML content. Control characters that XML 1.0 cannot hold become `?`.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_one_protocol() {
        for (path, protocol) in [
            ("/", Protocol::S3),
            ("/iceberg", Protocol::S3),
            ("/iceberg/data.parquet", Protocol::S3),
            ("/iceberg/v1/config", Protocol::Iceberg),
            ("/_iceberg/v1/config", Protocol::Iceberg),
            ("/_icebergs", Protocol::Plain),
            ("/_delta-sharing/v1/shares", Protocol::Sharing),
            ("/_delta-sharingx", Protocol::Plain),
            ("/_admin/v1/keys", Protocol::Plain),
        ] {
            assert_eq!(Protocol::of(Some("127.0.0.1:9000"), path, &[]), protocol, "{path}");
        }
    }

    #[test]
    fn below_a_host_that_names_a_bucket_every_path_is_a_key() {
        let domains = ["s3.example".to_owned()];
        for (host, protocol) in [
            ("bucket.s3.example:9000", Protocol::S3),
            ("BUCKET.S3.EXAMPLE", Protocol::S3),
            ("s3.example:9000", Protocol::Plain),
            (".s3.example", Protocol::Plain),
            ("xs3.example", Protocol::Plain),
            ("127.0.0.1:9000", Protocol::Plain),
        ] {
            assert_eq!(Protocol::of(Some(host), "/_SUCCESS", &domains), protocol, "{host}");
        }
    }

    #[test]
    fn a_path_cannot_break_out_of_the_error_document() {
        assert_eq!(escape("</Resource>\u{1}&"), "&lt;/Resource&gt;?&amp;");
    }
}
