//! A run of a job: what is kept of it, as a document of the catalog's log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::definition::Definition;
use super::state::{NotAllowed, RunEvent, RunState};
use super::work::Progress;

/// The kind of the documents of runs; their ids are in order of time.
pub(super) const KIND: &str = "job-run";
/// The errors a run tells.
const ERRORS_MAX: usize = 5;
/// The longest error told, in bytes.
const ERROR_BYTES_MAX: usize = 2048;

/// Who wanted a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// Its schedule.
    Schedule,
    /// A request.
    Request,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// What it does, as the definition was when it began.
    pub definition: Arc<Definition>,
    /// Where it is.
    pub state: RunState,
    /// Who wanted it.
    pub wanted: Wanted,
    /// When it began to wait, in milliseconds since 1970.
    pub created_ms: i64,
    /// When its work began first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<i64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
    /// When it was last written down: at a checkpoint or a change of state.
    pub updated_ms: i64,
    /// How often its work began, after errors, suspensions and kills too.
    pub starts: u32,
    /// Attempts that ended in an error.
    pub errors: u32,
    /// Such attempts since the last checkpoint.
    pub errors_in_row: u32,
    /// The last errors, the newest last.
    pub last_errors: Vec<RunError>,
    /// When it may go on after an error.
    pub not_before_ms: i64,
    /// How far it is, or as far as it was at its last checkpoint.
    pub counts: Counts,
    /// What its work came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Value>,
}

/// An attempt that ended in an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What went wrong.
    pub message: String,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Items looked at.
    pub scanned: u64,
    /// Items the filters let through.
    pub matched: u64,
    /// Rows written, or items done.
    pub written: u64,
    /// Items that failed.
    pub failed: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Files written.
    pub files: u64,
    /// About how many items there are to look at; 0 when nobody knows.
    pub expected: u64,
}

/// A run with what is not written down.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// The run, its counts as of now.
    #[serde(flatten)]
    pub run: Run,
    /// Items looked at per second, over the last seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items_per_second: Option<f64>,
    /// How long it will still take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_seconds: Option<f64>,
}

/// What lies in the document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(flatten)]
    pub(super) run: Run,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint: Option<Value>,
}

impl Run {
    pub(super) fn new(definition: Arc<Definition>, wanted: Wanted, now_ms: i64) -> Self {
        Self {
            id: Uuid::now_v7(),
            definition,
            state: RunState::Pending,
            wanted,
            created_ms: now_ms,
            started_ms: None,
            ended_ms: None,
            updated_ms: now_ms,
            starts: 0,
            errors: 0,
            errors_in_row: 0,
            last_errors: Vec::new(),
            not_before_ms: 0,
            counts: Counts::default(),
            outcome: None,
        }
    }

    /// What `event` makes of it.
    pub(super) fn after(&self, event: RunEvent, now_ms: i64) -> Result<Self, NotAllowed> {
        let mut run = Self { state: self.state.after(event)?, updated_ms: now_ms, ..self.clone() };
        match event {
            RunEvent::Start => {
                run.starts += 1;
                run.started_ms = run.started_ms.or(Some(now_ms));
            }
            RunEvent::Resume => (run.errors_in_row, run.not_before_ms) = (0, 0),
            RunEvent::Complete
            | RunEvent::Retry
            | RunEvent::GiveUp
            | RunEvent::Stop
            | RunEvent::Suspend
            | RunEvent::Cancel
            | RunEvent::Discarded => {}
        }
        if run.state.is_ended() {
            run.ended_ms = Some(now_ms);
        }
        Ok(run)
    }

    pub(super) fn add_error(&mut self, message: &str, now_ms: i64) {
        self.errors += 1;
        self.errors_in_row += 1;
        let end = message.floor_char_boundary(ERROR_BYTES_MAX);
        self.last_errors.push(RunError { at_ms: now_ms, message: message[..end].to_owned() });
        if self.last_errors.len() > ERRORS_MAX {
            self.last_errors.remove(0);
        }
    }
}

impl Counts {
    pub(super) fn of(progress: &Progress) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            scanned: read(&progress.scanned),
            matched: read(&progress.matched),
            written: read(&progress.written),
            failed: read(&progress.failed),
            bytes: read(&progress.bytes),
            files: read(&progress.files),
            expected: read(&progress.expected),
        }
    }

    /// Sets the counters back to these: what was done behind the last checkpoint is done, and counted, again.
    pub(super) fn set(&self, progress: &Progress) {
        for (counter, value) in [
            (&progress.scanned, self.scanned),
            (&progress.matched, self.matched),
            (&progress.written, self.written),
            (&progress.failed, self.failed),
            (&progress.bytes, self.bytes),
            (&progress.files, self.files),
            (&progress.expected, self.expected),
        ] {
            counter.store(value, Ordering::Relaxed);
        }
    }
}
