//! S3 as a client: signed requests to one endpoint.

mod calls;
mod headers;
mod xml;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Body, Response, Url};
use tarn_inventory::batch::{Endpoint, ItemError, Style};

pub(super) use self::calls::{Head, Part, md5_of};
pub(super) use self::headers::{read_attributes, write_attributes};
use super::{Reach, client, unreachable, url};
use crate::identity::{Secret, Signer};

/// What an endpoint may take for an answer without a body, and how slowly bodies may move.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const BYTES_PER_SECOND_MIN: u64 = 128 << 10;
/// The longest answer that is no object, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// The payload of requests: what they carry is told by its MD5 where that is known.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who asks.
pub(super) struct Keys {
    pub(super) access_key: String,
    pub(super) secret_key: Secret,
    pub(super) session_token: Option<Secret>,
}

/// An endpoint.
pub(super) struct S3 {
    http: reqwest::Client,
    base: Url,
    is_in_host: bool,
    signer: Signer,
    token: Option<Secret>,
}

/// A request.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) headers: HeaderMap,
    /// A body and its length in bytes.
    pub(super) body: Option<(Body, u64)>,
    /// How many bytes of an object are moved, either way.
    pub(super) bytes: u64,
}

impl<'a> Asked<'a> {
    pub(super) fn new(method: Method, bucket: &'a str, key: &'a str) -> Self {
        let (query, headers) = (Vec::new(), HeaderMap::new());
        Self { method, bucket, key, query, headers, body: None, bytes: 0 }
    }
}

impl S3 {
    pub(super) fn new(endpoint: &Endpoint, keys: Keys, reach: Reach) -> Result<Self, String> {
        let base = url(&endpoint.url)?;
        if base.path() != "/" || base.query().is_some() {
            return Err("the endpoint has no path and no query".into());
        }
        let is_in_host = match endpoint.style {
            Style::Auto => base.host_str().is_some_and(|host| host.ends_with(".amazonaws.com")),
            Style::Path => false,
            Style::Host => true,
        };
        let http = client(reach).read_timeout(ANSWER_TIMEOUT).build().map_err(unreachable)?;
        let Keys { access_key, secret_key, session_token } = keys;
        let signer = Signer::s3(&access_key, secret_key, &endpoint.region);
        Ok(Self { http, base, is_in_host, signer, token: session_token })
    }

    /// Sends a request. Answers what was answered if that is a success.
    pub(super) async fn send(&self, asked: Asked<'_>) -> Result<Response, ItemError> {
        let bytes = asked.bytes;
        let request = self.signed(asked)?;
        let timeout = ANSWER_TIMEOUT + Duration::from_secs(bytes / BYTES_PER_SECOND_MIN);
        let request = reqwest::RequestBuilder::from_parts(self.http.clone(), request).timeout(timeout);
        let response = request.send().await.map_err(lost)?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    fn signed(&self, asked: Asked<'_>) -> Result<reqwest::Request, ItemError> {
        let (target, host) = self.target(&asked)?;
        let mut parts = Request::builder().method(asked.method).uri(target.as_str());
        let headers = parts.headers_mut().ok_or_else(|| invalid("the request cannot be made"))?;
        *headers = asked.headers;
        let mut insert = |name: &'static str, value: &str| {
            let value =
                HeaderValue::from_str(value).map_err(|_| invalid(&format!("{name} cannot be sent")))?;
            headers.insert(HeaderName::from_static(name), value);
            Ok::<_, ItemError>(())
        };
        insert("host", &host)?;
        if let Some(token) = &self.token {
            insert("x-amz-security-token", token.expose())?;
        }
        let length = asked.body.as_ref().map(|(_, length)| *length);
        let (mut parts, ()) = parts.body(()).map_err(|_| invalid("the request cannot be made"))?.into_parts();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        self.signer
            .sign_as(&mut parts, UNSIGNED, now)
            .ok_or_else(|| invalid("the request cannot be signed"))?;
        if let Some(length) = length {
            parts.headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        let body = asked.body.map_or_else(Body::default, |(body, _)| body);
        let request = reqwest::Request::try_from(Request::from_parts(parts, body));
        let request = request.map_err(|_| invalid("the request cannot be made"))?;
        // Whoever makes requests of URLs takes `.` and `..` for steps: the request would be for another object.
        if request.url().path() != target.path() || request.url().query() != target.query() {
            return Err(invalid("a key with a part '.' or '..' cannot be asked for"));
        }
        Ok(request)
    }

    /// The URL of a request as it must arrive, and the host it names.
    fn target(&self, asked: &Asked<'_>) -> Result<(Target, String), ItemError> {
        let host = self.base.host_str().unwrap_or_default();
        let host = self.base.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let key = asked.key.split('/').map(encoded).collect::<Vec<_>>().join("/");
        let bucket = encoded(asked.bucket);
        let (host, path) = match self.is_in_host {
            true => (format!("{bucket}.{host}"), format!("/{key}")),
            false if asked.key.is_empty() => (host, format!("/{bucket}")),
            false => (host, format!("/{bucket}/{key}")),
        };
        let query = asked.query.iter().map(|(name, value)| match &**value {
            "" => (*name).to_owned(),
            value => format!("{name}={}", encoded(value)),
        });
        let query = query.collect::<Vec<_>>().join("&");
        Ok((Target::new(&format!("{}://{host}", self.base.scheme()), &path, &query), host))
    }
}

/// A URL whose path is not made simpler.
struct Target {
    whole: String,
    path: String,
    query: Option<String>,
}

impl Target {
    fn new(base: &str, path: &str, query: &str) -> Self {
        let query = (!query.is_empty()).then(|| query.to_owned());
        let behind = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        Self { whole: format!("{base}{path}{behind}"), path: path.to_owned(), query }
    }

    fn as_str(&self) -> &str {
        &self.whole
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

fn invalid(message: &str) -> ItemError {
    ItemError { code: "InvalidRequest", status: 400, message: message.to_owned(), may_work_later: false }
}

/// Nothing answered, or not to the end.
pub(super) fn lost(error: reqwest::Error) -> ItemError {
    let message = format!("the endpoint cannot be reached: {}", unreachable(error));
    ItemError { code: "ServiceUnavailable", status: 503, message, may_work_later: true }
}

/// What an endpoint says that does not do it.
async fn refusal(response: Response) -> ItemError {
    let status = response.status();
    let told = body(response).await.ok().and_then(|text| xml::error(&text));
    let told = told.unwrap_or_default();
    let code = match (status, &*told.code) {
        (_, "NoSuchBucket") => "NoSuchBucket",
        (StatusCode::NOT_FOUND, _) => "NoSuchKey",
        (StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, _) => "AccessDenied",
        (StatusCode::PRECONDITION_FAILED, _) => "PreconditionFailed",
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => "SlowDown",
        (_, "BadDigest") => "BadDigest",
        _ => "EndpointError",
    };
    let may_work_later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    let message = format!("the endpoint answered {status} {} {}", told.code, told.message);
    ItemError { code, status: status.as_u16(), message: message.trim_end().to_owned(), may_work_later }
}

/// The bytes of an answer that is no object.
async fn body(mut response: Response) -> Result<Bytes, ItemError> {
    let mut whole = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if whole.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(invalid("the endpoint's answer is too long"));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}
