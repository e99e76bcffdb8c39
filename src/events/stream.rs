//! A stream of server-sent events, made as it is read: what the reader does not take is not made, so a slow reader
//! holds one commit's events in memory and no more.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use tarn_catalog::events::{Event, Follower, Position, RecordError, Step};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{AtEnd, Filter, Reader};

/// Between two signs of life. A proxy that closes silent connections waits longer than that.
const BEAT: Duration = Duration::from_secs(15);

/// What comes next in a stream.
enum Next {
    Stop,
    Beat,
    Step(Result<Step, RecordError>),
}

/// A stream that is open.
pub(super) struct Streaming {
    follower: Follower,
    filter: Filter,
    reader: Reader,
    source: Arc<str>,
    at_end: AtEnd,
    beat: Interval,
    stop: watch::Receiver<bool>,
    ended: bool,
    _slot: OwnedSemaphorePermit,
}

impl Streaming {
    pub(super) fn new(
        follower: Follower,
        (filter, reader): (Filter, Reader),
        source: Arc<str>,
        at_end: AtEnd,
        (stop, slot): (watch::Receiver<bool>, OwnedSemaphorePermit),
    ) -> Self {
        let mut beat = interval_at(Instant::now() + BEAT, BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { follower, filter, reader, source, at_end, beat, stop, ended: false, _slot: slot }
    }

    pub(super) fn into_body(self) -> Body {
        // The first bytes come at once: a client then knows that it is connected.
        let first = beat(self.follower.at());
        let rest = futures::stream::unfold(self, |mut streaming| async move {
            let part = streaming.part().await?;
            Some((part, streaming))
        });
        let all = futures::StreamExt::chain(futures::stream::once(async { first }), rest);
        Body::from_stream(futures::StreamExt::map(all, Ok::<_, std::convert::Infallible>))
    }

    /// What is sent next.
    async fn part(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        loop {
            if self.at_end == AtEnd::End && self.follower.is_at_end() {
                return Some(self.end("end-of-log", None));
            }
            let before = self.follower.at();
            let next = tokio::select! {
                biased;
                () = stopped(&mut self.stop) => Next::Stop,
                _ = self.beat.tick() => Next::Beat,
                step = self.follower.next() => Next::Step(step),
            };
            match next {
                Next::Stop => return Some(self.end("server-stops", None)),
                Next::Beat => match self.reader.at(Timestamp::now().as_second()) {
                    Some(_) => return Some(beat(self.follower.at())),
                    None => return Some(self.end("access-denied", None)),
                },
                Next::Step(Ok(step)) => {
                    let Some(text) = self.tell(&step.events) else {
                        // Who comes back with a key that counts has not missed it.
                        self.follower.seek(before);
                        return Some(self.end("access-denied", None));
                    };
                    if !text.is_empty() {
                        return Some(text.into());
                    }
                }
                Next::Step(Err(RecordError::Gone { oldest })) => {
                    return Some(self.end("position-gone", Some(oldest.0)));
                }
                Next::Step(Err(error @ RecordError::Failed(_))) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, source, at = %self.follower.at(), "a stream of events ended");
                    return Some(self.end("log-unreadable", None));
                }
            }
            tokio::task::consume_budget().await;
        }
    }

    /// What the reader is told of these; `None` when it may read no more.
    fn tell(&self, events: &[Event]) -> Option<String> {
        let passed: Vec<&Event> = events.iter().filter(|event| self.filter.passes(event)).collect();
        if passed.is_empty() {
            return Some(String::new());
        }
        let sight = self.reader.at(Timestamp::now().as_second())?;
        let seen = passed.into_iter().filter(|event| sight.shows(event));
        Some(seen.map(|event| part_of(event, &self.source)).collect())
    }

    /// The last words: why the stream ends, and where to go on.
    fn end(&mut self, reason: &str, oldest: Option<u64>) -> Bytes {
        self.ended = true;
        let at = self.follower.at();
        let data = json!({"reason": reason, "position": at.to_string(), "oldest-record": oldest});
        format!("event: end\nid: {at}\ndata: {data}\n\n").into()
    }
}

/// Ends when the server stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A closed channel: the server is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// JSON has no line breaks, so one `data` line is enough.
fn part_of(event: &Event, source: &str) -> String {
    format!("id: {}\ndata: {}\n\n", event.id, event.to_cloud_event(source))
}

/// A comment, and the position: a client keeps the id and sees no event.
fn beat(at: Position) -> Bytes {
    format!(": beat\nid: {at}\n\n").into()
}
