//! One connection of the load generator: raw HTTP/1.1, keep-alive, responses read and dropped.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::sign::Signer;

/// Where to send requests, and as whom.
#[derive(Clone)]
pub struct Target {
    pub host: String,
    pub signer: Option<Signer>,
    /// Sent with every request, not signed.
    pub headers: Vec<(&'static str, String)>,
}

/// An answer: its status and bytes (kept only where asked).
pub struct Answer {
    pub status: StatusCode,
    pub etag: Option<String>,
    pub bytes: u64,
    pub body: Bytes,
}

/// What to do with a response body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Body,
    Nothing,
}

pub struct Connection {
    target: Target,
    sender: SendRequest<Full<Bytes>>,
}

impl Target {
    pub fn new(endpoint: &str) -> Result<Self> {
        let host = endpoint.strip_prefix("http://").context("the endpoint must begin with http://")?;
        Ok(Self { host: host.trim_end_matches('/').into(), signer: None, headers: Vec::new() })
    }

    pub async fn connect(&self) -> Result<Connection> {
        let stream =
            TcpStream::connect(&self.host).await.with_context(|| format!("connect to {}", self.host))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection { target: self.clone(), sender })
    }
}

impl Connection {
    /// Sends one request that is not signed, and shows every piece of the answer as it comes. The body is kept where it is
    /// an error's.
    pub async fn pieces(
        &mut self,
        method: &str,
        path: &str,
        body: Bytes,
        mut see: impl FnMut(&[u8]),
    ) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.target.host);
        for (name, value) in &self.target.headers {
            request = request.header(*name, value);
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        let mut stream = response.into_body();
        let (mut bytes, mut kept) = (0, Vec::new());
        while let Some(frame) = stream.frame().await {
            if let Ok(data) = frame?.into_data() {
                bytes += data.len() as u64;
                see(&data);
                if !status.is_success() {
                    kept.extend_from_slice(&data);
                }
            }
        }
        Ok(Answer { status, etag: None, bytes, body: kept.into() })
    }

    /// Sends one request and reads the whole answer.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        body: Bytes,
        keep: Keep,
    ) -> Result<Answer> {
        let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let mut request = Request::builder().method(method).uri(uri).header("host", &self.target.host);
        for (name, value) in &self.target.headers {
            request = request.header(*name, value);
        }
        if let Some(signer) = &self.target.signer {
            let signed = signer.sign(method, &self.target.host, path, query);
            request = request
                .header("x-amz-date", signed.date)
                .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
                .header("authorization", signed.authorization);
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        let etag = response.headers().get("etag").and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let mut stream = response.into_body();
        let (mut bytes, mut kept) = (0, Vec::new());
        while let Some(frame) = stream.frame().await {
            if let Ok(data) = frame?.into_data() {
                bytes += data.len() as u64;
                if keep == Keep::Body || !status.is_success() {
                    kept.extend_from_slice(&data);
                }
            }
        }
        Ok(Answer { status, etag, bytes, body: kept.into() })
    }

    /// As [`Connection::send`], where anything but 2xx is an error.
    pub async fn expect(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        body: Bytes,
        keep: Keep,
    ) -> Result<Answer> {
        let answer = self.send(method, path, query, body, keep).await?;
        if !answer.status.is_success() {
            bail!("{method} {path}?{query}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        Ok(answer)
    }
}
