//! Answers and their headers; the one place where failures become answers.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use uuid::Uuid;

use super::queries::Progress;
use crate::access::Refusal;
use crate::protocol::{Failure, FileIds, Format, Kind};
use crate::table::TableError;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const VERSION: HeaderName = HeaderName::from_static("delta-table-version");
const CAPABILITIES: HeaderName = HeaderName::from_static("delta-sharing-capabilities");
const FILE_IDS: HeaderName = HeaderName::from_static("fileidhash");
const IGNORED: HeaderName = HeaderName::from_static("tarn-ignored-hints");
/// The most bytes of the header of ignored hints.
const IGNORED_BYTES_MAX: usize = 2000;

/// What the headers of lines say.
pub(super) struct Told {
    /// The table's version.
    pub(super) version: i64,
    /// The format of the lines.
    pub(super) format: Format,
    /// Whether a line at the end was asked for by capability, and comes.
    pub(super) end_line: bool,
    /// How files are named, when it was asked for.
    pub(super) ids: Option<FileIds>,
    /// Hints that were not followed.
    pub(super) ignored: Vec<String>,
}

/// Whether the client takes gzip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// It does.
    Gzip,
    /// It takes what is written.
    Identity,
}

/// An answer of JSON.
pub(super) fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_string(body).expect("texts and numbers always become JSON");
    let headers = [(header::CONTENT_TYPE, JSON), (header::CACHE_CONTROL, NO_STORE)];
    (headers, body).into_response()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusLine<'a> {
    query_status: QueryStatus<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueryStatus<'a> {
    query_id: Uuid,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

/// An answer that tells how far a query is that is not answered.
pub(super) fn status(query_id: Uuid, progress: &Progress) -> Response {
    let (status, error_message) = match progress {
        // One that is ready is answered when it is asked for next.
        Progress::Pending | Progress::Ready => ("pending", None),
        Progress::Failed(message) => ("failed", Some(message.as_str())),
    };
    let line = StatusLine { query_status: QueryStatus { query_id, status, error_message } };
    let mut body = serde_json::to_string(&line).expect("texts and numbers always become JSON");
    body.push('\n');
    let asynchronous = HeaderValue::from_static("asyncquery=true");
    let headers =
        [(header::CONTENT_TYPE, LINES), (header::CACHE_CONTROL, NO_STORE), (CAPABILITIES, asynchronous)];
    (headers, body).into_response()
}

/// An answer that is a version's number, and no body.
pub(super) fn number(version: i64) -> Response {
    ([(VERSION, HeaderValue::from(version)), (header::CACHE_CONTROL, NO_STORE)], Body::empty())
        .into_response()
}

/// An answer of lines.
pub(super) fn lines(told: &Told, coding: Coding, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, LINES);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(VERSION, HeaderValue::from(told.version));
    let end = if told.end_line { ";includeendstreamaction=true" } else { "" };
    insert_text(headers, CAPABILITIES, &format!("responseformat={}{end}", told.format.name()));
    if let Some(ids) = told.ids {
        headers.insert(FILE_IDS, HeaderValue::from_static(ids.echo()));
    }
    if !told.ignored.is_empty() {
        let mut ignored = told.ignored.join("; ");
        ignored.retain(|char| matches!(char, ' '..='~'));
        ignored.truncate(IGNORED_BYTES_MAX);
        insert_text(headers, IGNORED, &ignored);
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    match coding {
        Coding::Gzip => {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Coding::Identity => {}
    }
    response
}

fn insert_text(headers: &mut http::HeaderMap, name: HeaderName, text: &str) {
    headers.insert(name, HeaderValue::from_str(text).expect("printable ASCII is fit for a header"));
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, _) = self.kind.wire();
        let headers = [(header::CONTENT_TYPE, JSON), (header::CACHE_CONTROL, NO_STORE)];
        let mut response = (status, headers, self.body()).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (kind, retry_after_s) = match refusal {
            Refusal::Missing | Refusal::Invalid | Refusal::Expired => (Kind::Unauthenticated, None),
            Refusal::Address => (Kind::Forbidden, None),
            Refusal::Rate { retry_after_s } => (Kind::Throttled, Some(retry_after_s)),
            Refusal::Unavailable => (Kind::Unavailable, None),
        };
        Self { kind, message: refusal.to_string(), retry_after_s }
    }
}

/// What a reader is told of a table that cannot be. Where something lies is for the log.
pub(super) fn untold(error: &TableError, missing: impl FnOnce() -> Failure) -> Failure {
    match error {
        TableError::NoSuchTable => missing(),
        TableError::NoSuchVersion { .. } => Failure::invalid(error.to_string()),
        TableError::Unsupported(_) => Failure::unsupported(error.to_string()),
        TableError::TooLarge { .. } => Failure::new(Kind::TooLarge, error.to_string()),
        TableError::Outside => Failure::new(Kind::Forbidden, error.to_string()),
        TableError::Busy { retry_after_s } => Failure {
            retry_after_s: Some(*retry_after_s),
            ..Failure::new(Kind::Unavailable, error.to_string())
        },
        TableError::Invalid(reason) => {
            tracing::warn!(reason, "a shared table is damaged");
            Failure::unsupported("the table is damaged; please contact your share provider")
        }
        TableError::Store(source) => {
            tracing::error!(error = %source, "a file of a shared table could not be read");
            Failure::internal()
        }
    }
}
