//! What a kind of job is to the framework: it checks a specification, and works in steps that survive a kill.
//!
//! - W1: what [`Context::keep`] has answered is durable. After a kill a run goes on from the last checkpoint kept, and
//!   whatever it did behind that is done again: a work must be able to do it again without a second effect.
//! - W2: a work asks [`Context::pace`] before each piece of work, so that it gives way and ends when it shall.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::Value;
use tarn_openapi::access::{Action, Resource};
use uuid::Uuid;

use super::definition::{Author, Definition};

/// A kind of job.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// Its name in definitions, as `inventory`.
    fn kind(&self) -> &'static str;

    /// Checks a specification, and what its author may do, before it is kept. Answers it in its full form, as it is kept.
    async fn check(&self, spec: &Value, author: &Author) -> Result<Value, InvalidSpec>;

    /// Runs, from the checkpoint on if there is one. What is answered is the outcome, for the report.
    async fn run(&self, context: &Context) -> Result<Value, WorkError>;

    /// The specification as it is shown: a kind whose specification has secrets leaves them out.
    fn shown(&self, spec: &Value) -> Value {
        spec.clone()
    }

    /// Names what a run of this specification looks at: runs that look at the same have about as many items to look at.
    fn looks_at(&self, spec: &Value) -> String {
        spec.to_string()
    }

    /// A checked specification with what [`Work::shown`] leaves out, from the one before of the same name and author.
    fn fill(&self, spec: Value, before: Option<&Value>) -> Result<Value, InvalidSpec> {
        let _nothing_is_left_out = before;
        Ok(spec)
    }

    /// Takes away what a run left that was canceled or failed for good. Called again after a kill.
    async fn discard(&self, context: &Context, end: Ended) -> Result<(), WorkError>;
}

/// How a run ended that is not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Somebody canceled it.
    Canceled,
    /// It failed more often than it may.
    Failed,
}

/// Why a specification is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    /// Something in it: where, what is wrong, what is allowed.
    #[error("{at}: {message}")]
    Field {
        /// The field, as `destination.bucket`.
        at: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// Its author may not do what it asks for.
    #[error("{0}")]
    Denied(String),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
}

/// Why a run does not go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// It was told to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// It may work later.
    #[error("{0}")]
    Retry(String, #[source] Option<Box<dyn Error + Send + Sync>>),
    /// It will never work.
    #[error("{0}")]
    Fatal(String, #[source] Option<Box<dyn Error + Send + Sync>>),
}

/// Why a run shall end before it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// It is suspended: it goes on when it is resumed.
    #[error("the run is suspended")]
    Suspended,
    /// It is canceled.
    #[error("the run is canceled")]
    Canceled,
    /// The server stops: it goes on after the next start.
    #[error("the server stops")]
    Closing,
}

/// What a run works with.
pub struct Context {
    /// What is to be done.
    pub definition: Arc<Definition>,
    /// Names the run among all runs.
    pub run: Uuid,
    /// When the run began first, in milliseconds since 1970; a resumed run keeps it.
    pub started_ms: i64,
    /// The last checkpoint kept.
    pub checkpoint: Option<Value>,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// What its author may do, asked for now.
    pub rights: Arc<dyn Rights>,
    pub(crate) hold: Arc<dyn Hold>,
}

/// How far a run is. Counters only grow, but for a run that begins again.
#[derive(Debug, Default)]
pub struct Progress {
    /// Items looked at.
    pub scanned: AtomicU64,
    /// Items the filters let through.
    pub matched: AtomicU64,
    /// Rows written, or items done.
    pub written: AtomicU64,
    /// Items that failed.
    pub failed: AtomicU64,
    /// Bytes written.
    pub bytes: AtomicU64,
    /// Files written.
    pub files: AtomicU64,
    /// About how many items there are to look at; 0 when nobody knows.
    pub expected: AtomicU64,
}

impl Progress {
    /// Adds to a counter.
    pub fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}

/// What the framework does for a run.
#[async_trait]
pub(crate) trait Hold: Send + Sync {
    async fn keep(&self, checkpoint: &Value) -> Result<(), WorkError>;
    async fn pace(&self, items: u64, bytes: u64) -> Result<(), Stopped>;
}

impl Context {
    /// Makes a checkpoint durable (W1). Refused when the run shall stop: what it did since the last one is then done again.
    pub async fn keep(&self, checkpoint: &Value) -> Result<(), WorkError> {
        self.hold.keep(checkpoint).await
    }

    /// Waits for the run's turn to work on so many items and bytes (W2).
    pub async fn pace(&self, items: u64, bytes: u64) -> Result<(), Stopped> {
        self.hold.pace(items, bytes).await
    }

    /// Whether the author may do this now.
    pub fn may(&self, action: Action, resource: Resource<'_>) -> bool {
        self.rights.may(&self.definition.author, action, resource)
    }
}

/// Knows what authors of jobs may do now. The binary implements it over its keys and policies.
pub trait Rights: Send + Sync + 'static {
    /// Whether `author` is still who it was, and may do this.
    fn may(&self, author: &Author, action: Action, resource: Resource<'_>) -> bool;
}
