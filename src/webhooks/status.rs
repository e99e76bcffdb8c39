//! How a webhook does.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tarn_catalog::Seq;
use tarn_catalog::events::Position;

use super::DeliveryFailure;

/// Where a webhook stands, and what happened last.
pub(crate) struct Status {
    inner: Mutex<Inner>,
}

struct Inner {
    at: Position,
    state: State,
    sent: u64,
    failures_in_row: u32,
    last_sent_ms: Option<i64>,
    last_failure: Option<(i64, String)>,
    lost: Option<Lost>,
}

/// What a webhook does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WebhookState)]
pub(crate) enum State {
    /// Nothing waits, or what waits is being sent.
    Delivering,
    /// The last try failed; the next one comes by itself.
    Retrying,
    /// The receiver answered 410: nothing is sent until the webhook is put again.
    Gone,
    /// It is switched off.
    Disabled,
}

/// Records that a webhook will never be told of: they left the retained log before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = WebhookLost)]
pub(crate) struct Lost {
    /// The first of them.
    pub(crate) from_record: u64,
    /// The last of them.
    pub(crate) to_record: u64,
}

/// A status, as it is shown.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = WebhookStatus)]
pub(crate) struct Shown {
    state: State,
    /// Everything up to there was delivered.
    position: String,
    /// Records of the log behind that position; not all of them hold events for it.
    lag_records: u64,
    /// Events that were delivered since the server started.
    events_sent: u64,
    /// Tries that failed since the last one that did not.
    failures_in_row: u32,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sent_ms: Option<i64>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<String>,
    /// The last gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<Lost>,
}

impl Status {
    pub(super) fn new(at: Position) -> Self {
        let inner = Inner {
            at,
            state: State::Delivering,
            sent: 0,
            failures_in_row: 0,
            last_sent_ms: None,
            last_failure: None,
            lost: None,
        };
        Self { inner: Mutex::new(inner) }
    }

    /// Everything up to there was delivered.
    pub(super) fn at(&self) -> Position {
        self.lock().at
    }

    /// Events that were delivered.
    pub(super) fn sent(&self) -> u64 {
        self.lock().sent
    }

    /// `events` more were delivered; none, when only records without events for it lie behind.
    pub(super) fn delivered(&self, at: Position, events: usize) {
        let mut inner = self.lock();
        inner.at = at;
        if events > 0 {
            inner.state = State::Delivering;
            inner.sent += events as u64;
            inner.failures_in_row = 0;
            inner.last_sent_ms = Some(Timestamp::now().as_millisecond());
        }
    }

    /// A try failed; how many have in a row.
    pub(super) fn failed(&self, failure: &DeliveryFailure, state: State) -> u32 {
        let mut inner = self.lock();
        inner.state = state;
        inner.failures_in_row = inner.failures_in_row.saturating_add(1);
        inner.last_failure = Some((Timestamp::now().as_millisecond(), failure.to_string()));
        inner.failures_in_row
    }

    pub(super) fn lost(&self, lost: Lost) {
        self.lock().lost = Some(lost);
    }

    pub(super) fn disabled(&self) {
        self.lock().state = State::Disabled;
    }

    pub(super) fn show(&self, end: Seq) -> Shown {
        let inner = self.lock();
        Shown {
            state: inner.state,
            position: inner.at.to_string(),
            lag_records: lag(inner.at, end),
            events_sent: inner.sent,
            failures_in_row: inner.failures_in_row,
            last_sent_ms: inner.last_sent_ms,
            last_failure_ms: inner.last_failure.as_ref().map(|(at, _)| *at),
            last_failure: inner.last_failure.as_ref().map(|(_, why)| why.clone()),
            lost: inner.lost,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records that lie ahead of a position, the one it is in the middle of included.
pub(super) fn lag(at: Position, end: Seq) -> u64 {
    end.0.saturating_sub(at.next_record().0 - 1)
}
