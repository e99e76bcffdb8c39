//! The stream of change events.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use tarn_openapi::access::Action;

use super::access::Caller;
use super::error::{ErrorBody, Failure};
use super::functions::SEPARATOR;
use super::params::Query;
use crate::events::{AtEnd, Begin, Filter, Reader};
use crate::server::Shared;

/// Where to begin, and what to see.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    /// The position to go on from: an event's id or a record's number, or `oldest`. Absent: what comes from now on. The
    /// header `Last-Event-ID` goes over it.
    after: Option<String>,
    /// Only events of this warehouse.
    warehouse: Option<String>,
    /// Only events of this namespace of it, and those inside; levels joined by 0x1F.
    namespace: Option<String>,
    /// Only these types, separated by commas; `tarn.table.*` is all of tables.
    r#type: Option<String>,
    /// `false`: the stream ends at the end of the log.
    #[serde(default = "yes")]
    follow: bool,
}

fn yes() -> bool {
    true
}

/// Streams changes as server-sent events, each a CloudEvent 1.0 in JSON. The last part of a stream that the server ends
/// has the event type `end` and says why.
#[utoipa::path(get, path = "/_admin/v1/events", tag = "Events", params(StreamQuery), responses(
    (status = 200, description = "The events", content_type = "text/event-stream"),
    (status = 400, description = "A parameter is not valid, or the position lies behind the end of the log",
        body = ErrorBody),
    (status = 403, description = "Not allowed", body = ErrorBody),
    (status = 410, description = "The position is older than the retained log; the message names the oldest",
        body = ErrorBody),
    (status = 503, description = "Too many streams are open", body = ErrorBody),
))]
pub(super) async fn stream(
    caller: Caller,
    State(program): Shared,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> Result<Response, Failure> {
    caller.may(Action::AdminStreamEvents)?;
    let StreamQuery { after, warehouse, namespace, r#type, follow } = query;
    let begin = begin(headers.get("last-event-id"), after.as_deref())?;
    let namespace = namespace.map(|levels| levels.split(SEPARATOR).map(str::to_owned).collect());
    let types = r#type.iter().flat_map(|types| types.split(','));
    let filter = Filter::new(warehouse, namespace, types);
    let filter = filter.map_err(|error| Failure::Invalid(error.to_string()))?;
    let at_end = if follow { AtEnd::Wait } else { AtEnd::End };
    let Caller { principal, sender, .. } = caller;
    let standing = program.identity.standing(&principal);
    let reader = Reader { principal, standing, sender, authorize: program.authorize.clone() };
    let mut response = Response::new(program.events.stream(begin, filter, reader, at_end).await?);
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx keeps answers back until they fill a buffer, unless it is told not to.
    fields.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn begin(last: Option<&HeaderValue>, after: Option<&str>) -> Result<Begin, Failure> {
    let last = last.map(|last| last.to_str().unwrap_or("unreadable"));
    match last.or(after) {
        None | Some("") => Ok(Begin::Now),
        Some("oldest") => Ok(Begin::Oldest),
        Some(text) => {
            let position = text.parse();
            position.map(Begin::After).map_err(|error| Failure::Invalid(format!("{error}")))
        }
    }
}
