//! The deliveries of one webhook, one after the other (WH1).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tarn_catalog::events::{Follower, Position, RecordError};
use tarn_catalog::{Catalog, Seq};
use tokio::time::sleep;

use super::deliver::Failure;
use super::status::{Lost, State, lag};
use super::{Client, Definition, Mode, Status};

/// After the first try that failed; twice as long each time, up to the most.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// Events of a batch.
const BATCH_EVENTS_MAX: usize = 100;
/// Bytes of a batch, roughly: one that has so many takes no further event.
const BATCH_BYTES_MAX: usize = 256 << 10;

/// Delivers to one webhook until it is aborted.
pub(super) struct Worker {
    pub(super) id: Arc<str>,
    pub(super) catalog: Catalog,
    pub(super) source: Arc<str>,
    pub(super) client: Client,
    pub(super) definition: Definition,
    pub(super) status: Arc<Status>,
}

/// What is sent in one request.
struct Parcel {
    /// The id of its last event.
    id: String,
    events: Vec<Value>,
    /// Where the webhook stands when it is delivered.
    at: Position,
}

impl Worker {
    pub(super) async fn run(&self) {
        let mut follower = self.catalog.follow(self.status.at());
        let mut waiting = Waiting::default();
        loop {
            let parcel = match self.gather(&mut follower, &mut waiting).await {
                Ok(parcel) => parcel,
                Err(RecordError::Gone { oldest }) => self.gap(&mut follower, oldest),
                Err(error @ RecordError::Failed(_)) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(webhook.id = %self.id, %error, source, "a webhook waits for the log");
                    sleep(RETRY_AFTER).await;
                    continue;
                }
            };
            if !self.deliver(&parcel).await {
                return;
            }
            self.status.delivered(parcel.at, parcel.events.len());
            self.measure();
        }
    }

    /// The next events to send; waits for the first of them.
    async fn gather(&self, follower: &mut Follower, waiting: &mut Waiting) -> Result<Parcel, RecordError> {
        let most = match self.definition.mode {
            Mode::Single => 1,
            Mode::Batch => BATCH_EVENTS_MAX,
        };
        loop {
            let full = waiting.events.len() >= most || waiting.bytes >= BATCH_BYTES_MAX;
            if full || (!waiting.events.is_empty() && follower.is_at_end()) {
                return Ok(waiting.take(most));
            }
            let step = match follower.next().await {
                Ok(step) => step,
                // What was read lies before the trouble.
                Err(_) if !waiting.events.is_empty() => return Ok(waiting.take(most)),
                Err(error) => return Err(error),
            };
            for event in step.events.iter().filter(|event| self.definition.filter.passes(event)) {
                waiting.push(Position::Event(event.id), event.to_cloud_event(&self.source));
            }
            // Nothing of it waits, so it lies behind the webhook.
            if waiting.events.is_empty() {
                self.status.delivered(step.at, 0);
                self.measure();
            }
            tokio::task::consume_budget().await;
        }
    }

    /// Goes on with the oldest record, and says so (WH3).
    fn gap(&self, follower: &mut Follower, oldest: Seq) -> Parcel {
        let first = follower.at().next_record();
        let last = Seq(oldest.0.saturating_sub(1));
        let at = Position::Record(last);
        follower.seek(at);
        self.status.lost(Lost { from_record: first.0, to_record: last.0 });
        tracing::error!(webhook.id = %self.id, from = first.0, to = last.0, "a webhook fell behind the retained log");
        metrics::counter!("tarn_webhook_lost_records_total", "webhook" => self.id.to_string())
            .increment(last.0.saturating_sub(first.0) + 1);
        let id = format!("lost-{first}-{last}");
        let event = json!({
            "specversion": "1.0", "id": id, "source": *self.source, "type": "tarn.events.lost",
            "subject": *self.id, "datacontenttype": "application/json",
            "data": {"from-record": first.0, "to-record": last.0},
        });
        Parcel { id, events: vec![event], at }
    }

    /// Sends until it is taken; whether it was. Not, when the receiver wants nothing ever again.
    async fn deliver(&self, parcel: &Parcel) -> bool {
        loop {
            let failure = match self.client.send(&parcel.id, &parcel.events).await {
                Ok(()) => {
                    self.count("delivered");
                    return true;
                }
                Err(failure) => failure,
            };
            self.count("failed");
            self.measure();
            let gone = matches!(failure, Failure::Status { status: http::StatusCode::GONE, .. });
            let state = if gone { State::Gone } else { State::Retrying };
            let tries = self.status.failed(&failure, state);
            if tries == 1 || gone {
                tracing::warn!(webhook.id = %self.id, %failure, gone, "a webhook did not take an event");
            }
            if gone {
                return false;
            }
            sleep(pause(tries, &failure, rand::random())).await;
        }
    }

    fn count(&self, outcome: &'static str) {
        metrics::counter!("tarn_webhook_deliveries_total", "webhook" => self.id.to_string(), "outcome" => outcome)
            .increment(1);
    }

    fn measure(&self) {
        let lag = lag(self.status.at(), *self.catalog.watch().borrow());
        metrics::gauge!("tarn_webhook_lag_records", "webhook" => self.id.to_string()).set(lag as f64);
    }
}

/// Events that were read and not sent.
#[derive(Default)]
struct Waiting {
    events: std::collections::VecDeque<(Position, Value, usize)>,
    bytes: usize,
}

impl Waiting {
    fn push(&mut self, at: Position, event: Value) {
        let bytes = event.to_string().len();
        self.bytes += bytes;
        self.events.push_back((at, event, bytes));
    }

    /// The first ones: `most`, and not more bytes than fit, but one at least.
    fn take(&mut self, most: usize) -> Parcel {
        let mut parcel = Parcel { id: String::new(), events: Vec::new(), at: Position::START };
        let mut taken = 0;
        while parcel.events.len() < most
            && (taken < BATCH_BYTES_MAX || parcel.events.is_empty())
            && let Some((at, event, bytes)) = self.events.pop_front()
        {
            taken += bytes;
            self.bytes -= bytes;
            parcel.id = at.to_string();
            parcel.at = at;
            parcel.events.push(event);
        }
        parcel
    }
}

/// How long to wait before the next try: doubling, with a random half so that many webhooks of one receiver do not come
/// back together; never less than the receiver asks for. `random` is any number.
fn pause(tries: u32, failure: &Failure, random: u32) -> Duration {
    let doubled = RETRY_AFTER * 2_u32.pow(tries.saturating_sub(1).min(16));
    let full = doubled.min(RETRY_AFTER_MAX);
    let jittered = full / 2 + full.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0);
    match failure {
        Failure::Status { retry_after: Some(asked), .. } => jittered.max(*asked),
        Failure::Status { retry_after: None, .. } | Failure::Refused | Failure::Unreachable(_) => jittered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_are_never_shorter_than_asked() {
        let failure = Failure::Unreachable(String::new());
        let seconds = |tries, random| pause(tries, &failure, random).as_secs_f64();
        assert_eq!((seconds(1, 0), seconds(1, u32::MAX)), (0.5, 1.0));
        assert_eq!((seconds(4, 0), seconds(4, u32::MAX)), (4.0, 8.0));
        assert_eq!((seconds(u32::MAX, 0), seconds(u32::MAX, u32::MAX)), (150.0, 300.0));
        let busy = Failure::Status {
            status: http::StatusCode::TOO_MANY_REQUESTS,
            retry_after: Some(Duration::from_secs(77)),
        };
        assert_eq!(pause(1, &busy, 0).as_secs(), 77);
    }

    #[test]
    fn a_batch_takes_what_fits_and_always_one() {
        let mut waiting = Waiting::default();
        let at = |number| Position::Record(Seq(number));
        waiting.push(at(1), json!("x".repeat(2 * BATCH_BYTES_MAX)));
        for number in 2..=10 {
            waiting.push(at(number), json!(number));
        }
        let first = waiting.take(5);
        assert_eq!((first.events.len(), first.at), (1, at(1)));
        let second = waiting.take(5);
        assert_eq!((second.events.len(), second.at, second.id.as_str()), (5, at(6), "6"));
        assert_eq!(waiting.take(5).events.len(), 4);
        assert_eq!(waiting.bytes, 0);
    }
}
