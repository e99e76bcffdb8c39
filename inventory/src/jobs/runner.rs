//! The schedule and the attempts: what is due begins, what waits gets a slot, what ended is written down.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::Value;

use super::changes::RunNow;
use super::live::{AtWork, Holder, Live};
use super::pace::Pace;
use super::run::{Counts, Kept, Run, Wanted};
use super::state::{RunEvent, RunState};
use super::work::{Context, Ended, Stopped, Work, WorkError};
use super::{Inner, now_ms};

/// The longest time between two looks at what is due.
const LOOK_MAX: Duration = Duration::from_secs(60);
/// How long to wait before what the catalog refused is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest outcome of a run, in bytes as JSON.
const OUTCOME_BYTES_MAX: usize = 256 * 1024;

/// What an attempt is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Run,
    Discard(Ended),
}

impl Inner {
    /// The schedule.
    pub(super) async fn serve(self: Arc<Self>) {
        let mut closing = self.closing.subscribe();
        loop {
            let wait = self.look(now_ms()).await;
            tokio::select! {
                _ = closing.wait_for(|closing| *closing) => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Begins what is due and gives slots to what waits. Answers when to look again.
    async fn look(self: &Arc<Self>, now_ms: i64) -> Duration {
        let mut next_ms = now_ms.saturating_add(LOOK_MAX.as_millis() as i64);
        for definition in self.definitions() {
            let last_ms = self.lock().last_ms.get(&definition.name).copied();
            let Some(due_ms) = definition.due_ms(last_ms) else { continue };
            if due_ms > now_ms {
                next_ms = next_ms.min(due_ms);
                continue;
            }
            match self.begin_run(&definition.name, Wanted::Schedule).await {
                // The end of a run looks here again.
                Ok(_) | Err(RunNow::AtWork(_) | RunNow::NoSuchJob(_)) => {}
                Err(RunNow::Commit(error)) => {
                    tracing::warn!(job = definition.name, %error, "a run that is due was not begun");
                    next_ms = next_ms.min(now_ms + AGAIN.as_millis() as i64);
                }
            }
        }
        let waiting = self.give_slots(now_ms).await;
        next_ms = next_ms.min(waiting.unwrap_or(next_ms));
        Duration::from_millis(next_ms.saturating_sub(now_ms).max(1) as u64)
    }

    /// Answers when the first of those that wait after an error may go on.
    async fn give_slots(self: &Arc<Self>, now_ms: i64) -> Option<i64> {
        let live: Vec<Arc<Live>> = self.lock().live.values().cloned().collect();
        let suspended = live.iter().filter(|live| live.shown().state == RunState::Suspended).count();
        let at_work = live.iter().filter(|live| live.is_at_work()).count();
        let mut waiting: Vec<(Arc<Live>, Arc<Run>, Task)> = Vec::new();
        for live in live.into_iter().filter(|live| !live.is_at_work()) {
            let run = live.shown();
            let Some(task) = task(run.state) else { continue };
            waiting.push((live, run, task));
        }
        metrics::gauge!("tarn_jobs_suspended").set(suspended as f64);
        metrics::gauge!("tarn_jobs_at_work").set(at_work as f64);
        metrics::gauge!("tarn_jobs_waiting").set(waiting.len() as f64);
        let later = waiting.iter().map(|(_, run, _)| run.not_before_ms).filter(|at_ms| *at_ms > now_ms).min();
        waiting.retain(|(_, run, _)| run.not_before_ms <= now_ms);
        waiting.sort_by_key(|(live, _, task)| turn(live, *task));
        let mut later = later;
        for (live, _, task) in waiting.into_iter().take(self.settings.slots.saturating_sub(at_work)) {
            let again = self.start(live, task).await;
            later = later.into_iter().chain(again).min();
        }
        later
    }

    /// Answers when to try again what the catalog refused.
    async fn start(self: &Arc<Self>, live: Arc<Live>, meant: Task) -> Option<i64> {
        let mut kept = live.kept.lock().await;
        if *self.closing.borrow() || task(kept.run.state) != Some(meant) {
            return None;
        }
        let at_work = live.begin()?;
        kept.run.counts.set(&live.progress);
        if meant == Task::Run {
            let resumed_after = live.resumed_after(&kept.run);
            let run = kept.run.after(RunEvent::Start, now_ms()).ok()?;
            if let Err(error) = self.write(&live, &mut kept, run).await {
                tracing::warn!(run.id = %live.id, %error, "a run could not be begun");
                kept.run.not_before_ms = now_ms() + AGAIN.as_millis() as i64;
                live.show(&kept.run);
                return Some(kept.run.not_before_ms);
            }
            let kind = live.definition.kind.clone();
            metrics::counter!("tarn_job_starts_total", "kind" => kind.clone()).increment(1);
            if let Some(cause) = resumed_after {
                metrics::counter!("tarn_job_resumes_total", "kind" => kind, "cause" => cause).increment(1);
            }
        }
        let kept_then = kept.clone();
        drop(kept);
        let inner = self.clone();
        self.spawn(async move { inner.attempt(live, at_work, meant, kept_then).await });
        None
    }

    async fn attempt(self: Arc<Self>, live: Arc<Live>, at_work: AtWork, task: Task, kept: Kept) {
        let before = kept.run.counts;
        let ended = match self.works.get(&*live.definition.kind) {
            Some(work) => self.work(work.clone(), &live, task, kept).await,
            None => {
                let message = format!("this server has no kind of job '{}'", live.definition.kind);
                Err(WorkError::Fatal(message, None))
            }
        };
        count(&live, before);
        self.settle(&live, task, ended).await;
        drop(at_work);
        self.wake.notify_one();
    }

    async fn work(
        self: &Arc<Self>,
        work: Arc<dyn Work>,
        live: &Arc<Live>,
        task: Task,
        kept: Kept,
    ) -> Result<Value, WorkError> {
        let definition = &live.definition;
        let pace = Pace::new(self.shared.clone(), definition.items_per_second_max, work.kind());
        let context = Context {
            definition: definition.clone(),
            run: live.id,
            started_ms: kept.run.started_ms.unwrap_or(kept.run.created_ms),
            checkpoint: kept.checkpoint,
            progress: live.progress.clone(),
            rights: self.rights.clone(),
            hold: Arc::new(Holder { inner: self.clone(), live: live.clone(), pace }),
        };
        let doing = async {
            match task {
                Task::Run => work.run(&context).await,
                Task::Discard(end) => work.discard(&context, end).await.map(|()| Value::Null),
            }
        };
        // What a work leaves half done in a panic it finds again at its last checkpoint, as after a kill.
        match AssertUnwindSafe(doing).catch_unwind().await {
            Ok(ended) => ended,
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                Err(WorkError::Retry(format!("the work panicked: {text}"), None))
            }
        }
    }

    /// Writes down how an attempt ended, as often as it takes; a server that stops leaves it to the next start.
    async fn settle(&self, live: &Arc<Live>, task: Task, ended: Result<Value, WorkError>) {
        let mut closing = self.closing.subscribe();
        loop {
            let mut kept = live.kept.lock().await;
            let errors = kept.run.errors;
            let run = self.ended(&kept.run, live, task, &ended);
            match self.write(live, &mut kept, run).await {
                Ok(()) => {
                    let (kind, errors) = (live.definition.kind.clone(), kept.run.errors - errors);
                    metrics::counter!("tarn_job_errors_total", "kind" => kind).increment(errors.into());
                    break;
                }
                Err(error) => tracing::warn!(run.id = %live.id, %error, "a run could not be written down"),
            }
            drop(kept);
            tokio::select! {
                _ = closing.wait_for(|closing| *closing) => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
        let run = live.shown();
        if run.state.is_ended() {
            tell(&run);
            self.retire(live).await;
        }
    }

    /// What the end of an attempt makes of its run.
    fn ended(&self, run: &Run, live: &Live, task: Task, ended: &Result<Value, WorkError>) -> Run {
        let now_ms = now_ms();
        let mut run = run.clone();
        let event = match (ended, task) {
            (Ok(outcome), Task::Run) => {
                run.outcome = Some(bounded(outcome));
                run.counts = Counts::of(&live.progress);
                RunEvent::Complete
            }
            (Ok(_), Task::Discard(_)) => RunEvent::Discarded,
            (Err(WorkError::Stopped(_)), _) => RunEvent::Stop,
            (Err(error @ (WorkError::Retry(..) | WorkError::Fatal(..))), _) => {
                run.add_error(&chain(error), now_ms);
                let is_last = matches!(error, WorkError::Fatal(..))
                    || run.errors_in_row >= self.settings.attempts
                    || run.errors >= self.settings.errors;
                run.not_before_ms = if is_last { 0 } else { now_ms + self.backoff_ms(run.errors_in_row) };
                match (task, is_last) {
                    (_, false) => RunEvent::Retry,
                    (Task::Run, true) => RunEvent::GiveUp,
                    // Its errors tell what may be left.
                    (Task::Discard(_), true) => RunEvent::Discarded,
                }
            }
        };
        let was = run.state;
        let mut run = run.after(event, now_ms).unwrap_or(run);
        if run.state != was && task == Task::Run && event == RunEvent::GiveUp {
            // Discarding has attempts of its own.
            run.errors_in_row = 0;
        }
        run
    }

    fn backoff_ms(&self, errors_in_row: u32) -> i64 {
        let factor = 1_u32 << errors_in_row.saturating_sub(1).min(20);
        let wait = self.settings.backoff.saturating_mul(factor).min(self.settings.backoff_max);
        wait.as_millis() as i64
    }

    pub(super) async fn close(&self) {
        self.closing.send_replace(true);
        for live in self.lock().live.values() {
            live.tell(Stopped::Closing);
        }
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let ending = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.settings.close_timeout, ending).await.is_err() {
            tracing::info!("runs of jobs were killed; they go on after the next start");
        }
        tasks.shutdown().await;
    }
}

fn task(state: RunState) -> Option<Task> {
    match state {
        RunState::Pending => Some(Task::Run),
        RunState::Canceling => Some(Task::Discard(Ended::Canceled)),
        RunState::Failing => Some(Task::Discard(Ended::Failed)),
        RunState::Running
        | RunState::Suspended
        | RunState::Completed
        | RunState::Canceled
        | RunState::Failed => None,
    }
}

/// Discarding goes first, then priority, then age.
fn turn(live: &Live, task: Task) -> (bool, std::cmp::Reverse<super::Priority>, uuid::Uuid) {
    (task == Task::Run, std::cmp::Reverse(live.definition.priority), live.id)
}

fn bounded(outcome: &Value) -> Value {
    let size = outcome.to_string().len();
    if size <= OUTCOME_BYTES_MAX {
        return outcome.clone();
    }
    serde_json::json!({ "omitted": format!("an outcome of {size} bytes; {OUTCOME_BYTES_MAX} are kept") })
}

/// Counts what an attempt did.
fn count(live: &Live, before: Counts) {
    let after = Counts::of(&live.progress);
    let kind = &live.definition.kind;
    for (name, was, is) in [
        ("tarn_job_scanned_items_total", before.scanned, after.scanned),
        ("tarn_job_matched_items_total", before.matched, after.matched),
        ("tarn_job_written_items_total", before.written, after.written),
        ("tarn_job_failed_items_total", before.failed, after.failed),
        ("tarn_job_written_bytes_total", before.bytes, after.bytes),
        ("tarn_job_written_files_total", before.files, after.files),
    ] {
        metrics::counter!(name, "kind" => kind.clone()).increment(is.saturating_sub(was));
    }
}

fn tell(run: &Run) {
    let Run { id, definition, state, errors, counts, .. } = run;
    let (kind, outcome) = (definition.kind.clone(), state.name());
    let took_ms = run.ended_ms.unwrap_or(0) - run.started_ms.unwrap_or(run.created_ms);
    let error = run.last_errors.last().map(|error| &*error.message);
    let Counts { scanned, written, .. } = counts;
    tracing::info!(run.id = %id, job = definition.name, kind, outcome, took_ms, errors, scanned, written, error, "a run of a job ended");
    metrics::counter!("tarn_job_runs_total", "kind" => kind.clone(), "outcome" => outcome).increment(1);
    metrics::histogram!("tarn_job_run_seconds", "kind" => kind.clone()).record(took_ms as f64 / 1e3);
    if *state == RunState::Completed {
        let at_s = run.ended_ms.unwrap_or(0) as f64 / 1e3;
        metrics::gauge!("tarn_job_last_success_timestamp_seconds", "kind" => kind).set(at_s);
    }
}

/// An error with what caused it, for a report.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
