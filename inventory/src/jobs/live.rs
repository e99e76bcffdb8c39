//! A run that has not ended, and what it has of the framework while it is at work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::definition::Definition;
use super::pace::Pace;
use super::rate::Samples;
use super::run::{Counts, Kept, Run, Seen};
use super::state::RunState;
use super::work::{Hold, Progress, Stopped, WorkError};
use super::{Inner, now_ms};

/// The longest checkpoint, in bytes as JSON.
const CHECKPOINT_BYTES_MAX: usize = 512 * 1024;

/// A run that has not ended.
pub(super) struct Live {
    pub(super) id: Uuid,
    pub(super) definition: Arc<Definition>,
    /// What is written down. Held while it is written anew, so that changes go one after the other.
    pub(super) kept: tokio::sync::Mutex<Kept>,
    shown: watch::Sender<Arc<Run>>,
    pub(super) progress: Arc<Progress>,
    stop: watch::Sender<Option<Stopped>>,
    attempt: Mutex<Attempt>,
    /// It was begun by an earlier process, and not resumed by this one yet.
    is_of_before: AtomicBool,
}

#[derive(Default)]
struct Attempt {
    /// J5.
    at_work: bool,
    samples: Samples,
}

impl Live {
    pub(super) fn found(mut kept: Kept) -> Self {
        if kept.run.state == RunState::Running {
            kept.run.state = RunState::Pending;
        }
        let progress = Arc::new(Progress::default());
        kept.run.counts.set(&progress);
        let is_of_before = kept.run.starts > 0;
        Self {
            id: kept.run.id,
            definition: kept.run.definition.clone(),
            shown: watch::Sender::new(Arc::new(kept.run.clone())),
            kept: tokio::sync::Mutex::new(kept),
            progress,
            stop: watch::Sender::new(None),
            attempt: Mutex::default(),
            is_of_before: AtomicBool::new(is_of_before),
        }
    }

    /// Why a run that was at work before begins again.
    pub(super) fn resumed_after(&self, run: &Run) -> Option<&'static str> {
        let is_of_before = self.is_of_before.swap(false, Ordering::Relaxed);
        match (run.starts, run.errors_in_row) {
            (0, _) => None,
            (_, 1..) => Some("error"),
            (_, 0) if is_of_before => Some("restart"),
            (_, 0) => Some("suspension"),
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Run>> {
        self.shown.subscribe()
    }

    pub(super) fn shown(&self) -> Arc<Run> {
        self.shown.borrow().clone()
    }

    pub(super) fn show(&self, run: &Run) {
        self.shown.send_replace(Arc::new(run.clone()));
    }

    pub(super) fn seen(&self) -> Seen {
        let mut run = Run::clone(&self.shown());
        let attempt = self.attempt();
        if !attempt.at_work {
            return Seen { run, items_per_second: None, remaining_seconds: None };
        }
        run.counts = Counts::of(&self.progress);
        let items_per_second = attempt.samples.rate(Instant::now(), run.counts.scanned);
        let left = run.counts.expected.saturating_sub(run.counts.scanned);
        let is_known = run.counts.expected > 0;
        let remaining_seconds =
            items_per_second.filter(|rate| is_known && *rate > 0.0).map(|rate| left as f64 / rate);
        Seen { run, items_per_second, remaining_seconds }
    }

    /// Tells the attempt at work to stop.
    pub(super) fn tell(&self, stop: Stopped) {
        if self.attempt().at_work {
            self.stop.send_replace(Some(stop));
        }
    }

    pub(super) fn is_at_work(&self) -> bool {
        self.attempt().at_work
    }

    /// Begins an attempt, unless one is at work (J5). It ends when what is answered is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Option<AtWork> {
        let mut attempt = self.attempt();
        if attempt.at_work {
            return None;
        }
        attempt.at_work = true;
        attempt.samples.clear();
        self.stop.send_replace(None);
        Some(AtWork(self.clone()))
    }

    fn attempt(&self) -> std::sync::MutexGuard<'_, Attempt> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt at work.
pub(super) struct AtWork(Arc<Live>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.attempt().at_work = false;
    }
}

impl Seen {
    pub(super) fn ended(run: Run) -> Self {
        Self { run, items_per_second: None, remaining_seconds: None }
    }
}

/// What a work at work asks of the framework.
pub(super) struct Holder {
    pub(super) inner: Arc<Inner>,
    pub(super) live: Arc<Live>,
    pub(super) pace: Pace,
}

#[async_trait]
impl Hold for Holder {
    async fn keep(&self, checkpoint: &Value) -> Result<(), WorkError> {
        let size = checkpoint.to_string().len();
        if size > CHECKPOINT_BYTES_MAX {
            let message =
                format!("a checkpoint of {size} bytes is longer than the {CHECKPOINT_BYTES_MAX} it may have");
            return Err(WorkError::Fatal(message, None));
        }
        let live = &*self.live;
        let mut kept = live.kept.lock().await;
        if let Some(stopped) = *live.stop.borrow() {
            return Err(stopped.into());
        }
        match kept.run.state {
            RunState::Running | RunState::Canceling | RunState::Failing => {}
            // Somebody changed it, and is about to tell the attempt.
            RunState::Pending | RunState::Suspended => return Err(Stopped::Suspended.into()),
            RunState::Completed | RunState::Canceled | RunState::Failed => {
                return Err(Stopped::Canceled.into());
            }
        }
        let counts = Counts::of(&live.progress);
        let run = Run { counts, errors_in_row: 0, updated_ms: now_ms(), ..kept.run.clone() };
        let next = Kept { run, checkpoint: Some(checkpoint.clone()) };
        if let Err(error) = self.inner.write_all(live, &mut kept, next).await {
            let message = "the checkpoint could not be written down";
            return Err(WorkError::Retry(message.into(), Some(Box::new(error))));
        }
        let kind = &live.definition.kind;
        metrics::counter!("tarn_job_checkpoints_total", "kind" => kind.clone()).increment(1);
        metrics::gauge!("tarn_job_last_checkpoint_timestamp_seconds", "kind" => kind.clone())
            .set(now_ms() as f64 / 1e3);
        Ok(())
    }

    async fn pace(&self, items: u64, bytes: u64) -> Result<(), Stopped> {
        let scanned = self.live.progress.scanned.load(Ordering::Relaxed);
        self.live.attempt().samples.take(Instant::now(), scanned);
        self.pace.take(items, bytes, self.live.stop.subscribe()).await
    }
}
