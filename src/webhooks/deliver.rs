//! One request to a receiver.

use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::sign::sign;
use super::{Definition, Mode};
use crate::outbound::{self, Reach};

/// The longest `Retry-After` that is followed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Sends to one webhook.
pub(crate) struct Client {
    /// `None`: the URL names an address that is not allowed, or TLS cannot be had.
    http: Result<reqwest::Client, Failure>,
    definition: Definition,
}

/// Why a receiver has not taken what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The address of the URL is not allowed (WH4).
    #[error("the address is not a public one, and webhooks.allow_private is not set")]
    Refused,
    /// Nothing answered, or not in time; why.
    #[error("{0}")]
    Unreachable(String),
    /// It answered, and not with 2xx.
    #[error("the receiver answered {status}")]
    Status {
        status: StatusCode,
        /// What it asks to wait.
        retry_after: Option<Duration>,
    },
}

impl Client {
    pub(super) fn new(definition: &Definition, reach: Reach) -> Self {
        let http = match definition.is_refused(reach) {
            true => Err(Failure::Refused),
            false => outbound::client(reach)
                .timeout(definition.timeout)
                .build()
                .map_err(|error| unreachable(&error)),
        };
        Self { http, definition: definition.clone() }
    }

    /// Sends `events`, none of which is empty; `id` names the message, and is the same when it is sent again.
    pub(super) async fn send(&self, id: &str, events: &[Value]) -> Result<(), Failure> {
        let http = self.http.as_ref().map_err(Clone::clone)?;
        let (kind, body) = match (self.definition.mode, events) {
            (Mode::Single, [event]) => ("application/cloudevents+json; charset=utf-8", event.to_string()),
            (Mode::Single | Mode::Batch, events) => {
                ("application/cloudevents-batch+json; charset=utf-8", json!(events).to_string())
            }
        };
        let timestamp = Timestamp::now().as_second();
        let signature = sign(&self.definition.key(), id, timestamp, body.as_bytes());
        let request = http
            .post(&self.definition.url)
            .header(header::CONTENT_TYPE, kind)
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature)
            .body(body);
        // What a receiver says beside its status is not read.
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        Err(Failure::Status { status, retry_after: retry_after(response.headers()) })
    }

    /// Sends an event that tells of no change; how long that took.
    pub(super) async fn test(&self, id: &str, source: &str) -> Result<Duration, Failure> {
        let message = format!("test-{}", uuid::Uuid::new_v4());
        let event = json!({
            "specversion": "1.0", "id": message, "source": source, "type": "tarn.webhook.test", "subject": id,
            "time": format!("{:.3}", Timestamp::now()), "datacontenttype": "application/json",
            "data": {"webhook": id},
        });
        let began = Instant::now();
        self.send(&message, &[event]).await?;
        Ok(began.elapsed())
    }
}

/// The kind of failure, without the URL: that is shown where it belongs.
fn unreachable(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::Unreachable("the receiver did not answer in time".into());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    Failure::Unreachable(format!("the receiver cannot be reached: {cause}"))
}

/// Seconds; a date is not understood.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}
