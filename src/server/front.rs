//! The outermost service: gives a request its id, hands it to the program or says that it is starting,
//! turns a panic into an answer, and counts and logs what came out.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use http::{HeaderValue, Request, StatusCode, header};
use tarn_openapi::request::RequestId;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use super::foreground::InFlight;
use super::unread;
use crate::identity::answer::{self, Protocol};

/// Whether every request is logged, or failures only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestLog {
    All,
    Failures,
}

/// Answers requests. Before [`Front::open`] it answers 503 and does nothing.
pub(crate) struct Front {
    program: OnceLock<Router>,
    log: RequestLog,
    /// The names below which a host names a bucket.
    domains: Vec<String>,
    in_flight: Arc<InFlight>,
}

impl Front {
    pub(crate) fn new(log: RequestLog, domains: Vec<String>) -> Self {
        Self { program: OnceLock::new(), log, domains, in_flight: Arc::default() }
    }

    /// The S3 requests in flight.
    pub(crate) fn in_flight(&self) -> Arc<InFlight> {
        self.in_flight.clone()
    }

    /// From now on `program` answers.
    pub(crate) fn open(&self, program: Router) {
        let first = self.program.set(program).is_ok();
        assert!(first, "a server opens once");
    }

    pub(crate) async fn answer(self: Arc<Self>, mut request: Request<Body>) -> Response {
        let started = Instant::now();
        let id = RequestId(format!("{:016X}", rand::random::<u64>()).into());
        request.extensions_mut().insert(id.clone());
        let (method, path) = (request.method().clone(), told(request.uri().path()).to_owned());
        let protocol = Protocol::of(host(&request), request.uri().path(), &self.domains);
        request.extensions_mut().insert(protocol);
        let flight = (protocol == Protocol::S3).then(|| self.in_flight.begin());
        let span = tracing::info_span!("request", id = %id);
        let (request, unread) = unread::watch(request);
        let answered = AssertUnwindSafe(self.dispatch(request, protocol, &path, &id)).catch_unwind();
        let mut response = answered.instrument(span.clone()).await.unwrap_or_else(|panic| {
            tracing::error!(request.id = %id, %method, path, panic = panic_text(&*panic), "a request panicked");
            let message = "the server failed on this request";
            let code = internal_code(protocol);
            answer::error(protocol, StatusCode::INTERNAL_SERVER_ERROR, code, message, &path, &id)
        });
        if let Some(unread) = unread {
            unread.settle(&mut response).await;
        }
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert("x-amz-request-id", value);
        }
        let status = response.status();
        count(protocol, &method, status, started);
        let failed = status.is_server_error() && self.program.get().is_some();
        if self.log == RequestLog::All || failed {
            let elapsed_ms = started.elapsed().as_secs_f64() * 1e3;
            if failed {
                tracing::warn!(request.id = %id, %method, path, status = status.as_u16(), elapsed_ms, "request failed");
            } else {
                tracing::info!(request.id = %id, %method, path, status = status.as_u16(), elapsed_ms, "request");
            }
        }
        match flight {
            Some(flight) => flight.until_sent(response),
            None => response,
        }
    }

    async fn dispatch(
        &self,
        request: Request<Body>,
        protocol: Protocol,
        path: &str,
        id: &RequestId,
    ) -> Response {
        if protocol == Protocol::Plain && path == "/_health/live" {
            return StatusCode::OK.into_response();
        }
        match self.program.get() {
            Some(program) => program.clone().oneshot(request).await.unwrap_or_else(|never| match never {}),
            None => {
                let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, starting_code(protocol));
                let mut response = answer::error(protocol, status, code, "the server is starting", path, id);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
        }
    }
}

/// A path as logs and errors tell it: the code of an activation link is as good as the token behind it.
fn told(path: &str) -> &str {
    const ACTIVATION: &str = "/_delta-sharing/activation/";
    if path.starts_with(ACTIVATION) { ACTIVATION } else { path }
}

/// The host the client named: in HTTP/2 the authority of the URI.
fn host(request: &Request<Body>) -> Option<&str> {
    match request.headers().get(header::HOST) {
        Some(host) => host.to_str().ok(),
        None => request.uri().authority().map(|authority| authority.as_str()),
    }
}

fn internal_code(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::S3 | Protocol::Plain => "InternalError",
        Protocol::Sharing => "INTERNAL_ERROR",
        // Whether a commit took place is not known after a panic: the client must not clean up.
        Protocol::Iceberg => "CommitStateUnknownException",
    }
}

fn starting_code(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::S3 | Protocol::Plain => "ServiceUnavailable",
        Protocol::Sharing => "SERVICE_UNAVAILABLE",
        Protocol::Iceberg => "ServiceUnavailableException",
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

fn count(protocol: Protocol, method: &http::Method, status: StatusCode, started: Instant) {
    let protocol = match protocol {
        Protocol::S3 => "s3",
        Protocol::Iceberg => "iceberg",
        Protocol::Sharing => "sharing",
        Protocol::Plain => "admin",
    };
    // A method is free text of the client: only known ones become labels.
    let method = match *method {
        http::Method::GET => "GET",
        http::Method::HEAD => "HEAD",
        http::Method::PUT => "PUT",
        http::Method::POST => "POST",
        http::Method::DELETE => "DELETE",
        _ => "other",
    };
    let class = match status.as_u16() {
        100..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("tarn_http_requests_total", "protocol" => protocol, "method" => method, "status" => class)
        .increment(1);
    metrics::histogram!("tarn_http_response_head_seconds", "protocol" => protocol, "method" => method)
        .record(started.elapsed().as_secs_f64());
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body_util::BodyExt as _;

    use super::*;

    async fn ask(front: &Arc<Front>, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = front.clone().answer(request).await;
        assert!(response.headers().contains_key("x-amz-request-id"));
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn before_it_is_open_a_server_is_alive_and_refuses_work() {
        let front = Arc::new(Front::new(RequestLog::Failures, Vec::new()));
        assert_eq!(ask(&front, "/_health/live").await.0, StatusCode::OK);
        assert_eq!(ask(&front, "/_health/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
        let (status, body) = ask(&front, "/bucket/key").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("<Code>ServiceUnavailable</Code>"), "{body}");
    }

    #[tokio::test]
    async fn a_panic_is_answered_in_the_protocol_of_the_path() {
        async fn fail() -> StatusCode {
            panic!("for the test")
        }
        let front = Arc::new(Front::new(RequestLog::Failures, Vec::new()));
        front.open(Router::new().fallback(get(fail)));
        let (status, body) = ask(&front, "/bucket/key").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("<Code>InternalError</Code>") && !body.contains("for the test"), "{body}");
        assert!(ask(&front, "/_iceberg/v1/x").await.1.contains("CommitStateUnknownException"));
    }
}
