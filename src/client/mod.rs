//! A client of a running server: signs requests with SigV4 and reads JSON answers.

pub(crate) mod engines;
pub(crate) mod events;
pub(crate) mod history;
pub(crate) mod inventory;
pub(crate) mod inventory_diff;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod maintenance;
pub(crate) mod migrate;
pub(crate) mod output;
pub(crate) mod sql;
pub(crate) mod status;
pub(crate) mod table_changes;
pub(crate) mod tables;
pub(crate) mod webhooks;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Response;
use serde_json::Value;

use crate::identity::{Secret, Signer};
use crate::server::credentials::{self, CredentialsError};

/// Time for a whole request.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest silence of a stream: the server gives a sign of life more often.
const SILENCE: Duration = Duration::from_secs(45);
/// Any: the server takes every region.
const REGION: &str = "us-east-1";

/// Why a request to the server failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The endpoint is no address.
    #[error("{endpoint:?} is not the address of a server, such as http://127.0.0.1:9000")]
    Endpoint {
        /// What was given.
        endpoint: String,
    },
    /// There is nothing to sign with.
    #[error(
        "no credentials: {file} is not there; set TARN_ROOT_ACCESS_KEY and TARN_ROOT_SECRET_KEY, or name a file \
         with --credentials"
    )]
    NoCredentials {
        /// The file that would hold them.
        file: String,
    },
    /// An access key is given, its secret is not.
    #[error("no secret for the access key {id:?}: set TARN_ROOT_SECRET_KEY")]
    NoSecret {
        /// The access key.
        id: String,
    },
    /// What should name a table does not.
    #[error("{name:?} names no table: namespace.table is expected")]
    TableName {
        /// What was given.
        name: String,
    },
    /// The credentials file cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Nobody answered.
    #[error("the server at {endpoint} cannot be reached (is it running? --endpoint names another)")]
    Unreachable {
        /// Its address.
        endpoint: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It does not exist.
    #[error("{message}")]
    NotFound {
        /// What the server said.
        message: String,
    },
    /// The credentials are wrong or may not do this.
    #[error("the server refused: {message}")]
    Denied {
        /// What the server said.
        message: String,
    },
    /// Another error of the server.
    #[error("the server answered {status}: {message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What the server said.
        message: String,
    },
    /// A stream of events ended before its end.
    #[error("the stream of events ended: {reason}; the last position is {last:?}")]
    Ended {
        /// Why.
        reason: String,
        /// Where to go on.
        last: String,
    },
    /// An answer ended before its end.
    #[error(
        "the server ended the answer early: the query met a limit or failed, and the server's log tells why"
    )]
    BrokenOff,
    /// The answer is not JSON.
    #[error("the answer of {path} is not what Tarn answers; is this a Tarn server?")]
    Answer {
        /// What was asked.
        path: String,
    },
}

/// A server and the key to talk to it with.
pub struct Connection {
    http: reqwest::Client,
    endpoint: String,
    host: String,
    signer: Signer,
}

impl Connection {
    /// Signs with `key` where one is given, else with the one in `file`.
    pub fn open(endpoint: &str, key: Option<(&str, String)>, file: &Path) -> Result<Self, ClientError> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let address = endpoint.parse::<http::Uri>().ok();
        let host = address.as_ref().filter(|uri| uri.scheme().is_some()).and_then(|uri| uri.authority());
        let host = host.ok_or_else(|| ClientError::Endpoint { endpoint: endpoint.clone() })?.to_string();
        let (id, secret) = match key {
            Some((id, secret)) => (id.to_owned(), Secret::new(secret)),
            None => {
                let kept = credentials::load(file)?;
                let none = || ClientError::NoCredentials { file: file.display().to_string() };
                let kept = kept.ok_or_else(none)?;
                (kept.access_key, kept.secret_key)
            }
        };
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build();
        let http = http.map_err(|source| ClientError::Unreachable { endpoint: endpoint.clone(), source })?;
        Ok(Self { http, endpoint, host, signer: Signer::s3(&id, secret, REGION) })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path, String::new()).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::POST, path, body.to_string()).await
    }

    /// POST of a text of JSON, sent as it is.
    pub async fn post_text(&self, path: &str, body: &str) -> Result<Value, ClientError> {
        self.send(Method::POST, path, body.to_owned()).await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::PUT, path, body.to_string()).await
    }

    /// PUT of a text of JSON, sent as it is.
    pub async fn put_text(&self, path: &str, body: &str) -> Result<Value, ClientError> {
        self.send(Method::PUT, path, body.to_owned()).await
    }

    /// PATCH with JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::PATCH, path, body.to_string()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::DELETE, path, String::new()).await
    }

    /// GET of a stream of server-sent events behind the one with the id `last`.
    pub(crate) async fn stream(&self, path: &str, last: Option<&str>) -> Result<Response, ClientError> {
        let mut request = self.signed(Method::GET, path, String::new())?;
        if let Some(last) = last.and_then(|last| last.parse().ok()) {
            request.headers_mut().insert("last-event-id", last);
        }
        let unreachable = |source| self.unreachable(source);
        let http =
            reqwest::Client::builder().read_timeout(SILENCE).no_proxy().build().map_err(unreachable)?;
        let response = http.execute(request).await.map_err(unreachable)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        answer(path, status, &bytes)?;
        Err(ClientError::Answer { path: path.into() })
    }

    /// POST of JSON whose answer is read as it comes. No timeout: the server has one.
    pub(crate) async fn post_for(
        &self,
        path: &str,
        body: &Value,
        (name, value): (HeaderName, &'static str),
    ) -> Result<Response, ClientError> {
        let mut request = self.signed(Method::POST, path, body.to_string())?;
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        let unreachable = |source| self.unreachable(source);
        let http = reqwest::Client::builder().no_proxy().build().map_err(unreachable)?;
        let response = http.execute(request).await.map_err(unreachable)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        answer(path, status, &bytes)?;
        Err(ClientError::Answer { path: path.into() })
    }

    /// GET of an object, to be read piece by piece.
    pub(crate) async fn object(&self, bucket: &str, key: &str) -> Result<Response, ClientError> {
        let path = format!("/{}/{}", path_segment(bucket), object_path(key));
        let request = self.signed(Method::GET, &path, String::new())?;
        let unreachable = |source| self.unreachable(source);
        let http =
            reqwest::Client::builder().read_timeout(SILENCE).no_proxy().build().map_err(unreachable)?;
        let response = http.execute(request).await.map_err(unreachable)?;
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND => {
                Err(ClientError::NotFound { message: format!("there is no object s3://{bucket}/{key}") })
            }
            // Errors of objects are XML; their status says enough.
            status => answer(&path, status, b"").and(Err(ClientError::Answer { path })),
        }
    }

    /// GET of an answer in a form; no timeout, the server has one.
    pub(crate) async fn fetch(&self, path: &str, form: &'static str) -> Result<Vec<u8>, ClientError> {
        let mut request = self.signed(Method::GET, path, String::new())?;
        request.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static(form));
        let unreachable = |source| self.unreachable(source);
        let http = reqwest::Client::builder().no_proxy().build().map_err(unreachable)?;
        let response = http.execute(request).await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        if !status.is_success() {
            answer(path, status, &bytes)?;
        }
        Ok(bytes.to_vec())
    }

    /// Whether there is an object.
    pub(crate) async fn has_object(&self, bucket: &str, key: &str) -> Result<bool, ClientError> {
        let path = format!("/{}/{}", path_segment(bucket), object_path(key));
        let request = self.signed(Method::HEAD, &path, String::new())?;
        let unreachable = |source| self.unreachable(source);
        let status = self.http.execute(request).await.map_err(unreachable)?.status();
        match status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            // A HEAD has no body that says more.
            status => answer(&path, status, b"").map(|_| false),
        }
    }

    async fn send(&self, method: Method, path: &str, body: String) -> Result<Value, ClientError> {
        let request = self.signed(method, path, body)?;
        let unreachable = |source| self.unreachable(source);
        let response = self.http.execute(request).await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        answer(path, status, &bytes)
    }

    pub(crate) fn unreachable(&self, source: reqwest::Error) -> ClientError {
        ClientError::Unreachable { endpoint: self.endpoint.clone(), source: source.without_url() }
    }

    fn signed(&self, method: Method, path: &str, body: String) -> Result<reqwest::Request, ClientError> {
        let invalid = || ClientError::Endpoint { endpoint: self.endpoint.clone() };
        let body = body.into_bytes();
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.endpoint));
        request = request.header("host", &self.host);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let (mut parts, ()) = request.body(()).map_err(|_| invalid())?.into_parts();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        self.signer.sign(&mut parts, &body, now);
        reqwest::Request::try_from(Request::from_parts(parts, body)).map_err(|_| invalid())
    }
}

fn answer(path: &str, status: StatusCode, bytes: &[u8]) -> Result<Value, ClientError> {
    let value = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(bytes) };
    if status.is_success() {
        return value.map_err(|_| ClientError::Answer { path: path.into() });
    }
    let message = value.ok().and_then(|value| value["error"]["message"].as_str().map(str::to_owned));
    let message = message.unwrap_or_else(|| status.to_string());
    match status {
        StatusCode::NOT_FOUND => Err(ClientError::NotFound { message }),
        // The server tells nobody which right is missing: that would tell what exists.
        StatusCode::FORBIDDEN if message == "access denied" => {
            let message = "access denied; `tarn admin why` tells an administrator what is missing".into();
            Err(ClientError::Denied { message })
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ClientError::Denied { message }),
        _ => Err(ClientError::Refused { status, message }),
    }
}

/// A key in a path: its slashes stay.
fn object_path(key: &str) -> String {
    key.split('/').map(path_segment).collect::<Vec<_>>().join("/")
}

/// Text as one segment of a path.
pub(crate) fn path_segment(text: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}
