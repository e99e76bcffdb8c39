//! SQL: one question, one answer, streamed.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use tarn_openapi::access::Action;
use tarn_sql::{Answer, Format, Limits, QueryError, Question, Settings, Writer};
use tokio::time::Instant;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::params;
use crate::server::{AtWork, Shared};

/// The longest body, in bytes: the text of a query and what JSON escapes in it.
pub(super) const BODY_BYTES_MAX: usize = 512 << 10;

/// What is asked.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// One statement: SELECT, WITH, VALUES, EXPLAIN, DESCRIBE or SHOW.
    sql: String,
    /// The warehouse of names that give none; the server's default one when not given.
    warehouse: Option<String>,
    /// The namespace of names that give none, its levels separated by dots.
    namespace: Option<String>,
    /// An answer with more rows is an error; the setting `sql.rows` when not given.
    max_rows: Option<u64>,
    /// An answer with more bytes is an error, counted as Arrow holds them; the setting `sql.answer_mib` when not given.
    max_bytes: Option<u64>,
    /// A query that takes longer is ended; the setting `sql.seconds` when not given, and at most `sql.seconds_max`.
    timeout_seconds: Option<u64>,
}

/// Answers a query over the tables that the caller may read and the server's own state. The form is the one of the `Accept` header:
/// `application/json` (an array), `application/x-ndjson`, `text/csv`, `application/vnd.apache.arrow.stream` or
/// `application/vnd.apache.parquet`. An error after the first rows breaks the answer off.
#[utoipa::path(post, path = "/_admin/v1/sql", tag = "SQL", request_body = Query, responses(
    (status = 200, description = "The rows", content_type = "application/json"),
    (status = 400, description = "It is no SQL that is understood or allowed, or it met a limit", body = ErrorBody),
    (status = 403, description = "Not allowed", body = ErrorBody),
    (status = 406, description = "There is no such form of an answer", body = ErrorBody),
    (status = 503, description = "Too many queries run", body = ErrorBody),
))]
pub(super) async fn ask(
    caller: Caller,
    State(program): Shared,
    at_work: AtWork,
    headers: HeaderMap,
    body: params::Body<Query>,
) -> Result<Response, Failure> {
    caller.may(Action::InventoryQuery)?;
    let format = match headers.get(header::ACCEPT) {
        Some(accept) => Format::accepted(accept.to_str().unwrap_or("unreadable")),
        None => Ok(Format::Json),
    };
    let format = format.map_err(|unknown| Failure::NotAcceptable(unknown.to_string()))?;
    let question = body.0?.question(&program.warehouse, program.sql.settings())?;
    // A query is silent while it computes, and its connection is not idle.
    let end = Instant::now() + program.sql.settings().turn_wait + question.limits.time;
    let work = at_work.until(end);
    let mut answer = program.sql.query(question, caller.asker()).await?;
    let writer = Writer::new(format, answer.schema()).map_err(|error| Failure::Invalid(error.to_string()))?;
    // What fails at once is told with its status.
    let first = answer.try_next().await?;
    drop(work);
    let rows = stream::iter(first.map(Ok)).chain(answer);
    let mut response = Body::from_stream(written(writer, rows, (at_work, end))).into_response();
    let media_type = HeaderValue::from_static(format.media_type());
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

impl Query {
    fn question(self, warehouse: &str, settings: &Settings) -> Result<Question, Failure> {
        let usual = settings.limits;
        let time = self.timeout_seconds.map_or(usual.time, Duration::from_secs);
        if time > settings.time_max {
            let most = settings.time_max.as_secs();
            return Err(Failure::Invalid(format!("timeout_seconds is at most {most}")));
        }
        let limits = Limits {
            rows: self.max_rows.unwrap_or(usual.rows),
            bytes: self.max_bytes.unwrap_or(usual.bytes),
            time,
        };
        let warehouse = self.warehouse.unwrap_or_else(|| warehouse.to_owned());
        Ok(Question { sql: self.sql, warehouse, namespace: self.namespace, limits })
    }
}

/// The answer in its form. An error ends the connection: a client must not take half an answer for a whole one.
fn written(
    writer: Writer,
    rows: impl Stream<Item = <Answer as Stream>::Item> + Send + Unpin + 'static,
    (at_work, end): (AtWork, Instant),
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let broken = |error: &dyn std::error::Error| {
        tracing::info!(%error, "a query ended early");
        std::io::Error::other("the query ended early")
    };
    stream::try_unfold(Some((writer, rows, at_work)), move |state| async move {
        let Some((mut writer, mut rows, at_work)) = state else { return Ok(None) };
        let work = at_work.until(end);
        let batch = rows.next().await;
        drop(work);
        match batch {
            Some(Ok(batch)) => {
                let bytes = writer.write(&batch).map_err(|error| broken(&error))?;
                Ok(Some((bytes, Some((writer, rows, at_work)))))
            }
            Some(Err(error)) => Err(broken(&error)),
            None => {
                let bytes = writer.finish().map_err(|error| broken(&error))?;
                Ok(Some((bytes, None)))
            }
        }
    })
    .try_filter(|bytes| std::future::ready(!bytes.is_empty()))
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

/// The answer to a query that was not answered.
pub(super) fn query_error(error: &QueryError) -> (StatusCode, &'static str, String) {
    let bad = StatusCode::BAD_REQUEST;
    let (status, code) = match error {
        QueryError::Syntax(_) => (bad, "InvalidSyntax"),
        QueryError::NotAllowed(_) => (bad, "NotAllowed"),
        QueryError::Invalid(_) => (bad, "InvalidQuery"),
        QueryError::Unsupported(_) => (bad, "NotImplemented"),
        QueryError::Limit(_) => (bad, "LimitExceeded"),
        QueryError::Values(_) => (bad, "InvalidValue"),
        QueryError::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        QueryError::Failed(_, source) => {
            tracing::error!(%error, source = source.as_deref().map(tracing::field::display), "a query failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
    };
    (status, code, error.to_string())
}
